package pjrt_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// extWorld is what the use of an extension may need.
type extWorld struct {
	t testing.TB
	p *pjrt.Plugin
	c *pjrt.Client
	x *pjrt.Executable
	b *pjrt.Buffer
	f *pjrtfake.Fake
}

// extCase is an extension on the fake, and a use of it that calls all of its functions and closes what it made.
type extCase struct {
	typ  pjrtc.ExtensionType
	fns  func() map[string]pjrtfake.Func
	use  func(extWorld) error
	void []string                                                // functions that return nothing
	ends []string                                                // functions that destroy: when they fail, the plugin keeps the object
	also map[pjrtc.ExtensionType]func() map[string]pjrtfake.Func // other extensions that the use needs
}

// bytesArgs are two of the plugin's byte strings.
func lists(f *pjrtfake.Fake, s ...string) (pjrtc.Ptr[pjrtc.Ptr[byte]], pjrtc.Ptr[uint64], uint64) {
	at, n := make([]pjrtc.Ptr[byte], len(s)), make([]uint64, len(s))
	for i := range s {
		at[i], n[i] = f.Text(s[i]), uint64(len(s[i]))
	}
	return pjrtfake.List(f, nil, at), pjrtfake.List(f, nil, n), uint64(len(s))
}

func hostText(p pjrtc.Ptr[byte], n uint64) string {
	b, err := p.Slice(n)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func refuse(format string, a ...any) *pjrtfake.Failure {
	return &pjrtfake.Failure{Code: pjrtc.ErrorCodeINVALIDARGUMENT, Msg: fmt.Sprintf(format, a...)}
}

func extCases() map[string]extCase {
	return map[string]extCase{
		"FFI":                 ffiCase(nil),
		"XlaTransform":        transformCase(),
		"Layouts":             layoutsCase(),
		"Shardings":           shardingsCase(),
		"PhaseCompile":        phaseCompileCase(),
		"Example":             exampleCase(),
		"ExecutableMetadata":  metadataCase(),
		"MemoryDescriptions":  memoryKindsCase(),
		"Triton":              tritonCase(),
		"Stream":              streamCase(),
		"Gpu_Custom_Call":     gpuCase(),
		"AbiVersion":          abiCase(),
		"Custom_Partitioner":  partitionerCase(nil),
		"Callback":            noticeCase(),
		"RawBuffer":           rawBufferCase(),
		"HostMemoryAllocator": hostMemoryCase(),
		"CrossHostTransfers":  crossHostCase(),
		"MultiSlice":          multiSliceCase(),
		"Megascale":           megascaleCase(),
		"Collectives":         collectivesCase(),
		"TpuExecutable":       tpuProgramCase(),
		"TpuTopology":         tpuTopologyCase(),
	}
}

func shardingsCase() extCase {
	maximal := "\x08\x01\x22\x01\x03" // type: MAXIMAL, devices: [3]
	return extCase{
		typ: pjrtc.ExtensionTypeShardings,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"PJRT_Shardings_PJRT_Executable_ParameterShardings": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ShardingsPJRTExecutableParameterShardingsArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "shardings", "description", a.Executable)
					a.Shardings, a.ShardingSizes, a.NumParameters = lists(f, maximal, "")
					return nil
				}),
				"PJRT_Shardings_PJRT_Executable_OutputShardings": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ShardingsPJRTExecutableOutputShardingsArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "shardings", "description", a.Executable)
					a.NumOutputs = 1 // and no list: the plugin does not tell
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			got, err := w.x.ParamShardings()
			if err == nil && fmt.Sprint(got) != "[{maximal device=3} {replicated}]" {
				err = fmt.Errorf("got %v", got)
			}
			if _, oerr := w.x.OutputShardings(); oerr == nil || !strings.Contains(oerr.Error(), "does not tell") {
				err = errors.Join(err, oerr)
			}
			return err
		},
	}
}

func phaseCompileCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypePhaseCompile,
		fns: func() map[string]pjrtfake.Func {
			given := map[pjrtc.Ptr[pjrtc.Ptr[byte]]]uint64{}
			return map[string]pjrtfake.Func{
				"phase_compile_get_compiler": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.PhaseCompileGetCompilerArgs) *pjrtfake.Failure {
					a.PhaseCompiler = pjrtfake.Make[pjrtc.PhaseCompiler](f, "phase compiler", nil, nil)
					return nil
				}),
				"phase_compile_destroy_compiler": pjrtfake.Void(pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.PhaseCompileDestroyCompilerArgs) *pjrtfake.Failure {
					pjrtfake.Destroy(f, "phase compiler", a.PhaseCompiler)
					return nil
				})),
				"phase_compile_get_phase_names": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.PhaseCompileGetPhaseNamesArgs) *pjrtfake.Failure {
					a.PhaseNames, a.PhaseNamesSizes, a.NumPhaseNames = lists(f, "first", "second")
					given[a.PhaseNames] = a.NumPhaseNames
					return nil
				}),
				"phase_compile_run_phases": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.PhaseCompileRunPhaseArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "run phases", "phase compiler", a.PhaseCompiler)
					pjrtfake.Get(f, "run phases", "topology", a.Topology)
					phases, _ := a.PhasesToRun.Slice(a.NumPhasesToRun)
					sizes, _ := a.PhasesToRunSizes.Slice(a.NumPhasesToRun)
					programs, _ := a.InputPrograms.Slice(a.NumInputPrograms)
					lens, _ := a.InputProgramsSizes.Slice(a.NumInputPrograms)
					out := []string{}
					for i := range programs {
						out = append(out, hostText(programs[i], lens[i])+"+"+hostText(phases[0], sizes[0]+1))
					}
					a.OutputPrograms, a.OutputProgramsSizes, a.NumOutputPrograms = lists(f, out...)
					given[a.OutputPrograms] = a.NumOutputPrograms
					return nil
				}),
				"phase_compile_c_buffers_destroy": pjrtfake.Void(pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.PhaseCompileCBuffersDestroyArgs) *pjrtfake.Failure {
					if n, ok := given[a.CharBuffers]; !ok || n != a.NumCharBuffers {
						f.Violate("buffers destroyed that were not given")
					}
					delete(given, a.CharBuffers)
					return nil
				})),
			}
		},
		void: []string{"phase_compile_destroy_compiler", "phase_compile_c_buffers_destroy"},
		use: func(w extWorld) error {
			c, err := w.p.NewPhaseCompiler()
			if err != nil {
				return err
			}
			defer c.Close()
			top, err := w.c.Topology()
			if err != nil {
				return err
			}
			var errs []error
			if got := c.Phases(); !slices.Equal(got, []string{"first", "second"}) {
				errs = append(errs, fmt.Errorf("phases %q", got))
			}
			out, err := c.Run(w.t.Context(), top, []string{"second"}, [][]byte{[]byte("a"), []byte("b\x00")}, pjrt.CompileOptions{})
			if err == nil && !cmp.Equal(out, [][]byte{[]byte("a+second\x00"), []byte("b\x00+second\x00")}) {
				err = fmt.Errorf("got %q", out)
			}
			if _, err := c.Run(w.t.Context(), top, nil, nil, pjrt.CompileOptions{}); !errors.Is(err, isthmus.ErrInvalid) {
				errs = append(errs, fmt.Errorf("no phases: %w", err))
			}
			return errors.Join(append(errs, err, c.Close(), c.Close())...)
		},
	}
}

func exampleCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeExample,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"create": pjrtfake.Plain(func(f *pjrtfake.Fake, a *pjrtc.ExampleExtensionCreateExampleExtensionCppArgs) *pjrtfake.Failure {
					a.ExtensionCpp = pjrtfake.Make[pjrtc.ExampleExtensionCpp](f, "example", nil, nil)
					return nil
				}),
				"destroy": pjrtfake.Plain(func(f *pjrtfake.Fake, a *pjrtc.ExampleExtensionCreateExampleExtensionCppArgs) *pjrtfake.Failure {
					pjrtfake.Destroy(f, "example", a.ExtensionCpp)
					return nil
				}),
				"example_method": pjrtfake.Plain(func(f *pjrtfake.Fake, a *pjrtc.ExampleExtensionExampleMethodArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "example", "example", a.ExtensionCpp)
					if a.Value != 42 {
						return refuse("value %d", a.Value)
					}
					return nil
				}),
			}
		},
		ends: []string{"destroy"},
		use: func(w extWorld) error {
			e, err := w.p.NewExampleExtension()
			if err != nil {
				return err
			}
			err = e.Call(42)
			return errors.Join(err, e.Close(), e.Close(), closed(e.Call(42)))
		},
	}
}

// closed is nil where err says that the object is closed.
func closed(err error) error {
	if errors.Is(err, isthmus.ErrClosed) {
		return nil
	}
	return fmt.Errorf("after Close: %w", errors.Join(err, errors.New("not ErrClosed")))
}

func metadataCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeExecutableMetadata,
		fns: func() map[string]pjrtfake.Func {
			given := map[pjrtc.Ptr[pjrtc.ExecutableMetadata]]bool{}
			return map[string]pjrtfake.Func{
				"get_executable_metadata": pjrtfake.Plain(func(f *pjrtfake.Fake, a *pjrtc.ExecutableMetadataGetExecutableMetadataArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "metadata", "description", a.Executable)
					a.Metadata = pjrtfake.List(f, nil, []pjrtc.ExecutableMetadata{{SerializedMetadata: f.Text("meta\x00data"), SerializedMetadataSize: 9}})
					given[a.Metadata] = true
					return nil
				}),
				"destroy_serialized_metadata": pjrtfake.Void(pjrtfake.Plain(func(f *pjrtfake.Fake, a *pjrtc.ExecutableMetadataDestroySerializedMetadataArgs) *pjrtfake.Failure {
					if !given[a.Metadata] {
						f.Violate("metadata destroyed that was not given")
					}
					delete(given, a.Metadata)
					return nil
				})),
			}
		},
		void: []string{"destroy_serialized_metadata"},
		use: func(w extWorld) error {
			got, err := w.x.Metadata()
			if err == nil && string(got) != "meta\x00data" {
				err = fmt.Errorf("got %q", got)
			}
			return err
		},
	}
}

func memoryKindsCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeMemoryDescriptions,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"PJRT_DeviceDescription_MemoryDescriptions": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.DeviceDescriptionMemoryDescriptionsArgs) *pjrtfake.Failure {
					d := pjrtfake.Get(f, "memory descriptions", "device", a.DeviceDescription)
					a.MemoryDescriptions = pjrtfake.List(f, nil, []pjrtc.Ptr[pjrtc.MemoryDescription]{
						pjrtfake.MakeOwned[pjrtc.MemoryDescription](f, "memory description", d, "hbm"), pjrtfake.MakeOwned[pjrtc.MemoryDescription](f, "memory description", d, "host"),
					})
					a.NumMemoryDescriptions, a.DefaultMemoryIndex = 2, 1
					return nil
				}),
				"PJRT_MemoryDescription_Kind": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MemoryDescriptionKindArgs) *pjrtfake.Failure {
					s := pjrtfake.Get(f, "memory kind", "memory description", a.MemoryDescription).Value().(string)
					a.Kind, a.KindSize, a.KindId = f.Text(s), uint64(len(s)), int32(len(s))
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			want := []pjrt.MemoryKind{{Name: "hbm", ID: 3}, {Name: "host", ID: 4, Default: true}}
			got, err := w.c.Device().MemoryKinds()
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("got %v", got)
			}
			top, terr := w.c.Topology()
			if terr != nil {
				return errors.Join(err, terr)
			}
			if _, err := top.MemoryKinds(9); !errors.Is(err, isthmus.ErrBounds) {
				return fmt.Errorf("device 9: %w", err)
			}
			got, terr = top.MemoryKinds(1)
			if terr == nil && !slices.Equal(got, want) {
				terr = fmt.Errorf("of the topology: %v", got)
			}
			return errors.Join(err, terr)
		},
	}
}

func tritonCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeTriton,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"compile": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TritonCompileArgs) *pjrtfake.Failure {
					s := fmt.Sprintf("%s for %s: %d %d %d", hostText(a.Module, a.ModuleSize), hostText(a.ArchName, a.ArchNameSize), a.NumWarps, a.NumCtas, a.NumStages)
					a.OutAsm, a.OutAsmSize, a.OutSmemBytes = f.Text(s), uint64(len(s)), 4096
					a.OutPath, a.OutPathSize = f.Text("p"), 1
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			got, err := w.p.CompileTriton(pjrt.TritonKernel{Module: []byte("tt"), Arch: "9.0", Warps: 4, CTAs: 1, Stages: 3})
			if err == nil && (string(got.Assembly) != "tt for 9.0: 4 1 3" || got.SharedMemory != 4096 || got.Path != "p") {
				err = fmt.Errorf("got %+v", got)
			}
			if _, err := w.p.CompileTriton(pjrt.TritonKernel{Warps: -1}); !errors.Is(err, isthmus.ErrInvalid) {
				return fmt.Errorf("-1 warps: %w", err)
			}
			return err
		},
	}
}

func streamCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeStream,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"get_stream": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.GetStreamForExternalReadyEventsArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "stream", "device", a.Device)
					a.Stream = -77
					return nil
				}),
				"wait_stream": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.WaitUntilBufferReadyOnStreamArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "wait", "buffer", a.Buffer)
					if a.Stream != -77 {
						return refuse("stream %d", a.Stream)
					}
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			s, err := w.c.Device().Stream()
			if err != nil {
				return err
			}
			var busy error
			if err := w.c.Close(); !errors.Is(err, isthmus.ErrBusy) || !strings.Contains(err.Error(), "pjrt.Stream") {
				busy = fmt.Errorf("the client closed under its stream: %w", err)
			}
			if err := s.Wait(&pjrt.Buffer{}); !errors.Is(err, isthmus.ErrClosed) {
				busy = errors.Join(busy, fmt.Errorf("a closed buffer: %w", err))
			}
			err = s.Wait(w.b)
			return errors.Join(err, busy, s.Close(), s.Close(), closed(s.Wait(w.b)))
		},
	}
}

func gpuCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeGpuCustomCall,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"custom_call": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.GpuRegisterCustomCallArgs) *pjrtfake.Failure {
					if name := hostText(a.FunctionName, a.FunctionNameSize); name != "native" || a.ApiVersion != 1 || a.HandlerExecute == 0 || a.HandlerPrepare != 0 {
						return refuse("%q, version %d, %#x", name, a.ApiVersion, a.HandlerExecute)
					}
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			if err := w.p.RegisterNativeHandler("native", "CUDA", pjrt.NativeHandler{}); !errors.Is(err, isthmus.ErrInvalid) {
				return fmt.Errorf("no function: %w", err)
			}
			if runtime.GOOS != "linux" {
				return errors.New("the test needs a C library")
			}
			lib, err := ffi.OpenLibrary("libc.so.6")
			if err != nil {
				return err
			}
			fn, err := lib.Symbol("abort")
			if err != nil {
				return err
			}
			return w.p.RegisterNativeHandler("native", "CUDA", pjrt.NativeHandler{Execute: fn})
		},
	}
}

