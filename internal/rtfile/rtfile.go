// Package rtfile is the files of the language runtime: objects in its heap whose work is done on a bounded pool of
// goroutines, so that neither a goroutine nor a thread of C waits for a disk unless it wants to.
//
// Operations on one file take effect in the order in which they were asked for; reads run beside each other. Each ends
// once, by a call of its Done, which gets the result or says why there is none. A file that nobody counts any more is
// closed behind what it still has to do.
package rtfile

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Mode says how a file is opened. The numbers are those of open(2) on Linux, which programs for the original runtime pass.
type Mode int32

// The modes: one of the first three, and any of the others.
const (
	Read      Mode = 0
	Write     Mode = 1
	ReadWrite Mode = 2
	access    Mode = 3

	Create    Mode = 0x40
	Exclusive Mode = 0x80
	Truncate  Mode = 0x200
	Append    Mode = 0x400
	// Atomic writes to a file beside it, which takes its place when it is closed: readers see the old one or the whole new
	// one, also when the process dies. It begins empty.
	Atomic Mode = 0x10000

	allModes = access | Create | Exclusive | Truncate | Append | Atomic
)

func (m Mode) reads() bool  { return m&access != Write }
func (m Mode) writes() bool { return m&access != Read }

func (m Mode) valid() bool {
	switch {
	case m&^allModes != 0 || m&access == access:
		return false
	case !m.writes() && m&(Create|Truncate|Append|Atomic) != 0:
		return false
	}
	return m&Atomic == 0 || m&(Append|Exclusive) == 0
}

// State is how far the opening of a file is. The numbers are the original's.
type State int32

// The states.
const (
	Pending State = iota
	Loading
	Ready
	Failed
)

// Done gets the result of an operation, with the caller's count of it, or an [*Error]. It is called once, perhaps before
// the operation returns, and must not wait.
type Done func(v rtheap.Value, err error)

// Pool is the files of a heap and who works on them.
type Pool struct {
	heap *rtheap.Heap
	room chan struct{} // one for each operation that has not ended

	mu      sync.Mutex
	calm    sync.Cond // running has become 0
	ready   []*op
	running int
	workers int
	files   map[uint64]*file
	next    uint64
	stopped bool
}

// MaxPending is how many operations may be under way or wait.
const MaxPending = 1 << 14

// New makes the pool of a heap's files, and has the heap tell it when one ends.
func New(h *rtheap.Heap) *Pool {
	p := &Pool{heap: h, room: make(chan struct{}, MaxPending), workers: max(4, 2*runtime.GOMAXPROCS(0)), files: map[uint64]*file{}}
	p.calm.L = &p.mu
	h.EndFile = p.Forget
	return p
}

var process struct {
	sync.Mutex
	pool *Pool
}

// Process is the pool of the process's heap.
func Process() (*Pool, error) {
	process.Lock()
	defer process.Unlock()
	if process.pool == nil {
		h, err := rtheap.Process()
		if err != nil {
			return nil, err
		}
		process.pool = New(h)
	}
	return process.pool, nil
}

// Made is the process's pool, nil when nobody asked for it.
func Made() *Pool {
	process.Lock()
	defer process.Unlock()
	return process.pool
}

// file is what a file object stands for. The pool's lock guards it, but for what only the operation under way touches.
type file struct {
	id   uint64
	path string
	mode Mode

	state   State
	failure error // why it could not be opened
	waiting []*op // in order
	reads   int   // under way
	writes  bool
	closing bool

	os     *os.File
	temp   string // atomic: where it is written
	broken error  // atomic: a write failed, so it does not take its place
}

// op is an operation.
type op struct {
	f         *file
	exclusive bool // nothing else runs beside it
	keep      bool // it is done also when the file is closed behind it
	last      bool // it closes the file: it is always done, and needs no room
	run       func() (rtheap.Value, error)
	done      Done
}

// Op is an operation that was asked for.
type Op struct {
	p *Pool
	o *op
}

