package pjrt

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// ShardingKind says how a tensor is spread over the devices of a program.
type ShardingKind int

// The kinds; the zero value is invalid.
const (
	Replicated      ShardingKind = iota + 1 // every device has all of it
	Maximal                                 // one device has all of it
	TupleSharding                           // a tuple: each element has its own
	Tiled                                   // each device has a tile
	Manual                                  // the program says itself
	UnknownSharding                         // the compiler decides
	Unreduced                               // each device has a summand
)

var shardingNames = [...]string{Replicated: "replicated", Maximal: "maximal", TupleSharding: "tuple", Tiled: "tiled", Manual: "manual", UnknownSharding: "unknown", Unreduced: "unreduced"}

// String returns the kind's name in lower case.
func (k ShardingKind) String() string {
	if k < Replicated || k > Unreduced {
		return fmt.Sprintf("sharding kind %d", int(k))
	}
	return shardingNames[k]
}

// Sharding is how a parameter or an output is spread over devices: XLA's OpSharding.
type Sharding struct {
	Kind ShardingKind
	// Tiles is how many tiles there are along each dimension. With ReplicateLast, one more at the end: how many
	// devices have the same tile.
	Tiles         []int64
	ReplicateLast bool
	// Devices gives the device of each tile, in row-major order of Tiles; of a maximal sharding, its one device.
	Devices []int64
	// Elements are the shardings of a tuple's elements.
	Elements []Sharding
	// Serialized is XLA's own form, with what is not shown here.
	Serialized []byte
}

// String returns the sharding as HLO prints it, such as {devices=[2,1]0,1}.
func (s Sharding) String() string {
	switch s.Kind {
	case Maximal:
		return fmt.Sprintf("{maximal device=%s}", list(s.Devices))
	case TupleSharding:
		parts := make([]string, len(s.Elements))
		for i, e := range s.Elements {
			parts[i] = e.String()
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case Tiled:
		last := ""
		if s.ReplicateLast {
			last = " last_tile_dim_replicate"
		}
		return fmt.Sprintf("{devices=[%s]%s%s}", list(s.Tiles), list(s.Devices), last)
	}
	return "{" + s.Kind.String() + "}"
}

func list(n []int64) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(n), "[]"), " ", ",") }

// ParamShardings tells how each parameter is spread over the devices. A program that is not partitioned has none.
// Calls PJRT_Shardings_PJRT_Executable_ParameterShardings. Errors: [isthmus.ErrUnsupported] where the plugin has no
// Shardings extension or does not tell.
func (x *Executable) ParamShardings() ([]Sharding, error) { return paramShardings(x) }

// ParamShardings is [Executable.ParamShardings].
func (x *Compiled) ParamShardings() ([]Sharding, error) { return paramShardings(x) }

func paramShardings(d described) (out []Sharding, err error) {
	const op = "parameter shardings"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.ShardingsPJRTExecutableParameterShardingsArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.ShardingsPJRTExecutableParameterShardingsArgs) (err error) {
			out, err = readShardings(op, a.Shardings, a.ShardingSizes, a.NumParameters)
			return err
		})
	})
	return out, err
}

// OutputShardings tells how each output is spread over the devices. Calls
// PJRT_Shardings_PJRT_Executable_OutputShardings. Errors: as for ParamShardings.
func (x *Executable) OutputShardings() ([]Sharding, error) { return outputShardings(x) }

// OutputShardings is [Executable.OutputShardings].
func (x *Compiled) OutputShardings() ([]Sharding, error) { return outputShardings(x) }

func outputShardings(d described) (out []Sharding, err error) {
	const op = "output shardings"
	err = d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.ShardingsPJRTExecutableOutputShardingsArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.ShardingsPJRTExecutableOutputShardingsArgs) (err error) {
			out, err = readShardings(op, a.Shardings, a.ShardingSizes, a.NumOutputs)
			return err
		})
	})
	return out, err
}

// byteLists copies n byte strings that a plugin owns.
func byteLists(op string, p pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) ([][]byte, error) {
	at, err := numbers(op, p, n, maxValues)
	if err != nil {
		return nil, err
	}
	size, err := numbers(op, sizes, n, maxValues)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, n)
	for i := range out {
		if out[i], err = mem.Copy(at[i], size[i], maxProgram); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	return out, nil
}

