package metal

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	gpu "github.com/isthmus-ffi/isthmus/internal/raw/metal"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// mpsKernel is a kernel object of Metal Performance Shaders.
type mpsKernel interface{ Close() error }

// make makes the kernel object of a configuration.
func (d *device) make(p *gpu.Pool, c config) (mpsKernel, error) {
	k, err := d.kernelOf(p, c)
	if s, ok := k.(interface {
		SetBatch(p *gpu.Pool, start, count int) error
	}); ok && c.count > 1 {
		if err := s.SetBatch(p, 0, c.count); err != nil {
			return nil, errors.Join(err, k.Close())
		}
	}
	return k, err
}

func (d *device) kernelOf(p *gpu.Pool, c config) (mpsKernel, error) {
	f, n := c.flags, c.sizes
	switch c.class {
	case multiplication:
		return made(d.native.NewMatMul(p, f[0], f[1], n[0], n[1], n[2], c.alpha, c.beta))
	case vectorMultiplication:
		return made(d.native.NewMatVec(p, f[0], n[0], n[1], c.alpha, c.beta))
	case softMax, logSoftMax:
		return made(d.native.NewSoftMax(p, c.class == logSoftMax, n[0], n[1]))
	case decompositionLU:
		return made(d.native.NewLU(p, n[0], n[1]))
	case decompositionCholesky:
		return made(d.native.NewCholesky(p, f[0], n[0]))
	case solveTriangular:
		return made(d.native.NewSolveTriangular(p, f[0], f[1], f[2], f[3], n[0], n[1], c.alpha))
	case solveLU:
		return made(d.native.NewSolveLU(p, f[0], n[0], n[1]))
	case solveCholesky:
		return made(d.native.NewSolveCholesky(p, f[0], n[0], n[1]))
	}
	return nil, fmt.Errorf("metal: class %d: %w", c.class, isthmus.ErrUnsupported)
}

