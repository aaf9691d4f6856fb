package metal

import "github.com/isthmus-ffi/isthmus/internal/raw/objc"

// Kernels are for one goroutine at a time: they are mutable, and MPS says so. Each retains its device; what it is encoded with is
// retained by the command buffer.

// MatMul is a MPSMatrixMultiplication.
type MatMul struct{ objc.Object }

// NewMatMul makes result = alpha op(left) op(right) + beta result, of rows x columns, over interior.
func (d *Device) NewMatMul(p *Pool, transposeLeft, transposeRight bool, rows, columns, interior int, alpha, beta float64) (*MatMul, error) {
	k := &MatMul{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixMultiplication",
		rowMPSMatrixMultiplicationInitWithDeviceTransposeLeftTransposeRightResultRowsResultColumnsInteriorColumnsAlphaBeta,
		objc.Obj(d.object()), objc.Bool(transposeLeft), objc.Bool(transposeRight), objc.Uint(rows), objc.Uint(columns), objc.Uint(interior),
		objc.F64(alpha), objc.F64(beta)))
}

// SetBatch chooses the matrices of the descriptors: count from start on.
func (k *MatMul) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixMultiplicationSetBatchStart, rowMPSMatrixMultiplicationSetBatchSize, start, count)
}

// Encode appends the product to a command buffer.
func (k *MatMul) Encode(p *Pool, c *CommandBuffer, left, right, result *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixMultiplicationEncodeToCommandBufferLeftMatrixRightMatrixResultMatrix,
		objc.Obj(c.object()), objc.Obj(left.object()), objc.Obj(right.object()), objc.Obj(result.object()))
}

// MatVec is a MPSMatrixVectorMultiplication.
type MatVec struct{ objc.Object }

// NewMatVec makes result = alpha op(matrix) vector + beta result, of rows elements.
func (d *Device) NewMatVec(p *Pool, transpose bool, rows, columns int, alpha, beta float64) (*MatVec, error) {
	k := &MatVec{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixVectorMultiplication", rowMPSMatrixVectorMultiplicationInitWithDeviceTransposeRowsColumnsAlphaBeta,
		objc.Obj(d.object()), objc.Bool(transpose), objc.Uint(rows), objc.Uint(columns), objc.F64(alpha), objc.F64(beta)))
}

// SetBatch is as [MatMul.SetBatch].
func (k *MatVec) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixVectorMultiplicationSetBatchStart, rowMPSMatrixVectorMultiplicationSetBatchSize, start, count)
}

// Encode appends the product to a command buffer.
func (k *MatVec) Encode(p *Pool, c *CommandBuffer, matrix *Matrix, vector, result *Vector) error {
	return p.Do(k.object(), rowMPSMatrixVectorMultiplicationEncodeToCommandBufferInputMatrixInputVectorResultVector,
		objc.Obj(c.object()), objc.Obj(matrix.object()), objc.Obj(vector.object()), objc.Obj(result.object()))
}

// SoftMax is a MPSMatrixSoftMax, or a MPSMatrixLogSoftMax.
type SoftMax struct {
	objc.Object
	log bool
}

// NewSoftMax makes the softmax of rows, or its logarithm, for sources of rows x columns.
func (d *Device) NewSoftMax(p *Pool, log bool, rows, columns int) (*SoftMax, error) {
	k := &SoftMax{log: log}
	class, row := "MPSMatrixSoftMax", rowMPSMatrixSoftMaxInitWithDevice
	set := []objc.Row{rowMPSMatrixSoftMaxSetSourceRows, rowMPSMatrixSoftMaxSetSourceColumns}
	if log {
		class, row = "MPSMatrixLogSoftMax", rowMPSMatrixLogSoftMaxInitWithDevice
		set = []objc.Row{rowMPSMatrixLogSoftMaxSetSourceRows, rowMPSMatrixLogSoftMaxSetSourceColumns}
	}
	if err := d.sys.make(p, &k.Object, class, row, objc.Obj(d.object())); err != nil {
		return nil, err
	}
	return extent(p, k, &k.Object, set, rows, columns)
}

