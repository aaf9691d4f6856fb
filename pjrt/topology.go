package pjrt

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Topology describes devices that need not be there: which there are, how they are connected. Programs can be
// compiled for it ([Topology.Compile]) and loaded later, where the devices are. It is safe for concurrent use. The
// zero value is closed.
type Topology struct {
	owned    ffi.Owned[pjrtc.Ptr[pjrtc.TopologyDescription]]
	borrowed pjrtc.Ptr[pjrtc.TopologyDescription] // of a client, which destroys it
	client   *Client
	plugin   *Plugin

	platform, version string
	devices           []DeviceDescription
	attributes        []NamedValue
}

// DeviceDescription tells of a device that need not be there.
type DeviceDescription struct {
	ID           int    // unique among the devices of all processes
	ProcessIndex int    // of the process that can use it
	Kind         string // the vendor's name of the kind of device
	Text         string // the plugin's short description
	Debug        string // the plugin's long description
	Attributes   []NamedValue
}

// String returns the plugin's short description.
func (d DeviceDescription) String() string {
	if d.Text == "" {
		return fmt.Sprintf("pjrt.DeviceDescription(%d)", d.ID)
	}
	return d.Text
}

// NewTopology makes a topology by name, such as "v5e:2x2", with the plugin's own options. Calls
// PJRT_TopologyDescription_Create. When ctx ends first, what comes of it later is destroyed. The caller closes it.
// Errors: the plugin's; many can describe only the devices that are there, see [Client.Topology].
func (p *Plugin) NewTopology(ctx context.Context, name string, options []NamedValue) (*Topology, error) {
	const op = "new topology"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	h, err := detach(ctx, op, func() (h pjrtc.Ptr[pjrtc.TopologyDescription], err error) {
		err = ask(p, op, func(f *call.Frame, a *pjrtc.TopologyDescriptionCreateArgs) (err error) {
			if a.TopologyName, err = bytesOf(f, name); err != nil {
				return err
			}
			a.TopologyNameSize, a.NumOptions = uint64(len(name)), uint64(len(options))
			a.CreateOptions, err = toNative(f, op, options)
			return err
		}, func(a *pjrtc.TopologyDescriptionCreateArgs) error { h = a.Topology; return nil })
		return h, err
	}, dropWith(p.topologies.Destroy))
	if err != nil {
		return nil, err
	}
	return p.takeTopology(op, h)
}

// DeserializeTopology makes a topology of the bytes that [Topology.Serialize] gave, of the same plugin. Calls
// PJRT_TopologyDescription_Deserialize. The caller closes it.
func (p *Plugin) DeserializeTopology(serialized []byte) (*Topology, error) {
	const op = "deserialize topology"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	if len(serialized) == 0 {
		return nil, invalid(op, "no bytes")
	}
	var h pjrtc.Ptr[pjrtc.TopologyDescription]
	var pin mem.Pin
	defer pin.Unpin()
	err := ask(p, op, func(_ *call.Frame, a *pjrtc.TopologyDescriptionDeserializeArgs) error {
		a.SerializedTopology, a.SerializedTopologySize = pjrtc.Ptr[byte](mem.PinSlice(&pin, serialized)), uint64(len(serialized))
		return nil
	}, func(a *pjrtc.TopologyDescriptionDeserializeArgs) error { h = a.Topology; return nil })
	if err != nil {
		return nil, err
	}
	return p.takeTopology(op, h)
}

// takeTopology takes over a topology that is the caller's.
func (p *Plugin) takeTopology(op string, h pjrtc.Ptr[pjrtc.TopologyDescription]) (*Topology, error) {
	if h == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin gave no topology: %w", op, isthmus.ErrInvalid)
	}
	t := &Topology{plugin: p}
	if err := t.owned.Init(&p.topologies, h); err != nil {
		return nil, err
	}
	if err := t.describe(h); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Topology returns the topology of the client's devices. It is the client's own: it is valid as long as the client is
