//go:build linux && (amd64 || arm64)

package cb

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// EntersGo says whether a signal's C function enters the Go runtime on this platform.
const EntersGo = false

var (
	signalFD  int                // an eventfd, written by the assembly when the first slot of a batch fires
	signalOne uint64         = 1 // what it writes
	fired     unsafe.Pointer     // the address of the assembly function, set by the linker
)

func signalFn() call.Fn { return call.Fn(fired) }

// startWait returns a function that blocks in the netpoller until something fired.
func startWait() (func() error, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cb: eventfd: %w", err)
	}
	signalFD = fd
	f := os.NewFile(uintptr(fd), "isthmus signals")
	var count [8]byte
	return func() error {
		_, err := f.Read(count[:])
		return err
	}, nil
}
