package pjrtserve

import (
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func getDevice(h pjrtc.Ptr[pjrtc.Device]) (*device, error) {
	d, err := get[*device](kindDevice, h)
	if err == nil {
		err = d.client.open()
	}
	return d, err
}

func getDescription(h pjrtc.Ptr[pjrtc.DeviceDescription]) (*description, error) {
	return get[*description](kindDescription, h)
}

func (s *shared) deviceSlots() {
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionIdArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		a.Id = int32(d.id)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionProcessIndexArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		a.ProcessIndex = int32(d.Process)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionAttributesArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		l, err := once(&d.heap, "attributes", func() (list[pjrtc.NamedValue], error) { return named(&d.heap, d.Attributes) })
		a.Attributes, a.NumAttributes = l.at, l.n
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionKindArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		a.DeviceKind, a.DeviceKindSize, err = d.heap.text("kind", d.Kind)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionDebugStringArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		a.DebugString, a.DebugStringSize, err = d.heap.text("long", d.Long)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDescriptionToStringArgs) error {
		d, err := getDescription(a.DeviceDescription)
		if err != nil {
			return err
		}
		a.ToString, a.ToStringSize, err = d.heap.text("short", d.Short)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceGetDescriptionArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		a.DeviceDescription = d.info.h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceIsAddressableArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		a.IsAddressable = d.addressable()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceLocalHardwareIdArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		// Of another process's device nothing is known; XLA says -1 too.
		a.LocalHardwareId = int32(slices.Index(d.client.addressable(), d))
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceAddressableMemoriesArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		a.Memories, a.NumMemories, err = memoryList(&d.heap, d.memories)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceDefaultMemoryArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		if len(d.memories) == 0 {
			return unimplemented("the device has no memory that is named")
		}
		a.Memory = d.memories[0].h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceMemoryStatsArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		m := d.client.backend.MemoryStats(d.id)
		a.BytesInUse = m.InUse
		a.PeakBytesInUse, a.PeakBytesInUseIsSet = m.Peak, true
		a.NumAllocs, a.NumAllocsIsSet = m.Allocations, true
		a.LargestAllocSize, a.LargestAllocSizeIsSet = m.Largest, true
		a.BytesLimit, a.BytesLimitIsSet = m.Limit, m.Limit > 0
		a.PoolBytes, a.PoolBytesIsSet = m.Pool, true
		a.BytesReserved, a.BytesReservedIsSet = 0, false
		a.PeakBytesReserved, a.PeakBytesReservedIsSet = 0, false
		a.BytesReservableLimit, a.BytesReservableLimitIsSet = 0, false
		a.LargestFreeBlockBytes, a.LargestFreeBlockBytesIsSet = 0, false
		a.PeakPoolBytes, a.PeakPoolBytesIsSet = 0, false
		a.PeakAllocatedBytes, a.PeakAllocatedBytesIsSet = 0, false
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceClearMemoryStatsArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		d.client.backend.ClearMemoryStats(d.id)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DeviceGetAttributesArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		h := &heap{}
		l, err := once(h, "attributes", func() (list[pjrtc.NamedValue], error) { return named(h, d.info.Attributes) })
		if err != nil {
			return err
		}
		a.Attributes, a.NumAttributes = l.at, l.n
		a.DeviceAttributes, a.AttributesDeleter, err = giveBytes[pjrtc.DeviceAttributes](h)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.DeviceCreateAsyncTrackingEventArgs) error {
		if _, err := getDevice(a.Device); err != nil {
			return err
		}
		h, err := give[pjrtc.Ptr[pjrtc.AsyncTrackingEvent]](kindTracking, &ffi.Event{})
		a.Event = h
		return err
	})
	on(s, func(_ *Server, a *pjrtc.AsyncTrackingEventDestroyArgs) error {
		if a.Event == 0 {
			return nil
		}
		_, err := take[*ffi.Event](kindTracking, a.Event)
		return err
	})
}

// The memories of the process by address: by the API their handles are addresses.
type memories struct {
	mu   sync.RWMutex
	live map[uintptr]*memory
}

// userData is what a client attached to a memory.
type userData struct {
	data uintptr
	end  call.Fn
}

