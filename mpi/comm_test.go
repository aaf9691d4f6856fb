package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// sumOver adds the ranks in the world of a communicator's processes: who is in it.
func sumOver(ctx context.Context, w *mpi.World, c *mpi.Comm) (int, error) {
	got := make([]int, 1)
	err := mpi.Allreduce(ctx, c, []int{1 << w.Comm().Rank()}, got, mpi.Sum)
	return got[0], err
}

// comms runs on one and on four ranks.
func comms(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	dup, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	for _, pair := range []struct {
		a, b *mpi.Comm
		want mpi.Relation
	}{{c, c, mpi.Identical}, {c, dup, mpi.Congruent}} {
		if r, err := pair.a.Compare(pair.b); err != nil || r != pair.want {
			return fmt.Errorf("%v and %v: %v, %v, want %v", pair.a, pair.b, r, err, pair.want)
		}
	}
	if err := dup.SetName("mine"); err != nil {
		return err
	}
	if s, err := dup.Name(); err != nil || s != "mine" {
		return fmt.Errorf("named %q, %v", s, err)
	}
	if err := dup.SetName(string(make([]byte, 200))); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a long name: %v", err)
	}
	// A message on the copy is not received on the original.
	if n > 1 && me < 2 {
		r, err := mpi.Irecv(c, make([]byte, 1), 1-me, 5)
		if err != nil {
			return err
		}
		in := make([]byte, 1)
		if _, err := mpi.SendRecv(ctx, dup, []byte{1}, 1-me, 5, in, 1-me, 5); err != nil || in[0] != 1 {
			return fmt.Errorf("on the copy: %v, %v", in, err)
		}
		if err := mpi.Send(ctx, c, []byte{2}, 1-me, 5); err != nil {
			return err
		}
		if b, _, err := r.Wait(ctx); err != nil || b[0] != 2 {
			return fmt.Errorf("on the original: %v, %v", b, err)
		}
	}
	// Odd and even, each in the reverse order.
	half, err := dup.Split(ctx, me%2, -me)
	if err != nil {
		return err
	}
	want := 0
	for r := me % 2; r < n; r += 2 {
		want |= 1 << r
	}
	if got, err := sumOver(ctx, w, half); err != nil || got != want {
		return fmt.Errorf("the half has %b, %v, want %b", got, err, want)
	}
	if got, want := half.Rank(), (n-1-me)/2; n > 1 && got != want {
		return fmt.Errorf("rank %d in the half, want %d", got, want)
	}
	color := mpi.Undefined
	if me == 0 {
		color = 0
	}
	alone, err := dup.Split(ctx, color, 0)
	if err != nil || (alone == nil) != (me != 0) || alone.Size() != (1-min(me, 1)) {
		return fmt.Errorf("alone: %v, %v", alone, err)
	}
	shared, err := dup.SplitShared(ctx, 0)
	if err != nil || shared.Size() != n {
		return fmt.Errorf("one machine: %v, %v", shared, err)
	}
	g, err := c.Group()
	if err != nil {
		return err
	}
	first, err := g.Include(0)
	if err != nil {
		return err
	}
	one, err := c.Create(ctx, first)
	if err != nil || (one == nil) != (me != 0) {
		return fmt.Errorf("created: %v, %v", one, err)
	}
	var two *mpi.Comm
	if me == 0 {
		if two, err = c.CreateGroup(ctx, first, 7); err != nil || two.Size() != 1 {
			return fmt.Errorf("created from a group: %v, %v", two, err)
		}
	} else if _, err := c.CreateGroup(ctx, first, 7); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("created from a group of others: %v", err)
	}
	if n > 1 {
		if err := inter(ctx, w, half); err != nil {
			return err
		}
	}
	if _, err := c.Merge(ctx, true); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("merging one group: %v", err)
	}
	if _, err := c.Split(ctx, -5, 0); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a negative color: %v", err)
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closing under communicators: %v", err)
	}
	var none *mpi.Comm
	if _, err := none.Dup(ctx); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a copy of none: %v", err)
	}
	if err := errors.Join(half.Close(), alone.Close(), shared.Close(), one.Close(), two.Close(), dup.Close(), dup.Close(), g.Close(), first.Close()); err != nil {
		return err
	}
	if _, err := dup.Dup(ctx); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("a copy of a closed one: %v", err)
	}
	return nil
}

