package pjrtserve

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// topology is a PJRT_TopologyDescription: the devices that a client would have.
type topology struct {
	heap    heap
	server  *Server
	h       pjrtc.Ptr[pjrtc.TopologyDescription]
	devices []*description
	own     bool // the caller destroys it
}

func (s *Server) newTopology(devices []DeviceInfo, own bool) (*topology, error) {
	t := &topology{server: s, own: own}
	for id, info := range devices {
		d, err := s.newDescription(id, info)
		if err != nil {
			t.end()
			return nil, err
		}
		t.devices = append(t.devices, d)
	}
	var err error
	if t.h, err = give[pjrtc.Ptr[pjrtc.TopologyDescription]](kindTopology, t); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

func (t *topology) end() {
	if t == nil {
		return
	}
	if t.h != 0 {
		_, _ = take[*topology](kindTopology, t.h)
	}
	for _, d := range t.devices {
		d.end()
	}
	t.heap.free()
}

func getTopology(h pjrtc.Ptr[pjrtc.TopologyDescription]) (*topology, error) {
	return get[*topology](kindTopology, h)
}

const topologyMark = "isthmus topology 1\n"

// serialize writes what a topology can be made of again: how many devices there are.
func (t *topology) serialize() []byte {
	return binary.AppendUvarint([]byte(topologyMark), uint64(len(t.devices)))
}

func (s *shared) topologySlots() {
	on(s, func(s *Server, a *pjrtc.TopologyDescriptionCreateArgs) error {
		options, err := readValues(a.CreateOptions, a.NumOptions)
		if err != nil {
			return err
		}
		devices, err := s.backend.Topology(options)
		if err != nil {
			return err
		}
		t, err := s.newTopology(devices, true)
		if err != nil {
			return err
		}
		a.Topology = t.h
		return nil
	})
	on(s, func(s *Server, a *pjrtc.TopologyDescriptionDeserializeArgs) error {
		text, err := readText(a.SerializedTopology, a.SerializedTopologySize)
		if err != nil {
			return err
		}
		if len(text) < len(topologyMark) || text[:len(topologyMark)] != topologyMark {
			return invalid("these are not the bytes of a topology of this plugin")
		}
		n, size := binary.Uvarint([]byte(text[len(topologyMark):]))
		if size <= 0 || size != len(text)-len(topologyMark) || n > maxGrid {
			return invalid("the topology is malformed")
		}
		devices, err := s.backend.Topology([]Value{{DeviceCount, int64(n)}})
		if err != nil {
			return err
		}
		t, err := s.newTopology(devices, true)
		if err != nil {
			return err
		}
		a.Topology = t.h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionDestroyArgs) error {
		if a.Topology == 0 {
			return nil
		}
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		if !t.own {
			return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the topology belongs to its client")
		}
		if t, err = take[*topology](kindTopology, a.Topology); err != nil {
			return err
		}
		t.h = 0
		t.end()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionPlatformNameArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		name, _ := t.server.backend.Platform()
		a.PlatformName, a.PlatformNameSize, err = t.heap.text("platform", name)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionPlatformVersionArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		_, version := t.server.backend.Platform()
		a.PlatformVersion, a.PlatformVersionSize, err = t.heap.text("version", version)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		a.Descriptions, a.NumDescriptions, err = array(&t.heap, "devices", func() []pjrtc.Ptr[pjrtc.DeviceDescription] {
			var all []pjrtc.Ptr[pjrtc.DeviceDescription]
			for _, d := range t.devices {
				all = append(all, d.h)
			}
			return all
		})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionSerializeArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		a.SerializedBytes, a.SerializedBytesSize, a.SerializedTopology, a.SerializedTopologyDeleter, err = handOver[pjrtc.SerializedTopology](t.serialize())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionAttributesArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		l, err := once(&t.heap, "attributes", func() (list[pjrtc.NamedValue], error) {
			return named(&t.heap, []Value{{DeviceCount, int64(len(t.devices))}})
		})
		a.Attributes, a.NumAttributes = l.at, l.n
		return err
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionFingerprintArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		h := fnv.New64a()
		name, version := t.server.backend.Platform()
		_, _ = h.Write(append(t.serialize(), name+"\x00"+version...))
		a.Fingerprint = h.Sum64()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		return t.canonical(a)
	})
	on(s, func(_ *Server, a *pjrtc.TopologyDescriptionGetMemorySpaceKindIdsArgs) error {
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		a.MemorySpaceKindIds, a.NumMemorySpaceKindIds, err = array(&t.heap, "memory kinds", func() []int32 {
			ids := make([]int32, len(t.server.backend.Memories()))
			for i := range ids {
				ids[i] = int32(i)
			}
			return ids
		})
		return err
	})
}

// canonical is the shape that a buffer of a kind of memory has: the caller's, row-major.
func (t *topology) canonical(a *pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs) error {
	if kinds := len(t.server.backend.Memories()); a.MemorySpaceKindId < 0 || int(a.MemorySpaceKindId) >= kinds {
		return invalid("memory kind %d of %d", a.MemorySpaceKindId, kinds)
	}
	typ, err := readType(a.ElementType, a.Dims, a.NumDims)
	if err != nil {
		return err
	}
	if err := typ.rowMajorOnly(a.Layout); err != nil {
		return err
	}
	w := world()
	deleter, err := w.shapeDeleter.get(func() (pjrtc.Func, error) {
		fn, err := cb.Static(func(at uintptr) uintptr { w.dropList(mem.Addr(at)); return 0 })
		return pjrtc.Func(fn), err
	})
	if err != nil {
		return err
	}
	h, shape := &heap{}, shapeOf(typ)
	at, n, err := h.bytes("shape", shape)
	if err != nil {
		return err
	}
	w.keepList(mem.Addr(at), h)
	a.SerializedShape, a.SerializedShapeSize, a.SerializedShapeDeleter = at, n, deleter
	return nil
}

// DeviceCount is the option and attribute that says how many devices there are.
const DeviceCount = "device_count"
