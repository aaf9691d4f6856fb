package pjrt

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
)

// Which device does which part of a program's work.

// LookupDevice returns the device with the given [Device.ID], of any process. Calls PJRT_Client_LookupDevice. Errors:
// the plugin's, [isthmus.ErrNotFound] or [isthmus.ErrInvalid] mostly, where there is none.
func (c *Client) LookupDevice(id int) (*Device, error) {
	const op = "look up device"
	return lookUp(c, op, id, func(h pjrtc.Ptr[pjrtc.Client]) (d pjrtc.Ptr[pjrtc.Device], err error) {
		err = ask(c.plugin, op, func(_ *call.Frame, a *pjrtc.ClientLookupDeviceArgs) error { a.Client, a.Id = h, int32(id); return nil },
			func(a *pjrtc.ClientLookupDeviceArgs) error { d = a.Device; return nil })
		return d, err
	})
}

// LookupLocalDevice returns the device of this process with the given [Device.HardwareID]. Calls
// PJRT_Client_LookupAddressableDevice. Errors: as for LookupDevice.
func (c *Client) LookupLocalDevice(hardwareID int) (*Device, error) {
	const op = "look up local device"
	return lookUp(c, op, hardwareID, func(h pjrtc.Ptr[pjrtc.Client]) (d pjrtc.Ptr[pjrtc.Device], err error) {
		err = ask(c.plugin, op, func(_ *call.Frame, a *pjrtc.ClientLookupAddressableDeviceArgs) error {
			a.Client, a.LocalHardwareId = h, int32(hardwareID)
			return nil
		}, func(a *pjrtc.ClientLookupAddressableDeviceArgs) error { d = a.AddressableDevice; return nil })
		return d, err
	})
}

func lookUp(c *Client, op string, id int, get func(pjrtc.Ptr[pjrtc.Client]) (pjrtc.Ptr[pjrtc.Device], error)) (*Device, error) {
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	if id < math.MinInt32 || id > math.MaxInt32 {
		return nil, invalid(op, "number %d", id)
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	d, err := get(h)
	if err != nil {
		return nil, err
	}
	if found := c.deviceOf(d); found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("pjrt: %s: the plugin has no device %d, or one that it did not list: %w", op, id, isthmus.ErrNotFound)
}

// DefaultAssignment returns the devices that the plugin would choose for so many replicas (first index) and
// partitions (second), for [CompileOptions].Assignment. Calls PJRT_Client_DefaultDeviceAssignment.
func (c *Client) DefaultAssignment(replicas, partitions int) ([][]*Device, error) {
	const op = "default assignment"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	if replicas < 1 || partitions < 1 || replicas > maxGrid/partitions {
		return nil, invalid(op, "%d replicas, %d partitions", replicas, partitions)
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	out := make([][]*Device, replicas)
	var ids []int32
	err = ask(c.plugin, op, func(f *call.Frame, a *pjrtc.ClientDefaultDeviceAssignmentArgs) (err error) {
		if ids, err = call.Slice[int32](f, replicas*partitions); err != nil {
			return err
		}
		a.Client, a.NumReplicas, a.NumPartitions = h, int32(replicas), int32(partitions)
		a.DefaultAssignment, a.DefaultAssignmentSize = pjrtc.ToSlice(ids), uint64(len(ids))
		return nil
	}, func(*pjrtc.ClientDefaultDeviceAssignmentArgs) error {
		for i, id := range ids {
			d := c.deviceByID(int(id))
			if d == nil {
				return fmt.Errorf("pjrt: %s: the plugin names device %d, which it does not list: %w", op, id, isthmus.ErrInvalid)
			}
			out[i/partitions] = append(out[i/partitions], d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) deviceByID(id int) *Device {
	for _, d := range c.devices {
		if d.id == id {
			return d
		}
	}
	return nil
}

// use keeps the executable until done is called.
func (x *Executable) use(op string) (h pjrtc.Ptr[pjrtc.LoadedExecutable], done func(), err error) {
	if x == nil || x.client == nil {
		return 0, nil, invalid(op, "no executable")
	}
	if h, err = x.owned.Use(); err != nil {
		return 0, nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return h, x.owned.Done, nil
}

// AssignmentIDs returns the numbers of the devices, of all processes, that the program runs on: by replica (first index)
// and partition (second). Calls PJRT_LoadedExecutable_GetDeviceAssignment. Errors: [isthmus.ErrUnsupported] before
// that function came; the plugin's, for a portable program, which has none.
func (x *Executable) AssignmentIDs() ([][]int, error) {
	const op = "device assignment"
	h, done, err := x.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	var b []byte
	err = ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableGetDeviceAssignmentArgs) error {
		a.Executable = h
		return nil
	},
		func(a *pjrtc.LoadedExecutableGetDeviceAssignmentArgs) (err error) {
			b, err = takeBytes(op, a.SerializedBytes, a.SerializedBytesSize, a.SerializedDeviceAssignmentDeleter, mem.Addr(a.SerializedDeviceAssignment))
			return err
		})
	if err != nil {
		return nil, err
	}
	var m xlapb.DeviceAssignmentProto
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w: %w", op, errWire, err)
	}
	replicas := int(m.GetReplicaCount())
	if replicas < 0 || replicas > maxGrid || len(m.GetComputationDevices()) != int(m.GetComputationCount()) {
		return nil, fmt.Errorf("pjrt: %s: the plugin says %d replicas of %d partitions: %w", op, replicas, m.GetComputationCount(), isthmus.ErrInvalid)
	}
	out := make([][]int, replicas)
	for p, column := range m.GetComputationDevices() {
		ids := column.GetReplicaDeviceIds()
		if len(ids) != replicas {
			return nil, fmt.Errorf("pjrt: %s: partition %d has %d devices for %d replicas: %w", op, p, len(ids), replicas, isthmus.ErrInvalid)
		}
		for r, id := range ids {
			out[r] = append(out[r], int(id))
		}
	}
	return out, nil
}

// LogicalID is the part of a program's work that a device does.
type LogicalID struct{ Replica, Partition int }

// LogicalIDs tells which part each of [Executable.Devices] does. Calls
// PJRT_LoadedExecutable_AddressableDeviceLogicalIds.
func (x *Executable) LogicalIDs() (out []LogicalID, err error) {
	const op = "logical ids"
	h, done, err := x.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	err = ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableAddressableDeviceLogicalIdsArgs) error {
		a.Executable = h
		return nil
	}, func(a *pjrtc.LoadedExecutableAddressableDeviceLogicalIdsArgs) error {
		n := a.NumAddressableDeviceLogicalIds
		if n > maxValues {
			return fmt.Errorf("pjrt: %s: the plugin says there are %d: %w", op, n, isthmus.ErrBounds)
		}
		ids, err := a.AddressableDeviceLogicalIds.Slice(n)
		if err != nil {
			return fmt.Errorf("pjrt: %s: %w", op, err)
		}
		for _, id := range ids {
			out = append(out, LogicalID{int(id.Replica), int(id.Partition)})
		}
		return nil
	})
	return out, err
}

// LoadedFingerprint identifies the program as it is loaded, devices included, where the plugin offers that. Calls
// PJRT_LoadedExecutable_Fingerprint. [Executable.Fingerprint] is the one that most plugins have.
func (x *Executable) LoadedFingerprint() (out []byte, err error) {
	const op = "fingerprint of the loaded program"
	h, done, err := x.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	err = ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableFingerprintArgs) error { a.Executable = h; return nil },
		func(a *pjrtc.LoadedExecutableFingerprintArgs) (err error) {
			out, err = mem.Copy(a.ExecutableFingerprint, a.ExecutableFingerprintSize, maxText)
			return err
		})
	return out, err
}

