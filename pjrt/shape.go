package pjrt

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
)

// Shape is a type and how its elements lie in a device's memory, as XLA's ShapeProto says it. A shape with Tuple
// stands for several values, and has nothing else.
type Shape struct {
	Type
	// Dynamic marks dimensions whose size is only a bound; nil for none.
	Dynamic []bool
	// MinorToMajor lists the dimensions from the one whose neighbours lie side by side to the one furthest apart; nil
	// leaves the layout open. Tiles cut the innermost dimensions into blocks, each tile cuts what the one before made.
	MinorToMajor []int
	Tiles        [][]int
	// ElementBits is how many bits an element takes where that is not its type's own number; 0 otherwise.
	ElementBits int
	// MemorySpace is the plugin's number of the memory; 0 is the device's own.
	MemorySpace int
	// Tuple are the values of a tuple.
	Tuple []Shape

	rest *xlapb.LayoutProto // what the fields above do not hold, so that it survives
}

// check refuses shapes that contradict themselves: XLA ends the process at some of them.
func (s Shape) check() error {
	if s.Tuple != nil {
		for i, t := range s.Tuple {
			if err := t.check(); err != nil {
				return fmt.Errorf("value %d: %w", i, err)
			}
		}
		return nil
	}
	if _, err := s.Size(); err != nil {
		return err
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("shape %s: %s: %w", s.Type, fmt.Sprintf(format, a...), isthmus.ErrInvalid)
	}
	if s.Dynamic != nil && len(s.Dynamic) != len(s.Dims) {
		return bad("%d dynamic marks for %d dimensions", len(s.Dynamic), len(s.Dims))
	}
	if s.MinorToMajor != nil {
		seen := make([]bool, len(s.Dims))
		for _, d := range s.MinorToMajor {
			if d < 0 || d >= len(seen) || seen[d] {
				return bad("the layout %v is no order of %d dimensions", s.MinorToMajor, len(s.Dims))
			}
			seen[d] = true
		}
		if slices.Contains(seen, false) {
			return bad("the layout %v is no order of %d dimensions", s.MinorToMajor, len(s.Dims))
		}
	} else if s.Tiles != nil {
		return bad("tiles without a layout")
	}
	for _, tile := range s.Tiles {
		if len(tile) == 0 || slices.ContainsFunc(tile, func(n int) bool { return n <= 0 && n != TileCombine }) {
			return bad("the tile %v", tile)
		}
	}
	if s.ElementBits < 0 || s.MemorySpace < 0 {
		return bad("%d bits an element in memory space %d", s.ElementBits, s.MemorySpace)
	}
	return nil
}

func (s Shape) message() (*xlapb.ShapeProto, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Tuple != nil {
		m := &xlapb.ShapeProto{ElementType: xlapb.PrimitiveType_TUPLE}
		for _, t := range s.Tuple {
			in, err := t.message()
			if err != nil {
				return nil, err
			}
			m.TupleShapes = append(m.TupleShapes, in)
		}
		return m, nil
	}
	m := &xlapb.ShapeProto{Dimensions: widen(s.Dims), IsDynamicDimension: s.Dynamic}
	if m.IsDynamicDimension == nil {
		m.IsDynamicDimension = make([]bool, len(s.Dims))
	}
	for p, t := range primitive {
		if t == s.DType {
			m.ElementType = xlapb.PrimitiveType(p)
		}
	}
	if s.MinorToMajor != nil || s.rest != nil || s.MemorySpace != 0 || s.ElementBits != 0 {
		m.Layout = &xlapb.LayoutProto{TailPaddingAlignmentInElements: 1} // what 0 means too
		if s.rest != nil {
			proto.Merge(m.Layout, s.rest)
		}
		m.Layout.MinorToMajor, m.Layout.Tiles = widen(s.MinorToMajor), nil
		for _, t := range s.Tiles {
			m.Layout.Tiles = append(m.Layout.Tiles, &xlapb.TileProto{Dimensions: widen(t)})
		}
		m.Layout.ElementSizeInBits, m.Layout.MemorySpace = int64(s.ElementBits), int64(s.MemorySpace)
	}
	return m, nil
}

