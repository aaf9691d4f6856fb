package pjrt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// everywhere runs a test on both XLA CPU plugins, on the embedded device and on the fake.
func everywhere(t *testing.T, f func(*testing.T, *pjrt.Client)) {
	t.Helper()
	both(t, func(t *testing.T, p *pjrt.Plugin) { f(t, client(t, p)) })
	t.Run("embedded", func(t *testing.T) {
		p, err := embedded.Plugin(device.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(t, client(t, p))
	})
	t.Run("fake", func(t *testing.T) {
		c, _ := fakeClient(t, func(f *pjrtfake.Fake) { f.OnCPU = true })
		f(t, c)
	})
}

// TestEmptyButHuge names an empty tensor whose other dimensions overflow: XLA throws.
func TestEmptyButHuge(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		huge := pjrt.Type{DType: dtype.F32, Dims: []int{1 << 62, 4, 0}}
		_, err := pjrt.PutBytes(t.Context(), c.Device(), huge, nil)
		want(t, "put", err, isthmus.ErrBounds)
		if _, err = c.DefaultLayout(huge); !errors.Is(err, isthmus.ErrUnsupported) { // the fake's
			want(t, "layout", err, isthmus.ErrBounds)
		}
		_, err = c.Device().Memory().Uninitialized(pjrt.Shape{Type: huge})
		want(t, "uninitialized", err, isthmus.ErrBounds)
	})
}

