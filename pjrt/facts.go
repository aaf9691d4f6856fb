package pjrt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// facts are what never changes about a compiled program. They are read once.
type facts struct {
	name        string
	fingerprint []byte
	codeSize    int64
	replicas    int
	partitions  int
	outputs     []Type     // DType is Invalid where the output is no plain array
	sig         *signature // nil where it is not known
}

// read asks the plugin. What it cannot tell stays unknown.
func (s *facts) read(p *Plugin, e pjrtc.Ptr[pjrtc.Executable], o CompileOptions) error {
	s.replicas, s.partitions, s.codeSize = 1, 1, -1
	optional := []error{
		ask(p, "executable name", func(_ *call.Frame, a *pjrtc.ExecutableNameArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNameArgs) error {
				s.name = text(a.ExecutableName, a.ExecutableNameSize)
				return nil
			}),
		ask(p, "number of replicas", func(_ *call.Frame, a *pjrtc.ExecutableNumReplicasArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNumReplicasArgs) error { s.replicas = int(a.NumReplicas); return nil }),
		ask(p, "number of partitions", func(_ *call.Frame, a *pjrtc.ExecutableNumPartitionsArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNumPartitionsArgs) error { s.partitions = int(a.NumPartitions); return nil }),
		ask(p, "size of the code", func(_ *call.Frame, a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) error {
			s.codeSize = a.SizeInBytes
			return nil
		}),
		ask(p, "fingerprint", func(_ *call.Frame, a *pjrtc.ExecutableFingerprintArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableFingerprintArgs) (err error) {
				s.fingerprint, err = mem.Copy(a.ExecutableFingerprint, a.ExecutableFingerprintSize, maxText)
				return err
			}),
	}
	for i := range optional {
		optional[i] = unlessUnsupported(optional[i])
	}
	err := errors.Join(optional...)
	n := uint64(0)
	err = errors.Join(err, ask(p, "number of outputs", func(_ *call.Frame, a *pjrtc.ExecutableNumOutputsArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableNumOutputsArgs) error { n = a.NumOutputs; return nil }))
	if err != nil {
		return err
	}
	if n > maxValues {
		return fmt.Errorf("pjrt: compile: the plugin says there are %d outputs: %w", n, isthmus.ErrBounds)
	}
	s.outputs = make([]Type, n)
	if err := s.readOutputs(p, e); err != nil {
		return err
	}
	if o.Params != nil {
		s.sig = &signature{params: o.Params, donated: o.Donated, donates: slices.Contains(o.Donated, true)}
		if s.sig.donated == nil {
			s.sig.donated = make([]bool, len(o.Params))
		}
		return nil
	}
	// A plugin that cannot show its program leaves the check of arguments to itself.
	s.sig, _ = p.signatureOf(e)
	return nil
}

// readOutputs reads the types of the outputs. All dimensions come in one array, in order.
func (s *facts) readOutputs(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
	const op = "output types"
	n := uint64(len(s.outputs))
	var types []pjrtc.BufferType
	err := ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableOutputElementTypesArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableOutputElementTypesArgs) (err error) {
			if a.NumOutputTypes != n {
				return fmt.Errorf("pjrt: %s: the plugin gives %d types for %d outputs: %w", op, a.NumOutputTypes, n, isthmus.ErrInvalid)
			}
			types, err = numbers(op, a.OutputTypes, n, maxValues)
			return err
		})
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableOutputDimensionsArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableOutputDimensionsArgs) error {
			if a.NumOutputs != n {
				return fmt.Errorf("pjrt: %s: the plugin gives dimensions of %d outputs, there are %d: %w", op, a.NumOutputs, n, isthmus.ErrInvalid)
			}
			ranks, err := numbers(op, a.DimSizes, n, maxValues)
			if err != nil {
				return err
			}
			total := uint64(0)
			for _, r := range ranks {
				if r > maxRank {
					return fmt.Errorf("pjrt: %s: the plugin says an output has rank %d: %w", op, r, isthmus.ErrBounds)
				}
				total += r
			}
			all, err := numbers(op, a.Dims, total, maxValues*maxRank)
			if err != nil {
				return err
			}
			for i, r := range ranks {
				if s.outputs[i].Dims, err = toDims(op, all[:r]); err != nil {
					return err
				}
				all = all[r:]
			}
			return nil
		})
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	for i := range types {
		s.outputs[i].DType = fromBufferType(types[i])
	}
	return err
}

