package pjrt

import (
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// MegascaleNotice is a function that hears of errors between slices.
type MegascaleNotice struct {
	owned    ffi.Owned[string]
	callback *ffi.Callback
}

// OnMegascaleError has f called with each error, a serialised message of the plugin's. name tells handlers apart. f
// runs on a goroutine of its own while the plugin waits; what it panics with is reported. The caller closes the
// handler. Calls PJRT_Megascale_RegisterErrorHandler.
func (p *Plugin) OnMegascaleError(name string, f func([]byte)) (*MegascaleNotice, error) {
	const op, kind = "register megascale error handler", "pjrt.MegascaleNotice"
	if p == nil || p.table == nil || f == nil || name == "" {
		return nil, invalid(op, "no plugin, no name, or no function")
	}
	if err := p.needs(op, (*pjrtc.MegascaleUnregisterErrorHandlerArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	k, err := ffi.NewCallback(ffi.CallbackOptions{
		Kind: kind + " function", Shape: cb.Shape{Args: 3, User: 2}, Isolate: true,
		Serve: func(a *cb.Args) uintptr {
			b, err := mem.Copy(mem.Addr(a[0]), a[1], maxProgram)
			if err != nil {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: kind}, Err: err})
				return 0
			}
			f(b)
			return 0
		},
	})
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	s, err := k.Native()
	if err == nil {
		err = askExt(p, op, func(f *call.Frame, a *pjrtc.MegascaleRegisterErrorHandlerArgs) (err error) {
			a.HandlerName, err = bytesOf(f, name)
			a.HandlerNameSize, a.Handler, a.UserData = uint64(len(name)), pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg)
			return err
		}, nil)
	}
	h := &MegascaleNotice{callback: k}
	if err == nil {
		err = h.owned.Init(&ffi.Class[string]{Name: kind, Destroy: func(name string) error {
			return askExt(p, "unregister megascale error handler", func(f *call.Frame, a *pjrtc.MegascaleUnregisterErrorHandlerArgs) (err error) {
				a.HandlerName, err = bytesOf(f, name)
				a.HandlerNameSize = uint64(len(name))
				return err
			}, nil)
		}}, name, k.Parent())
	}
	if err != nil {
		_ = k.Close()
		return nil, err
	}
	return h, nil
}

// Close takes the handler back; its function is not called any more. While it runs, Close returns an error that wraps
// [isthmus.ErrBusy] and may be called again. It is idempotent and nil-safe. Calls
// PJRT_Megascale_UnregisterErrorHandler.
func (h *MegascaleNotice) Close() error {
	if h == nil {
		return nil
	}
	if err := h.owned.Close(); err != nil {
		return err
	}
	return h.callback.Close()
}

// MegascaleErrors gathers the errors of the workers of a job, to tell what went wrong first. It is safe for concurrent
// use.
type MegascaleErrors struct {
	extObject[pjrtc.MegascaleErrorAggregator]
}