// Cancel ends an operation that has not begun: its Done gets Cancelled. One that has begun goes on.
func (x Op) Cancel() {
	if x.o == nil {
		return
	}
	p := x.p
	p.mu.Lock()
	i := slices.Index(x.o.f.waiting, x.o)
	if i >= 0 {
		x.o.f.waiting = slices.Delete(x.o.f.waiting, i, i+1)
		p.start(x.o.f)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.end(x.o, rtheap.Nil, failure(rtheap.IsCancelled, nil))
	}
}

// end gives an operation's result and its room back.
func (p *Pool) end(o *op, v rtheap.Value, err error) {
	if !o.last {
		<-p.room
	}
	o.done(v, err)
}

// acquire waits for room for an operation: with a nil context it does not wait.
func (p *Pool) acquire(ctx context.Context) error {
	select {
	case p.room <- struct{}{}:
		return nil
	default:
	}
	if ctx == nil {
		return failure(rtheap.NoMemory, errTooMany)
	}
	select {
	case p.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return failure(rtheap.IsCancelled, ctx.Err())
	}
}

// Open makes a file object, and opens the file soon: what is done with it waits for that, and fails as it failed.
func (p *Pool) Open(ctx context.Context, path string, m Mode, prefault bool) (rtheap.Value, error) {
	if path == "" || strings.IndexByte(path, 0) >= 0 || !m.valid() {
		return rtheap.Nil, failure(rtheap.BadValue, errBadPath)
	}
	if err := p.acquire(ctx); err != nil {
		return rtheap.Nil, err
	}
	f := &file{path: path, mode: m}
	p.mu.Lock()
	p.next++
	f.id = p.next
	p.files[f.id] = f
	p.mu.Unlock()
	v, code := p.heap.NewFile(f.id)
	if code != rtheap.OK {
		<-p.room
		p.mu.Lock()
		delete(p.files, f.id)
		p.mu.Unlock()
		return rtheap.Nil, failure(code, nil)
	}
	p.submit(&op{f: f, exclusive: true, keep: true, done: func(rtheap.Value, error) {}, run: func() (rtheap.Value, error) {
		p.setState(f, Loading, nil)
		err := f.open()
		if err == nil && prefault {
			_, err = f.prefault(0, -1)
		}
		if err != nil {
			err = failed(err)
			p.setState(f, Failed, err)
		} else {
			p.setState(f, Ready, nil)
		}
		return rtheap.Nil, err
	}})
	return v, nil
}

func (p *Pool) setState(f *file, s State, err error) {
	p.mu.Lock()
	f.state, f.failure = s, err
	p.mu.Unlock()
}

// submit queues an operation that has room.
func (p *Pool) submit(o *op) Op {
	p.mu.Lock()
	switch {
	case p.stopped:
		p.mu.Unlock()
		p.end(o, rtheap.Nil, failure(rtheap.NotStarted, nil))
		return Op{}
	case o.f.closing:
		p.mu.Unlock()
		p.end(o, rtheap.Nil, failure(rtheap.IsClosed, nil))
		return Op{}
	}
	o.f.waiting = append(o.f.waiting, o)
	p.start(o.f)
	p.mu.Unlock()
	return Op{p, o}
}

// start has those begin that may: under the lock.
func (p *Pool) start(f *file) {
	for len(f.waiting) > 0 && !f.writes {
		o := f.waiting[0]
		if o.exclusive && f.reads > 0 {
			return
		}
		f.waiting = f.waiting[1:]
		if o.exclusive {
			f.writes = true
		} else {
			f.reads++
		}
		p.ready = append(p.ready, o)
		if p.running < p.workers {
			p.running++
			go p.work()
		}
	}
}

