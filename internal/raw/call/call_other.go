//go:build !((linux || darwin) && (amd64 || arm64)) || isthmus_portable

package call

import (
	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Trampoline says how calls are made on this platform.
const Trampoline = "purego"

func (f *Frame) invoke1() { f.ret, _, _ = purego.SyscallN(f.fn, f.arg) }

func (f *Frame) invokeN() {
	a := &f.args
	f.ret, _, _ = purego.SyscallN(f.fn, a[0], a[1], a[2], a[3], a[4], a[5])
}

// pairHandle is where in what Arg points to the word of Need goes.
const pairHandle = 16

func (f *Frame) invokeChain() {
	f.ret = 0
	for i := uintptr(0); i < f.args[0] && f.ret == 0; i++ {
		r := f.rest[3*i:]
		// SAFETY: owner: the caller of Chain, as for the argument itself; bounds and alignment: words, by Pair's
		// contract; thread: the caller's.
		if r[2] != 0 {
			w := *mem.At[uintptr](r[2])
			if w == 0 {
				return
			}
			*mem.At[uintptr](r[1] + pairHandle) = w
		}
		f.ret, _, _ = purego.SyscallN(r[0], r[1])
		f.args[1]++
	}
}

func (s *Step) run() {
	for s != nil {
		r, _, _ := purego.SyscallN(uintptr(s.Fn), s.Args[:]...)
		if s.Ret = r; int32(r) != 0 {
			return
		}
		// SAFETY: owner: the caller of Run, by its contract, as for the next step; bounds and alignment: a C int; thread:
		// the caller's, though another may write the flag, which is why it is read anew each time.
		if s.Flag != 0 && *mem.At[int32](s.Flag) == 0 {
			if s.Spins--; s.Spins <= 0 {
				return
			}
			continue
		}
		s = mem.At[Step](s.Next)
	}
}

func (w *Wide) run() { panic("call: wide calls need the assembly") } // Open of an Objective-C runtime looks at Trampoline

// SendBy returns nothing on this platform.
func SendBy(Fn) (send, sendStret Fn) { return 0, 0 }