// NewMegascaleErrors makes a gatherer for a kind of application. The caller closes it. Calls
// PJRT_Megascale_ErrorAggregator_Create.
func (p *Plugin) NewMegascaleErrors(app string) (*MegascaleErrors, error) {
	const op = "new megascale errors"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	if err := p.needs(op, (*pjrtc.MegascaleErrorAggregatorDeleteArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	e := &MegascaleErrors{}
	err := askExt(p, op, func(f *call.Frame, a *pjrtc.MegascaleErrorAggregatorCreateArgs) (err error) {
		a.AppType, err = bytesOf(f, app)
		a.AppTypeSize = uint64(len(app))
		return err
	}, func(a *pjrtc.MegascaleErrorAggregatorCreateArgs) error {
		return own(&e.extObject, p, "pjrt.MegascaleErrors", a.Aggregator, func(a *pjrtc.MegascaleErrorAggregatorDeleteArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) {
			a.Aggregator = h
		})
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Close deletes the gatherer. While a digest of it is open it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. It is idempotent and nil-safe. Calls PJRT_Megascale_ErrorAggregator_Delete.
func (e *MegascaleErrors) Close() error {
	if e == nil {
		return nil
	}
	return e.owned.Close()
}

// Add adds a worker's error, a serialised message of the plugin's. Calls PJRT_Megascale_ErrorAggregator_AddError.
func (e *MegascaleErrors) Add(worker string, serialized []byte) error {
	var pin mem.Pin
	defer pin.Unpin()
	return askOf(&orZero(e).extObject, "add megascale error", func(f *call.Frame, a *pjrtc.MegascaleErrorAggregatorAddErrorArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) (err error) {
		a.Aggregator, a.WorkerIdSize = h, uint64(len(worker))
		if a.WorkerId, err = bytesOf(f, worker); err != nil {
			return err
		}
		a.SerializedError, a.SerializedErrorSize, err = lendSized(f, &pin, serialized)
		return err
	}, nil)
}

// Len is how many errors were added. Calls PJRT_Megascale_ErrorAggregator_Size.
func (e *MegascaleErrors) Len() (n int, err error) {
	const op = "number of megascale errors"
	err = askOf(&orZero(e).extObject, op, func(_ *call.Frame, a *pjrtc.MegascaleErrorAggregatorSizeArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) error {
		a.Aggregator = h
		return nil
	}, func(a *pjrtc.MegascaleErrorAggregatorSizeArgs) (err error) {
		if n, err = mem.Len(a.Size); err != nil {
			err = fmt.Errorf("pjrt: %s: %w", op, err)
		}
		return err
	})
	return n, err
}

// Active reports whether errors are still taken. Calls PJRT_Megascale_ErrorAggregator_Active.
func (e *MegascaleErrors) Active() (is bool, err error) {
	err = askOf(&orZero(e).extObject, "megascale errors", func(_ *call.Frame, a *pjrtc.MegascaleErrorAggregatorActiveArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) error {
		a.Aggregator = h
		return nil
	}, func(a *pjrtc.MegascaleErrorAggregatorActiveArgs) error { is = a.Active; return nil })
	return is, err
}

// MegascaleDigest is what came of the errors of a job. It keeps its gatherer alive.
type MegascaleDigest struct {
	extObject[pjrtc.MegascaleErrorDigest]
	errors *MegascaleErrors
}

// Process takes no more errors, and makes a digest of those that came. The caller closes it before the gatherer. Calls
// PJRT_Megascale_ErrorAggregator_ProcessAndShutdown.
func (e *MegascaleErrors) Process() (*MegascaleDigest, error) {
	const op = "process megascale errors"
	e = orZero(e)
	if err := e.plugin.needs(op, (*pjrtc.MegascaleErrorDigestDeleteArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	d := &MegascaleDigest{errors: e}
	err := askOf(&e.extObject, op, func(_ *call.Frame, a *pjrtc.MegascaleErrorAggregatorProcessAndShutdownArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) error {
		a.Aggregator = h
		return nil
	}, func(a *pjrtc.MegascaleErrorAggregatorProcessAndShutdownArgs) error {
		return own(&d.extObject, e.plugin, "pjrt.MegascaleDigest", a.Digest, func(a *pjrtc.MegascaleErrorDigestDeleteArgs, h pjrtc.Ptr[pjrtc.MegascaleErrorDigest]) { a.Digest = h }, &e.owned)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Log writes the digest to the plugin's log. Calls PJRT_Megascale_ErrorAggregator_LogErrorDigest.
func (d *MegascaleDigest) Log() error {
	const op = "log megascale errors"
	d = orZero(d)
	h, err := d.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer d.owned.Done()
	// The digest holds the gatherer, which may be closed for all but its children.
	return askOf(&orZero(d.errors).extObject, op, func(_ *call.Frame, a *pjrtc.MegascaleErrorAggregatorLogErrorDigestArgs, e pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) error {
		a.Aggregator, a.Digest = e, h
		return nil
	}, nil)
}

// Close deletes the digest. It is idempotent and nil-safe. Calls PJRT_Megascale_ErrorDigest_Delete.
func (d *MegascaleDigest) Close() error {
	if d == nil {
		return nil
	}
	return d.owned.Close()
}

// MegascaleError describes an error of the runtime between slices. The numbers of kinds are the plugin's own.
type MegascaleError struct {
	Kind          int
	Start         time.Time
	Code          Code
	Message       string
	Launch        int
	Unrecoverable *int // the kind of an error that cannot be recovered from; nil for another
}

// MegascaleError gives an error as a serialised message, for [MegascaleErrors.Add], and tells whether it was not known
// before. Calls PJRT_Megascale_GetOrCreateRuntimeError.
func (p *Plugin) MegascaleError(e MegascaleError) (serialized []byte, isNew bool, err error) {
	const op = "megascale error"
	if p == nil || p.table == nil || int(int32(e.Kind)) != e.Kind || int(int32(e.Launch)) != e.Launch {
		return nil, false, invalid(op, "kind %d, launch %d", e.Kind, e.Launch)
	}
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.MegascaleGetOrCreateRuntimeErrorArgs) (err error) {
		a.ErrorType, a.StatusCode, a.LaunchId, a.StatusMessageSize = int32(e.Kind), int32(e.Code), int32(e.Launch), uint64(len(e.Message))
		if !e.Start.IsZero() {
			a.StartTimeNanos = e.Start.UnixNano()
		}
		if e.Unrecoverable != nil {
			a.HasUnrecoverableErrorType = true
			if a.UnrecoverableErrorType, err = mem.To[int32](*e.Unrecoverable); err != nil {
				return fmt.Errorf("pjrt: %s: %w", op, err)
			}
		}
		a.StatusMessage, err = bytesOf(f, e.Message)
		return err
	}, func(a *pjrtc.MegascaleGetOrCreateRuntimeErrorArgs) (err error) {
		isNew = a.IsNewError
		serialized, err = takeBytes(op, a.SerializedError, a.SerializedErrorSize, a.ErrorDeleter, mem.Addr(a.Error))
		return err
	})
	return serialized, isNew, err
}
