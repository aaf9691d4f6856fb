package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// DefaultLayout is how the topology's devices lay out a tensor unless told otherwise. Calls
// PJRT_Layouts_PJRT_Topology_GetDefaultLayout. Errors: [isthmus.ErrUnsupported] where the plugin has no Layouts
// extension, or an older one.
func (t *Topology) DefaultLayout(of Type) (Layout, error) {
	const op = "default layout"
	h, done, err := t.use(op)
	if err != nil {
		return Layout{}, err
	}
	defer done()
	if err := t.plugin.needs(op, layoutEnds...); err != nil {
		return Layout{}, err
	}
	var l pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]
	err = askExt(t.plugin, op, func(f *call.Frame, a *pjrtc.LayoutsPJRTTopologyGetDefaultLayoutArgs) (err error) {
		a.TopologyDescription = h
		a.Type, a.Dims, a.NumDims, err = t.plugin.nativeType(f, op, of)
		return err
	}, func(a *pjrtc.LayoutsPJRTTopologyGetDefaultLayoutArgs) error { l = a.Layout; return nil })
	if err != nil {
		return Layout{}, err
	}
	return t.plugin.takeLayout(op, l)
}

// layoutEnds are the functions that a layout is read and ended by.
var layoutEnds = []pjrtc.ExtFunc{(*pjrtc.LayoutsMemoryLayoutDestroyArgs)(nil).ExtFunc(), (*pjrtc.LayoutsMemoryLayoutSerializeArgs)(nil).ExtFunc()}

// ParamLayouts are how the program wants each parameter laid out. Calls
// PJRT_Layouts_PJRT_Executable_GetParameterLayouts. Errors: [isthmus.ErrUnsupported] where the plugin has no Layouts
// extension, or an older one.
func (x *Executable) ParamLayouts() ([]Layout, error) { return paramLayouts(x) }

// ParamLayouts is [Executable.ParamLayouts].
func (x *Compiled) ParamLayouts() ([]Layout, error) { return paramLayouts(x) }

// OutputLayouts are how the program lays out each output. Calls PJRT_Layouts_PJRT_Executable_GetOutputLayouts. Errors:
// as for ParamLayouts.
func (x *Executable) OutputLayouts() ([]Layout, error) { return outputLayouts(x) }

// OutputLayouts is [Executable.OutputLayouts].
func (x *Compiled) OutputLayouts() ([]Layout, error) { return outputLayouts(x) }

func paramLayouts(d described) (out []Layout, err error) {
	const op = "parameter layouts"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.LayoutsPJRTExecutableGetParameterLayoutsArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.LayoutsPJRTExecutableGetParameterLayoutsArgs) (err error) {
			out, err = p.readLayouts(op, a.Layouts, a.NumParameters)
			return err
		})
	})
	return out, err
}

func outputLayouts(d described) (out []Layout, err error) {
	const op = "output layouts"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.LayoutsPJRTExecutableGetOutputLayoutsArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.LayoutsPJRTExecutableGetOutputLayoutsArgs) (err error) {
			out, err = p.readLayouts(op, a.Layouts, a.NumOutputs)
			return err
		})
	})
	return out, err
}

// readLayouts reads the layouts of an executable. They are the executable's and not destroyed: in XLA they point into
// its own list, and freeing one ends the process.
func (p *Plugin) readLayouts(op string, at pjrtc.Ptr[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]], n uint64) ([]Layout, error) {
	list, err := numbers(op, at, n, maxValues)
	if err != nil {
		return nil, err
	}
	out := make([]Layout, len(list))
	for i, l := range list {
		if l == 0 {
			return nil, fmt.Errorf("pjrt: %s: the plugin gave none for %d: %w", op, i, isthmus.ErrInvalid)
		}
		if out[i], err = p.readLayout(op, l); err != nil {
			return nil, err
		}
	}
	return out, nil
}
