package pjrttest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func compileChecks() []check {
	compile := func(t *probe, format, code, options string) *pjrtc.ClientCompileArgs {
		return &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program(format, code), CompileOptions: text(t, options), CompileOptionsSize: uint64(len(options))}
	}
	one := compileOptions(1, 1)
	works := func(id, about, code string) check {
		return check{"compile." + id, about, func(t *probe) { t.compile(code) }}
	}
	wrong := func(id, about, format, code, options string) check {
		return check{"compile." + id, about, func(t *probe) {
			e := refuse(t, about, compile(t, format, code, options))
			t.want(strings.TrimSpace(e.msg) != "", "the error has no text")
		}}
	}
	return []check{
		works("text", "StableHLO text compiles", addProgram),
		works("no-arguments", "a program without arguments compiles", constantProgram),
		works("no-results", "a program without arguments and results compiles", noneProgram),
		works("control-flow", "a program with a loop compiles", loopProgram),
		works("branches", "a program with branches compiles", caseProgram),
		works("matmul", "a matrix product compiles", matmulProgram),
		works("many", "a program of 200 arguments and results compiles", manyProgram(200)),
		{"compile.no-options", "no compile options mean the defaults, or are an error", func(t *probe) {
			a := optional(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", addProgram), CompileOptions: text(t, "")})
			t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: a.Executable}) })
		}},
		{"compile.twice", "one program compiles twice to two executables", func(t *probe) {
			first := t.compile(addProgram)
			t.want(t.compile(addProgram) != first, "they are the same object")
		}},
		wrong("garbage", "text that is no program is an error", "mlir", "this is no program", one),
		wrong("empty", "an empty program is an error", "mlir", "", one),
		wrong("truncated", "a program that ends in the middle is an error", "mlir", addProgram[:len(addProgram)/2], one),
		wrong("ill-typed", "a program whose types do not fit is an error", "mlir", strings.Replace(addProgram, "%b: tensor<4xf32>", "%b: tensor<5xf32>", 1), one),
		wrong("unknown-operation", "an operation of no dialect is an error", "mlir", strings.Replace(addProgram, "stablehlo.add %a, %b : tensor<4xf32>", `"isthmus.none"(%a) : (tensor<4xf32>) -> tensor<4xf32>`, 1), one),
		wrong("unknown-format", "a format that nobody knows is an error", "isthmus", addProgram, one),
		wrong("bad-bytecode", "bytecode that ends after its magic number is an error", "mlir", "ML\xefR\x0dStableHLO_v1.0.0\x00\x00\x05", one),
		wrong("bad-options", "compile options that are no protobuf are an error", "mlir", addProgram, "\xff\xff\xff\xff"),
		wrong("no-replicas", "a thousand replicas for few devices are an error", "mlir", addProgram, "\x1a\x10\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x20\xe8\x07\x28\x01"),
	}
}

// deleted calls a deleter of the plugin's on what it deletes.
func (t *probe) deleted(fn pjrtc.Func, object mem.Addr) {
	if fn != 0 {
		t.frame.Call1(call.Fn(fn), object)
	}
}

// deleted2 is deleted for a deleter that takes an argument too.
func (t *probe) deleted2(fn pjrtc.Func, object, arg mem.Addr) {
	if fn != 0 {
		t.frame.Call(call.Fn(fn), uintptr(object), uintptr(arg))
	}
}

func (t *probe) serialize(x pjrtc.Ptr[pjrtc.Executable]) string {
	a := do(t, &pjrtc.ExecutableSerializeArgs{Executable: x})
	b, err := mem.Copy(a.SerializedBytes, a.SerializedBytesSize, 1<<30)
	if err != nil {
		t.fail("the executable's bytes: %v", err)
	}
	t.want(len(b) > 0, "it has no bytes")
	t.deleted(a.SerializedExecutableDeleter, mem.Addr(a.SerializedExecutable))
	return string(b)
}

