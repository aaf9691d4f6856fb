package device

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// handlers are the custom calls of a program that clients registered functions for. They live as long as the program,
// and as the last run of it.
type handlers struct {
	bound []*pjrtserve.Bound
	users atomic.Int64 // runs, and 1 for the program itself
}

func (h *handlers) enter() {
	if h != nil {
		h.users.Add(1)
	}
}

// leave ends a use; with the last one the states of the handlers are destroyed.
func (h *handlers) leave() {
	if h != nil && h.users.Add(-1) == 0 {
		for _, b := range h.bound {
			b.Close()
		}
	}
}

// runKey is the key of the [pjrtserve.CallRun] in the context of a run.
type runKey struct{}

// bind finds the program's custom calls that clients registered functions for.
func (x *Executable) bind() error {
	h := &handlers{}
	h.users.Store(1)
	x.extern = map[*stablehlo.Op]eval.CustomCall{}
	for _, f := range x.module.Funcs {
		if err := x.bindBlock(h, f.Body); err != nil {
			h.leave()
			return err
		}
	}
	if len(h.bound) > 0 {
		x.handlers = h
	}
	return nil
}

func (x *Executable) bindBlock(h *handlers, b *stablehlo.Block) error {
	if b == nil {
		return nil
	}
	for _, op := range b.Ops {
		for _, r := range op.Regions {
			if err := x.bindBlock(h, r); err != nil {
				return err
			}
		}
		a, ok := op.Attr.(*stablehlo.CustomCallAttr)
		if op.Kind != stablehlo.CustomCall || !ok {
			continue
		}
		attrs, why := callAttrs(op, a)
		bound, err := pjrtserve.Bind(a.Target, attrs, x.device.Workers())
		if err != nil {
			return fmt.Errorf("%v: %w", op.Pos, err)
		}
		if bound == nil {
			continue
		}
		h.bound = append(h.bound, bound)
		if why != nil {
			return fmt.Errorf("%v: custom call %q: %w", op.Pos, a.Target, why)
		}
		// JAX's artifacts tell version 4 by their attributes alone.
		_, typed := stablehlo.Find(op.Extra, "mhlo.backend_config")
		if len(a.Called) > 0 || a.APIVersion < 4 && !typed {
			return fmt.Errorf("%v: custom call %q of API version %d: %w; a registered handler takes version 4, and no functions of the program", op.Pos, a.Target, a.APIVersion, isthmus.ErrUnsupported)
		}
		x.extern[op] = handled(bound, a)
	}
	return nil
}

// callAttrs are the attributes that a handler gets.
func callAttrs(op *stablehlo.Op, a *stablehlo.CustomCallAttr) ([]pjrtserve.CallAttr, error) {
	list := a.BackendConfig
	if len(list) == 0 {
		if d, ok := stablehlo.Find(op.Extra, "mhlo.backend_config"); ok {
			list, _ = d.Dict()
		}
	}
	return entries(list)
}

