package mpi

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Root, as the root of a collective operation on an intercommunicator, says that this process is it; the others of its
// group give [ProcNull], those of the other group its rank.
const Root = -4

// Blocks says where the parts of a buffer are, one for each process: Counts[i] elements from Offsets[i]. Without Offsets
// they follow one another.
type Blocks struct{ Counts, Offsets []int }

// kind is a collective operation and the functions that do it.
type kind struct {
	op   string
	now  mpic.Func // starts it
	init mpic.Func // prepares it
}

// collective is one collective operation on its way to the library. The first error of its parts is kept, and undoes
// the rest.
type collective struct {
	kind
	c     *Comm
	h     mpic.Handle
	o     *operation
	dt    *datatype
	user  *userCore // the reduction, when it is a UserOp
	args  [call.MaxStepArgs]uintptr
	n     int
	idle  bool // this process neither sends nor receives
	idles int  // the count that it gives all the same
	large bool // counts have 64 bits

	// For the debug layer.
	rooted    bool
	root      int
	each      int // elements, where all processes give as many
	reduction Reduction
	counts    []int  // of the blocks
	verb      string // before the name of the operation, of what blocking ones do not match

	err error
}

// collect opens the communicator for a collective operation on elements of T.
func collect[T any](c *Comm, k kind) collective {
	out := collective{kind: k, c: c}
	if out.h, out.err = c.use(k.op); out.err != nil {
		return out
	}
	if out.o, out.err = c.newOperation(k.op); out.err != nil {
		c.owned.Done()
		return out
	}
	out.o.fixed = true
	if out.dt, out.err = datatypeOf[T](c.world); out.err != nil {
		out.err = fmt.Errorf("mpi: %s: %w", k.op, out.err)
	}
	return out
}

// fail keeps the first error.
func (k *collective) fail(err error) {
	if k.err == nil {
		k.err = err
	}
}

// arg appends arguments of the C function.
func (k *collective) arg(a ...uintptr) {
	if k.err == nil {
		k.n += copy(k.args[k.n:], a)
	}
}

// blocks is how many processes a process exchanges with: those of the other group, in an intercommunicator.
func (c *Comm) blocks() int {
	if c.remote > 0 {
		return c.remote
	}
	return c.size
}

// role checks the root and says what this process does: receive (or send) as the root, take part as another process, or,
// in the root's group of an intercommunicator, nothing.
func (k *collective) role(root int) (isRoot, other bool, arg uintptr) {
	if k.err != nil {
		return false, false, 0
	}
	c := k.c
	k.rooted, k.root = true, root
	if c.remote > 0 && (root == Root || root == ProcNull) {
		if root == Root {
			return true, false, cint(c.world.lib.ABI.Root)
		}
		k.idle = true // a library may look at a buffer all the same: it has no elements
		return false, false, cint(c.world.lib.ABI.ProcNull)
	}
	if root < 0 || root >= c.blocks() {
		k.fail(fmt.Errorf("mpi: %s: root %d, %s has 0 to %d: %w: %w", k.op, root, c, c.blocks()-1, isthmus.ErrBounds, ErrRoot))
		return false, false, 0
	}
	if c.remote > 0 {
		return false, true, cint(root)
	}
	return root == c.rank, true, cint(root)
}

// lend lends a buffer to the library until the operation is over. A nil one of a process that has no part is nothing.
func lend[T any](k *collective, b []T, a ffi.Access) uintptr {
	if k.err != nil || len(b) == 0 {
		return 0
	}
	l, err := ffi.LendSlice(b, a)
	if err != nil {
		k.fail(fmt.Errorf("mpi: %s: %w", k.op, k.c.world.overlap(k.op, err)))
		return 0
	}
	if k.o.loans[0] == nil {
		k.o.loans[0] = l
	} else {
		k.o.loans[1] = l
	}
	if a == ffi.Exclusive && k.dt.bools {
		dt, op := k.dt, k.op
		k.after(func(err error) error {
			if err == nil {
				err = dt.validate(op, mem.Bytes(b))
			}
			return err
		})
	}
	return uintptr(mem.AddrOf(b))
}

// after arranges what is done when the library is done with the operation.
func (k *collective) after(f func(error) error) {
	before := k.o.ended
	if before == nil {
		k.o.ended = f
		return
	}
	k.o.ended = func(err error) error { return f(before(err)) }
}

