package pjrt

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Subslice gives a part of the topology as a topology of its own: as many chips of each host as the first bounds say,
// of as many hosts as the second say. The caller closes it.
func (t *TPUTopology) Subslice(chipsPerHost, hosts []int) (*Topology, error) {
	const op = "subslice"
	var h pjrtc.Ptr[pjrtc.TopologyDescription]
	err := askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologySubsliceArgs, top pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology = top
		if a.ChipsPerHostBounds, a.ChipsPerHostBoundsNumDims, err = bounds(f, op, chipsPerHost); err == nil {
			a.HostBounds, a.HostBoundsNumDims, err = bounds(f, op, hosts)
		}
		return err
	}, func(a *pjrtc.TpuTopologySubsliceArgs) error { h = a.SubsliceTopology; return nil })
	if err != nil {
		return nil, err
	}
	return t.t.plugin.takeTopology(op, h)
}

// WithHosts gives the topology with other host bounds. The caller closes it.
func (t *TPUTopology) WithHosts(hosts []int) (*Topology, error) {
	const op = "replace host bounds"
	var h pjrtc.Ptr[pjrtc.TopologyDescription]
	err := askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyReplaceHostBoundsArgs, top pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology = top
		a.HostBounds, a.HostBoundsDimNum, err = bounds(f, op, hosts)
		return err
	}, func(a *pjrtc.TpuTopologyReplaceHostBoundsArgs) error { h = a.NewTopology; return nil })
	if err != nil {
		return nil, err
	}
	return t.t.plugin.takeTopology(op, h)
}

// bounds is coords of sizes that are not 0.
func bounds(f *call.Frame, op string, values []int) (pjrtc.Ptr[int32], uint64, error) {
	for _, v := range values {
		if v <= 0 {
			return 0, 0, invalid("TPU topology: "+op, "bounds %v; each is at least 1", values)
		}
	}
	return coords(f, "TPU topology: "+op, values)
}

// IsSubslice reports whether the topology is a part of another.
func (t *TPUTopology) IsSubslice() (is bool, err error) {
	err = askTPU(t, "is subslice", func(_ *call.Frame, a *pjrtc.TpuTopologyIsSubsliceTopologyArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology = h
		return nil
	}, func(a *pjrtc.TpuTopologyIsSubsliceTopologyArgs) error { is = a.IsSubsliceTopology; return nil })
	return is, err
}

// SubsliceDevice gives the number that a logical device of this topology has in a part of it that begins at origin.
func (t *TPUTopology) SubsliceDevice(sub *Topology, origin []int, device int) (id int, err error) {
	const op = "device of a subslice"
	if err := t.checkDevice(op, device); err != nil {
		return 0, err
	}
	if err := t.checkCoords(op, origin); err != nil {
		return 0, err
	}
	part, done, err := sub.use(op)
	if err != nil {
		return 0, err
	}
	defer done()
	if sub.plugin != t.t.plugin {
		return 0, invalid(op, "the subslice belongs to another plugin")
	}
	v := &TPUTopology{sub}
	if is, err := v.IsSubslice(); err != nil || !is {
		return 0, errors.Join(err, invalid("TPU topology: "+op, "%s is no part of a topology", sub))
	}
	// A device outside the part ends the plugin's process.
	b, err := v.Bounds()
	if err != nil {
		return 0, err
	}
	chip, _, err := t.DeviceCoords(device)
	if err != nil {
		return 0, err
	}
	full, err := t.Bounds()
	if err != nil {
		return 0, err
	}
	for i := range origin {
		if i < len(b.Chips) && origin[i]+b.Chips[i] > full.Chips[i] {
			return 0, fmt.Errorf("pjrt: TPU topology: %s: %v from %v on is outside %v: %w", op, b.Chips, origin, full.Chips, isthmus.ErrBounds)
		}
		if i >= len(b.Chips) || i >= len(chip) || chip[i] < origin[i] || chip[i]-origin[i] >= b.Chips[i] {
			return 0, fmt.Errorf("pjrt: TPU topology: %s: the chip of device %d is at %v, outside %v from %v on: %w", op, device, chip, b.Chips, origin, isthmus.ErrBounds)
		}
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologySubsliceDeviceIdFromFullDeviceIdArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.ClientTopology, a.SubsliceTopology, a.FullDeviceId = h, part, int32(device)
		a.SubsliceOrigin, a.SubsliceOriginDimNum, err = coords(f, op, origin)
		return err
	}, func(a *pjrtc.TpuTopologySubsliceDeviceIdFromFullDeviceIdArgs) error {
		id = int(a.SubsliceDeviceId)
		return nil
	})
	return id, err
}