// inter joins the halves of the world.
func inter(ctx context.Context, w *mpi.World, half *mpi.Comm) error {
	c := w.Comm()
	me := c.Rank()
	// The leader of each half is its last rank, which is 0 or 1 in the world.
	leader := half.Size() - 1
	ic, err := half.Intercomm(ctx, leader, c, 1-me%2, 3)
	if err != nil {
		return err
	}
	if ic.RemoteSize() != c.Size()/2 || ic.Size() != half.Size() {
		return fmt.Errorf("%v has %d on the other side", ic, ic.RemoteSize())
	}
	got := make([]int, 1)
	if err := mpi.Allreduce(ctx, ic, []int{me}, got, mpi.Sum); err != nil {
		return err
	}
	want := 0
	for r := 1 - me%2; r < c.Size(); r += 2 {
		want += r
	}
	if got[0] != want {
		return fmt.Errorf("the other side's sum is %d, want %d", got[0], want)
	}
	// The last of the even half broadcasts to the odd half.
	root, b := 0, []int{me}
	switch {
	case me == 0:
		root = mpi.Root
	case me%2 == 0:
		root = mpi.ProcNull
	default:
		root = leader
	}
	if err := mpi.Bcast(ctx, ic, b, root); err != nil {
		return err
	}
	if me%2 == 1 && b[0] != 0 {
		return fmt.Errorf("the other side's root sent %d", b[0])
	}
	// It gathers from and reduces the odd half too, and scatters to it.
	sum, every, n := []int{0}, []int(nil), half.Size()
	if root == mpi.Root {
		every = make([]int, n)
	}
	if err := errors.Join(mpi.Reduce(ctx, ic, []int{me}, sum, mpi.Sum, root), mpi.Gather(ctx, ic, []int{me}, every, root)); err != nil {
		return err
	}
	for i, r := range every {
		if r != 2*(n-1-i)+1 || sum[0] != n*n {
			return fmt.Errorf("the other side is %v, its sum %d", every, sum[0])
		}
	}
	b[0] = -1
	if err := mpi.Scatter(ctx, ic, every, b, root); err != nil || (me%2 == 1 && b[0] != me) {
		return fmt.Errorf("scattered to the other side: %v, %v", b, err)
	}
	all, err := ic.Merge(ctx, me%2 == 1)
	if err != nil {
		return err
	}
	if all.Size() != c.Size() || (me%2 == 1) != (all.Rank() >= c.Size()/2) {
		return fmt.Errorf("merged: %v", all)
	}
	rg, err := ic.RemoteGroup()
	if err != nil || rg.Rank() != mpi.Undefined || rg.Size() != c.Size()/2 {
		return fmt.Errorf("the other group: %v, %v", rg, err)
	}
	return errors.Join(rg.Close(), all.Close(), ic.Close())
}

