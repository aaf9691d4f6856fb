package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// A buffer that is in host memory is read in place, under an external reference that keeps its memory from being freed
// or donated. It saves the plugin's transfer, which on XLA's CPU hops between threads: 25 us for 4 KiB.

// maxView bounds a copy in Go, which cannot be interrupted.
const maxView = 1 << 20

// hasViews reports whether the plugin has what reading in place needs.
func (p *Plugin) hasViews() bool {
	for _, s := range []pjrtc.Slot{
		pjrtc.SlotBufferIsOnCpu, pjrtc.SlotBufferReadyEvent, pjrtc.SlotBufferOnDeviceSizeInBytes, pjrtc.SlotBufferGetMemoryLayout,
		pjrtc.SlotBufferIncreaseExternalReferenceCount, pjrtc.SlotBufferDecreaseExternalReferenceCount, pjrtc.SlotBufferOpaqueDeviceMemoryDataPointer,
	} {
		if !p.table.Has(s) {
			return false
		}
	}
	return true
}

// viewArgs are the argument structs of a view, made in one piece.
type viewArgs struct {
	onCPU   pjrtc.BufferIsOnCpuArgs
	ready   pjrtc.BufferReadyEventArgs
	await   pjrtc.EventAwaitArgs
	destroy pjrtc.EventDestroyArgs
	size    pjrtc.BufferOnDeviceSizeInBytesArgs
	layout  pjrtc.BufferGetMemoryLayoutArgs
	hold    pjrtc.BufferIncreaseExternalReferenceCountArgs
	data    pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs
	drop    pjrtc.BufferDecreaseExternalReferenceCountArgs
}

// copyView copies a buffer that is in host memory, dense and row-major. done is false where it is not, or where the
// plugin does not say: then nothing was copied, and the plugin's own transfer tells why if that fails too. An error is
// the reason why the buffer has no content.
//
// Preconditions: h is alive for the call.
func (p *Plugin) copyView(f *call.Frame, h pjrtc.Ptr[pjrtc.Buffer], dst []byte, rank int) (done bool, err error) {
	const op = "get"
	a, err := call.New[viewArgs](f)
	if err != nil {
		return false, err
	}
	if a.onCPU.Buffer = h; do(p, f, op, &a.onCPU) != nil || !a.onCPU.IsOnCpu {
		return false, nil
	}
	if a.size.Buffer = h; do(p, f, op, &a.size) != nil || a.size.OnDeviceSizeInBytes != uint64(len(dst)) {
		return false, nil
	}
	if rank > 1 {
		if a.layout.Buffer = h; do(p, f, op, &a.layout) != nil || !isRowMajor(&a.layout.Layout, rank) {
			return false, nil
		}
	}
	if a.ready.Buffer = h; do(p, f, op, &a.ready) != nil {
		return false, nil
	}
	if err := p.finishIn(f, op, a.ready.Event, &a.await, &a.destroy); err != nil {
		return false, err
	}
	if a.hold.Buffer = h; do(p, f, op, &a.hold) != nil {
		return false, nil
	}
	if a.data.Buffer = h; do(p, f, op, &a.data) == nil && a.data.DeviceMemoryPtr != 0 {
		// SAFETY: owner: the plugin's buffer; lifetime: the external reference that is held; bounds: the size on the
		// device was compared; alignment: bytes; thread: any, the content is complete and nothing writes to it.
		src, err := mem.Slice[byte](a.data.DeviceMemoryPtr, len(dst))
		if err == nil {
			copy(dst, src)
			done = true
		}
	}
	a.drop.Buffer = h
	if err := do(p, f, op, &a.drop); err != nil {
		// The plugin keeps the memory for ever now; the copy is good.
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "pjrt.Buffer view"}, Err: fmt.Errorf("%w", err)})
	}
	return done, nil
}

// isRowMajor reports whether a layout that a plugin gave is dense and row-major.
func isRowMajor(l *pjrtc.BufferMemoryLayout, rank int) bool {
	if l.Type != pjrtc.BufferMemoryLayoutTypeTiled {
		return false
	}
	t := l.Tiled()
	if t.NumTiles != 0 || t.MinorToMajorSize != uint64(rank) {
		return false
	}
	order, err := t.MinorToMajor.Slice(t.MinorToMajorSize)
	if err != nil {
		return false
	}
	for i, d := range order {
		if d != int64(rank-1-i) {
			return false
		}
	}
	return true
}
