package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Par runs f(0) to f(n-1), each once, in any order and on any goroutines, and returns when all are done. [Pool.Run] is
// one. A nil Par runs them one after the other.
type Par func(n int, f func(i int))

func (p Par) run(n int, f func(i int)) {
	if p == nil || n == 1 {
		for i := range n {
			f(i)
		}
		return
	}
	p(n, f)
}

// Pool is a set of goroutines that wait for work. The zero value and nil have none: they run everything in the caller.
//
// Run may be called from many goroutines and from inside a running function; the caller always takes part, so nested
// use cannot deadlock. A worker out of work looks for more for some microseconds, then it is parked and uses no processor
// time.
type Pool struct {
	wake    chan *job
	done    sync.WaitGroup
	jobs    sync.Pool
	closing sync.Once
	mu      sync.RWMutex // held for reading while a job is handed out, so that Close cannot close wake under it
	closed  bool
	extra   int
}

// job is one Run. It is reused once the last participant has let go of it.
type job struct {
	f    func(i int)
	stop func() bool
	n    int64
	next atomic.Int64 // next index to take
	left atomic.Int64 // indexes not finished yet
	refs atomic.Int64 // participants that may still touch the job
	fin  chan struct{}
	fail atomic.Pointer[failure]
}

// failure is what a call of f panicked with.
type failure struct{ value any }

// NewPool starts a pool that runs on up to n goroutines at a time, the caller included; n < 1 means GOMAXPROCS.
func NewPool(n int) *Pool {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{extra: n - 1}
	if p.extra == 0 {
		return p
	}
	p.wake = make(chan *job, p.extra)
	p.done.Add(p.extra)
	for range p.extra {
		go p.worker()
	}
	return p
}

// Size returns the number of goroutines that can work at a time, the caller included.
func (p *Pool) Size() int {
	if p == nil {
		return 1
	}
	return p.extra + 1
}

// Close stops the workers once they finish what they hold, and waits for them. Later calls of Run work in the caller
// alone. It must not be called from inside a running function. Close is safe to repeat.
func (p *Pool) Close() error {
	if p == nil || p.wake == nil {
		return nil
	}
	p.closing.Do(func() {
		p.mu.Lock()
		p.closed = true
		close(p.wake)
		p.mu.Unlock()
	})
	p.done.Wait()
	return nil
}

// Run calls f(0) to f(n-1), each once, in any order, on the caller and the workers, and returns when all are done. Its
// method value is a [Par]. If a call panics, no further ones are started, and Run panics with the same value in the
// caller once those running are done.
func (p *Pool) Run(n int, f func(i int)) { p.RunUntil(n, f, nil) }

// RunUntil is Run that asks stop, when not nil, before each call of f, and leaves out the calls that remain once stop
// says true. It reports whether all calls were made. stop must be safe for concurrent use.
func (p *Pool) RunUntil(n int, f func(i int), stop func() bool) bool {
	if n <= 0 {
		return true
	}
	if p == nil || p.extra == 0 || n == 1 {
		for i := range n {
			if stop != nil && stop() {
				return false
			}
			f(i)
		}
		return true
	}
	j, _ := p.jobs.Get().(*job)
	if j == nil {
		j = &job{fin: make(chan struct{}, 1)}
	}
	j.f, j.stop, j.n = f, stop, int64(n)
	j.next.Store(0)
	j.left.Store(int64(n))
	j.refs.Store(1)
	j.fail.Store(nil)
	p.offer(j, min(p.extra, n-1))
	j.work()
	<-j.fin
	all := j.next.Load() < stopped
	fail := j.fail.Load()
	p.release(j)
	if fail != nil {
		panic(fail.value)
	}
	return all
}

// offer asks up to k workers to join; when all are busy the caller does more itself.
func (p *Pool) offer(j *job, k int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return
	}
	for range k {
		j.refs.Add(1)
		select {
		case p.wake <- j:
		default:
			j.refs.Add(-1)
			return
		}
	}
}

func (p *Pool) worker() {
	defer p.done.Done()
	for j := range p.wake {
		j.work()
		p.release(j)
		for range spin {
			if len(p.wake) > 0 {
				break
			}
		}
	}
}

// spin is how often a worker looks for another job before it parks: some ten microseconds, because waking a parked
// goroutine costs more than that and jobs come in rows.
const spin = 8000

// release lets go of a job; the last one puts it back for reuse.
func (p *Pool) release(j *job) {
	if j.refs.Add(-1) == 0 {
		j.f, j.stop = nil, nil
		p.jobs.Put(j)
	}
}

// stopped is added to next to end a job early: larger than any n.
const stopped = 1 << 62

// work takes indexes until none are left. Whoever finishes the last one signals fin.
func (j *job) work() {
	running := int64(-1)
	defer func() {
		if running >= 0 { // f panicked, or ended its goroutine
			j.fail.CompareAndSwap(nil, &failure{recover()})
			j.cancel(running)
		}
	}()
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		if j.stop != nil && j.stop() {
			j.cancel(i)
			return
		}
		running = i
		j.f(int(i))
		running = -1
		if j.left.Add(-1) == 0 {
			j.fin <- struct{}{}
		}
	}
}

// cancel ends a job whose index i was taken and will not run: the ones after it that nobody took will not either.
func (j *job) cancel(i int64) {
	skipped := int64(1)
	if at := j.next.Swap(stopped); at < j.n {
		skipped += j.n - at
	}
	if j.left.Add(-skipped) == 0 {
		j.fin <- struct{}{}
	}
}