// maxProgram bounds the optimised program that is read.
const maxProgram = 2 << 30

// signatureOf reads the parameters of a compiled program out of its optimised form.
func (p *Plugin) signatureOf(e pjrtc.Ptr[pjrtc.Executable]) (s *signature, err error) {
	err = p.optimized(e, func(format string, code []byte) (err error) {
		if format != "hlo" && format != "hlo_with_config" {
			return fmt.Errorf("pjrt: optimized program: format %q: %w", format, isthmus.ErrUnsupported)
		}
		s, err = readHLO(code, format == "hlo_with_config")
		return err
	})
	return s, err
}

// optimized lends f the optimised program. The plugin writes into memory of ours, of the size that it asked for.
func (p *Plugin) optimized(e pjrtc.Ptr[pjrtc.Executable], read func(format string, code []byte) error) error {
	const op = "optimized program"
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.ExecutableOptimizedProgramArgs](f)
	if err != nil {
		return err
	}
	prog, err := call.New[pjrtc.Program](f)
	if err != nil {
		return err
	}
	prog.SetSize()
	a.Executable, a.Program = e, pjrtc.To(prog)
	if err := do(p, f, op, a); err != nil {
		return err
	}
	size := prog.CodeSize
	if size == 0 || size > maxProgram {
		return fmt.Errorf("pjrt: %s: the plugin says it has %d bytes: %w", op, size, isthmus.ErrBounds)
	}
	block, err := mem.Alloc(int(size), 0)
	if err != nil {
		return err
	}
	prog.Code = pjrtc.ToSlice(block.Bytes())
	if err = do(p, f, op, a); err == nil {
		// The plugin may have written less than it asked for, never more than the block holds.
		err = read(text(prog.Format, prog.FormatSize), block.Bytes()[:min(size, prog.CodeSize)])
	}
	return errors.Join(err, block.Free())
}

func (s *facts) params() (params []Type, known bool) {
	if s.sig == nil {
		return nil, false
	}
	return append([]Type(nil), s.sig.params...), true
}

func (s *facts) donated() []bool {
	if s.sig == nil {
		return nil
	}
	return append([]bool(nil), s.sig.donated...)
}

// described is a compiled program, loaded or not: both have the same description.
type described interface {
	// with lends f the description, or says with op's name why not.
	with(op string, f func(*Plugin, pjrtc.Ptr[pjrtc.Executable]) error) error
}

func optimized(d described) (out Program, err error) {
	err = d.with("optimized program", func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return p.optimized(e, func(format string, code []byte) error {
			out = Program{Format: format, Code: bytes.Clone(code)}
			return nil
		})
	})
	return out, err
}

// sealed is what Serialize gives.
func sealed(d described) ([]byte, error) {
	b, err := serialize(d)
	if err != nil {
		return nil, err
	}
	return seal(b), nil
}

// serialize gives a compiled program as the plugin's own bytes.
func serialize(d described) (out []byte, err error) {
	const op = "serialize"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableSerializeArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableSerializeArgs) (err error) {
				out, err = takeBytes(op, a.SerializedBytes, a.SerializedBytesSize, a.SerializedExecutableDeleter, mem.Addr(a.SerializedExecutable))
				return err
			})
	})
	return out, err
}

