package pjrt

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Hold gives a buffer's content where it is, in row-major order, to the packages of this module that hand it to other
// native code; a program uses [Read]. It waits until the content is there. Until Release the buffer cannot be closed and its
// memory not be given to an execution; nobody may write to it. Calls PJRT_Buffer_IncreaseExternalReferenceCount and
// PJRT_Buffer_OpaqueDeviceMemoryDataPointer, and when it is released PJRT_Buffer_DecreaseExternalReferenceCount.
//
// Errors: [isthmus.ErrUnsupported] where the content is not in host memory, dense and row-major.
func Hold(ctx context.Context, b *Buffer) (*mem.Held, error) {
	const op = "hold"
	if b == nil {
		return nil, invalid(op, "no buffer")
	}
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	held := false
	defer func() {
		if !held {
			b.owned.Done()
		}
	}()
	size, err := b.typ.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if err := b.Wait(ctx); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
		return nil, err
	}
	if !b.inPlace(h) {
		return nil, fmt.Errorf("pjrt: %s: %s is not dense in host memory: %w; read a copy", op, b, isthmus.ErrUnsupported)
	}
	at, drop, err := b.hold(h)
	if err != nil {
		return nil, err
	}
	// SAFETY: owner: the plugin's buffer; lifetime: the external reference, which Release lets go; bounds: inPlace compared the
	// size on the device; alignment: bytes; thread: any, nothing writes to it.
	data, err := mem.Slice[byte](at, size)
	if err != nil || at == 0 {
		drop()
		return nil, errors.Join(err, fmt.Errorf("pjrt: %s: %s: no memory: %w", op, b, isthmus.ErrUnsupported))
	}
	held = true
	return mem.Hold(data, func() { drop(); b.owned.Done() }), nil
}
