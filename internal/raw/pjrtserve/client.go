package pjrtserve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// client is a PJRT_Client.
type client struct {
	heap     heap
	server   *Server
	backend  Client
	closed   atomic.Bool
	devices  []*device
	memories []*memory // device by device, each kind of it
	topology *topology
	mapped   sync.Map // address to size, of what DmaMap was given
	launches struct {
		mu   sync.Mutex
		live map[*launch]bool
	}
}

// device is a PJRT_Device.
type device struct {
	heap     heap
	client   *client
	id       int
	h        pjrtc.Ptr[pjrtc.Device]
	info     *description
	memories []*memory
}

// description is a PJRT_DeviceDescription, of a device or of a topology.
type description struct {
	heap heap
	h    pjrtc.Ptr[pjrtc.DeviceDescription]
	id   int
	DeviceInfo
	memories []MemoryInfo
}

// memory is a PJRT_Memory: one kind of memory of one device.
type memory struct {
	heap   heap
	client *client
	device *device
	id     int
	number int // among the kinds
	h      pjrtc.Ptr[pjrtc.Memory]
	cell   piece
	MemoryInfo

	mu   sync.Mutex
	data map[uintptr]userData
}

func (s *Server) newClient(options []Value) (h pjrtc.Ptr[pjrtc.Client], err error) {
	b, err := s.backend.NewClient(options)
	if err != nil {
		return 0, err
	}
	c := &client{server: s, backend: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.end())
		}
	}()
	for id, info := range b.Devices() {
		d := &device{client: c, id: id}
		if d.info, err = s.newDescription(id, info); err != nil {
			return 0, err
		}
		c.devices = append(c.devices, d)
		if d.h, err = give[pjrtc.Ptr[pjrtc.Device]](kindDevice, d); err != nil {
			return 0, err
		}
		if !d.addressable() {
			continue
		}
		for n, m := range s.backend.Memories() {
			m, err := c.newMemory(d, n, m)
			if err != nil {
				return 0, err
			}
			d.memories = append(d.memories, m)
			c.memories = append(c.memories, m)
		}
	}
	if c.topology, err = s.newTopology(b.Devices(), false); err != nil {
		return 0, err
	}
	return give[pjrtc.Ptr[pjrtc.Client]](kindClient, c)
}

// addressable reports whether this process can use the device.
func (d *device) addressable() bool { return d.info.Process == d.client.backend.Process() }

func (s *Server) newDescription(id int, info DeviceInfo) (*description, error) {
	d := &description{id: id, DeviceInfo: info, memories: s.backend.Memories()}
	var err error
	d.h, err = give[pjrtc.Ptr[pjrtc.DeviceDescription]](kindDescription, d)
	return d, err
}

func (d *description) end() {
	if d == nil {
		return
	}
	_, _ = take[*description](kindDescription, d.h)
	d.heap.free()
}

// end destroys a client and what belongs to it. Buffers and executables of it that are alive refuse to do anything
// but be destroyed.
func (c *client) end() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.backend.Close()
	for _, d := range c.devices {
		_, _ = take[*device](kindDevice, d.h)
		d.info.end()
		d.heap.free()
	}
	for _, m := range c.memories {
		m.end()
	}
	c.topology.end()
	c.heap.free()
	return err
}

// open refuses what is made from a client that was destroyed.
func (c *client) open() error {
	if c.closed.Load() {
		return fmt.Errorf("pjrtserve: the client was destroyed: %w", isthmus.ErrClosed)
	}
	return nil
}

// place finds the device and memory that a new buffer should be in.
func (c *client) place(dev pjrtc.Ptr[pjrtc.Device], m pjrtc.Ptr[pjrtc.Memory]) (device_, memory_ int, err error) {
	if m != 0 {
		mem, err := getMemory(m)
		if err != nil {
			return 0, 0, err
		}
		if mem.client != c {
			return 0, 0, invalid("the memory belongs to another client")
		}
		return mem.device.id, mem.number, nil
	}
	d, err := get[*device](kindDevice, dev)
	if err != nil {
		return 0, 0, err
	}
	if d.client != c {
		return 0, 0, invalid("the device belongs to another client")
	}
	if !d.addressable() {
		return 0, 0, invalid("device %d belongs to process %d, this is process %d", d.id, d.info.Process, c.backend.Process())
	}
	return d.id, 0, nil
}

func getClient(h pjrtc.Ptr[pjrtc.Client]) (*client, error) {
	c, err := get[*client](kindClient, h)
	if err == nil {
		err = c.open()
	}
	return c, err
}

