package mpi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// maxPosted is how many operations a scope starts in one crossing; what is posted beyond is started in further ones.
const maxPosted = 8

// scopeGrace is how long a scope that fails waits for operations that it has cancelled.
const scopeGrace = 5 * time.Second

// Ops are the operations of a scope. One goroutine posts to it; see [Scope].
type Ops struct {
	c       *Comm
	h       mpic.Handle
	frame   *call.Frame
	block   *opsBlock
	n       int // posted and not yet waited for
	posted  [maxPosted]posted
	files   []fileInScope // transfers of files, which have begun
	started bool
	left    bool
	brief   bool // starting it and looking after it are short calls
	stuck   bool // a call threw: what is lent is never given back
	err     error
	ctx     context.Context // of the scope
}

type posted struct {
	lease  ffi.Lease
	held   []byte
	access ffi.Access
	dt     *datatype
	st     *Status
	op     string
	recv   bool
	nobody bool
	ended  bool   // before others of its batch, which has failed
	seen   *sight // by the debug layer
}

// opsBlock is what the library reads and writes.
type opsBlock struct {
	starts   [maxPosted]call.Step
	counts   [maxPosted]call.Step
	test     call.Step
	statuses [maxPosted * 40]byte
	reqs     [maxPosted * 8]byte
	count    [maxPosted]int32
	flag     int32
}

// Scope runs f, which posts operations on slices of the caller's memory with [PostSend] and [PostRecv], starts them and
// returns when all are over: what is lent in a scope is back when it is left. The operations start together when f returns,
// in one crossing into the library, or before at [Ops.Start] and [Ops.Wait], or when more than 8 are posted. It allocates
// nothing.
//
// When f fails, panics or ends its goroutine, what was not started is forgotten; what was is cancelled and waited for. When
// ctx ends, receives are cancelled. What the library does not let go of within 5 seconds stays lent: the scope is left
// with an error that wraps [isthmus.ErrBorrowed] and names it, a report says so, and the memory is kept until the library
// is done. A nil f is [isthmus.ErrInvalid].
func Scope(ctx context.Context, c *Comm, f func(s *Ops) error) (err error) {
	const op = "scope"
	if f == nil || ctx == nil {
		return invalid(op, "nil function or context")
	}
	if ctx.Err() != nil {
		return fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	var s *Ops
	if c != nil && !c.poisoned.Load() {
		s = c.scope.Swap(nil) // it has c in use
	}
	if s == nil {
		if _, err := c.use(op); err != nil {
			return err
		}
		if s, err = c.world.makeOps(); err != nil {
			c.owned.Done()
			return err
		}
	}
	s.c, s.h, s.n, s.started, s.left, s.brief, s.err, s.ctx = c, c.handle, 0, false, false, true, nil, ctx
	finished := false
	defer func() {
		if !finished {
			// f panicked or ended the goroutine, which goes on when the library has let go.
			if lerr := s.leave(ctx); lerr != nil {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLate, Object: isthmus.Object{Kind: "mpi.Scope"}, Err: lerr})
			}
		}
	}()
	err = f(s)
	finished = true
	if err == nil {
		err = s.err
	}
	if err == nil {
		err = s.Wait(ctx)
	}
	if lerr := s.leave(ctx); lerr != nil {
		return errors.Join(err, lerr)
	}
	return err
}

// PostSend posts a send of b to the process with rank to. b must not be written until the scope is left, or [Ops.Wait]
// has returned nil. Errors are those of [Send]; the scope fails with the first one, whoever looks at it. Calls MPI_Isend.
func PostSend[T any](s *Ops, b []T, to, tag int) error {
	return post(s, b, "send", mpic.FnIsend, to, tag, false, nil)
}

// PostRecv posts a receive into b from the process with rank from, or [AnySource]. b must not be touched until the scope is
// left, or [Ops.Wait] has returned nil. st, which may be nil, then says what was received. Calls MPI_Irecv.
func PostRecv[T any](s *Ops, b []T, from, tag int, st *Status) error {
	return post(s, b, "receive", mpic.FnIrecv, from, tag, true, st)
}

