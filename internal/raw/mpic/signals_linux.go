package mpic

import (
	"syscall"
	"unsafe"
)

// Handlers are what the process does on each signal, as the kernel has it.
type Handlers struct{ of [65]action }

// action is the kernel's struct sigaction on 64-bit Linux, as rt_sigaction reads and writes it.
type action struct{ handler, flags, restorer, mask uint64 }

const (
	sigSetSize = 8          // bytes of the kernel's sigset_t
	onStack    = 0x08000000 // SA_ONSTACK
)

// Signals reads what the process does on each signal.
//
// Some MPI libraries take over signals when they are loaded or initialised (UCX the faults, MPICH SIGUSR1). Go needs
// its own handlers for faults, or a nil dereference is the end instead of a panic; and it needs every other handler to
// run on the signal stack, or a signal that comes while Go code runs is the end.
func Signals() *Handlers {
	h := &Handlers{}
	for s := 1; s <= 64; s++ {
		// SAFETY: owner: h, which is on Go's heap and not moved; bounds: the kernel writes one action of the size it knows;
		// thread: any, signal handlers are the process's.
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&h.of[s])), sigSetSize, 0, 0)
	}
	return h
}

// Restore gives Go its handlers of faults back, and lets every other handler that was set since run on the signal
// stack. It returns the signals that it mended.
func (h *Handlers) Restore() (mended []syscall.Signal) {
	if h == nil {
		return nil
	}
	now := Signals()
	for s := 1; s <= 64; s++ {
		n := now.of[s]
		if n == h.of[s] {
			continue
		}
		switch sig := syscall.Signal(s); sig {
		case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGABRT, syscall.SIGTRAP, syscall.SIGURG, syscall.SIGPROF:
			n = h.of[s]
		default:
			if n.handler <= 1 || n.flags&onStack != 0 { // the default, ignored, or right already
				continue
			}
			n.flags |= onStack
		}
		// SAFETY: owner: n, for the call; bounds and thread: as in Signals. The handler is one that the process had.
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&n)), 0, sigSetSize, 0, 0)
		mended = append(mended, syscall.Signal(s))
	}
	return mended
}
