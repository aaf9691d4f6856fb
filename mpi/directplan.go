package mpi

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// directKind is a collective operation that few processes do directly.
type directKind int

const (
	directBarrier directKind = iota
	directBcast
	directReduce
	directAllreduce
	directGather
	directScatter
	directAllgather
	directAlltoall
	directReduceScatter
	directScan
	directExscan
	directKinds
)

// String is what errors and the debug layer call the operation.
func (k directKind) String() string {
	return [directKinds]string{
		"barrier", "broadcast", "reduce", "allreduce", "gather", "scatter", "allgather", "all to all", "reduce and scatter blocks", "scan",
		"exclusive scan",
	}[k]
}

// rooted reports whether one process is another than the rest.
func (k directKind) rooted() bool {
	return k == directBcast || k == directReduce || k == directGather || k == directScatter
}

// reduces reports whether elements are combined.
func (k directKind) reduces() bool {
	return k == directReduce || k == directAllreduce || k >= directReduceScatter
}

// deals reports whether each process is sent something else.
func (k directKind) deals() bool {
	return k == directScatter || k == directAlltoall || k == directReduceScatter
}

// collects reports whether what the processes sent is received side by side.
func (k directKind) collects() bool {
	return k == directGather || k == directAllgather || k == directAlltoall
}

// sends reports whether a process sends something to another.
func (k directKind) sends(from, to, root int) bool {
	switch k {
	case directBcast, directScatter:
		return from == root
	case directReduce, directGather:
		return to == root
	case directScan, directExscan:
		return from < to
	}
	return true
}

// gives and takes report whether a process has something to send, and gets a result.
func (k directKind) gives(rank, root int) bool {
	return k != directBarrier && (k != directBcast && k != directScatter || rank == root)
}

func (k directKind) takes(rank, root int) bool {
	switch k {
	case directBarrier:
		return false
	case directBcast:
		return rank != root
	case directReduce, directGather:
		return rank == root
	}
	return true
}

// plan is the steps of a direct operation for n elements of a type, and the memory that they use: a block for what comes from
// each process, and after them, where each is sent something else, a block for each.
type plan struct {
	of    *direct
	what  directKind
	n     int
	root  int
	op    Op
	elem  any // the *elem[T]
	dt    *datatype
	frame *call.Frame
	data  []byte
	flag  *int32
	first *call.Step
	test  *call.Step
	last  *call.Step

	gives, takes bool // the caller's slices are used
	send, recv   int  // elements that they have
	from, to     int  // where in data they are copied to, and from
	self         int  // where a process's own block is copied to from where it would be sent; -1: nowhere
	stride       int  // bytes of a block
	apart        int  // bytes that the one begins after the other where the caller has the operation done in place
	keep         bool // what is not received stays as it is in the caller's memory
	key          sigKey
	place        int // of the operation in the communicator's sequence, for the debug layer

	requests int    // how many the library has for it
	statuses []byte // of them, where they are several
}

// notReached is the result of a step that has not run.
const notReached = 1<<32 - 1