func post[T any](s *Ops, b []T, op string, fn mpic.Func, rank, tag int, recv bool, st *Status) error {
	if s == nil || s.c == nil || s.left {
		return fmt.Errorf("mpi: %s: post in a scope that was left: %w", op, isthmus.ErrClosed)
	}
	if s.started || s.n == maxPosted {
		// A new batch: the one before has to be over, since its places are used again.
		if err := s.Wait(s.ctx); err != nil {
			return s.fail(err)
		}
	}
	w := s.c.world
	dt, err := datatypeOf[T](w)
	if err != nil {
		return s.fail(fmt.Errorf("mpi: %s: %w", op, err))
	}
	if _, err := count(op, b); err != nil {
		return s.fail(err)
	}
	peer, err := s.c.peer(op, rank, recv)
	if err != nil {
		return s.fail(err)
	}
	label, err := s.c.label(op, tag, recv)
	if err != nil {
		return s.fail(err)
	}
	p := &s.posted[s.n]
	p.held, p.access, p.dt, p.st, p.op, p.recv, p.nobody, p.ended = mem.BytesOfPlain(b), ffi.Shared, dt, st, op, recv, rank == ProcNull, false
	if recv {
		p.access = ffi.Exclusive
	}
	if s.c.watched != nil {
		p.watchPost(s.c.watched, envelope{mpiwatch.Sends, rank, tag, len(b)})
	}
	if err := s.free(p); err != nil {
		p.held = nil
		return s.fail(fmt.Errorf("mpi: %s: %w", op, w.overlap(op, err)))
	}
	step := &s.block.starts[s.n]
	s.brief = s.brief && len(p.held) <= maxShort
	step.Fn = w.lib.Addr(fn) // both are there in every library that Open takes
	a := &step.Args
	n, typ := dt.args(len(b), recv)
	a[0], a[1], a[2], a[3], a[4], a[5] = uintptr(mem.AddrOf(b)), n, typ, peer, label, uintptr(s.h)
	a[6] = s.request(s.n)
	s.n++
	return nil
}

// fail keeps the first error.
func (s *Ops) fail(err error) error {
	if s.err == nil {
		s.err = err
	}
	return err
}

// free finds what is in the way of a buffer: among what is posted, and among what is lent in the process.
func (s *Ops) free(p *posted) error {
	if err := s.clash(p); err != nil {
		return err
	}
	if s.c.world.strict() {
		return p.lease.Take(p.held, p.access, p)
	}
	return ffi.Free(p.held, p.access)
}

// clash finds what is in the way of a buffer among what is posted.
func (s *Ops) clash(p *posted) error {
	start, end := mem.AddrOf(p.held), mem.AddrOf(p.held)+mem.Addr(len(p.held))
	for i := range s.n {
		q := &s.posted[i]
		at := mem.AddrOf(q.held)
		if len(p.held) > 0 && len(q.held) > 0 && start < at+mem.Addr(len(q.held)) && at < end && (p.recv || q.recv) {
			return &ffi.BorrowedError{Bytes: len(p.held), Want: p.access, Have: q.access, By: isthmus.Object{Kind: fmt.Sprintf("mpi.Scope, its %s %d", q.op, i), Site: q.Object().Site}}
		}
	}
	return nil
}

// Object describes the operation.
func (p *posted) Object() isthmus.Object {
	o := isthmus.Object{Kind: "mpi.Scope, " + p.op}
	if p.seen != nil {
		o.Site = p.seen.site
	}
	return o
}

// Start starts what was posted and looks after it once. It does not wait. Calls MPI_Testall.
func (s *Ops) Start() error {
	if s == nil || s.c == nil || s.left {
		return fmt.Errorf("mpi: start: the scope was left: %w", isthmus.ErrClosed)
	}
	if s.err != nil {
		return s.err
	}
	return s.begin(1)
}

// begin starts all that is posted, in one crossing, and tests it look times.
func (s *Ops) begin(look int64) error {
	if s.started || s.n == 0 {
		return nil
	}
	w, b := s.c.world, s.block
	for i := range s.n {
		b.starts[i].Ret = 1<<32 - 1 // not reached
		b.starts[i].Next = mem.AddrOfPtr(&b.starts[min(i+1, maxPosted-1)])
	}
	last := &b.starts[s.n-1]
	last.Next = mem.AddrOfPtr(&b.test)
	chain := &b.test
	chain.Next = 0
	for i := range s.n {
		if p := &s.posted[i]; p.recv && (p.st != nil || p.seen != nil) {
			c := &b.counts[i]
			c.Args[0] = uintptr(mem.AddrOf(b.statuses[:])) + uintptr(i)*w.lib.ABI.StatusSize
			c.Args[1], c.Next, c.Ret = uintptr(p.dt.h), 0, 0
			chain.Next = mem.AddrOfPtr(c)
			chain = c
		}
	}
	b.test.Args[0], b.test.Spins, b.test.Ret, b.flag = cint(s.n), look, 0, 0
	s.started = true
	if s.c.watched == nil {
		s.cross(&b.starts[0])
		if x := b.starts[0].Thrown(); x != nil {
			return s.suspect(x)
		}
	} else {
		s.watchStart()
	}
	for i := range s.n {
		if code := b.starts[i].Failed(); code != 0 {
			// The library refused one, and has not seen those after it.
			s.forget(i)
			return s.fail(w.failure(s.posted[i].op, code))
		}
	}
	return s.look()
}