func abiCase() extCase {
	const kind, xkind = "runtime abi", "executable abi"
	return extCase{
		typ: pjrtc.ExtensionTypeAbiVersion,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"client_runtime_abi_version": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ClientRuntimeAbiVersionArgs) *pjrtfake.Failure {
					a.AbiVersion = pjrtfake.Make[pjrtc.RuntimeAbiVersion](f, kind, pjrtfake.Get(f, kind, "client", a.Client), "r")
					return nil
				}),
				"executable_get_abi_version": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ExecutableGetAbiVersionArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, xkind, "description", a.Executable)
					a.AbiVersion = pjrtfake.Make[pjrtc.ExecutableAbiVersion](f, xkind, nil, "x")
					return nil
				}),
				"runtime_abi_version_destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionDestroyArgs) *pjrtfake.Failure {
					pjrtfake.Destroy(f, kind, a.AbiVersion)
					return nil
				}),
				"executable_abi_version_destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ExecutableAbiVersionDestroyArgs) *pjrtfake.Failure {
					pjrtfake.Destroy(f, xkind, a.AbiVersion)
					return nil
				}),
				"runtime_abi_version_is_compatible_with_runtime": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionIsCompatibleWithRuntimeArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, kind, kind, a.AbiVersion)
					pjrtfake.Get(f, kind, kind, a.OtherAbiVersion)
					return nil
				}),
				"runtime_abi_version_is_compatible_with_executable": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionIsCompatibleWithExecutableArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, kind, kind, a.AbiVersion)
					pjrtfake.Get(f, kind, xkind, a.ExecutableAbiVersion)
					return nil
				}),
				"runtime_abi_version_to_proto": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionToProtoArgs) *pjrtfake.Failure {
					a.SerializedProtoHolder, a.SerializedProto, a.SerializedProtoSize = pjrtfake.Bytes[pjrtc.SerializedProto](f, "proto", pjrtfake.Get(f, kind, kind, a.AbiVersion).Value().(string))
					a.SerializedProtoDeleter = f.Deleter("proto")
					return nil
				}),
				"executable_abi_version_to_proto": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ExecutableAbiVersionToProtoArgs) *pjrtfake.Failure {
					a.SerializedProtoHolder, a.SerializedProto, a.SerializedProtoSize = pjrtfake.Bytes[pjrtc.SerializedProto](f, "proto", pjrtfake.Get(f, kind, xkind, a.AbiVersion).Value().(string))
					a.SerializedProtoDeleter = f.Deleter("proto")
					return nil
				}),
				"runtime_abi_version_platform_id": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionPlatformIdArgs) *pjrtfake.Failure {
					a.PlatformId = 1 << 63
					return nil
				}),
				"executable_abi_version_platform_id": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ExecutableAbiVersionPlatformIdArgs) *pjrtfake.Failure {
					a.PlatformId = 7
					return nil
				}),
				"runtime_abi_version_from_proto": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RuntimeAbiVersionFromProtoArgs) *pjrtfake.Failure {
					a.AbiVersion = pjrtfake.Make[pjrtc.RuntimeAbiVersion](f, kind, nil, hostText(a.SerializedProto, a.SerializedProtoSize))
					return nil
				}),
				"executable_abi_version_from_proto": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ExecutableAbiVersionFromProtoArgs) *pjrtfake.Failure {
					a.AbiVersion = pjrtfake.Make[pjrtc.ExecutableAbiVersion](f, xkind, nil, hostText(a.SerializedProto, a.SerializedProtoSize))
					return nil
				}),
			}
		},
		ends: []string{"runtime_abi_version_destroy", "executable_abi_version_destroy"},
		use: func(w extWorld) error {
			r, err := w.c.RuntimeABI()
			if err != nil {
				return err
			}
			defer r.Close()
			var errs []error
			errs = append(errs, busy(w.c.Close(), "pjrt.RuntimeABI"))
			rb, err := r.Serialize()
			errs = append(errs, err)
			r2, err := w.p.DeserializeRuntimeABI(rb)
			if err == nil {
				defer r2.Close()
				again, aerr := r2.Serialize()
				if !bytes.Equal(again, rb) {
					errs = append(errs, fmt.Errorf("%q became %q", rb, again))
				}
				errs = append(errs, aerr, r.CompatibleWith(r2))
			}
			errs = append(errs, err)
			if id, err := r.PlatformID(); err != nil || id != 1<<63 {
				errs = append(errs, fmt.Errorf("platform %d: %w", id, err))
			}
			x, err := w.x.ABI()
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			defer x.Close()
			errs = append(errs, busy(w.x.Close(), "pjrt.ExecutableABI"))
			xb, err := x.Serialize()
			errs = append(errs, err, r.CanLoad(x))
			x2, err := w.p.DeserializeExecutableABI(xb)
			if err == nil {
				id, perr := x2.PlatformID()
				if perr == nil && id != 7 {
					perr = fmt.Errorf("platform %d", id)
				}
				errs = append(errs, perr, x2.Close(), x2.Close())
			}
			errs = append(errs, err, x.Close(), closed(r.CanLoad(x)), r2.Close(), r.Close())
			return errors.Join(errs...)
		},
	}
}