func (t *probe) deserialize(blob string) (pjrtc.Ptr[pjrtc.LoadedExecutable], error) {
	a, err := try(t, &pjrtc.ExecutableDeserializeAndLoadArgs{Client: t.shared(), SerializedExecutable: text(t, blob), SerializedExecutableSize: uint64(len(blob))})
	if err == nil {
		t.want(a.LoadedExecutable != 0, "no executable and no error")
		t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: a.LoadedExecutable}) })
	}
	return a.LoadedExecutable, err
}

func executableChecks() []check {
	kinds := func(t *probe, what string, p pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) []string {
		s := items(t, what, sizes, n)
		var out []string
		for i, k := range items(t, what, p, n) {
			out = append(out, t.str(what, k, s[i]))
		}
		return out
	}
	fingerprint := func(t *probe, code string) string {
		a := optional(t, &pjrtc.ExecutableFingerprintArgs{Executable: t.describe(t.compile(code))})
		return t.str("the fingerprint", a.ExecutableFingerprint, a.ExecutableFingerprintSize)
	}
	x := func(t *probe) pjrtc.Ptr[pjrtc.Executable] { return t.describe(t.once(addProgram)) }
	return []check{
		{"executable.name", "an executable has a name", func(t *probe) {
			a := do(t, &pjrtc.ExecutableNameArgs{Executable: x(t)})
			t.note("%s", t.str("the name", a.ExecutableName, a.ExecutableNameSize))
		}},
		{"executable.replicas", "one replica was asked for", func(t *probe) {
			n := do(t, &pjrtc.ExecutableNumReplicasArgs{Executable: x(t)}).NumReplicas
			t.want(n == 1, "it has %d", n)
		}},
		{"executable.partitions", "one partition was asked for", func(t *probe) {
			n := do(t, &pjrtc.ExecutableNumPartitionsArgs{Executable: x(t)}).NumPartitions
			t.want(n == 1, "it has %d", n)
		}},
		{"executable.num-outputs", "the number of outputs is the program's", func(t *probe) {
			for code, want := range map[string]uint64{addProgram: 1, threeProgram: 3, noneProgram: 0} {
				n := do(t, &pjrtc.ExecutableNumOutputsArgs{Executable: t.describe(t.once(code))}).NumOutputs
				t.want(n == want, "%d, want %d", n, want)
			}
		}},
		{"executable.output-types", "the element types of the outputs are the program's", func(t *probe) {
			a := do(t, &pjrtc.ExecutableOutputElementTypesArgs{Executable: t.describe(t.once(threeProgram))})
			got := items(t, "types", a.OutputTypes, a.NumOutputTypes)
			want := []pjrtc.BufferType{pjrtc.BufferTypeF32, pjrtc.BufferTypeS32, pjrtc.BufferTypeF32}
			t.want(slices.Equal(got, want), "%v, want %v", got, want)
		}},
		{"executable.output-dimensions", "the dimensions of the outputs are the program's, a scalar's and an empty tensor's too", func(t *probe) {
			a := do(t, &pjrtc.ExecutableOutputDimensionsArgs{Executable: t.describe(t.once(threeProgram))})
			ranks := items(t, "ranks", a.DimSizes, a.NumOutputs)
			t.want(slices.Equal(ranks, []uint64{0, 2, 2}), "the ranks are %v", ranks)
			dims := items(t, "dimensions", a.Dims, 4)
			t.want(slices.Equal(dims, []int64{2, 3, 0, 3}), "the dimensions are %v", dims)
		}},
		{"executable.output-memory-kinds", "each output has a memory kind", func(t *probe) {
			a := optional(t, &pjrtc.ExecutableOutputMemoryKindsArgs{Executable: t.describe(t.once(threeProgram))})
			t.want(a.NumOutputs == 3, "there are %d", a.NumOutputs)
			t.note("%v", kinds(t, "memory kinds", a.MemoryKinds, a.MemoryKindSizes, a.NumOutputs))
		}},
		{"executable.parameter-memory-kinds", "each parameter has a memory kind", func(t *probe) {
			a := optional(t, &pjrtc.ExecutableParameterMemoryKindsArgs{Executable: x(t)})
			t.want(a.NumParameters == 2, "there are %d", a.NumParameters)
			t.note("%v", kinds(t, "memory kinds", a.MemoryKinds, a.MemoryKindSizes, a.NumParameters))
		}},
		{"executable.code-size", "the generated code has a size", func(t *probe) {
			n := do(t, &pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs{Executable: x(t)}).SizeInBytes
			t.want(n >= -1, "it has %d bytes", n)
			t.note("%d", n)
		}},
		{"executable.cost-analysis", "costs have names and known kinds", func(t *probe) {
			a := do(t, &pjrtc.ExecutableGetCostAnalysisArgs{Executable: x(t)})
			t.note("%d costs", len(t.values("costs", a.Properties, a.NumProperties)))
		}},
		{"executable.memory-stats", "the memory that an execution takes is at least its arguments'", func(t *probe) {
			a := do(t, &pjrtc.ExecutableGetCompiledMemoryStatsArgs{Executable: x(t)})
			t.want(a.ArgumentSizeInBytes+a.HostArgumentSizeInBytes >= 32, "two arguments of 16 bytes are said to take %d", a.ArgumentSizeInBytes)
		}},
		{"executable.optimized-program", "the optimised program is given in two calls: its size, then its code", func(t *probe) {
			e := x(t)
			p := place(t, &pjrtc.Program{})
			p.SetSize()
			optional(t, &pjrtc.ExecutableOptimizedProgramArgs{Executable: e, Program: pjrtc.To(p)})
			size := p.CodeSize
			t.want(size > 0 && size < 1<<30, "it has %d bytes", size)
			code := t.host(bytes.Repeat([]byte{0xa5}, int(size)+64))
			p.Code = pjrtc.Ptr[byte](code)
			do(t, &pjrtc.ExecutableOptimizedProgramArgs{Executable: e, Program: pjrtc.To(p)})
			got := bytesAt(t, code, int(size)+64)
			t.want(p.CodeSize <= size, "it grew from %d to %d bytes", size, p.CodeSize)
			t.want(bytes.Equal(got[size:], bytes.Repeat([]byte{0xa5}, 64)), "the plugin wrote past the size that it gave")
			t.note("%s, %d bytes", t.str("the format", p.Format, p.FormatSize), size)
		}},
		{"executable.fingerprint", "a program has the same fingerprint each time, and another one another", func(t *probe) {
			a, b, c := fingerprint(t, addProgram), fingerprint(t, addProgram), fingerprint(t, matmulProgram)
			if a == "" {
				t.lacks("the fingerprint is empty")
			}
			t.want(a == b, "two compilations of one program give %x and %x", a, b)
			t.want(a != c, "two programs have the fingerprint %x", a)
		}},
		{"executable.loaded-fingerprint", "a loaded executable has a fingerprint", func(t *probe) {
			a := optional(t, &pjrtc.LoadedExecutableFingerprintArgs{Executable: t.once(addProgram)})
			t.str("the fingerprint", a.ExecutableFingerprint, a.ExecutableFingerprintSize)
		}},
		{"executable.compile-options", "an executable gives its compile options back", func(t *probe) {
			a := optional(t, &pjrtc.ExecutableGetCompileOptionsArgs{Executable: x(t)})
			_, err := mem.Copy(a.SerializedBytes, a.SerializedBytesSize, 1<<26)
			t.want(err == nil && a.SerializedBytesSize > 0, "they have %d bytes: %v", a.SerializedBytesSize, err)
			t.deleted(a.SerializedCompileOptionsDeleter, mem.Addr(a.SerializedCompileOptions))
		}},
		{"executable.serialize", "an executable can be written", func(t *probe) { t.note("%d bytes", len(t.serialize(x(t)))) }},
		{"executable.deserialize", "what was written can be loaded, and runs", func(t *probe) {
			e, err := t.deserialize(t.serialize(x(t)))
			t.must(err)
			t.holds(t.run(e, t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))), vec(11, 22, 33, 44))
		}},
		{"executable.deserialize-outlives", "what was loaded works when the original is gone", func(t *probe) {
			e := t.compile(addProgram)
			blob := t.serialize(t.describe(e))
			do(t, &pjrtc.LoadedExecutableDeleteArgs{Executable: e})
			l, err := t.deserialize(blob)
			t.must(err)
			t.holds(t.run(l, t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))), vec(11, 22, 33, 44))
		}},
		{"executable.deserialize-garbage", "bytes that are no executable are an error", func(t *probe) {
			t.serialize(x(t))
			_, err := t.deserialize("\x00\xff no executable")
			t.want(err != nil, "they are loaded")
			t.must(notMissing(t, err))
		}},
		{"executable.deserialize-truncated", "half an executable is an error", func(t *probe) {
			blob := t.serialize(x(t))
			_, err := t.deserialize(blob[:len(blob)/2])
			t.want(err != nil, "it is loaded")
			t.must(notMissing(t, err))
		}},
		{"executable.devices", "an executable for one device is loaded on one of the client's", func(t *probe) {
			a := do(t, &pjrtc.LoadedExecutableAddressableDevicesArgs{Executable: t.once(addProgram)})
			d := items(t, "devices", a.AddressableDevices, a.NumAddressableDevices)
			t.want(len(d) == 1 && slices.Contains(t.devices(), d[0]), "it is loaded on %d devices", len(d))
		}},
		{"executable.logical-ids", "the logical ids of the devices are replica 0, partition 0", func(t *probe) {
			a := optional(t, &pjrtc.LoadedExecutableAddressableDeviceLogicalIdsArgs{Executable: t.once(addProgram)})
			ids := items(t, "logical ids", a.AddressableDeviceLogicalIds, a.NumAddressableDeviceLogicalIds)
			t.want(len(ids) == 1, "there are %d", len(ids))
		}},
		{"executable.device-assignment", "an executable gives its device assignment", func(t *probe) {
			a := optional(t, &pjrtc.LoadedExecutableGetDeviceAssignmentArgs{Executable: t.once(addProgram)})
			_, err := mem.Copy(a.SerializedBytes, a.SerializedBytesSize, 1<<26)
			t.want(err == nil && a.SerializedBytesSize > 0, "it has %d bytes: %v", a.SerializedBytesSize, err)
			t.deleted(a.SerializedDeviceAssignmentDeleter, mem.Addr(a.SerializedDeviceAssignment))
		}},
		{"executable.delete", "a deleted executable says so, and deleting it again is no crash", func(t *probe) {
			e := t.compile(addProgram)
			t.want(!do(t, &pjrtc.LoadedExecutableIsDeletedArgs{Executable: e}).IsDeleted, "a new one is deleted")
			do(t, &pjrtc.LoadedExecutableDeleteArgs{Executable: e})
			t.want(do(t, &pjrtc.LoadedExecutableIsDeletedArgs{Executable: e}).IsDeleted, "it says that it is not")
			_, err := try(t, &pjrtc.LoadedExecutableDeleteArgs{Executable: e})
			t.note("again: %v", err)
		}},
		{"executable.execute-deleted", "executing a deleted executable is an error", func(t *probe) {
			e := t.compile(addProgram)
			do(t, &pjrtc.LoadedExecutableDeleteArgs{Executable: e})
			if !do(t, &pjrtc.LoadedExecutableIsDeletedArgs{Executable: e}).IsDeleted {
				t.skip("it is not deleted")
			}
			_, ev, err := t.start(e, execution{outputs: 1}, t.put(vec(1, 2, 3, 4)), t.put(vec(1, 2, 3, 4)))
			if err == nil {
				err = t.await(ev)
			}
			t.want(err != nil, "it runs")
			t.must(notMissing(t, err))
		}},
		{"executable.description-outlives", "a description lives on when the loaded executable is destroyed", func(t *probe) {
			o := compileOptions(1, 1)
			e := do(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", addProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			d := t.describe(e)
			do(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: e})
			n := do(t, &pjrtc.ExecutableNumOutputsArgs{Executable: d}).NumOutputs
			t.want(n == 1, "it has %d outputs now", n)
		}},
		{"executable.many-descriptions", "several descriptions of one executable live at once", func(t *probe) {
			for range 32 {
				t.want(do(t, &pjrtc.ExecutableNumOutputsArgs{Executable: x(t)}).NumOutputs == 1, "one differs")
			}
		}},
	}
}

