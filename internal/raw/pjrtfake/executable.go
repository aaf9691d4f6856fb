package pjrtfake

import (
	"encoding/binary"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Program is what Compile makes of code that is its name.
type Program struct {
	Params  []Type
	Outputs []Type
	Donated []int
	// Optimized is what the plugin shows of the compiled program; "" for nothing.
	Optimized string
	Run       func(args [][]byte) [][]byte // nil makes zeroed outputs
	// OutputKinds and ParamKinds are kinds of memory; nil is the first of each device.
	OutputKinds, ParamKinds []string
	// Cost is what the cost analysis says; nil is flops=1.
	Cost []Value
	// Sends are the chunks that the program sends to the host, by channel.
	Sends map[int64][][]byte
	// Recvs are the bytes that it takes from the host, by channel.
	Recvs map[int64]int
	// Received gets what came from the host; its results replace Run's.
	Received func(args [][]byte, in map[int64][]byte) [][]byte
	// Shows are values that the program shows the host while it runs.
	Shows []Show
}

// Show is a value for an output callback.
type Show struct {
	Callback int64
	Operand  int64
	Type     Type
	Data     []byte
}

// executableMark begins a serialized executable.
const executableMark = "fake executable\x00"

var executableSlots = []entry{
	on(func(f *Fake, a *pjrtc.ExecutableDestroyArgs) *Failure {
		destroy(f, "description", a.Executable)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ExecutableNameArgs) *Failure {
		if x := get(f, "name", "description", a.Executable); x != nil {
			a.ExecutableName, a.ExecutableNameSize = f.Text(x.name), uint64(len(x.name))
		}
		return nil
	}),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableNumReplicasArgs) *Failure {
		a.NumReplicas = uint64(x.replicas)
		return nil
	}, func(a *pjrtc.ExecutableNumReplicasArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableNumPartitionsArgs) *Failure {
		a.NumPartitions = uint64(x.partitions)
		return nil
	}, func(a *pjrtc.ExecutableNumPartitionsArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableNumOutputsArgs) *Failure {
		a.NumOutputs = uint64(len(x.prog.Outputs))
		return nil
	}, func(a *pjrtc.ExecutableNumOutputsArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) *Failure {
		a.SizeInBytes = int64(len(x.name))
		return nil
	}, func(a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) pjrtc.Ptr[pjrtc.Executable] {
		return a.Executable
	}),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableGetCostAnalysisArgs) *Failure {
		cost := x.prog.Cost
		if cost == nil {
			cost = []Value{{"flops", float32(1)}}
		}
		a.Properties, a.NumProperties = f.values(x, cost), uint64(len(cost))
		return nil
	}, func(a *pjrtc.ExecutableGetCostAnalysisArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableGetCompiledMemoryStatsArgs) *Failure {
		for _, p := range x.prog.Params {
			a.ArgumentSizeInBytes += int64(p.size())
		}
		for _, p := range x.prog.Outputs {
			a.OutputSizeInBytes += int64(p.size())
		}
		a.GeneratedCodeSizeInBytes = int64(len(x.name))
		a.TotalSizeInBytes = a.ArgumentSizeInBytes + a.OutputSizeInBytes
		a.PeakMemoryInBytes = a.TotalSizeInBytes
		return nil
	}, func(a *pjrtc.ExecutableGetCompiledMemoryStatsArgs) pjrtc.Ptr[pjrtc.Executable] {
		return a.Executable
	}),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableOutputElementTypesArgs) *Failure {
		var types []pjrtc.BufferType
		for _, o := range x.prog.Outputs {
			types = append(types, o.Type)
		}
		a.OutputTypes, a.NumOutputTypes = List(f, x, types), uint64(len(types))
		return nil
	}, func(a *pjrtc.ExecutableOutputElementTypesArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableOutputDimensionsArgs) *Failure {
		var dims []int64
		var sizes []uint64
		for _, o := range x.prog.Outputs {
			dims, sizes = append(dims, o.Dims...), append(sizes, uint64(len(o.Dims)))
		}
		a.NumOutputs, a.Dims, a.DimSizes = uint64(len(sizes)), List(f, x, dims), List(f, x, sizes)
		return nil
	}, func(a *pjrtc.ExecutableOutputDimensionsArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableOutputMemoryKindsArgs) *Failure {
		a.NumOutputs = uint64(len(x.prog.Outputs))
		a.MemoryKinds, a.MemoryKindSizes = f.kinds(x, x.prog.OutputKinds, len(x.prog.Outputs))
		return nil
	}, func(a *pjrtc.ExecutableOutputMemoryKindsArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableParameterMemoryKindsArgs) *Failure {
		a.NumParameters = uint64(len(x.prog.Params))
		a.MemoryKinds, a.MemoryKindSizes = f.kinds(x, x.prog.ParamKinds, len(x.prog.Params))
		return nil
	}, func(a *pjrtc.ExecutableParameterMemoryKindsArgs) pjrtc.Ptr[pjrtc.Executable] {
		return a.Executable
	}),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableOptimizedProgramArgs) *Failure {
		if a.Program == 0 {
			return bad
		}
		if x.prog.Optimized == "" {
			return failed(pjrtc.ErrorCodeUNIMPLEMENTED, "no optimized program")
		}
		p := a.Program.At()
		p.Format, p.FormatSize = f.Text("text"), 4
		if p.Code != 0 {
			if p.CodeSize < uint64(len(x.prog.Optimized)) {
				f.violate("the buffer for the program has %d bytes", p.CodeSize)
				return bad
			}
			copy(array(p.Code, p.CodeSize), x.prog.Optimized)
		}
		p.CodeSize = uint64(len(x.prog.Optimized))
		return nil
	}, func(a *pjrtc.ExecutableOptimizedProgramArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableFingerprintArgs) *Failure {
		a.ExecutableFingerprint, a.ExecutableFingerprintSize = f.say("fingerprint of %s", x.name)
		return nil
	}, func(a *pjrtc.ExecutableFingerprintArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableSerializeArgs) *Failure {
		o, p, n := f.bytesObject("serialized executable", executableMark+x.name+"\x00"+x.options)
		a.SerializedBytes, a.SerializedBytesSize = p, n
		a.SerializedExecutable, a.SerializedExecutableDeleter = pjrtc.Ptr[pjrtc.SerializedExecutable](o), f.Deleter("serialized executable")
		return nil
	}, func(a *pjrtc.ExecutableSerializeArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	described(func(f *Fake, x *object, a *pjrtc.ExecutableGetCompileOptionsArgs) *Failure {
		o, p, n := f.bytesObject("serialized options", x.options)
		a.SerializedBytes, a.SerializedBytesSize = p, n
		a.SerializedCompileOptions, a.SerializedCompileOptionsDeleter = pjrtc.Ptr[pjrtc.SerializedCompileOptions](o), f.Deleter("serialized options")
		return nil
	}, func(a *pjrtc.ExecutableGetCompileOptionsArgs) pjrtc.Ptr[pjrtc.Executable] { return a.Executable }),
	on(func(f *Fake, a *pjrtc.ExecutableDeserializeAndLoadArgs) *Failure {
		c := get(f, "deserialize", "client", a.Client)
		rest, ok := strings.CutPrefix(str(a.SerializedExecutable, a.SerializedExecutableSize), executableMark)
		name, options, ok2 := strings.Cut(rest, "\x00")
		if c == nil || !ok || !ok2 || f.Programs[name] == nil {
			return invalid("not an executable of this plugin")
		}
		if a.OverriddenSerializedCompileOptions != 0 {
			options = str(a.OverriddenSerializedCompileOptions, a.OverriddenSerializedCompileOptionsSize)
		}
		if a.LoadOptions != 0 && a.LoadOptions.At().StructSize != pjrtc.LoadOptionsSize {
			f.violate("load options of %d bytes", a.LoadOptions.At().StructSize)
		}
		x, err := f.load(c, f.Programs[name], name, options)
		if err == nil {
			a.LoadedExecutable = pjrtc.Ptr[pjrtc.LoadedExecutable](x.handle)
		}
		return err
	}),
}

