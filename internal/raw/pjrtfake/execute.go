package pjrtfake

import (
	"encoding/binary"
	"slices"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Run is one execution on one device, with what the client asked for.
type Run struct {
	Program      string
	Device       int
	Launch       int
	CallLocation string
	Keep         []int64 // inputs that are not to be donated
	Context      bool
	Tasks        []int32
	Incarnations []int64
	Slices       uintptr // the multi-slice configuration
	RowMajor     bool    // for callbacks
}

// execution is one that has not ended.
type execution struct {
	device *object
	launch int32
	poison *Failure
}

var executeSlots = []entry{
	on(func(f *Fake, a *pjrtc.LoadedExecutableDestroyArgs) *Failure {
		destroy(f, "executable", a.Executable)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableGetExecutableArgs) *Failure {
		x := get(f, "executable", "executable", a.LoadedExecutable)
		if x == nil {
			return bad
		}
		d := f.make(&object{kind: "description", parent: x, prog: x.prog, name: x.name, options: x.options, replicas: x.replicas, partitions: x.partitions})
		a.Executable = pjrtc.Ptr[pjrtc.Executable](d.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableAddressableDevicesArgs) *Failure {
		x := get(f, "devices", "executable", a.Executable)
		if x == nil {
			return bad
		}
		a.AddressableDevices, a.NumAddressableDevices = List(f, x, handles[pjrtc.Device](x.devices)), uint64(len(x.devices))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableAddressableDeviceLogicalIdsArgs) *Failure {
		x := get(f, "logical ids", "executable", a.Executable)
		if x == nil {
			return bad
		}
		var ids []pjrtc.LogicalDeviceIds
		for i := range x.devices {
			ids = append(ids, pjrtc.LogicalDeviceIds{Replica: int32(i / x.partitions), Partition: int32(i % x.partitions)})
		}
		a.AddressableDeviceLogicalIds, a.NumAddressableDeviceLogicalIds = List(f, x, ids), uint64(len(ids))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableGetDeviceAssignmentArgs) *Failure {
		x := get(f, "assignment", "executable", a.Executable)
		if x == nil {
			return bad
		}
		b := binary.AppendUvarint([]byte{1 << 3}, uint64(x.replicas))
		b = binary.AppendUvarint(append(b, 2<<3), uint64(x.partitions))
		for p := range x.partitions {
			var ids []byte
			for r := range x.replicas {
				ids = binary.AppendUvarint(ids, uint64(x.devices[r*x.partitions+p].id))
			}
			b = message(b, 3, message(nil, 1, ids))
		}
		o, p, n := f.bytesObject("serialized assignment", string(b))
		a.SerializedBytes, a.SerializedBytesSize = p, n
		a.SerializedDeviceAssignment, a.SerializedDeviceAssignmentDeleter = pjrtc.Ptr[pjrtc.DeviceAssignmentSerialized](o), f.Deleter("serialized assignment")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableDeleteArgs) *Failure {
		x := get(f, "delete", "executable", a.Executable)
		if x == nil {
			return bad
		}
		x.taken = true
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableIsDeletedArgs) *Failure {
		x := get(f, "is deleted", "executable", a.Executable)
		if x == nil {
			return bad
		}
		a.IsDeleted = x.taken
		return nil
	}),
	on(func(f *Fake, a *pjrtc.LoadedExecutableFingerprintArgs) *Failure {
		x := get(f, "fingerprint", "executable", a.Executable)
		if x == nil {
			return bad
		}
		a.ExecutableFingerprint, a.ExecutableFingerprintSize = f.say("fingerprint of %s", x.name)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ExecuteContextCreateArgs) *Failure {
		a.Context = pjrtc.Ptr[pjrtc.ExecuteContext](f.make(&object{kind: "context"}).handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ExecuteContextDestroyArgs) *Failure {
		destroy(f, "context", a.Context)
		return nil
	}),
	on((*Fake).execute),
}

func (f *Fake) execute(a *pjrtc.LoadedExecutableExecuteArgs) *Failure {
	x := get(f, "execute", "executable", a.Executable)
	if x == nil {
		return bad
	}
	if x.taken {
		return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the executable is deleted")
	}
	devices := x.devices
	if a.ExecuteDevice != 0 {
		d := get(f, "execute", "device", a.ExecuteDevice)
		if d == nil {
			return bad
		}
		devices = []*object{d}
	}
	if a.NumDevices != uint64(len(devices)) {
		return invalid("wrong number of devices")
	}
	if a.NumArgs != uint64(len(x.prog.Params)) {
		return invalid("wrong number of arguments")
	}
	var run Run
	var o pjrtc.ExecuteOptions
	if a.Options != 0 {
		o = *a.Options.At()
		if o.StructSize != pjrtc.ExecuteOptionsSize {
			f.violate("execute: options of %d bytes", o.StructSize)
		}
		run = Run{
			Launch: int(o.LaunchId), Keep: slices.Clone(array(o.NonDonatableInputIndices, o.NumNonDonatableInputIndices)),
			Context: o.Context != 0, CallLocation: mem.CString(o.CallLocation, 1<<16),
			Tasks: slices.Clone(array(o.TaskIds, o.NumTasks)), Incarnations: slices.Clone(array(o.IncarnationIds, o.NumTasks)),
			Slices: uintptr(o.MultiSliceConfig), RowMajor: o.UseMajorToMinorDataLayoutForCallbacks,
		}
		if o.Context != 0 {
			get(f, "execute", "context", o.Context)
		}
	}
	run.Program = x.name
	lists, outs := array(a.ArgumentLists, a.NumDevices), array(a.OutputLists, a.NumDevices)
	in := make([][]*object, len(devices))
	for d := range devices {
		for _, h := range array(lists[d], a.NumArgs) {
			b := get(f, "execute", "buffer", h)
			if b == nil || b.dead || b.taken {
				return invalid("an argument is deleted")
			}
			if b.device != devices[d] {
				return invalid("an argument is on another device")
			}
			in[d] = append(in[d], b)
		}
	}
	var made [][]*object
	for d := range devices {
		var list []*object
		for i, t := range x.prog.Outputs {
			space := devices[d].space
			if i < len(x.prog.OutputKinds) {
				for _, m := range f.children(x.parent, "memory") {
					if m.device == devices[d] && m.name == x.prog.OutputKinds[i] {
						space = m
					}
				}
			}
			b, err := f.newBuffer(space, t, nil)
			if err != nil {
				for _, list := range append(made, list) {
					for _, b := range list {
						b.dead = true
						f.gone(b)
					}
				}
				return err
			}
			list = append(list, b)
		}
		made = append(made, list)
	}
	for d := range devices {
		run.Device = devices[d].id
		f.runs = append(f.runs, run)
		cs := f.callbacks(&o, d)
		event := f.launch(x, devices[d], d, o.LaunchId, in[d], made[d], cs, f.late(a.Slot()))
		for i := range x.prog.Donated {
			if n := x.prog.Donated[i]; !slices.Contains(run.Keep, int64(n)) {
				in[d][n].taken = true
				f.gone(in[d][n])
			}
		}
		copy(array(outs[d], uint64(len(made[d]))), handles[pjrtc.Buffer](made[d]))
		if a.DeviceCompleteEvents != 0 {
			array(a.DeviceCompleteEvents, a.NumDevices)[d] = pjrtc.Ptr[pjrtc.Event](event.handle)
		} else {
			event.owned = true
		}
	}
	return nil
}

// launch starts one device's part of an execution and returns its event.
func (f *Fake) launch(x, device *object, index int, launch int32, in, out []*object, cs callbacks, late *Failure) *object {
	e := f.event(x.parent)
	r := &execution{device: device, launch: launch}
	f.running = append(f.running, r)
	for _, b := range in {
		b.users++
	}
	end := func(results [][]byte, err *Failure) {
		f.running = slices.DeleteFunc(f.running, func(o *execution) bool { return o == r })
		if r.poison != nil {
			err = r.poison
		}
		for i, b := range out {
			b.data = make([]byte, b.typ.size())
			if i < len(results) {
				b.data = slices.Clone(results[i])
			}
			f.settle(b, err)
		}
		for _, b := range in {
			b.users--
			f.let(b)
		}
		if err == nil {
			err = late
		}
		f.complete(e, err)
	}
	f.later(in, func() {
		var data [][]byte
		for _, b := range in {
			if b.err != nil {
				end(nil, b.err)
				return
			}
			data = append(data, b.data)
		}
		if len(x.prog.Sends)+len(x.prog.Recvs)+len(x.prog.Shows) == 0 {
			var results [][]byte
			if x.prog.Run != nil {
				results = x.prog.Run(data)
			}
			end(results, nil)
			return
		}
		f.calling.Go(func() {
			got, err := f.talk(x, index, cs)
			f.mu.Lock()
			defer f.mu.Unlock()
			var results [][]byte
			switch {
			case err != nil:
			case x.prog.Received != nil:
				results = x.prog.Received(data, got)
			case x.prog.Run != nil:
				results = x.prog.Run(data)
			}
			end(results, err)
		})
	})
	return e
}

// callbacks are copies of what the client gave for one device.
type callbacks struct {
	send  map[int64]pjrtc.SendCallbackInfo
	recv  map[int64]pjrtc.RecvCallbackInfo
	shows map[int64]pjrtc.HloOutputCallbackInfo
}

func (f *Fake) callbacks(o *pjrtc.ExecuteOptions, device int) callbacks {
	c := callbacks{map[int64]pjrtc.SendCallbackInfo{}, map[int64]pjrtc.RecvCallbackInfo{}, map[int64]pjrtc.HloOutputCallbackInfo{}}
	if o.SendCallbacks != 0 && o.NumSendOps != 0 {
		for _, s := range array(array(o.SendCallbacks, uint64(device+1))[device], o.NumSendOps) {
			c.send[s.ChannelId] = s
		}
	}
	if o.RecvCallbacks != 0 && o.NumRecvOps != 0 {
		for _, s := range array(array(o.RecvCallbacks, uint64(device+1))[device], o.NumRecvOps) {
			c.recv[s.ChannelId] = s
		}
	}
	for _, s := range array(o.HloOutputCallbacks, o.NumHloOutputCallbacks) {
		c.shows[s.CallbackId] = s
	}
	return c
}

// talk does a program's transfers to and from the host. It runs unlocked.
func (f *Fake) talk(x *object, index int, cs callbacks) (map[int64][]byte, *Failure) {
	for _, channel := range sortedKeys(x.prog.Sends) {
		cb, ok := cs.send[channel]
		if !ok || cb.SendCallback == 0 {
			return nil, failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "nobody takes what the program sends")
		}
		total := 0
		for _, c := range x.prog.Sends[channel] {
			total += len(c)
		}
		for i, c := range x.prog.Sends[channel] {
			f.mu.Lock()
			o := f.make(&object{kind: "chunk"})
			chunk := List(f, nil, []pjrtc.Chunk{{Data: pjrtc.Addr(List(f, o, c)), Size: uint64(len(c)), Deleter: f.chunkDeleter(), DeleterArg: pjrtc.Addr(o.handle)}})
			makeError := f.errorMaker()
			f.mu.Unlock()
			done := uintptr(0)
			if i == len(x.prog.Sends[channel])-1 {
				done = 1
			}
			if e := call.Call(call.Fn(cb.SendCallback), uintptr(chunk), uintptr(makeError), uintptr(total), done, uintptr(cb.UserArg)); e != 0 {
				return nil, f.takeError(pjrtc.Ptr[pjrtc.Error](e))
			}
		}
	}
	got := map[int64][]byte{}
	for _, channel := range sortedKeys(x.prog.Recvs) {
		cb, ok := cs.recv[channel]
		if !ok || cb.RecvCallback == 0 {
			return nil, failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "nobody sends what the program takes")
		}
		f.mu.Lock()
		s := f.make(&object{kind: "stream", total: int64(x.prog.Recvs[channel]), done: make(chan struct{})})
		s.fired = s.total == 0
		f.mu.Unlock()
		call.Call(call.Fn(cb.RecvCallback), s.handle, uintptr(cb.UserArg))
		f.mu.Lock()
		done := s.done
		if s.fired {
			done = nil
		}
		f.mu.Unlock()
		if done != nil {
			<-done
		}
		f.mu.Lock()
		data, err := s.data, s.err
		f.mu.Unlock()
		if err != nil {
			return nil, err
		}
		got[channel] = data
	}
	for _, s := range x.prog.Shows {
		cb, ok := cs.shows[s.Callback]
		if !ok {
			continue
		}
		f.mu.Lock()
		data, dims := List(f, nil, s.Data), List(f, nil, s.Type.Dims)
		f.mu.Unlock()
		purego.SyscallN(uintptr(cb.Callback), uintptr(index/x.partitions), uintptr(index%x.partitions), uintptr(data), uintptr(dims), uintptr(len(s.Type.Dims)), uintptr(s.Type.Type), uintptr(s.Operand), uintptr(cb.UserArg))
	}
	return got, nil
}

func sortedKeys[V any](m map[int64]V) []int64 {
	var keys []int64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// takeError takes over an error that a callback of the client's made. It runs unlocked.
func (f *Fake) takeError(e pjrtc.Ptr[pjrtc.Error]) *Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := destroy(f, "error", e)
	if o == nil || o.err == nil {
		return failed(pjrtc.ErrorCodeINTERNAL, "a callback returned what is no error")
	}
	return o.err
}
