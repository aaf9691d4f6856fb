package pjrt_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// The layouts of a program's parameters and outputs are the ones that it asked for, each with its own.
func TestP19ProgramLayouts(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, `module {
  func.func @main(%a: tensor<2x3xf32> {mhlo.layout_mode = "{0,1}"}, %b: tensor<3x2xf32>) -> (tensor<2x2xf32> {mhlo.layout_mode = "{0,1}"}, tensor<f32>) {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
    %1 = stablehlo.constant dense<1.0> : tensor<f32>
    return %0, %1 : tensor<2x2xf32>, tensor<f32>
  } }`)
		for range 2 { // they are the executable's: reading them twice frees nothing
			params, err := x.ParamLayouts()
			if err != nil {
				t.Fatal(err)
			}
			outs, err := x.OutputLayouts()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff("[{0,1} {1,0}] [{0,1} {}]", fmt.Sprint(params, outs)); d != "" {
				t.Error(d)
			}
		}
		desc, err := x.Compiled()
		if err != nil {
			t.Fatal(err)
		}
		defer desc.Close()
		if l, err := desc.OutputLayouts(); err != nil || len(l) != 2 {
			t.Errorf("of the description: %v, %v", l, err)
		}
		top, err := c.Topology()
		if err != nil {
			t.Fatal(err)
		}
		l, err := top.DefaultLayout(pjrt.Type{DType: dtype.F32, Dims: []int{2, 3, 4}})
		if err != nil || !l.IsRowMajor() {
			t.Errorf("default layout %v, %v", l, err)
		}
	})
}

func layoutsCase() extCase {
	const kind = "layout"
	text := func(f *pjrtfake.Fake, a *pjrtc.LayoutsMemoryLayoutSerializeArgs) *pjrtfake.Failure {
		s := pjrtfake.Get(f, "serialize layout", kind, a.Layout).Value().(string)
		a.SerializedLayout, a.SerializedBytes, a.SerializedBytesSize = pjrtfake.Bytes[pjrtc.LayoutsSerializedLayout](f, "layout text", s)
		a.SerializedLayoutDeleter = f.Deleter("layout text")
		return nil
	}
	return extCase{
		typ: pjrtc.ExtensionTypeLayouts,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"PJRT_Layouts_MemoryLayout_Serialize": pjrtfake.On(text),
				"PJRT_Layouts_MemoryLayout_Destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.LayoutsMemoryLayoutDestroyArgs) *pjrtfake.Failure {
					pjrtfake.Destroy(f, kind, a.Layout)
					return nil
				}),
				"PJRT_Layouts_PJRT_Topology_GetDefaultLayout": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.LayoutsPJRTTopologyGetDefaultLayoutArgs) *pjrtfake.Failure {
					pjrtfake.Get(f, "default layout", "topology", a.TopologyDescription)
					a.Layout = pjrtfake.Make[pjrtc.LayoutsMemoryLayout](f, kind, nil, "{0,1:T(8,128)}")
					return nil
				}),
				"PJRT_Layouts_PJRT_Executable_GetOutputLayouts": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.LayoutsPJRTExecutableGetOutputLayoutsArgs) *pjrtfake.Failure {
					x := pjrtfake.Get(f, "output layouts", "description", a.Executable)
					a.Layouts = pjrtfake.List(f, x, []pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]{pjrtfake.MakeOwned[pjrtc.LayoutsMemoryLayout](f, kind, x, "{0}")})
					a.NumOutputs = 1
					return nil
				}),
				"PJRT_Layouts_PJRT_Executable_GetParameterLayouts": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.LayoutsPJRTExecutableGetParameterLayoutsArgs) *pjrtfake.Failure {
					x := pjrtfake.Get(f, "parameter layouts", "description", a.Executable)
					a.Layouts = pjrtfake.List(f, x, []pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]{
						pjrtfake.MakeOwned[pjrtc.LayoutsMemoryLayout](f, kind, x, "{1,0}"), pjrtfake.MakeOwned[pjrtc.LayoutsMemoryLayout](f, kind, x, "{0,1}"),
					})
					a.NumParameters = 2
					return nil
				}),
			}
		},
		void: []string{"PJRT_Layouts_MemoryLayout_Destroy"}, // its error is reported: the layout was read
		use: func(w extWorld) error {
			top, err := w.c.Topology()
			if err != nil {
				return err
			}
			l, err := top.DefaultLayout(pjrt.Type{DType: dtype.F32, Dims: []int{2, 3}})
			if err == nil && l.String() != "{0,1:T(8,128)}" {
				err = fmt.Errorf("default %s", l)
			}
			params, perr := w.x.ParamLayouts()
			outs, oerr := w.x.OutputLayouts()
			if perr == nil && oerr == nil && fmt.Sprint(params, outs) != "[{1,0} {0,1}] [{0}]" {
				perr = fmt.Errorf("got %v %v", params, outs)
			}
			return errors.Join(err, perr, oerr)
		},
	}
}
