package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Options say how to open MPI. The zero value is right for a program that mpiexec started.
type Options struct {
	// Library is the path or name of the MPI library. "" finds it: by the environment variable ISTHMUS_MPI, by the
	// launcher that started the process, by the names that the libraries have.
	Library string
	// Threads is how many goroutines may call at once; the zero value asks for any number.
	Threads ThreadLevel
	// Foreign says that processes take part that do not use this package, programs in C, Fortran or Python. Functions then
	// call what a C program calls, one for one: collective operations that wait call the blocking functions of MPI, which
	// do not match the immediate ones (MPI-4.1, 6.12) that are called otherwise; small reductions are not exchanged
	// directly; and windows are made without telling each other how long they are, see [CreateWin]. Each such operation
	// holds a thread while it waits, and when its context ends the call goes on in the library, which keeps the buffers
	// until it returns. All processes that use this package say the same.
	//
	// Without it, what such a program does in a collective operation is not joined: the operation waits until its context
	// ends, and the error of a deadline recalls this option. MPI has no way to ask another process what it runs.
	Foreign bool
	// MaxWaits is how many calls may wait for other processes inside the library at once, each on a thread of the operating
	// system's: those that make communicators and windows, and the epochs of windows, for which the library has no other
	// form. One more is [isthmus.ErrLimit]. Sends, receives and collective operations wait in Go, on no thread, and do not
	// count. 0 is 256.
	MaxWaits int
	// FinalizeTimeout bounds MPI_Finalize, which waits for the other processes. 0 is 30 seconds, negative no limit.
	FinalizeTimeout time.Duration
	// Checks are those of the debug layer.
	Checks Checks
}

// ThreadLevel is how the library may be called by several threads (MPI-4.1, 11.6.2).
type ThreadLevel int

// The thread levels. Whatever a library provides, any goroutine may call: where it takes calls of one thread at a time,
// or of one thread only, they are passed on so.
const (
	ThreadMultiple   ThreadLevel = iota // any thread, at any time
	ThreadSerialized                    // any thread, one at a time
	ThreadFunneled                      // the thread that initialised MPI
	ThreadSingle                        // as ThreadFunneled, and there is no other
)

// String returns the name in the standard.
func (l ThreadLevel) String() string {
	switch l {
	case ThreadMultiple:
		return "MPI_THREAD_MULTIPLE"
	case ThreadSerialized:
		return "MPI_THREAD_SERIALIZED"
	case ThreadFunneled:
		return "MPI_THREAD_FUNNELED"
	case ThreadSingle:
		return "MPI_THREAD_SINGLE"
	}
	return fmt.Sprintf("ThreadLevel(%d)", int(l))
}

// World is MPI in this process: the library, initialised, and the processes that were started together. It is safe for
// concurrent use.
type World struct {
	owned    ffi.Owned[*mpic.Library]
	lib      *mpic.Library
	threads  ThreadLevel
	timeout  time.Duration
	foreign  bool // there are processes that do not use this package
	mortal   bool // processes may be lost, and the rest go on: collective operations are the library's, which ends them for that
	comms    ffi.Class[mpic.Handle]
	comm     *Comm
	self     *Comm
	serial   sync.Mutex               // held for each call where the library takes one at a time
	main     chan func()              // of the thread that initialises and finalises MPI (MPI-4.1, 11.2.2)
	funneled bool                     // and makes all other calls too
	reaper   reaper                   // of requests that were given up on
	idle     idle                     // operations to be used again
	types    sync.Map                 // reflect.Type -> *datatype
	recent   atomic.Pointer[datatype] // the one that was asked for last
	roomy    bool                     // there is a processor for each process of this machine: nobody has to be let in soon
	received *received                // where a status has its count; nil: only the library knows
	waits    atomic.Int64             // calls that wait in C
	maxWaits int64                    // and how many may
	crowd    crowd                    // of those who wait
	multiple bool                     // any thread may call at any time
	parent   struct {                 // what has spawned this process
		mu    sync.Mutex
		asked bool
		comm  *Comm
	}
	watch    *watcher                   // the debug layer; nil: off
	attached atomic.Pointer[SendBuffer] // of buffered sends
	tagLimit atomic.Int64               // the largest tag, 0 until it was asked for
}

// environment is what libraries read when they are loaded or initialised, where the user has not said otherwise.
var environment = map[string]string{
	// UCX would take over the signals of faults. What it takes anyway is given back.
	"UCX_ERROR_SIGNALS": "",
}

// process is the one MPI of this process: it can be initialised once, and not again after it was finalised.
var process struct {
	mu    sync.Mutex
	state int // 0 not yet, 1 open, 2 closed
}

