package metal

import "github.com/isthmus-ffi/isthmus/internal/raw/objc"

// What an argument is made of: nil of nil.
func (v *Device) object() *objc.Object {
	return object(v, func(v *Device) *objc.Object { return &v.Object })
}

func (v *Queue) object() *objc.Object {
	return object(v, func(v *Queue) *objc.Object { return &v.Object })
}

func (v *Buffer) object() *objc.Object {
	return object(v, func(v *Buffer) *objc.Object { return &v.Object })
}

func (v *Library) object() *objc.Object {
	return object(v, func(v *Library) *objc.Object { return &v.Object })
}

func (v *Function) object() *objc.Object {
	return object(v, func(v *Function) *objc.Object { return &v.Object })
}

func (v *Pipeline) object() *objc.Object {
	return object(v, func(v *Pipeline) *objc.Object { return &v.Object })
}

func (v *CommandBuffer) object() *objc.Object {
	return object(v, func(v *CommandBuffer) *objc.Object { return &v.Object })
}

func (v *Encoder) object() *objc.Object {
	return object(v, func(v *Encoder) *objc.Object { return &v.Object })
}

func (v *MatrixDescriptor) object() *objc.Object {
	return object(v, func(v *MatrixDescriptor) *objc.Object { return &v.Object })
}

func (v *VectorDescriptor) object() *objc.Object {
	return object(v, func(v *VectorDescriptor) *objc.Object { return &v.Object })
}

func (v *Matrix) object() *objc.Object {
	return object(v, func(v *Matrix) *objc.Object { return &v.Object })
}

func (v *Vector) object() *objc.Object {
	return object(v, func(v *Vector) *objc.Object { return &v.Object })
}

func (v *MatMul) object() *objc.Object {
	return object(v, func(v *MatMul) *objc.Object { return &v.Object })
}

func (v *MatVec) object() *objc.Object {
	return object(v, func(v *MatVec) *objc.Object { return &v.Object })
}

func (v *SoftMax) object() *objc.Object {
	return object(v, func(v *SoftMax) *objc.Object { return &v.Object })
}

func (v *Neuron) object() *objc.Object {
	return object(v, func(v *Neuron) *objc.Object { return &v.Object })
}

func (v *Sum) object() *objc.Object { return object(v, func(v *Sum) *objc.Object { return &v.Object }) }

func (v *TopK) object() *objc.Object {
	return object(v, func(v *TopK) *objc.Object { return &v.Object })
}

func (v *Cholesky) object() *objc.Object {
	return object(v, func(v *Cholesky) *objc.Object { return &v.Object })
}

func (v *LU) object() *objc.Object { return object(v, func(v *LU) *objc.Object { return &v.Object }) }

func (v *SolveTriangular) object() *objc.Object {
	return object(v, func(v *SolveTriangular) *objc.Object { return &v.Object })
}

func (v *SolveLU) object() *objc.Object {
	return object(v, func(v *SolveLU) *objc.Object { return &v.Object })
}

func (v *SolveCholesky) object() *objc.Object {
	return object(v, func(v *SolveCholesky) *objc.Object { return &v.Object })
}

func (v *Copy) object() *objc.Object {
	return object(v, func(v *Copy) *objc.Object { return &v.Object })
}

func (v *CopyDescriptor) object() *objc.Object {
	return object(v, func(v *CopyDescriptor) *objc.Object { return &v.Object })
}

func (v *Random) object() *objc.Object {
	return object(v, func(v *Random) *objc.Object { return &v.Object })
}

func (v *Distribution) object() *objc.Object {
	return object(v, func(v *Distribution) *objc.Object { return &v.Object })
}