// cross runs steps of the scope.
func (s *Ops) cross(first *call.Step) {
	if s.brief {
		s.c.world.short(first)
	} else {
		s.c.world.go1(first)
	}
}

// forget drops the posted operations from the i-th on, which the library has not.
func (s *Ops) forget(i int) {
	for j := i; j < s.n; j++ {
		s.posted[j].lease.Return()
		s.posted[j].held, s.posted[j].st, s.posted[j].seen = nil, nil, nil
	}
	s.n = i
	s.block.test.Args[0] = cint(i)
	if i == 0 {
		s.started = false
		return
	}
	s.lendAll()
}

// lendAll puts the buffers of operations that are under way into the table of loans.
func (s *Ops) lendAll() {
	for i := range s.n {
		if p := &s.posted[i]; len(p.held) > 0 && !p.lease.Out() {
			_ = p.lease.TakeLate(p.held, p.access, p) // its arguments are right
		}
	}
}

// look takes what the test has found.
func (s *Ops) look() error {
	b := s.block
	if code := b.test.Failed(); code != 0 {
		if x := b.test.Thrown(); x != nil {
			return s.suspect(x)
		}
		return s.over(code)
	}
	if b.flag != 0 {
		return s.over(0)
	}
	s.lendAll()
	return nil
}

