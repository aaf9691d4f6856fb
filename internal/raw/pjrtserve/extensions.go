package pjrtserve

import (
	"context"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// memoryKind is a PJRT_MemoryDescription: a kind of memory that a device has.
type memoryKind struct {
	heap *heap // the device description's
	id   int
	kind string
}

// streamExtension serves streams of a device that has none: a caller's own thread is the stream, and what waits on it
// is waited for at once.
func (s *shared) streamExtension() {
	extend(s, func(_ *Server, a *pjrtc.GetStreamForExternalReadyEventsArgs) error {
		if _, err := getDevice(a.Device); err != nil {
			return err
		}
		a.Stream = int64(a.Device)
		return nil
	})
	extend(s, func(_ *Server, a *pjrtc.WaitUntilBufferReadyOnStreamArgs) error {
		if _, err := getDevice(pjrtc.Ptr[pjrtc.Device](a.Stream)); err != nil {
			return invalid("%#x is no stream of this plugin", a.Stream)
		}
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		return b.b.Ready().Wait(context.Background())
	})
}

func (s *shared) memoryExtension() {
	extend(s, func(_ *Server, a *pjrtc.DeviceDescriptionMemoryDescriptionsArgs) error {
		d, err := get[*description](kindDescription, a.DeviceDescription)
		if err != nil {
			return err
		}
		l, err := once(&d.heap, "memory kinds", func() (list[pjrtc.Ptr[pjrtc.MemoryDescription]], error) {
			var all []pjrtc.Ptr[pjrtc.MemoryDescription]
			for i, m := range d.memories {
				h, err := give[pjrtc.Ptr[pjrtc.MemoryDescription]](kindMemoryKind, &memoryKind{&d.heap, i, m.Kind})
				if err != nil {
					return list[pjrtc.Ptr[pjrtc.MemoryDescription]]{}, err
				}
				all = append(all, h)
				d.heap.ends = append(d.heap.ends, func() { _, _ = take[*memoryKind](kindMemoryKind, h) })
			}
			return listOf(&d.heap, all)
		})
		a.MemoryDescriptions, a.NumMemoryDescriptions, a.DefaultMemoryIndex = l.at, l.n, 0
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.MemoryDescriptionKindArgs) error {
		m, err := get[*memoryKind](kindMemoryKind, a.MemoryDescription)
		if err != nil {
			return err
		}
		a.KindId = int32(m.id)
		a.Kind, a.KindSize, err = m.heap.text("kind "+m.kind, m.kind)
		return err
	})
}

// shardingExtension says that there is none: a program is not split here.
func (s *shared) shardingExtension() {
	extend(s, func(_ *Server, a *pjrtc.ShardingsPJRTExecutableParameterShardingsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumParameters, a.Shardings, a.ShardingSizes = uint64(len(x.b.Params())), 0, 0
		return nil
	})
	extend(s, func(_ *Server, a *pjrtc.ShardingsPJRTExecutableOutputShardingsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.NumOutputs, a.Shardings, a.ShardingSizes = uint64(len(x.b.Results())), 0, 0
		return nil
	})
}