// same reports whether two slices begin at one element: what is sent is then where it is received, the standard's
// MPI_IN_PLACE.
func same[T any](a, b []T) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// pair lends a buffer to send and one to receive into, or the one that is both.
func pair[T any](k *collective, send, recv []T, inPlace bool) (s, r uintptr) {
	if inPlace {
		return uintptr(k.c.world.lib.ABI.InPlace), lend(k, recv, ffi.Exclusive)
	}
	return lend(k, send, ffi.Shared), lend(k, recv, ffi.Exclusive)
}

// length checks how long a buffer is.
func (k *collective) length(what string, got, want int) {
	if k.err == nil && got != want {
		k.fail(bounds(k.op, "%d elements to %s, want %d", got, what, want))
	}
}

// reduce binds a reduction to T and gives the library's arguments count, datatype and operation.
func reduce[T any](k *collective, n int, op Reduction) (count, dt, h uintptr) {
	if k.err != nil {
		return 0, 0, 0
	}
	if op == nil {
		k.fail(invalid(k.op, "no reduction"))
		return 0, 0, 0
	}
	k.reduction, k.each = op, n
	r, err := op.bind(k.c.world, reflect.TypeFor[T]())
	if err != nil {
		k.fail(fmt.Errorf("mpi: %s: %w", k.op, err))
		return 0, 0, 0
	}
	if u, done := r.user, r.done; u != nil {
		n := u.faults.Load()
		k.user = u
		k.after(func(err error) error {
			done()
			if err == nil {
				err = u.since(n)
			}
			return err
		})
	}
	if r.dt == 0 {
		r.dt = k.dt.h
	}
	k.grow(n * r.per)
	if k.idle {
		n = k.idles
	}
	return uintptr(n * r.per), uintptr(r.dt), uintptr(r.op)
}

// layout checks the blocks of a buffer of size elements and gives the addresses of their counts and offsets. Blocks that
// are received into must not overlap.
func (k *collective) layout(what string, b Blocks, n, size int, recv bool) (counts, offsets uintptr) {
	if k.err != nil {
		return 0, 0
	}
	if len(b.Counts) != n || (b.Offsets != nil && len(b.Offsets) != n) {
		k.fail(bounds(k.op, "%d counts and %d offsets of what to %s, want %d", len(b.Counts), len(b.Offsets), what, n))
		return 0, 0
	}
	k.counts = b.Counts
	c, counts, err := int32s(k.o.frame, n)
	if err != nil {
		k.fail(err)
		return 0, 0
	}
	d, offsets, err := int32s(k.o.frame, n)
	if err != nil {
		k.fail(err)
		return 0, 0
	}
	next, sorted := 0, true
	for i, m := range b.Counts {
		at := next
		if b.Offsets != nil {
			at = b.Offsets[i]
		}
		if m < 0 || at < 0 || m > math.MaxInt32 || at > math.MaxInt32 || at > size-m {
			k.fail(bounds(k.op, "block %d of what to %s is %d elements from %d, the buffer has %d", i, what, m, at, size))
			return 0, 0
		}
		sorted = sorted && at >= next
		next = at + m
		c[i], d[i] = int32(m), int32(at)
	}
	if recv && !sorted {
		k.disjoint(b)
	}
	return counts, offsets
}

// disjoint checks that no two blocks overlap.
func (k *collective) disjoint(b Blocks) {
	order := make([]int, 0, len(b.Counts))
	for i, m := range b.Counts {
		if m > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(x, y int) int { return b.Offsets[x] - b.Offsets[y] })
	for i := 1; i < len(order); i++ {
		x, y := order[i-1], order[i]
		if b.Offsets[x]+b.Counts[x] > b.Offsets[y] {
			k.fail(invalid(k.op, "blocks %d and %d of what to receive overlap", x, y))
			return
		}
	}
}

// begin starts the operation. What it has is undone when it cannot.
func (k *collective) begin(look int64) error {
	k.arg(uintptr(k.h), 0)
	if k.err != nil {
		if k.o != nil {
			k.o.drop()
		}
		return k.err
	}
	k.args[k.n-1] = k.o.request()
	k.o.watch(k.user)
	if k.c.watched != nil {
		k.watchCall(k.verb)
	}
	return k.o.begin(k.now, look, k.args[:k.n]...)
}

// enter takes the communicator's turn: collective operations are called in one order, which two goroutines at once have
// not.
func (k *collective) enter() bool {
	if k.err == nil && !k.c.collective.CompareAndSwap(false, true) {
		k.fail(k.c.taken(k.op))
	}
	return k.err == nil
}

