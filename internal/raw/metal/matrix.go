package metal

import "github.com/isthmus-ffi/isthmus/internal/raw/objc"

// MatrixDescriptor is a MPSMatrixDescriptor.
type MatrixDescriptor struct{ objc.Object }

// VectorDescriptor is a MPSVectorDescriptor.
type VectorDescriptor struct{ objc.Object }

// Matrix is a MPSMatrix: a buffer seen as matrices. It retains the buffer.
type Matrix struct{ objc.Object }

// Vector is a MPSVector: a buffer seen as vectors. It retains the buffer.
type Vector struct{ objc.Object }

// NewMatrixDescriptor describes count matrices of rows x columns elements of a MPSDataType, rows rowBytes apart, matrices matrixBytes.
func (s *System) NewMatrixDescriptor(p *Pool, rows, columns, count, rowBytes, matrixBytes int, dataType uint32) (*MatrixDescriptor, error) {
	d := &MatrixDescriptor{}
	return result(d, s.ask(p, &d.Object, "MPSMatrixDescriptor", rowMPSMatrixDescriptorMatrixDescriptorWithRowsColumnsMatricesRowBytesMatrixBytesDataType,
		objc.Uint(rows), objc.Uint(columns), objc.Uint(count), objc.Uint(rowBytes), objc.Uint(matrixBytes), objc.U32(dataType)))
}

// NewVectorDescriptor describes count vectors of length elements of a MPSDataType, vectorBytes apart.
func (s *System) NewVectorDescriptor(p *Pool, length, count, vectorBytes int, dataType uint32) (*VectorDescriptor, error) {
	d := &VectorDescriptor{}
	return result(d, s.ask(p, &d.Object, "MPSVectorDescriptor", rowMPSVectorDescriptorVectorDescriptorWithLengthVectorsVectorBytesDataType,
		objc.Uint(length), objc.Uint(count), objc.Uint(vectorBytes), objc.U32(dataType)))
}

// RowBytes is the distance of rows that MPS works fastest with: advice.
func (s *System) RowBytes(p *Pool, columns int, dataType uint32) (int, error) {
	c, err := s.class("MPSMatrixDescriptor")
	if err != nil {
		return 0, err
	}
	return length(p.ClassUint(c, rowMPSMatrixDescriptorRowBytesForColumnsDataType, objc.Uint(columns), objc.U32(dataType)))
}

// NewMatrix sees a buffer, from offset on, as a descriptor says.
func (s *System) NewMatrix(p *Pool, b *Buffer, offset int, d *MatrixDescriptor) (*Matrix, error) {
	m := &Matrix{}
	return result(m, s.make(p, &m.Object, "MPSMatrix", rowMPSMatrixInitWithBufferOffsetDescriptor, objc.Obj(b.object()), objc.Uint(offset), objc.Obj(d.object())))
}

// NewVector sees a buffer, from offset on, as a descriptor says.
func (s *System) NewVector(p *Pool, b *Buffer, offset int, d *VectorDescriptor) (*Vector, error) {
	v := &Vector{}
	return result(v, s.make(p, &v.Object, "MPSVector", rowMPSVectorInitWithBufferOffsetDescriptor, objc.Obj(b.object()), objc.Uint(offset), objc.Obj(d.object())))
}

// Synchronize has the CPU see what the GPU wrote into a managed buffer.
func (m *Matrix) Synchronize(p *Pool, c *CommandBuffer) error {
	return p.Do(m.object(), rowMPSMatrixSynchronizeOnCommandBuffer, objc.Obj(c.object()))
}

// Synchronize has the CPU see what the GPU wrote into a managed buffer.
func (v *Vector) Synchronize(p *Pool, c *CommandBuffer) error {
	return p.Do(v.object(), rowMPSVectorSynchronizeOnCommandBuffer, objc.Obj(c.object()))
}
