package pjrtserve

import (
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// layout is a PJRT_Layouts_MemoryLayout. Every layout here is row-major.
type layout struct {
	rank int
	own  bool // the caller destroys it
}

// String is XLA's text of the layout: minor to major.
func (l *layout) String() string {
	var order []string
	for _, d := range minorToMajor(l.rank) {
		order = append(order, strconv.FormatInt(d, 10))
	}
	return "{" + strings.Join(order, ",") + "}"
}

func giveLayout(rank int) (pjrtc.Ptr[pjrtc.LayoutsMemoryLayout], error) {
	return give[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]](kindLayout, &layout{rank, true})
}

// defaultLayout gives C the layout of tensors of a type.
func defaultLayout(to *pjrtc.Ptr[pjrtc.LayoutsMemoryLayout], t pjrtc.BufferType, dims pjrtc.Ptr[int64], n uint64) error {
	typ, err := readType(t, dims, n)
	if err != nil {
		return err
	}
	*to, err = giveLayout(len(typ.Dims))
	return err
}

// layouts gives C the layouts of an executable's parameters or results, which go with it.
func (x *described) layouts(name string, types []Type) (pjrtc.Ptr[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]], uint64, error) {
	l, err := once(&x.heap, name, func() (list[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]], error) {
		all := make([]pjrtc.Ptr[pjrtc.LayoutsMemoryLayout], len(types))
		for i, t := range types {
			h, err := give[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]](kindLayout, &layout{len(t.Dims), false})
			if err != nil {
				return list[pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]]{}, err
			}
			all[i] = h
			x.heap.ends = append(x.heap.ends, func() { _, _ = take[*layout](kindLayout, h) })
		}
		return listOf(&x.heap, all)
	})
	return l.at, l.n, err
}

func (s *shared) layoutExtension() {
	extend(s, func(_ *Server, a *pjrtc.LayoutsMemoryLayoutDestroyArgs) error {
		if a.Layout == 0 {
			return nil
		}
		l, err := get[*layout](kindLayout, a.Layout)
		if err != nil {
			return err
		}
		if !l.own {
			return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the layout belongs to its executable")
		}
		_, err = take[*layout](kindLayout, a.Layout)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsMemoryLayoutSerializeArgs) error {
		l, err := get[*layout](kindLayout, a.Layout)
		if err != nil {
			return err
		}
		a.SerializedBytes, a.SerializedBytesSize, a.SerializedLayout, a.SerializedLayoutDeleter, err = handOver[pjrtc.LayoutsSerializedLayout]([]byte(l.String()))
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsPJRTClientGetDefaultLayoutArgs) error {
		if _, err := getClient(a.Client); err != nil {
			return err
		}
		return defaultLayout(&a.Layout, a.Type, a.Dims, a.NumDims)
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsPJRTBufferMemoryLayoutArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.Layout, err = giveLayout(len(b.b.Type().Dims))
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsPJRTTopologyGetDefaultLayoutArgs) error {
		if _, err := getTopology(a.TopologyDescription); err != nil {
			return err
		}
		return defaultLayout(&a.Layout, a.Type, a.Dims, a.NumDims)
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsPJRTExecutableGetOutputLayoutsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.Layouts, a.NumOutputs, err = x.layouts("output layouts", x.b.Results())
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.LayoutsPJRTExecutableGetParameterLayoutsArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.Layouts, a.NumParameters, err = x.layouts("parameter layouts", x.b.Params())
		return err
	})
}