// open, and closing it does nothing. Calls PJRT_Client_TopologyDescription.
func (c *Client) Topology() (*Topology, error) {
	const op = "client topology"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	t := &Topology{client: c, plugin: c.plugin}
	err = ask(c.plugin, op, func(_ *call.Frame, a *pjrtc.ClientTopologyDescriptionArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientTopologyDescriptionArgs) error { t.borrowed = a.Topology; return nil })
	if err != nil {
		return nil, err
	}
	if t.borrowed == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin gave none: %w", op, isthmus.ErrInvalid)
	}
	return t, t.describe(t.borrowed)
}

// describe reads what never changes.
func (t *Topology) describe(h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
	p := t.plugin
	var list []pjrtc.Ptr[pjrtc.DeviceDescription]
	errs := []error{
		ask(p, "topology platform", func(_ *call.Frame, a *pjrtc.TopologyDescriptionPlatformNameArgs) error { a.Topology = h; return nil },
			func(a *pjrtc.TopologyDescriptionPlatformNameArgs) error {
				t.platform = text(a.PlatformName, a.PlatformNameSize)
				return nil
			}),
		ask(p, "topology version", func(_ *call.Frame, a *pjrtc.TopologyDescriptionPlatformVersionArgs) error {
			a.Topology = h
			return nil
		}, func(a *pjrtc.TopologyDescriptionPlatformVersionArgs) error {
			t.version = text(a.PlatformVersion, a.PlatformVersionSize)
			return nil
		}),
		ask(p, "topology attributes", func(_ *call.Frame, a *pjrtc.TopologyDescriptionAttributesArgs) error { a.Topology = h; return nil },
			func(a *pjrtc.TopologyDescriptionAttributesArgs) (err error) {
				t.attributes, err = fromNative("topology attributes", a.Attributes, a.NumAttributes)
				return err
			}),
		ask(p, "topology devices", func(_ *call.Frame, a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) error {
			a.Topology = h
			return nil
		}, func(a *pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs) (err error) {
			list, err = numbers("topology devices", a.Descriptions, a.NumDescriptions, maxValues)
			return err
		}),
	}
	for i := range errs {
		errs[i] = unlessUnsupported(errs[i])
	}
	for _, h := range list {
		if h == 0 {
			return fmt.Errorf("pjrt: topology devices: the plugin lists a null device: %w", isthmus.ErrInvalid)
		}
		d, err := p.describeDevice(h)
		t.devices, errs = append(t.devices, d), append(errs, err)
	}
	return errors.Join(errs...)
}

// describeDevice reads a device's description. What the plugin cannot tell stays empty.
func (p *Plugin) describeDevice(h pjrtc.Ptr[pjrtc.DeviceDescription]) (d DeviceDescription, err error) {
	errs := []error{
		ask(p, "device id", func(_ *call.Frame, a *pjrtc.DeviceDescriptionIdArgs) error { a.DeviceDescription = h; return nil },
			func(a *pjrtc.DeviceDescriptionIdArgs) error { d.ID = int(a.Id); return nil }),
		ask(p, "device process index", func(_ *call.Frame, a *pjrtc.DeviceDescriptionProcessIndexArgs) error {
			a.DeviceDescription = h
			return nil
		}, func(a *pjrtc.DeviceDescriptionProcessIndexArgs) error {
			d.ProcessIndex = int(a.ProcessIndex)
			return nil
		}),
		ask(p, "device kind", func(_ *call.Frame, a *pjrtc.DeviceDescriptionKindArgs) error { a.DeviceDescription = h; return nil },
			func(a *pjrtc.DeviceDescriptionKindArgs) error {
				d.Kind = text(a.DeviceKind, a.DeviceKindSize)
				return nil
			}),
		ask(p, "device text", func(_ *call.Frame, a *pjrtc.DeviceDescriptionToStringArgs) error {
			a.DeviceDescription = h
			return nil
		}, func(a *pjrtc.DeviceDescriptionToStringArgs) error {
			d.Text = text(a.ToString, a.ToStringSize)
			return nil
		}),
		ask(p, "device debug text", func(_ *call.Frame, a *pjrtc.DeviceDescriptionDebugStringArgs) error {
			a.DeviceDescription = h
			return nil
		}, func(a *pjrtc.DeviceDescriptionDebugStringArgs) error {
			d.Debug = text(a.DebugString, a.DebugStringSize)
			return nil
		}),
		ask(p, "device attributes", func(_ *call.Frame, a *pjrtc.DeviceDescriptionAttributesArgs) error {
			a.DeviceDescription = h
			return nil
		}, func(a *pjrtc.DeviceDescriptionAttributesArgs) (err error) {
			d.Attributes, err = fromNative("device attributes", a.Attributes, a.NumAttributes)
			return err
		}),
	}
	for i := range errs {
		errs[i] = unlessUnsupported(errs[i])
	}
	return d, errors.Join(errs...)
}

