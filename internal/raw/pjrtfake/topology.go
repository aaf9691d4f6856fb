package pjrtfake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// topologyMark begins a serialized topology.
const topologyMark = "fake topology\x00"

var topologySlots = []entry{
	on(func(f *Fake, a *pjrtc.TopologyDescriptionCreateArgs) *Failure {
		name := str(a.TopologyName, a.TopologyNameSize)
		f.options = f.read("create topology", a.CreateOptions, a.NumOptions)
		if strings.HasPrefix(name, "no ") {
			return failed(pjrtc.ErrorCodeNOTFOUND, "no topology "+name)
		}
		n := f.Devices
		for _, o := range f.options {
			if v, ok := o.Value.(int64); ok && o.Name == "devices" {
				n = int(v)
			}
		}
		a.Topology = pjrtc.Ptr[pjrtc.TopologyDescription](f.newTopology(nil, name, n).handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionDestroyArgs) *Failure {
		if t := destroy(f, "topology", a.Topology); t != nil {
			for _, d := range f.children(t, "device") {
				d.dead = true
			}
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionPlatformNameArgs) *Failure {
		get(f, "platform", "topology", a.Topology)
		a.PlatformName, a.PlatformNameSize = f.say("fake")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionPlatformVersionArgs) *Failure {
		get(f, "version", "topology", a.Topology)
		a.PlatformVersion, a.PlatformVersionSize = f.say("fake 1")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) *Failure {
		t := get(f, "devices", "topology", a.Topology)
		if t == nil {
			return bad
		}
		d := handles[pjrtc.DeviceDescription](f.children(t, "device"))
		a.Descriptions, a.NumDescriptions = List(f, t, d), uint64(len(d))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionSerializeArgs) *Failure {
		t := get(f, "serialize", "topology", a.Topology)
		if t == nil {
			return bad
		}
		o, p, n := f.bytesObject("serialized topology", fmt.Sprintf("%s%d %s", topologyMark, len(f.children(t, "device")), t.name))
		a.SerializedBytes, a.SerializedBytesSize = p, n
		a.SerializedTopology, a.SerializedTopologyDeleter = pjrtc.Ptr[pjrtc.SerializedTopology](o), f.Deleter("serialized topology")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionDeserializeArgs) *Failure {
		rest, ok := strings.CutPrefix(str(a.SerializedTopology, a.SerializedTopologySize), topologyMark)
		n, name, ok2 := strings.Cut(rest, " ")
		count := 0
		if _, err := fmt.Sscanf(n, "%d", &count); !ok || !ok2 || err != nil {
			return invalid("not a topology of this plugin")
		}
		a.Topology = pjrtc.Ptr[pjrtc.TopologyDescription](f.newTopology(nil, name, count).handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionAttributesArgs) *Failure {
		t := get(f, "attributes", "topology", a.Topology)
		a.Attributes, a.NumAttributes = f.values(t, f.TopologyAttributes), uint64(len(f.TopologyAttributes))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionFingerprintArgs) *Failure {
		t := get(f, "fingerprint", "topology", a.Topology)
		if t == nil {
			return bad
		}
		h := fnv.New64a()
		fmt.Fprint(h, t.name, len(f.children(t, "device")))
		a.Fingerprint = h.Sum64()
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs) *Failure {
		get(f, "shape", "topology", a.Topology)
		if a.MemorySpaceKindId < 0 || int(a.MemorySpaceKindId) >= len(memoryKinds) {
			return invalid("no such kind of memory")
		}
		// ShapeProto: element_type 2, dimensions 3, layout 5 with minor_to_major 1. xla.PrimitiveType has other
		// numbers than PJRT_Buffer_Type; the common ones are here.
		var s []byte
		s = binary.AppendUvarint(append(s, 2<<3), xlaType[a.ElementType])
		var dims, order []byte
		for i, d := range array(a.Dims, a.NumDims) {
			dims, order = binary.AppendUvarint(dims, uint64(d)), binary.AppendUvarint(order, a.NumDims-1-uint64(i))
		}
		s = message(s, 3, dims)
		s = message(s, 5, message(nil, 1, order))
		_, p, n := f.bytesObject("serialized shape", string(s))
		f.shape(p)
		a.SerializedShape, a.SerializedShapeSize, a.SerializedShapeDeleter = p, n, f.Deleter("serialized shape")
		return nil
	}),
	on(func(f *Fake, a *pjrtc.TopologyDescriptionGetMemorySpaceKindIdsArgs) *Failure {
		t := get(f, "memory kinds", "topology", a.Topology)
		if t == nil {
			return bad
		}
		ids := make([]int32, len(memoryKinds))
		for i := range ids {
			ids[i] = int32(i)
		}
		a.MemorySpaceKindIds, a.NumMemorySpaceKindIds = List(f, t, ids), uint64(len(ids))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.CompileArgs) *Failure {
		t := get(f, "compile", "topology", a.Topology)
		if t == nil {
			return bad
		}
		if a.Client != 0 {
			get(f, "compile", "client", a.Client)
		}
		prog, name, err := f.program(a.Program)
		if err != nil {
			return err
		}
		x := f.make(&object{kind: "description", prog: prog, name: name, options: str(a.CompileOptions, a.CompileOptionsSize)})
		x.replicas, x.partitions, _ = assignment(x.options)
		a.Executable = pjrtc.Ptr[pjrtc.Executable](x.handle)
		return nil
	}),
}

// xlaType are numbers of xla.PrimitiveType.
var xlaType = map[pjrtc.BufferType]uint64{
	pjrtc.BufferTypePRED: 1, pjrtc.BufferTypeS8: 2, pjrtc.BufferTypeS32: 4, pjrtc.BufferTypeS64: 5, pjrtc.BufferTypeU8: 6,
	pjrtc.BufferTypeU32: 8, pjrtc.BufferTypeF16: 10, pjrtc.BufferTypeF32: 11, pjrtc.BufferTypeF64: 12, pjrtc.BufferTypeBF16: 16,
}

func message(b []byte, field uint64, in []byte) []byte {
	b = binary.AppendUvarint(b, field<<3|2)
	b = binary.AppendUvarint(b, uint64(len(in)))
	return append(b, in...)
}

// newTopology makes a topology, a client's own or the caller's.
func (f *Fake) newTopology(client *object, name string, devices int) *object {
	t := f.make(&object{kind: "topology", parent: client, owned: client != nil, name: name})
	for i := range devices {
		f.make(&object{kind: "device", owned: true, parent: t, id: i})
	}
	return t
}

// bytesObject gives C bytes with an object that backs them and that a deleter ends.
func (f *Fake) bytesObject(kind, s string) (handle uintptr, p pjrtc.Ptr[byte], n uint64) {
	o := f.make(&object{kind: kind})
	return o.handle, List(f, o, bytes.Clone([]byte(s))), uint64(len(s))
}

// shape lets the deleter of a shape find it by the bytes' own address.
func (f *Fake) shape(p pjrtc.Ptr[byte]) {
	o := f.objects[f.next]
	delete(f.objects, o.handle)
	o.handle = uintptr(p)
	f.objects[o.handle] = o
}
