package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// MemoryKind is a kind of memory that a device has, such as device or pinned_host.
type MemoryKind struct {
	Name    string
	ID      int  // the platform's number of the kind
	Default bool // what is not placed goes there
}

// String returns the kind's name.
func (k MemoryKind) String() string { return k.Name }

// MemoryKinds are the kinds of memory that such a device has, in no particular order: for programs that are compiled
// for a device that is not at hand. Calls PJRT_DeviceDescription_MemoryDescriptions. Errors: [isthmus.ErrUnsupported]
// where the plugin has no MemoryDescriptions extension.
func (d *Device) MemoryKinds() ([]MemoryKind, error) {
	const op = "memory kinds"
	if d == nil || d.client == nil {
		return nil, invalid(op, "no device")
	}
	if _, err := d.client.owned.Use(); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer d.client.owned.Done()
	var kinds []MemoryKind
	p := d.client.plugin
	err := ask(p, op, func(_ *call.Frame, a *pjrtc.DeviceGetDescriptionArgs) error { a.Device = d.h; return nil },
		func(a *pjrtc.DeviceGetDescriptionArgs) (err error) {
			kinds, err = p.memoryKinds(a.DeviceDescription)
			return err
		})
	return kinds, err
}

// MemoryKinds is [Device.MemoryKinds] for device i of the topology, in the order of [Topology.Devices].
func (t *Topology) MemoryKinds(i int) (kinds []MemoryKind, err error) {
	const op = "memory kinds"
	h, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	err = ask(t.plugin, op, func(_ *call.Frame, a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) error {
		a.Topology = h
		return nil
	}, func(a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) error {
		all, err := numbers(op, a.Descriptions, a.NumDescriptions, maxValues)
		if err != nil {
			return err
		}
		if i < 0 || i >= len(all) {
			return fmt.Errorf("pjrt: %s: device %d of %d: %w", op, i, len(all), isthmus.ErrBounds)
		}
		kinds, err = t.plugin.memoryKinds(all[i])
		return err
	})
	return kinds, err
}

// memoryKinds reads the kinds of a device description.
//
// Preconditions: d is alive for the call.
func (p *Plugin) memoryKinds(d pjrtc.Ptr[pjrtc.DeviceDescription]) ([]MemoryKind, error) {
	const op = "memory kinds"
	if d == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin describes no device: %w", op, isthmus.ErrInvalid)
	}
	var all []pjrtc.Ptr[pjrtc.MemoryDescription]
	first := -1
	err := askExt(p, op, func(_ *call.Frame, a *pjrtc.DeviceDescriptionMemoryDescriptionsArgs) error {
		a.DeviceDescription = d
		return nil
	}, func(a *pjrtc.DeviceDescriptionMemoryDescriptionsArgs) (err error) {
		first = int(int64(a.DefaultMemoryIndex))
		all, err = numbers(op, a.MemoryDescriptions, a.NumMemoryDescriptions, maxValues)
		return err
	})
	if err != nil {
		return nil, err
	}
	kinds := make([]MemoryKind, len(all))
	for i, m := range all {
		kinds[i].Default = i == first
		err := askExt(p, op, func(_ *call.Frame, a *pjrtc.MemoryDescriptionKindArgs) error { a.MemoryDescription = m; return nil },
			func(a *pjrtc.MemoryDescriptionKindArgs) error {
				kinds[i].Name, kinds[i].ID = text(a.Kind, a.KindSize), int(a.KindId)
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return kinds, nil
}