// Open finds the MPI library, loads and initialises it. All processes that were started together have to call it.
// The caller closes the World. Calls MPI_Init_thread.
//
// Errors: [isthmus.ErrNotFound] with all that was looked for; [isthmus.ErrBusy] when MPI is open already, by this
// package or by another library in the process; [isthmus.ErrClosed] after it was closed, since MPI cannot be initialised
// twice; [isthmus.ErrVersion] when the launcher is another family's than the library, so that every process would be
// alone.
func Open(ctx context.Context, o Options) (*World, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("mpi: open: %w", context.Cause(ctx))
	}
	if o.Threads < ThreadMultiple || o.Threads > ThreadSingle {
		return nil, invalid("open", "%v", o.Threads)
	}
	process.mu.Lock()
	defer process.mu.Unlock()
	switch process.state {
	case 1:
		return nil, fmt.Errorf("mpi: open: MPI is open in this process: %w", isthmus.ErrBusy)
	case 2:
		return nil, fmt.Errorf("mpi: open: MPI was closed in this process and cannot be opened again: %w", isthmus.ErrClosed)
	}
	for name, value := range environment {
		if _, set := os.LookupEnv(name); !set {
			_ = os.Setenv(name, value)
		}
	}
	paths := []string{o.Library}
	if o.Library == "" {
		paths = mpic.Candidates(os.Getenv)
	}
	lib, err := mpic.Open(paths...)
	if err != nil {
		return nil, fmt.Errorf("mpi: open: %w; install Open MPI or MPICH, or name a library with %s", err, mpic.EnvLibrary)
	}
	w := &World{lib: lib, timeout: o.FinalizeTimeout, foreign: o.Foreign, maxWaits: int64(o.MaxWaits)}
	if w.maxWaits <= 0 {
		w.maxWaits = maxWaits
	}
	if w.timeout == 0 {
		w.timeout = 30 * time.Second
	}
	if err := w.init(o.Threads); err != nil {
		return nil, err
	}
	process.state = 1
	if err := w.begin(); err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	w.newWatcher(ctx, o.Checks)
	return w, nil
}

// level is the library's number for a level.
func (w *World) level(l ThreadLevel) int {
	a := &w.lib.ABI
	return []int{a.ThreadMultiple, a.ThreadSerialized, a.ThreadFunneled, a.ThreadSingle}[l]
}

// init initialises the library and arranges how it is called.
func (w *World) init(want ThreadLevel) error {
	f := call.Get()
	defer f.Put()
	n, err := call.Slice[int32](f, 2)
	if err != nil {
		return err
	}
	if w.run(f, mpic.FnInitialized, uintptr(mem.AddrOfPtr(&n[0]))) == 0 && n[0] != 0 {
		return fmt.Errorf("mpi: open: another library of this process has initialised MPI: %w", isthmus.ErrBusy)
	}
	w.main = make(chan func())
	go serveThread(w.main)
	before := mpic.Signals()
	var code int32
	// Nothing is known of the library's threads yet: run calls here, on the main thread.
	w.onMain(func() {
		code = w.run(f, mpic.FnInitThread, 0, 0, uintptr(w.level(want)), uintptr(mem.AddrOfPtr(&n[1])))
	})
	before.Restore()
	if code != 0 {
		return w.failure("open", code)
	}
	w.threads = ThreadSingle
	for l := ThreadMultiple; l <= ThreadSingle; l++ {
		if int(n[1]) == w.level(l) {
			w.threads = l
			break
		}
	}
	w.funneled = max(w.threads, want) >= ThreadFunneled
	return nil
}

// begin makes what every program needs, and compares the number of processes with what the launcher says.
func (w *World) begin() error {
	class := &ffi.Class[*mpic.Library]{Name: "mpi.World", Destroy: func(*mpic.Library) error { return errors.Join(w.freeTypes(), w.finalize()) }, Backstop: ffi.BackstopReport}
	if err := w.owned.Init(class, w.lib); err != nil {
		return err
	}
	w.comms.Name, w.comms.Destroy, w.comms.Backstop = "mpi.Comm", w.freeComm, ffi.BackstopReport
	var err error
	if w.comm, err = w.newComm(w.lib.ABI.CommWorld, "MPI_COMM_WORLD", predefined); err != nil {
		return err
	}
	if w.self, err = w.newComm(w.lib.ABI.CommSelf, "MPI_COMM_SELF", predefined); err != nil {
		return err
	}
	w.multiple = !w.funneled && w.threads != ThreadSerialized
	w.received = w.findReceived()
	w.roomy = roomy(os.Getenv, w.comm.size)
	w.mortal = mortal(os.Getenv)
	if f, size, ok := mpic.Launched(os.Getenv); ok && size != "" {
		if n, err := strconv.Atoi(size); err == nil && n != w.comm.size && w.comm.size == 1 {
			return fmt.Errorf("mpi: open: the launcher of %s has started %d processes, and %s (%s) sees itself alone: %w; start the program with the mpiexec of its library",
				f, n, w.lib.Path, w.lib.Family, isthmus.ErrVersion)
		}
	}
	return nil
}

