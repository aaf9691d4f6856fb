package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// MultiSlice says how several slices of devices, each with a fast network inside, work as one. It comes from
// [Topology.NewMultiSlice] or [Megascale.NewMultiSlice], keeps that alive and is to be closed before it. It is safe for
// concurrent use. Errors of all methods: [isthmus.ErrUnsupported] with the name of what the plugin lacks.
type MultiSlice struct {
	extObject[pjrtc.MultiSliceConfig]
}

// newMultiSlice takes a configuration over. It is destroyed by another extension than made it: without that, it would
// never be, so it is not made.
func (p *Plugin) newMultiSlice(h pjrtc.Ptr[pjrtc.MultiSliceConfig], parents ...ffi.Parent) (*MultiSlice, error) {
	m := &MultiSlice{}
	err := own(&m.extObject, p, "pjrt.MultiSlice", h, func(a *pjrtc.MultiSliceConfigDestroyArgs, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) { a.Config = h }, parents...)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// NewMultiSlice configures as many slices of this topology, to compile for without any of them. The caller closes it.
// Calls PJRT_Megascale_CreateAoTConfig.
func (t *Topology) NewMultiSlice(slices int) (m *MultiSlice, err error) {
	const op = "new multi-slice configuration"
	h, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	if slices <= 0 || slices > 1<<20 {
		return nil, invalid(op, "%d slices", slices)
	}
	if err := t.plugin.needs(op, (*pjrtc.MultiSliceConfigDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	err = askExt(t.plugin, op, func(_ *call.Frame, a *pjrtc.MegascaleCreateAoTConfigArgs) error {
		a.Topology, a.NumSlices = h, int32(slices)
		return nil
	}, func(a *pjrtc.MegascaleCreateAoTConfigArgs) (err error) {
		m, err = t.plugin.newMultiSlice(a.MultiSliceConfig, t.parent())
		return err
	})
	return m, err
}

// Close destroys the configuration. It is idempotent and nil-safe. Calls PJRT_MultiSlice_Config_Destroy.
func (m *MultiSlice) Close() error {
	if m == nil {
		return nil
	}
	return m.owned.Close()
}

// Slices is how many slices there are. Calls PJRT_MultiSlice_Config_NumSlices.
func (m *MultiSlice) Slices() (n int, err error) {
	err = askOf(&orZero(m).extObject, "number of slices", func(_ *call.Frame, a *pjrtc.MultiSliceConfigNumSlicesArgs, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) error {
		a.Config = h
		return nil
	}, func(a *pjrtc.MultiSliceConfigNumSlicesArgs) error { n = int(a.NumSlices); return nil })
	return n, err
}

// SliceID is the number of this process's slice. Calls PJRT_MultiSlice_Config_SliceId.
func (m *MultiSlice) SliceID() (id int, err error) {
	err = askOf(&orZero(m).extObject, "slice id", func(_ *call.Frame, a *pjrtc.MultiSliceConfigSliceIdArgs, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) error {
		a.Config = h
		return nil
	}, func(a *pjrtc.MultiSliceConfigSliceIdArgs) error { id = int(a.SliceId); return nil })
	return id, err
}

// DevicesPerSlice tells, by the slice's number, how many devices it has. Calls
// PJRT_MultiSlice_Config_NumDevicesPerSlice.
func (m *MultiSlice) DevicesPerSlice() (devices map[int]int, err error) {
	const op = "devices per slice"
	err = askOf(&orZero(m).extObject, op, func(_ *call.Frame, a *pjrtc.MultiSliceConfigNumDevicesPerSliceArgs, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) error {
		a.Config = h
		return nil
	}, func(a *pjrtc.MultiSliceConfigNumDevicesPerSliceArgs) error {
		defer release(a.DevicesPerSliceMapDeleter, mem.Addr(a.DevicesPerSliceMap))
		ids, err := numbers(op, a.SliceIds, a.NumDevicesPerSliceMap, maxValues)
		if err != nil {
			return err
		}
		counts, err := numbers(op, a.NumDevices, a.NumDevicesPerSliceMap, maxValues)
		if err != nil {
			return err
		}
		devices = make(map[int]int, len(ids))
		for i, id := range ids {
			if counts[i] < 0 {
				return fmt.Errorf("pjrt: %s: the plugin says slice %d has %d: %w", op, id, counts[i], isthmus.ErrBounds)
			}
			devices[int(id)] = int(counts[i])
		}
		return nil
	})
	return devices, err
}

// Serialize gives the configuration as the plugin's own message. Calls PJRT_MultiSlice_Config_Serialize.
func (m *MultiSlice) Serialize() (out []byte, err error) {
	const op = "serialize multi-slice configuration"
	err = askOf(&orZero(m).extObject, op, func(_ *call.Frame, a *pjrtc.MultiSliceConfigSerializeArgs, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) error {
		a.Config = h
		return nil
	}, func(a *pjrtc.MultiSliceConfigSerializeArgs) (err error) {
		out, err = takeBytes(op, a.Serialized, a.Size, a.SerializedConfigDeleter, mem.Addr(a.SerializedConfig))
		return err
	})
	return out, err
}
