//go:build linux && (amd64 || arm64) && !isthmus_portable

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

// What the assembly uses: an eventfd that it writes when the first slot of a batch fires, and what it writes there.
var (
	//lint:ignore U1000 read by the assembly
	signalFD int
	//lint:ignore U1000 read by the assembly
	signalOne uint64 = 1
)

// fired is the address of the assembly function, set by the linker.
var fired unsafe.Pointer

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