func entries(list []stablehlo.Extra) ([]pjrtserve.CallAttr, error) {
	out := make([]pjrtserve.CallAttr, len(list))
	for i, e := range list {
		out[i].Name = e.Name
		if t, data, list, ok := e.Elements(); ok {
			out[i].DType, out[i].Data, out[i].List = t, data, list
			continue
		}
		if text, ok := e.Text(); ok {
			out[i].Text = &text
			continue
		}
		d, ok := e.Dict()
		if !ok {
			return nil, fmt.Errorf("attribute %q is %v: %w; handlers take numbers, lists of numbers, texts and dictionaries", e.Name, e, isthmus.ErrUnsupported)
		}
		var err error
		if out[i].Dict, err = entries(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// handled calls a handler with tensors of the evaluator.
func handled(b *pjrtserve.Bound, a *stablehlo.CustomCallAttr) eval.CustomCall {
	return func(ctx context.Context, op *stablehlo.Op, in []eval.Value) ([]eval.Value, error) {
		args, err := callTensors(in, a.OperandLayouts)
		if err != nil {
			return nil, err
		}
		var out []eval.Value
		var results []pjrtserve.CallTensor
		for i, v := range op.Results {
			if v.Type.Kind == stablehlo.Token {
				out = append(out, eval.Token{})
				continue
			}
			if v.Type.Kind != stablehlo.Tensor || !v.Type.Static() {
				return nil, fmt.Errorf("result %d is %v: %w", i, v.Type, isthmus.ErrUnsupported)
			}
			t := &eval.Tensor{Type: v.Type, Data: aligned(v.Type.Size())}
			out = append(out, t)
			results = append(results, pjrtserve.CallTensor{Type: pjrtserve.Type{DType: t.Type.Elem, Dims: t.Type.Dims}, Data: t.Data})
		}
		for _, alias := range a.Aliases {
			to := 0
			if len(alias.OutputTuple) > 0 {
				to = int(alias.OutputTuple[0])
			}
			from := int(alias.Operand)
			if to < 0 || to >= len(results) || from < 0 || from >= len(args) || len(results[to].Data) != len(args[from].Data) {
				return nil, fmt.Errorf("result %d cannot be operand %d", to, from)
			}
			copy(results[to].Data, args[from].Data)
			args[from].Data = results[to].Data
		}
		run, _ := ctx.Value(runKey{}).(pjrtserve.CallRun)
		if err := b.Call(ctx, run, args, results); err != nil {
			return nil, err
		}
		for i, v := range out {
			if t, ok := v.(*eval.Tensor); ok && i < len(a.ResultLayouts) {
				if order := a.ResultLayouts[i]; reordered(order) {
					data := aligned(int64(len(t.Data)))
					relay(data, t.Data, t.Type.Dims, t.Type.Elem.Size(), order, false)
					t.Data = data
				}
			}
		}
		return out, nil
	}
}

// callTensors are arguments as handlers take them: in the layouts that the program names, and aligned.
func callTensors(in []eval.Value, layouts [][]int64) ([]pjrtserve.CallTensor, error) {
	var out []pjrtserve.CallTensor
	for i, v := range in {
		t, ok := v.(*eval.Tensor)
		if _, token := v.(eval.Token); token {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("operand %d is no tensor: %w", i, isthmus.ErrUnsupported)
		}
		data := t.Data
		if i < len(layouts) && reordered(layouts[i]) && len(layouts[i]) == len(t.Type.Dims) {
			data = aligned(int64(len(data)))
			relay(data, t.Data, t.Type.Dims, t.Type.Elem.Size(), layouts[i], true)
		} else if len(data) > 0 && int(mem.AddrOf(data))%handlerAlign != 0 {
			data = aligned(int64(len(data)))
			copy(data, t.Data)
		}
		out = append(out, pjrtserve.CallTensor{Type: pjrtserve.Type{DType: t.Type.Elem, Dims: t.Type.Dims}, Data: data})
	}
	return out, nil
}

// handlerAlign is the alignment that handlers may count on, as they do with XLA.
const handlerAlign = 64

// aligned makes n bytes for a handler.
func aligned(n int64) []byte {
	b := make([]byte, n+handlerAlign)
	skip := 0
	if r := int(mem.AddrOf(b)) % handlerAlign; r != 0 {
		skip = handlerAlign - r
	}
	return b[skip : skip+int(n) : skip+int(n)]
}

// reordered reports whether a layout, minor to major, is not the row-major one.
func reordered(order []int64) bool {
	for i, d := range order {
		if d != int64(len(order)-1-i) {
			return true
		}
	}
	return false
}

// relay copies elements of the given size from row-major order to a layout, or back.
func relay(dst, src []byte, dims []int64, size int, order []int64, to bool) {
	if len(src) == 0 {
		return
	}
	strides := make([]int, len(dims)) // in the layout
	step := size
	for _, d := range order {
		strides[d] = step
		step *= int(dims[d])
	}
	at := make([]int64, len(dims))
	plain, laid := 0, 0
	for {
		if to {
			copy(dst[laid:laid+size], src[plain:])
		} else {
			copy(dst[plain:plain+size], src[laid:])
		}
		plain += size
		d := len(dims) - 1
		for ; d >= 0; d-- {
			at[d]++
			laid += strides[d]
			if at[d] < dims[d] {
				break
			}
			laid -= int(at[d]) * strides[d]
			at[d] = 0
		}
		if d < 0 {
			return
		}
	}
}
