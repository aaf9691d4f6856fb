package pjrtserve

import (
	"context"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// giveEvent makes a PJRT_Event of an event.
func giveEvent(e *ffi.Event) (pjrtc.Ptr[pjrtc.Event], error) {
	return give[pjrtc.Ptr[pjrtc.Event]](kindEvent, e)
}

// fired is an event that has completed.
func fired(err error) *ffi.Event {
	e := &ffi.Event{}
	e.Complete(err)
	return e
}

func (s *shared) eventSlots() {
	on(s, func(_ *Server, a *pjrtc.EventCreateArgs) (err error) {
		a.Event, err = giveEvent(&ffi.Event{})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.EventSetArgs) error {
		e, err := get[*ffi.Event](kindEvent, a.Event)
		if err != nil {
			return err
		}
		cause, err := readStatus(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if err != nil {
			return err
		}
		if !e.Complete(cause) {
			return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the event has completed already")
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.EventDestroyArgs) error {
		if a.Event == 0 {
			return nil
		}
		_, err := take[*ffi.Event](kindEvent, a.Event)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.EventIsReadyArgs) error {
		e, err := get[*ffi.Event](kindEvent, a.Event)
		if err != nil {
			return err
		}
		a.IsReady = e.Completed()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.EventErrorArgs) error {
		e, err := get[*ffi.Event](kindEvent, a.Event)
		if err != nil {
			return err
		}
		if !e.Completed() {
			return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the event has not completed yet")
		}
		return e.Err()
	})
	on(s, func(_ *Server, a *pjrtc.EventAwaitArgs) error {
		e, err := get[*ffi.Event](kindEvent, a.Event)
		if err != nil {
			return err
		}
		return e.Wait(context.Background())
	})
	on(s, func(_ *Server, a *pjrtc.EventOnReadyArgs) error {
		e, err := get[*ffi.Event](kindEvent, a.Event)
		if err != nil {
			return err
		}
		if a.Callback == 0 {
			return invalid("no callback")
		}
		fn, arg := call.Fn(a.Callback), uintptr(a.UserArg)
		notify := func(err error) { call.Call(fn, uintptr(world().raise(err)), arg) }
		if e.Completed() {
			notify(e.Err()) // inside the registering call, as other plugins do
			return nil
		}
		e.OnDone(notify)
		return nil
	})
}

// readStatus is the error that a code and a text stand for, nil for OK.
func readStatus(code pjrtc.ErrorCode, msg pjrtc.Ptr[byte], n uint64) (status, err error) {
	if code == pjrtc.ErrorCodeOK {
		return nil, nil
	}
	text, err := readText(msg, n)
	if err != nil {
		return nil, err
	}
	return &Error{Code: code, Msg: text}, nil
}