// work does what is ready, and ends when nothing is.
func (p *Pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 {
		o := p.ready[0]
		p.ready = p.ready[1:]
		f := o.f
		err := f.failure
		if p.stopped {
			err = failure(rtheap.NotStarted, nil)
		}
		p.mu.Unlock()
		v := rtheap.Nil
		if err == nil || o.last {
			v, err = o.run()
		}
		p.end(o, v, err)
		p.mu.Lock()
		if o.exclusive {
			f.writes = false
		} else {
			f.reads--
		}
		p.start(f)
	}
	p.running--
	if p.running == 0 {
		p.calm.Broadcast()
	}
}

// find is the file that v names, or an error.
func (p *Pool) find(v rtheap.Value) (*file, error) {
	id, code := p.heap.FileID(v)
	if code != rtheap.OK {
		return nil, failure(code, nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.files[id]; f != nil {
		return f, nil
	}
	return nil, failure(rtheap.BadHandle, nil)
}

// ask has an operation done on the file that v names.
func (p *Pool) ask(ctx context.Context, v rtheap.Value, done Done, make func(f *file) (*op, error)) Op {
	f, err := p.find(v)
	var o *op
	if err == nil {
		o, err = make(f)
	}
	if err == nil {
		err = p.acquire(ctx)
	}
	if err != nil {
		done(rtheap.Nil, err)
		return Op{}
	}
	o.f, o.done = f, done
	return p.submit(o)
}

// State is how far the file's opening is. Failed also of what is no file.
func (p *Pool) State(v rtheap.Value) State {
	f, err := p.find(v)
	if err != nil {
		return Failed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.closing {
		return Failed
	}
	return f.state
}

// Forget is told of the end of a file object: the file is closed behind what it has to do.
func (p *Pool) Forget(id uint64) {
	p.mu.Lock()
	f := p.files[id]
	delete(p.files, id)
	p.mu.Unlock()
	if f != nil {
		p.close(f, func(rtheap.Value, error) {}, false)
	}
}

// Close closes a file behind what it has to do: writes are done, reads that have not begun are cancelled. The result is
// true; IsClosed when it was closed before. Of an atomic file, an error says that the old one is still in its place.
func (p *Pool) Close(v rtheap.Value, done Done) {
	f, err := p.find(v)
	if err != nil {
		done(rtheap.Nil, err)
		return
	}
	p.close(f, done, true)
}

// close submits the last operation. It needs no room: there is one for each file.
func (p *Pool) close(f *file, done Done, commit bool) {
	p.mu.Lock()
	if f.closing {
		p.mu.Unlock()
		done(rtheap.Nil, failure(rtheap.IsClosed, nil))
		return
	}
	f.closing = true
	var given []*op
	f.waiting = slices.DeleteFunc(f.waiting, func(o *op) bool {
		if !o.keep {
			given = append(given, o)
		}
		return !o.keep
	})
	f.waiting = append(f.waiting, &op{f: f, exclusive: true, keep: true, last: true, done: done, run: func() (rtheap.Value, error) {
		return rtheap.True, f.close(commit)
	}})
	p.start(f)
	p.mu.Unlock()
	for _, o := range given {
		p.end(o, rtheap.Nil, failure(rtheap.IsCancelled, errClosedBefore))
	}
}

// Stop cancels what has not begun and waits for what has. Nothing begins until Start.
func (p *Pool) Stop() {
	p.mu.Lock()
	p.stopped = true
	var given []*op
	for _, f := range p.files {
		f.waiting = slices.DeleteFunc(f.waiting, func(o *op) bool {
			if !o.last {
				given = append(given, o)
			}
			return !o.last
		})
		p.start(f)
	}
	p.mu.Unlock()
	for _, o := range given {
		p.end(o, rtheap.Nil, failure(rtheap.NotStarted, nil))
	}
	p.mu.Lock()
	for p.running > 0 {
		p.calm.Wait()
	}
	p.mu.Unlock()
}

// Start lets operations begin again.
func (p *Pool) Start() {
	p.mu.Lock()
	p.stopped = false
	p.mu.Unlock()
}
