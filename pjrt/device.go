package pjrt

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Device is a device of a client. It is valid as long as the client is open. It is safe for concurrent use.
type Device struct {
	client      *Client
	h           pjrtc.Ptr[pjrtc.Device]
	id          int
	process     int
	hardware    int
	kind        string
	text        string
	debug       string
	attributes  []NamedValue
	addressable bool
	memories    []*Memory
	memory      *Memory
}

func (c *Client) newDevice(h pjrtc.Ptr[pjrtc.Device]) (*Device, error) {
	p, d := c.plugin, &Device{client: c, h: h, hardware: -1}
	var desc pjrtc.Ptr[pjrtc.DeviceDescription]
	err := ask(p, "device description", func(_ *call.Frame, a *pjrtc.DeviceGetDescriptionArgs) error { a.Device = h; return nil },
		func(a *pjrtc.DeviceGetDescriptionArgs) error {
			desc = a.DeviceDescription
			return nil
		})
	if err != nil || desc == 0 {
		return d, unlessUnsupported(err)
	}
	about, err := p.describeDevice(desc)
	d.id, d.process, d.kind, d.text, d.debug, d.attributes = about.ID, about.ProcessIndex, about.Kind, about.Text, about.Debug, about.Attributes
	errs := []error{
		err,
		ask(p, "local hardware id", func(_ *call.Frame, a *pjrtc.DeviceLocalHardwareIdArgs) error { a.Device = h; return nil },
			func(a *pjrtc.DeviceLocalHardwareIdArgs) error { d.hardware = int(a.LocalHardwareId); return nil }),
	}
	for i := range errs {
		errs[i] = unlessUnsupported(errs[i])
	}
	return d, errors.Join(errs...)
}

// Client returns the client that the device belongs to.
func (d *Device) Client() *Client { return orZero(d).client }

// ID is the device's number, unique among the devices of all processes.
func (d *Device) ID() int { return orZero(d).id }

// ProcessIndex is the number of the process that can use the device.
func (d *Device) ProcessIndex() int { return orZero(d).process }

// HardwareID is the number that the hardware's own tools use, -1 where there is none.
func (d *Device) HardwareID() int { return orZero(d).hardware }

// Kind is the vendor's name of the kind of device.
func (d *Device) Kind() string { return orZero(d).kind }

// DebugString is the plugin's long description.
func (d *Device) DebugString() string { return orZero(d).debug }

// Addressable reports whether this process can use the device.
func (d *Device) Addressable() bool { return orZero(d).addressable }

// Attributes are what the plugin says of the device.
func (d *Device) Attributes() []NamedValue { return append([]NamedValue(nil), orZero(d).attributes...) }

// Memories lists the memories that the device can address.
func (d *Device) Memories() []*Memory { return append([]*Memory(nil), orZero(d).memories...) }

// Memory is the memory that the device's data is in unless said otherwise, nil where the plugin names none.
func (d *Device) Memory() *Memory { return orZero(d).memory }

// String returns the plugin's short description.
func (d *Device) String() string {
	switch {
	case d == nil:
		return "pjrt.Device(none)"
	case d.text == "":
		return fmt.Sprintf("pjrt.Device(%d)", d.id)
	}
	return d.text
}

// MemoryStats is what a device's allocator tells. A value that the plugin does not give is -1.
type MemoryStats struct {
	InUse, PeakInUse       int64 // bytes
	Allocations            int64 // count
	LargestAllocation      int64 // bytes
	Limit                  int64 // bytes that may be used
	Reserved, PeakReserved int64 // bytes
	ReservableLimit        int64 // bytes
	LargestFree            int64 // bytes
	Pool, PeakPool         int64 // bytes that the allocator holds
	PeakAllocated          int64 // bytes
}

// MemoryStats asks the device's allocator. Calls PJRT_Device_MemoryStats. Errors: [isthmus.ErrUnsupported] where the
// plugin does not count, [isthmus.ErrClosed] after the client is closed.
func (d *Device) MemoryStats() (MemoryStats, error) {
	var s MemoryStats
	if d == nil || d.client == nil {
		return s, invalid("memory stats", "no device")
	}
	if _, err := d.client.owned.Use(); err != nil {
		return s, fmt.Errorf("pjrt: memory stats: %w", err)
	}
	defer d.client.owned.Done()
	set := func(v int64, is bool) int64 {
		if !is {
			return -1
		}
		return v
	}
	err := ask(d.client.plugin, "memory stats", func(_ *call.Frame, a *pjrtc.DeviceMemoryStatsArgs) error { a.Device = d.h; return nil },
		func(a *pjrtc.DeviceMemoryStatsArgs) error {
			s = MemoryStats{
				InUse: a.BytesInUse, PeakInUse: set(a.PeakBytesInUse, a.PeakBytesInUseIsSet),
				Allocations: set(a.NumAllocs, a.NumAllocsIsSet), LargestAllocation: set(a.LargestAllocSize, a.LargestAllocSizeIsSet),
				Limit: set(a.BytesLimit, a.BytesLimitIsSet), Reserved: set(a.BytesReserved, a.BytesReservedIsSet),
				PeakReserved: set(a.PeakBytesReserved, a.PeakBytesReservedIsSet), ReservableLimit: set(a.BytesReservableLimit, a.BytesReservableLimitIsSet),
				LargestFree: set(a.LargestFreeBlockBytes, a.LargestFreeBlockBytesIsSet), Pool: set(a.PoolBytes, a.PoolBytesIsSet),
				PeakPool: set(a.PeakPoolBytes, a.PeakPoolBytesIsSet), PeakAllocated: set(a.PeakAllocatedBytes, a.PeakAllocatedBytesIsSet),
			}
			return nil
		})
	return s, err
}