func (s *shared) clientSlots() {
	on(s, func(s *Server, a *pjrtc.ClientCreateArgs) error {
		options, err := readValues(a.CreateOptions, a.NumOptions)
		if err != nil {
			return err
		}
		a.Client, err = s.newClient(options)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientDestroyArgs) error {
		if a.Client == 0 {
			return nil
		}
		c, err := take[*client](kindClient, a.Client)
		if err != nil {
			return err
		}
		return c.end()
	})
	on(s, func(_ *Server, a *pjrtc.ClientPlatformNameArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		name, _ := c.server.backend.Platform()
		a.PlatformName, a.PlatformNameSize, err = c.heap.text("platform", name)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientPlatformVersionArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		_, version := c.server.backend.Platform()
		a.PlatformVersion, a.PlatformVersionSize, err = c.heap.text("version", version)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientProcessIndexArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.ProcessIndex = int32(c.backend.Process())
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ClientDevicesArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.Devices, a.NumDevices, err = c.deviceList("devices", c.devices)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientAddressableDevicesArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.AddressableDevices, a.NumAddressableDevices, err = c.deviceList("addressable", c.addressable())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientLookupDeviceArgs) (err error) {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.Device, err = lookup(c.devices, a.Id)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientLookupAddressableDeviceArgs) (err error) {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.AddressableDevice, err = lookup(c.addressable(), a.LocalHardwareId)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientAddressableMemoriesArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.AddressableMemories, a.NumAddressableMemories, err = memoryList(&c.heap, c.memories)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientTopologyDescriptionArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.Topology = c.topology.h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ClientDefaultDeviceAssignmentArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		if a.NumReplicas < 1 || a.NumPartitions < 1 || int64(a.NumReplicas)*int64(a.NumPartitions) > int64(len(c.devices)) {
			return invalid("%d replicas of %d partitions for %d devices", a.NumReplicas, a.NumPartitions, len(c.devices))
		}
		n := uint64(a.NumReplicas) * uint64(a.NumPartitions)
		if a.DefaultAssignmentSize < n {
			return invalid("room for %d of %d devices", a.DefaultAssignmentSize, n)
		}
		out, err := a.DefaultAssignment.Slice(n)
		if err != nil {
			return err
		}
		for i := range out {
			out[i] = int32(i)
		}
		if own := c.addressable(); n == 1 && len(own) > 0 {
			out[0] = int32(own[0].id)
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ClientCompileArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		x, err := c.compile(a.Program, a.CompileOptions, a.CompileOptionsSize)
		if err != nil {
			return err
		}
		a.Executable, err = c.load(x)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientUpdateGlobalProcessInfoArgs) error {
		_, err := getClient(a.Client)
		return err // there is one process; it knows of itself
	})
	// The host's memory is the device's, so that mapping it is remembering it.
	on(s, func(_ *Server, a *pjrtc.ClientDmaMapArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		if a.Data == 0 || a.Size == 0 {
			return fail(pjrtc.ErrorCodeINVALIDARGUMENT, "%d bytes at %#x cannot be mapped", a.Size, a.Data)
		}
		if _, twice := c.mapped.LoadOrStore(a.Data, a.Size); twice {
			return fail(pjrtc.ErrorCodeALREADYEXISTS, "the memory at %#x is mapped already", a.Data)
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ClientDmaUnmapArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		if _, ok := c.mapped.LoadAndDelete(a.Data); !ok {
			return fail(pjrtc.ErrorCodeINVALIDARGUMENT, "no memory is mapped at %#x", a.Data)
		}
		return nil
	})
}

// addressable are the devices that this process can use.
func (c *client) addressable() []*device {
	return slices.DeleteFunc(slices.Clone(c.devices), func(d *device) bool { return !d.addressable() })
}

func (c *client) deviceList(name string, devices []*device) (pjrtc.Ptr[pjrtc.Ptr[pjrtc.Device]], uint64, error) {
	return array(&c.heap, name, func() []pjrtc.Ptr[pjrtc.Device] {
		var all []pjrtc.Ptr[pjrtc.Device]
		for _, d := range devices {
			all = append(all, d.h)
		}
		return all
	})
}

func memoryList(h *heap, memories []*memory) (pjrtc.Ptr[pjrtc.Ptr[pjrtc.Memory]], uint64, error) {
	return array(h, "memories", func() []pjrtc.Ptr[pjrtc.Memory] {
		var all []pjrtc.Ptr[pjrtc.Memory]
		for _, m := range memories {
			all = append(all, m.h)
		}
		return all
	})
}

func lookup(devices []*device, id int32) (pjrtc.Ptr[pjrtc.Device], error) {
	if id < 0 || int(id) >= len(devices) {
		return 0, fail(pjrtc.ErrorCodeINVALIDARGUMENT, "no device has the number %d; there are %d", id, len(devices))
	}
	return devices[id].h, nil
}

// maxProgram bounds the code of a program.
const maxProgram = 4 << 30

func (c *client) compile(program pjrtc.Ptr[pjrtc.Program], options pjrtc.Ptr[byte], n uint64) (*executable, error) {
	if program == 0 {
		return nil, invalid("no program")
	}
	p, err := at(program)
	if err != nil {
		return nil, err
	}
	if p.StructSize < pjrtc.ProgramSize {
		return nil, invalid("Unexpected PJRT_Program size: expected %d, got %d", pjrtc.ProgramSize, p.StructSize)
	}
	format, err := readText(p.Format, p.FormatSize)
	if err != nil {
		return nil, err
	}
	if p.CodeSize > maxProgram {
		return nil, invalid("a program of %d bytes", p.CodeSize)
	}
	code, err := p.Code.Slice(p.CodeSize)
	if err != nil {
		return nil, err
	}
	if n > maxText {
		return nil, invalid("compile options of %d bytes", n)
	}
	raw, err := options.Slice(n)
	if err != nil {
		return nil, err
	}
	return c.build(Program{format, code}, raw)
}

// build compiles a program with the options as C wrote them.
func (c *client) build(p Program, raw []byte) (*executable, error) {
	o, err := readOptions(raw)
	if err != nil {
		return nil, err
	}
	b, err := c.backend.Compile(context.Background(), p, o)
	if err != nil {
		return nil, err
	}
	return &executable{server: c.server, b: b, options: o.Raw}, nil
}

// deviceIDs are the handles of devices by their numbers.
func (c *client) deviceHandles(ids []int) ([]pjrtc.Ptr[pjrtc.Device], error) {
	out := make([]pjrtc.Ptr[pjrtc.Device], len(ids))
	for i, id := range ids {
		if id < 0 || id >= len(c.devices) {
			return nil, fail(pjrtc.ErrorCodeINTERNAL, "device %d of %d", id, len(c.devices))
		}
		out[i] = c.devices[id].h
	}
	return out, nil
}
