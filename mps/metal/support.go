package metal

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// way is how a kind of operation is done: by a class of Metal Performance Shaders, by a kernel of ours, or by whichever is there.
type way struct {
	class  class // classes: none
	kernel string
	types  []dtype.Type
}

var (
	floats   = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}
	factors  = []dtype.Type{dtype.F32, dtype.U32}
	integers = []dtype.Type{dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64}
	numbers  = slices.Concat(floats, integers)
	products = append(slices.Clip(floats), dtype.I8, dtype.I16)
)

var ways = [op.Kinds]way{
	op.KindMatMul:          {multiplication, "gemm", products},
	op.KindMatVec:          {vectorMultiplication, "gemm", products},
	op.KindSoftmax:         {softMax, "softmax", floats},
	op.KindLogSoftmax:      {logSoftMax, "softmax", floats},
	op.KindRMSNorm:         {classes, "rms_norm", floats},
	op.KindLayerNorm:       {classes, "layer_norm", floats},
	op.KindNeuron:          {classes, "neuron", floats},
	op.KindRoPE:            {classes, "rope", floats},
	op.KindAttention:       {classes, "attention", floats},
	op.KindSum:             {classes, "sum", numbers},
	op.KindTopK:            {classes, "top_k", append(slices.Clip(floats), dtype.U32)},
	op.KindCholesky:        {decompositionCholesky, "copy", factors},
	op.KindLU:              {decompositionLU, "copy", factors},
	op.KindSolveTriangular: {solveTriangular, "copy", factors},
	op.KindSolveCholesky:   {solveCholesky, "copy", factors},
	op.KindSolveLU:         {solveLU, "copy", factors},
	op.KindCopy:            {classes, "copy", numbers},
	op.KindRandom:          {classes, "philox", numbers},
}

// Supports says why the device cannot do an operation: the element type, a class or method that this system lacks or has otherwise
// than the facts say, or a kernel that its compiler refused.
func (d *device) Supports(k op.Kind, t dtype.Type) error {
	if int(k) >= op.Kinds {
		return fmt.Errorf("metal: %v: %w", k, isthmus.ErrUnsupported)
	}
	w := ways[k]
	if !slices.Contains(w.types, t) {
		return fmt.Errorf("metal: %v of %v: Metal has %v; use mps/cpu: %w", k, t, w.types, isthmus.ErrUnsupported)
	}
	kernel := d.pipelines[w.kernel].err
	if w.class == classes {
		return kernel
	}
	native := d.system.Supports(w.class.String())
	_, must := needs[k]
	switch {
	case must:
		if native != nil {
			return fmt.Errorf("metal: %v: %w", k, native)
		}
		return kernel
	case native != nil && kernel != nil:
		return fmt.Errorf("metal: %v: %w; and %w", k, native, kernel)
	case t != dtype.F32 && t != dtype.F16:
		return kernel
	}
	return nil
}