// shapeOf reads a ShapeProto.
func shapeOf(m *xlapb.ShapeProto) (Shape, error) {
	if m.GetElementType() == xlapb.PrimitiveType_TUPLE {
		s := Shape{Tuple: []Shape{}}
		for _, in := range m.GetTupleShapes() {
			t, err := shapeOf(in)
			if err != nil {
				return Shape{}, err
			}
			s.Tuple = append(s.Tuple, t)
		}
		return s, nil
	}
	t, err := readShape(m)
	if err != nil {
		return Shape{}, err
	}
	s := Shape{Type: t}
	if slices.Contains(m.GetIsDynamicDimension(), true) {
		s.Dynamic = m.GetIsDynamicDimension()
	}
	if l := m.GetLayout(); l != nil {
		s.MinorToMajor = []int{}
		for _, d := range l.GetMinorToMajor() {
			s.MinorToMajor = append(s.MinorToMajor, int(d))
		}
		for _, t := range l.GetTiles() {
			var tile []int
			for _, d := range t.GetDimensions() {
				tile = append(tile, int(d))
			}
			s.Tiles = append(s.Tiles, tile)
		}
		s.ElementBits, s.MemorySpace, s.rest = int(l.GetElementSizeInBits()), int(l.GetMemorySpace()), l
	}
	return s, nil
}

// ParseShape reads a serialised ShapeProto. Nothing that it says is lost: [Shape.Serialize] gives it back. Errors:
// [isthmus.ErrInvalid].
func ParseShape(b []byte) (Shape, error) {
	var m xlapb.ShapeProto
	if err := proto.Unmarshal(b, &m); err != nil {
		return Shape{}, invalid("shape", "%v", err)
	}
	s, err := shapeOf(&m)
	if err != nil {
		return Shape{}, invalid("shape", "%v", err)
	}
	return s, nil
}

// Serialize writes a ShapeProto. Errors: [isthmus.ErrInvalid] for a shape that contradicts itself.
func (s Shape) Serialize() ([]byte, error) {
	m, err := s.message()
	if err != nil {
		return nil, fmt.Errorf("pjrt: shape: %w", err)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// String returns the shape as XLA prints it, such as f32[8,128]{1,0:T(8,128)S(1)}.
func (s Shape) String() string {
	var b strings.Builder
	if s.Tuple != nil {
		b.WriteString("(")
		for i, t := range s.Tuple {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(t.String())
		}
		return b.String() + ")"
	}
	name := "invalid"
	for p, t := range primitive {
		if t == s.DType {
			name = strings.ToLower(xlapb.PrimitiveType(p).String())
		}
	}
	b.WriteString(name + "[")
	for i, d := range s.Dims {
		if i > 0 {
			b.WriteString(",")
		}
		if i < len(s.Dynamic) && s.Dynamic[i] {
			b.WriteString("<=")
		}
		fmt.Fprint(&b, d)
	}
	b.WriteString("]")
	if s.MinorToMajor == nil {
		return b.String()
	}
	list := func(n []int) {
		for i, d := range n {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprint(&b, d)
		}
	}
	b.WriteString("{")
	list(s.MinorToMajor)
	extra := ":"
	if len(s.Tiles) > 0 {
		b.WriteString(extra + "T")
		extra = ""
		for _, t := range s.Tiles {
			b.WriteString("(")
			list(t)
			b.WriteString(")")
		}
	}
	if s.ElementBits > 0 {
		fmt.Fprintf(&b, "%sE(%d)", extra, s.ElementBits)
		extra = ""
	}
	if s.MemorySpace > 0 {
		fmt.Fprintf(&b, "%sS(%d)", extra, s.MemorySpace)
	}
	return b.String() + "}"
}
