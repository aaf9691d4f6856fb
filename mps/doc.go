// Package mps computes with matrices: on the GPU of a Mac by Metal Performance Shaders, everywhere else on the processor, by the same
// calls and with the same rules.
//
//	dev, err := mps.Open(ctx, mps.Options{})
//	defer dev.Close()
//	a, err := mps.MatrixOf(dev, 2, 3, []float32{1, 2, 3, 4, 5, 6})
//	defer a.Close()
//	…
//	err = dev.Do(ctx, func(b *mps.Batch) error {
//		b.MatMul(c, a, x, mps.MatMulOptions{})
//		b.Softmax(c, c)
//		return nil
//	})
//	values, err := c.Floats()
//
// # Batches
//
// A batch is recorded, checked, and sent as a whole. Metal Performance Shaders leave undefined, or end the process for, what does not fit:
// shapes, strides, element types, operands that overlap, numbers that are none. Here each of these is an error that names the operand, the
// rule, and what to do, before anything is sent; a batch with one error sends nothing. docs/adr/0015-mps-batches.md says why.
//
// From its first mention in a batch until the run is over a matrix is the device's: reading, writing or closing it is
// [isthmus.ErrBusy]. A context that ends lets the caller go on, not the device, and gives nothing back early.
//
// # Numbers
//
// Elements are float32, float16, bfloat16 or integers. What is summed is summed in float32 or better, and rounded once to the type of the
// result. The processor gives the same bits on each run of one machine, whatever the number of workers. Devices agree within rounding;
// but Metal adds the squares of a norm in float32, which elements beyond 1e19 overflow.
//
// NaN and infinities go through as IEEE arithmetic has it, and NumPy: a row with NaN or +Inf has a softmax of NaN, and so has one of -Inf
// alone; a row of zeros, or one of equal elements, has a norm of NaN where epsilon is 0. GELU and SiLU of -Inf are 0. [Batch.Attention],
// [Batch.TopK] and [Batch.Copy] say what they do.
package mps
