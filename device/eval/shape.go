package eval

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// put copies element from of src to element to of dst, both with elements of size bytes.
func put(dst []byte, to int, src []byte, from, size int) {
	switch size {
	case 1:
		dst[to] = src[from]
	case 4:
		copy(dst[4*to:4*to+4], src[4*from:4*from+4])
	case 8:
		copy(dst[8*to:8*to+8], src[8*from:8*from+8])
	default:
		copy(dst[size*to:size*(to+1)], src[size*from:size*(from+1)])
	}
}

// copyStrided fills dst, row-major with dimensions dims, from src: the element at index i comes from position
// base + sum(i[d]*step[d]). Every such position must be inside src.
func copyStrided(dst []byte, dims []int64, src []byte, base int, step []int, size int) {
	n := product(dims)
	if n == 0 {
		return
	}
	idx := make([]int, len(dims))
	p := base
	for to := range n {
		put(dst, to, src, p, size)
		for d := len(dims) - 1; d >= 0; d-- {
			idx[d]++
			p += step[d]
			if idx[d] < int(dims[d]) {
				break
			}
			p -= step[d] * idx[d]
			idx[d] = 0
		}
	}
}

// scatterStrided is the reverse of copyStrided: it writes src, row-major with dimensions dims, into dst.
func scatterStrided(dst []byte, base int, step []int, src []byte, dims []int64, size int) {
	n := product(dims)
	if n == 0 {
		return
	}
	idx := make([]int, len(dims))
	p := base
	for from := range n {
		put(dst, p, src, from, size)
		for d := len(dims) - 1; d >= 0; d-- {
			idx[d]++
			p += step[d]
			if idx[d] < int(dims[d]) {
				break
			}
			p -= step[d] * idx[d]
			idx[d] = 0
		}
	}
}

func constant(r *runner, op *stablehlo.Op, _ []*Tensor) (*Tensor, error) {
	l, ok := op.Attr.(*stablehlo.Literal)
	if !ok {
		return nil, fmt.Errorf("has no value")
	}
	if !l.Splat {
		// The literal is never changed, so the constant shares it.
		return &Tensor{Type: stablehlo.Type{
			Kind: stablehlo.Tensor, Elem: l.Type.Elem, Dims: l.Type.Dims, Quant: op.Results[0].Type.Quant,
		}, Data: l.Data}, nil
	}
	out, err := r.out(op, 0, l.Type.Dims)
	if err != nil {
		return nil, err
	}
	fillBytes(out.Data, l.Data)
	return out, nil
}

// fillBytes repeats pattern over dst.
func fillBytes(dst, pattern []byte) {
	if len(dst) == 0 {
		return
	}
	n := copy(dst, pattern)
	for n > 0 && n < len(dst) {
		n += copy(dst[n:], dst[:n])
	}
}

func iota_(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimAttr)
	dims := op.Results[0].Type.Dims
	if len(in) == 1 { // dynamic_iota: the shape is an operand
		var err error
		if dims, err = intsOf(in[0]); err != nil {
			return nil, fmt.Errorf("output_shape %w", err)
		}
	}
	if a.Dim < 0 || int(a.Dim) >= len(dims) {
		return nil, fmt.Errorf("iota_dimension %d is not a dimension of rank %d", a.Dim, len(dims))
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	step := strides(dims)[a.Dim]
	size := int(dims[a.Dim])
	one := newLane(out.Type.Elem, 1)
	for p := range out.Len() {
		v := int64(p / step % size)
		switch {
		case one.i != nil:
			one.i[0] = v
		case one.f != nil:
			one.f[0] = float64(v)
		default:
			one.c[0] = complex(float64(v), 0)
		}
		one.storeOne(0, out.Data, p)
	}
	return out, nil
}

