package pjrt

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// TPUTopology tells how the chips of a TPU topology are connected and shared out. It is a view: it is as alive as its
// [Topology]. A chip has one core or several; a logical device is what a program sees as one device, one core or all
// cores of a chip. A process is a host. Coordinates and bounds are given per dimension, x first. It is safe for
// concurrent use. Errors of all methods: [isthmus.ErrUnsupported] with the name of the function that the plugin lacks,
// [isthmus.ErrClosed].
type TPUTopology struct{ t *Topology }

// TPU gives the TPU side of a topology. Errors: [isthmus.ErrUnsupported] where the plugin has no extension TpuTopology.
func (t *Topology) TPU() (*TPUTopology, error) {
	const op = "TPU topology"
	_, done, err := t.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := t.plugin.hasExtension(pjrtc.ExtensionTypeTpuTopology); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return &TPUTopology{t}, nil
}

// Topology is the topology itself.
func (t *TPUTopology) Topology() *Topology { return orZero(t).t }

// maxTPUDims bounds the dimensions of coordinates; TPUs have two, three, or four with the core.
const maxTPUDims = 8

// askTPU asks the extension about the topology.
func askTPU[A any, P interface {
	*A
	pjrtc.ExtArgs
}](t *TPUTopology, op string, fill func(*call.Frame, P, pjrtc.Ptr[pjrtc.TopologyDescription]) error, read func(P) error) error {
	op = "TPU topology: " + op
	top := orZero(t).t
	h, done, err := top.use(op)
	if err != nil {
		return err
	}
	defer done()
	return askExt(top.plugin, op, func(f *call.Frame, a P) error { return fill(f, a, h) }, read)
}

// coords is an array of coordinates in the frame.
func coords(f *call.Frame, op string, values []int) (pjrtc.Ptr[int32], uint64, error) {
	if len(values) == 0 || len(values) > maxTPUDims {
		return 0, 0, invalid(op, "%d dimensions; one to %d can be", len(values), maxTPUDims)
	}
	s, err := call.Slice[int32](f, len(values))
	if err != nil {
		return 0, 0, err
	}
	for i, v := range values {
		if s[i] = int32(v); int(s[i]) != v {
			return 0, 0, invalid(op, "coordinate %d", v)
		}
	}
	return pjrtc.ToSlice(s), uint64(len(s)), nil
}

// room is where a plugin writes up to n numbers.
func room(f *call.Frame, n int) (pjrtc.Ptr[int32], error) {
	s, err := call.Slice[int32](f, n)
	return pjrtc.ToSlice(s), err
}

// filled reads what a plugin wrote into a room of max numbers.
func filled(op string, p pjrtc.Ptr[int32], n, most uint64) ([]int, error) {
	s, err := numbers(op, p, n, most)
	out := make([]int, len(s))
	for i, v := range s {
		out[i] = int(v)
	}
	return out, err
}

// TPUCounts says how many there are of each.
type TPUCounts struct {
	Processes         int
	Chips             int
	ChipsPerProcess   int
	Cores             int // of the default type
	CoresPerChip      int
	CoresPerProcess   int
	Devices           int // logical devices
	DevicesPerChip    int
	DevicesPerProcess int
}

// Counts counts processes, chips, cores and logical devices. What the plugin lacks a function for is 0, and in the
// error.
func (t *TPUTopology) Counts() (c TPUCounts, err error) {
	const op = "counts"
	type topo = pjrtc.Ptr[pjrtc.TopologyDescription]
	set := func(to *int, n int32) error {
		if n < 0 {
			return fmt.Errorf("pjrt: TPU topology: %s: the plugin counts %d: %w", op, n, isthmus.ErrBounds)
		}
		*to = int(n)
		return nil
	}
	err = errors.Join(
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyProcessCountArgs, h topo) error { a.Topology = h; return nil },
			func(a *pjrtc.TpuTopologyProcessCountArgs) error { return set(&c.Processes, a.ProcessCount) }),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyChipCountArgs, h topo) error { a.Topology = h; return nil },
			func(a *pjrtc.TpuTopologyChipCountArgs) error { return set(&c.Chips, a.ChipCount) }),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyChipsPerProcessArgs, h topo) error { a.Topology = h; return nil },
			func(a *pjrtc.TpuTopologyChipsPerProcessArgs) error { return set(&c.ChipsPerProcess, a.ChipsPerProcess) }),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyCoreCountArgs, h topo) error { a.Topology = h; return nil },
			func(a *pjrtc.TpuTopologyCoreCountArgs) error { return set(&c.Cores, a.CoreCountOfDefaultType) }),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyCoreCountPerChipArgs, h topo) error {
			a.Topology = h
			return nil
		},
			func(a *pjrtc.TpuTopologyCoreCountPerChipArgs) error {
				return set(&c.CoresPerChip, a.CoreCountOfDefaultTypePerChip)
			}),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyCoreCountPerProcessArgs, h topo) error {
			a.Topology = h
			return nil
		}, func(a *pjrtc.TpuTopologyCoreCountPerProcessArgs) error {
			return set(&c.CoresPerProcess, a.CoreCountOfDefaultTypePerProcess)
		}),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyLogiDeviceCountArgs, h topo) error { a.Topology = h; return nil },
			func(a *pjrtc.TpuTopologyLogiDeviceCountArgs) error {
				return set(&c.Devices, a.LogicalDeviceCountOfDefaultType)
			}),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyLogiDeviceCountPerChipArgs, h topo) error {
			a.Topology = h
			return nil
		}, func(a *pjrtc.TpuTopologyLogiDeviceCountPerChipArgs) error {
			return set(&c.DevicesPerChip, a.LogicalDeviceCountOfDefaultTypePerChip)
		}),
		askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyLogiDeviceCountPerProcessArgs, h topo) error {
			a.Topology = h
			return nil
		}, func(a *pjrtc.TpuTopologyLogiDeviceCountPerProcessArgs) error {
			return set(&c.DevicesPerProcess, a.LogicalDeviceCountOfDefaultTypePerProcess)
		}),
	)
	return c, err
}