func readShardings(op string, p pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) ([]Sharding, error) {
	if p == 0 && n > 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin does not tell: %w", op, isthmus.ErrUnsupported)
	}
	all, err := byteLists(op, p, sizes, n)
	if err != nil {
		return nil, err
	}
	out := make([]Sharding, len(all))
	for i, b := range all {
		if out[i], err = ParseSharding(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxShardDevices bounds the list of devices of a sharding, which XLA's form can write shorter than it is.
const maxShardDevices = 1 << 20

// ParseSharding reads a serialised xla.OpSharding. Errors: [isthmus.ErrInvalid], [isthmus.ErrBounds] for a list of
// more than a million devices.
func ParseSharding(b []byte) (Sharding, error) { return parseSharding(b, 0) }

func parseSharding(b []byte, depth int) (Sharding, error) {
	const op = "sharding"
	s := Sharding{Kind: Replicated, Serialized: slices.Clone(b)}
	if depth > maxAttrDepth {
		return s, fmt.Errorf("pjrt: %s: tuples nest deeper than %d: %w", op, maxAttrDepth, isthmus.ErrBounds)
	}
	var reshape, perm []int64
	bad := func() (Sharding, error) { return s, invalid(op, "malformed message") }
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return bad()
		}
		b = b[n:]
		var v uint64
		var in []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			in, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return bad()
		}
		b = b[n:]
		into := map[protowire.Number]*[]int64{3: &s.Tiles, 4: &s.Devices, 9: &reshape, 10: &perm}[num]
		switch {
		case num == 1 && typ == protowire.VarintType:
			if s.Kind = ShardingKind(min(v, 1000)) + Replicated; s.Kind > Unreduced {
				return s, fmt.Errorf("pjrt: %s: kind %d: %w", op, v, isthmus.ErrUnsupported)
			}
		case into != nil && typ == protowire.VarintType:
			*into = append(*into, int64(v))
		case into != nil && typ == protowire.BytesType:
			for len(in) > 0 {
				v, n := protowire.ConsumeVarint(in)
				if n < 0 {
					return bad()
				}
				*into, in = append(*into, int64(v)), in[n:]
			}
		case num == 5 && typ == protowire.BytesType:
			e, err := parseSharding(in, depth+1)
			if err != nil {
				return s, err
			}
			s.Elements = append(s.Elements, e)
		case num == 6 && typ == protowire.VarintType:
			s.ReplicateLast = v != 0
		}
	}
	if s.Devices == nil && reshape != nil {
		var err error
		if s.Devices, err = iota64(reshape, perm); err != nil {
			return s, err
		}
	}
	return s, nil
}

// iota64 counts 0, 1, 2… in an array of these dimensions and reads it with its dimensions permuted.
func iota64(dims, perm []int64) ([]int64, error) {
	const op = "sharding"
	total := int64(1)
	for _, d := range dims {
		if d <= 0 || d > maxShardDevices || total*d > maxShardDevices {
			return nil, fmt.Errorf("pjrt: %s: devices in %v: %w", op, dims, isthmus.ErrBounds)
		}
		total *= d
	}
	if perm == nil {
		for i := range dims {
			perm = append(perm, int64(i))
		}
	}
	if sorted := slices.Sorted(slices.Values(perm)); len(perm) != len(dims) || slices.ContainsFunc(sorted, func(v int64) bool { return v < 0 || v >= int64(len(dims)) || sorted[v] != v }) {
		return nil, invalid(op, "%v does not permute %d dimensions", perm, len(dims))
	}
	strides := make([]int64, len(dims))
	for i, s := len(dims)-1, int64(1); i >= 0; i-- {
		strides[i], s = s, s*dims[i]
	}
	out, at := make([]int64, 0, total), make([]int64, len(dims))
	for range total {
		v := int64(0)
		for i, d := range perm {
			v += at[i] * strides[d]
		}
		out = append(out, v)
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < dims[perm[i]] {
				break
			}
			at[i] = 0
		}
	}
	return out, nil
}