// Comm is the communicator of all processes that were started together, MPI_COMM_WORLD. It belongs to the World.
func (w *World) Comm() *Comm {
	if w == nil {
		return nil
	}
	return w.comm
}

// Self is the communicator of this process alone, MPI_COMM_SELF. It belongs to the World.
func (w *World) Self() *Comm {
	if w == nil {
		return nil
	}
	return w.self
}

// Info says which library this is.
type Info struct {
	Path      string      // that it was loaded by
	File      string      // that it was loaded from, where the system tells
	Version   string      // its own text
	Family    string      // Open MPI or MPICH
	ABI       string      // its binary interface
	Threads   ThreadLevel // what it provides
	Functions int         // of MPI 5 that it has
	Missing   []string    // those that it has not
}

// Library says which library this is.
func (w *World) Library() Info {
	if w == nil || w.lib == nil {
		return Info{}
	}
	i := describe(w.lib)
	i.Threads = w.threads
	return i
}

// Close ends MPI in this process: it waits for requests that were given up on, then for the other processes to close too,
// not longer than ctx and Options.FinalizeTimeout. While requests, communicators or other objects are open it does nothing
// and returns an error that wraps [isthmus.ErrBusy] and names them with the places that made them. It is nil-safe and
// idempotent. Calls MPI_Finalize.
func (w *World) Close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	if err := w.reaper.drain(ctx, w.timeout); err != nil {
		return err
	}
	w.watch.leaks()
	for _, c := range []*Comm{w.comm, w.self} {
		if c != nil {
			c.unpark()
			c.leaveDirect()
			if err := c.owned.Close(); err != nil {
				if open := w.reaper.open(8); open != nil {
					err = fmt.Errorf("%w; requests under way: %s", err, strings.Join(open, ", "))
				}
				return errors.Join(err, w.reopen())
			}
		}
	}
	err := w.owned.Close()
	if errors.Is(err, isthmus.ErrBusy) {
		return errors.Join(err, w.reopen()) // something else is open: all goes on
	}
	return err
}

// reopen opens the communicators of MPI's own again, after a Close that was refused.
func (w *World) reopen() error {
	var err error
	for c, h := range map[*Comm]mpic.Handle{w.comm: w.lib.ABI.CommWorld, w.self: w.lib.ABI.CommSelf} {
		if c != nil && !c.owned.Live() {
			class := &ffi.Class[mpic.Handle]{Name: c.name, Destroy: func(mpic.Handle) error { return nil }, Backstop: ffi.BackstopReport}
			err = errors.Join(err, c.owned.Init(class, h, &w.owned))
		}
	}
	return err
}

// finalize is the end of MPI. It may hang in a library whose peers are gone: then it is left behind.
func (w *World) finalize() error {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.state = 2
	w.watch.leave()
	done := make(chan error, 1)
	go func() {
		f := call.Get()
		defer f.Put()
		if !w.foreign { // the others do not settle, and would be waited for
			w.settle()
		}
		l, launched := findLauncher()
		var code int32 = -1
		var thrown *isthmus.Exception
		if s, err := call.New[call.Step](f); err == nil && w.step(s, mpic.FnFinalize) == nil {
			w.onMain(func() { s.Run(); code, thrown = s.Failed(), s.Thrown() })
		}
		if thrown != nil {
			done <- w.threw("close", thrown)
			return
		}
		if code != 0 {
			done <- &Error{Op: "close", Code: int(code), Class: ErrOther, Msg: "MPI_Finalize failed"}
			return
		}
		if launched {
			l.goodbye()
		}
		done <- nil
	}()
	var limit <-chan time.Time
	if w.timeout > 0 {
		t := time.NewTimer(w.timeout)
		defer t.Stop()
		limit = t.C
	}
	select {
	case err := <-done:
		if err == nil {
			w.main <- nil // the thread's last work
		}
		w.watch.end()
		return err
	case <-limit:
		return fmt.Errorf("mpi: close: MPI_Finalize has not returned after %v; another process is gone or has not closed: %w", w.timeout, context.DeadlineExceeded)
	}
}

// Abort ends all processes of the communicator's job at once. It does not return, except that a nil or zero World has
// nothing to end. Calls MPI_Abort.
func (w *World) Abort(code int) {
	if w == nil || w.lib == nil {
		return
	}
	f := call.Get()
	w.run(f, mpic.FnAbort, uintptr(w.lib.ABI.CommWorld), uintptr(uint32(int32(code))))
	os.Exit(code)
}
