package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Client is a connection to the devices of one plugin. Everything that is made from it must be closed before it. It
// is safe for concurrent use. The zero value is closed.
type Client struct {
	owned    ffi.Owned[pjrtc.Ptr[pjrtc.Client]]
	plugin   *Plugin
	platform string
	version  string
	process  int
	devices  []*Device // all, in the plugin's order
	local    []*Device
	memories []*Memory
	reaper   ffi.Reaper
	kv       ffi.Owned[uint64] // the session with the key-value store; the client is its child
	views    bool              // the plugin lets buffers in host memory be read in place
	trying   sync.Mutex
	tried    bool  // whether layouts of the caller's were tried; under trying
	trial    error // why they cannot be put
}

// ClientOptions says how to make a client. The zero value asks for the plugin's defaults.
type ClientOptions struct {
	// Options are the plugin's own, such as cpu_device_count.
	Options []NamedValue
	// KV is the store that the processes of a job share, for plugins whose clients span several processes. nil is none.
	KV KV
}

// NewClient connects to the plugin's devices. Calls PJRT_Client_Create. When ctx ends first, the client that comes of
// it later is destroyed. The caller closes the client.
func (p *Plugin) NewClient(ctx context.Context, o ClientOptions) (*Client, error) {
	if p == nil || p.table == nil {
		return nil, invalid("new client", "no plugin")
	}
	c, err := detach(ctx, "new client", func() (*Client, error) { return p.createClient(ctx, o) }, dropWith((*Client).Close))
	if err != nil {
		return nil, err
	}
	if err := c.owned.With(c.describe); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// createClient makes the native client and its owner. A store's calls end when ctx does, so that a client that nobody
// waits for any more does not wait for other processes either.
func (p *Plugin) createClient(ctx context.Context, o ClientOptions) (made *Client, err error) {
	const op = "new client"
	c := &Client{plugin: p, views: p.hasViews()}
	var parents []ffi.Parent
	var token pjrtc.Addr
	if o.KV != nil {
		t, s, err := newKV(&c.kv, o.KV)
		if err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
		stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
		defer func() {
			if !stop() && err == nil {
				made, err = nil, errors.Join(fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx)), c.Close())
			}
		}()
		// From here on the client alone keeps the session.
		defer func() { _ = c.kv.CloseLater() }()
		parents, token = append(parents, &c.kv), pjrtc.Addr(t)
	}
	var h pjrtc.Ptr[pjrtc.Client]
	err = ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateArgs) (err error) {
		if o.KV != nil {
			a.KvGetCallback, a.KvGetUserArg = pjrtc.Func(kvNative.get), token
			a.KvTryGetCallback, a.KvTryGetUserArg = pjrtc.Func(kvNative.try), token
			a.KvPutCallback, a.KvPutUserArg = pjrtc.Func(kvNative.put), token
		}
		a.CreateOptions, err = toNative(f, op, o.Options)
		a.NumOptions = uint64(len(o.Options))
		return err
	}, func(a *pjrtc.ClientCreateArgs) error {
		if h = a.Client; h == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no client: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := c.owned.Init(&p.clients, h, parents...); err != nil {
		return nil, err
	}
	return c, nil
}

// describe reads what never changes, so that printing a client or a device touches no native memory.
func (c *Client) describe(h pjrtc.Ptr[pjrtc.Client]) error {
	p := c.plugin
	err := ask(p, "platform name", func(_ *call.Frame, a *pjrtc.ClientPlatformNameArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientPlatformNameArgs) error {
			c.platform = text(a.PlatformName, a.PlatformNameSize)
			return nil
		})
	err = errors.Join(unlessUnsupported(err), unlessUnsupported(ask(p, "platform version", func(_ *call.Frame, a *pjrtc.ClientPlatformVersionArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientPlatformVersionArgs) error {
			c.version = text(a.PlatformVersion, a.PlatformVersionSize)
			return nil
		})))
	err = errors.Join(err, unlessUnsupported(ask(p, "process index", func(_ *call.Frame, a *pjrtc.ClientProcessIndexArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientProcessIndexArgs) error {
			c.process = int(a.ProcessIndex)
			return nil
		})))
	if err != nil {
		return err
	}
	var all, local []pjrtc.Ptr[pjrtc.Device]
	err = ask(p, "devices", func(_ *call.Frame, a *pjrtc.ClientDevicesArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientDevicesArgs) (err error) {
			all, err = numbers("devices", a.Devices, a.NumDevices, maxValues)
			return err
		})
	err = errors.Join(unlessUnsupported(err), ask(p, "addressable devices", func(_ *call.Frame, a *pjrtc.ClientAddressableDevicesArgs) error { a.Client = h; return nil },
		func(a *pjrtc.ClientAddressableDevicesArgs) (err error) {
			local, err = numbers("addressable devices", a.AddressableDevices, a.NumAddressableDevices, maxValues)
			return err
		}))
	if err != nil {
		return err
	}
	made := map[pjrtc.Ptr[pjrtc.Device]]*Device{}
	for _, list := range [][]pjrtc.Ptr[pjrtc.Device]{all, local} {
		for _, d := range list {
			if made[d] != nil {
				continue
			}
			if d == 0 {
				return fmt.Errorf("pjrt: devices: the plugin lists a null device: %w", isthmus.ErrInvalid)
			}
			dev, err := c.newDevice(d)
			if err != nil {
				return err
			}
			made[d] = dev
			c.devices = append(c.devices, dev)
		}
	}
	for _, d := range local {
		made[d].addressable = true
		c.local = append(c.local, made[d])
	}
	return c.describeMemories(made)
}