// TPUBounds are the sizes of a topology per dimension: the chips are ChipsPerProcess times Processes.
type TPUBounds struct{ Chips, ChipsPerProcess, Processes []int }

// Bounds tells the sizes of the topology per dimension.
func (t *TPUTopology) Bounds() (b TPUBounds, err error) {
	const op = "bounds"
	type topo = pjrtc.Ptr[pjrtc.TopologyDescription]
	err = errors.Join(
		askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyChipBoundsArgs, h topo) (err error) {
			a.Topology, a.ChipBoundsMaxDims = h, maxTPUDims
			a.ChipBounds, err = room(f, maxTPUDims)
			return err
		}, func(a *pjrtc.TpuTopologyChipBoundsArgs) (err error) {
			b.Chips, err = filled(op, a.ChipBounds, a.ChipBoundsNumDims, maxTPUDims)
			return err
		}),
		askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyChipsPerProcessBoundsArgs, h topo) (err error) {
			a.Topology, a.ChipPerProcessBoundsMaxDims = h, maxTPUDims
			a.ChipPerProcessBounds, err = room(f, maxTPUDims)
			return err
		}, func(a *pjrtc.TpuTopologyChipsPerProcessBoundsArgs) (err error) {
			b.ChipsPerProcess, err = filled(op, a.ChipPerProcessBounds, a.ChipPerProcessBoundsNumDims, maxTPUDims)
			return err
		}),
		askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyProcessBoundsArgs, h topo) (err error) {
			a.Topology, a.ProcessBoundsMaxDims = h, maxTPUDims
			a.ProcessBounds, err = room(f, maxTPUDims)
			return err
		}, func(a *pjrtc.TpuTopologyProcessBoundsArgs) (err error) {
			b.Processes, err = filled(op, a.ProcessBounds, a.ProcessBoundsNumDims, maxTPUDims)
			return err
		}),
	)
	return b, err
}

// EnhancedBarrier reports whether the enhanced barrier is enabled.
func (t *TPUTopology) EnhancedBarrier() (is bool, err error) {
	err = askTPU(t, "enhanced barrier", func(_ *call.Frame, a *pjrtc.TpuTopologyIsEnhancedBarrierEnabledArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology = h
		return nil
	}, func(a *pjrtc.TpuTopologyIsEnhancedBarrierEnabledArgs) error {
		is = a.IsEnhancedBarrierEnabled
		return nil
	})
	return is, err
}

// LimitedICI reports whether not every chip reaches every other over the interconnect between chips (ICI); then
// [TPUTopology.Reachable] tells which do.
func (t *TPUTopology) LimitedICI() (is bool, err error) {
	err = askTPU(t, "limited ICI", func(_ *call.Frame, a *pjrtc.TpuTopologyHasLimitedIciConnectivityArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology = h
		return nil
	}, func(a *pjrtc.TpuTopologyHasLimitedIciConnectivityArgs) error {
		is = a.HasLimitedIciConnectivity
		return nil
	})
	return is, err
}

// Reachable reports whether one chip can directly reach another where the interconnect is limited.
func (t *TPUTopology) Reachable(from, to int) (is bool, err error) {
	const op = "reachable"
	if err := t.checkChip(op, from, to); err != nil {
		return false, err
	}
	err = askTPU(t, op, func(_ *call.Frame, a *pjrtc.TpuTopologyIsReachableOverLimitedIciArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		a.Topology, a.SourceChipId, a.DestChipId = h, int32(from), int32(to)
		return nil
	}, func(a *pjrtc.TpuTopologyIsReachableOverLimitedIciArgs) error {
		is = a.IsReachableOverLimitedIci
		return nil
	})
	return is, err
}

// Routing names the routing strategy of the interconnect.
func (t *TPUTopology) Routing() (s string, err error) {
	const op, most = "routing", 256
	err = askTPU(t, op, func(f *call.Frame, a *pjrtc.TpuTopologyGetRoutingStrategyArgs, h pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		b, err := call.Slice[byte](f, most)
		a.Topology, a.RoutingStrategy, a.RoutingStrategyLen = h, pjrtc.ToSlice(b), most
		return err
	}, func(a *pjrtc.TpuTopologyGetRoutingStrategyArgs) error {
		if a.RoutingStrategyLen > most {
			return fmt.Errorf("pjrt: TPU topology: %s: the plugin says its text has %d bytes, it has room for %d: %w", op, a.RoutingStrategyLen, most, isthmus.ErrBounds)
		}
		s = text(a.RoutingStrategy, a.RoutingStrategyLen)
		return nil
	})
	return s, err
}

// checkChip refuses numbers of chips that there are not: the plugin may end the process.
func (t *TPUTopology) checkChip(op string, ids ...int) error {
	return t.checkID(op, "chip", func(c TPUCounts) int { return c.Chips }, ids...)
}

func (t *TPUTopology) checkID(op, what string, most func(TPUCounts) int, ids ...int) error {
	c, err := t.Counts()
	if err = unlessUnsupported(err); err != nil {
		return err
	}
	for _, id := range ids {
		if id < 0 || id >= most(c) {
			return fmt.Errorf("pjrt: TPU topology: %s: %s %d, there are %d: %w", op, what, id, most(c), isthmus.ErrBounds)
		}
	}
	return nil
}