// unsupported skips what a plugin says that it has not. The fake has all, so that nothing is left out everywhere.
func unsupported(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(t.Name(), "/fake") {
		t.Fatal(err)
	}
	if isUnsupported(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func isUnsupported(err error) bool { return err != nil && errors.Is(err, isthmus.ErrUnsupported) }

var layouts = []struct {
	text string
	l    pjrt.Layout
}{
	{"{}", pjrt.RowMajor(0)},
	{"{0}", pjrt.RowMajor(1)},
	{"{1,0}", pjrt.RowMajor(2)},
	{"{0,1}", pjrt.ColumnMajor(2)},
	{"{1,0:T(8,128)}", pjrt.Layout{MinorToMajor: []int{1, 0}, Tiles: [][]int{{8, 128}}}},
	{"{1,0:T(8,128)(2,1)}", pjrt.Layout{MinorToMajor: []int{1, 0}, Tiles: [][]int{{8, 128}, {2, 1}}}},
	{"{2,1,0:T(8,128)(4)E(4)S(1)}", pjrt.Layout{MinorToMajor: []int{2, 1, 0}, Tiles: [][]int{{8, 128}, {4}}, ElementBits: 4, MemorySpace: 1}},
	{"{1,0:T(*,8)}", pjrt.Layout{MinorToMajor: []int{1, 0}, Tiles: [][]int{{pjrt.TileCombine, 8}}}},
	{"{0:T(256)L(1024)#(u32)E(2)}", pjrt.Layout{MinorToMajor: []int{0}, Tiles: [][]int{{256}}, Other: "L(1024)#(u32)", ElementBits: 2}},
	{"strides(12,-4,0)", pjrt.Strided(12, -4, 0)},
	{"strides()", pjrt.Layout{Strides: []int{}}},
}

func TestP26LayoutText(t *testing.T) {
	for _, v := range layouts {
		if got := v.l.String(); got != v.text {
			t.Errorf("got %s, want %s", got, v.text)
		}
		l, err := pjrt.ParseLayout(v.text)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(v.l, l); d != "" || !l.Equal(v.l) {
			t.Errorf("%s (-want +got):\n%s", v.text, d)
		}
		for _, w := range layouts {
			if v.text != w.text && v.l.Equal(w.l) {
				t.Errorf("%s equals %s", v.l, w.l)
			}
		}
	}
	for _, s := range []string{
		"", "{", "1,0", "{1,1}", "{0,2}", "{a}", "{0:T}", "{0:T(8}", "{0:(8)}", "{0:T()}", "{0:T(0)}", "{0:T(-8)}", "{0:E(x)}", "{0:E(-1)}", "{0:Long(1)}", "strides(1", "strides(x)",
		"{-1}", "{*}", "{0:T(8)(}", "{0}}", "strides(*)",
	} {
		if l, err := pjrt.ParseLayout(s); err == nil {
			t.Errorf("%q is %s", s, l)
		} else {
			want(t, s, err, isthmus.ErrInvalid)
		}
	}
}

func FuzzParseLayout(f *testing.F) {
	for _, v := range layouts {
		f.Add(v.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := pjrt.ParseLayout(s)
		if err != nil {
			return
		}
		again, err := pjrt.ParseLayout(l.String())
		if err != nil || !again.Equal(l) {
			t.Errorf("%q is %v, that is %v, %v", s, l, again, err)
		}
	})
}

func TestP26LayoutSize(t *testing.T) {
	typ := func(d dtype.Type, dims ...int) pjrt.Type { return pjrt.Type{DType: d, Dims: dims} }
	for _, v := range []struct {
		typ  pjrt.Type
		text string
		want int
	}{
		{typ(dtype.F32, 3, 5), "{1,0}", 60},
		{typ(dtype.F32, 3, 5), "{1,0:T(2,4)}", 2 * 2 * 8 * 4},
		{typ(dtype.F32, 3, 5), "{0,1:T(2,4)}", 3 * 1 * 8 * 4},
		{typ(dtype.BF16, 10, 200), "{1,0:T(8,128)(2,1)}", 2 * 2 * 8 * 128 * 2},
		{typ(dtype.BF16, 3, 200), "{1,0:T(1,128)(2,1)}", 3 * 2 * 256 * 2},
		{typ(dtype.I4, 10), "{0:E(4)}", 5},
		{typ(dtype.I4, 9), "{0:E(4)}", 5},
		{typ(dtype.F32, 6, 3), "{1,0:T(*,8)}", 3 * 8 * 4},
		{typ(dtype.F32), "{}", 4},
		{typ(dtype.F32, 0, 7), "{1,0:T(8,128)}", 0},
		{typ(dtype.F32, 3, 4), "strides(100,4)", 216},
		{typ(dtype.F32, 3, 4), "strides(-100,4)", 216},
		{typ(dtype.F32, 3, 4), "strides(0,4)", 16},
	} {
		l, err := pjrt.ParseLayout(v.text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Size(v.typ); err != nil || got != v.want {
			t.Errorf("%s as %s: got %d %v, want %d", v.typ, v.text, got, err, v.want)
		}
	}
	_, err := pjrt.RowMajor(2).Size(typ(dtype.F32, 3))
	want(t, "another rank", err, isthmus.ErrInvalid)
	_, err = pjrt.Strided(1<<62, 1).Size(typ(dtype.F32, 1<<20, 2))
	want(t, "too large", err, isthmus.ErrBounds)
}

// TestArrange moves tensors through random layouts and back, each element to a place of its own.
func TestArrange(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		typ := pjrt.Type{DType: []dtype.Type{dtype.U8, dtype.I16, dtype.F32, dtype.C128}[r.IntN(4)]}
		for range r.IntN(5) {
			typ.Dims = append(typ.Dims, r.IntN(6))
		}
		n := len(typ.Dims)
		l := pjrt.Layout{MinorToMajor: r.Perm(n)}
		for range r.IntN(3) {
			var tile []int
			for range 1 + r.IntN(max(n, 1)) {
				tile = append(tile, 1+r.IntN(4))
			}
			if n > 0 {
				if r.IntN(4) == 0 && len(tile) > 1 {
					tile[0] = pjrt.TileCombine
				}
				l.Tiles = append(l.Tiles, tile)
			}
		}
		if r.IntN(2) == 0 { // strides that leave holes and run backwards
			l = pjrt.Layout{Strides: make([]int, n)}
			step := typ.DType.Size()
			for _, d := range r.Perm(n) {
				l.Strides[d] = step
				if r.IntN(2) == 0 {
					l.Strides[d] = -step
				}
				step = step*max(typ.Dims[d], 1) + r.IntN(3)
			}
		}
		size, err := l.Size(typ)
		if err != nil {
			t.Fatal(err)
		}
		dense, _ := typ.Size()
		in, mid, out := make([]byte, dense), bytes.Repeat([]byte{0xee}, size), make([]byte, dense)
		for i := range in {
			in[i] = byte(r.Uint32())
		}
		row := pjrt.RowMajor(n)
		if err := pjrt.Arrange(typ, mid, l, in, row); err != nil {
			t.Fatal(typ, l, err)
		}
		if err := pjrt.Arrange(typ, out, row, mid, l); err != nil {
			t.Fatal(typ, l, err)
		}
		if !bytes.Equal(in, out) {
			t.Fatalf("%s as %s: %v became %v", typ, l, in, out)
		}
		if size < dense {
			t.Errorf("%s as %s takes %d bytes of %d", typ, l, size, dense)
		}
	}
	// XLA's own example of tiling: 3x5 in tiles of 2x2, in which the element at 2,3 is the 17th.
	typ := pjrt.Type{DType: dtype.U8, Dims: []int{3, 5}}
	l, err := pjrt.ParseLayout("{1,0:T(2,2)}")
	if err != nil {
		t.Fatal(err)
	}
	in := make([]byte, 15)
	for i := range in {
		in[i] = byte(i + 1)
	}
	got := make([]byte, 24)
	if err := pjrt.Arrange(typ, got, l, in, pjrt.RowMajor(2)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]byte{1, 2, 6, 7, 3, 4, 8, 9, 5, 0, 10, 0, 11, 12, 0, 0, 13, 14, 0, 0, 15, 0, 0, 0}, got); d != "" {
		t.Error(d)
	}
}

// TestP25LayoutsSurvive sends layouts through C's struct, through shapes and through text, and gets the same back.
func TestP25LayoutsSurvive(t *testing.T) {
	for _, v := range layouts {
		if v.l.ElementBits == 0 && v.l.Other == "" {
			got, err := pjrt.ThroughC(v.l)
			if err != nil {
				t.Error(err)
			} else if !got.Equal(v.l) {
				t.Errorf("through C: got %s, want %s", got, v.l)
			}
		} else if _, err := pjrt.ThroughC(v.l); !isUnsupported(err) {
			t.Errorf("%s: what C has no place for: got %v", v.l, err)
		}
		if v.l.Strides != nil || v.l.Other != "" {
			continue
		}
		dims := make([]int, v.l.Rank())
		for i := range dims {
			dims[i] = i + 2
		}
		s, err := pjrt.ShapeOf(dtype.F32, dims...).WithLayout(v.l)
		if err != nil {
			t.Error(err)
			continue
		}
		b, err := s.Serialize()
		if err != nil {
			t.Error(err)
			continue
		}
		s, err = pjrt.ParseShape(b)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, ok := s.Layout(); !ok || !got.Equal(v.l) {
			t.Errorf("through a shape: got %s, want %s", got, v.l)
		}
	}
	s, err := pjrt.ShapeOf(dtype.F32, 2, 3).WithLayout(pjrt.Strided(4, 8))
	if l, _ := s.Layout(); err != nil || !l.Equal(pjrt.ColumnMajor(2)) {
		t.Errorf("dense strides: %s %v", l, err)
	}
	_, err = pjrt.ShapeOf(dtype.F32, 2, 3).WithLayout(pjrt.Strided(100, 4))
	want(t, "strides with holes", err, isthmus.ErrUnsupported)
	_, err = pjrt.ShapeOf(dtype.F32, 2, 3).WithLayout(pjrt.RowMajor(3))
	want(t, "another rank", err, isthmus.ErrInvalid)
}

// TestP25DeviceLayouts puts tensors in layouts of the caller's choice, and the plugin says that they have them.
func TestP25DeviceLayouts(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		data := []float32{1, 2, 3, 4, 5, 6}
		col := pjrt.ColumnMajor(2)
		b, _, err := pjrt.PutWith(t.Context(), c.Device(), data, pjrt.PutOptions{Device: &col}, 2, 3)
		if isUnsupported(err) || err != nil && strings.Contains(t.Name(), "embedded") {
			t.Skip(err) // the embedded device has one layout; the old plugin notes others and does not arrange
		}
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		l, err := b.Layout()
		if err != nil || !l.Equal(col) {
			t.Errorf("its layout is %s, %v; want %s", l, err, col)
		}
		got, err := pjrt.Get[float32](t.Context(), b)
		if err != nil || !slices.Equal(got, data) {
			t.Errorf("got %v %v, want %v", got, err, data)
		}
	})
}