// groups runs on three ranks.
func groups(_ context.Context, w *mpi.World) error {
	g, err := w.Comm().Group()
	if err != nil {
		return err
	}
	defer g.Close()
	in := func(x *mpi.Group, err error) []int {
		if err != nil {
			return []int{-1}
		}
		defer x.Close()
		all := make([]int, x.Size())
		for i := range all {
			all[i] = i
		}
		out, err := x.Translate(g, all...)
		if err != nil {
			return []int{-2}
		}
		return out
	}
	swapped, err := g.Include(2, 0)
	if err != nil {
		return err
	}
	defer swapped.Close()
	var none *mpi.Group
	for _, e := range []struct {
		what      string
		got, want []int
	}{
		{"include", in(g.Include(2, 0)), []int{2, 0}},
		{"exclude", in(g.Exclude(1)), []int{0, 2}},
		{"ranges", in(g.IncludeRanges(mpi.Range{First: 2, Last: 0, Stride: -2})), []int{2, 0}},
		{"without ranges", in(g.ExcludeRanges(mpi.Range{First: 0, Last: 1, Stride: 1})), []int{2}},
		{"union", in(swapped.Union(g)), []int{2, 0, 1}},
		{"intersection", in(g.Intersection(swapped)), []int{0, 2}},
		{"difference", in(g.Difference(swapped)), []int{1}},
		{"empty", in(g.Difference(g)), []int{}},
		{"no rank", in(g.Include(3)), []int{-1}},
		{"twice", in(g.Include(1, 1)), []int{-1}},
		{"stride 0", in(g.IncludeRanges(mpi.Range{First: 0, Last: 1})), []int{-1}},
		{"none", in(g.Union(none)), []int{-1}},
	} {
		if !slices.Equal(e.got, e.want) {
			return fmt.Errorf("%s: %v, want %v", e.what, e.got, e.want)
		}
	}
	if r, err := swapped.Translate(g, 0, 1); err != nil || !slices.Equal(r, []int{2, 0}) {
		return fmt.Errorf("translated: %v, %v", r, err)
	}
	if r, err := g.Translate(swapped, 0, 1, 2); err != nil || !slices.Equal(r, []int{1, mpi.Undefined, 0}) {
		return fmt.Errorf("translated: %v, %v", r, err)
	}
	back, err := g.Include(0, 2)
	if err != nil {
		return err
	}
	defer back.Close()
	if r, err := back.Compare(swapped); err != nil || r != mpi.Similar {
		return fmt.Errorf("compared: %v, %v", r, err)
	}
	if r, err := g.Compare(swapped); err != nil || r != mpi.Unequal {
		return fmt.Errorf("compared: %v, %v", r, err)
	}
	if got, want := swapped.Rank(), []int{1, mpi.Undefined, 0}[w.Comm().Rank()]; got != want {
		return fmt.Errorf("rank %d, want %d", got, want)
	}
	return nil
}

// grids runs on four ranks.
func grids(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if d, err := w.Dims(12, 0, 2, 0); err != nil || d[0]*d[1]*d[2] != 12 || d[1] != 2 {
		return fmt.Errorf("dims %v, %v", d, err)
	}
	if _, err := w.Dims(12, 5, 0); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("5 divides 12: %v", err)
	}
	grid, err := c.Grid(ctx, []int{2, 2}, []bool{true, false}, false)
	if err != nil {
		return err
	}
	defer grid.Close()
	at, err := grid.Coords(grid.Rank())
	if err != nil || !slices.Equal(at, []int{grid.Rank() / 2, grid.Rank() % 2}) {
		return fmt.Errorf("rank %d is at %v, %v", grid.Rank(), at, err)
	}
	if r, err := grid.RankAt(at[0]+2, at[1]); err != nil || r != grid.Rank() {
		return fmt.Errorf("around: %d, %v", r, err)
	}
	if _, err := grid.RankAt(0, 2); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("outside: %v", err)
	}
	from, to, err := grid.Shift(1, 1)
	wantFrom, wantTo := mpi.ProcNull, grid.Rank()+1
	if at[1] == 1 {
		wantFrom, wantTo = grid.Rank()-1, mpi.ProcNull
	}
	if err != nil || from != wantFrom || to != wantTo {
		return fmt.Errorf("shifted: %d, %d, %v", from, to, err)
	}
	// What each neighbour has: -1 where there is none.
	in := []int32{-1, -1, -1, -1}
	if err := mpi.NeighborAllgather(ctx, grid, []int32{int32(grid.Rank())}, in); err != nil {
		return err
	}
	other := int32((grid.Rank() + 2) % 4)
	want := []int32{other, other, int32(grid.Rank() - 1), -1}
	if at[1] == 0 {
		want[2], want[3] = -1, int32(grid.Rank()+1)
	}
	if err := differ("neighbours in a grid", in, want); err != nil {
		return err
	}
	row, err := grid.SubGrid(ctx, false, true)
	if err != nil || row.Size() != 2 || row.Rank() != at[1] {
		return fmt.Errorf("a row: %v, %v", row, err)
	}
	if d, p := row.GridDims(); !slices.Equal(d, []int{2}) || p[0] {
		return fmt.Errorf("a row of %v, %v", d, p)
	}
	copied, err := grid.Dup(ctx)
	if err != nil {
		return err
	}
	if _, err := copied.Coords(0); err != nil {
		return err
	}
	line, err := c.Grid(ctx, []int{3}, []bool{false}, true)
	if err != nil || (line == nil) != (c.Rank() == 3) {
		return fmt.Errorf("a line of three: %v, %v", line, err)
	}
	if _, err := c.Grid(ctx, []int{5}, []bool{false}, true); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a line of five: %v", err)
	}
	if err := errors.Join(row.Close(), copied.Close(), line.Close()); err != nil {
		return err
	}
	return graphs(ctx, c)
}

