package pjrttest

import (
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func extensionChecks() []check {
	type layout = pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]
	write := func(t *probe, l layout) string {
		t.want(l != 0, "a layout is null")
		a := doExt(t, &pjrtc.LayoutsMemoryLayoutSerializeArgs{Layout: l})
		s := t.str("the layout", a.SerializedBytes, a.SerializedBytesSize)
		t.deleted(a.SerializedLayoutDeleter, mem.Addr(a.SerializedLayout))
		return s
	}
	own := func(t *probe, l layout) string {
		s := write(t, l)
		doExt(t, &pjrtc.LayoutsMemoryLayoutDestroyArgs{Layout: l})
		return s
	}
	x := func(t *probe) pjrtc.Ptr[pjrtc.Executable] { return t.describe(t.once(addProgram)) }
	texts := func(t *probe, p pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) []string {
		var out []string
		s := items(t, "sizes", sizes, n)
		for i, b := range items(t, "texts", p, n) {
			out = append(out, t.str("text", b, s[i]))
		}
		return out
	}
	runtimeABI := func(t *probe) pjrtc.Ptr[pjrtc.RuntimeAbiVersion] {
		v := doExt(t, &pjrtc.ClientRuntimeAbiVersionArgs{Client: t.shared()}).AbiVersion
		t.want(v != 0, "no version and no error")
		t.after(func() { _, _ = tryExt(t, &pjrtc.RuntimeAbiVersionDestroyArgs{AbiVersion: v}) })
		return v
	}
	executableABI := func(t *probe) pjrtc.Ptr[pjrtc.ExecutableAbiVersion] {
		v := doExt(t, &pjrtc.ExecutableGetAbiVersionArgs{Executable: x(t)}).AbiVersion
		t.want(v != 0, "no version and no error")
		t.after(func() { _, _ = tryExt(t, &pjrtc.ExecutableAbiVersionDestroyArgs{AbiVersion: v}) })
		return v
	}
	out := []check{
		{"layouts.default", "the client's default layout of a matrix can be written", func(t *probe) {
			a := doExt(t, &pjrtc.LayoutsPJRTClientGetDefaultLayoutArgs{Client: t.shared(), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 8, 128), NumDims: 2})
			t.note("%s", own(t, a.Layout))
		}},
		{"layouts.topology-default", "the topology's default layout is the client's", func(t *probe) {
			a := doExt(t, &pjrtc.LayoutsPJRTClientGetDefaultLayoutArgs{Client: t.shared(), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 8, 128), NumDims: 2})
			s := own(t, a.Layout)
			b := doExt(t, &pjrtc.LayoutsPJRTTopologyGetDefaultLayoutArgs{TopologyDescription: t.topology(), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 8, 128), NumDims: 2})
			r := own(t, b.Layout)
			t.want(r == s, "%s and %s", r, s)
		}},
		{"layouts.buffer", "a buffer's layout is the default one", func(t *probe) {
			a := doExt(t, &pjrtc.LayoutsPJRTBufferMemoryLayoutArgs{Buffer: t.put(iota(8, 128))})
			t.note("%s", own(t, a.Layout))
		}},
		{"layouts.parameters", "an executable gives a layout for each parameter", func(t *probe) {
			a := doExt(t, &pjrtc.LayoutsPJRTExecutableGetParameterLayoutsArgs{Executable: x(t)})
			l := items(t, "layouts", a.Layouts, a.NumParameters)
			t.want(len(l) == 2, "%d layouts for two parameters", len(l))
			for _, l := range l {
				t.note("%s", write(t, l)) // it is the executable's
			}
		}},
		{"layouts.outputs", "an executable gives a layout for each output", func(t *probe) {
			a := doExt(t, &pjrtc.LayoutsPJRTExecutableGetOutputLayoutsArgs{Executable: x(t)})
			l := items(t, "layouts", a.Layouts, a.NumOutputs)
			t.want(len(l) == 1, "%d layouts for one output", len(l))
			t.note("%s", write(t, l[0]))
		}},
		{"memory-descriptions.device", "a device's description describes its memories", func(t *probe) {
			a := doExt(t, &pjrtc.DeviceDescriptionMemoryDescriptionsArgs{DeviceDescription: t.description(t.device())})
			m := items(t, "memory descriptions", a.MemoryDescriptions, a.NumMemoryDescriptions)
			if len(m) == 0 {
				t.lacks("it describes none")
			}
			var kinds []string
			for _, m := range m {
				k := doExt(t, &pjrtc.MemoryDescriptionKindArgs{MemoryDescription: m})
				kinds = append(kinds, t.str("the kind", k.Kind, k.KindSize))
			}
			t.want(a.DefaultMemoryIndex < uint64(len(m)), "the default one is %d of %d", a.DefaultMemoryIndex, len(m))
			d := do(t, &pjrtc.MemoryKindArgs{Memory: t.defaultMemory()})
			want := t.str("the kind", d.Kind, d.KindSize)
			t.want(kinds[a.DefaultMemoryIndex] == want, "the default one is %s, the device's is %s", kinds[a.DefaultMemoryIndex], want)
		}},
		{"shardings.parameters", "an executable gives a sharding for each parameter, or none at all", func(t *probe) {
			a := doExt(t, &pjrtc.ShardingsPJRTExecutableParameterShardingsArgs{Executable: x(t)})
			if a.Shardings == 0 {
				t.note("none")
				return
			}
			t.want(a.NumParameters == 2, "%d for two parameters", a.NumParameters)
			texts(t, a.Shardings, a.ShardingSizes, a.NumParameters)
		}},
		{"shardings.outputs", "an executable gives a sharding for each output, or none at all", func(t *probe) {
			a := doExt(t, &pjrtc.ShardingsPJRTExecutableOutputShardingsArgs{Executable: x(t)})
			if a.Shardings == 0 {
				t.note("none")
				return
			}
			t.want(a.NumOutputs == 1, "%d for one output", a.NumOutputs)
			texts(t, a.Shardings, a.ShardingSizes, a.NumOutputs)
		}},
		{"phase-compile.names", "the compiler names its phases", func(t *probe) {
			c := doExt(t, &pjrtc.PhaseCompileGetCompilerArgs{}).PhaseCompiler
			t.after(func() { _, _ = tryExt(t, &pjrtc.PhaseCompileDestroyCompilerArgs{PhaseCompiler: c}) })
			a := doExt(t, &pjrtc.PhaseCompileGetPhaseNamesArgs{PhaseCompiler: c})
			t.note("%v", texts(t, a.PhaseNames, a.PhaseNamesSizes, a.NumPhaseNames))
			_, err := tryExt(t, &pjrtc.PhaseCompileCBuffersDestroyArgs{CharBuffers: a.PhaseNames, CharBufferSizes: a.PhaseNamesSizes, NumCharBuffers: a.NumPhaseNames})
			t.must(err)
		}},
		{"phase-compile.unknown", "a phase that nobody knows is an error", func(t *probe) {
			c := doExt(t, &pjrtc.PhaseCompileGetCompilerArgs{}).PhaseCompiler
			t.after(func() { _, _ = tryExt(t, &pjrtc.PhaseCompileDestroyCompilerArgs{PhaseCompiler: c}) })
			name := "isthmus_no_such_phase"
			o := compileOptions(1, 1)
			_, err := tryExt(t, &pjrtc.PhaseCompileRunPhaseArgs{
				PhaseCompiler: c, PhasesToRun: list(t, text(t, name)), PhasesToRunSizes: list(t, uint64(len(name))), NumPhasesToRun: 1,
				CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o)), Topology: t.topology(),
				InputPrograms: list(t, text(t, "")), InputProgramsSizes: list[uint64](t, 0), NumInputPrograms: 1,
			})
			t.must(notMissing(t, err))
			t.want(err != nil, "it runs")
		}},
		{"abi-version.runtime", "the client's runtime has an ABI version, compatible with itself", func(t *probe) {
			v := runtimeABI(t)
			doExt(t, &pjrtc.RuntimeAbiVersionIsCompatibleWithRuntimeArgs{AbiVersion: v, OtherAbiVersion: v})
		}},
		{"abi-version.runtime-proto", "the runtime's ABI version can be written and read", func(t *probe) {
			a := doExt(t, &pjrtc.RuntimeAbiVersionToProtoArgs{AbiVersion: runtimeABI(t)})
			b, err := mem.Copy(a.SerializedProto, a.SerializedProtoSize, 1<<20)
			t.must(err)
			t.deleted(a.SerializedProtoDeleter, mem.Addr(a.SerializedProtoHolder))
			v := doExt(t, &pjrtc.RuntimeAbiVersionFromProtoArgs{SerializedProto: text(t, string(b)), SerializedProtoSize: uint64(len(b))}).AbiVersion
			doExt(t, &pjrtc.RuntimeAbiVersionDestroyArgs{AbiVersion: v})
			t.note("%d bytes", len(b))
		}},
		{"abi-version.platform", "the runtime and its executables are of one platform", func(t *probe) {
			a := doExt(t, &pjrtc.RuntimeAbiVersionPlatformIdArgs{AbiVersion: runtimeABI(t)}).PlatformId
			b := doExt(t, &pjrtc.ExecutableAbiVersionPlatformIdArgs{AbiVersion: executableABI(t)}).PlatformId
			t.want(a == b, "%x and %x", a, b)
		}},
		{"abi-version.executable", "an executable is compatible with the runtime that compiled it", func(t *probe) {
			doExt(t, &pjrtc.RuntimeAbiVersionIsCompatibleWithExecutableArgs{AbiVersion: runtimeABI(t), ExecutableAbiVersion: executableABI(t)})
		}},
		{"abi-version.executable-proto", "an executable's ABI version can be written and read", func(t *probe) {
			a := doExt(t, &pjrtc.ExecutableAbiVersionToProtoArgs{AbiVersion: executableABI(t)})
			b, err := mem.Copy(a.SerializedProto, a.SerializedProtoSize, 1<<20)
			t.must(err)
			t.deleted(a.SerializedProtoDeleter, mem.Addr(a.SerializedProtoHolder))
			v := doExt(t, &pjrtc.ExecutableAbiVersionFromProtoArgs{SerializedProto: text(t, string(b)), SerializedProtoSize: uint64(len(b))}).AbiVersion
			doExt(t, &pjrtc.ExecutableAbiVersionDestroyArgs{AbiVersion: v})
		}},
		{"ffi.type", "a type can be registered, twice with one name is an error or the same", func(t *probe) {
			name := "isthmus.check"
			a := doExt(t, &pjrtc.FFITypeRegisterArgs{TypeName: text(t, name), TypeNameSize: uint64(len(name)), TypeInfo: pjrtc.To(place(t, &pjrtc.FFITypeInfo{}))})
			t.want(a.TypeId > 0, "its id is %d", a.TypeId)
			b, err := tryExt(t, &pjrtc.FFITypeRegisterArgs{TypeName: text(t, name), TypeNameSize: uint64(len(name)), TypeInfo: pjrtc.To(place(t, &pjrtc.FFITypeInfo{}))})
			t.want(err != nil || b.TypeId == a.TypeId, "the ids are %d and %d", a.TypeId, b.TypeId)
		}},
		{"ffi.user-data", "an execution's context takes user data", func(t *probe) {
			name := "isthmus.check.data"
			id := doExt(t, &pjrtc.FFITypeRegisterArgs{TypeName: text(t, name), TypeNameSize: uint64(len(name)), TypeInfo: pjrtc.To(place(t, &pjrtc.FFITypeInfo{}))}).TypeId
			c := do(t, &pjrtc.ExecuteContextCreateArgs{}).Context
			t.after(func() { quiet(t, &pjrtc.ExecuteContextDestroyArgs{Context: c}) })
			doExt(t, &pjrtc.FFIUserDataAddArgs{Context: c, UserData: pjrtc.FFIUserData{TypeId: id, Data: t.host([]byte("data"))}})
		}},
		{"stream.external", "a device gives a stream, and a buffer is waited for on it", func(t *probe) {
			s := doExt(t, &pjrtc.GetStreamForExternalReadyEventsArgs{Device: t.device()}).Stream
			doExt(t, &pjrtc.WaitUntilBufferReadyOnStreamArgs{Stream: s, Buffer: t.put(vec(1))})
		}},
	}
	// Each function of an extension that is there refuses a struct of no size, where its struct has one.
	sized := map[string]bool{}
	for _, l := range pjrtc.Layouts {
		sized[l.Name] = len(l.Fields) > 0 && l.Fields[0].Name == "struct_size"
	}
	for _, e := range pjrtc.Extensions() {
		if len(e.Funcs) == 0 {
			continue
		}
		out = append(out, check{"extension." + strings.ReplaceAll(e.Name, "_", ""), "each function refuses an argument struct that is too short", func(t *probe) {
			i := slices.IndexFunc(t.chain, func(l pjrtc.Link) bool { return l.Type == e.Type })
			if i < 0 {
				t.lacks("no extension %s", e.Name)
			}
			var bad []string
			n := 0
			for _, f := range e.Funcs {
				fn := t.chain[i].Func(f.Offset)
				if fn == 0 || !sized[f.Args] || !f.Returns {
					continue
				}
				n++
				if !t.short(fn) {
					bad = append(bad, f.Name)
				}
			}
			t.want(len(bad) == 0, "a struct of 8 bytes is accepted by %s", strings.Join(bad, ", "))
			t.note("%d functions", n)
		}})
	}
	return out
}
