package pjrt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// ffiCase registers a handler, a type and a value on a fake; kept, where not nil, gets the handler's C function.
func ffiCase(kept *pjrtc.Func) extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeFFI,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"register_handler": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.FFIRegisterHandlerArgs) *pjrtfake.Failure {
					if name := hostText(a.TargetName, a.TargetNameSize); name != "handler" || hostText(a.PlatformName, a.PlatformNameSize) != "Host" {
						return refuse("handler %q", name)
					}
					if kept != nil {
						*kept = pjrtc.Func(a.Handler)
					}
					return nil
				}),
				"type_register": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.FFITypeRegisterArgs) *pjrtfake.Failure {
					if hostText(a.TypeName, a.TypeNameSize) != "type" || a.TypeInfo.At().Deleter == 0 {
						return refuse("a type without a name or a deleter")
					}
					a.TypeId = 77
					return nil
				}),
				"user_data_add": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.FFIUserDataAddArgs) *pjrtfake.Failure {
					if a.UserData.TypeId != 77 || a.UserData.Data == 0 {
						return refuse("user data of type %d", a.UserData.TypeId)
					}
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			before := pjrt.LiveValues()
			typ, err := w.p.RegisterType("type")
			if err == nil {
				c, cerr := w.p.NewExecuteContext()
				if cerr != nil {
					return cerr
				}
				err = errors.Join(c.AddUserData(typ, "value"), c.Close())
			}
			if n := pjrt.LiveValues() - before; n != 0 {
				err = errors.Join(err, fmt.Errorf("%d values are left", n))
			}
			h, herr := w.p.RegisterHandler("handler", scale, pjrt.HandlerOptions{})
			return errors.Join(err, herr, h.Close(), h.Close())
		},
	}
}

func transformCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeXlaTransform,
		fns: func() map[string]pjrtfake.Func {
			registered := 0
			return map[string]pjrtfake.Func{
				"register_xla_transform": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.RegisterXlaTransformArgs) *pjrtfake.Failure {
					if hostText(a.Name, a.NameSize) != "t" || a.Callbacks.At().TransformHloModule == 0 {
						return refuse("a wrong registration")
					}
					registered++
					return nil
				}),
				"clear_xla_transform": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.ClearXlaTransformArgs) *pjrtfake.Failure {
					a.Cleared = hostText(a.Name, a.NameSize) == "t" && registered == 1
					registered--
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			t, err := w.p.RegisterTransform("t", pjrt.PreScheduler, func([]byte) ([]byte, error) { return nil, nil })
			if err != nil {
				return err
			}
			return errors.Join(t.Close(), t.Close())
		},
	}
}