// memoryTable makes the function table that each memory begins with.
func memoryTable() (mem.Addr, error) {
	get, err := cb.Static(func(m, key uintptr) uintptr {
		x, err := getMemory(pjrtc.Ptr[pjrtc.Memory](m))
		if err != nil {
			return 0
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.data[key].data
	})
	if err != nil {
		return 0, err
	}
	set, err := cb.Static(func(m, key, data, end uintptr) uintptr {
		x, err := getMemory(pjrtc.Ptr[pjrtc.Memory](m))
		if err != nil {
			return 0
		}
		x.mu.Lock()
		old := x.data[key]
		if x.data == nil {
			x.data = map[uintptr]userData{}
		}
		x.data[key] = userData{data, call.Fn(end)}
		x.mu.Unlock()
		old.drop()
		return 0
	})
	if err != nil {
		return 0, err
	}
	p, err := mem.Pages(mem.SizeOf[pjrtc.MemoryFunctionTable]())
	if err != nil {
		return 0, err
	}
	// SAFETY: owner: the process, for ever; bounds: as many bytes were made; alignment: pages; thread: this one, and
	// constant after.
	t := mem.At[pjrtc.MemoryFunctionTable](p)
	t.SetSize()
	t.InstanceStructSize = uint64(mem.SizeOf[pjrtc.Memory]())
	t.GetUserData, t.SetUserData = pjrtc.Func(get), pjrtc.Func(set)
	return p, nil
}

func (u userData) drop() {
	if u.data != 0 && u.end != 0 {
		call.Call(u.end, u.data)
	}
}

func (c *client) newMemory(d *device, number int, info MemoryInfo) (*memory, error) {
	w := world()
	table, err := w.memoryTable.get(memoryTable)
	if err != nil {
		return nil, err
	}
	m := &memory{client: c, device: d, id: len(c.memories), number: number, MemoryInfo: info}
	cell, b, err := grab(mem.SizeOf[pjrtc.Memory]())
	if err != nil {
		return nil, err
	}
	m.cell, m.h = cell, pjrtc.Ptr[pjrtc.Memory](mem.AddrOf(b))
	m.h.At().Vtable = pjrtc.Ptr[pjrtc.MemoryFunctionTable](table)
	w.memories.mu.Lock()
	defer w.memories.mu.Unlock()
	if w.memories.live == nil {
		w.memories.live = map[uintptr]*memory{}
	}
	w.memories.live[uintptr(m.h)] = m
	return m, nil
}

func (m *memory) end() {
	w := world()
	w.memories.mu.Lock()
	delete(w.memories.live, uintptr(m.h))
	w.memories.mu.Unlock()
	m.mu.Lock()
	data := m.data
	m.data = nil
	m.mu.Unlock()
	for _, u := range data {
		u.drop()
	}
	m.heap.free()
	m.cell.free()
}

func getMemory(h pjrtc.Ptr[pjrtc.Memory]) (*memory, error) {
	w := world()
	w.memories.mu.RLock()
	m := w.memories.live[uintptr(h)]
	w.memories.mu.RUnlock()
	if m == nil {
		return nil, w.handles.wrong(kindMemory, uintptr(h), world().handles.object(uintptr(h)))
	}
	return m, m.client.open()
}

func (s *shared) memorySlots() {
	on(s, func(_ *Server, a *pjrtc.MemoryIdArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.Id = int32(m.id)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.MemoryKindArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.Kind, a.KindSize, err = m.heap.text("kind", m.Kind)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.MemoryKindIdArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.KindId = int32(m.number)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.MemoryDebugStringArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.DebugString, a.DebugStringSize, err = m.heap.text("long", fmt.Sprintf("%s(id=%d, device=%d)", m.Short, m.id, m.device.id))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.MemoryToStringArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.ToString, a.ToStringSize, err = m.heap.text("short", fmt.Sprintf("%s_%d", m.Short, m.device.id))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.MemoryAddressableByDevicesArgs) error {
		m, err := getMemory(a.Memory)
		if err != nil {
			return err
		}
		a.Devices, a.NumDevices, err = array(&m.heap, "devices", func() []pjrtc.Ptr[pjrtc.Device] { return []pjrtc.Ptr[pjrtc.Device]{m.device.h} })
		return err
	})
}
