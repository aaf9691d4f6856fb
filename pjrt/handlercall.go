package pjrt

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Stage is a stage of a custom call's life.
type Stage int

// The stages. A handler sees StageExecute, and StageInstantiate where it has a state.
const (
	StageInstantiate Stage = Stage(pjrtc.XLAFFIExecutionStageINSTANTIATE)
	StagePrepare     Stage = Stage(pjrtc.XLAFFIExecutionStagePREPARE)
	StageInitialize  Stage = Stage(pjrtc.XLAFFIExecutionStageINITIALIZE)
	StageExecute     Stage = Stage(pjrtc.XLAFFIExecutionStageEXECUTE)
)

// String returns the stage's name in lower case.
func (s Stage) String() string {
	switch s {
	case StageInstantiate:
		return "instantiate"
	case StagePrepare:
		return "prepare"
	case StageInitialize:
		return "initialize"
	case StageExecute:
		return "execute"
	}
	return fmt.Sprintf("stage %d", int(s))
}

// HandlerCall is one call of a [Handler] by a program. It and everything that was taken from it are over when the
// handler returns: what is kept and used later says [isthmus.ErrClosed]. It is safe for concurrent use.
type HandlerCall struct {
	mu    sync.RWMutex // held shared while native memory is touched
	over  bool
	entry *handlerEntry
	frame *pjrtc.XLAFFICallFrame
	stage Stage
	host  bool // tensors are in host memory
}

// end revokes the call and all views, after the accesses that are in progress.
func (c *HandlerCall) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
}

// enter lets the caller touch native memory until it calls c.mu.RUnlock.
func (c *HandlerCall) enter(op string) error {
	if c == nil || c.entry == nil {
		return invalid(op, "no call")
	}
	c.mu.RLock()
	if c.over {
		c.mu.RUnlock()
		return fmt.Errorf("pjrt: %s: the call of %q is over: %w", op, c.entry.key.name, isthmus.ErrClosed)
	}
	return nil
}

// Name is the name of the handler that is called.
func (c *HandlerCall) Name() string {
	if c == nil || c.entry == nil {
		return ""
	}
	return c.entry.key.name
}

// Stage tells whether the program is being loaded or executed.
func (c *HandlerCall) Stage() Stage { return orZeroCall(c).stage }

// orZeroCall is orZero without copying a lock.
func orZeroCall(c *HandlerCall) *HandlerCall {
	if c == nil {
		return &HandlerCall{}
	}
	return c
}

// NumArgs counts the arguments, 0 after the call.
func (c *HandlerCall) NumArgs() int {
	if c.enter("arguments") != nil {
		return 0
	}
	defer c.mu.RUnlock()
	return int(max(0, c.frame.Args.Size))
}

// NumResults counts the results, 0 after the call.
func (c *HandlerCall) NumResults() int {
	if c.enter("results") != nil {
		return 0
	}
	defer c.mu.RUnlock()
	return int(max(0, c.frame.Rets.Size))
}

// ArgType is the type of argument i. Its DType is invalid for a token.
func (c *HandlerCall) ArgType(i int) (Type, error) {
	const op = "argument"
	if err := c.enter(op); err != nil {
		return Type{}, err
	}
	defer c.mu.RUnlock()
	t, _, err := c.arg(op, i)
	return t, err
}

// ResultType is the type of result i. Its DType is invalid for a token.
func (c *HandlerCall) ResultType(i int) (Type, error) {
	const op = "result"
	if err := c.enter(op); err != nil {
		return Type{}, err
	}
	defer c.mu.RUnlock()
	t, _, err := c.result(op, i)
	return t, err
}

func (c *HandlerCall) arg(op string, i int) (Type, pjrtc.Addr, error) {
	a := &c.frame.Args
	return readFFIBuffer(op, i, a.Size, a.Types, pjrtc.XLAFFIArgTypeBUFFER, a.Args)
}

