package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// use enters the device's client; the caller calls d.client.owned.Done.
func (d *Device) use(op string) error {
	if d == nil || d.client == nil {
		return invalid(op, "no device")
	}
	if _, err := d.client.owned.Use(); err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return nil
}

// ClearMemoryStats starts the allocator's peak figures anew. Calls PJRT_Device_ClearMemoryStats.
func (d *Device) ClearMemoryStats() error {
	const op = "clear memory stats"
	if err := d.use(op); err != nil {
		return err
	}
	defer d.client.owned.Done()
	return ask(d.client.plugin, op, func(_ *call.Frame, a *pjrtc.DeviceClearMemoryStatsArgs) error { a.Device = d.h; return nil }, nil)
}

// State asks for the device's attributes as they are now; [Device.Attributes] are those that never change. Calls
// PJRT_Device_GetAttributes.
func (d *Device) State() ([]NamedValue, error) {
	const op = "device state"
	if err := d.use(op); err != nil {
		return nil, err
	}
	defer d.client.owned.Done()
	var out []NamedValue
	err := ask(d.client.plugin, op, func(_ *call.Frame, a *pjrtc.DeviceGetAttributesArgs) error { a.Device = d.h; return nil },
		func(a *pjrtc.DeviceGetAttributesArgs) (err error) {
			out, err = fromNative(op, a.Attributes, a.NumAttributes)
			if a.DeviceAttributes != 0 && a.AttributesDeleter != 0 {
				call.Call1(call.Fn(a.AttributesDeleter), mem.Addr(a.DeviceAttributes))
			}
			return err
		})
	return out, err
}

// Poison makes the outputs of the device's earliest unfinished execution with this launch id carry the error. It
// reports whether there was one. A [Code] in err is the code that they see. Calls PJRT_Device_PoisonExecution.
func (d *Device) Poison(launchID int32, err error) (bool, error) {
	const op = "poison execution"
	if err == nil {
		return false, invalid(op, "no error")
	}
	if uerr := d.use(op); uerr != nil {
		return false, uerr
	}
	defer d.client.owned.Done()
	done := false
	perr := ask(d.client.plugin, op, func(f *call.Frame, a *pjrtc.DevicePoisonExecutionArgs) (ferr error) {
		a.Device, a.LaunchId, a.ErrorCode = d.h, launchID, pjrtc.ErrorCode(codeOf(err))
		a.ErrorMessage, a.ErrorMessageSize, ferr = status(f, err.Error())
		return ferr
	}, func(a *pjrtc.DevicePoisonExecutionArgs) error { done = a.Poisoned; return nil })
	return done, perr
}

// Track is a mark in a device's own records that something is under way, until it is closed. It is safe for concurrent
// use. The zero value is closed.
type Track struct {
	owned ffi.Owned[pjrtc.Ptr[pjrtc.AsyncTrackingEvent]]
	what  string
}

// Track marks that something is under way. The caller closes the mark. Calls PJRT_Device_CreateAsyncTrackingEvent.
func (d *Device) Track(what string) (*Track, error) {
	const op = "track"
	if err := d.use(op); err != nil {
		return nil, err
	}
	c := d.client
	defer c.owned.Done()
	if !c.plugin.table.Has(pjrtc.SlotAsyncTrackingEventDestroy) {
		return nil, fmt.Errorf("pjrt: %s: %w", op, c.plugin.lacks(pjrtc.SlotAsyncTrackingEventDestroy))
	}
	var h pjrtc.Ptr[pjrtc.AsyncTrackingEvent]
	err := ask(c.plugin, op, func(f *call.Frame, a *pjrtc.DeviceCreateAsyncTrackingEventArgs) (err error) {
		a.Device = d.h
		a.Description, a.DescriptionSize, err = status(f, what)
		return err
	}, func(a *pjrtc.DeviceCreateAsyncTrackingEventArgs) error {
		if h = a.Event; h == 0 {
			return fmt.Errorf("pjrt: %s: %s keeps no such records: %w", op, d, isthmus.ErrUnsupported)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &Track{what: what}
	if err := t.owned.Init(&c.plugin.tracks, h, &c.owned); err != nil {
		return nil, err
	}
	return t, nil
}

// Close ends the mark. It is idempotent and nil-safe. Calls PJRT_AsyncTrackingEvent_Destroy.
func (t *Track) Close() error {
	if t == nil {
		return nil
	}
	return t.owned.Close()
}

// String describes the mark.
func (t *Track) String() string {
	if t == nil {
		return "pjrt.Track(none)"
	}
	return fmt.Sprintf("pjrt.Track(%s)", t.what)
}