// Unload lets the plugin take the program off its devices while the executable stays open: what it says of itself can
// still be read. Executing it then is the plugin's to refuse: XLA's CPU backend runs it all the same. Executions under
// way are not disturbed. Calls PJRT_LoadedExecutable_Delete.
func (x *Executable) Unload() error {
	const op = "unload"
	h, done, err := x.use(op)
	if err != nil {
		return err
	}
	defer done()
	return ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableDeleteArgs) error { a.Executable = h; return nil }, nil)
}

// Unloaded reports whether the program was taken off its devices. Some plugins keep it and say so. Calls
// PJRT_LoadedExecutable_IsDeleted.
func (x *Executable) Unloaded() (is bool, err error) {
	const op = "unloaded"
	h, done, err := x.use(op)
	if err != nil {
		return false, err
	}
	defer done()
	err = ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableIsDeletedArgs) error { a.Executable = h; return nil },
		func(a *pjrtc.LoadedExecutableIsDeletedArgs) error { is = a.IsDeleted; return nil })
	return is, err
}

// ProcessState is what is known of a process of a distributed program.
type ProcessState int

// The states.
const (
	ProcessUninitialized ProcessState = ProcessState(pjrtc.ProcessStateKUninitialized)
	ProcessDisconnected  ProcessState = ProcessState(pjrtc.ProcessStateKDisconnected)
	ProcessConnected     ProcessState = ProcessState(pjrtc.ProcessStateKConnected)
	ProcessFailed        ProcessState = ProcessState(pjrtc.ProcessStateKError)
)

// ProcessInfo tells a client of one process of its distributed program.
type ProcessInfo struct {
	Task        int    // its number
	Incarnation uint64 // changes each time the process starts
	State       ProcessState
	Code        Code   // of a failed process
	Message     string // of a failed process
}

// UpdateProcesses tells the client about all processes of its distributed program, so that work with a process that is
// gone fails instead of waiting for ever. Calls PJRT_Client_UpdateGlobalProcessInfo.
func (c *Client) UpdateProcesses(processes []ProcessInfo) error {
	const op = "update processes"
	if c == nil || c.plugin == nil {
		return invalid(op, "no client")
	}
	for _, p := range processes {
		if p.State < ProcessUninitialized || p.State > ProcessFailed || p.Task < 0 || p.Task > math.MaxInt32 || p.Code < 0 || p.Code > Unauthenticated {
			return invalid(op, "task %d: state %d, code %d", p.Task, int(p.State), int(p.Code))
		}
	}
	h, err := c.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	return ask(c.plugin, op, func(f *call.Frame, a *pjrtc.ClientUpdateGlobalProcessInfoArgs) error {
		list, err := call.Slice[pjrtc.ProcessInfo](f, len(processes))
		if err != nil {
			return err
		}
		for i, p := range processes {
			list[i].SetSize()
			list[i].TaskId, list[i].IncarnationId, list[i].State, list[i].ErrorCode = int32(p.Task), p.Incarnation, pjrtc.ProcessState(p.State), int32(p.Code)
			if list[i].ErrorMessage, err = bytesOf(f, p.Message); err != nil {
				return err
			}
			list[i].ErrorMessageSize = uint64(len(p.Message))
		}
		a.Client, a.ProcessInfos, a.NumProcessInfos = h, pjrtc.ToSlice(list), uint64(len(list))
		return nil
	}, nil)
}
