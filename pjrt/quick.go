package pjrt

import (
	"errors"
	"math/bits"
	"runtime"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// quick runs the executions that most programs are made of: one device, nothing donated, every type known, no options,
// and a caller that waits. Every check is made that [run] makes. It is one straight function because what a binding
// costs between two calls of a plugin is not its instructions but the cache lines they stand in, which the plugin's
// own code has pushed out each time.
type quick struct {
	device                  *Device
	params, outputs         []Type
	execute, await, destroy call.Fn
	through                 *pjrtc.Table // the way, when a layer stands before the plugin; else nil
}

// quickBlock is the native memory of a quick execution.
type quickBlock struct {
	args    pjrtc.LoadedExecutableExecuteArgs
	options pjrtc.ExecuteOptions
	end     quickEnd
	lists   [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	outs    [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	in, out [inline]pjrtc.Ptr[pjrtc.Buffer] // written as far as they are used
}

// quickEnd is what waits for an event and then destroys it: both calls take a struct of one form, as a test holds.
type quickEnd = pjrtc.EventAwaitArgs

// endQuickly looks after what a chain that ends with the wait for an event and its destruction has left: e is the error
// of the last of before+2 calls, of which ran ran. A chain stops before the wait when there is no event.
func (p *Plugin) endQuickly(f *call.Frame, op string, k *quickEnd, before, ran int, e uintptr) error {
	if e == 0 {
		return nil
	}
	err := p.outcome(f, op, pjrtc.Ptr[pjrtc.Error](e))
	if ran == before+1 && !suspect(err) { // the wait gave what the event carries; the event is there still
		err = errors.Join(err, p.events.Destroy(k.Event))
	}
	return err
}

// quickly returns x's quick form, nil when its executions need more.
func (x *Executable) quickly() *quick {
	t := x.client.plugin.table
	if len(x.devices) != 1 || x.replicas*x.partitions > 1 || x.sig == nil || x.sig.donates ||
		len(x.sig.params) > inline || len(x.outputs) > inline || !t.Has(pjrtc.SlotLoadedExecutableExecute) {
		return nil
	}
	for _, l := range [][]Type{x.sig.params, x.outputs} {
		for _, t := range l {
			if !t.DType.Valid() {
				return nil
			}
		}
	}
	q := &quick{
		device: x.devices[0], params: x.sig.params, outputs: x.outputs,
	}
	if t.Intercepted() {
		q.through = t
		return q
	}
	q.execute, q.await, q.destroy = t.Fn(pjrtc.SlotLoadedExecutableExecute), t.Fn(pjrtc.SlotEventAwait), t.Fn(pjrtc.SlotEventDestroy)
	return q
}

// run is one execution. done is false when nothing was done because an argument or output is not as it must be: the
// general way then says which.
func (q *quick) run(x *Executable, args, outs []*Buffer) (done bool, err error) {
	if len(args) != len(q.params) || len(outs) != len(q.outputs) {
		return false, nil
	}
	for i, b := range outs {
		if b == nil || b.owned.Live() {
			return false, nil
		}
		for _, c := range outs[:i] {
			if b == c {
				return false, nil
			}
		}
	}
	h, ok := x.owned.Enter()
	if !ok {
		return false, nil
	}
	f := call.Get()
	k, err := call.Raw[quickBlock](f)
	if err != nil {
		f.Put()
		x.owned.Done()
		return true, err
	}
	for i, b := range args {
		in, ok := b.enterAs(x.client, q.device, &q.params[i])
		if !ok {
			for _, b := range args[:i] {
				b.turn.RUnlock()
				b.owned.Done()
			}
			f.Put()
			x.owned.Done()
			return false, nil
		}
		k.in[i] = in
	}
	clear(k.out[:len(outs)])
	k.lists[0], k.outs[0] = pjrtc.To(&k.in[0]), pjrtc.To(&k.out[0])
	k.options = pjrtc.ExecuteOptions{}
	k.options.SetSize()
	k.options.Context = pjrtc.Ptr[pjrtc.ExecuteContext](x.client.plugin.handlers.noData.Load())
	k.end.StructSize, k.end.ExtensionStart, k.end.Event = pjrtc.EventAwaitArgsSize, 0, 0
	a := &k.args // field by field: a composite literal is made on the stack and copied
	a.StructSize, a.ExtensionStart = pjrtc.LoadedExecutableExecuteArgsSize, 0
	a.Executable, a.Options = h, pjrtc.To(&k.options)
	a.ArgumentLists, a.NumDevices, a.NumArgs = pjrtc.To(&k.lists[0]), 1, uint64(len(args))
	a.OutputLists, a.DeviceCompleteEvents, a.ExecuteDevice = pjrtc.To(&k.outs[0]), pjrtc.To(&k.end.Event), 0
	end := mem.AddrOfPtr(&k.end)
	var ran int
	var e uintptr
	if q.through != nil {
		ran, e = q.through.Steps(f, pjrtc.Step{Slot: pjrtc.SlotLoadedExecutableExecute, Arg: mem.AddrOfPtr(&k.args)},
			pjrtc.Step{Slot: pjrtc.SlotEventAwait, Arg: end, Need: mem.AddrOfPtr(&k.end.Event)}, pjrtc.Step{Slot: pjrtc.SlotEventDestroy, Arg: end})
	} else {
		ran, e, err = f.Chain(call.Pair{Fn: q.execute, Arg: mem.AddrOfPtr(&k.args)},
			call.Pair{Fn: q.await, Arg: end, Need: mem.AddrOfPtr(&k.end.Event)}, call.Pair{Fn: q.destroy, Arg: end})
	}
	for _, b := range args {
		b.turn.RUnlock()
		b.owned.Done()
	}
	p := x.client.plugin
	if err == nil {
		err = p.endQuickly(f, "execute", &k.end, 1, ran, e)
	}
	if suspect(err) {
		clear(k.out[:len(outs)])
	}
	if err != nil {
		for _, out := range k.out[:len(outs)] {
			if out != 0 {
				dropWith(p.buffers.Destroy)(out)
			}
		}
	} else {
		for i, b := range outs {
			if terr := b.take(x.client, k.out[i], q.device, q.outputs[i]); terr != nil {
				err = errors.Join(err, terr)
			}
		}
		if err != nil {
			for _, b := range outs {
				err = errors.Join(err, b.Close())
			}
		}
	}
	f.Put()
	x.owned.Done()
	return true, err
}

// enterAs uses b, and claims its use, if it is a buffer of the client, on the device, of the type, and nobody takes its
// memory.
func (b *Buffer) enterAs(c *Client, d *Device, t *Type) (pjrtc.Ptr[pjrtc.Buffer], bool) {
	if b == nil {
		return 0, false
	}
	h, ok := b.owned.Enter()
	if !ok {
		return 0, false
	}
	if b.client != c || b.device != d || !b.typ.Equal(*t) || !b.turn.TryRLock() {
		b.owned.Done()
		return 0, false
	}
	return h, true
}

// putNow is put with DuringCall. Like [quick.run] it is one straight function, and leaves what is not as it must be to
// the general way.
func (b *Buffer) putNow(d *Device, t Type, data []byte) error {
	if d == nil || d.client == nil || !d.addressable || len(t.Dims) > quickRank || !holds(&t, len(data)) || !d.client.plugin.table.Has(pjrtc.SlotClientBufferFromHostBuffer) {
		return b.putSlowly(d, t, data)
	}
	c := d.client
	p := c.plugin
	typ, err := p.toBufferType("put", t.DType)
	if err != nil {
		return err
	}
	h, ok := c.owned.Enter()
	if !ok {
		return b.putSlowly(d, t, data)
	}
	f := call.Get()
	k, err := call.Raw[quickPut](f)
	if err != nil {
		f.Put()
		c.owned.Done()
		return err
	}
	k.args = pjrtc.ClientBufferFromHostBufferArgs{}
	a := &k.args
	a.StructSize, a.Client, a.Device, a.Type = pjrtc.ClientBufferFromHostBufferArgsSize, h, d.h, typ
	for i, n := range t.Dims {
		k.dims[i] = int64(n)
	}
	a.Dims, a.NumDims = pjrtc.To(&k.dims[0]), uint64(len(t.Dims))
	if a.Data = pjrtc.Addr(mem.Borrow(data)); a.Data == 0 {
		a.Data = pjrtc.Addr(a.Dims) // an empty tensor has an address too
	}
	k.end.StructSize, k.end.ExtensionStart, k.end.Event = pjrtc.EventAwaitArgsSize, 0, 0
	made, end := mem.AddrOfPtr(&a.DoneWithHostBuffer), mem.AddrOfPtr(&k.end)
	var ran int
	var e uintptr
	if tab := p.table; tab.Intercepted() {
		if ran, e = 1, tab.Invoke(pjrtc.SlotClientBufferFromHostBuffer, f, mem.AddrOfPtr(a)); e == 0 && a.DoneWithHostBuffer != 0 {
			k.end.Event = a.DoneWithHostBuffer
			ran, e = tab.Steps(f, pjrtc.Step{Slot: pjrtc.SlotEventAwait, Arg: end}, pjrtc.Step{Slot: pjrtc.SlotEventDestroy, Arg: end})
			ran++
		}
	} else {
		ran, e, err = f.Chain(call.Pair{Fn: tab.Fn(pjrtc.SlotClientBufferFromHostBuffer), Arg: mem.AddrOfPtr(a)},
			call.Pair{Fn: tab.Fn(pjrtc.SlotEventAwait), Arg: end, Need: made}, call.Pair{Fn: tab.Fn(pjrtc.SlotEventDestroy), Arg: end})
	}
	runtime.KeepAlive(data)
	if ran == 1 && e != 0 {
		err = relieve(d, p.outcome(f, "put", pjrtc.Ptr[pjrtc.Error](e)), func() error { return b.putSlowly(d, t, data) })
		f.Put()
		c.owned.Done()
		return err
	}
	if err == nil {
		err = p.endQuickly(f, "put", &k.end, 1, ran, e)
	}
	if err == nil {
		err = b.take(c, a.Buffer, d, b.typeFor(t))
	} else if a.Buffer != 0 && !suspect(err) {
		err = errors.Join(err, p.buffers.Destroy(a.Buffer))
	}
	f.Put()
	c.owned.Done()
	return err
}

// putSlowly is the general way. What it is given stays on the caller's stack, as far as putNow goes.
func (b *Buffer) putSlowly(d *Device, t Type, data []byte) error {
	t.Dims = slices.Clone(t.Dims)
	_, err := b.put(d, t, data, DuringCall)
	return err
}

// quickRank bounds the rank of a quick put.
const quickRank = 8

type quickPut struct {
	args pjrtc.ClientBufferFromHostBufferArgs
	end  quickEnd
	dims [quickRank]int64
}

// holds reports whether t has exactly size bytes. It says no when it is not simple to say.
func holds(t *Type, size int) bool {
	n := uint64(t.DType.Size())
	for _, d := range t.Dims {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 {
			return false
		}
		n = lo
	}
	return n == uint64(size) && n != 0
}
