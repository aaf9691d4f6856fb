package pjrtserve

import (
	"errors"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// executable is what PJRT_Executable and PJRT_LoadedExecutable have in common.
type executable struct {
	server  *Server
	b       Executable
	options []byte // CompileOptionsProto
	refs    atomic.Int64
}

// share counts another handle that leads to the executable.
func (x *executable) share() *executable {
	x.refs.Add(1)
	return x
}

// drop ends what share began. The last handle closes the executable.
func (x *executable) drop() {
	if x.refs.Add(-1) == 0 {
		x.b.Close()
	}
}

// described is a PJRT_Executable: a program without devices.
type described struct {
	heap heap
	*executable
}

func getExecutable(h pjrtc.Ptr[pjrtc.Executable]) (*described, error) {
	return get[*described](kindExecutable, h)
}

// bytesDeleter is the C function that frees what giveBytes made.
func bytesDeleter() (pjrtc.Func, error) {
	fn, err := cb.Static1(func(a mem.Addr) uintptr {
		if h, err := take[*heap](kindBytes, uintptr(a)); err == nil {
			h.free()
		}
		return 0
	}, func(error) uintptr { return 0 })
	return pjrtc.Func(fn), err
}

// giveBytes hands over memory that C gives back by calling a function.
func giveBytes[T any](h *heap) (pjrtc.Ptr[T], pjrtc.Func, error) {
	fn, err := world().bytesDeleter.get(bytesDeleter)
	if err != nil {
		h.free()
		return 0, 0, err
	}
	n, err := give[pjrtc.Ptr[T]](kindBytes, h)
	if err != nil {
		h.free()
	}
	return n, fn, err
}

// handOver copies b for C, which frees it with the deleter.
func handOver[T any](b []byte) (at pjrtc.Ptr[byte], n uint64, holder pjrtc.Ptr[T], deleter pjrtc.Func, err error) {
	h := &heap{}
	if at, n, err = h.bytes("bytes", b); err != nil {
		return 0, 0, 0, 0, err
	}
	holder, deleter, err = giveBytes[T](h)
	return at, n, holder, deleter, err
}

// typesOf are the element types as C names them.
func typesOf(types []Type) ([]pjrtc.BufferType, error) {
	out := make([]pjrtc.BufferType, len(types))
	for i, t := range types {
		c, err := toBufferType(t.DType)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func (s *shared) executableSlots() {
	on(s, func(_ *Server, a *pjrtc.ExecutableDestroyArgs) error {
		if a.Executable == 0 {
			return nil
		}
		x, err := take[*described](kindExecutable, a.Executable)
		if err != nil {
			return err
		}
		x.drop()
		x.heap.free()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableNameArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.ExecutableName, a.ExecutableNameSize, err = x.heap.text("name", x.b.Name())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableNumReplicasArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumReplicas = uint64(x.b.Replicas())
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableNumPartitionsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumPartitions = uint64(x.b.Partitions())
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableNumOutputsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumOutputs = uint64(len(x.b.Results()))
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.SizeInBytes = x.b.Stats().Code
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableGetCostAnalysisArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		l, err := once(&x.heap, "cost", func() (list[pjrtc.NamedValue], error) { return named(&x.heap, x.b.Stats().Properties) })
		a.Properties, a.NumProperties = l.at, l.n
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableOutputElementTypesArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		types, err := typesOf(x.b.Results())
		if err != nil {
			return err
		}
		a.OutputTypes, a.NumOutputTypes, err = array(&x.heap, "types", func() []pjrtc.BufferType { return types })
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableOutputDimensionsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		var dims []int64
		var ranks []uint64
		for i, t := range x.b.Results() {
			for _, d := range t.Dims {
				if d < 0 {
					return unimplemented("the dimensions of output %d are known only after an execution", i)
				}
			}
			dims, ranks = append(dims, t.Dims...), append(ranks, uint64(len(t.Dims)))
		}
		if a.Dims, _, err = array(&x.heap, "dims", func() []int64 { return dims }); err != nil {
			return err
		}
		a.DimSizes, a.NumOutputs, err = array(&x.heap, "ranks", func() []uint64 { return ranks })
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableOutputMemoryKindsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumOutputs = uint64(len(x.b.Results()))
		a.MemoryKinds, a.MemoryKindSizes, err = x.kinds("output", len(x.b.Results()))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableParameterMemoryKindsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumParameters = uint64(len(x.b.Params()))
		a.MemoryKinds, a.MemoryKindSizes, err = x.kinds("parameter", len(x.b.Params()))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableOptimizedProgramArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		return x.optimized(a)
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableSerializeArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.SerializedBytes, a.SerializedBytesSize, a.SerializedExecutable, a.SerializedExecutableDeleter, err = handOver[pjrtc.SerializedExecutable](x.serialize())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableGetCompileOptionsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.SerializedBytes, a.SerializedBytesSize, a.SerializedCompileOptions, a.SerializedCompileOptionsDeleter, err = handOver[pjrtc.SerializedCompileOptions](x.options)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableFingerprintArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.ExecutableFingerprint, a.ExecutableFingerprintSize, err = x.heap.text("fingerprint", x.b.Fingerprint())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableGetCompiledMemoryStatsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		m := x.b.Stats()
		a.GeneratedCodeSizeInBytes, a.ArgumentSizeInBytes, a.OutputSizeInBytes = m.Code, m.Arguments, m.Results
		a.AliasSizeInBytes, a.TempSizeInBytes = m.Aliased, m.Temporary
		a.HostGeneratedCodeSizeInBytes, a.HostArgumentSizeInBytes, a.HostOutputSizeInBytes = 0, 0, 0
		a.HostAliasSizeInBytes, a.HostTempSizeInBytes = 0, 0
		a.PeakMemoryInBytes = m.Arguments + m.Results - m.Aliased + m.Temporary
		a.TotalSizeInBytes = a.PeakMemoryInBytes + m.Code
		a.TotalAllocationBytes, a.IndefiniteAllocations, a.PeakUnpaddedHeapBytes = a.PeakMemoryInBytes, 0, a.PeakMemoryInBytes
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.CompileArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		// What compiles without a client belongs to none: a client that lives as long as the compilation makes it.
		b, err := t.server.backend.NewClient([]Value{{DeviceCount, int64(len(t.devices))}})
		if err != nil {
			return err
		}
		x, err := (&client{server: t.server, backend: b}).compile(a.Program, a.CompileOptions, a.CompileOptionsSize)
		if err = errors.Join(err, b.Close()); err != nil {
			return err
		}
		a.Executable, err = give[pjrtc.Ptr[pjrtc.Executable]](kindExecutable, &described{executable: x.share()})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientLoadArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		options := x.options
		if a.CompileOptionsSize > maxText {
			return invalid("compile options of %d bytes", a.CompileOptionsSize)
		}
		if a.CompileOptionsSize > 0 {
			if options, err = a.CompileOptions.Slice(a.CompileOptionsSize); err != nil {
				return err
			}
		}
		own, err := c.build(Program{"mlir", x.b.Code()}, options)
		if err != nil {
			return err
		}
		a.LoadedExecutable, err = c.load(own)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecutableDeserializeAndLoadArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		if a.SerializedExecutableSize > maxProgram || a.OverriddenSerializedCompileOptionsSize > maxText {
			return invalid("%d bytes with options of %d", a.SerializedExecutableSize, a.OverriddenSerializedCompileOptionsSize)
		}
		b, err := a.SerializedExecutable.Slice(a.SerializedExecutableSize)
		if err != nil {
			return err
		}
		override, err := a.OverriddenSerializedCompileOptions.Slice(a.OverriddenSerializedCompileOptionsSize)
		if err != nil {
			return err
		}
		x, err := c.deserialize(b, override)
		if err != nil {
			return err
		}
		a.LoadedExecutable, err = c.load(x)
		return err
	})
}

// kinds lists the default memory's kind n times.
func (x *described) kinds(name string, n int) (pjrtc.Ptr[pjrtc.Ptr[byte]], pjrtc.Ptr[uint64], error) {
	const kind = DefaultMemory
	at, size, err := x.heap.text("memory kind", kind)
	if err != nil {
		return 0, 0, err
	}
	names, _, err := array(&x.heap, name+" memory kinds", func() []pjrtc.Ptr[byte] {
		all := make([]pjrtc.Ptr[byte], n)
		for i := range all {
			all[i] = at
		}
		return all
	})
	if err != nil {
		return 0, 0, err
	}
	sizes, _, err := array(&x.heap, name+" memory kind sizes", func() []uint64 {
		all := make([]uint64, n)
		for i := range all {
			all[i] = size
		}
		return all
	})
	return names, sizes, err
}

// DefaultMemory is the kind of the memory that results are in.
const DefaultMemory = "device"

// optimized writes the program where the caller wants it: the first call, without memory, asks for the size.
func (x *described) optimized(a *pjrtc.ExecutableOptimizedProgramArgs) error {
	if a.Program == 0 {
		return invalid("no program to write to")
	}
	p, err := at(a.Program)
	if err != nil {
		return err
	}
	if p.StructSize < pjrtc.ProgramSize {
		return invalid("Unexpected PJRT_Program size: expected %d, got %d", pjrtc.ProgramSize, p.StructSize)
	}
	format, code := x.shown()

	if p.Format, p.FormatSize, err = x.heap.text("format", format); err != nil {
		return err
	}
	if p.Code == 0 {
		p.CodeSize = uint64(len(code))
		return nil
	}
	if p.CodeSize < uint64(len(code)) {
		return invalid("room for %d of %d bytes", p.CodeSize, len(code))
	}
	out, err := p.Code.Slice(uint64(len(code)))
	if err != nil {
		return err
	}
	copy(out, code)
	p.CodeSize = uint64(len(code))
	return nil
}