func (c *HandlerCall) result(op string, i int) (Type, pjrtc.Addr, error) {
	r := &c.frame.Rets
	return readFFIBuffer(op, i, r.Size, r.Types, pjrtc.XLAFFIRetTypeBUFFER, r.Rets)
}

// readFFIBuffer reads entry i of the arguments or the results.
//
// Preconditions: the lists are those of a call in progress.
func readFFIBuffer[K ~int32](op string, i int, n int64, kinds pjrtc.Ptr[K], want K, list pjrtc.Ptr[pjrtc.Addr]) (t Type, data pjrtc.Addr, err error) {
	if i < 0 || int64(i) >= n {
		return t, 0, fmt.Errorf("pjrt: %s: %d of %d: %w", op, i, max(n, 0), isthmus.ErrBounds)
	}
	k, err := kinds.Slice(uint64(n))
	if err != nil {
		return t, 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	l, err := list.Slice(uint64(n))
	if err != nil {
		return t, 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if k[i] != want || l[i] == 0 {
		return t, 0, fmt.Errorf("pjrt: %s %d is no tensor: %w", op, i, isthmus.ErrUnsupported)
	}
	b := pjrtc.Ptr[pjrtc.XLAFFIBuffer](l[i]).At()
	if b.StructSize < pjrtc.XLAFFIBufferSize || b.Rank < 0 {
		return t, 0, invalid(op, "the plugin's description of %d is malformed", i)
	}
	dims, err := numbers(op, b.Dims, uint64(b.Rank), maxRank)
	if err != nil {
		return t, 0, err
	}
	t.DType = primitive[int64(b.Dtype)]
	t.Dims, err = toDims(op, dims)
	return t, b.Data, err
}

// View reads a tensor of a call: n elements, dense and row-major. It never gives the memory away: when the call is
// over, its methods say [isthmus.ErrClosed]. The zero value is empty.
type View[T Element] struct {
	call *HandlerCall
	data []T
	typ  Type
	op   string
}

// ResultView writes a tensor of a call, and reads it back. What a result holds before it is written is not defined.
type ResultView[T Element] struct{ View[T] }

// Arg is argument i of a call as elements of type T. Errors: [isthmus.ErrBounds] for a wrong i, [isthmus.ErrInvalid]
// for another element type, [isthmus.ErrUnsupported] for a tensor that is not in host memory or whose elements are
// smaller than a byte, [isthmus.ErrClosed] after the call.
func Arg[T Element](c *HandlerCall, i int) (View[T], error) {
	const op = "argument"
	if err := c.enter(op); err != nil {
		return View[T]{}, err
	}
	defer c.mu.RUnlock()
	t, data, err := c.arg(op, i)
	if err != nil {
		return View[T]{}, err
	}
	return viewOf[T](c, op, i, t, data, DType[T]())
}

// ArgBytes is argument i of a call as bytes, little-endian, for element types without a Go type, such as bf16. Errors:
// as for [Arg].
func ArgBytes(c *HandlerCall, i int) (View[byte], error) {
	const op = "argument"
	if err := c.enter(op); err != nil {
		return View[byte]{}, err
	}
	defer c.mu.RUnlock()
	t, data, err := c.arg(op, i)
	if err != nil {
		return View[byte]{}, err
	}
	return viewOf[byte](c, op, i, t, data, t.DType)
}

// Result is result i of a call as elements of type T. Errors: as for [Arg].
func Result[T Element](c *HandlerCall, i int) (ResultView[T], error) {
	const op = "result"
	if err := c.enter(op); err != nil {
		return ResultView[T]{}, err
	}
	defer c.mu.RUnlock()
	t, data, err := c.result(op, i)
	if err != nil {
		return ResultView[T]{}, err
	}
	v, err := viewOf[T](c, op, i, t, data, DType[T]())
	return ResultView[T]{v}, err
}

// ResultBytes is result i of a call as bytes. Errors: as for [Arg].
func ResultBytes(c *HandlerCall, i int) (ResultView[byte], error) {
	const op = "result"
	if err := c.enter(op); err != nil {
		return ResultView[byte]{}, err
	}
	defer c.mu.RUnlock()
	t, data, err := c.result(op, i)
	if err != nil {
		return ResultView[byte]{}, err
	}
	v, err := viewOf[byte](c, op, i, t, data, t.DType)
	return ResultView[byte]{v}, err
}

// viewOf makes a view of a tensor of type t at data.
//
// Preconditions: the caller has entered c.
func viewOf[T Element](c *HandlerCall, op string, i int, t Type, data pjrtc.Addr, want dtype.Type) (View[T], error) {
	var v View[T]
	switch {
	case !c.host:
		return v, fmt.Errorf("pjrt: %s %d: tensors of platform %s are not in host memory: %w", op, i, c.entry.key.platform, isthmus.ErrUnsupported)
	case c.stage != StageExecute:
		return v, fmt.Errorf("pjrt: %s %d: tensors have no content in stage %s: %w", op, i, c.stage, isthmus.ErrUnsupported)
	case t.DType != want:
		return v, invalid(op, "%d has type %s, want elements of %s", i, t, want)
	case t.DType.Bits()%8 != 0 && t.DType != dtype.I1:
		return v, fmt.Errorf("pjrt: %s %d: elements of %s are smaller than a byte: %w", op, i, t.DType, isthmus.ErrUnsupported)
	}
	size, err := t.Size()
	if err != nil {
		return v, err
	}
	// SAFETY: owner: the plugin; lifetime: the call, every access is between enter and end; bounds: the size of the
	// type that the plugin states; alignment: checked; thread: the program waits for the handler, its other
	// operations neither write this tensor nor read this result.
	v.data, err = mem.Slice[T](data, size/mem.SizeOf[T]())
	if err != nil {
		return View[T]{}, fmt.Errorf("pjrt: %s %d: %w", op, i, err)
	}
	v.call, v.typ, v.op = c, t, op
	return v, nil
}

// Type is the tensor's type.
func (v View[T]) Type() Type { return v.typ }

// Len is the number of elements; of bytes for ArgBytes and ResultBytes.
func (v View[T]) Len() int { return len(v.data) }

// CopyTo copies elements from number at on into dst, as many as there are and fit, and returns how many. It is made
// for working in blocks, without a copy of the whole. Errors: [isthmus.ErrBounds] when at is not within the tensor,
// [isthmus.ErrClosed] after the call.
func (v View[T]) CopyTo(dst []T, at int) (int, error) {
	if at < 0 || at > len(v.data) {
		return 0, fmt.Errorf("pjrt: %s: element %d of %d: %w", v.op, at, len(v.data), isthmus.ErrBounds)
	}
	if v.call == nil {
		return 0, nil
	}
	if err := v.call.enter(v.op); err != nil {
		return 0, err
	}
	defer v.call.mu.RUnlock()
	n := copy(dst, v.data[at:])
	if v.typ.DType == dtype.I1 {
		// Go's bool is 0 or 1 and nothing else.
		for i, b := range mem.Bytes(dst[:n]) {
			if b > 1 {
				mem.Bytes(dst[:n])[i] = 1
			}
		}
	}
	return n, nil
}

// Read returns a copy of the tensor.
func (v View[T]) Read() ([]T, error) {
	dst := make([]T, len(v.data))
	_, err := v.CopyTo(dst, 0)
	return dst, err
}

// At is element i. Errors: as for CopyTo.
func (v View[T]) At(i int) (T, error) {
	var one [1]T
	if n, err := v.CopyTo(one[:], i); err != nil || n == 1 {
		return one[0], err
	}
	return one[0], fmt.Errorf("pjrt: %s: element %d of %d: %w", v.op, i, len(v.data), isthmus.ErrBounds)
}

// CopyFrom writes all of src from element at on. Errors: [isthmus.ErrBounds] when it does not fit, and then nothing
// is written; [isthmus.ErrClosed] after the call.
func (v ResultView[T]) CopyFrom(src []T, at int) error {
	if at < 0 || at > len(v.data) || len(src) > len(v.data)-at {
		return fmt.Errorf("pjrt: %s: elements %d to %d of %d: %w", v.op, at, at+len(src), len(v.data), isthmus.ErrBounds)
	}
	if v.call == nil {
		return nil
	}
	if err := v.call.enter(v.op); err != nil {
		return err
	}
	defer v.call.mu.RUnlock()
	copy(v.data[at:], src)
	return nil
}

// Write writes the whole tensor. Errors: [isthmus.ErrBounds] when src has another length; [isthmus.ErrClosed] after
// the call.
func (v ResultView[T]) Write(src []T) error {
	if len(src) != len(v.data) {
		return fmt.Errorf("pjrt: %s: %d elements for a tensor of %d: %w", v.op, len(src), len(v.data), isthmus.ErrBounds)
	}
	return v.CopyFrom(src, 0)
}

// Set writes element i. Errors: as for CopyFrom.
func (v ResultView[T]) Set(i int, x T) error { return v.CopyFrom([]T{x}, i) }

// RunID identifies the execution that the call belongs to; programs that run together share it. Errors:
// [isthmus.ErrUnsupported] where the plugin does not tell.
func (c *HandlerCall) RunID() (int64, error) {
	var id int64
	return id, askFFI(c, "run id", pjrtc.XLAFFIRunIDGet, func(a *pjrtc.XLAFFIRunIdGetArgs) { a.Ctx = c.frame.Ctx },
		func(a *pjrtc.XLAFFIRunIdGetArgs) { id = a.RunId })
}

// DeviceOrdinal is the number of the device that executes the call, -1 for none. Errors: [isthmus.ErrUnsupported]
// where the plugin does not tell.
func (c *HandlerCall) DeviceOrdinal() (int, error) {
	n := -1
	err := askFFI(c, "device ordinal", pjrtc.XLAFFIDeviceOrdinalGet, func(a *pjrtc.XLAFFIDeviceOrdinalGetArgs) { a.Ctx = c.frame.Ctx },
		func(a *pjrtc.XLAFFIDeviceOrdinalGetArgs) { n = int(a.DeviceOrdinal) })
	return n, err
}

// askFFI calls a function of the plugin's FFI table during a call.
func askFFI[A any, P interface {
	*A
	SetSize()
}](c *HandlerCall, op string, fn pjrtc.XLAFFIFunc, fill func(P), read func(P)) error {
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.RUnlock()
	f := call.Get()
	defer f.Put()
	a, err := call.New[A](f)
	if err != nil {
		return err
	}
	fill(P(a))
	api := pjrtc.XLAFFITable(c.frame.Api)
	e, has := pjrtc.CallXLAFFI(api, fn, f, P(a))
	if !has {
		major, minor := api.Version()
		return fmt.Errorf("pjrt: %s: the plugin's FFI %d.%d does not tell: %w", op, major, minor, isthmus.ErrUnsupported)
	}
	if e != 0 {
		return fmt.Errorf("pjrt: %s: the plugin refused: %w", op, dropFFIError(api, f, e))
	}
	read(P(a))
	return nil
}

// dropFFIError destroys an error of the plugin's FFI. Its text is reached in a way that changed between versions.
func dropFFIError(api pjrtc.XLAFFITable, f *call.Frame, e pjrtc.Ptr[pjrtc.XLAFFIError]) error {
	if a, err := call.New[pjrtc.XLAFFIErrorDestroyArgs](f); err == nil {
		a.Error = e
		pjrtc.CallXLAFFI(api, pjrtc.XLAFFIErrorDestroy, f, a)
	}
	return isthmus.ErrInvalid
}