// over ends the batch: the library has none of its buffers any more. It has those of a batch that has failed whose requests
// are there still, such as a receive from any process that could be from one that is gone.
func (s *Ops) over(code int32) error {
	w, b := s.c.world, s.block
	var err error
	pending := 0
	for i := range s.n {
		p := &s.posted[i]
		if p.ended {
			continue
		}
		if code != 0 && s.pending(i) {
			pending++
			continue
		}
		p.ended = true
		if p.seen != nil {
			s.watchEnd(i, code == 0)
		}
		p.lease.Return()
		if p.recv && code == 0 && (p.st != nil || p.dt.bools) {
			at := w.lib.ABI.Status(b.statuses[:], i)
			got := int(b.count[i])
			if p.dt.bools && err == nil {
				err = p.dt.validate(p.op, p.held)
			}
			if p.st != nil {
				if b.counts[i].Failed() != 0 {
					got = -1
				}
				if got == w.lib.ABI.Undefined {
					got = -1
					if err == nil {
						err = p.dt.partial(p.op)
					}
				}
				*p.st = Status{Source: at.Source, Tag: at.Tag, Count: got}
				if p.nobody || at.Source == w.lib.ABI.ProcNull {
					*p.st = Status{Source: ProcNull, Tag: AnyTag}
				}
			}
		}
		p.held, p.st, p.dt, p.seen = nil, nil, nil, nil
	}
	if code != 0 {
		if err = s.failure(code); s.err == nil {
			s.c.tell(err)
		}
		clear(b.statuses[:])
	}
	if pending == 0 {
		s.n, s.started = 0, false
	} else {
		s.lendAll()
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// pending reports whether the library has the i-th request of a batch that has failed. One that is over and that it keeps, as
// it does where a process is gone, is freed.
func (s *Ops) pending(i int) bool {
	a := &s.c.world.lib.ABI
	if a.GetHandle(s.block.reqs[:], i) == a.RequestNull {
		return false
	}
	if s.block.flag == 0 {
		return true
	}
	f := call.Get()
	defer f.Put()
	s.c.world.run(f, mpic.FnRequestFree, s.request(i))
	return false
}

// request is the address of the i-th request.
func (s *Ops) request(i int) uintptr {
	return uintptr(mem.AddrOf(s.block.reqs[:])) + uintptr(i)*s.c.world.lib.ABI.HandleSize
}

// failure is the error of a test of many: the first of theirs.
func (s *Ops) failure(code int32) error {
	i, code := s.c.world.firstFailure(s.block.statuses[:], s.n, code)
	if i < 0 {
		return s.c.world.failure("scope", code)
	}
	return s.c.world.failure(s.posted[i].op, code)
}

// firstFailure finds which of n requests failed, and how, when a test of all failed with code; -1 and the code where none says.
func (w *World) firstFailure(statuses []byte, n int, code int32) (int, int32) {
	for i := range n {
		if e := w.lib.ABI.Status(statuses, i).Error; e != 0 && e != w.lib.ABI.ErrPending && e != w.lib.ABI.ErrInStatus {
			f := call.Get()
			class, err := call.New[int32](f)
			ok := err == nil && w.run(f, mpic.FnErrorClass, cint(e), uintptr(mem.AddrOfPtr(class))) == 0 && int(*class) == w.lib.ABI.ErrInStatus
			f.Put()
			if !ok {
				return i, int32(e)
			}
		}
	}
	return -1, code
}

// Wait starts what was posted and returns when all is over: the slices may be used again, and more may be posted. When ctx
// ends, receives are cancelled, and the scope fails. It must not be called by two goroutines.
func (s *Ops) Wait(ctx context.Context) error {
	if s == nil || s.c == nil || s.left {
		return fmt.Errorf("mpi: wait: the scope was left: %w", isthmus.ErrClosed)
	}
	if s.err != nil {
		return s.err
	}
	if err := s.begin(spins); err != nil {
		return err
	}
	return s.finish(ctx)
}

// finish waits for what was started.
func (s *Ops) finish(ctx context.Context) error {
	err := s.finishPosted(ctx)
	if len(s.files) > 0 {
		if ferr := s.finishFiles(ctx); err == nil {
			err = ferr
		}
	}
	return err
}

func (s *Ops) finishPosted(ctx context.Context) error {
	p := s.c.world.patienceFor(s)
	bytes := 0
	for i := range s.n {
		bytes += len(s.posted[i].held)
	}
	p.large = hops(bytes)
	for s.started && !s.stuck {
		s.block.test.Spins = p.looks()
		s.cross(&s.block.test)
		if err := s.look(); err != nil && !s.left || !s.started {
			return err // in a scope that is left, what has failed is cancelled, and its end waited for
		}
		if err := p.pause(ctx); err != nil {
			return s.fail(fmt.Errorf("mpi: scope: %w", err))
		}
	}
	return nil
}

// leave ends the scope. What is still under way is cancelled and waited for, and given to a goroutine that keeps it if it
// does not end.
func (s *Ops) leave(ctx context.Context) error {
	s.left = true
	if s.stuck {
		return nil // the scope's own error says so
	}
	c := s.c
	if !s.started && len(s.files) == 0 {
		s.forget(0)
		s.release()
		return nil
	}
	f := call.Get()
	if !s.started {
		s.forget(0)
	}
	for i := range s.n {
		if s.posted[i].recv && !s.posted[i].ended {
			c.world.run(f, mpic.FnCancel, s.request(i))
		}
	}
	f.Put()
	limit, stop := context.WithTimeout(context.WithoutCancel(ctx), scopeGrace)
	defer stop()
	err := s.finish(limit)
	if !s.started && len(s.files) == 0 {
		s.release()
		return nil // the scope's own error says what went wrong
	}
	var out []string
	for i := range s.n {
		if s.posted[i].ended {
			continue
		}
		out = append(out, fmt.Sprintf("%s of %d bytes", s.posted[i].op, len(s.posted[i].held)))
	}
	c.world.watch.unfinished(s)
	for _, x := range s.files {
		out = append(out, x.o.op)
	}
	err = fmt.Errorf("mpi: leave scope: the library still has %q: %w: %w; the memory stays lent until it is done", out, isthmus.ErrBorrowed, err)
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLate, Object: isthmus.Object{Kind: "mpi.Scope"}, Err: err})
	go func() { // the communicator stays in use meanwhile, so that MPI is not ended under it
		if _ = s.finish(context.Background()); !s.stuck {
			s.release()
		}
	}()
	return err
}

// release leaves the scope to the communicator for the next, with the use of it.
func (s *Ops) release() {
	c := s.c
	s.c, s.ctx = nil, nil
	if !c.scope.CompareAndSwap(nil, s) {
		c.owned.Done()
		s.frame.Put()
	}
}

// makeOps makes a scope, which is used again by the communicator that it was made for.
func (w *World) makeOps() (*Ops, error) {
	s := &Ops{frame: call.Get()}
	var err error
	if s.block, err = call.New[opsBlock](s.frame); err != nil {
		s.frame.Put()
		return nil, err
	}
	b := s.block
	if err := w.step(&b.test, mpic.FnTestall, 0, uintptr(mem.AddrOf(b.reqs[:])), uintptr(mem.AddrOfPtr(&b.flag)), uintptr(mem.AddrOf(b.statuses[:]))); err != nil {
		s.frame.Put()
		return nil, err
	}
	b.test.Flag = mem.AddrOfPtr(&b.flag)
	for i := range b.counts {
		if err := w.step(&b.counts[i], mpic.FnGetCount, 0, 0, uintptr(mem.AddrOfPtr(&b.count[i]))); err != nil {
			s.frame.Put()
			return nil, err
		}
	}
	return s, nil
}
