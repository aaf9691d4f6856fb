package pjrtserve

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// CallAttr is an attribute of a custom call: a text, entries with names, or elements, one (a scalar) or a list.
type CallAttr struct {
	Name  string
	Text  *string
	Dict  []CallAttr
	DType dtype.Type
	Data  []byte
	List  bool
}

// CallTensor is an argument or a result of a custom call. Data is aligned to 16 bytes.
type CallTensor struct {
	Type Type
	Data []byte
}

// CallRun says for what run a custom call is made.
type CallRun struct {
	context *executeContext
	RunID   int64
	Device  int
	Workers int
}

type callState struct {
	typ   int64
	value uintptr
}

// Bound is a custom call of a compiled program with the handler of its target. It is safe for concurrent use, but for
// Close.
type Bound struct {
	h      *handler
	attrs  []CallAttr
	mu     sync.Mutex
	states [4]callState // by stage
}

// ffiCall is an XLA_FFI_ExecutionContext: one call of a handler.
type ffiCall struct {
	CallRun
	bound *Bound
	mu    sync.Mutex
	own   [4]callState // of this run
	parts map[mem.Addr]piece
}

func getCall(h pjrtc.Ptr[pjrtc.XLAFFIExecutionContext]) (*ffiCall, error) {
	return get[*ffiCall](kindFFICall, h)
}

// NewRun begins a run of a program that has custom calls.
func (o ExecuteOptions) NewRun(device, workers int) CallRun {
	return CallRun{context: o.Context, RunID: world().ffi.runs.Add(1), Device: device, Workers: workers}
}

// Bind finds the handler of a custom call's target, nil without an error where none was registered, and has it prepare
// itself. The caller closes what it returns.
func Bind(target string, attrs []CallAttr, workers int) (*Bound, error) {
	r := &world().ffi
	r.mu.Lock()
	h := r.handlers[target]
	r.mu.Unlock()
	if h == nil {
		return nil, nil
	}
	attrs = slices.Clone(attrs)
	slices.SortFunc(attrs, func(a, b CallAttr) int { return cmp.Compare(a.Name, b.Name) })
	b := &Bound{h: h, attrs: attrs}
	if h.instantiate != 0 {
		c := &ffiCall{CallRun: CallRun{Workers: workers}, bound: b}
		if err := c.run(context.Background(), pjrtc.XLAFFIExecutionStageINSTANTIATE, h.instantiate, nil, nil); err != nil {
			b.Close()
			return nil, err
		}
	}
	return b, nil
}

// Close destroys the state that the handler made.
func (b *Bound) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	states := b.states
	b.states = [4]callState{}
	b.mu.Unlock()
	for _, s := range states {
		world().ffi.drop(s.typ, s.value)
	}
}

// Call runs the handler.
func (b *Bound) Call(ctx context.Context, run CallRun, args, results []CallTensor) error {
	c := &ffiCall{CallRun: run, bound: b}
	defer c.end()
	for _, s := range []struct {
		stage pjrtc.XLAFFIExecutionStage
		fn    call.Fn
	}{
		{pjrtc.XLAFFIExecutionStagePREPARE, b.h.prepare},
		{pjrtc.XLAFFIExecutionStageINITIALIZE, b.h.initialize},
		{pjrtc.XLAFFIExecutionStageEXECUTE, b.h.execute},
	} {
		if s.fn == 0 {
			continue
		}
		if err := c.run(ctx, s.stage, s.fn, args, results); err != nil {
			return err
		}
	}
	return nil
}

// end frees what the handler forgot.
func (c *ffiCall) end() {
	c.mu.Lock()
	parts, own := c.parts, c.own
	c.parts, c.own = nil, [4]callState{}
	c.mu.Unlock()
	for _, p := range parts {
		p.free()
	}
	for _, s := range own {
		world().ffi.drop(s.typ, s.value)
	}
}

