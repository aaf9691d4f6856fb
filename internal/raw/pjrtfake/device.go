package pjrtfake

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

var deviceSlots = []entry{
	on(func(f *Fake, a *pjrtc.DeviceGetDescriptionArgs) *Failure {
		get(f, "description", "device", a.Device)
		a.DeviceDescription = pjrtc.Ptr[pjrtc.DeviceDescription](a.Device)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionIdArgs) *Failure {
		if d := get(f, "id", "device", a.DeviceDescription); d != nil {
			a.Id = int32(d.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionProcessIndexArgs) *Failure {
		get(f, "process", "device", a.DeviceDescription)
		a.ProcessIndex = 0
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionAttributesArgs) *Failure {
		d := get(f, "attributes", "device", a.DeviceDescription)
		a.Attributes, a.NumAttributes = f.values(d, f.DeviceAttributes), uint64(len(f.DeviceAttributes))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionKindArgs) *Failure {
		get(f, "kind", "device", a.DeviceDescription)
		a.DeviceKind, a.DeviceKindSize = f.Text("fake"), 4
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionDebugStringArgs) *Failure {
		if d := get(f, "debug string", "device", a.DeviceDescription); d != nil {
			a.DebugString, a.DebugStringSize = f.say("a fake device with id %d", d.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDescriptionToStringArgs) *Failure {
		if d := get(f, "string", "device", a.DeviceDescription); d != nil {
			a.ToString, a.ToStringSize = f.say("FakeDevice(id=%d)", d.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceIsAddressableArgs) *Failure {
		get(f, "is addressable", "device", a.Device)
		a.IsAddressable = true
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceLocalHardwareIdArgs) *Failure {
		if d := get(f, "hardware id", "device", a.Device); d != nil {
			a.LocalHardwareId = int32(d.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceAddressableMemoriesArgs) *Failure {
		d := get(f, "memories", "device", a.Device)
		if d == nil {
			return bad
		}
		var m []*object
		for _, s := range f.children(d.parent, "memory") {
			if s.device == d {
				m = append(m, s)
			}
		}
		a.Memories, a.NumMemories = List(f, d, handles[pjrtc.Memory](m)), uint64(len(m))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceDefaultMemoryArgs) *Failure {
		d := get(f, "default memory", "device", a.Device)
		if d == nil || d.space == nil {
			return bad
		}
		a.Memory = pjrtc.Ptr[pjrtc.Memory](d.space.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceMemoryStatsArgs) *Failure {
		if get(f, "memory stats", "device", a.Device) == nil {
			return bad
		}
		a.BytesInUse = f.used
		a.PeakBytesInUse, a.PeakBytesInUseIsSet = f.peak, true
		a.NumAllocs, a.NumAllocsIsSet = f.allocs, true
		a.BytesLimit, a.BytesLimitIsSet = f.Limit, f.Limit != 0
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceClearMemoryStatsArgs) *Failure {
		if get(f, "clear memory stats", "device", a.Device) == nil {
			return bad
		}
		f.peak, f.allocs = f.used, 0
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DevicePoisonExecutionArgs) *Failure {
		d := get(f, "poison", "device", a.Device)
		if d == nil {
			return bad
		}
		for _, r := range f.running {
			if r.device == d && r.launch == a.LaunchId && r.poison == nil {
				r.poison = status(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
				if r.poison != nil {
					r.poison.Payload = f.read("poison", a.Payload, a.NumPayload)
				}
				a.Poisoned = true
				break
			}
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceGetAttributesArgs) *Failure {
		d := get(f, "attributes", "device", a.Device)
		if d == nil {
			return bad
		}
		o := f.make(&object{kind: "attributes", parent: d})
		a.Attributes, a.NumAttributes = f.values(o, f.DeviceAttributes), uint64(len(f.DeviceAttributes))
		a.DeviceAttributes, a.AttributesDeleter = pjrtc.Ptr[pjrtc.DeviceAttributes](o.handle), f.Deleter("attributes")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.DeviceCreateAsyncTrackingEventArgs) *Failure {
		d := get(f, "track", "device", a.Device)
		if d == nil {
			return bad
		}
		o := f.make(&object{kind: "tracking event", parent: d, name: str(a.Description, a.DescriptionSize)})
		a.Event = pjrtc.Ptr[pjrtc.AsyncTrackingEvent](o.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.AsyncTrackingEventDestroyArgs) *Failure {
		destroy(f, "tracking event", a.Event)
		return nil
	}),
}

var memorySlots = []entry{
	on(func(f *Fake, a *pjrtc.MemoryIdArgs) *Failure {
		if m := get(f, "id", "memory", a.Memory); m != nil {
			a.Id = int32(m.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.MemoryKindArgs) *Failure {
		if m := get(f, "kind", "memory", a.Memory); m != nil {
			a.Kind, a.KindSize = f.say("%s", m.name)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.MemoryKindIdArgs) *Failure {
		if m := get(f, "kind", "memory", a.Memory); m != nil {
			a.KindId = int32(m.id % len(memoryKinds))
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.MemoryDebugStringArgs) *Failure {
		if m := get(f, "debug string", "memory", a.Memory); m != nil {
			a.DebugString, a.DebugStringSize = f.say("a fake memory with id %d of kind %s", m.id, m.name)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.MemoryToStringArgs) *Failure {
		if m := get(f, "string", "memory", a.Memory); m != nil {
			a.ToString, a.ToStringSize = f.say("FakeMemory(id=%d)", m.id)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.MemoryAddressableByDevicesArgs) *Failure {
		m := get(f, "devices", "memory", a.Memory)
		if m == nil {
			return bad
		}
		a.Devices, a.NumDevices = List(f, m, handles[pjrtc.Device]([]*object{m.device})), 1
		return nil
	}),
}

// say is text for C.
func (f *Fake) say(format string, a ...any) (pjrtc.Ptr[byte], uint64) {
	s := fmt.Sprintf(format, a...)
	return f.Text(s), uint64(len(s))
}