// TestHostLayouts puts and gets host arrays of all kinds: column-major, parts of larger ones, backwards, repeated,
// tiled. What the plugin gives back is the same tensor each time.
func TestHostLayouts(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		typ := pjrt.Type{DType: dtype.I32, Dims: []int{3, 4}}
		row := make([]byte, 48)
		for i := range row {
			row[i] = byte(i)
		}
		tiled, err := pjrt.ParseLayout("{0,1:T(2,2)}")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []pjrt.Layout{
			pjrt.RowMajor(2), pjrt.ColumnMajor(2), pjrt.Strided(16, 4), pjrt.Strided(4, 12), pjrt.Strided(40, 8), pjrt.Strided(-16, 4), pjrt.Strided(16, -4), pjrt.Strided(18, 4), tiled,
		} {
			t.Run(l.String(), func(t *testing.T) {
				size, err := l.Size(typ)
				if err != nil {
					t.Fatal(err)
				}
				data := bytes.Repeat([]byte{0xaa}, size)
				if err := pjrt.Arrange(typ, data, l, row, pjrt.RowMajor(2)); err != nil {
					t.Fatal(err)
				}
				b, _, err := pjrt.PutBytesWith(ctx, c.Device(), typ, data, pjrt.PutOptions{Host: &l})
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				got, err := b.Bytes(ctx)
				if err != nil || !bytes.Equal(got, row) {
					t.Errorf("put: got %v %v", got, err)
				}
				back := bytes.Repeat([]byte{0xaa}, size)
				if err := b.GetBytesWith(ctx, back, l); err != nil || !bytes.Equal(back, data) {
					t.Errorf("get: got %v %v, want %v", back, err, data)
				}
				want(t, "a short destination", b.GetBytesWith(ctx, back[1:], l), isthmus.ErrBounds)
				_, _, err = pjrt.PutBytesWith(ctx, c.Device(), typ, data[1:], pjrt.PutOptions{Host: &l})
				want(t, "short data", err, isthmus.ErrBounds)
			})
		}
		zero := pjrt.Strided(0, 4)
		b, _, err := pjrt.PutWith(ctx, c.Device(), []int32{7, 8}, pjrt.PutOptions{Host: &zero}, 3, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, err := pjrt.Get[int32](ctx, b); err != nil || !slices.Equal(got, []int32{7, 8, 7, 8, 7, 8}) {
			t.Errorf("a repeated row: %v %v", got, err)
		}
		_, _, err = pjrt.PutWith(ctx, c.Device(), []int32{7, 8}, pjrt.PutOptions{Host: &zero, Lend: pjrt.WhileAlive}, 3, 2)
		want(t, "lending what must be arranged", err, isthmus.ErrUnsupported)
	})
}

