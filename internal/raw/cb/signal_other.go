//go:build !(linux && (amd64 || arm64)) || isthmus_portable

package cb

import (
	"sync"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// EntersGo says whether a signal's C function enters the Go runtime on this platform.
const EntersGo = true

var wake = make(chan struct{}, 1)

// signalFn is one purego callback for all signals: it does in Go what the assembly does elsewhere.
var signalFn = sync.OnceValue(func() call.Fn {
	call.ExpectCallbacks()
	return call.Fn(purego.NewCallback(func(value, token uintptr) uintptr {
		fire(value, uint64(token))
		return 0
	}))
})

func fire(value uintptr, token uint64) {
	i := token & signalMask
	s := slotAt(i)
	if !s.state.CompareAndSwap(token, 0) {
		signalStray.Add(1)
		return
	}
	s.value = value
	self := signalBase + uintptr(i)*slotBytes
	for {
		head := signalHead.Load()
		s.next = head
		if signalHead.CompareAndSwap(head, self) {
			break
		}
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

func startWait() (func() error, error) {
	return func() error {
		<-wake
		return nil
	}, nil
}