// use keeps the topology until done is called.
func (t *Topology) use(op string) (h pjrtc.Ptr[pjrtc.TopologyDescription], done func(), err error) {
	if t == nil || t.plugin == nil {
		return 0, nil, invalid(op, "no topology")
	}
	if t.client != nil {
		if _, err = t.client.owned.Use(); err == nil {
			return t.borrowed, t.client.owned.Done, nil
		}
	} else if h, err = t.owned.Use(); err == nil {
		return h, t.owned.Done, nil
	}
	return 0, nil, fmt.Errorf("pjrt: %s: %w", op, err)
}

// parent is what things made from the topology depend on.
func (t *Topology) parent() ffi.Parent {
	if t.client != nil {
		return &t.client.owned
	}
	return &t.owned
}

// Close destroys the topology, unless it is a client's. While a program that was compiled for it is open it does
// nothing and returns an error that wraps [isthmus.ErrBusy]. Close is idempotent and nil-safe. Calls
// PJRT_TopologyDescription_Destroy.
func (t *Topology) Close() error {
	if t == nil {
		return nil
	}
	return t.owned.Close()
}

// Live reports whether the topology can be used.
func (t *Topology) Live() bool {
	if t == nil {
		return false
	}
	return t.owned.Live() || t.client.Live()
}

// Plugin returns the plugin that the topology belongs to.
func (t *Topology) Plugin() *Plugin { return orZero(t).plugin }

// Platform is the platform's name, such as "tpu".
func (t *Topology) Platform() string { return orZero(t).platform }

// PlatformVersion is the plugin's text about its version.
func (t *Topology) PlatformVersion() string { return orZero(t).version }

// Devices describes the devices, in the plugin's order.
func (t *Topology) Devices() []DeviceDescription {
	return append([]DeviceDescription(nil), orZero(t).devices...)
}

// Attributes are what the plugin says of the topology.
func (t *Topology) Attributes() []NamedValue {
	return append([]NamedValue(nil), orZero(t).attributes...)
}

// String describes the topology without touching native memory.
func (t *Topology) String() string {
	if t == nil || t.plugin == nil {
		return "pjrt.Topology(none)"
	}
	state := ""
	if !t.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Topology(%s, %d devices%s)", t.platform, len(t.devices), state)
}

// Fingerprint is a number that equal topologies share. Calls PJRT_TopologyDescription_Fingerprint.
func (t *Topology) Fingerprint() (n uint64, err error) {
	const op = "topology fingerprint"
	h, done, err := t.use(op)
	if err != nil {
		return 0, err
	}
	defer done()
	err = ask(t.plugin, op, func(_ *call.Frame, a *pjrtc.TopologyDescriptionFingerprintArgs) error { a.Topology = h; return nil },
		func(a *pjrtc.TopologyDescriptionFingerprintArgs) error { n = a.Fingerprint; return nil })
	return n, err
}

// Serialize returns the topology as bytes, for [Plugin.DeserializeTopology]. Calls PJRT_TopologyDescription_Serialize.
func (t *Topology) Serialize() (out []byte, err error) {
	const op = "serialize topology"
	h, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	err = ask(t.plugin, op, func(_ *call.Frame, a *pjrtc.TopologyDescriptionSerializeArgs) error { a.Topology = h; return nil },
		func(a *pjrtc.TopologyDescriptionSerializeArgs) (err error) {
			out, err = takeBytes(op, a.SerializedBytes, a.SerializedBytesSize, a.SerializedTopologyDeleter, mem.Addr(a.SerializedTopology))
			return err
		})
	return out, err
}