// extFake makes a fake with one extension, and a world to use it in, which ends with the books unless keep is set.
func extFake(t testing.TB, c extCase, without string, fail string) (extWorld, func()) {
	t.Helper()
	f := pjrtfake.New()
	f.Programs = programs()
	if without != "*" {
		fns := c.fns()
		delete(fns, without)
		f.Extend(c.typ, fns)
	}
	for typ, fns := range c.also {
		f.Extend(typ, fns())
	}
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	w := extWorld{t: t, f: f}
	if w.p, err = pjrt.FromTable("fake", table); err != nil {
		t.Fatal(err)
	}
	if w.c, err = w.p.NewClient(t.Context(), pjrt.ClientOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.x, err = w.c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.b, err = pjrt.Put(t.Context(), w.c.Device(), []float32{1}, 1); err != nil {
		t.Fatal(err)
	}
	if fail != "" {
		f.FailAt(pjrtfake.Point(c.typ, fail), &pjrtfake.Failure{Code: pjrtc.ErrorCodeDATALOSS, Msg: "as the test asked"})
	}
	return w, func() {
		t.Helper()
		if err := errors.Join(w.b.Close(), w.x.Close(), pjrt.EndNoData(w.p)); err != nil {
			t.Error(err)
		}
		closeClient(t, w.c)
		if slices.Contains(c.ends, fail) {
			f.Close() // the plugin kept what it refused to destroy
			return
		}
		books(t, f)
	}
}

// Each extension works; without it, or without any of its functions, what needs them is an error that names what is
// missing; and the failure of any function is the caller's error. Nothing is left behind.
func TestP14P27P31P33P37Extensions(t *testing.T) {
	for name, c := range extCases() {
		t.Run(name, func(t *testing.T) {
			w, end := extFake(t, c, "", "")
			if err := c.use(w); err != nil {
				t.Error(err)
			}
			for fn := range c.fns() {
				if n := w.f.Calls(pjrtfake.Point(c.typ, fn)); n == 0 {
					t.Errorf("%s was never called", fn)
				}
			}
			end()
			w, end = extFake(t, c, "*", "")
			if err := c.use(w); !errors.Is(err, isthmus.ErrUnsupported) || !strings.Contains(err.Error(), strings.TrimPrefix(name, "Gpu_")) && name != "Gpu_Custom_Call" {
				t.Errorf("without the extension: %v", err)
			}
			end()
			for fn := range c.fns() {
				w, end := extFake(t, c, fn, "")
				if err := c.use(w); !errors.Is(err, isthmus.ErrUnsupported) || err != nil && !strings.Contains(err.Error(), fn) {
					t.Errorf("without %s: %v", fn, err)
				}
				end()
				if slices.Contains(c.void, fn) {
					continue
				}
				w, end = extFake(t, c, "", fn)
				if err := c.use(w); !errors.Is(err, pjrt.DataLoss) || !strings.Contains(err.Error(), "as the test asked") {
					t.Errorf("with a failing %s: %v", fn, err)
				}
				end()
			}
		})
	}
}