// SetBatch is as [MatMul.SetBatch].
func (k *SoftMax) SetBatch(p *Pool, start, count int) error {
	if k != nil && k.log {
		return batch(p, k.object(), rowMPSMatrixLogSoftMaxSetBatchStart, rowMPSMatrixLogSoftMaxSetBatchSize, start, count)
	}
	return batch(p, k.object(), rowMPSMatrixSoftMaxSetBatchStart, rowMPSMatrixSoftMaxSetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *SoftMax) Encode(p *Pool, c *CommandBuffer, source, result *Matrix) error {
	row := rowMPSMatrixSoftMaxEncodeToCommandBufferInputMatrixResultMatrix
	if k != nil && k.log {
		row = rowMPSMatrixLogSoftMaxEncodeToCommandBufferInputMatrixResultMatrix
	}
	return p.Do(k.object(), row, objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(result.object()))
}

// Neuron is a MPSMatrixNeuron.
type Neuron struct{ objc.Object }

// NewNeuron makes result = f(alpha source + bias) for sources of rows x columns, f a MPSCNNNeuronType with its parameters.
func (d *Device) NewNeuron(p *Pool, rows, columns int, f int32, a, b, c float32, alpha float64) (*Neuron, error) {
	k := &Neuron{}
	if err := d.sys.make(p, &k.Object, "MPSMatrixNeuron", rowMPSMatrixNeuronInitWithDevice, objc.Obj(d.object())); err != nil {
		return nil, err
	}
	err := p.Do(&k.Object, rowMPSMatrixNeuronSetNeuronTypeParameterAParameterBParameterC, objc.I32(f), objc.F32(a), objc.F32(b), objc.F32(c))
	if err == nil {
		err = p.Do(&k.Object, rowMPSMatrixNeuronSetAlpha, objc.F64(alpha))
	}
	if err != nil {
		return nil, closed(&k.Object, err)
	}
	return extent(p, k, &k.Object, []objc.Row{rowMPSMatrixNeuronSetSourceNumberOfFeatureVectors, rowMPSMatrixNeuronSetSourceInputFeatureChannels}, rows, columns)
}

// SetBatch is as [MatMul.SetBatch].
func (k *Neuron) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixNeuronSetBatchStart, rowMPSMatrixNeuronSetBatchSize, start, count)
}

// Encode appends it to a command buffer. A nil bias is none.
func (k *Neuron) Encode(p *Pool, c *CommandBuffer, source *Matrix, bias *Vector, result *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixNeuronEncodeToCommandBufferInputMatrixBiasVectorResultMatrix,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(bias.object()), objc.Obj(result.object()))
}

// Sum is a MPSMatrixSum.
type Sum struct{ objc.Object }

// NewSum makes the sum of count matrices of rows x columns.
func (d *Device) NewSum(p *Pool, count, rows, columns int) (*Sum, error) {
	k := &Sum{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixSum", rowMPSMatrixSumInitWithDeviceCountRowsColumnsTranspose,
		objc.Obj(d.object()), objc.Uint(count), objc.Uint(rows), objc.Uint(columns), objc.Bool(false)))
}

// Encode appends the sum to a command buffer.
func (k *Sum) Encode(p *Pool, c *CommandBuffer, sources []*Matrix, result *Matrix) error {
	all := make([]*objc.Object, len(sources))
	for i, m := range sources {
		all[i] = m.object()
	}
	array, err := p.Array(all...)
	if err != nil {
		return err
	}
	none := objc.Obj(nil)
	return p.Do(k.object(), rowMPSMatrixSumEncodeToCommandBufferSourceMatricesResultMatrixScaleVectorOffsetVectorBiasVectorStartIndex,
		objc.Obj(c.object()), array, objc.Obj(result.object()), none, none, none, objc.Uint(0))
}

// TopK is a MPSMatrixFindTopK.
type TopK struct{ objc.Object }

// NewTopK finds the k largest of each row, at most 16, in sources of rows x columns.
func (d *Device) NewTopK(p *Pool, count, rows, columns int) (*TopK, error) {
	k := &TopK{}
	err := d.sys.make(p, &k.Object, "MPSMatrixFindTopK", rowMPSMatrixFindTopKInitWithDeviceNumberOfTopKValues, objc.Obj(d.object()), objc.Uint(count))
	if err != nil {
		return nil, err
	}
	return extent(p, k, &k.Object, []objc.Row{rowMPSMatrixFindTopKSetSourceRows, rowMPSMatrixFindTopKSetSourceColumns}, rows, columns)
}

// SetBatch is as [MatMul.SetBatch].
func (k *TopK) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixFindTopKSetBatchStart, rowMPSMatrixFindTopKSetBatchSize, start, count)
}

// Encode appends it to a command buffer.
func (k *TopK) Encode(p *Pool, c *CommandBuffer, source, indices, values *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixFindTopKEncodeToCommandBufferInputMatrixResultIndexMatrixResultValueMatrix,
		objc.Obj(c.object()), objc.Obj(source.object()), objc.Obj(indices.object()), objc.Obj(values.object()))
}

// Copy is a MPSMatrixCopy.
type Copy struct{ objc.Object }

// CopyDescriptor is a MPSMatrixCopyDescriptor: from where to where.
type CopyDescriptor struct{ objc.Object }