func (r *runner) broadcast(op *stablehlo.Op, t *Tensor, dims, to []int64) (*Tensor, error) {
	if len(to) != t.Type.Rank() {
		return nil, fmt.Errorf("broadcast_dimensions %v for operand %v", to, t.Type)
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	step := make([]int, len(dims))
	own := strides(t.Type.Dims)
	for i, d := range to {
		if d < 0 || int(d) >= len(dims) || (t.Type.Dims[i] != 1 && t.Type.Dims[i] != dims[d]) {
			return nil, fmt.Errorf("cannot broadcast %v to %v along %v", t.Type, dims, to)
		}
		if t.Type.Dims[i] != 1 {
			step[d] = own[i]
		}
	}
	if t.Len() == 1 {
		fillBytes(out.Data, t.Data)
		return out, nil
	}
	copyStrided(out.Data, dims, t.Data, 0, step, out.Type.Elem.Size())
	return out, nil
}

func broadcastInDim(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimsAttr)
	dims := slices.Clone(op.Results[0].Type.Dims)
	for i, d := range a.Dims { // a dynamic result dimension is as large as the operand's
		if d >= 0 && int(d) < len(dims) && dims[d] == stablehlo.Dynamic && i < in[0].Type.Rank() {
			dims[d] = in[0].Type.Dims[i]
		}
	}
	return r.broadcast(op, in[0], dims, a.Dims)
}

func dynamicBroadcastInDim(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, ok := op.Attr.(*stablehlo.DynamicBroadcastAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	dims, err := intsOf(in[1])
	if err != nil {
		return nil, fmt.Errorf("output_dimensions %w", err)
	}
	return r.broadcast(op, in[0], dims, a.Dims)
}

func concatenate(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimAttr)
	if a.Dim < 0 || int(a.Dim) >= in[0].Type.Rank() {
		return nil, fmt.Errorf("dimension %d of rank %d", a.Dim, in[0].Type.Rank())
	}
	return r.concat(op, 0, in, int(a.Dim))
}

// concat joins tensors along dimension d into result i of op.
func (r *runner) concat(op *stablehlo.Op, i int, in []*Tensor, d int) (*Tensor, error) {
	dims := slices.Clone(in[0].Type.Dims)
	dims[d] = 0
	for _, t := range in {
		if t.Type.Rank() != len(dims) {
			return nil, fmt.Errorf("operands of ranks %d and %d", len(dims), t.Type.Rank())
		}
		dims[d] += t.Type.Dims[d]
	}
	out, err := r.out(op, i, dims)
	if err != nil {
		return nil, err
	}
	if len(out.Data) == 0 {
		return out, nil // the other dimensions may be of any length
	}
	// Every operand is a run of whole rows below d.
	size := out.Type.Elem.Size()
	inner := product(dims[d+1:]) * size
	row := int(dims[d]) * inner
	at := 0
	for _, t := range in {
		n := int(t.Type.Dims[d]) * inner
		for o := range product(dims[:d]) {
			copy(out.Data[o*row+at:], t.Data[o*n:(o+1)*n])
		}
		at += n
	}
	return out, nil
}

func reshape(_ *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	typ := op.Results[0].Type
	dims := slices.Clone(typ.Dims)
	if op.Kind == stablehlo.DynamicReshape {
		var err error
		if dims, err = intsOf(in[1]); err != nil {
			return nil, fmt.Errorf("output_shape %w", err)
		}
	} else if free := slices.Index(dims, stablehlo.Dynamic); free >= 0 {
		dims[free] = 1
		if n := product(dims); n > 0 && !slices.Contains(dims, stablehlo.Dynamic) {
			dims[free] = int64(in[0].Len() / n)
		}
	}
	t := view(in[0], typ, dims)
	if n, err := byteSize(t.Type); err != nil || int(n) != len(in[0].Data) {
		return nil, fmt.Errorf("cannot reshape %v to %v", in[0].Type, dims)
	}
	return t, nil
}

func reverse(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimsAttr)
	dims := in[0].Type.Dims
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	step, base := strides(dims), 0
	for _, d := range a.Dims {
		base += step[d] * int(dims[d]-1)
		step[d] = -step[d]
	}
	copyStrided(out.Data, dims, in[0].Data, base, step, out.Type.Elem.Size())
	return out, nil
}

func transpose(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimsAttr)
	dims := make([]int64, len(a.Dims))
	step := make([]int, len(a.Dims))
	own := strides(in[0].Type.Dims)
	for i, d := range a.Dims {
		dims[i], step[i] = in[0].Type.Dims[d], own[d]
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	copyStrided(out.Data, dims, in[0].Data, 0, step, out.Type.Elem.Size())
	return out, nil
}

