package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["laid wrong"] = laidWrong
	scenarios["laid random"] = laidRandom
	scenarios["laid types"] = laidTypes
}

func TestLaidErrors(t *testing.T) { mpitest.Run(t, 1, "laid wrong") }
func TestLaidRandom(t *testing.T) { mpitest.Run(t, 2, "laid random") }
func TestLaidTypes(t *testing.T)  { mpitest.Run(t, 2, "laid types") }

// plan is a layout as a test sees it: what made it, and the elements that it selects, in order.
type plan struct {
	text   string
	at     []int
	extent int
	make   func(w *mpi.World) (*mpi.Layout[int32], error)
}

// index is the elements of n plans in a row.
func (p plan) index(n int) (out []int) {
	for i := range n {
		for _, a := range p.at {
			out = append(out, a+i*p.extent)
		}
	}
	return out
}

func span(at []int) int { return slices.Max(at) + 1 - slices.Min(at) }

// anyPlan draws a layout of at least one element, none twice.
func anyPlan(t *rapid.T) plan {
	var p plan
	small := func(lo, hi int, name string) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	switch small(0, 3, "kind") {
	case 0:
		n := small(1, 20, "n")
		p.text = fmt.Sprintf("Contiguous(%d)", n)
		for i := range n {
			p.at = append(p.at, i)
		}
		p.make = func(w *mpi.World) (*mpi.Layout[int32], error) { return mpi.Contiguous[int32](w, n) }
	case 1:
		count, block := small(1, 6, "count"), small(1, 5, "block")
		stride := block + small(0, 5, "gap")
		p.text = fmt.Sprintf("Vector(%d, %d, %d)", count, block, stride)
		for i := range count {
			for j := range block {
				p.at = append(p.at, i*stride+j)
			}
		}
		p.make = func(w *mpi.World) (*mpi.Layout[int32], error) { return mpi.Vector[int32](w, count, block, stride) }
	case 2:
		k := small(1, 6, "blocks")
		lengths, offsets := make([]int, k), make([]int, k)
		next := 0
		for i := range k {
			lengths[i] = small(1, 4, "length")
			offsets[i] = next + small(0, 4, "gap")
			next = offsets[i] + lengths[i]
		}
		order := rapid.Permutation(offsets).Draw(t, "order") // in any order: lengths follow their offsets
		sorted := slices.Clone(lengths)
		for i, o := range order {
			lengths[i] = sorted[slices.Index(offsets, o)]
		}
		offsets = order
		p.text = fmt.Sprintf("Indexed(%v, %v)", lengths, offsets)
		for i := range k {
			for j := range lengths[i] {
				p.at = append(p.at, offsets[i]+j)
			}
		}
		p.make = func(w *mpi.World) (*mpi.Layout[int32], error) { return mpi.Indexed[int32](w, lengths, offsets) }
	default:
		d := small(1, 3, "dims")
		sizes, part, start := make([]int, d), make([]int, d), make([]int, d)
		total := 1
		for i := range d {
			part[i], start[i] = small(1, 4, "part"), small(0, 2, "start")
			sizes[i] = part[i] + start[i] + small(0, 2, "rest")
			total *= sizes[i]
		}
		p.text = fmt.Sprintf("Subarray(%v, %v, %v)", sizes, part, start)
		for i := range total { // every place of the array, in order: is it in the part?
			in, rest := true, i
			for k := d - 1; k >= 0; k-- {
				x := rest % sizes[k]
				rest /= sizes[k]
				in = in && x >= start[k] && x < start[k]+part[k]
			}
			if in {
				p.at = append(p.at, i)
			}
		}
		p.extent = total
		p.make = func(w *mpi.World) (*mpi.Layout[int32], error) { return mpi.Subarray[int32](w, sizes, part, start) }
	}
	if p.extent == 0 {
		p.extent = span(p.at)
	}
	if small(0, 2, "resize") == 0 {
		extent, inner := span(p.at)+small(0, 3, "more"), p.make
		p.text += fmt.Sprintf(".Resized(%d)", extent)
		p.extent = extent
		p.make = func(w *mpi.World) (*mpi.Layout[int32], error) {
			l, err := inner(w)
			if err != nil {
				return nil, err
			}
			defer l.Close()
			return l.Resized(extent)
		}
	}
	return p
}