func graphs(ctx context.Context, c *mpi.Comm) error {
	me := c.Rank()
	// A star around 0.
	star, err := c.Graph(ctx, [][]int{{1, 2, 3}, {0}, {0}, {0}}, false)
	if err != nil {
		return err
	}
	defer star.Close()
	from, _ := star.Neighbours()
	in := make([]int32, len(from))
	if err := mpi.NeighborAllgather(ctx, star, []int32{int32(10 + me)}, in); err != nil {
		return err
	}
	want := []int32{10}
	if me == 0 {
		want = []int32{11, 12, 13}
	}
	if err := differ("neighbours in a star", in, want); err != nil {
		return err
	}
	// A directed ring with a chord from 0 to 2.
	ins, outs := []mpi.Edge{{Rank: (me + 3) % 4, Weight: 1}}, []mpi.Edge{{Rank: (me + 1) % 4, Weight: 1}}
	if me == 0 {
		outs = append(outs, mpi.Edge{Rank: 2, Weight: 5})
	}
	if me == 2 {
		ins = append(ins, mpi.Edge{Rank: 0, Weight: 5})
	}
	ring, err := c.DistGraph(ctx, ins, outs, nil, false)
	if err != nil {
		return err
	}
	defer ring.Close()
	from, to := ring.Neighbours()
	if !slices.Equal(from, ins) || !slices.Equal(to, outs) {
		return fmt.Errorf("edges from %v to %v", from, to)
	}
	send, recv := make([]int32, len(outs)), make([]int32, len(ins))
	for i, e := range outs {
		send[i] = int32(10*me + e.Rank)
	}
	if err := mpi.NeighborAlltoall(ctx, ring, send, recv); err != nil {
		return err
	}
	want = nil
	for _, e := range ins {
		want = append(want, int32(10*e.Rank+me))
	}
	if err := differ("all to all in a ring", recv, want); err != nil {
		return err
	}
	// Blocks as long as the sender's rank.
	out, from2 := mpi.Blocks{}, mpi.Blocks{}
	send, want = nil, nil
	for range outs {
		out.Counts = append(out.Counts, me)
		send = append(send, vector[int32](me, me)...)
	}
	for _, e := range ins {
		from2.Counts = append(from2.Counts, e.Rank)
		want = append(want, vector[int32](e.Rank, e.Rank)...)
	}
	recv = make([]int32, len(want))
	if err := mpi.NeighborAlltoallv(ctx, ring, send, out, recv, from2); err != nil {
		return err
	}
	if err := differ("blocks in a ring", recv, want); err != nil {
		return err
	}
	clear(recv)
	if err := mpi.NeighborAllgatherv(ctx, ring, vector[int32](me, me), recv, from2); err != nil {
		return err
	}
	if err := differ("gathered blocks in a ring", recv, want); err != nil {
		return err
	}
	if _, err := c.DistGraph(ctx, []mpi.Edge{{Rank: 4}}, nil, nil, false); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("an edge from nowhere: %v", err)
	}
	return nil
}

