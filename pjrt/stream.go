package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Stream is a device's stream of work: a place in the order in which the device does things. It belongs to the device;
// closing it ends the right to use it. It is safe for concurrent use. The zero value is closed.
type Stream struct {
	owned  ffi.Owned[int64]
	device *Device
}

// Stream returns the stream on which buffers that other libraries manage become ready. Calls
// PJRT_Get_Stream_For_External_Ready_Events. The caller closes it before the client. Errors: [isthmus.ErrUnsupported]
// where the plugin has no Stream extension.
func (d *Device) Stream() (*Stream, error) {
	const op = "stream"
	if d == nil || d.client == nil {
		return nil, invalid(op, "no device")
	}
	if _, err := d.client.owned.Use(); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer d.client.owned.Done()
	s := &Stream{device: d}
	return orNil(s, askExt(d.client.plugin, op, func(_ *call.Frame, a *pjrtc.GetStreamForExternalReadyEventsArgs) error { a.Device = d.h; return nil },
		func(a *pjrtc.GetStreamForExternalReadyEventsArgs) error {
			// PJRT has no function that ends a stream: it is the device's.
			class := &ffi.Class[int64]{Name: "pjrt.Stream", Destroy: func(int64) error { return nil }}
			return s.owned.Init(class, a.Stream, &d.client.owned)
		}))
}

// Wait makes the stream wait, on the device, until the buffer has its content; it does not block the caller. Calls
// PJRT_Wait_Until_Buffer_Ready_On_Stream. Errors: [isthmus.ErrInvalid] for a buffer of another client.
func (s *Stream) Wait(b *Buffer) error {
	const op = "wait on stream"
	if s == nil || s.device == nil {
		return invalid(op, "no stream")
	}
	h, err := s.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer s.owned.Done()
	n, err := b.use(op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	if b.client != s.device.client {
		return fmt.Errorf("pjrt: %s: the buffer is another client's: %w", op, isthmus.ErrInvalid)
	}
	return askExt(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.WaitUntilBufferReadyOnStreamArgs) error {
		a.Stream, a.Buffer = h, n
		return nil
	}, nil)
}

// Device is the stream's device.
func (s *Stream) Device() *Device { return orZeroStream(s).device }

func orZeroStream(s *Stream) *Stream {
	if s == nil {
		return &Stream{}
	}
	return s
}

// String describes the stream.
func (s *Stream) String() string {
	if s == nil || s.device == nil {
		return "pjrt.Stream(none)"
	}
	state := ""
	if !s.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Stream(%s%s)", s.device, state)
}

// Close ends the use of the stream. Close is idempotent and nil-safe.
func (s *Stream) Close() error {
	if s == nil {
		return nil
	}
	return s.owned.Close()
}