// makePlan makes the steps for n elements of T, in the memory of the plan before. It gives nil for what is not done directly,
// which follows from what all processes know alike.
func (d *direct) makePlan(dt *datatype, r reduction, what directKind, n, root int, op Op) (*plan, error) {
	c, w := d.c, d.c.world
	me, size, stride := c.rank, c.size, n*dt.size
	p := d.plans[what]
	if p == nil {
		p = &plan{frame: call.Get()}
	}
	d.plans[what] = nil
	p.frame.Reset()
	*p = plan{
		of: d, what: what, n: n, root: root, op: op, elem: dt.elem, dt: dt, frame: p.frame, stride: stride, self: -1,
		gives: what.gives(me, root), takes: what.takes(me, root), send: n, recv: n, from: me * stride, key: what.key(dt.typ, root, op),
	}
	out := size * stride // where the blocks to deal begin
	switch {
	case what.deals():
		p.send, p.from = size*n, out
		if p.to = root * stride; what == directScatter && me == root {
			p.to = out + me*stride
		}
		if what != directScatter {
			p.self, p.to = me*stride, 0
		} else {
			p.apart = -me * stride
		}
	case what == directBcast:
		p.to = root * stride
	case what == directExscan && me == 0:
		p.to = (size - 1) * stride // where nothing comes
	}
	if what.collects() {
		p.recv = size * n
		if what != directAlltoall {
			p.apart = me * stride
		}
	}
	sums := 0
	switch {
	case what == directScan:
		sums = me
	case what == directExscan:
		sums = max(0, me-1)
	case what.reduces() && p.takes:
		sums = size - 1
	}
	p.keep = p.takes && sums == 0
	bytes := max(1, out)
	if what.deals() {
		bytes *= 2
	}
	var err error
	if p.data, err = call.Slice[byte](p.frame, bytes); err != nil {
		return nil, d.drop(p, err)
	}
	steps, err := call.Slice[call.Step](p.frame, 2*(size-1)+1+sums)
	if err != nil {
		return nil, d.drop(p, err)
	}
	width := w.lib.ABI.HandleSize
	reqs, err := call.Slice[byte](p.frame, 2*(size-1)*int(width))
	if err != nil {
		return nil, d.drop(p, err)
	}
	if p.statuses, err = call.Slice[byte](p.frame, 2*(size-1)*int(w.lib.ABI.StatusSize)); err != nil {
		return nil, d.drop(p, err)
	}
	if p.flag, err = call.New[int32](p.frame); err != nil {
		return nil, d.drop(p, err)
	}
	at := func(offset int) uintptr { return uintptr(mem.AddrOf(p.data)) + uintptr(offset) }
	used, made := 0, 0
	add := func(fn mpic.Func, args ...uintptr) *call.Step {
		s := &steps[used]
		if serr := w.step(s, fn, args...); serr != nil && err == nil {
			err = serr
		}
		if used > 0 {
			steps[used-1].Next = mem.AddrOfPtr(s)
		}
		used++
		return s
	}
	post := func(fn mpic.Func, offset int, count, typ uintptr, peer int) {
		w.lib.ABI.PutHandle(reqs, made, w.lib.ABI.RequestNull)
		add(fn, at(offset), count, typ, cint(peer), cint(int(what)), uintptr(d.comm), uintptr(mem.AddrOf(reqs))+uintptr(made)*width)
		made++
	}
	inCount, inType := dt.args(n, true)
	count, typ := uintptr(n), uintptr(dt.h)
	if what.reduces() {
		count, typ = cint(n*r.per), uintptr(r.dt)
		inCount, inType = count, typ
	}
	for peer := range size {
		if peer != me && what.sends(peer, me, root) {
			post(mpic.FnIrecv, peer*stride, inCount, inType, peer)
		}
	}
	for peer := range size {
		if peer != me && what.sends(me, peer, root) {
			offset := me * stride
			if what.deals() {
				offset = out + peer*stride
			}
			post(mpic.FnIsend, offset, count, typ, peer)
		}
	}
	flag := uintptr(mem.AddrOfPtr(p.flag))
	if p.requests = made; made == 1 {
		p.test = add(mpic.FnTest, uintptr(mem.AddrOf(reqs)), flag, uintptr(w.lib.ABI.StatusIgnore))
	} else {
		p.test = add(mpic.FnTestall, cint(made), uintptr(mem.AddrOf(reqs)), flag, uintptr(mem.AddrOf(p.statuses)))
	}
	p.test.Flag = mem.Addr(flag)
	for i := range sums {
		add(mpic.FnReduceLocal, at((i+1)*stride), at(0), count, typ, uintptr(r.op))
	}
	if err != nil {
		return nil, d.drop(p, err)
	}
	p.first, p.last = &steps[0], &steps[used-1]
	d.plans[what] = p
	return p, nil
}

// drop forgets a plan that cannot be made.
func (d *direct) drop(p *plan, err error) error {
	p.frame.Put()
	return fmt.Errorf("mpi: %v: %w", p.what, err)
}

// key is the operation as the debug layer knows it.
func (k directKind) key(t reflect.Type, root int, op Op) sigKey {
	out := sigKey{op: k.String()}
	if k != directBarrier {
		out.typ = t
	}
	if k.rooted() {
		out.root = strconv.Itoa(root)
	}
	if k.reduces() {
		out.red = op.String()
	}
	return out
}

// see has the debug layer see an operation that is about to begin, and gives its place.
func (k directKind) see(c *Comm, key sigKey, n int) int {
	if k == directBarrier {
		n = -1
	}
	return c.watched.call(key, n)
}
