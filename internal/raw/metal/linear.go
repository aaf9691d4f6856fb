package metal

import "github.com/isthmus-ffi/isthmus/internal/raw/objc"

// The status of a decomposition is an int32 in a buffer: one of MPSMatrixDecompositionStatus. Where they take no buffer for it, the
// numbers say nothing.

// Cholesky is a MPSMatrixDecompositionCholesky.
type Cholesky struct{ objc.Object }

// NewCholesky decomposes matrices of order rows.
func (d *Device) NewCholesky(p *Pool, lower bool, order int) (*Cholesky, error) {
	k := &Cholesky{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixDecompositionCholesky", rowMPSMatrixDecompositionCholeskyInitWithDeviceLowerOrder,
		objc.Obj(d.object()), objc.Bool(lower), objc.Uint(order)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *Cholesky) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixDecompositionCholeskySetBatchStart, rowMPSMatrixDecompositionCholeskySetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *Cholesky) Encode(p *Pool, c *CommandBuffer, source, result *Matrix, status *Buffer) error {
	return p.Do(k.object(), rowMPSMatrixDecompositionCholeskyEncodeToCommandBufferSourceMatrixResultMatrixStatus,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(result.object()), objc.Obj(status.object()))
}

// LU is a MPSMatrixDecompositionLU.
type LU struct{ objc.Object }

// NewLU decomposes matrices of rows x columns.
func (d *Device) NewLU(p *Pool, rows, columns int) (*LU, error) {
	k := &LU{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixDecompositionLU", rowMPSMatrixDecompositionLUInitWithDeviceRowsColumns,
		objc.Obj(d.object()), objc.Uint(rows), objc.Uint(columns)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *LU) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixDecompositionLUSetBatchStart, rowMPSMatrixDecompositionLUSetBatchSize, start, count)
}

// Encode appends it to a command buffer. Pivots are uint32, 1 x min(rows, columns).
func (k *LU) Encode(p *Pool, c *CommandBuffer, source, result, pivots *Matrix, status *Buffer) error {
	return p.Do(k.object(), rowMPSMatrixDecompositionLUEncodeToCommandBufferSourceMatrixResultMatrixPivotIndicesStatus,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(result.object()), objc.Obj(pivots.object()), objc.Obj(status.object()))
}

// SolveTriangular is a MPSMatrixSolveTriangular.
type SolveTriangular struct{ objc.Object }

// NewSolveTriangular solves op(source) X = alpha rhs, or X op(source) = alpha rhs if right, of an order and a number of right sides.
func (d *Device) NewSolveTriangular(p *Pool, right, upper, transpose, unit bool, order, sides int, alpha float64) (*SolveTriangular, error) {
	k := &SolveTriangular{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixSolveTriangular", rowMPSMatrixSolveTriangularInitWithDeviceRightUpperTransposeUnitOrderNumberOfRightHandSidesAlpha,
		objc.Obj(d.object()), objc.Bool(right), objc.Bool(upper), objc.Bool(transpose), objc.Bool(unit), objc.Uint(order), objc.Uint(sides), objc.F64(alpha)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *SolveTriangular) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixSolveTriangularSetBatchStart, rowMPSMatrixSolveTriangularSetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *SolveTriangular) Encode(p *Pool, c *CommandBuffer, source, right, solution *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixSolveTriangularEncodeToCommandBufferSourceMatrixRightHandSideMatrixSolutionMatrix,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(right.object()), objc.Obj(solution.object()))
}

// SolveLU is a MPSMatrixSolveLU.
type SolveLU struct{ objc.Object }

// NewSolveLU solves op(A) X = rhs with A's decomposition, of an order and a number of right sides.
func (d *Device) NewSolveLU(p *Pool, transpose bool, order, sides int) (*SolveLU, error) {
	k := &SolveLU{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixSolveLU", rowMPSMatrixSolveLUInitWithDeviceTransposeOrderNumberOfRightHandSides,
		objc.Obj(d.object()), objc.Bool(transpose), objc.Uint(order), objc.Uint(sides)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *SolveLU) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixSolveLUSetBatchStart, rowMPSMatrixSolveLUSetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *SolveLU) Encode(p *Pool, c *CommandBuffer, source, right, pivots, solution *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixSolveLUEncodeToCommandBufferSourceMatrixRightHandSideMatrixPivotIndicesSolutionMatrix,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(right.object()), objc.Obj(pivots.object()), objc.Obj(solution.object()))
}

// SolveCholesky is a MPSMatrixSolveCholesky.
type SolveCholesky struct{ objc.Object }

// NewSolveCholesky solves A X = rhs with A's decomposition, of an order and a number of right sides.
func (d *Device) NewSolveCholesky(p *Pool, upper bool, order, sides int) (*SolveCholesky, error) {
	k := &SolveCholesky{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixSolveCholesky", rowMPSMatrixSolveCholeskyInitWithDeviceUpperOrderNumberOfRightHandSides,
		objc.Obj(d.object()), objc.Bool(upper), objc.Uint(order), objc.Uint(sides)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *SolveCholesky) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixSolveCholeskySetBatchStart, rowMPSMatrixSolveCholeskySetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *SolveCholesky) Encode(p *Pool, c *CommandBuffer, source, right, solution *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixSolveCholeskyEncodeToCommandBufferSourceMatrixRightHandSideMatrixSolutionMatrix,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(right.object()), objc.Obj(solution.object()))
}