// attributesAndHints runs on two ranks.
func attributesAndHints(ctx context.Context, w *mpi.World) error {
	var deleted []string
	key := &mpi.Key[string]{Name: "note", Copy: func(v string) (string, bool) { return v + " too", true }, Delete: func(v string) { deleted = append(deleted, v) }}
	private := &mpi.Key[int]{Name: "private"}
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	if _, err := key.Get(c); !errors.Is(err, isthmus.ErrNotFound) {
		return fmt.Errorf("an attribute that was not set: %v", err)
	}
	if err := errors.Join(key.Set(c, "a"), key.Set(c, "b"), private.Set(c, 5)); err != nil {
		return err
	}
	d, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	if v, err := key.Get(d); err != nil || v != "b too" {
		return fmt.Errorf("the copy has %q, %v", v, err)
	}
	if _, err := private.Get(d); !errors.Is(err, isthmus.ErrNotFound) {
		return fmt.Errorf("the copy has what is not copied: %v", err)
	}
	if err := errors.Join(private.Remove(c), private.Remove(c), d.Close(), c.Close()); err != nil {
		return err
	}
	if !slices.Equal(deleted, []string{"a", "b too", "b"}) {
		return fmt.Errorf("deleted %q", deleted)
	}
	if _, err := key.Get(c); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("an attribute of a closed communicator: %v", err)
	}
	if w.MaxTag() < 32767 {
		return fmt.Errorf("the largest tag is %d", w.MaxTag())
	}
	w.UniverseSize()
	w.AppNumber()

	h, err := mpi.NewHints(w, map[string]string{"one": "1", "two": "zwei"})
	if err != nil {
		return err
	}
	if v, err := h.Get("two"); err != nil || v != "zwei" {
		return fmt.Errorf("a hint: %q, %v", v, err)
	}
	if _, err := h.Get("three"); !errors.Is(err, isthmus.ErrNotFound) {
		return fmt.Errorf("no hint: %v", err)
	}
	two, err := h.Dup()
	if err != nil {
		return err
	}
	if err := errors.Join(h.Remove("one"), h.Set("three", "3")); err != nil {
		return err
	}
	if got, want := maps.Collect(h.All()), (map[string]string{"two": "zwei", "three": "3"}); !maps.Equal(got, want) {
		return fmt.Errorf("hints %v, want %v", got, want)
	}
	if got, want := maps.Collect(two.All()), (map[string]string{"one": "1", "two": "zwei"}); !maps.Equal(got, want) {
		return fmt.Errorf("copied hints %v, want %v", got, want)
	}
	for what, err := range map[string]error{"no key": h.Set("", "x"), "a long key": h.Set(string(make([]byte, 300)), "x"), "a NUL": h.Set("a\x00b", "x"), "no value": h.Set("a", "")} {
		if !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("%s: %v", what, err)
		}
	}
	if err := h.Remove("four"); !errors.Is(err, isthmus.ErrNotFound) {
		return fmt.Errorf("removing no hint: %v", err)
	}
	e, err := w.Comm().DupWithInfo(ctx, h)
	if err != nil {
		return err
	}
	used, err := e.Hints()
	if err != nil {
		return err
	}
	return errors.Join(used.Close(), e.Close(), h.Close(), two.Close())
}

// persistent runs on two ranks.
func persistent(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	send, recv := []int64{0}, make([]int64, 1)
	p, err := mpi.AllreduceInit(c, send, recv, mpi.Sum)
	if errors.Is(err, isthmus.ErrUnsupported) {
		if slices.Contains(w.Library().Missing, "MPI_Allreduce_init") {
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	bar, err := mpi.BarrierInit(c)
	if err != nil {
		return err
	}
	a, err := mpi.AlltoallvInit(c, []int64{1, 2, 3}, mpi.Blocks{Counts: []int{1, 2}}, make([]int64, 1+2*c.Rank()+1), mpi.Blocks{Counts: []int{1 + c.Rank(), 1 + c.Rank()}})
	if err != nil {
		return err
	}
	for i := range 50 {
		send[0] = int64(i * (c.Rank() + 1)) // the buffers are the program's between starts
		r, err := p.Start()
		if err != nil {
			return err
		}
		if _, err := p.Start(); !errors.Is(err, isthmus.ErrBusy) {
			if _, _, done, _ := r.Test(); !done {
				return fmt.Errorf("started twice: %v", err)
			}
		}
		b, _, err := r.Wait(ctx)
		if err != nil || b[0] != int64(3*i) {
			return fmt.Errorf("round %d: %v, %v", i, b, err)
		}
		if r, err = a.Start(); err != nil {
			return err
		}
		if b, _, err := r.Wait(ctx); err != nil || b[0] != int64(1+c.Rank()) {
			return fmt.Errorf("round %d of blocks: %v, %v", i, b, err)
		}
		q, err := bar.Start()
		if err != nil {
			return err
		}
		if _, _, err := q.Wait(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(p.Close(), p.Close(), bar.Close(), a.Close()); err != nil {
		return err
	}
	if _, err := p.Start(); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("started after Close: %v", err)
	}
	return nil
}
