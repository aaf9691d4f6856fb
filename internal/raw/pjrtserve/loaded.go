package pjrtserve

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// loaded is a PJRT_LoadedExecutable.
type loaded struct {
	heap heap
	*executable
	client  *client
	deleted atomic.Bool
}

// load makes a PJRT_LoadedExecutable.
func (c *client) load(x *executable) (pjrtc.Ptr[pjrtc.LoadedExecutable], error) {
	return give[pjrtc.Ptr[pjrtc.LoadedExecutable]](kindLoaded, &loaded{executable: x.share(), client: c})
}

func getLoaded(h pjrtc.Ptr[pjrtc.LoadedExecutable]) (*loaded, error) {
	x, err := get[*loaded](kindLoaded, h)
	if err == nil {
		err = x.client.open()
	}
	return x, err
}

func (s *shared) loadedSlots() {
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableDestroyArgs) error {
		if a.Executable == 0 {
			return nil
		}
		x, err := take[*loaded](kindLoaded, a.Executable)
		if err != nil {
			return err
		}
		x.drop()
		x.heap.free()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableGetExecutableArgs) error {
		x, err := getLoaded(a.LoadedExecutable)
		if err != nil {
			return err
		}
		a.Executable, err = give[pjrtc.Ptr[pjrtc.Executable]](kindExecutable, &described{executable: x.share()})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableAddressableDevicesArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		devices, err := x.client.deviceHandles(x.b.Devices())
		if err != nil {
			return err
		}
		a.AddressableDevices, a.NumAddressableDevices, err = array(&x.heap, "devices", func() []pjrtc.Ptr[pjrtc.Device] { return devices })
		return err
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableAddressableDeviceLogicalIdsArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		a.AddressableDeviceLogicalIds, a.NumAddressableDeviceLogicalIds, err = array(&x.heap, "logical ids", func() []pjrtc.LogicalDeviceIds {
			var ids []pjrtc.LogicalDeviceIds
			for _, d := range x.b.Devices() {
				i := slices.Index(x.b.Assigned(), d)
				ids = append(ids, pjrtc.LogicalDeviceIds{Replica: int32(i / x.b.Partitions()), Partition: int32(i % x.b.Partitions())})
			}
			return ids
		})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableGetDeviceAssignmentArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		a.SerializedBytes, a.SerializedBytesSize, a.SerializedDeviceAssignment, a.SerializedDeviceAssignmentDeleter, err = handOver[pjrtc.DeviceAssignmentSerialized](
			writeAssignment(x.b.Replicas(), x.b.Partitions(), x.b.Assigned()))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableDeleteArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		x.deleted.Store(true)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableIsDeletedArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		a.IsDeleted = x.deleted.Load()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableFingerprintArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		a.ExecutableFingerprint, a.ExecutableFingerprintSize, err = x.heap.text("fingerprint", x.b.Fingerprint())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.LoadedExecutableExecuteArgs) error {
		x, err := getLoaded(a.Executable)
		if err != nil {
			return err
		}
		if x.deleted.Load() {
			return fmt.Errorf("pjrtserve: execute: the executable was deleted: %w", isthmus.ErrClosed)
		}
		return x.execute(a)
	})
	on(s, func(_ *Server, a *pjrtc.ExecuteContextCreateArgs) (err error) {
		a.Context, err = give[pjrtc.Ptr[pjrtc.ExecuteContext]](kindContext, &executeContext{})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ExecuteContextDestroyArgs) error {
		if a.Context == 0 {
			return nil
		}
		_, err := take[*executeContext](kindContext, a.Context)
		return err
	})
}

// maxArgs bounds the number of arguments and of devices.
const maxArgs = 1 << 20

