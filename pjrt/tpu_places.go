package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// TPUPlace says where a chip or a logical device is: on which process, and which of those there it is.
type TPUPlace struct{ Process, Index int }

// ProcessIDs lists the numbers of the processes.
func (t *TPUTopology) ProcessIDs() (ids []int, err error) {
	const op = "process ids"
	c, err := t.Counts()
	if err = unlessUnsupported(err); err != nil {
		return nil, err
	}
	n := c.Processes
	if n > maxValues {
		return nil, fmt.Errorf("pjrt: TPU topology: %s: %d processes: %w", op, n, isthmus.ErrBounds)
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyProcessIdsArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology, a.MaxProcessIds = h, int32(n)
		a.ProcessIds, err = room(f, n)
		return err
	}, func(a *pjrtc.TpuTopologyProcessIdsArgs) (err error) {
		ids, err = filled(op, a.ProcessIds, a.NumProcessIds, uint64(n))
		return err
	})
	return ids, err
}

// DevicesOn lists the numbers of the logical devices of a process.
func (t *TPUTopology) DevicesOn(process int) (ids []int, err error) {
	const op = "devices of a process"
	if err := t.checkProcess(op, process); err != nil {
		return nil, err
	}
	c, err := t.Counts()
	if err = unlessUnsupported(err); err != nil {
		return nil, err
	}
	n := c.DevicesPerProcess
	if n > maxValues {
		return nil, fmt.Errorf("pjrt: TPU topology: %s: %d devices: %w", op, n, isthmus.ErrBounds)
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyLogiDeviceIdsOnProcessArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology, a.ProcessId, a.MaxLogicalDeviceIds = h, int32(process), int32(n)
		a.LogicalDeviceOfDefaultTypeIds, err = room(f, n)
		return err
	}, func(a *pjrtc.TpuTopologyLogiDeviceIdsOnProcessArgs) (err error) {
		ids, err = filled(op, a.LogicalDeviceOfDefaultTypeIds, a.NumLogicalDeviceIds, uint64(n))
		return err
	})
	return ids, err
}

// ChipPlace says where a chip is.
func (t *TPUTopology) ChipPlace(chip int) (p TPUPlace, err error) {
	const op = "place of a chip"
	if err := t.checkChip(op, chip); err != nil {
		return p, err
	}
	err = askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyProcIdAndIdxOnProcForChipArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology, a.ChipId = h, int32(chip)
		return nil
	}, func(a *pjrtc.TpuTopologyProcIdAndIdxOnProcForChipArgs) error {
		p = TPUPlace{int(a.ProcessId), int(a.IndexOnProcess)}
		return nil
	})
	return p, err
}

// DevicePlace says where a logical device is.
func (t *TPUTopology) DevicePlace(device int) (p TPUPlace, err error) {
	const op = "place of a device"
	if err := t.checkDevice(op, device); err != nil {
		return p, err
	}
	err = askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyProcIdAndIdxOnProcForLogiDeviceArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology, a.DeviceId = h, int32(device)
		return nil
	}, func(a *pjrtc.TpuTopologyProcIdAndIdxOnProcForLogiDeviceArgs) error {
		p = TPUPlace{int(a.ProcessId), int(a.IndexOnProcess)}
		return nil
	})
	return p, err
}

// ProcessCoords gives a process's coordinates.
func (t *TPUTopology) ProcessCoords(process int) (at []int, err error) {
	const op = "coordinates of a process"
	if err := t.checkProcess(op, process); err != nil {
		return nil, err
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyProcessCoordFromIdArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology, a.ProcessId, a.CoordsMaxDims = h, int32(process), maxTPUDims
		a.Coords, err = room(f, maxTPUDims)
		return err
	}, func(a *pjrtc.TpuTopologyProcessCoordFromIdArgs) (err error) {
		at, err = filled(op, a.Coords, a.CoordsNumDims, maxTPUDims)
		return err
	})
	return at, err
}

// ChipAt gives the number of the chip at the coordinates.
func (t *TPUTopology) ChipAt(at ...int) (id int, err error) {
	const op = "chip at coordinates"
	if err := t.checkCoords(op, at); err != nil {
		return 0, err
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyChipIdFromCoordArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology = h
		a.Coords, a.CoordsNumDims, err = coords(f, op, at)
		return err
	}, func(a *pjrtc.TpuTopologyChipIdFromCoordArgs) error { id = int(a.ChipId); return nil })
	return id, err
}

// DeviceAt gives the number of the logical device with an index on the chip at the coordinates.
func (t *TPUTopology) DeviceAt(index int, chip ...int) (id int, err error) {
	const op = "device at coordinates"
	if err := t.checkCoords(op, chip); err != nil {
		return 0, err
	}
	if err := t.checkID(op, "device of a chip", func(c TPUCounts) int { return c.DevicesPerChip }, index); err != nil {
		return 0, err
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyLogiDeviceIdFromChipCoordAndIdxArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology, a.LogicalDeviceIndexOnChip = h, int32(index)
		a.ChipCoords, a.ChipCoordsNumDims, err = coords(f, op, chip)
		return err
	}, func(a *pjrtc.TpuTopologyLogiDeviceIdFromChipCoordAndIdxArgs) error {
		id = int(a.LogicalDeviceOfDefaultTypeId)
		return nil
	})
	return id, err
}

// DeviceCoords gives the coordinates of a logical device's chip and the device's index on it.
func (t *TPUTopology) DeviceCoords(device int) (chip []int, index int, err error) {
	const op = "coordinates of a device"
	if err := t.checkDevice(op, device); err != nil {
		return nil, 0, err
	}
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyChipCoordAndIdxForLogiDeviceArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) (err error) {
		a.Topology, a.DeviceId, a.ChipCoordsMaxDims = h, int32(device), maxTPUDims
		a.ChipCoords, err = room(f, maxTPUDims)
		return err
	}, func(a *pjrtc.TpuTopologyChipCoordAndIdxForLogiDeviceArgs) (err error) {
		index = int(a.DeviceIndexOnChip)
		chip, err = filled(op, a.ChipCoords, a.ChipCoordsNumDims, maxTPUDims)
		return err
	})
	return chip, index, err
}

func (t *TPUTopology) checkProcess(op string, ids ...int) error {
	return t.checkID(op, "process", func(c TPUCounts) int { return c.Processes }, ids...)
}

func (t *TPUTopology) checkDevice(op string, ids ...int) error {
	return t.checkID(op, "device", func(c TPUCounts) int { return c.Devices }, ids...)
}

// checkCoords refuses coordinates outside the topology.
func (t *TPUTopology) checkCoords(op string, at []int) error {
	b, err := t.Bounds()
	if err != nil {
		return unlessUnsupported(err)
	}
	if len(at) != len(b.Chips) {
		return invalid("TPU topology: "+op, "%d coordinates, the topology has %d dimensions", len(at), len(b.Chips))
	}
	for i, v := range at {
		if v < 0 || v >= b.Chips[i] {
			return fmt.Errorf("pjrt: TPU topology: %s: coordinates %v are outside %v: %w", op, at, b.Chips, isthmus.ErrBounds)
		}
	}
	return nil
}
