package pjrt

import (
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Megascale is a process's part in the runtime that connects slices of TPUs over the data centre's network. It is safe
// for concurrent use. Errors of all methods: [isthmus.ErrUnsupported] with the name of what the plugin lacks.
type Megascale struct {
	extObject[pjrtc.MegascaleClientContext]
}

func (p *Plugin) newMegascale(h pjrtc.Ptr[pjrtc.MegascaleClientContext], parents ...ffi.Parent) (*Megascale, error) {
	m := &Megascale{}
	err := own(&m.extObject, p, "pjrt.Megascale", h, func(a *pjrtc.MegascaleDeleteClientContextArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) {
		a.ClientContext = h
	}, parents...)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// NewMegascale makes the context of a client. It is to be closed before the client. Calls
// PJRT_Megascale_CreateClientContextFromPjRtClient.
func (c *Client) NewMegascale() (m *Megascale, err error) {
	const op = "new megascale context"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	if err := c.plugin.needs(op, (*pjrtc.MegascaleDeleteClientContextArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	err = askExt(c.plugin, op, func(_ *call.Frame, a *pjrtc.MegascaleCreateClientContextFromPjRtClientArgs) error {
		a.Client = h
		return nil
	}, func(a *pjrtc.MegascaleCreateClientContextFromPjRtClientArgs) (err error) {
		m, err = c.plugin.newMegascale(a.ClientContext, &c.owned)
		return err
	})
	return m, err
}

// NewMegascale makes a context without a client. The caller closes it. Calls PJRT_Megascale_CreateDefaultClientContext.
func (p *Plugin) NewMegascale() (m *Megascale, err error) {
	const op = "new megascale context"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	if err := p.needs(op, (*pjrtc.MegascaleDeleteClientContextArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	err = askExt(p, op, nil, func(a *pjrtc.MegascaleCreateDefaultClientContextArgs) (err error) {
		m, err = p.newMegascale(a.ClientContext)
		return err
	})
	return m, err
}

// Close deletes the context. While something made from it is open it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. It is idempotent and nil-safe. Calls PJRT_Megascale_DeleteClientContext.
func (m *Megascale) Close() error {
	if m == nil {
		return nil
	}
	return m.owned.Close()
}

// Initialize connects to the other processes. Calls PJRT_Megascale_ClientContext_Initialize.
func (m *Megascale) Initialize() error {
	return askOf(&orZero(m).extObject, "initialize megascale", func(_ *call.Frame, a *pjrtc.MegascaleClientContextInitializeArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) error {
		a.ClientContext = h
		return nil
	}, nil)
}

// Unblock lets go of work of a launch that waits for others, for a time. Calls
// PJRT_Megascale_ClientContext_UnblockPendingWork.
func (m *Megascale) Unblock(launch int, expire time.Duration) error {
	const op = "unblock pending work"
	if int(int32(launch)) != launch || expire < 0 {
		return invalid(op, "launch %d for %v", launch, expire)
	}
	return askOf(&orZero(m).extObject, op, func(_ *call.Frame, a *pjrtc.MegascaleClientContextUnblockPendingWorkArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) error {
		a.ClientContext, a.LaunchId, a.ExpireAfterMs = h, int32(launch), expire.Milliseconds()
		return nil
	}, nil)
}

// Port is the port that this process listens on. Calls PJRT_Megascale_ClientContext_MegascalePort.
func (m *Megascale) Port() (port int, err error) {
	err = askOf(&orZero(m).extObject, "megascale port", func(_ *call.Frame, a *pjrtc.MegascaleClientContextMegascalePortArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) error {
		a.ClientContext = h
		return nil
	}, func(a *pjrtc.MegascaleClientContextMegascalePortArgs) error { port = int(a.Port); return nil })
	return port, err
}

// MultiSliceOptions configure several slices.
type MultiSliceOptions struct {
	Slices    int // how many there are
	SliceID   int // which of them this process is in
	HostID    int // which host of the slice it is
	Endpoints []byte
	Network   []byte // the data centre's network; nil is none
}

// NewMultiSlice configures slices of a topology. Endpoints is a serialised xla.megascale.runtime.EndpointAddresses,
// Network a DCNTopology. The caller closes it before the context and the topology. Calls
// PJRT_Megascale_CreateMultiSliceConfig.
func (m *Megascale) NewMultiSlice(t *Topology, o MultiSliceOptions) (out *MultiSlice, err error) {
	const op = "new multi-slice configuration"
	m = orZero(m)
	top, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	switch {
	case t.plugin != m.plugin && m.plugin != nil:
		return nil, invalid(op, "the topology belongs to another plugin")
	case o.Slices <= 0 || o.Slices > 1<<20 || o.SliceID < 0 || o.SliceID >= o.Slices || o.HostID < 0 || o.HostID > 1<<20:
		return nil, invalid(op, "host %d of slice %d of %d", o.HostID, o.SliceID, o.Slices)
	case len(o.Endpoints) > 1<<30 || len(o.Network) > 1<<30:
		return nil, fmt.Errorf("pjrt: %s: %d and %d bytes: %w", op, len(o.Endpoints), len(o.Network), isthmus.ErrLimit)
	}
	if err := t.plugin.needs(op, (*pjrtc.MultiSliceConfigDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askOf(&m.extObject, op, func(f *call.Frame, a *pjrtc.MegascaleCreateMultiSliceConfigArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) (err error) {
		a.ClientContext, a.Topology = h, top
		a.NumSlices, a.LocalSliceId, a.LocalHostId = int32(o.Slices), int32(o.SliceID), int32(o.HostID)
		if a.EndpointAddresses, _, err = lendSized(f, &pin, o.Endpoints); err != nil {
			return err
		}
		a.EndpointAddressesSize, a.DcnTopologySize = int32(len(o.Endpoints)), int32(len(o.Network))
		a.DcnTopology, _, err = lendSized(f, &pin, o.Network)
		return err
	}, func(a *pjrtc.MegascaleCreateMultiSliceConfigArgs) (err error) {
		out, err = m.plugin.newMultiSlice(a.MultiSliceConfig, &m.owned, t.parent())
		return err
	})
	return out, err
}

// MegascaleProcesses describe the processes that communicate.
type MegascaleProcesses struct {
	Addresses         []string // of each
	Slices            []int    // the slice of each; nil leaves it open
	InSlice           []int    // the number of each in its slice; nil leaves it open
	DevicesPerProcess int
	Network           []byte // a serialised DCNTopology; nil is none
}

// NewCollectives makes what communicates between the processes. The caller closes it before the context. Calls
// PJRT_Megascale_CreateMegascaleCollectives.
func (m *Megascale) NewCollectives(o MegascaleProcesses) (c *Collectives, err error) {
	const op = "new collectives"
	m = orZero(m)
	n := len(o.Addresses)
	if n == 0 || n > maxValues || o.Slices != nil && len(o.Slices) != n || o.InSlice != nil && len(o.InSlice) != n || o.DevicesPerProcess < 0 {
		return nil, invalid(op, "%d addresses, %d slices, %d places in slices, %d devices", n, len(o.Slices), len(o.InSlice), o.DevicesPerProcess)
	}
	if err := m.plugin.needs(op, (*pjrtc.CollectivesDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askOf(&m.extObject, op, func(f *call.Frame, a *pjrtc.MegascaleCreateMegascaleCollectivesArgs, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) error {
		i, err := call.New[pjrtc.MegascaleProcessesInfo](f)
		if err != nil {
			return err
		}
		list := make([][]byte, n)
		for k, s := range o.Addresses {
			list[k] = []byte(s)
		}
		if i.Addresses, i.AddressSizes, err = lendList(f, &pin, list); err != nil {
			return err
		}
		if o.Slices != nil {
			if i.SliceIndexes, err = array[int32](f, op, o.Slices); err != nil {
				return err
			}
		}
		if o.InSlice != nil {
			if i.PerSliceIndexes, err = array[int32](f, op, o.InSlice); err != nil {
				return err
			}
		}
		i.NumAddresses, i.NumSliceIndexes, i.NumPerSliceIndexes = uint64(n), uint64(len(o.Slices)), uint64(len(o.InSlice))
		if i.NumDevicesPerProcess, err = mem.To[int32](o.DevicesPerProcess); err != nil {
			return fmt.Errorf("pjrt: %s: %w", op, err)
		}
		a.ClientContext, a.ProcessesInfo = h, pjrtc.To(i)
		if o.Network != nil {
			a.DcnTopology, a.DcnTopologySize, err = lendSized(f, &pin, o.Network)
		}
		return err
	}, func(a *pjrtc.MegascaleCreateMegascaleCollectivesArgs) error {
		c = &Collectives{}
		return own(&c.extObject, m.plugin, "pjrt.Collectives", a.Collectives, func(a *pjrtc.CollectivesDestroyArgs, h pjrtc.Ptr[pjrtc.Collectives]) { a.Collectives = h }, &m.owned)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// MegascaleID is the number that a device of a slice has among the devices of all slices. Calls
// PJRT_Megascale_DeviceId_To_MegascaleId.
func (p *Plugin) MegascaleID(slice, device int) (id int64, err error) {
	const op = "megascale id"
	if p == nil || p.table == nil || int(int32(slice)) != slice || int(int32(device)) != device {
		return 0, invalid(op, "device %d of slice %d", device, slice)
	}
	err = askExt(p, op, func(_ *call.Frame, a *pjrtc.MegascaleDeviceIdToMegascaleIdArgs) error {
		a.SliceId, a.PerSliceDeviceId = int32(slice), int32(device)
		return nil
	}, func(a *pjrtc.MegascaleDeviceIdToMegascaleIdArgs) error { id = a.MegascaleId; return nil })
	return id, err
}

// MegascaleDevice is the way back. Calls PJRT_Megascale_MegascaleId_To_DeviceId.
func (p *Plugin) MegascaleDevice(id int64) (slice, device int, err error) {
	const op = "device of a megascale id"
	if p == nil || p.table == nil {
		return 0, 0, invalid(op, "no plugin")
	}
	err = askExt(p, op, func(_ *call.Frame, a *pjrtc.MegascaleMegascaleIdToDeviceIdArgs) error { a.MegascaleId = id; return nil },
		func(a *pjrtc.MegascaleMegascaleIdToDeviceIdArgs) error {
			slice, device = int(a.SliceId), int(a.PerSliceDeviceId)
			return nil
		})
	return slice, device, err
}

// InterfaceOptions say which network interfaces to look for.
type InterfaceOptions struct {
	PortName  string
	Port      int
	Prefixes  []string // of the interfaces' names
	All       bool     // all interfaces
	LocalNUMA bool     // only those near the process's node of the machine's memory
}

// MegascaleAddresses lists the addresses of this host's interfaces, each as a serialised message. Calls
// PJRT_Megascale_GetInterfaceAddressesHelper.
func (p *Plugin) MegascaleAddresses(o InterfaceOptions) (out [][]byte, err error) {
	const op = "interface addresses"
	if p == nil || p.table == nil || o.Port < 0 || o.Port > 65535 || len(o.Prefixes) > maxValues {
		return nil, invalid(op, "port %d", o.Port)
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.MegascaleGetInterfaceAddressesHelperArgs) (err error) {
		if a.MegascalePortName, err = bytesOf(f, o.PortName); err != nil {
			return err
		}
		list := make([][]byte, len(o.Prefixes))
		for i, s := range o.Prefixes {
			list[i] = []byte(s)
		}
		a.MegascalePortNameSize, a.MegascalePort = uint64(len(o.PortName)), int32(o.Port)
		a.NumInterfacePrefixes, a.UseAllInterfaces, a.LimitToProcessNumaLocalInterfaces = uint64(len(list)), o.All, o.LocalNUMA
		a.InterfacePrefixes, a.InterfacePrefixesSizes, err = lendList(f, &pin, list)
		return err
	}, func(a *pjrtc.MegascaleGetInterfaceAddressesHelperArgs) (err error) {
		defer release(a.AddressesDeleter, mem.Addr(a.Addresses))
		out, err = takeList(op, a.SerializedAddresses, a.SerializedAddressesSizes, a.NumAddresses)
		return err
	})
	return out, err
}
