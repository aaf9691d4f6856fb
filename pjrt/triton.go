package pjrt

import (
	"math"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// TritonKernel is a kernel for [Plugin.CompileTriton].
type TritonKernel struct {
	Module              []byte // Triton IR, as MLIR
	Arch                string // the architecture, such as 9.0
	Warps, CTAs, Stages int    // how the kernel is spread; Triton's num_warps, num_ctas, num_stages
}

// TritonCode is a compiled kernel.
type TritonCode struct {
	Assembly     []byte // PTX, or what the platform has
	Path         string // the file with the binary, "" for none
	SharedMemory int64  // bytes of shared memory for each block
}

// CompileTriton compiles a kernel. Calls PJRT_Triton_Compile. Errors: [isthmus.ErrUnsupported] where the plugin has no
// Triton extension.
//
// The plugin gives its result away without a function that frees it, so each call leaves a copy of the assembly behind
// for the life of the process: Go's allocator and C's are not the plugin's.
func (p *Plugin) CompileTriton(k TritonKernel) (TritonCode, error) {
	const op = "compile triton"
	var out TritonCode
	if p == nil || p.table == nil {
		return out, invalid(op, "no plugin")
	}
	for _, n := range []int{k.Warps, k.CTAs, k.Stages} {
		if n < 0 || n > math.MaxInt32 {
			return out, invalid(op, "%d warps, %d blocks in a cluster, %d stages", k.Warps, k.CTAs, k.Stages)
		}
	}
	var pin mem.Pin
	defer pin.Unpin()
	err := askExt(p, op, func(f *call.Frame, a *pjrtc.TritonCompileArgs) (err error) {
		if a.Module, err = lendBytes(f, &pin, k.Module); err != nil {
			return err
		}
		a.ModuleSize = uint64(len(k.Module))
		a.ArchName, err = bytesOf(f, k.Arch)
		a.ArchNameSize = uint64(len(k.Arch))
		a.NumWarps, a.NumCtas, a.NumStages = int32(k.Warps), int32(k.CTAs), int32(k.Stages)
		return err
	}, func(a *pjrtc.TritonCompileArgs) (err error) {
		out.Assembly, err = mem.Copy(a.OutAsm, a.OutAsmSize, maxProgram)
		out.Path, out.SharedMemory = text(a.OutPath, a.OutPathSize), a.OutSmemBytes
		return err
	})
	return out, err
}