// run calls one function of the handler.
func (c *ffiCall) run(ctx context.Context, stage pjrtc.XLAFFIExecutionStage, fn call.Fn, args, results []CallTensor) error {
	h, err := give[pjrtc.Ptr[pjrtc.XLAFFIExecutionContext]](kindFFICall, c)
	if err != nil {
		return err
	}
	defer func() { _, _ = take[*ffiCall](kindFFICall, h) }()
	f := call.Get()
	defer f.Put()
	frame, err := newFrame(f, stage, h)
	if err != nil {
		return err
	}
	// The frame's memory is not the collector's: what it leads to is pinned while C may look.
	var pins runtime.Pinner
	defer pins.Unpin()
	if frame.Args.Types, frame.Args.Args, err = tensorsOf[pjrtc.XLAFFIArgType](f, &pins, args); err != nil {
		return err
	}
	frame.Args.Size = int64(len(args))
	if frame.Rets.Types, frame.Rets.Rets, err = tensorsOf[pjrtc.XLAFFIRetType](f, &pins, results); err != nil {
		return err
	}
	frame.Rets.Size = int64(len(results))
	if err := attrsOf(f, &frame.Attrs, c.bound.attrs); err != nil {
		return err
	}
	err = ffiResult(f.Call1(fn, mem.AddrOfPtr(frame)))
	if err == nil && frame.Future != 0 {
		err = await(ctx, frame.Future)
	}
	if err != nil {
		return fmt.Errorf("custom call %q: %w", c.bound.h.target, err)
	}
	return nil
}

// newFrame makes an empty call frame.
func newFrame(f *call.Frame, stage pjrtc.XLAFFIExecutionStage, ctx pjrtc.Ptr[pjrtc.XLAFFIExecutionContext]) (*pjrtc.XLAFFICallFrame, error) {
	frame, err := call.New[pjrtc.XLAFFICallFrame](f)
	if err != nil {
		return nil, err
	}
	frame.SetSize()
	frame.Args.SetSize()
	frame.Rets.SetSize()
	frame.Attrs.SetSize()
	api, err := world().ffi.api.get(func() (mem.Addr, error) { return 0, fail(pjrtc.ErrorCodeINTERNAL, "no table was made") })
	frame.Api, frame.Ctx, frame.Stage = pjrtc.Ptr[pjrtc.XLAFFIApi](api), ctx, stage
	return frame, err
}

// tensorsOf writes arguments or results. T is the type of their types, of which there is one, 1.
func tensorsOf[T ~int32](f *call.Frame, pins *runtime.Pinner, tensors []CallTensor) (pjrtc.Ptr[T], pjrtc.Ptr[pjrtc.Addr], error) {
	types, err := call.Slice[T](f, len(tensors))
	if err != nil {
		return 0, 0, err
	}
	all, err := call.Slice[pjrtc.Addr](f, len(tensors))
	if err != nil {
		return 0, 0, err
	}
	for i, t := range tensors {
		b, err := call.New[pjrtc.XLAFFIBuffer](f)
		if err != nil {
			return 0, 0, err
		}
		dims, err := call.Slice[int64](f, len(t.Type.Dims))
		if err != nil {
			return 0, 0, err
		}
		copy(dims, t.Type.Dims)
		b.SetSize()
		b.Dtype, b.Rank, b.Dims = pjrtc.XLAFFIDataType(primitive(t.Type.DType)), int64(len(dims)), pjrtc.ToSlice(dims)
		if b.Dtype == 0 {
			return 0, 0, unimplemented("XLA's FFI has no element type %v", t.Type.DType)
		}
		if len(t.Data) > 0 {
			pins.Pin(&t.Data[0])
			b.Data = pjrtc.Addr(mem.AddrOf(t.Data))
		}
		types[i], all[i] = 1, pjrtc.Addr(mem.AddrOfPtr(b))
	}
	return pjrtc.ToSlice(types), pjrtc.ToSlice(all), nil
}

// attrsOf writes attributes.
func attrsOf(f *call.Frame, out *pjrtc.XLAFFIAttrs, attrs []CallAttr) error {
	types, err := call.Slice[pjrtc.XLAFFIAttrType](f, len(attrs))
	if err != nil {
		return err
	}
	names, err := call.Slice[pjrtc.Ptr[pjrtc.XLAFFIByteSpan]](f, len(attrs))
	if err != nil {
		return err
	}
	values, err := call.Slice[pjrtc.Addr](f, len(attrs))
	if err != nil {
		return err
	}
	for i, a := range attrs {
		name, err := spanOf(f, a.Name)
		if err != nil {
			return err
		}
		names[i] = pjrtc.To(name)
		if types[i], values[i], err = attrOf(f, a); err != nil {
			return fmt.Errorf("attribute %q: %w", a.Name, err)
		}
	}
	out.SetSize()
	out.Size, out.Types, out.Names, out.Attrs = int64(len(attrs)), pjrtc.ToSlice(types), pjrtc.ToSlice(names), pjrtc.ToSlice(values)
	return nil
}

func spanOf(f *call.Frame, s string) (*pjrtc.XLAFFIByteSpan, error) {
	span, err := call.New[pjrtc.XLAFFIByteSpan](f)
	if err != nil {
		return nil, err
	}
	at, err := f.Text(s)
	span.Ptr, span.Len = pjrtc.Ptr[byte](at), uint64(len(s))
	return span, err
}

