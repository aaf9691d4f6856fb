package pjrtlayer

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// The rules of PJRT's own.
const (
	wrongClient  = "wrong-client"
	donatedTwice = "donated-twice"
)

// args is the argument struct of a call whose size covers all of it; nil for an older, shorter one.
func args[A any](c *layer.Call) *A {
	if int(c.Size) < mem.SizeOf[A]()&^7 && int(c.Size) < int(c.Func.Size) {
		return nil
	}
	// SAFETY: owner: the caller of the slot, for the call; bounds: the size that the struct states was compared, but for
	// padding at its end; alignment: Before has checked it; thread: the caller's.
	return mem.At[A](c.Args)
}

// hooks sets what the spec cannot say.
func (l *Layer) hooks() {
	l.slots[pjrtc.SlotPluginInitialize].After = func(_ *layer.Call, failed bool) {
		if !failed {
			l.initialized.Store(true)
		}
	}
	l.eventHooks()
	l.slots[pjrtc.SlotLoadedExecutableExecute].Before = l.beforeExecute
	l.slots[pjrtc.SlotLoadedExecutableExecute].After = l.afterExecute
	l.slots[pjrtc.SlotBufferDonateWithControlDependency].After = func(c *layer.Call, failed bool) {
		if o := c.Object(0); o != nil && !failed {
			l.eng.Mark(c, o, true)
		}
	}
	refs := func(by int) func(*layer.Call, bool) {
		return func(c *layer.Call, failed bool) {
			if o := c.Object(0); o != nil && !failed {
				b := l.buffer(o)
				b.refs += by
				o.Unlock()
			}
		}
	}
	l.slots[pjrtc.SlotBufferIncreaseExternalReferenceCount].After = refs(1)
	l.slots[pjrtc.SlotBufferDecreaseExternalReferenceCount].After = refs(-1)
	l.slots[pjrtc.SlotBufferDecreaseExternalReferenceCount].Before = func(c *layer.Call) {
		if o := c.Object(0); o != nil {
			n := l.buffer(o).refs
			o.Unlock()
			if n <= 0 {
				c.Refuse(layer.OutOfOrder, o, "nobody holds an external reference")
			}
		}
	}
	l.slots[pjrtc.SlotClientDestroy].Before = func(c *layer.Call) { l.mayBlock(c) }
}

// buffer is what is known of a buffer. It leaves the object locked.
type buffer struct{ refs int }

func (l *Layer) buffer(o *layer.Object) *buffer {
	o.Lock()
	b, _ := o.API.(*buffer)
	if b == nil {
		b = &buffer{}
		o.API = b
	}
	return b
}

// program is what is known of a loaded executable, under its object's lock.
type program struct {
	asked   bool
	outputs int // a device; -1 for not known
	donates []donation
	settled bool // it takes no argument, as far as was seen
}

// donation says whether a program takes an argument's memory.
type donation uint8

const (
	unknown donation = iota
	never
	takes
)

// program finds out how many outputs there are, once.
func (l *Layer) program(o *layer.Object) *program {
	o.Lock()
	p, _ := o.API.(*program)
	if p == nil {
		p = &program{outputs: -1}
		o.API = p
	}
	if !p.asked {
		p.asked = true
		p.outputs = l.outputsOf(o)
	}
	o.Unlock()
	return p
}

// outputsOf asks the plugin itself how many outputs a program has; -1 when it does not say. From then on buffers may come
// from calls whose outputs the layer cannot see.
func (l *Layer) outputsOf(o *layer.Object) int {
	for _, s := range []pjrtc.Slot{pjrtc.SlotLoadedExecutableGetExecutable, pjrtc.SlotExecutableNumOutputs, pjrtc.SlotExecutableDestroy} {
		if !l.real.Has(s) {
			l.eng.Adopt(l.kinds.buffer)
			return -1
		}
	}
	f := call.Get()
	defer f.Put()
	get, err := call.New[pjrtc.LoadedExecutableGetExecutableArgs](f)
	if err != nil {
		return -1
	}
	get.LoadedExecutable = pjrtc.Ptr[pjrtc.LoadedExecutable](o.Addr())
	if l.failed(f, pjrtc.Call(l.real, f, get)) {
		l.eng.Adopt(l.kinds.buffer)
		return -1
	}
	outputs := -1
	if n, err := call.New[pjrtc.ExecutableNumOutputsArgs](f); err == nil {
		n.Executable = get.Executable
		if !l.failed(f, pjrtc.Call(l.real, f, n)) && n.NumOutputs < layer.MaxList {
			outputs = int(n.NumOutputs)
		}
	}
	if d, err := call.New[pjrtc.ExecutableDestroyArgs](f); err == nil {
		d.Executable = get.Executable
		l.failed(f, pjrtc.Call(l.real, f, d))
	}
	if outputs < 0 {
		l.eng.Adopt(l.kinds.buffer)
	}
	return outputs
}

