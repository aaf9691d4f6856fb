package pjrtfake

import (
	"bytes"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

var clientSlots = []entry{
	on(func(*Fake, *pjrtc.PluginInitializeArgs) *Failure { return nil }),
	on(func(f *Fake, a *pjrtc.PluginAttributesArgs) *Failure {
		a.Attributes, a.NumAttributes = f.values(nil, f.Attributes), uint64(len(f.Attributes))
		return nil
	}),
	on((*Fake).createClient),
	on(func(f *Fake, a *pjrtc.ClientDestroyArgs) *Failure {
		if c := destroy(f, "client", a.Client); c != nil {
			for _, o := range f.objects {
				if o.parent == c && o.owned {
					o.dead = true
				}
			}
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientPlatformNameArgs) *Failure {
		get(f, "platform", "client", a.Client)
		a.PlatformName, a.PlatformNameSize = f.Text("fake"), 4
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientProcessIndexArgs) *Failure {
		get(f, "process", "client", a.Client)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientPlatformVersionArgs) *Failure {
		get(f, "version", "client", a.Client)
		a.PlatformVersion, a.PlatformVersionSize = f.Text("fake \xff\xfe 1"), 9
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientDevicesArgs) *Failure {
		c := get(f, "devices", "client", a.Client)
		d := handles[pjrtc.Device](f.children(c, "device"))
		a.Devices, a.NumDevices = List(f, c, d), uint64(len(d))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientAddressableDevicesArgs) *Failure {
		c := get(f, "devices", "client", a.Client)
		d := handles[pjrtc.Device](f.children(c, "device"))
		a.AddressableDevices, a.NumAddressableDevices = List(f, c, d), uint64(len(d))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientAddressableMemoriesArgs) *Failure {
		c := get(f, "memories", "client", a.Client)
		m := handles[pjrtc.Memory](f.children(c, "memory"))
		a.AddressableMemories, a.NumAddressableMemories = List(f, c, m), uint64(len(m))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientLookupDeviceArgs) *Failure {
		d := f.deviceOf(get(f, "look up", "client", a.Client), int(a.Id))
		if d == nil {
			return invalid("no such device")
		}
		a.Device = pjrtc.Ptr[pjrtc.Device](d.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientLookupAddressableDeviceArgs) *Failure {
		d := f.deviceOf(get(f, "look up", "client", a.Client), int(a.LocalHardwareId))
		if d == nil {
			return invalid("no such device")
		}
		a.AddressableDevice = pjrtc.Ptr[pjrtc.Device](d.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientTopologyDescriptionArgs) *Failure {
		c := get(f, "topology", "client", a.Client)
		if c == nil {
			return bad
		}
		t := f.children(c, "topology")
		if len(t) == 0 {
			t = append(t, f.newTopology(c, "fake", f.Devices))
		}
		a.Topology = pjrtc.Ptr[pjrtc.TopologyDescription](t[0].handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientDefaultDeviceAssignmentArgs) *Failure {
		c := get(f, "device assignment", "client", a.Client)
		n := int(a.NumReplicas) * int(a.NumPartitions)
		if c == nil || a.NumReplicas <= 0 || a.NumPartitions <= 0 || a.DefaultAssignmentSize < uint64(n) {
			return invalid("the assignment does not fit")
		}
		out := array(a.DefaultAssignment, a.DefaultAssignmentSize)
		for i := range n {
			out[i] = int32(i % f.Devices)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientUpdateGlobalProcessInfoArgs) *Failure {
		get(f, "processes", "client", a.Client)
		for i, p := range array(a.ProcessInfos, a.NumProcessInfos) {
			if p.StructSize != pjrtc.ProcessInfoSize {
				f.violate("process %d has a size of %d", i, p.StructSize)
			}
			f.options = append(f.options, Value{Name: str(p.ErrorMessage, p.ErrorMessageSize), Value: []int64{int64(p.TaskId), int64(p.IncarnationId), int64(p.State), int64(p.ErrorCode)}})
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientDmaMapArgs) *Failure {
		c := get(f, "map", "client", a.Client)
		if c == nil || a.Data == 0 || a.Size == 0 {
			return bad
		}
		for _, o := range f.objects {
			if o.kind == "mapping" && !o.dead && uintptr(o.id) < uintptr(a.Data)+uintptr(a.Size) && uintptr(a.Data) < uintptr(o.id)+uintptr(o.total) {
				return failed(pjrtc.ErrorCodeALREADYEXISTS, "the memory is mapped")
			}
		}
		f.make(&object{kind: "mapping", parent: c, id: int(a.Data), total: int64(a.Size)})
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientDmaUnmapArgs) *Failure {
		get(f, "unmap", "client", a.Client)
		for _, o := range f.objects {
			if o.kind == "mapping" && !o.dead && uintptr(o.id) == uintptr(a.Data) {
				o.dead = true
				f.destroyed["mapping"]++
				return nil
			}
		}
		f.violate("memory was unmapped that is not mapped")
		return invalid("not mapped")
	}),
	on(func(f *Fake, a *pjrtc.ClientLoadArgs) *Failure {
		c, x := get(f, "load", "client", a.Client), get(f, "load", "description", a.Executable)
		if c == nil || x == nil {
			return bad
		}
		l, err := f.load(c, x.prog, x.name, str(a.CompileOptions, a.CompileOptionsSize))
		if err == nil {
			a.LoadedExecutable = pjrtc.Ptr[pjrtc.LoadedExecutable](l.handle)
		}
		return err
	}),
	on(func(f *Fake, a *pjrtc.ClientCompileArgs) *Failure {
		c := get(f, "compile", "client", a.Client)
		if c == nil {
			return bad
		}
		prog, name, err := f.program(a.Program)
		if err != nil {
			return err
		}
		x, err := f.load(c, prog, name, str(a.CompileOptions, a.CompileOptionsSize))
		if err == nil {
			a.Executable = pjrtc.Ptr[pjrtc.LoadedExecutable](x.handle)
		}
		return err
	}),
}

func (f *Fake) createClient(a *pjrtc.ClientCreateArgs) *Failure {
	f.options = f.read("create client", a.CreateOptions, a.NumOptions)
	f.kv = kvCallbacks{a.KvGetCallback, a.KvPutCallback, a.KvTryGetCallback, a.KvGetUserArg, a.KvPutUserArg, a.KvTryGetUserArg}
	for i := range f.KV {
		if err := f.kvCall(&f.KV[i]); err != nil && f.KV[i].Must {
			return err
		}
	}
	if f.OnKV != nil {
		var err error
		f.unlocked(func() { err = f.OnKV(f) })
		if err != nil {
			return failed(pjrtc.ErrorCodeINTERNAL, err.Error())
		}
	}
	c := f.make(&object{kind: "client"})
	for i := range f.Devices {
		d := f.make(&object{kind: "device", owned: true, parent: c, id: i})
		for k, kind := range memoryKinds {
			m := f.make(&object{kind: "memory", owned: true, parent: c, device: d, name: kind, id: i*len(memoryKinds) + k})
			if k == 0 {
				d.space = m
			}
		}
	}
	a.Client = pjrtc.Ptr[pjrtc.Client](c.handle)
	return nil
}

// memoryKinds are the memories of each device; the first is its default.
var memoryKinds = []string{"device", "pinned_host", "unpinned_host"}

// children are the objects of a kind that belong to o, in the order of their making.
func (f *Fake) children(o *object, kind string) []*object {
	var out []*object
	for _, c := range f.objects {
		if c.parent == o && c.kind == kind && !c.dead {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *object) int { return int(a.handle) - int(b.handle) })
	return out
}

func handles[T any](objects []*object) []pjrtc.Ptr[T] {
	var out []pjrtc.Ptr[T]
	for _, o := range objects {
		out = append(out, pjrtc.Ptr[T](o.handle))
	}
	return out
}

func (f *Fake) deviceOf(c *object, id int) *object {
	for _, d := range f.children(c, "device") {
		if d.id == id {
			return d
		}
	}
	return nil
}

// place finds where a buffer is to be: in a memory, or in a device's default one.
func (f *Fake) place(what string, d pjrtc.Ptr[pjrtc.Device], m pjrtc.Ptr[pjrtc.Memory]) (*object, *Failure) {
	if m != 0 {
		if s := get(f, what, "memory", m); s != nil {
			return s, nil
		}
		return nil, bad
	}
	if o := get(f, what, "device", d); o != nil && o.space != nil {
		return o.space, nil
	}
	return nil, bad
}

// newBuffer makes a buffer in a memory. A nil data is one that is not there yet.
func (f *Fake) newBuffer(space *object, t Type, data []byte) (*object, *Failure) {
	n := int64(t.size())
	if err := f.take(n); err != nil {
		return nil, err
	}
	return f.make(&object{kind: "buffer", parent: space.parent, device: space.device, space: space, typ: t, data: bytes.Clone(data), pending: data == nil, bytes: n}), nil
}

// take counts device memory.
func (f *Fake) take(n int64) *Failure {
	if f.Limit != 0 && f.used+n > f.Limit {
		return failed(pjrtc.ErrorCodeRESOURCEEXHAUSTED, "out of device memory")
	}
	f.used += n
	f.peak = max(f.peak, f.used)
	f.allocs++
	return nil
}

// gone ends the use of a buffer's memory: it was deleted, donated or destroyed.
func (f *Fake) gone(b *object) {
	f.used -= b.bytes
	b.bytes = 0
	f.let(b)
	if fn := b.onDelete; fn != nil {
		b.onDelete = nil
		f.calling.Go(fn)
	}
}

// let fires what waits for the end of a buffer, when nothing reads it any more.
func (f *Fake) let(b *object) {
	if b.users != 0 || !b.taken && !b.dead {
		return
	}
	for _, e := range b.free {
		f.complete(e, nil)
	}
	b.free = nil
}

// size is the bytes of a tensor on the host.
func (t Type) size() int {
	n := t.element()
	for _, d := range t.Dims {
		if d < 0 || d > 1<<30 {
			return 0
		}
		n *= int(d)
	}
	return n
}

func (t Type) element() int {
	switch t.Type {
	case pjrtc.BufferTypeF32, pjrtc.BufferTypeS32, pjrtc.BufferTypeU32:
		return 4
	case pjrtc.BufferTypeF64, pjrtc.BufferTypeS64, pjrtc.BufferTypeU64, pjrtc.BufferTypeC64:
		return 8
	case pjrtc.BufferTypeC128:
		return 16
	case pjrtc.BufferTypeF16, pjrtc.BufferTypeBF16, pjrtc.BufferTypeS16, pjrtc.BufferTypeU16:
		return 2
	}
	return 1
}

// host is n bytes of the client's memory.
func host(p pjrtc.Addr, n int) []byte { return array(pjrtc.Ptr[byte](p), uint64(n)) }

// addr is the address of b's first byte.
func addr(b []byte) pjrtc.Addr { return pjrtc.Addr(mem.AddrOf(b)) }