// TPUSlice is a shape that TPUs of one kind come in.
type TPUSlice struct {
	Dims  []int  // chips per dimension
	Wrap  []bool // whether the dimension is a ring
	Twist bool   // whether the torus is twisted
}

// String returns the dimensions, such as 4x4x8.
func (s TPUSlice) String() string {
	out := ""
	for i, d := range s.Dims {
		if i > 0 {
			out += "x"
		}
		out += fmt.Sprint(d)
	}
	return out
}

func (s *TPUSlice) take(op string, c *pjrtc.TpuTopologySliceConfig) error {
	if c.DimSize > uint64(len(c.Dimensions)) {
		return fmt.Errorf("pjrt: %s: the plugin says a slice has %d dimensions: %w", op, c.DimSize, isthmus.ErrBounds)
	}
	*s = TPUSlice{Wrap: append([]bool(nil), c.Wrap[:c.DimSize]...), Twist: c.Twist}
	for _, d := range c.Dimensions[:c.DimSize] {
		s.Dims = append(s.Dims, int(d))
	}
	return nil
}

// TPUSlice looks a slice up by the platform's name, such as "v5e", and its own, such as "4x4". Errors:
// [isthmus.ErrUnsupported] where the plugin has no extension TpuTopology; the plugin's for names that it does not know.
func (p *Plugin) TPUSlice(platform, name string) (s TPUSlice, err error) {
	const op = "TPU slice"
	if p == nil || p.table == nil {
		return s, invalid(op, "no plugin")
	}
	var c *pjrtc.TpuTopologySliceConfig
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuTopologyGetSliceConfigArgs) (err error) {
		if a.PlatformTypeName, err = bytesOf(f, platform); err != nil {
			return err
		}
		if a.SliceName, err = bytesOf(f, name); err != nil {
			return err
		}
		c, err = call.New[pjrtc.TpuTopologySliceConfig](f)
		a.PlatformTypeNameLen, a.SliceNameLen, a.SliceConfig = uint64(len(platform)), uint64(len(name)), pjrtc.To(c)
		return err
	}, func(*pjrtc.TpuTopologyGetSliceConfigArgs) error { return s.take(op, c) })
	return s, err
}

// maxSlices bounds the slices of a platform.
const maxSlices = 4096

// TPUSlices lists the slices that TPUs of the platform come in. Errors: as for TPUSlice.
func (p *Plugin) TPUSlices(platform string) (out []TPUSlice, err error) {
	const op = "TPU slices"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	var room []pjrtc.TpuTopologySliceConfig
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuTopologyGetSliceConfigsArgs) (err error) {
		if a.PlatformTypeName, err = bytesOf(f, platform); err != nil {
			return err
		}
		room, err = call.Slice[pjrtc.TpuTopologySliceConfig](f, maxSlices)
		a.PlatformTypeNameLen, a.SliceConfigs, a.MaxSliceConfigs = uint64(len(platform)), pjrtc.ToSlice(room), maxSlices
		return err
	}, func(a *pjrtc.TpuTopologyGetSliceConfigsArgs) error {
		if a.NumSliceConfigs > maxSlices {
			return fmt.Errorf("pjrt: %s: the plugin says there are %d, there is room for %d: %w", op, a.NumSliceConfigs, maxSlices, isthmus.ErrBounds)
		}
		out = make([]TPUSlice, a.NumSliceConfigs)
		for i := range out {
			if err := out[i].take(op, &room[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// TPUHost says what a host of the platform has unless told otherwise: chips on each tray, and trays. Errors: as for
// TPUSlice.
func (p *Plugin) TPUHost(platform string) (chipsPerTray, trays int, err error) {
	const op = "TPU host"
	if p == nil || p.table == nil {
		return 0, 0, invalid(op, "no plugin")
	}
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuTopologyGetDefaultPlatformConfigArgs) (err error) {
		a.PlatformTypeName, err = bytesOf(f, platform)
		a.PlatformTypeNameLen = uint64(len(platform))
		return err
	}, func(a *pjrtc.TpuTopologyGetDefaultPlatformConfigArgs) error {
		chipsPerTray, trays = int(a.NumChipsPerTray), int(a.NumTrays)
		return nil
	})
	return chipsPerTray, trays, err
}