func executeChecks() []check {
	two := func(t *probe) []pjrtc.Ptr[pjrtc.Buffer] {
		return []pjrtc.Ptr[pjrtc.Buffer]{t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))}
	}
	sum := vec(11, 22, 33, 44)
	fails := func(t *probe, code string, in ...pjrtc.Ptr[pjrtc.Buffer]) error {
		out, ev, err := t.start(t.once(code), execution{outputs: 1}, in...)
		if err == nil {
			err = t.await(ev)
		}
		if err == nil {
			_, err = t.read(out[0], 16, 1)
		}
		if err := notMissing(t, err); err != nil {
			t.must(err)
		}
		return err
	}
	return []check{
		{"execute.add", "a program of two arguments gives the sum", func(t *probe) { t.holds(t.run(t.once(addProgram), two(t)...), sum) }},
		{"execute.no-arguments", "a program without arguments runs", func(t *probe) {
			t.holds(t.run(t.once(constantProgram)), tensor{pjrtc.BufferTypeS32, []int64{3}, []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}})
		}},
		{"execute.no-results", "a program without results runs", func(t *probe) {
			_, ev, err := t.start(t.once(noneProgram), execution{})
			t.must(err)
			t.must(t.await(ev))
		}},
		{"execute.three-results", "a scalar, a matrix and an empty tensor come back", func(t *probe) {
			out, ev, err := t.start(t.once(threeProgram), execution{outputs: 3}, t.put(iota(2, 3)))
			t.must(err)
			t.must(t.await(ev))
			t.holds(out[0], f32(nil, 7))
			t.holds(out[1], tensor{pjrtc.BufferTypeS32, []int64{2, 3}, []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0}})
			t.holds(out[2], tensor{pjrtc.BufferTypeF32, []int64{0, 3}, nil})
		}},
		{"execute.many", "200 arguments come back in reverse", func(t *probe) {
			var in []pjrtc.Ptr[pjrtc.Buffer]
			for i := range 200 {
				in = append(in, t.put(f32(nil, float32(i))))
			}
			out, ev, err := t.start(t.once(manyProgram(200)), execution{outputs: 200}, in...)
			t.must(err)
			t.must(t.await(ev))
			for _, i := range []int{0, 1, 99, 198, 199} {
				t.holds(out[i], f32(nil, float32(199-i)))
			}
		}},
		{"execute.loop", "a loop runs as often as its argument says", func(t *probe) {
			n := tensor{pjrtc.BufferTypeS32, nil, []byte{0, 0, 0, 0}}
			t.holds(t.run(t.once(loopProgram), t.put(n), t.put(f32(nil, 0.5))), f32(nil, 0.5))
			n.data = []byte{100, 0, 0, 0}
			t.run(t.once(loopProgram), t.put(n), t.put(f32(nil, 0.5)))
		}},
		{"execute.branches", "both branches give their result", func(t *probe) {
			for p, want := range map[byte]tensor{1: vec(2, 4), 0: vec(-1, -2)} {
				t.holds(t.run(t.once(caseProgram), t.put(tensor{pjrtc.BufferTypePRED, nil, []byte{p}}), t.put(vec(1, 2))), want)
			}
		}},
		{"execute.matmul", "a matrix product is exact for small whole numbers", func(t *probe) {
			a, b := make([]float32, 64*32), make([]float32, 32*16)
			for i := range a {
				a[i] = float32(i % 7)
			}
			for i := range b {
				b[i] = float32(i%5) - 2
			}
			want := make([]float32, 64*16)
			for i := range 64 {
				for j := range 16 {
					for k := range 32 {
						want[i*16+j] += a[i*32+k] * b[k*16+j]
					}
				}
			}
			t.holds(t.run(t.once(matmulProgram), t.put(f32([]int64{64, 32}, a...)), t.put(f32([]int64{32, 16}, b...))), f32([]int64{64, 16}, want...))
		}},
		{"execute.transpose", "a transposed matrix is read in the host's order", func(t *probe) {
			t.holds(t.run(t.once(transposeProgram), t.put(iota(2, 3))), f32([]int64{3, 2}, 0, 3, 1, 4, 2, 5))
		}},
		{"execute.same-argument", "one buffer can be given twice", func(t *probe) {
			b := t.put(vec(1, 2, 3, 4))
			t.holds(t.run(t.once(addProgram), b, b), vec(2, 4, 6, 8))
		}},
		{"execute.chain", "outputs are inputs at once, 100 times, without waiting", func(t *probe) {
			one, acc := t.put(vec(1, 1, 1, 1)), t.put(vec(0, 0, 0, 0))
			for range 100 {
				out, ev, err := t.start(t.once(addProgram), execution{outputs: 1}, acc, one)
				t.must(err)
				t.after(func() { quiet(t, &pjrtc.EventDestroyArgs{Event: ev}) })
				acc = out[0]
			}
			t.holds(acc, vec(100, 100, 100, 100))
		}},
		{"execute.no-events", "an execution without events works", func(t *probe) {
			out, _, err := t.start(t.once(addProgram), execution{outputs: 1, silent: true}, two(t)...)
			t.must(err)
			t.holds(out[0], sum)
		}},
		{"execute.event", "the event of an execution fires, and then the output is ready", func(t *probe) {
			out, ev, err := t.start(t.once(addProgram), execution{outputs: 1}, two(t)...)
			t.must(err)
			t.want(ev != 0, "there is no event")
			t.must(t.await(ev))
			t.must(t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: out[0]}).Event))
		}},
		{"execute.send", "what a program sends to the host arrives, in order and whole", func(t *probe) {
			var got []byte
			other := newProbe(t.plugin)
			s, err := cb.Serve(cb.Shape{Args: 5, User: 4}, cb.Handler{Serve: func(a *cb.Args) uintptr {
				c := pjrtc.Ptr[pjrtc.Chunk](a[0]).At()
				if b, err := mem.Copy(c.Data, c.Size, 1<<20); err == nil {
					got = append(got, b...)
				}
				other.deleted2(c.Deleter, mem.Addr(c.Data), mem.Addr(c.DeleterArg))
				return 0
			}})
			if err != nil {
				t.fail("%v", err)
			}
			t.after(func() { s.Release(); other.end() })
			o := compileOptions(1, 1)
			e := optional(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", sendProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: e}) })
			info := list(t, pjrtc.SendCallbackInfo{ChannelId: 1, UserArg: pjrtc.Addr(s.Arg), SendCallback: pjrtc.Func(s.Fn)})
			x := execution{options: pjrtc.ExecuteOptions{SendCallbacks: list(t, info), NumSendOps: 1}}
			_, ev, err := t.start(e, x, t.put(vec(1, 2, 3, 4)))
			if err == nil {
				err = t.await(ev)
			}
			if err != nil {
				t.lacks("%v", err)
			}
			t.want(string(got) == string(vec(1, 2, 3, 4).data), "%x arrived", got)
		}},
		{"execute.device", "a portable execution on a device of choice, or an error", func(t *probe) {
			d := t.device()
			out, ev, err := t.start(t.once(addProgram), execution{outputs: 1, change: func(a *pjrtc.LoadedExecutableExecuteArgs) { a.ExecuteDevice = d }}, two(t)...)
			if err != nil {
				t.lacks("%v", err)
			}
			t.must(t.await(ev))
			t.holds(out[0], sum)
		}},
		{"execute.launch-id", "an execution takes a launch id", func(t *probe) {
			out, ev, err := t.start(t.once(addProgram), execution{outputs: 1, options: pjrtc.ExecuteOptions{LaunchId: 42}}, two(t)...)
			t.must(err)
			t.must(t.await(ev))
			t.holds(out[0], sum)
		}},
		{"execute.context", "an execution takes a context", func(t *probe) {
			c := optional(t, &pjrtc.ExecuteContextCreateArgs{}).Context
			t.after(func() { quiet(t, &pjrtc.ExecuteContextDestroyArgs{Context: c}) })
			out, ev, err := t.start(t.once(addProgram), execution{outputs: 1, options: pjrtc.ExecuteOptions{Context: c}}, two(t)...)
			t.must(err)
			t.must(t.await(ev))
			t.holds(out[0], sum)
		}},
		{"execute.context-unused", "a context that no execution used can be destroyed", func(t *probe) {
			c := optional(t, &pjrtc.ExecuteContextCreateArgs{}).Context
			do(t, &pjrtc.ExecuteContextDestroyArgs{Context: c})
		}},
		{"execute.donate", "an argument that the program may reuse is gone afterwards", func(t *probe) {
			in := two(t)
			t.holds(t.run(t.once(donateProgram), in...), sum)
			if !do(t, &pjrtc.BufferIsDeletedArgs{Buffer: in[0]}).IsDeleted {
				t.lacks("the plugin does not reuse the argument")
			}
			t.want(!do(t, &pjrtc.BufferIsDeletedArgs{Buffer: in[1]}).IsDeleted, "the other argument is gone too")
		}},
		{"execute.donated-is-gone", "a donated argument cannot be used again", func(t *probe) {
			in := two(t)
			t.run(t.once(donateProgram), in...)
			if !do(t, &pjrtc.BufferIsDeletedArgs{Buffer: in[0]}).IsDeleted {
				t.skip("it was not donated")
			}
			t.note("%v", fails(t, addProgram, in...))
			t.want(fails(t, addProgram, in...) != nil, "it is used")
		}},
		{"execute.keep", "an argument that must not be donated is kept", func(t *probe) {
			in := two(t)
			o := pjrtc.ExecuteOptions{NonDonatableInputIndices: list[int64](t, 0), NumNonDonatableInputIndices: 1}
			out, ev, err := t.start(t.once(donateProgram), execution{outputs: 1, options: o}, in...)
			t.must(err)
			t.must(t.await(ev))
			t.holds(out[0], sum)
			t.want(!do(t, &pjrtc.BufferIsDeletedArgs{Buffer: in[0]}).IsDeleted, "it is gone")
			t.holds(in[0], vec(1, 2, 3, 4))
		}},
		{"execute.donate-twice", "one buffer as a donated and another argument is an error or works, and is no crash", func(t *probe) {
			b := t.put(vec(1, 2, 3, 4))
			t.note("%v", fails(t, donateProgram, b, b))
		}},
		{"execute.too-few", "too few arguments are an error", func(t *probe) {
			err := fails(t, addProgram, two(t)[0])
			t.want(err != nil, "the program runs")
			t.note("%v", err)
		}},
		{"execute.too-many", "too many arguments are an error", func(t *probe) {
			err := fails(t, addProgram, append(two(t), t.put(vec(1, 2, 3, 4)))...)
			t.want(err != nil, "the program runs")
			t.note("%v", err)
		}},
		{"execute.wrong-size", "an argument of another size is an error", func(t *probe) {
			err := fails(t, addProgram, two(t)[0], t.put(vec(1, 2)))
			t.want(err != nil, "the program runs")
			t.note("%v", err)
		}},
		{"execute.wrong-type", "an argument of another element type and the same size is an error", func(t *probe) {
			err := fails(t, addProgram, two(t)[0], t.put(tensor{pjrtc.BufferTypeS32, []int64{4}, make([]byte, 16)}))
			if err == nil {
				t.lacks("the plugin takes an i32 tensor for an f32 tensor: it compares sizes only")
			}
			t.note("%v", err)
		}},
		{"execute.wrong-shape", "an argument of another shape and the same size is an error", func(t *probe) {
			err := fails(t, addProgram, two(t)[0], t.put(iota(2, 2)))
			if err == nil {
				t.lacks("the plugin takes a 2x2 tensor for one of 4: it compares sizes only")
			}
			t.note("%v", err)
		}},
		{"execute.deleted-argument", "a deleted argument is an error", func(t *probe) {
			in := two(t)
			do(t, &pjrtc.BufferDeleteArgs{Buffer: in[1]})
			err := fails(t, addProgram, in...)
			t.want(err != nil, "the program runs")
			t.note("%v", err)
		}},
		{"execute.error-argument", "an argument that carries an error makes results that carry it", func(t *probe) {
			e := optional(t, &pjrtc.ClientCreateErrorBufferArgs{
				Client: t.shared(), ErrorCode: pjrtc.ErrorCodeDATALOSS, ErrorMessage: text(t, "lost on purpose"), ErrorMessageSize: 15,
				ShapeDims: list[int64](t, 4), ShapeNumDims: 1, ShapeElementType: pjrtc.BufferTypeF32, ShapeLayout: t.layout(0), Memory: t.defaultMemory(),
			}).Buffer
			t.destroyLater(e)
			err := fails(t, addProgram, e, two(t)[0])
			t.want(err != nil, "the program gives a result")
			t.want(strings.Contains(err.Error(), "lost on purpose"), "the error does not say why: %v", err)
		}},
		{"execute.two-replicas", "a sum over two devices", func(t *probe) {
			d := t.devices()
			if len(d) < 2 {
				t.skip("one device")
			}
			o := compileOptions(2, 1)
			e := optional(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", replicaProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: e}) })
			on := do(t, &pjrtc.LoadedExecutableAddressableDevicesArgs{Executable: e})
			devices := items(t, "devices", on.AddressableDevices, on.NumAddressableDevices)
			t.want(len(devices) == 2, "it is loaded on %d devices", len(devices))
			opt := place(t, &pjrtc.ExecuteOptions{})
			opt.SetSize()
			outs := []pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]{list[pjrtc.Ptr[pjrtc.Buffer]](t), list[pjrtc.Ptr[pjrtc.Buffer]](t)}
			events := list[pjrtc.Ptr[pjrtc.Event]](t, 0, 0)
			do(t, &pjrtc.LoadedExecutableExecuteArgs{
				Executable: e, Options: pjrtc.To(opt), NumDevices: 2, NumArgs: 1,
				ArgumentLists: list(t, list(t, t.putOn(devices[0], vec(1, 2, 3, 4))), list(t, t.putOn(devices[1], vec(10, 20, 30, 40)))),
				OutputLists:   list(t, outs...), DeviceCompleteEvents: events,
			})
			for i, ev := range items(t, "events", events, 2) {
				b := items(t, "outputs", outs[i], 1)[0]
				t.destroyLater(b)
				t.must(t.await(ev))
				t.holds(b, sum)
				t.want(do(t, &pjrtc.BufferDeviceArgs{Buffer: b}).Device == devices[i], "output %d is on another device", i)
			}
		}},
	}
}