// Memory is a memory space of a client, such as a device's own or pinned host memory. It is valid as long as the
// client is open. It is safe for concurrent use.
type Memory struct {
	client  *Client
	h       pjrtc.Ptr[pjrtc.Memory]
	id      int
	kind    string
	kindID  int
	text    string
	debug   string
	devices []*Device
}

// describeMemories finds the memories through the devices and links both.
func (c *Client) describeMemories(devices map[pjrtc.Ptr[pjrtc.Device]]*Device) error {
	p := c.plugin
	made := map[pjrtc.Ptr[pjrtc.Memory]]*Memory{}
	get := func(h pjrtc.Ptr[pjrtc.Memory]) (*Memory, error) {
		if made[h] != nil {
			return made[h], nil
		}
		m, err := c.newMemory(h)
		if err != nil {
			return nil, err
		}
		made[h] = m
		c.memories = append(c.memories, m)
		return m, nil
	}
	for _, d := range c.local {
		var list []pjrtc.Ptr[pjrtc.Memory]
		err := ask(p, "memories of a device", func(_ *call.Frame, a *pjrtc.DeviceAddressableMemoriesArgs) error { a.Device = d.h; return nil },
			func(a *pjrtc.DeviceAddressableMemoriesArgs) (err error) {
				list, err = numbers("memories of a device", a.Memories, a.NumMemories, maxValues)
				return err
			})
		if err := unlessUnsupported(err); err != nil {
			return err
		}
		for _, h := range list {
			if h == 0 {
				continue
			}
			m, err := get(h)
			if err != nil {
				return err
			}
			d.memories = append(d.memories, m)
			m.devices = append(m.devices, d)
		}
		var def pjrtc.Ptr[pjrtc.Memory]
		err = ask(p, "default memory", func(_ *call.Frame, a *pjrtc.DeviceDefaultMemoryArgs) error { a.Device = d.h; return nil },
			func(a *pjrtc.DeviceDefaultMemoryArgs) error { def = a.Memory; return nil })
		if err := unlessUnsupported(err); err != nil {
			return err
		}
		if def != 0 {
			if d.memory, err = get(def); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) newMemory(h pjrtc.Ptr[pjrtc.Memory]) (*Memory, error) {
	p, m := c.plugin, &Memory{client: c, h: h}
	errs := []error{
		ask(p, "memory id", func(_ *call.Frame, a *pjrtc.MemoryIdArgs) error { a.Memory = h; return nil },
			func(a *pjrtc.MemoryIdArgs) error { m.id = int(a.Id); return nil }),
		ask(p, "memory kind", func(_ *call.Frame, a *pjrtc.MemoryKindArgs) error { a.Memory = h; return nil },
			func(a *pjrtc.MemoryKindArgs) error { m.kind = text(a.Kind, a.KindSize); return nil }),
		ask(p, "memory text", func(_ *call.Frame, a *pjrtc.MemoryToStringArgs) error { a.Memory = h; return nil },
			func(a *pjrtc.MemoryToStringArgs) error { m.text = text(a.ToString, a.ToStringSize); return nil }),
		ask(p, "memory kind", func(_ *call.Frame, a *pjrtc.MemoryKindIdArgs) error { a.Memory = h; return nil },
			func(a *pjrtc.MemoryKindIdArgs) error { m.kindID = int(a.KindId); return nil }),
		ask(p, "memory debug text", func(_ *call.Frame, a *pjrtc.MemoryDebugStringArgs) error { a.Memory = h; return nil },
			func(a *pjrtc.MemoryDebugStringArgs) error {
				m.debug = text(a.DebugString, a.DebugStringSize)
				return nil
			}),
	}
	for i := range errs {
		errs[i] = unlessUnsupported(errs[i])
	}
	return m, errors.Join(errs...)
}

// Client returns the client that the memory belongs to.
func (m *Memory) Client() *Client { return orZero(m).client }

// ID is the memory's number.
func (m *Memory) ID() int { return orZero(m).id }

// Kind is the plugin's name of the kind of memory, such as "device" or "pinned_host".
func (m *Memory) Kind() string { return orZero(m).kind }

// KindID is the plugin's number of the kind of memory.
func (m *Memory) KindID() int { return orZero(m).kindID }

// DebugString is the plugin's long description.
func (m *Memory) DebugString() string { return orZero(m).debug }

// AddressableBy asks which devices can address the memory, those of other processes included;
// [Memory.Devices] remembers those of this one. Calls PJRT_Memory_AddressableByDevices.
func (m *Memory) AddressableBy() ([]*Device, error) {
	const op = "memory devices"
	if _, err := m.use(op); err != nil {
		return nil, err
	}
	defer m.client.owned.Done()
	var out []*Device
	err := ask(m.client.plugin, op, func(_ *call.Frame, a *pjrtc.MemoryAddressableByDevicesArgs) error { a.Memory = m.h; return nil },
		func(a *pjrtc.MemoryAddressableByDevicesArgs) error {
			list, err := numbers(op, a.Devices, a.NumDevices, maxValues)
			for _, h := range list {
				for _, d := range m.client.devices {
					if d.h == h {
						out = append(out, d)
					}
				}
			}
			return err
		})
	return out, err
}

// Devices lists the devices of this process that can address the memory.
func (m *Memory) Devices() []*Device { return append([]*Device(nil), orZero(m).devices...) }

// String returns the plugin's short description.
func (m *Memory) String() string {
	switch {
	case m == nil:
		return "pjrt.Memory(none)"
	case m.text == "":
		return fmt.Sprintf("pjrt.Memory(%d, %s)", m.id, m.kind)
	}
	return m.text
}