// laidRandom sends what one random layout selects into what another one does, and compares with loops in Go: elements
// that the layout does not select stay as they are.
func laidRandom(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	gen := rapid.Custom(anyPlan)
	for seed := range 150 {
		p := gen.Example(seed) // the same in both ranks
		n := 1 + seed%3
		index := p.index(n)
		l, err := p.make(w)
		if err != nil {
			return fmt.Errorf("%s: %w", p.text, err)
		}
		if from, to := l.Span(n); l.Size() != len(p.at) || l.Extent() != p.extent || from != slices.Min(index) || to != slices.Max(index)+1 {
			return fmt.Errorf("%s: size %d, extent %d, span %d to %d, want %d, %d, %d to %d", p.text, l.Size(), l.Extent(), from, to, len(p.at), p.extent, slices.Min(index), slices.Max(index)+1)
		}
		b := make([]int32, slices.Max(index)+1+seed%4)
		for i := range b {
			b[i] = int32(1000*seed + i)
		}
		packed := make([]int32, len(index)) // what the layout selects
		for i, at := range index {
			packed[i] = b[at]
		}
		fresh := slices.Repeat([]int32{-1}, len(b))
		scattered := slices.Clone(fresh)
		for i, at := range index {
			scattered[at] = packed[i]
		}
		if me == 0 {
			err = errors.Join(mpi.SendLaid(ctx, c, b, l, n, 1, 0), mpi.Send(ctx, c, packed, 1, 1), mpi.SendLaid(ctx, c, b, l, n, 1, 2))
		} else {
			plain, other := make([]int32, len(index)+1), slices.Clone(fresh)
			st, e1 := mpi.Recv(ctx, c, plain, 0, 0)
			st2, e2 := mpi.RecvLaid(ctx, c, fresh, l, n, 0, 1)
			r, e3 := mpi.IrecvLaid(c, other, l, n, 0, 2)
			if err = errors.Join(e1, e2, e3); err == nil {
				_, _, err = r.Wait(ctx)
			}
			if err == nil && (st.Count != len(index) || !slices.Equal(plain[:len(index)], packed)) {
				err = fmt.Errorf("sent %v as %v, %+v", packed, plain, st)
			}
			if err == nil && (st2.Count != len(index) || !slices.Equal(fresh, scattered) || !slices.Equal(other, scattered)) {
				err = fmt.Errorf("received %v and %v, want %v, %+v", fresh, other, scattered, st2)
			}
		}
		if err == nil {
			err = packs(b, packed, scattered, l, n)
		}
		if err == nil && len(b) > 1 && slices.Max(index) > 0 {
			if _, e := mpi.IrecvLaid(c, b[:slices.Max(index)], l, n, 0, 3); !errors.Is(e, isthmus.ErrBounds) {
				err = fmt.Errorf("a slice one too short: %v", e)
			}
		}
		if err = errors.Join(err, l.Close()); err != nil {
			return fmt.Errorf("%d x %s: %w", n, p.text, err)
		}
	}
	return nil
}

func packs(b, packed, scattered []int32, l *mpi.Layout[int32], n int) error {
	bytes, err := mpi.Pack(b, l, n)
	if err != nil {
		return err
	}
	out := slices.Repeat([]int32{-1}, len(b))
	if err := mpi.Unpack(bytes, out, l, n); err != nil {
		return err
	}
	if !slices.Equal(out, scattered) {
		return fmt.Errorf("unpacked %v, want %v", out, scattered)
	}
	if err := mpi.Unpack(bytes[:len(packed)*4-1], out, l, n); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("unpacked too little: %v", err)
	}
	return nil
}