// made keeps a nil pointer from becoming a kernel that is not nil.
func made[K mpsKernel](k K, err error) (mpsKernel, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

// encode appends one step to the command buffer.
func (r *run) encode(p *gpu.Pool, s step) error {
	if s, ok := s.(dispatch); ok {
		return r.dispatch(p, s)
	}
	if err := r.endEncoding(p); err != nil {
		return err
	}
	e := s.(encode)
	k, err := r.d.take(p, e.config)
	if err != nil {
		return err
	}
	if err := r.kernel(p, k, e); err != nil {
		return errors.Join(err, k.Close()) // nobody knows in what state it is
	}
	return r.d.give(k, e.config)
}

// kernel has a kernel object encode itself.
func (r *run) kernel(p *gpu.Pool, k mpsKernel, e encode) (err error) {
	var m []*gpu.Matrix
	var v []*gpu.Vector
	defer func() { // the command buffer retains their memory
		for _, m := range m {
			err = errors.Join(err, m.Close())
		}
		for _, v := range v {
			err = errors.Join(err, v.Close())
		}
	}()
	for _, o := range e.operands {
		switch o := o.(type) {
		case op.Matrix:
			x, err := r.matrix(p, o)
			if err != nil {
				return err
			}
			m = append(m, x)
		case op.Vector:
			x, err := r.vector(p, o)
			if err != nil {
				return err
			}
			v = append(v, x)
		}
	}
	var status *gpu.Buffer
	if e.status != nil {
		s, err := r.memory(p, e.status)
		if err != nil {
			return err
		}
		status = s.buffer
	}
	c := r.command
	switch k := k.(type) {
	case *gpu.MatMul:
		return k.Encode(p, c, m[0], m[1], m[2])
	case *gpu.MatVec:
		return k.Encode(p, c, m[0], v[0], v[1])
	case *gpu.SoftMax:
		return k.Encode(p, c, m[0], m[1])
	case *gpu.LU:
		return k.Encode(p, c, m[0], m[0], m[1], status)
	case *gpu.Cholesky:
		return k.Encode(p, c, m[0], m[0], status)
	case *gpu.SolveTriangular:
		return k.Encode(p, c, m[0], m[1], m[2])
	case *gpu.SolveLU:
		return k.Encode(p, c, m[0], m[1], m[2], m[3])
	case *gpu.SolveCholesky:
		return k.Encode(p, c, m[0], m[1], m[2])
	}
	return fmt.Errorf("metal: %T: %w", k, isthmus.ErrUnsupported)
}

// dispatch appends one of our kernels. Kernels that follow each other share an encoder, in which they run in order.
func (r *run) dispatch(p *gpu.Pool, s dispatch) error {
	pipeline := r.d.pipelines[s.kernel]
	if pipeline.err != nil {
		return pipeline.err
	}
	if r.encoder == nil {
		e, err := r.command.Encoder(p)
		if err != nil {
			return err
		}
		r.encoder = e
	}
	if err := r.encoder.SetPipeline(p, pipeline.state); err != nil {
		return err
	}
	if err := r.encoder.SetBytes(p, s.args, 0); err != nil {
		return err
	}
	for i, b := range s.buffers {
		m, err := r.memory(p, b)
		if err != nil {
			return err
		}
		if err := r.encoder.SetBuffer(p, m.buffer, 0, i+1); err != nil {
			return err
		}
	}
	return r.encoder.Dispatch(p, s.groups, s.threads)
}

// endEncoding ends and releases the encoder of our kernels, if there is one. One that cannot be ended must not be released: that is an
// assertion of Metal's, which ends the process.
func (r *run) endEncoding(p *gpu.Pool) error {
	e := r.encoder
	if e == nil {
		return nil
	}
	r.encoder = nil
	err := e.End(p)
	if err != nil {
		if again := e.End(p); again != nil {
			e.Abandon()
			return errors.Join(err, again)
		}
	}
	return errors.Join(err, e.Close())
}

// memory is the buffer of what an operand lies in; temporary memory is made when it is first needed.
func (r *run) memory(p *gpu.Pool, s op.Storage) (*storage, error) {
	switch s := s.(type) {
	case *storage:
		return s, nil
	case *temp:
		if b := r.temps[s]; b != nil {
			return b, nil
		}
		b, err := r.d.buffer(p, s.size)
		if err != nil {
			return nil, err
		}
		copy(b.bytes, s.data)
		r.temps[s] = b
		if s.status != nil {
			r.statuses = append(r.statuses, s)
		}
		return b, nil
	}
	return nil, fmt.Errorf("metal: memory of another device (%T): %w", s, isthmus.ErrInvalid)
}

// dataTypes are MPS's numbers of the element types that its kernels here take.
var dataTypes = map[dtype.Type]uint32{
	dtype.F32: gpu.MPSDataTypeFloat32, dtype.F16: gpu.MPSDataTypeFloat16, dtype.U32: gpu.MPSDataTypeUInt32,
}

// matrix is matrices as MPS sees it.
func (r *run) matrix(p *gpu.Pool, m op.Matrix) (*gpu.Matrix, error) {
	s, err := r.memory(p, m.Storage)
	if err != nil {
		return nil, err
	}
	apart := m.Rows * m.RowBytes
	if m.Count > 1 {
		apart = m.MatrixBytes
	}
	d, err := r.d.system.NewMatrixDescriptor(p, m.Rows, m.Columns, m.Count, m.RowBytes, apart, dataTypes[m.Type])
	if err != nil {
		return nil, err
	}
	x, err := r.d.system.NewMatrix(p, s.buffer, m.Offset, d)
	return x, errors.Join(err, closed(d))
}

// vector is vectors as MPS sees it.
func (r *run) vector(p *gpu.Pool, v op.Vector) (*gpu.Vector, error) {
	s, err := r.memory(p, v.Storage)
	if err != nil {
		return nil, err
	}
	d, err := r.d.system.NewVectorDescriptor(p, v.Length, v.Count, max(v.VectorBytes, v.Length*v.Type.Size()), dataTypes[v.Type])
	if err != nil {
		return nil, err
	}
	x, err := r.d.system.NewVector(p, s.buffer, v.Offset, d)
	return x, errors.Join(err, closed(d))
}