// A plugin whose call frames are malformed gets errors with a text; nothing is read outside.
func TestP06P15HandlerHostileFrames(t *testing.T) {
	var fn pjrtc.Func
	w, end := extFake(t, ffiCase(&fn), "", "")
	defer end()
	seen := ""
	h, err := w.p.RegisterHandler("handler", func(c *pjrt.HandlerCall) error {
		seen = fmt.Sprint(c.NumArgs(), c.NumResults(), c.Stage())
		_, err := pjrt.Arg[float32](c, 0)
		_, rerr := pjrt.Result[float32](c, 0)
		_, aerr := c.Attrs()
		_, ierr := c.RunID()
		return fmt.Errorf("arg: %w; result: %w; attrs: %w; id: %w", orSkip(err), orSkip(rerr), orSkip(aerr), orSkip(ierr))
	}, pjrt.HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	said := ""
	api := pjrtfake.List(w.f, nil, []pjrtc.XLAFFIApi{{
		StructSize: 56, // it ends after error_create
		XLAFFIErrorCreate: w.f.Func("ffi error_create", 1, func(a []uintptr) uintptr {
			e := mem.At[pjrtc.XLAFFIErrorCreateArgs](mem.Addr(a[0]))
			said = mem.CString(e.Message, 4096)
			return 0xe0
		}),
	}})
	one := pjrtfake.List(w.f, nil, []float32{1})
	buffer := func(b pjrtc.XLAFFIBuffer) pjrtc.Ptr[pjrtc.Addr] {
		return pjrtfake.List(w.f, nil, []pjrtc.Addr{pjrtc.Addr(pjrtfake.List(w.f, nil, []pjrtc.XLAFFIBuffer{b}))})
	}
	kind := pjrtfake.List(w.f, nil, []pjrtc.XLAFFIArgType{1})
	good := pjrtc.XLAFFIBuffer{StructSize: 48, Dtype: pjrtc.XLAFFIDataTypeF32, Data: pjrtc.Addr(one)}
	for name, c := range map[string]struct {
		set  func(*pjrtc.XLAFFICallFrame)
		want string
	}{
		"good":          {func(*pjrtc.XLAFFICallFrame) {}, "arg: fine; result: pjrt: result: 0 of 0"},
		"no arguments":  {func(f *pjrtc.XLAFFICallFrame) { f.Args.Size = 0 }, "0 of 0"},
		"negative":      {func(f *pjrtc.XLAFFICallFrame) { f.Args.Size = -1 }, "0 of 0"},
		"null list":     {func(f *pjrtc.XLAFFICallFrame) { f.Args.Args = 0 }, "nil address"},
		"null kinds":    {func(f *pjrtc.XLAFFICallFrame) { f.Args.Types = 0 }, "nil address"},
		"null argument": {func(f *pjrtc.XLAFFICallFrame) { f.Args.Args = pjrtfake.List(w.f, nil, []pjrtc.Addr{0}) }, "no tensor"},
		"unknown kind":  {func(f *pjrtc.XLAFFICallFrame) { f.Args.Types = pjrtfake.List(w.f, nil, []pjrtc.XLAFFIArgType{9}) }, "no tensor"},
		"short buffer":  {func(f *pjrtc.XLAFFICallFrame) { b := good; b.StructSize = 40; f.Args.Args = buffer(b) }, "malformed"},
		"negative rank": {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Rank = -1; f.Args.Args = buffer(b) }, "malformed"},
		"huge rank":     {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Rank = 1 << 40; f.Args.Args = buffer(b) }, "at most"},
		"null dims":     {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Rank = 2; f.Args.Args = buffer(b) }, "nil address"},
		"null data":     {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Data = 0; f.Args.Args = buffer(b) }, "nil address"},
		"misaligned":    {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Data++; f.Args.Args = buffer(b) }, "not aligned"},
		"a token": {func(f *pjrtc.XLAFFICallFrame) {
			b := good
			b.Dtype = pjrtc.XLAFFIDataTypeTOKEN
			f.Args.Args = buffer(b)
		}, "want elements of f32"},
		"unknown dtype": {func(f *pjrtc.XLAFFICallFrame) { b := good; b.Dtype = 999; f.Args.Args = buffer(b) }, "want elements of f32"},
		"huge attrs":    {func(f *pjrtc.XLAFFICallFrame) { f.Attrs.Size = 1 << 50 }, "dictionary is malformed"},
		"short attrs":   {func(f *pjrtc.XLAFFICallFrame) { f.Attrs.StructSize = 8 }, "dictionary is malformed"},
		"null attrs":    {func(f *pjrtc.XLAFFICallFrame) { f.Attrs.Size = 1 }, "nil address"},
		"no such stage": {func(f *pjrtc.XLAFFICallFrame) { f.Stage = 8 }, "no content in stage stage 8"},
		"huge dimension": {func(f *pjrtc.XLAFFICallFrame) {
			b := good
			b.Rank, b.Dims = 2, pjrtfake.List(w.f, nil, []int64{1 << 40, 1 << 40})
			f.Args.Args = buffer(b)
		}, "out of bounds"},
	} {
		f, done := frameOf[pjrtc.XLAFFICallFrame](t)
		f.SetSize()
		f.Api, f.Stage = api, pjrtc.XLAFFIExecutionStageEXECUTE
		f.Args.Size, f.Args.Types, f.Args.Args, f.Attrs.StructSize = 1, kind, buffer(good), 48
		c.set(f)
		seen, said = "", ""
		if e := pjrtfake.Invoke(fn, uintptr(mem.AddrOfPtr(f))); e != 0xe0 || !strings.Contains(said, c.want) || !strings.Contains(said, "does not tell") {
			t.Errorf("%s: got %#x, %q (the handler saw %q), want %q", name, e, said, seen, c.want)
		}
		done()
	}
}

// orSkip makes a reason of no error.
func orSkip(err error) error {
	if err == nil {
		return errors.New("fine")
	}
	return err
}