// readExecute reads the options and the arguments of an execution.
func (x *loaded) readExecute(a *pjrtc.LoadedExecutableExecuteArgs) (args [][]Buffer, o ExecuteOptions, err error) {
	if o, err = x.readExecuteOptions(a.Options); err != nil {
		return nil, o, err
	}
	if a.ExecuteDevice != 0 {
		d, err := getDevice(a.ExecuteDevice)
		if err != nil {
			return nil, o, err
		}
		if d.client != x.client {
			return nil, o, invalid("the device belongs to another client")
		}
		if on := x.b.Devices(); len(on) > 1 || len(on) == 1 && on[0] != d.id {
			return nil, o, invalid("the program was compiled for device %v, not for device %d", on, d.id)
		}
		o.Device = d.id
	}
	if want := max(len(x.b.Devices()), 1); a.NumDevices != uint64(want) {
		return nil, o, invalid("arguments for %d devices, the program runs on %d", a.NumDevices, want)
	}
	if want := len(x.b.Params()); a.NumArgs != uint64(want) {
		return nil, o, invalid("%d arguments, %s has %d parameters", a.NumArgs, x.b.Name(), want)
	}
	lists, err := a.ArgumentLists.Slice(a.NumDevices)
	if err != nil && a.NumArgs > 0 {
		return nil, o, err
	}
	args = make([][]Buffer, a.NumDevices)
	for d := range args {
		if a.NumArgs == 0 {
			break
		}
		list, err := lists[d].Slice(a.NumArgs)
		if err != nil {
			return nil, o, err
		}
		args[d] = make([]Buffer, len(list))
		for i, h := range list {
			b, err := getBuffer(h)
			if err != nil {
				return nil, o, fmt.Errorf("argument %d: %w", i, err)
			}
			if b.client != x.client {
				return nil, o, invalid("argument %d belongs to another client", i)
			}
			args[d][i] = b.b
		}
	}
	return args, o, nil
}

func (x *loaded) readExecuteOptions(p pjrtc.Ptr[pjrtc.ExecuteOptions]) (o ExecuteOptions, err error) {
	if p == 0 {
		return o, nil
	}
	opt, err := at(p)
	if err != nil {
		return o, err
	}
	// Older callers end after the list of inputs to keep.
	const least = 80
	if opt.StructSize < least {
		return o, invalid("Unexpected PJRT_ExecuteOptions size: expected %d, got %d", least, opt.StructSize)
	}
	o.Launch = opt.LaunchId
	if o.Hosts, err = x.readTransfers(opt); err != nil {
		return o, err
	}
	if opt.NumNonDonatableInputIndices > maxArgs {
		return o, invalid("%d inputs to keep", opt.NumNonDonatableInputIndices)
	}
	keep, err := opt.NonDonatableInputIndices.Slice(opt.NumNonDonatableInputIndices)
	if err != nil {
		return o, err
	}
	for _, k := range keep {
		if k < 0 || k >= int64(len(x.b.Params())) {
			return o, invalid("input %d to keep, the program has %d", k, len(x.b.Params()))
		}
		o.Keep = append(o.Keep, int(k))
	}
	if opt.StructSize >= 88 && opt.Context != 0 {
		o.Context, err = get[*executeContext](kindContext, opt.Context)
	}
	return o, err
}

func (x *loaded) execute(a *pjrtc.LoadedExecutableExecuteArgs) error {
	args, o, err := x.readExecute(a)
	if err != nil {
		return err
	}
	// All places that results go to are looked at before anything runs.
	results := uint64(len(x.b.Results()))
	outs := make([][]pjrtc.Ptr[pjrtc.Buffer], len(args))
	if results > 0 {
		lists, err := a.OutputLists.Slice(a.NumDevices)
		if err != nil {
			return err
		}
		for d, l := range lists {
			if outs[d], err = l.Slice(results); err != nil {
				return err
			}
			clear(outs[d])
		}
	}
	var events []pjrtc.Ptr[pjrtc.Event]
	if a.DeviceCompleteEvents != 0 {
		if events, err = a.DeviceCompleteEvents.Slice(a.NumDevices); err != nil {
			return err
		}
		clear(events)
	}
	e, err := x.b.Execute(args, o)
	if err != nil {
		return err
	}
	on := x.b.Devices()
	if len(on) == 0 {
		on = []int{o.Device}
	}
	x.client.watch(o.Launch, on, e)
	var made []*buffer
	for d, list := range e.Outputs {
		for i, b := range list {
			out := &buffer{client: x.client, b: b}
			if err == nil {
				outs[d][i], err = out.give()
			}
			made = append(made, out)
		}
	}
	for d := range events {
		if err == nil {
			events[d], err = giveEvent(e.Done)
		}
	}
	if err != nil {
		for _, b := range made {
			b.end()
		}
		for _, h := range slices.Concat(outs...) {
			_, _ = take[*buffer](kindBuffer, h)
		}
		for _, h := range events {
			_, _ = take[any](kindEvent, h)
		}
	}
	return err
}