// described is a function that looks at an executable that need not be loaded.
func described[A any, P interface {
	*A
	pjrtc.Args
}](serve func(f *Fake, x *object, a P) *Failure, of func(P) pjrtc.Ptr[pjrtc.Executable]) entry {
	return on(func(f *Fake, a P) *Failure {
		x := get(f, a.Slot().String(), "description", of(a))
		if x == nil {
			return bad
		}
		return serve(f, x, a)
	})
}

func (f *Fake) kinds(o *object, kinds []string, n int) (pjrtc.Ptr[pjrtc.Ptr[byte]], pjrtc.Ptr[uint64]) {
	texts, sizes := make([]pjrtc.Ptr[byte], n), make([]uint64, n)
	for i := range n {
		kind := memoryKinds[0]
		if i < len(kinds) {
			kind = kinds[i]
		}
		texts[i], sizes[i] = f.say("%s", kind)
	}
	return List(f, o, texts), List(f, o, sizes)
}

// program finds the program that code names.
func (f *Fake) program(p pjrtc.Ptr[pjrtc.Program]) (*Program, string, *Failure) {
	if p == 0 {
		return nil, "", bad
	}
	if n := p.At().StructSize; n != pjrtc.ProgramSize {
		f.violate("compile: a program of %d bytes", n)
	}
	name := str(p.At().Code, p.At().CodeSize)
	if prog := f.Programs[name]; prog != nil {
		return prog, name, nil
	}
	return nil, "", invalid("no program " + name)
}