// unlessUnsupported forgives a function that the plugin lacks or has not implemented.
func unlessUnsupported(err error) error {
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	return err
}

// Close destroys the client. While anything made from it is alive it does nothing and returns an error that wraps
// [isthmus.ErrBusy] and names what is alive. Close is idempotent and nil-safe. Calls PJRT_Client_Destroy.
func (c *Client) Close() error {
	if c == nil {
		return nil
	}
	return c.owned.Close()
}

// CloseWait lets nobody use the client any more and destroys it when the last thing made from it is closed, also
// work that callers gave up on; it waits for that, or for ctx.
func (c *Client) CloseWait(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.owned.CloseWait(ctx)
}

// Plugin returns the plugin that the client belongs to.
func (c *Client) Plugin() *Plugin { return orZero(c).plugin }

// Platform is the platform's name, such as "cpu".
func (c *Client) Platform() string { return orZero(c).platform }

// PlatformVersion is the plugin's text about its version.
func (c *Client) PlatformVersion() string { return orZero(c).version }

// ProcessIndex is the number of this process among those that work together; 0 alone.
func (c *Client) ProcessIndex() int { return orZero(c).process }

// Devices lists the devices that this process can use, in the plugin's order.
func (c *Client) Devices() []*Device { return append([]*Device(nil), orZero(c).local...) }

// AllDevices lists the devices of every process.
func (c *Client) AllDevices() []*Device { return append([]*Device(nil), orZero(c).devices...) }

// Device returns the first device that this process can use, nil if there is none.
func (c *Client) Device() *Device {
	if c == nil || len(c.local) == 0 {
		return nil
	}
	return c.local[0]
}

// Memories lists the memories that the devices of this process can address.
func (c *Client) Memories() []*Memory { return append([]*Memory(nil), orZero(c).memories...) }

// Live reports whether the client is open.
func (c *Client) Live() bool { return c != nil && c.owned.Live() }

// Detached counts operations that callers gave up on and that still run: executions, copies to the host, waits for a
// buffer's content. What they use cannot be closed until they are over; when none is left, nothing is in use by them.
func (c *Client) Detached() int { return orZero(c).reaper.Pending() }

// String describes the client without touching native memory.
func (c *Client) String() string {
	if c == nil || c.plugin == nil {
		return "pjrt.Client(none)"
	}
	state := ""
	if !c.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Client(%s, %d devices%s)", c.platform, len(c.local), state)
}

// dropWith destroys a native object that nobody waits for any more. Its error has nobody to go to but the reporter.
func dropWith[H any](destroy func(H) error) func(H) {
	return func(h H) {
		if err := destroy(h); err != nil {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "pjrt"}, Err: err})
		}
	}
}

// waitFor waits until e fires and closes it. When ctx ends first, what e stands for goes on and is counted until it is over.
func (c *Client) waitFor(ctx context.Context, e *Event) error {
	err := e.Wait(ctx)
	if cerr := e.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	if ctx.Err() != nil && !e.done.Completed() {
		c.reaper.Adopt(e.done, "pjrt.Event", nil)
	}
	return err
}

// detach runs f. When ctx can end and does so first, it returns the context's error, and discard gets the result when
// f returns at last.
func detach[T any](ctx context.Context, op string, f func() (T, error), discard func(T)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	if ctx.Done() == nil {
		return f()
	}
	type result struct {
		v   T
		err error
	}
	ch := make(chan result, 1)
	go func() {
		v, err := f()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			if r := <-ch; r.err == nil {
				discard(r.v)
			}
		}()
		return zero, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
}
