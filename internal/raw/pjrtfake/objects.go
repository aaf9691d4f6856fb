package pjrtfake

import (
	"bytes"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func (f *Fake) createClient(a *pjrtc.ClientCreateArgs) *Failure {
	in, err := a.CreateOptions.Slice(a.NumOptions)
	if err != nil {
		return bad
	}
	f.options = nil
	for _, v := range in {
		o := Value{Name: string(array(v.Name, v.NameSize))}
		switch v.Type {
		case pjrtc.NamedValueKString:
			o.Value = string(array(pjrtc.Ptr[byte](v.Value), v.ValueSize))
		case pjrtc.NamedValueKInt64:
			o.Value = int64(v.Value)
		case pjrtc.NamedValueKInt64List:
			o.Value = append([]int64{}, array(pjrtc.Ptr[int64](v.Value), v.ValueSize)...)
		case pjrtc.NamedValueKFloat:
			o.Value = math.Float32frombits(uint32(v.Value))
		case pjrtc.NamedValueKBool:
			o.Value = v.Value == 1
		}
		f.options = append(f.options, o)
	}
	c := f.make(&object{kind: "client"})
	for i := range f.Devices {
		f.make(&object{kind: "device", parent: c, id: i})
	}
	a.Client = pjrtc.Ptr[pjrtc.Client](c.handle)
	return nil
}

// array is a C array, or nothing.
func array[T any](p pjrtc.Ptr[T], n uint64) []T {
	s, err := p.Slice(n)
	if err != nil {
		return nil
	}
	return s
}

func (f *Fake) devicesOf(c *object) []pjrtc.Ptr[pjrtc.Device] {
	var out []pjrtc.Ptr[pjrtc.Device]
	for _, o := range f.objects {
		if o.kind == "device" && o.parent == c {
			out = append(out, pjrtc.Ptr[pjrtc.Device](o.handle))
		}
	}
	slices.Sort(out)
	return out
}

func (f *Fake) compile(a *pjrtc.ClientCompileArgs) *Failure {
	c := get(f, "compile", "client", a.Client)
	if c == nil || a.Program == 0 {
		return bad
	}
	p := a.Program.At()
	code := string(array(p.Code, p.CodeSize))
	prog := f.Programs[code]
	if prog == nil {
		return failed(pjrtc.ErrorCodeINVALIDARGUMENT, "no program "+code)
	}
	d := f.objects[uintptr(f.devicesOf(c)[0])]
	x := f.make(&object{kind: "executable", parent: c, prog: prog, name: code, device: d})
	a.Executable = pjrtc.Ptr[pjrtc.LoadedExecutable](x.handle)
	return nil
}

func (f *Fake) newBuffer(client, device *object, t Type, data []byte) *object {
	return f.make(&object{kind: "buffer", parent: client, device: device, typ: t, data: bytes.Clone(data)})
}

func (f *Fake) fromHost(a *pjrtc.ClientBufferFromHostBufferArgs) *Failure {
	c, d := get(f, "put", "client", a.Client), get(f, "put", "device", a.Device)
	if c == nil || d == nil {
		return bad
	}
	t := Type{a.Type, append([]int64{}, array(a.Dims, a.NumDims)...)}
	b := f.newBuffer(c, d, t, array(pjrtc.Ptr[byte](a.Data), uint64(t.size())))
	var e *object
	switch a.HostBufferSemantics {
	case pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall:
		hold := f.hold
		f.hold = false
		e = f.newEvent(c, f.late(a.Slot()))
		f.hold = hold
	case pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes:
		e = f.newEvent(c, f.late(a.Slot()))
	default:
		e = f.make(&object{kind: "event", parent: c, done: make(chan struct{})})
		b.free = append(b.free, e)
	}
	a.Buffer, a.DoneWithHostBuffer = pjrtc.Ptr[pjrtc.Buffer](b.handle), pjrtc.Ptr[pjrtc.Event](e.handle)
	return nil
}

// fireAll fires what waits for the buffer's end.
func (f *Fake) fireAll(b *object) {
	free := b.free
	b.free = nil
	for _, e := range free {
		go f.fire(e)
	}
}

func (f *Fake) toHost(a *pjrtc.BufferToHostBufferArgs) *Failure {
	b := get(f, "get", "buffer", a.Src)
	if b == nil {
		return bad
	}
	if b.taken {
		return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the buffer is deleted")
	}
	if a.Dst == 0 {
		a.DstSize = uint64(len(b.data))
		return nil
	}
	if a.DstSize < uint64(len(b.data)) {
		return failed(pjrtc.ErrorCodeINVALIDARGUMENT, "too small")
	}
	f.checkLayout(b.typ, a.HostLayout)
	copy(array(pjrtc.Ptr[byte](a.Dst), a.DstSize), b.data)
	a.Event = pjrtc.Ptr[pjrtc.Event](f.newEvent(b.parent, f.late(a.Slot())).handle)
	return nil
}

// checkLayout reads all of a layout for the host: it must be there, and be the dense row-major one.
func (f *Fake) checkLayout(t Type, p pjrtc.Ptr[pjrtc.BufferMemoryLayout]) {
	if p == 0 {
		if len(t.Dims) > 1 {
			f.violate("get: no layout for a tensor of rank %d", len(t.Dims))
		}
		return
	}
	l := p.At()
	tiled := l.Tiled()
	if l.StructSize == 0 || l.Type != pjrtc.BufferMemoryLayoutTypeTiled || tiled.StructSize == 0 || tiled.MinorToMajorSize != uint64(len(t.Dims)) {
		f.violate("get: the layout is damaged: %+v", l)
		return
	}
	for i, d := range array(tiled.MinorToMajor, tiled.MinorToMajorSize) {
		if d != int64(len(t.Dims)-1-i) {
			f.violate("get: the layout's order has %d at %d", d, i)
		}
	}
}

// size is the bytes of a tensor on the host.
func (t Type) size() int {
	n := 1
	for _, d := range t.Dims {
		n *= int(d)
	}
	switch t.Type {
	case pjrtc.BufferTypeF32, pjrtc.BufferTypeS32, pjrtc.BufferTypeU32:
		return 4 * n
	case pjrtc.BufferTypeF64, pjrtc.BufferTypeS64, pjrtc.BufferTypeU64, pjrtc.BufferTypeC64:
		return 8 * n
	case pjrtc.BufferTypeC128:
		return 16 * n
	case pjrtc.BufferTypeF16, pjrtc.BufferTypeBF16, pjrtc.BufferTypeS16, pjrtc.BufferTypeU16:
		return 2 * n
	}
	return n
}

func (f *Fake) execute(a *pjrtc.LoadedExecutableExecuteArgs) *Failure {
	x := get(f, "execute", "executable", a.Executable)
	if x == nil || a.NumDevices != 1 {
		return bad
	}
	var keep []int64
	if o := a.Options; o != 0 {
		keep = array(o.At().NonDonatableInputIndices, o.At().NumNonDonatableInputIndices)
	}
	args := array(*a.ArgumentLists.At(), a.NumArgs)
	var data [][]byte
	var in []*object
	for _, h := range args {
		b := get(f, "execute", "buffer", h)
		if b == nil || b.dead || b.taken {
			return failed(pjrtc.ErrorCodeINVALIDARGUMENT, "an argument is deleted")
		}
		in, data = append(in, b), append(data, b.data)
	}
	if len(in) != len(x.prog.Params) {
		return failed(pjrtc.ErrorCodeINVALIDARGUMENT, "wrong number of arguments")
	}
	var outs [][]byte
	if x.prog.Run != nil {
		outs = x.prog.Run(data)
	}
	for _, i := range x.prog.Donated {
		if !slices.Contains(keep, int64(i)) {
			in[i].taken = true
			f.fireAll(in[i])
		}
	}
	out := array(*a.OutputLists.At(), uint64(len(x.prog.Outputs)))
	for i, t := range x.prog.Outputs {
		d := make([]byte, t.size())
		if i < len(outs) {
			d = outs[i]
		}
		out[i] = pjrtc.Ptr[pjrtc.Buffer](f.newBuffer(x.parent, x.device, t, d).handle)
	}
	if a.DeviceCompleteEvents != 0 {
		*a.DeviceCompleteEvents.At() = pjrtc.Ptr[pjrtc.Event](f.newEvent(x.parent, f.late(a.Slot())).handle)
	}
	return nil
}