// failed destroys the error of a call of the layer's own.
func (l *Layer) failed(f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) bool {
	if e == 0 {
		return false
	}
	if f.Threw() { // reported when the frame goes
		return true
	}
	if d, err := call.New[pjrtc.ErrorDestroyArgs](f); err == nil && l.real.Has(pjrtc.SlotErrorDestroy) {
		d.Error = e
		pjrtc.Call(l.real, f, d)
	}
	return true
}

// row reads the list of one device, of an execution's lists; nil for none.
func row(list pjrtc.Ptr[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]], device int, devices, n uint64) []pjrtc.Ptr[pjrtc.Buffer] {
	if n == 0 || n > layer.MaxList || devices > layer.MaxList {
		return nil
	}
	all, err := list.Slice(devices)
	if err != nil || device >= len(all) {
		return nil
	}
	handles, err := all[device].Slice(n)
	if err != nil {
		return nil
	}
	return handles
}

func (l *Layer) beforeExecute(c *layer.Call) {
	a, x := args[pjrtc.LoadedExecutableExecuteArgs](c), c.Object(0)
	if a == nil || x == nil {
		return
	}
	p := l.program(x)
	if a.NumDevices == 0 || a.NumDevices > layer.MaxList || a.NumArgs > layer.MaxList {
		c.Refuse(layer.NullArgument, x, "%d devices and %d arguments", a.NumDevices, a.NumArgs)
		return
	}
	if a.NumArgs > 0 && a.ArgumentLists == 0 || p.outputs > 0 && a.OutputLists == 0 {
		c.Refuse(layer.NullArgument, x, "there are no argument or output lists")
		return
	}
	op, client := &l.argument, x.Root()
	x.Lock()
	gives := !p.settled
	x.Unlock()
	for d := range int(a.NumDevices) {
		row := row(a.ArgumentLists, d, a.NumDevices, a.NumArgs)
		for i, h := range row {
			o := c.Use(op, uintptr(h))
			if c.Refused != nil {
				return
			}
			l.checkClient(c, op.Field, o, client)
			if gives && l.takes(x, p, i) && (slices.Contains(row[:i], h) || slices.Contains(row[i+1:], h)) {
				c.Report(donatedTwice, o, "argument %d is given away, and is another argument too", i)
			}
		}
	}
}

// takes reports whether the program was seen to take an argument's memory.
func (l *Layer) takes(x *layer.Object, p *program, i int) bool {
	x.Lock()
	defer x.Unlock()
	return i < len(p.donates) && p.donates[i] == takes
}

func (l *Layer) afterExecute(c *layer.Call, failed bool) {
	a, x := args[pjrtc.LoadedExecutableExecuteArgs](c), c.Object(0)
	if a == nil || x == nil {
		return
	}
	p := l.program(x)
	l.donated(c, a, x, p, failed)
	if failed || p.outputs <= 0 {
		return
	}
	for d := range int(a.NumDevices) {
		for _, h := range row(a.OutputLists, d, a.NumDevices, uint64(p.outputs)) {
			if h != 0 {
				c.Add(l.kinds.buffer, uintptr(h), x.Root(), false)
			}
		}
	}
}

// donated asks the plugin which arguments the execution took: of each argument once, whether the program takes it at
// all, and from then on only of those that it does.
func (l *Layer) donated(c *layer.Call, a *pjrtc.LoadedExecutableExecuteArgs, x *layer.Object, p *program, failed bool) {
	if a.NumArgs == 0 || !l.real.Has(pjrtc.SlotBufferIsDeleted) {
		return
	}
	x.Lock()
	for len(p.donates) < int(a.NumArgs) {
		p.donates, p.settled = append(p.donates, unknown), false
	}
	settled := p.settled
	x.Unlock()
	if settled {
		return
	}
	defer func() {
		x.Lock()
		p.settled = !slices.ContainsFunc(p.donates, func(d donation) bool { return d != never })
		x.Unlock()
	}()
	var keep []int64
	if a.Options != 0 {
		o := a.Options.At()
		keep, _ = o.NonDonatableInputIndices.Slice(min(o.NumNonDonatableInputIndices, layer.MaxList))
	}
	for dev := range int(a.NumDevices) {
		for i, h := range row(a.ArgumentLists, dev, a.NumDevices, a.NumArgs) {
			x.Lock()
			d := p.donates[i]
			x.Unlock()
			o := l.eng.Find(l.kinds.buffer, uintptr(h))
			if d == never || o == nil || o.Gone() || slices.Contains(keep, int64(i)) {
				continue
			}
			gone := l.isDeleted(h)
			if gone {
				l.eng.Mark(c, o, true)
			}
			if d == unknown && !failed {
				d = never
				if gone {
					d = takes
				}
				x.Lock()
				p.donates[i] = d
				x.Unlock()
			}
		}
	}
}

func (l *Layer) isDeleted(h pjrtc.Ptr[pjrtc.Buffer]) bool {
	f := call.Get()
	defer f.Put()
	d, err := call.New[pjrtc.BufferIsDeletedArgs](f)
	if err != nil {
		return false
	}
	d.Buffer = h
	return !l.failed(f, pjrtc.Call(l.real, f, d)) && d.IsDeleted
}