func compileOptions(d described) (out []byte, err error) {
	const op = "compile options"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableGetCompileOptionsArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableGetCompileOptionsArgs) (err error) {
				out, err = takeBytes(op, a.SerializedBytes, a.SerializedBytesSize, a.SerializedCompileOptionsDeleter, mem.Addr(a.SerializedCompileOptions))
				return err
			})
	})
	return out, err
}

// takeBytes copies bytes that a plugin made and ends them with their own deleter, whatever copying gives.
func takeBytes(op string, data pjrtc.Ptr[byte], n uint64, deleter pjrtc.Func, owner mem.Addr) ([]byte, error) {
	if deleter != 0 && owner != 0 {
		defer call.Call1(call.Fn(deleter), owner)
	}
	b, err := mem.Copy(data, n, maxProgram)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return b, nil
}

// CompiledMemory is how much memory one execution of a program needs, in bytes. What an older plugin does not tell is
// -1.
type CompiledMemory struct {
	Code, Args, Outputs, Aliased, Temp                     int64 // on the device; Aliased is in Args and Outputs both
	HostCode, HostArgs, HostOutputs, HostAliased, HostTemp int64
	Peak                                                   int64 // at once
	Total, Allocated, Indefinite, PeakUnpadded             int64
}

func compiledMemory(d described) (m CompiledMemory, err error) {
	const op = "compiled memory"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableGetCompiledMemoryStatsArgs) error {
			a.Executable = e
			a.PeakMemoryInBytes, a.TotalSizeInBytes, a.TotalAllocationBytes, a.IndefiniteAllocations, a.PeakUnpaddedHeapBytes = -1, -1, -1, -1, -1
			return nil
		}, func(a *pjrtc.ExecutableGetCompiledMemoryStatsArgs) error {
			m = CompiledMemory{
				Code: a.GeneratedCodeSizeInBytes, Args: a.ArgumentSizeInBytes, Outputs: a.OutputSizeInBytes,
				Aliased: a.AliasSizeInBytes, Temp: a.TempSizeInBytes,
				HostCode: a.HostGeneratedCodeSizeInBytes, HostArgs: a.HostArgumentSizeInBytes, HostOutputs: a.HostOutputSizeInBytes,
				HostAliased: a.HostAliasSizeInBytes, HostTemp: a.HostTempSizeInBytes,
				Peak: a.PeakMemoryInBytes, Total: a.TotalSizeInBytes, Allocated: a.TotalAllocationBytes,
				Indefinite: a.IndefiniteAllocations, PeakUnpadded: a.PeakUnpaddedHeapBytes,
			}
			return nil
		})
	})
	return m, err
}

func costAnalysis(d described) (out []NamedValue, err error) {
	const op = "cost analysis"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableGetCostAnalysisArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableGetCostAnalysisArgs) (err error) {
				out, err = fromNative(op, a.Properties, a.NumProperties)
				return err
			})
	})
	return out, err
}

func outputMemories(d described) (out []string, err error) {
	const op = "memories of the outputs"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableOutputMemoryKindsArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableOutputMemoryKindsArgs) (err error) {
				out, err = texts(op, a.MemoryKinds, a.MemoryKindSizes, a.NumOutputs)
				return err
			})
	})
	return out, err
}

func paramMemories(d described) (out []string, err error) {
	const op = "memories of the parameters"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableParameterMemoryKindsArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableParameterMemoryKindsArgs) (err error) {
				out, err = texts(op, a.MemoryKinds, a.MemoryKindSizes, a.NumParameters)
				return err
			})
	})
	return out, err
}

// texts copies n texts that a plugin owns.
func texts(op string, p pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) ([]string, error) {
	starts, err := numbers(op, p, n, maxValues)
	if err != nil {
		return nil, err
	}
	lengths, err := numbers(op, sizes, n, maxValues)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(starts))
	for i := range out {
		out[i] = text(starts[i], lengths[i])
	}
	return out, nil
}