func slice(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	t := in[0]
	var start, limit, stride []int64
	if a, ok := op.Attr.(*stablehlo.SliceAttr); ok {
		start, limit, stride = a.Start, a.Limit, a.Stride
	} else {
		var lists [3][]int64
		for i := range lists {
			var err error
			if lists[i], err = intsOf(in[1+i]); err != nil {
				return nil, fmt.Errorf("operand %d %w", 1+i, err)
			}
		}
		start, limit, stride = lists[0], lists[1], lists[2]
	}
	rank := t.Type.Rank()
	if len(start) != rank || len(limit) != rank || len(stride) != rank {
		return nil, fmt.Errorf("start, limit and stride for operand %v have lengths %d, %d, %d",
			t.Type, len(start), len(limit), len(stride))
	}
	step, base := strides(t.Type.Dims), 0
	dims := make([]int64, rank)
	for d := range dims {
		if start[d] < 0 || limit[d] < start[d] || limit[d] > t.Type.Dims[d] || stride[d] <= 0 {
			return nil, fmt.Errorf("dimension %d: [%d:%d:%d] of size %d", d, start[d], limit[d], stride[d], t.Type.Dims[d])
		}
		dims[d] = (limit[d] - start[d] + stride[d] - 1) / stride[d]
		base += int(start[d]) * step[d]
		step[d] *= int(stride[d])
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	copyStrided(out.Data, dims, t.Data, base, step, out.Type.Elem.Size())
	return out, nil
}

func pad(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	var low, high, interior []int64
	if a, ok := op.Attr.(*stablehlo.PadAttr); ok {
		low, high, interior = a.Low, a.High, a.Interior
	} else {
		var lists [3][]int64
		for i := range lists {
			var err error
			if lists[i], err = intsOf(in[2+i]); err != nil {
				return nil, fmt.Errorf("operand %d %w", 2+i, err)
			}
		}
		low, high, interior = lists[0], lists[1], lists[2]
	}
	t := in[0]
	if n := t.Type.Rank(); len(low) != n || len(high) != n || len(interior) != n {
		return nil, fmt.Errorf("padding of %d dimensions for operand %v", len(low), t.Type)
	}
	dims := paddedDims(t.Type.Dims, low, high, interior)
	if slices.ContainsFunc(dims, func(d int64) bool { return d < 0 }) {
		return nil, fmt.Errorf("padding makes dimensions %v", dims)
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	padInto(out.Data, dims, t, in[1].Data, low, interior)
	return out, nil
}

func paddedDims(dims, low, high, interior []int64) []int64 {
	out := make([]int64, len(dims))
	for d, n := range dims {
		out[d] = low[d] + n + max(n-1, 0)*interior[d] + high[d]
	}
	return out
}

// padInto fills dst with value and puts the elements of t where padding moves them; negative padding drops some.
func padInto(dst []byte, dims []int64, t *Tensor, value []byte, low, interior []int64) {
	fillBytes(dst, value)
	size := t.Type.Elem.Size()
	step := strides(dims)
	idx := make([]int, len(dims))
	for from := range t.Len() {
		p, inside := 0, true
		for d, i := range idx {
			at := int(low[d]) + i*int(interior[d]+1)
			inside = inside && at >= 0 && at < int(dims[d])
			p += at * step[d]
		}
		if inside {
			put(dst, p, t.Data, from, size)
		}
		next(idx, t.Type.Dims)
	}
}

// startIndices clamps the scalar operands so that a slice of the given sizes is inside dims.
func startIndices(in []*Tensor, dims, sizes []int64) ([]int64, error) {
	if len(in) != len(dims) || len(sizes) != len(dims) {
		return nil, fmt.Errorf("%d start indices and sizes %v for dimensions %v", len(in), sizes, dims)
	}
	start := make([]int64, len(dims))
	for d, t := range in {
		v, err := scalarInt(t)
		if err != nil {
			return nil, fmt.Errorf("start index %d %w", d, err)
		}
		if sizes[d] > dims[d] {
			return nil, fmt.Errorf("slice of %d in dimension %d of size %d", sizes[d], d, dims[d])
		}
		start[d] = clampIndex(t, v, dims[d]-sizes[d])
	}
	return start, nil
}

// clampIndex clamps an index of t's type to [0, high]; a large ui64 is not negative.
func clampIndex(t *Tensor, v, high int64) int64 {
	if v < 0 && t.Type.Elem.Kind() == unsignedKind {
		return high
	}
	return max(0, min(v, high))
}

func dynamicSlice(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimsAttr)
	t := in[0]
	start, err := startIndices(in[1:], t.Type.Dims, a.Dims)
	if err != nil {
		return nil, err
	}
	out, err := r.out(op, 0, a.Dims)
	if err != nil {
		return nil, err
	}
	step, base := strides(t.Type.Dims), 0
	for d, s := range start {
		base += int(s) * step[d]
	}
	copyStrided(out.Data, a.Dims, t.Data, base, step, out.Type.Elem.Size())
	return out, nil
}

func dynamicUpdateSlice(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	t, update := in[0], in[1]
	start, err := startIndices(in[2:], t.Type.Dims, update.Type.Dims)
	if err != nil {
		return nil, err
	}
	out, err := r.out(op, 0, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	copy(out.Data, t.Data)
	step, base := strides(t.Type.Dims), 0
	for d, s := range start {
		base += int(s) * step[d]
	}
	scatterStrided(out.Data, base, step, update.Data, update.Type.Dims, out.Type.Elem.Size())
	return out, nil
}

func getDimensionSize(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimAttr)
	if a.Dim < 0 || int(a.Dim) >= in[0].Type.Rank() {
		return nil, fmt.Errorf("dimension %d of %v", a.Dim, in[0].Type)
	}
	out, err := r.out(op, 0, nil)
	if err != nil {
		return nil, err
	}
	encodeInts(out.Type.Elem, []int64{in[0].Type.Dims[a.Dim]}, out.Data)
	return out, nil
}

// setDimensionSize keeps the first elements along a dimension, or adds zeros up to the bound of the result.
func setDimensionSize(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.DimAttr)
	t := in[0]
	size, err := scalarInt(in[1])
	if err != nil {
		return nil, fmt.Errorf("size %w", err)
	}
	if a.Dim < 0 || int(a.Dim) >= t.Type.Rank() || size < 0 {
		return nil, fmt.Errorf("dimension %d of %v to size %d", a.Dim, t.Type, size)
	}
	dims := slices.Clone(t.Type.Dims)
	dims[a.Dim] = size
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	inner := product(dims[a.Dim+1:]) * out.Type.Elem.Size()
	from, to := int(t.Type.Dims[a.Dim])*inner, int(size)*inner
	for o := range product(dims[:a.Dim]) {
		copy(out.Data[o*to:(o+1)*to], t.Data[o*from:o*from+min(from, to)])
	}
	return out, nil
}

