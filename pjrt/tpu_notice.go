package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// SliceFailure says how a slice of TPUs failed.
type SliceFailure int

// The ways a slice fails.
const (
	SliceFailureUnknown     SliceFailure = 0
	SliceFailureInit        SliceFailure = 1 // while the interconnect was configured
	SliceFailureWorker      SliceFailure = 2 // a worker is disconnected
	SliceFailureFlapping    SliceFailure = 3 // a task restarts too fast
	SliceFailureInjected    SliceFailure = 4 // made by software
	SliceFailureChipProblem SliceFailure = 5 // a chip's driver reports an error
)

// String returns the name.
func (s SliceFailure) String() string {
	names := [...]string{"unknown", "init error", "worker unavailable", "flapping task", "injected by software", "chip driver error"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("SliceFailure(%d)", int(s))
	}
	return names[s]
}

// Notice is a function that a plugin calls. The plugin cannot be told to forget it: after Close its calls come to
// nothing. It is to be closed before the client.
type Notice struct{ cb *ffi.Callback }

// Close ends the notice. While its function runs it does nothing and returns an error that wraps [isthmus.ErrBusy]. It
// is idempotent and nil-safe.
func (n *Notice) Close() error {
	if n == nil {
		return nil
	}
	return n.cb.Close()
}

// OnSliceFailure has f called when the slice of TPUs that the client is part of fails. f runs on a goroutine of its own
// while the plugin waits; what it panics with is reported. Calls PJRT_Register_Callback.
func (c *Client) OnSliceFailure(f func(SliceFailure)) (*Notice, error) {
	if f == nil {
		return nil, invalid("register callback", "no function")
	}
	return c.onNotice(pjrtc.CallbackTypeTpuSliceBuilder, func(at mem.Addr) error {
		a, err := noticeArgs[pjrtc.CallbackTpuSliceBuilderArgs](at, pjrtc.CallbackTpuSliceBuilderArgsSize)
		if err == nil {
			f(SliceFailure(a.FailureType))
		}
		return err
	})
}

// OnFatal has f called before the plugin ends the process, with the reason, an [*Error]. f is called as by
// OnSliceFailure. Calls PJRT_Register_Callback.
func (c *Client) OnFatal(f func(error)) (*Notice, error) {
	if f == nil {
		return nil, invalid("register callback", "no function")
	}
	return c.onNotice(pjrtc.CallbackTypePrefatal, func(at mem.Addr) error {
		a, err := noticeArgs[pjrtc.CallbackPrefatalArgs](at, pjrtc.CallbackPrefatalArgsSize)
		if err == nil {
			f(&Error{Op: "plugin", Code: Code(a.ErrorCode), Msg: text(a.ErrorMessage, a.ErrorMessageSize)})
		}
		return err
	})
}

// noticeArgs are the arguments of a callback.
//
// Preconditions: at is 0, or a struct of as many bytes as its first field says.
func noticeArgs[A any](at mem.Addr, size uint64) (*A, error) {
	if at == 0 || *mem.At[uint64](at) < size {
		return nil, fmt.Errorf("the plugin passes less than the %d bytes of the callback's arguments: %w", size, isthmus.ErrBounds)
	}
	return mem.At[A](at), nil
}

func (c *Client) onNotice(typ pjrtc.CallbackType, serve func(mem.Addr) error) (*Notice, error) {
	const op, kind = "register callback", "pjrt.Notice"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	k, err := ffi.NewCallback(ffi.CallbackOptions{
		Kind: kind, Shape: cb.Shape{Args: 2, User: 1}, Isolate: true, Parents: []ffi.Parent{&c.owned},
		Serve: func(a *cb.Args) uintptr {
			if err := serve(mem.Addr(a[0])); err != nil {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: kind}, Err: err})
			}
			return 0
		},
	})
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n := &Notice{k}
	s, err := k.Native()
	if err == nil {
		err = askExt(c.plugin, op, func(_ *call.Frame, a *pjrtc.CallbackRegisterCallbackArgs) error {
			a.Client, a.Type, a.Callback, a.UserArg = h, typ, pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg)
			return nil
		}, nil)
	}
	if err != nil {
		_ = n.Close()
		return nil, err
	}
	return n, nil
}

// NotifySliceFailure calls what was registered for failures of the slice, as the plugin does. Calls
// PJRT_Callback_InvokeCallback.
func (c *Client) NotifySliceFailure(s SliceFailure) error {
	return c.notify(pjrtc.CallbackTypeTpuSliceBuilder, func(f *call.Frame) (pjrtc.Addr, error) {
		a, err := call.New[pjrtc.CallbackTpuSliceBuilderArgs](f)
		if err != nil {
			return 0, err
		}
		a.SetSize()
		a.FailureType = pjrtc.CallbackTpuSliceFailureType(s)
		return pjrtc.Addr(pjrtc.To(a)), nil
	})
}

// NotifyFatal calls what was registered for the end of the process, as the plugin does. Calls
// PJRT_Callback_InvokeCallback.
func (c *Client) NotifyFatal(code Code, msg string) error {
	return c.notify(pjrtc.CallbackTypePrefatal, func(f *call.Frame) (pjrtc.Addr, error) {
		a, err := call.New[pjrtc.CallbackPrefatalArgs](f)
		if err != nil {
			return 0, err
		}
		a.SetSize()
		a.ErrorCode, a.ErrorMessageSize = pjrtc.ErrorCode(code), uint64(len(msg))
		a.ErrorMessage, err = bytesOf(f, msg)
		return pjrtc.Addr(pjrtc.To(a)), err
	})
}

func (c *Client) notify(typ pjrtc.CallbackType, args func(*call.Frame) (pjrtc.Addr, error)) error {
	const op = "invoke callback"
	if c == nil || c.plugin == nil {
		return invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	return askExt(c.plugin, op, func(f *call.Frame, a *pjrtc.CallbackInvokeCallbackArgs) (err error) {
		a.Client, a.Type = h, typ
		a.Args, err = args(f)
		return err
	}, nil)
}