// TestP23TilesComeWhole shows that C never gets tiles without their sizes, nor half of a list: the Go type has both in
// one, and what contradicts itself is refused before the call.
func TestP23TilesComeWhole(t *testing.T) {
	c, _ := fakeClient(t, nil)
	for _, l := range []pjrt.Layout{
		{MinorToMajor: []int{1, 0}, Tiles: [][]int{{}}},
		{MinorToMajor: []int{1, 0}, Tiles: [][]int{{8, 0}}},
		{MinorToMajor: []int{1, 0}, Tiles: [][]int{nil, {8}}},
		{MinorToMajor: []int{0, 0}},
		{MinorToMajor: []int{0}},
		{MinorToMajor: []int{1, 0}, Strides: []int{1, 2}},
	} {
		_, _, err := pjrt.PutWith(t.Context(), c.Device(), make([]float32, 6), pjrt.PutOptions{Device: &l}, 2, 3)
		want(t, l.String(), err, isthmus.ErrInvalid)
	}
	for _, v := range layouts {
		if len(v.l.Tiles) == 0 || v.l.Other != "" || v.l.ElementBits != 0 {
			continue
		}
		dims, sizes, err := pjrt.TilesInC(v.l)
		if err != nil {
			t.Fatal(err)
		}
		var wantDims, wantSizes []int
		for _, tile := range v.l.Tiles {
			wantDims, wantSizes = append(wantDims, tile...), append(wantSizes, len(tile))
		}
		if !slices.Equal(dims, wantDims) || !slices.Equal(sizes, wantSizes) {
			t.Errorf("%s: dims %v sizes %v, want %v %v", v.l, dims, sizes, wantDims, wantSizes)
		}
	}
}

// TestP19LayoutsStayWithTheirShapes gives layouts to some of an upload's buffers, and each has its own afterwards.
func TestP19LayoutsStayWithTheirShapes(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		with := func(l pjrt.Layout, dims ...int) pjrt.Shape {
			s, err := pjrt.ShapeOf(dtype.F32, dims...).WithLayout(l)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		shapes := []pjrt.Shape{
			pjrt.ShapeOf(dtype.F32, 2, 3), with(pjrt.ColumnMajor(2), 4, 5), pjrt.ShapeOf(dtype.F32, 7),
			with(pjrt.Layout{MinorToMajor: []int{1, 2, 0}}, 2, 3, 4), pjrt.ShapeOf(dtype.F32, 3, 2),
		}
		order := []pjrt.Layout{pjrt.RowMajor(2), pjrt.ColumnMajor(2), pjrt.RowMajor(1), {MinorToMajor: []int{1, 2, 0}}, pjrt.RowMajor(2)}
		u, err := c.Device().Memory().NewUpload(shapes...)
		if err != nil && strings.Contains(t.Name(), "embedded") {
			t.Skip(err) // it has one layout, and says so
		}
		unsupported(t, err)
		defer u.Close()
		for i := range shapes {
			b, err := u.Buffer(i)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if l, err := b.Layout(); err != nil || !l.Equal(order[i]) {
				t.Errorf("buffer %d: got %s %v, want %s", i, l, err, order[i])
			}
			if got := b.Dims(); !slices.Equal(got, shapes[i].Dims) {
				t.Errorf("buffer %d: %v", i, got)
			}
		}
	})
}

func ExampleLayout() {
	l, err := pjrt.ParseLayout("{1,0:T(8,128)}")
	fmt.Println(l.MinorToMajor, l.Tiles, err)
	n, err := l.Size(pjrt.Type{DType: dtype.F32, Dims: []int{10, 130}})
	fmt.Println(n, err)
	// Output:
	// [1 0] [[8 128]] <nil>
	// 16384 <nil>
}