// laidTypes lays out structs, with gaps and bools.
func laidTypes(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	l, err := mpi.Vector[particle](w, 2, 1, 2)
	if err != nil {
		return err
	}
	defer l.Close()
	b := []particle{{ID: 1, Alive: true}, {ID: 2}, {ID: 3, Mass: 2}}
	if c.Rank() == 0 {
		r, err := mpi.IsendLaid(c, b, l, 1, 1, 0)
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil { // what was started goes on
			return err
		}
		_, _, err = r.Wait(ctx)
		return err
	}
	if _, err := mpi.IrecvLaid(c, b, l, 1, 0, 0); !errors.Is(err, isthmus.ErrUnsupported) {
		return fmt.Errorf("bools in a request: %v", err)
	}
	got := make([]particle, 3)
	st, err := mpi.RecvLaid(ctx, c, got, l, 1, 0, 0)
	if err != nil {
		return err
	}
	return want(st.Count == 2 && got[0] == b[0] && got[1] == particle{} && got[2] == b[2], "%+v, %v", st, got)
}

func laidWrong(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b := make([]int32, 10)
	layout := func(l *mpi.Layout[int32], err error) *mpi.Layout[int32] {
		if err != nil {
			panic(err)
		}
		return l
	}
	twice := layout(mpi.Indexed[int32](w, []int{2, 2}, []int{0, 1}))
	back := layout(mpi.Vector[int32](w, 3, 1, -2))
	loose := layout(mpi.Vector[int32](w, 2, 1, 4))
	tight := layout(loose.Resized(4)) // the second begins where the first ends
	last := layout(mpi.Indexed[int32](w, []int{1}, []int{9}))
	closed := layout(mpi.Contiguous[int32](w, 1))
	if err := closed.Close(); err != nil {
		return err
	}
	recv := func(b []int32, l *mpi.Layout[int32], n int) error {
		_, err := mpi.RecvLaid(ctx, c, b, l, n, mpi.ProcNull, 0)
		return err
	}
	_, negative := mpi.Contiguous[int32](w, -1)
	_, uneven := mpi.Indexed[int32](w, []int{1}, nil)
	_, outside := mpi.Subarray[int32](w, []int{3, 3}, []int{2, 2}, []int{0, 2})
	_, huge := mpi.Vector[int32](w, 1<<31, 1<<31, 1)
	_, pointers := mpi.Contiguous[*int](w, 1)
	_, nowhere := mpi.Contiguous[int](nil, 1)
	for name, x := range map[string]struct{ err, is error }{
		"negative":     {negative, isthmus.ErrBounds},
		"uneven":       {uneven, isthmus.ErrBounds},
		"outside":      {outside, isthmus.ErrBounds},
		"huge":         {huge, isthmus.ErrBounds},
		"pointers":     {pointers, isthmus.ErrInvalid},
		"no world":     {nowhere, isthmus.ErrInvalid},
		"twice":        {recv(b, twice, 1), isthmus.ErrInvalid},
		"tight":        {recv(b, tight, 2), isthmus.ErrInvalid},
		"backwards":    {recv(b, back, 1), isthmus.ErrBounds},
		"past the end": {recv(b[:9], last, 1), isthmus.ErrBounds},
		"minus one":    {recv(b, last, -1), isthmus.ErrBounds},
		"many":         {recv(b, last, 1<<40), isthmus.ErrBounds},
		"closed":       {recv(b, closed, 1), isthmus.ErrClosed},
		"none":         {recv(b, nil, 1), isthmus.ErrInvalid},
		"zero":         {recv(b, &mpi.Layout[int32]{}, 1), isthmus.ErrInvalid},
		"open":         {w.Close(ctx), isthmus.ErrBusy},
	} {
		if !errors.Is(x.err, x.is) {
			return fmt.Errorf("%s: %v is not %v", name, x.err, x.is)
		}
	}
	for _, err := range []error{recv(b, tight, 1), recv(b[:0], last, 0), mpi.SendLaid(ctx, c, b, twice, 1, mpi.ProcNull, 0)} {
		if err != nil {
			return err
		}
	}
	return errors.Join(twice.Close(), back.Close(), tight.Close(), last.Close(), loose.Close())
}