func attrOf(f *call.Frame, a CallAttr) (pjrtc.XLAFFIAttrType, pjrtc.Addr, error) {
	if a.Text != nil {
		span, err := spanOf(f, *a.Text)
		return pjrtc.XLAFFIAttrTypeSTRING, pjrtc.Addr(mem.AddrOfPtr(span)), err
	}
	if a.DType == dtype.Invalid {
		d, err := call.New[pjrtc.XLAFFIAttrs](f)
		if err != nil {
			return 0, 0, err
		}
		entries := slices.Clone(a.Dict)
		slices.SortFunc(entries, func(a, b CallAttr) int { return cmp.Compare(a.Name, b.Name) })
		return pjrtc.XLAFFIAttrTypeDICTIONARY, pjrtc.Addr(mem.AddrOfPtr(d)), attrsOf(f, d, entries)
	}
	typ := pjrtc.XLAFFIDataType(primitive(a.DType))
	size := a.DType.Size()
	if typ == 0 || size == 0 || len(a.Data)%size != 0 || !a.List && len(a.Data) != size {
		return 0, 0, unimplemented("%d bytes of %v", len(a.Data), a.DType)
	}
	words, err := call.Slice[uint64](f, (len(a.Data)+7)/8)
	if err != nil {
		return 0, 0, err
	}
	copy(mem.Bytes(words), a.Data)
	if a.List {
		v, err := call.New[pjrtc.XLAFFIArray](f)
		if err != nil {
			return 0, 0, err
		}
		v.Dtype, v.Size, v.Data = typ, uint64(len(a.Data)/size), pjrtc.Addr(mem.AddrOf(words))
		return pjrtc.XLAFFIAttrTypeARRAY, pjrtc.Addr(mem.AddrOfPtr(v)), nil
	}
	v, err := call.New[pjrtc.XLAFFIScalar](f)
	if err != nil {
		return 0, 0, err
	}
	v.Dtype, v.Value = typ, pjrtc.Addr(mem.AddrOf(words))
	return pjrtc.XLAFFIAttrTypeSCALAR, pjrtc.Addr(mem.AddrOfPtr(v)), nil
}

// setState keeps a value that the handler made: of the stage instantiate for the program's life, else for the run's.
func (c *ffiCall) setState(stage pjrtc.XLAFFIExecutionStage, s callState) error {
	if stage < 0 || int(stage) >= len(c.own) {
		return invalid("there is no stage %d", stage)
	}
	mu, at := &c.mu, &c.own[stage]
	if stage == pjrtc.XLAFFIExecutionStageINSTANTIATE {
		mu, at = &c.bound.mu, &c.bound.states[stage]
	}
	mu.Lock()
	defer mu.Unlock()
	if at.value != 0 {
		return fail(pjrtc.ErrorCodeALREADYEXISTS, "there is a state of stage %d", stage)
	}
	*at = s
	return nil
}

func (c *ffiCall) state(stage pjrtc.XLAFFIExecutionStage, typ int64) (uintptr, error) {
	if stage < 0 || int(stage) >= len(c.own) {
		return 0, invalid("there is no stage %d", stage)
	}
	c.mu.Lock()
	s := c.own[stage]
	c.mu.Unlock()
	if stage == pjrtc.XLAFFIExecutionStageINSTANTIATE {
		c.bound.mu.Lock()
		s = c.bound.states[stage]
		c.bound.mu.Unlock()
	}
	switch {
	case s.value == 0:
		return 0, fail(pjrtc.ErrorCodeNOTFOUND, "there is no state of stage %d", stage)
	case s.typ != typ:
		return 0, invalid("the state is of type %d, not %d", s.typ, typ)
	}
	return s.value, nil
}

// allocate gives a handler memory until it gives it back, or the call ends.
func (c *ffiCall) allocate(size, alignment uint64) (mem.Addr, error) {
	if size > mem.MaxBytes || alignment > 64 {
		return 0, invalid("%d bytes aligned to %d", size, alignment)
	}
	p, _, err := grab(max(int(size), 1))
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parts == nil {
		c.parts = map[mem.Addr]piece{}
	}
	c.parts[p.addr] = p
	return p.addr, nil
}

func (c *ffiCall) release(at mem.Addr) error {
	c.mu.Lock()
	p, ok := c.parts[at]
	delete(c.parts, at)
	c.mu.Unlock()
	if !ok {
		return invalid("%#x was not allocated by this call", uintptr(at))
	}
	p.free()
	return nil
}