// bitcastConvert keeps bits: between types of one width it changes the type, else the last dimension splits into or
// joins elements, low bits first. Elements narrower than a byte are packed for it.
func bitcastConvert(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	t := in[0]
	from, to := t.Type.Elem, op.Results[0].Type.Elem
	wide, narrow := from.Bits(), to.Bits()
	dims := slices.Clone(t.Type.Dims)
	switch {
	case wide > narrow:
		if wide%narrow != 0 {
			return nil, fmt.Errorf("from %v to %v: %w", from, to, ErrUnsupported)
		}
		dims = append(dims, int64(wide/narrow))
	case wide < narrow:
		if narrow%wide != 0 || len(dims) == 0 || dims[len(dims)-1] != int64(narrow/wide) {
			return nil, fmt.Errorf("from %v to %v: last dimension must be %d", t.Type, to, narrow/wide)
		}
		dims = dims[:len(dims)-1]
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	if wide%8 == 0 && narrow%8 == 0 {
		copy(out.Data, t.Data)
		return out, nil
	}
	unit := min(wide, narrow) // every element is a list of units
	per, each := wide/unit, narrow/unit
	units := make([]uint64, 0, t.Len()*per)
	for k := range t.Len() {
		b := bitsAt(t, k)
		for range per {
			units = append(units, b&(1<<unit-1))
			b >>= unit
		}
	}
	for k := range out.Len() {
		var b uint64
		for j := range each {
			b |= units[k*each+j] << (j * unit)
		}
		setBits(out, k, b)
	}
	return out, nil
}

// bitsAt are the bits of element k of a type up to 64 bits wide.
func bitsAt(t *Tensor, k int) uint64 {
	size := t.Type.Elem.Size()
	var b [8]byte
	copy(b[:], t.Data[k*size:(k+1)*size])
	return binary.LittleEndian.Uint64(b[:]) & (1<<t.Type.Elem.Bits() - 1)
}

func setBits(t *Tensor, k int, v uint64) {
	elem := t.Type.Elem
	if elem.Size() == 1 && !elem.IsFloat() {
		t.Data[k] = byte(wrap(elem, int64(v)))
		return
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	size := elem.Size()
	copy(t.Data[k*size:(k+1)*size], b[:size])
}