// MemoryKindIDs lists the numbers of the kinds of memory that the devices have. Calls
// PJRT_TopologyDescription_GetMemorySpaceKindIds.
func (t *Topology) MemoryKindIDs() (out []int, err error) {
	const op = "topology memories"
	h, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	err = ask(t.plugin, op, func(_ *call.Frame, a *pjrtc.TopologyDescriptionGetMemorySpaceKindIdsArgs) error {
		a.Topology = h
		return nil
	},
		func(a *pjrtc.TopologyDescriptionGetMemorySpaceKindIdsArgs) error {
			ids, err := numbers(op, a.MemorySpaceKindIds, a.NumMemorySpaceKindIds, maxValues)
			for _, id := range ids {
				out = append(out, int(id))
			}
			return err
		})
	return out, err
}

// CanonicalShape tells how a device would lay out a value of the given shape in the memory of the given kind: its
// layout, with tiles. Of s, the type and, where it is set, the layout count. Calls
// PJRT_TopologyDescription_MakeCanonicalShapeForMemorySpace.
func (t *Topology) CanonicalShape(memoryKind int, s Shape) (out Shape, err error) {
	const op = "canonical shape"
	h, done, err := t.use(op)
	if err != nil {
		return Shape{}, err
	}
	defer done()
	if s.Tuple != nil {
		return Shape{}, invalid(op, "a tuple has no place in memory; ask for its values")
	}
	if err := s.check(); err != nil {
		return Shape{}, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if int(int32(memoryKind)) != memoryKind {
		return Shape{}, invalid(op, "memory kind %d", memoryKind)
	}
	typ, err := t.plugin.toBufferType(op, s.DType)
	if err != nil {
		return Shape{}, err
	}
	var b []byte
	err = ask(t.plugin, op, func(f *call.Frame, a *pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs) error {
		dims, err := call.Slice[int64](f, len(s.Dims))
		if err != nil {
			return err
		}
		copy(dims, widen(s.Dims))
		a.Topology, a.MemorySpaceKindId, a.ElementType = h, int32(memoryKind), typ
		a.Dims, a.NumDims = pjrtc.ToSlice(dims), uint64(len(dims))
		if s.MinorToMajor != nil {
			a.Layout, err = Layout{MinorToMajor: s.MinorToMajor, Tiles: s.Tiles}.toNative(f, op)
		}
		return err
	}, func(a *pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs) (err error) {
		b, err = takeBytes(op, a.SerializedShape, a.SerializedShapeSize, a.SerializedShapeDeleter, mem.Addr(a.SerializedShape))
		return err
	})
	if err != nil {
		return Shape{}, err
	}
	return ParseShape(b)
}

// Compile compiles a program for the topology, without a client and without its devices. Devices are named by their
// numbers, in AssignmentIDs. Calls PJRT_Compile. When ctx ends first, what the compiler makes later is destroyed. The
// caller closes the result before the topology.
//
// Errors: the plugin's, with its text about the program; [isthmus.ErrInvalid] for options that contradict each other.
func (t *Topology) Compile(ctx context.Context, code Program, o CompileOptions) (*Compiled, error) {
	const op = "compile"
	if t == nil || t.plugin == nil {
		return nil, invalid(op, "no topology")
	}
	options, err := o.prepare(ctx, op, &code, t.client, nil)
	if err != nil {
		return nil, err
	}
	p := t.plugin
	end := func() {}
	e, err := detach(ctx, op, func() (pjrtc.Ptr[pjrtc.Executable], error) {
		h, done, err := t.use(op)
		if err != nil {
			return 0, err
		}
		e, err := p.compileFor(h, code, options)
		if err != nil {
			done()
			return 0, err
		}
		end = done
		return e, nil
	}, func(e pjrtc.Ptr[pjrtc.Executable]) {
		dropWith(p.compiled.Destroy)(e)
		end()
	})
	if err != nil {
		return nil, err
	}
	defer end()
	return newCompiled(p, e, o, t.parent())
}