// NewCopy copies rows x columns elements, transposed or not.
func (d *Device) NewCopy(p *Pool, rows, columns int, transposeSource, transposeResult bool) (*Copy, error) {
	k := &Copy{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixCopy", rowMPSMatrixCopyInitWithDeviceCopyRowsCopyColumnsSourcesAreTransposedDestinationsAreTransposed,
		objc.Obj(d.object()), objc.Uint(rows), objc.Uint(columns), objc.Bool(transposeSource), objc.Bool(transposeResult)))
}

// NewCopyDescriptor says what is copied: from the first elements on.
func (s *System) NewCopyDescriptor(p *Pool, source, to *Matrix) (*CopyDescriptor, error) {
	d := &CopyDescriptor{}
	return result(d, s.ask(p, &d.Object, "MPSMatrixCopyDescriptor", rowMPSMatrixCopyDescriptorDescriptorWithSourceMatrixDestinationMatrixOffsets,
		objc.Obj(source.object()), objc.Obj(to.object()), objc.Offsets(0, 0, 0, 0)))
}

// Encode appends the copy to a command buffer.
func (k *Copy) Encode(p *Pool, c *CommandBuffer, d *CopyDescriptor) error {
	return p.Do(k.object(), rowMPSMatrixCopyEncodeToCommandBufferCopyDescriptor, objc.Obj(c.object()), objc.Obj(d.object()))
}

// Random is a MPSMatrixRandomPhilox.
type Random struct{ objc.Object }

// Distribution is a MPSMatrixRandomDistributionDescriptor.
type Distribution struct{ objc.Object }

// Bits are integers of all values.
func (s *System) Bits(p *Pool) (*Distribution, error) {
	d := &Distribution{}
	return result(d, s.ask(p, &d.Object, "MPSMatrixRandomDistributionDescriptor", rowMPSMatrixRandomDistributionDescriptorDefaultDistributionDescriptor))
}

// Uniform is at least low and below high.
func (s *System) Uniform(p *Pool, low, high float32) (*Distribution, error) {
	d := &Distribution{}
	return result(d, s.ask(p, &d.Object, "MPSMatrixRandomDistributionDescriptor",
		rowMPSMatrixRandomDistributionDescriptorUniformDistributionDescriptorWithMinimumMaximum, objc.F32(low), objc.F32(high)))
}

// Normal has a mean and a standard deviation.
func (s *System) Normal(p *Pool, mean, deviation float32) (*Distribution, error) {
	d := &Distribution{}
	return result(d, s.ask(p, &d.Object, "MPSMatrixRandomDistributionDescriptor",
		rowMPSMatrixRandomDistributionDescriptorNormalDistributionDescriptorWithMeanStandardDeviation, objc.F32(mean), objc.F32(deviation)))
}

// NewRandom draws elements of a MPSDataType.
func (d *Device) NewRandom(p *Pool, dataType uint32, seed uint64, from *Distribution) (*Random, error) {
	k := &Random{}
	return result(k, d.sys.make(p, &k.Object, "MPSMatrixRandomPhilox", rowMPSMatrixRandomPhiloxInitWithDeviceDestinationDataTypeSeedDistributionDescriptor,
		objc.Obj(d.object()), objc.U32(dataType), objc.Uint(seed), objc.Obj(from.object())))
}

// SetBatch is as [MatMul.SetBatch].
func (k *Random) SetBatch(p *Pool, start, count int) error {
	return batch(p, k.object(), rowMPSMatrixRandomPhiloxSetBatchStart, rowMPSMatrixRandomPhiloxSetBatchSize, start, count)
}

// Encode appends the filling of a matrix to a command buffer.
func (k *Random) Encode(p *Pool, c *CommandBuffer, result *Matrix) error {
	return p.Do(k.object(), rowMPSMatrixRandomPhiloxEncodeToCommandBufferDestinationMatrix, objc.Obj(c.object()), objc.Obj(result.object()))
}

// batch chooses the matrices of a batch.
func batch(p *Pool, o *objc.Object, startRow, sizeRow objc.Row, start, count int) error {
	if err := p.Do(o, startRow, objc.Uint(start)); err != nil {
		return err
	}
	return p.Do(o, sizeRow, objc.Uint(count))
}

// extent sets the rows and columns of a kernel that was just made, which goes if that fails.
func extent[K any](p *Pool, k *K, o *objc.Object, set []objc.Row, n ...int) (*K, error) {
	for i, row := range set {
		if err := p.Do(o, row, objc.Uint(n[i])); err != nil {
			return nil, closed(o, err)
		}
	}
	return k, nil
}

// closed closes what is not handed out after all.
func closed(o *objc.Object, err error) error {
	_ = o.Close()
	return err
}