// taken is the error of who has not got the communicator's turn.
func (c *Comm) taken(op string) error {
	return fmt.Errorf("mpi: %s: %s: another goroutine is in a collective operation on it: %w; call them one after the other, or use a Comm.Dup for each", op, c, isthmus.ErrBusy)
}

// run does the operation and waits for its end.
func (k *collective) run(ctx context.Context) error {
	if k.err == nil && ctx.Err() != nil {
		k.fail(fmt.Errorf("mpi: %s: %w", k.op, context.Cause(ctx)))
	}
	if !k.enter() {
		if k.o != nil {
			k.o.drop()
		}
		return k.err
	}
	if k.c.world.foreign {
		return k.block(ctx)
	}
	defer k.c.collective.Store(false)
	if err := k.begin(k.c.world.spins()); err != nil {
		return err
	}
	_, err := complete(ctx, k.o, false)
	if err != nil && !k.o.isOver() {
		k.c.poisoned.Store(true)
	}
	return err
}

// request starts the operation; the request has b.
func request[T any](k *collective, b []T) (*Request[T], error) {
	if !k.enter() {
		if k.o != nil {
			k.o.drop()
		}
		return nil, k.err
	}
	defer k.c.collective.Store(false)
	o := k.o
	k.verb = "immediate "
	if k.err == nil {
		o.entry.Enter("mpi.Request(" + k.op + ")")
	}
	if err := k.begin(0); err != nil {
		o.entry.Leave()
		return nil, err
	}
	return newRequest(o, b), nil
}

// count is a length as a C int.
func (k *collective) count(n int) uintptr {
	k.grow(n)
	if k.idle {
		n = k.idles
	}
	k.each = n
	return uintptr(n)
}

// silent sets the count of a process that has no part in what n elements are sent, or, with unknown, some. The standard says
// that the count does not matter there; Open MPI forgets an operation of none at once and numbers only the others, so that
// the processes would not agree about the next one's number, and wait for ever.
func (k *collective) silent(n int, unknown bool) {
	if k.err != nil || !k.idle || k.c.world.lib.Family != mpic.OpenMPI {
		return
	}
	if k.idles = n; unknown {
		k.idles = 1
	}
}

// typ is the element's datatype.
func (k *collective) typ() uintptr {
	if k.dt == nil {
		return 0
	}
	return uintptr(k.dt.h)
}

// intra reports whether the communicator is of one group.
func (k *collective) intra() bool { return k.err == nil && k.c.remote == 0 }

func (k *collective) intraOnly() error {
	return fmt.Errorf("mpi: %s: %s is an intercommunicator: %w: %w; merge it first", k.op, k.c, isthmus.ErrInvalid, ErrComm)
}

// split divides a buffer among the processes.
func (k *collective) split(what string, n int) int {
	if k.err != nil {
		return 0
	}
	return k.part(what, n, k.c.blocks())
}

// part divides a buffer into n equal parts.
func (k *collective) part(what string, size, n int) int {
	if k.err != nil || (n == 0 && size == 0) {
		return 0
	}
	if n == 0 || size%n != 0 {
		k.fail(bounds(k.op, "%d elements to %s cannot be divided among %d", size, what, n))
		return 0
	}
	return size / n
}

// own lends what the root of a scatter receives into, unless it is its own part of what it sends.
func own[T any](k *collective, send, recv []T, at int) uintptr {
	if k.err == nil && same(recv, tail(send, at)) {
		return uintptr(k.c.world.lib.ABI.InPlace)
	}
	return lend(k, recv, ffi.Exclusive)
}

// tail is b from at, nothing where b ends before.
func tail[T any](b []T, at int) []T {
	if at < 0 || at >= len(b) {
		return nil
	}
	return b[at:]
}

// at is where a rank's block is, and how long. The blocks were checked.
func (b Blocks) at(rank int) (offset, n int) {
	if b.Offsets != nil {
		return b.Offsets[rank], b.Counts[rank]
	}
	for _, m := range b.Counts[:rank] {
		offset += m
	}
	return offset, b.Counts[rank]
}

// scale writes the counts of a reduction whose elements are several of the library's.
func (k *collective) scale(counts []int, per int, at *uintptr) {
	c, a, err := int32s(k.o.frame, len(counts))
	if err != nil {
		k.fail(err)
		return
	}
	for i, n := range counts {
		if n > math.MaxInt32/per {
			k.fail(bounds(k.op, "%d elements; reduce at most %d at once", n, math.MaxInt32/per))
			return
		}
		c[i] = int32(n * per)
	}
	*at = a
}