// load makes a loaded executable.
func (f *Fake) load(c *object, prog *Program, name, options string) (*object, *Failure) {
	replicas, partitions, ids := assignment(options)
	x := &object{kind: "executable", parent: c, prog: prog, name: name, options: options, replicas: replicas, partitions: partitions}
	if ids == nil {
		for i := range replicas * partitions {
			ids = append(ids, i)
		}
	}
	for _, id := range ids {
		d := f.deviceOf(c, id)
		if d == nil {
			return nil, invalid("no such device")
		}
		x.devices = append(x.devices, d)
	}
	if len(x.devices) != replicas*partitions {
		return nil, invalid("the assignment does not fit")
	}
	return f.make(x), nil
}

// fields calls fn for each field of a protocol buffer.
func fields(b string, fn func(id int, v uint64, in string)) {
	for p := []byte(b); len(p) > 0; {
		key, n := binary.Uvarint(p)
		if n <= 0 {
			return
		}
		p = p[n:]
		switch key & 7 {
		case 0:
			v, n := binary.Uvarint(p)
			if n <= 0 {
				return
			}
			p = p[n:]
			fn(int(key>>3), v, "")
		case 1:
			p = p[min(8, len(p)):]
		case 2:
			v, n := binary.Uvarint(p)
			if n <= 0 || v > uint64(len(p)-n) {
				return
			}
			fn(int(key>>3), 0, string(p[n:n+int(v)]))
			p = p[n+int(v):]
		case 5:
			p = p[min(4, len(p)):]
		default:
			return
		}
	}
}

// assignment reads CompileOptionsProto: how many replicas and partitions, and the ids of their devices, those of the
// first replica first; nil for no assignment.
func assignment(options string) (replicas, partitions int, ids []int) {
	replicas, partitions = 1, 1
	fields(options, func(id int, _ uint64, build string) {
		if id != 3 {
			return
		}
		fields(build, func(id int, v uint64, in string) {
			switch id {
			case 4:
				replicas = int(v)
			case 5:
				partitions = int(v)
			case 9:
				ids = make([]int, 0, 1)
				partition := 0
				fields(in, func(id int, _ uint64, computation string) {
					if id != 3 {
						return
					}
					fields(computation, func(id int, v uint64, packed string) {
						add := func(v uint64) {
							ids = append(ids, int(v))
						}
						if id == 1 && packed == "" {
							add(v)
						}
						for p := []byte(packed); id == 1 && len(p) > 0; {
							v, n := binary.Uvarint(p)
							if n <= 0 {
								return
							}
							add(v)
							p = p[n:]
						}
					})
					partition++
				})
				// They come partition by partition.
				if partition > 1 && len(ids)%partition == 0 {
					by, n := make([]int, len(ids)), len(ids)/partition
					for i, v := range ids {
						by[i%n*partition+i/n] = v
					}
					ids = by
				}
			}
		})
	})
	return max(replicas, 1), max(partitions, 1), ids
}
