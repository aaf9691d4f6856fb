package pjrt

import (
	"errors"

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
}

// quickBlock is the native memory of a quick execution. The completion event is written straight into the arguments of
// the calls that wait for it and destroy it.
type quickBlock struct {
	args    pjrtc.LoadedExecutableExecuteArgs
	options pjrtc.ExecuteOptions
	await   pjrtc.EventAwaitArgs
	destroy pjrtc.EventDestroyArgs
	lists   [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	outs    [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	in, out [inline]pjrtc.Ptr[pjrtc.Buffer] // written as far as they are used
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
	return &quick{
		device: x.devices[0], params: x.sig.params, outputs: x.outputs,
		execute: t.Fn(pjrtc.SlotLoadedExecutableExecute), await: t.Fn(pjrtc.SlotEventAwait), destroy: t.Fn(pjrtc.SlotEventDestroy),
	}
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
	k.await.StructSize, k.await.ExtensionStart, k.await.Event = pjrtc.EventAwaitArgsSize, 0, 0
	k.destroy.StructSize, k.destroy.ExtensionStart = pjrtc.EventDestroyArgsSize, 0
	a := &k.args // field by field: a composite literal is made on the stack and copied
	a.StructSize, a.ExtensionStart = pjrtc.LoadedExecutableExecuteArgsSize, 0
	a.Executable, a.Options = h, pjrtc.To(&k.options)
	a.ArgumentLists, a.NumDevices, a.NumArgs = pjrtc.To(&k.lists[0]), 1, uint64(len(args))
	a.OutputLists, a.DeviceCompleteEvents, a.ExecuteDevice = pjrtc.To(&k.outs[0]), pjrtc.To(&k.await.Event), 0
	e := f.Call1(q.execute, mem.AddrOfPtr(&k.args))
	for _, b := range args {
		b.owned.Done()
	}
	p := x.client.plugin
	if e == 0 && k.await.Event != 0 {
		k.destroy.Event = k.await.Event
		var ran int
		if ran, e, err = f.Chain(call.Pair{Fn: q.await, Arg: mem.AddrOfPtr(&k.await)}, call.Pair{Fn: q.destroy, Arg: mem.AddrOfPtr(&k.destroy)}); err == nil && ran == 1 {
			// The wait gave the program's error; the event is there still.
			err = do(p, f, "execute", &k.destroy)
		}
	}
	if e != 0 || err != nil {
		if e != 0 {
			err = errors.Join(p.takeError("execute", pjrtc.Ptr[pjrtc.Error](e)), err)
		}
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

// enterAs uses b if it is a buffer of the client, on the device, of the type.
func (b *Buffer) enterAs(c *Client, d *Device, t *Type) (pjrtc.Ptr[pjrtc.Buffer], bool) {
	if b == nil {
		return 0, false
	}
	h, ok := b.owned.Enter()
	if !ok {
		return 0, false
	}
	if b.client != c || b.device != d || !b.typ.Equal(*t) {
		b.owned.Done()
		return 0, false
	}
	return h, true
}
