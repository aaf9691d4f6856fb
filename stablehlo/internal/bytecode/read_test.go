package bytecode_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// newFile has the dialects that every program here uses.
func newFile(format int) *file {
	return &file{format: format, dialects: []string{"builtin", "vhlo", "sdy"}}
}

// withAttr makes a module whose dictionary has the attribute x.
func withAttr(format int, make func(f *file) int) []byte {
	f := newFile(format)
	x := make(f)
	name := f.attr("builtin", u(2, f.str("x")))
	dict := f.attr("builtin", u(1, 1, name, x))
	loc := f.unknownLoc()
	f.ir = cat(u(1<<1), f.op("builtin.module", loc, dict, nil, nil, region(0)))
	return f.bytes()
}

func tensorOf(e dtype.Type, dims ...int64) mlir.Type {
	return mlir.Type{Kind: mlir.Tensor, Elem: e, Dims: dims}
}

func TestConstants(t *testing.T) {
	const i1, i4, i8, ui4, f32, i2, f4, i64 = 0, 10, 11, 15, 4, 31, 37, 14
	for _, tt := range []struct {
		name string
		elem int
		dims []int
		data []byte
		want mlir.Dense
	}{
		{"i1 packed", i1, []int{10}, []byte{0b10100101, 0b10}, mlir.Dense{Type: tensorOf(dtype.I1, 10), Data: []byte{1, 0, 1, 0, 0, 1, 0, 1, 0, 1}}},
		{"i1 packed in one byte", i1, []int{3}, []byte{0b101}, mlir.Dense{Type: tensorOf(dtype.I1, 3), Data: []byte{1, 0, 1}}},
		{"i1 not packed", i1, []int{3}, []byte{1, 0, 1}, mlir.Dense{Type: tensorOf(dtype.I1, 3), Data: []byte{1, 0, 1}}},
		{"i1 all true", i1, []int{100}, []byte{0xff}, mlir.Dense{Type: tensorOf(dtype.I1, 100), Data: []byte{1}, Splat: true}},
		{"i1 all false", i1, []int{100}, []byte{0}, mlir.Dense{Type: tensorOf(dtype.I1, 100), Data: []byte{0}, Splat: true}},
		{"i1 one", i1, nil, []byte{0xff}, mlir.Dense{Type: tensorOf(dtype.I1), Data: []byte{1}}},
		{"i4 sign", i4, []int{3}, []byte{0x0f, 0x07, 0x08}, mlir.Dense{Type: tensorOf(dtype.I4, 3), Data: []byte{0xff, 7, 0xf8}}},
		{"i2 sign", i2, []int{2}, []byte{3, 1}, mlir.Dense{Type: tensorOf(dtype.I2, 2), Data: []byte{0xff, 1}}},
		{"ui4 high bits", ui4, []int{2}, []byte{0xff, 3}, mlir.Dense{Type: tensorOf(dtype.U4, 2), Data: []byte{15, 3}}},
		{"f4 high bits", f4, []int{2}, []byte{0xf7, 3}, mlir.Dense{Type: tensorOf(dtype.F4E2M1FN, 2), Data: []byte{7, 3}}},
		{"i8", i8, []int{2}, []byte{0xff, 3}, mlir.Dense{Type: tensorOf(dtype.I8, 2), Data: []byte{0xff, 3}}},
		{"splat of very many", f32, []int{1 << 40, 1 << 20}, []byte{0, 0, 128, 63}, mlir.Dense{Type: tensorOf(dtype.F32, 1<<40, 1<<20), Data: []byte{0, 0, 128, 63}, Splat: true}},
		{"none", i64, []int{0, 5}, nil, mlir.Dense{Type: tensorOf(dtype.I64, 0, 5)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := withAttr(6, func(f *file) int {
				return f.attr("vhlo", u(15, f.tensor(tt.elem, tt.dims...), len(tt.data)), tt.data)
			})
			m, _, err := bytecode.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.Type.Dims == nil {
				tt.want.Type.Dims = []int64{}
			}
			if d := cmp.Diff(tt.want, m.Attr("x")); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestConstantAliases: the bytes of a constant that need no change are those of the input.
func TestConstantAliases(t *testing.T) {
	data := withAttr(6, func(f *file) int {
		return f.attr("vhlo", u(15, f.tensor(11, 4), 4), []byte("abcd"))
	})
	m, _, err := bytecode.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	d := m.Attr("x").(mlir.Dense)
	data[strings.Index(string(data), "abcd")] = 'A'
	if string(d.Data) != "Abcd" || cap(d.Data) != 4 {
		t.Errorf("constant is %q with capacity %d, want the input's bytes", d.Data, cap(d.Data))
	}
}

func TestAttributes(t *testing.T) {
	scalar := func(e dtype.Type) mlir.Type { return mlir.Type{Kind: mlir.Scalar, Elem: e} }
	for _, tt := range []struct {
		name string
		make func(f *file) int
		want mlir.Attr
	}{
		{"int of 32 bits, written without sign", func(f *file) int { return f.attr("vhlo", u(9, f.typ("vhlo", u(13))), s(math.MaxUint32)) }, mlir.Int{Value: -1, Type: scalar(dtype.I32)}},
		{"int of 8 bits", func(f *file) int { return f.attr("vhlo", u(9, f.typ("vhlo", u(11))), []byte{0x80}) }, mlir.Int{Value: -128, Type: scalar(dtype.I8)}},
		{"unsigned int", func(f *file) int { return f.attr("vhlo", u(9, f.typ("vhlo", u(16))), []byte{0x80}) }, mlir.Int{Value: 128, Type: scalar(dtype.U8)}},
		{"float", func(f *file) int { return f.attr("vhlo", u(8, f.typ("vhlo", u(4))), s(0x3fc00000)) }, mlir.Float{Value: 1.5, Type: scalar(dtype.F32)}},
		{"bf16", func(f *file) int { return f.attr("vhlo", u(8, f.typ("vhlo", u(2))), s(0x3fc0)) }, mlir.Float{Value: 1.5, Type: scalar(dtype.BF16)}},
		{"builtin bool", func(f *file) int { return f.attr("builtin", u(8, f.typ("builtin", u(0, 1<<2))), []byte{1}) }, mlir.Bool(true)},
		{"builtin int of an odd width", func(f *file) int { return f.attr("builtin", u(8, f.typ("builtin", u(0, 7<<2))), []byte{0x7f}) }, mlir.Int{Value: -1, Type: mlir.Type{Kind: mlir.Opaque, Text: "i7"}}},
		{"builtin array of ints", func(f *file) int {
			return f.attr("builtin", u(17, f.typ("builtin", u(0, 16<<2)), 2, 4), []byte{0xff, 0xff, 2, 0})
		}, mlir.Ints{Elem: dtype.I16, Values: []int64{-1, 2}}},
		{"builtin array of floats", func(f *file) int {
			return f.attr("builtin", u(17, f.typ("builtin", u(5)), 1, 4), []byte{0, 0, 0x80, 0x3f})
		}, mlir.Floats{Elem: dtype.F32, Values: []float64{1}}},
		{"nested symbol", func(f *file) int {
			a, b := f.attr("builtin", u(2, f.str("a"))), f.attr("builtin", u(2, f.str("b")))
			return f.attr("builtin", u(5, a, 1, f.attr("builtin", u(4, b))))
		}, mlir.Symbol("a::@b")},
		{"strings", func(f *file) int {
			e := f.typ("builtin", u(0, 1<<2))
			return f.attr("builtin", u(19, f.typ("builtin", u(13, 1), s(2), u(e)), 0, f.str("p"), f.str("q")))
		}, mlir.Array{mlir.String("p"), mlir.String("q")}},
		{"of an unknown dialect", func(f *file) int { return f.attr("sdy", []byte("anything")) }, mlir.OpaqueAttr{Dialect: "sdy", Text: "anything"}},
		{"signed quantized type", func(f *file) int {
			return f.attr("vhlo", u(17, f.typ("vhlo", u(24, 1, f.typ("vhlo", u(11)), f.typ("vhlo", u(4))), s(int(math.Float64bits(0.5))), s(-3, -128, 127))))
		}, mlir.TypeAttr{Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.I8, Quant: &mlir.Quant{
			Storage: dtype.I8, Expressed: dtype.F32, Min: -128, Max: 127, Axis: -1, Scales: []float64{0.5}, ZeroPoints: []int64{-3},
		}}}},
		{"unsigned quantized type by axis", func(f *file) int {
			return f.attr("vhlo", u(17, f.typ("vhlo", u(30, 0, f.typ("vhlo", u(11)), f.typ("vhlo", u(4)), 1), s(0, 255), u(1), s(int(math.Float64bits(0.5))), u(1), s(3))))
		}, mlir.TypeAttr{Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.U8, Quant: &mlir.Quant{
			Storage: dtype.U8, Expressed: dtype.F32, Min: 0, Max: 255, Axis: 1, Scales: []float64{0.5}, ZeroPoints: []int64{3},
		}}}},
		{"bounds", func(f *file) int {
			e := f.attr("vhlo", u(18, 2), s(math.MinInt64, 7))
			return f.attr("vhlo", u(17, f.typ("vhlo", u(21, e, 2), s(3, math.MinInt64), u(f.typ("vhlo", u(4))))))
		}, mlir.TypeAttr{Type: mlir.Type{Kind: mlir.Tensor, Elem: dtype.F32, Dims: []int64{3, -1}, Bounds: []int64{-1, 7}}}},
		{"mesh axes", func(f *file) int {
			name := f.attr("vhlo", u(14, f.str("x")))
			sub := f.attr("vhlo", u(21), s(2, 4))
			axes := f.attr("vhlo", u(1, 1, f.attr("vhlo", u(22, name, 1, sub))))
			return f.attr("vhlo", u(23, f.attr("vhlo", u(14, f.str("mesh"))), axes))
		}, mlir.Struct{Name: "replica_group_mesh_axes", Fields: []mlir.NamedAttr{
			{Name: "mesh", Attr: mlir.Symbol("mesh")},
			{Name: "axes", Attr: mlir.Array{mlir.Struct{Name: "axis_ref", Fields: []mlir.NamedAttr{
				{Name: "name", Attr: mlir.String("x")},
				{Name: "sub_axis_info", Attr: mlir.Struct{Name: "sub_axis_info", Fields: []mlir.NamedAttr{
					{Name: "pre_size", Attr: mlir.Int{Value: 2, Type: scalar(dtype.I64)}},
					{Name: "size", Attr: mlir.Int{Value: 4, Type: scalar(dtype.I64)}},
				}}},
			}}}},
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _, err := bytecode.Read(withAttr(6, tt.make))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, m.Attr("x")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestResource(t *testing.T) {
	f := newFile(6)
	blob := []byte{1, 0, 0, 0, 2, 0, 0, 0}
	typ := f.tensor(13, 2)
	x := f.attr("builtin", u(16, typ, 0))
	dict := f.attr("builtin", u(1, 1, f.attr("builtin", u(2, f.str("x"))), x))
	// Alignment and length take two bytes, then padding up to eight.
	f.resource = cat(u(8, len(blob)), []byte{0xcb, 0xcb, 0xcb, 0xcb, 0xcb, 0xcb}, blob)
	f.offsets = cat(u(1, f.str("other"), 1, f.str("y"), 0), []byte{0}, u(0, 1, f.str("w"), len(f.resource)), []byte{0})
	loc := f.unknownLoc()
	f.ir = cat(u(1<<1), f.op("builtin.module", loc, dict, nil, nil, region(0)))
	m, _, err := bytecode.Read(f.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(mlir.Attr(mlir.Dense{Type: tensorOf(dtype.I32, 2), Data: blob}), m.Attr("x")); d != "" {
		t.Error(d)
	}
}

func TestLocations(t *testing.T) {
	f := newFile(6)
	file := f.attr("builtin", u(2, f.str("a.py")))
	line := f.attr("builtin", u(11, file, 12, 5))
	span := f.attr("builtin", u(22, file, 4, 30, 2, 31, 9))
	name := f.attr("builtin", u(14, f.attr("builtin", u(2, f.str("jit(f)/add"))), line))
	call := f.attr("builtin", u(10, name, line))
	fused := f.attr("builtin", u(12, 2, f.unknownLoc(), span))
	typ := f.tensor(4)
	m, _, err := bytecode.Read(f.module(2, f.op("vhlo.create_token_v1", call, -1, []int{typ}, nil), f.op("vhlo.create_token_v1", fused, -1, []int{typ}, nil)).bytes())
	if err != nil {
		t.Fatal(err)
	}
	ops := m.Regions[0].Blocks[0].Ops
	if got, want := fmt.Sprint(ops[0].Pos, ops[0].Loc, ops[1].Pos, ops[1].Loc), fmt.Sprint("a.py:12:5", "jit(f)/add", "a.py:30:2", ""); got != want {
		t.Errorf("places are %q, want %q", got, want)
	}
}

// TestFormats: the seven formats differ in how a program is laid out, not in what it says.
func TestFormats(t *testing.T) {
	for format := range 7 {
		f := newFile(format)
		typ := f.tensor(4)
		loc := f.unknownLoc()
		header := u(1<<1|1, 1) // a block of one operation and one argument
		if format >= 4 {
			header = cat(header, u(typ<<1))
		} else {
			header = cat(header, u(typ, loc))
		}
		if format >= 3 {
			header = append(header, 0)
		}
		body := cat(u(1, 1), header, f.op("vhlo.return_v1", loc, -1, nil, []int{0}))
		data := f.module(1, f.op("vhlo.abs_v1", loc, -1, []int{typ}, []int{0}, body)).bytes()
		m, info, err := bytecode.Read(data)
		if err == nil && info.Format == format {
			b := m.Regions[0].Blocks[0].Ops[0].Regions[0].Blocks[0]
			if len(b.Args) == 1 && b.Ops[0].Name == "stablehlo.return" {
				continue
			}
		}
		t.Errorf("format %d: %v", format, err)
	}
}

func TestForwardReference(t *testing.T) {
	f := newFile(6)
	typ := f.tensor(4)
	loc := f.unknownLoc()
	m, _, err := bytecode.Read(f.module(2, f.op("vhlo.abs_v1", loc, -1, []int{typ}, []int{1}), f.op("vhlo.create_token_v1", loc, -1, []int{typ}, nil)).bytes())
	if err != nil {
		t.Fatal(err)
	}
	ops := m.Regions[0].Blocks[0].Ops
	if ops[0].Operands[0] != ops[1].Results[0] || ops[0].Operands[0].Type.Elem != dtype.F32 {
		t.Error("operand is not the value that is defined later")
	}
}

// TestCast: a cast between VHLO and builtin types, which are one here, is gone.
func TestCast(t *testing.T) {
	f := newFile(6)
	typ := f.tensor(4, 2)
	builtin := f.typ("builtin", u(13, 1), s(2), u(f.typ("builtin", u(5))))
	other := f.tensor(4, 3)
	loc := f.unknownLoc()
	m, _, err := bytecode.Read(f.module(4, f.op("vhlo.create_token_v1", loc, -1, []int{typ}, nil),
		f.op("builtin.unrealized_conversion_cast", loc, -1, []int{builtin}, []int{0}),
		f.op("sdy.return", loc, -1, nil, []int{1}),
		f.op("builtin.unrealized_conversion_cast", loc, -1, []int{other}, []int{0})).bytes())
	if err != nil {
		t.Fatal(err)
	}
	ops := m.Regions[0].Blocks[0].Ops
	if len(ops) != 3 || ops[1].Operands[0] != ops[0].Results[0] || ops[2].Name != "builtin.unrealized_conversion_cast" {
		t.Errorf("operations are not what remains without the cast: %d", len(ops))
	}
}

func TestErrors(t *testing.T) {
	chain := func(f *file, n int, each func(prev int) []byte) int {
		x := f.attr("builtin", u(7))
		for range n {
			x = f.attr("builtin", each(x))
		}
		return x
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not MLIR bytecode"},
		{"format", []byte("ML\xefR\x0fX\x00"), "format 7 is newer"},
		{"cut", []byte("ML\xefR\x0dX\x00"), "is missing"},
		{"attribute in itself", withAttr(6, func(f *file) int { return f.attr("builtin", u(0, 1, len(f.attrs))) }), "contains itself"},
		{"nesting", withAttr(6, func(f *file) int { return chain(f, 1000, func(p int) []byte { return u(0, 1, p) }) }), "nesting deeper"},
		{"a few bytes for very much", withAttr(6, func(f *file) int { return chain(f, 60, func(p int) []byte { return u(0, 2, p, p) }) }), "out of proportion"},
		{"too few bytes of elements", withAttr(6, func(f *file) int { return f.attr("vhlo", u(15, f.tensor(4, 3), 8), make([]byte, 8)) }), "8 bytes for 3 elements of f32"},
		{"elements of a dynamic shape", withAttr(6, func(f *file) int { return f.attr("vhlo", u(15, f.tensor(4, -1), 4), make([]byte, 4)) }), "static shape"},
		{"enum", withAttr(6, func(f *file) int { return f.attr("vhlo", u(3, 9)) }), "comparison_direction has no case 9"},
		{"attribute code", withAttr(6, func(f *file) int { return f.attr("vhlo", u(99)) }), "attribute 99 of vhlo is not known"},
		{"type code", withAttr(6, func(f *file) int { return f.attr("vhlo", u(17, f.typ("vhlo", u(99)))) }), "type 99 of vhlo is not known"},
		{"rest of an attribute", withAttr(6, func(f *file) int { return f.attr("vhlo", u(2, 1, 1)) }), "1 bytes too many"},
		{"value that is nowhere", func() []byte {
			f := newFile(6)
			return f.module(1, f.op("vhlo.abs_v1", f.unknownLoc(), -1, nil, []int{0})).bytes()
		}(), "never defined"},
		{"value out of range", func() []byte {
			f := newFile(6)
			return f.module(1, f.op("vhlo.abs_v1", f.unknownLoc(), -1, nil, []int{5})).bytes()
		}(), "value 5 of 1"},
		{"more values than declared", func() []byte {
			f := newFile(6)
			return f.module(0, f.op("vhlo.create_token_v1", f.unknownLoc(), -1, []int{f.tensor(4)}, nil)).bytes()
		}(), "more values than the region declares"},
		{"values that do not fit", newFile(6).module(1 << 30).bytes(), "do not fit into the file"},
		{"operation", func() []byte {
			f := newFile(6)
			return f.module(0, f.op("vhlo.abs_v9", f.unknownLoc(), -1, nil, nil)).bytes()
		}(), "vhlo.abs_v9 is not known"},
		{"regions in regions", func() []byte {
			f := newFile(6)
			loc := f.unknownLoc()
			op := f.op("vhlo.if_v1", loc, -1, nil, nil)
			for range 300 {
				op = f.op("vhlo.if_v1", loc, -1, nil, nil, region(0, op))
			}
			return f.module(0, op).bytes()
		}(), "nesting deeper"},
		{"list out of a splat", func() []byte {
			f := newFile(6)
			perm := f.attr("vhlo", u(15, f.tensor(14, 1<<30), 8), make([]byte, 8))
			dict := f.attr("builtin", u(1, 1, f.attr("builtin", u(2, f.str("permutation"))), perm))
			return f.module(0, f.op("vhlo.transpose_v1", f.unknownLoc(), dict, nil, nil)).bytes()
		}(), "out of proportion"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _, err := bytecode.Read(tt.data)
			var e *mlir.Error
			if m != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestIsBytecode(t *testing.T) {
	if !bytecode.IsBytecode([]byte("ML\xefR...")) || bytecode.IsBytecode([]byte("module {}")) || bytecode.IsBytecode(nil) {
		t.Error("bytecode is told from text by its first four bytes")
	}
}
