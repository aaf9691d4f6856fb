package pjrt_test

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dlpack"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

//go:embed testdata/dlpack.c
var dlpackC []byte

// arrays is a C library that makes and takes tensors.
type arrays struct {
	t   *testing.T
	lib ctest.Lib
}

func newArrays(t *testing.T) arrays {
	t.Helper()
	headers, err := filepath.Abs("../internal/raw/dlpack/headers")
	if err != nil {
		t.Fatal(err)
	}
	return arrays{t, ctest.Build(t, dlpackC, "-I", headers)}
}

func (a arrays) call(name string, args ...uintptr) int64 {
	a.t.Helper()
	return int64(call.Call(a.lib.Fn(name), args...))
}

// made says what tensor C makes: int32 from an aligned address, unless told otherwise.
type made struct {
	versioned       bool
	major, flags    int64
	code            dlpack.Code
	bits, lanes     int64
	device, id      int64
	dims, strides   []int64
	offset, skipped int64
	ndim            int64 // 0 is that of dims
}

func (a arrays) make(m made) dlpack.Handle {
	a.t.Helper()
	f := call.Get()
	defer f.Put()
	s, err := call.Slice[int64](f, 28)
	if err != nil {
		a.t.Fatal(err)
	}
	if m.versioned {
		s[0] = 1
	}
	s[1], s[2], s[3], s[4], s[5] = m.major, m.flags, int64(m.code), m.bits, m.lanes
	s[6], s[7], s[8], s[9], s[11] = m.device, m.id, int64(len(m.dims)), m.offset, m.skipped
	if m.ndim != 0 {
		s[8] = m.ndim
	}
	if m.strides != nil {
		s[10] = 1
	}
	copy(s[12:20], m.dims)
	copy(s[20:], m.strides)
	return dlpack.Handle{Addr: mem.Addr(a.call("make_tensor", uintptr(mem.AddrOf(s)))), Versioned: m.versioned}
}

// ints is the tensor that most tests change in one way.
func ints() made {
	return made{versioned: true, major: 1, code: dlpack.Int, bits: 32, lanes: 1, device: 1, dims: []int64{2, 3}}
}

// value is the int32 at a byte of C's memory, which counts up.
func value(at int) int32 {
	b := func(i int) int32 { return int32(byte(at + i)) }
	return b(0) | b(1)<<8 | b(2)<<16 | b(3)<<24
}

func TestDLPackIn(t *testing.T) {
	a := newArrays(t)
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx, m := t.Context(), c.Device().Memory()
		at := func(offsets ...int) (v []int32) {
			for _, o := range offsets {
				v = append(v, value(o))
			}
			return v
		}
		for name, v := range map[string]struct {
			change func(*made)
			want   []int32
		}{
			"dense":         {func(*made) {}, at(0, 4, 8, 12, 16, 20)},
			"old struct":    {func(m *made) { m.versioned = false }, at(0, 4, 8, 12, 16, 20)},
			"strides":       {func(m *made) { m.strides = []int64{3, 1} }, at(0, 4, 8, 12, 16, 20)},
			"column-major":  {func(m *made) { m.strides = []int64{1, 2} }, at(0, 8, 16, 4, 12, 20)},
			"part of more":  {func(m *made) { m.strides = []int64{10, 2} }, at(0, 8, 16, 40, 48, 56)},
			"backwards":     {func(m *made) { m.strides, m.skipped = []int64{-3, 1}, 64 }, at(64, 68, 72, 52, 56, 60)},
			"repeated":      {func(m *made) { m.strides = []int64{0, 1} }, at(0, 4, 8, 0, 4, 8)},
			"byte offset":   {func(m *made) { m.offset = 64 }, at(64, 68, 72, 76, 80, 84)},
			"not aligned":   {func(m *made) { m.offset = 4 }, at(4, 8, 12, 16, 20, 24)},
			"read-only":     {func(m *made) { m.flags = dlpack.ReadOnly }, at(0, 4, 8, 12, 16, 20)},
			"scalar":        {func(m *made) { m.dims = nil }, at(0)},
			"empty":         {func(m *made) { m.dims = []int64{0, 3} }, at()},
			"minor version": {func(m *made) { m.major = 1 }, at(0, 4, 8, 12, 16, 20)},
		} {
			t.Run(name, func(t *testing.T) {
				spec := ints()
				v.change(&spec)
				before := a.call("how_many_deleted")
				b, e, err := pjrt.PutDLPack(ctx, m, a.make(spec))
				if err != nil {
					t.Fatal(err)
				}
				got, err := pjrt.Get[int32](ctx, b)
				if err != nil || !slices.Equal(got, v.want) {
					t.Errorf("got %v %v, want %v", got, err, v.want)
				}
				mustClose(t, b)
				if err := e.Wait(ctx); err != nil {
					t.Error(err)
				}
				mustClose(t, e)
				if n := a.call("how_many_deleted") - before; n != 1 {
					t.Errorf("the deleter was called %d times", n)
				}
			})
		}
	})
}

// TestDLPackInRefused gives tensors that are damaged, or of kinds that cannot be taken: an error with a name, and the
// deleter is called once all the same.
func TestDLPackInRefused(t *testing.T) {
	a := newArrays(t)
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		for name, v := range map[string]struct {
			change func(*made)
			is     error
		}{
			"version 2":           {func(m *made) { m.major = 2 }, isthmus.ErrVersion},
			"lanes":               {func(m *made) { m.lanes = 4 }, isthmus.ErrUnsupported},
			"no lanes":            {func(m *made) { m.lanes = 0 }, isthmus.ErrUnsupported},
			"bits":                {func(m *made) { m.bits = 24 }, isthmus.ErrUnsupported},
			"kind":                {func(m *made) { m.code = dlpack.OpaqueHandle }, isthmus.ErrUnsupported},
			"sub-byte":            {func(m *made) { m.code, m.bits = dlpack.Float4E2M1FN, 4 }, isthmus.ErrUnsupported},
			"a GPU's":             {func(m *made) { m.device = int64(dlpack.CUDA) }, isthmus.ErrUnsupported},
			"negative rank":       {func(m *made) { m.ndim = -1 }, isthmus.ErrBounds},
			"huge rank":           {func(m *made) { m.ndim = 1 << 20 }, isthmus.ErrBounds},
			"negative dimension":  {func(m *made) { m.dims = []int64{2, -3} }, isthmus.ErrBounds},
			"too large":           {func(m *made) { m.dims = []int64{1 << 40, 1 << 40} }, isthmus.ErrBounds},
			"stride too large":    {func(m *made) { m.strides = []int64{1 << 62, 1} }, isthmus.ErrBounds},
			"byte offset too far": {func(m *made) { m.offset = -1 << 48 }, isthmus.ErrInvalid},
		} {
			t.Run(name, func(t *testing.T) {
				spec := ints()
				v.change(&spec)
				if name == "byte offset too far" {
					spec.offset = -8192 // wraps around below the data
				}
				before := a.call("how_many_deleted")
				b, _, err := pjrt.PutDLPack(t.Context(), c.Device().Memory(), a.make(spec))
				if err == nil {
					mustClose(t, b)
				}
				want(t, name, err, v.is)
				if n := a.call("how_many_deleted") - before; n != 1 {
					t.Errorf("the deleter was called %d times", n)
				}
			})
		}
		_, _, err := pjrt.PutDLPack(t.Context(), c.Device().Memory(), dlpack.Handle{})
		want(t, "none", err, isthmus.ErrInvalid)
		before := a.call("how_many_deleted")
		_, _, err = pjrt.PutDLPack(t.Context(), nil, a.make(ints()))
		want(t, "no memory", err, isthmus.ErrInvalid)
		if n := a.call("how_many_deleted") - before; n != 1 {
			t.Errorf("the deleter was called %d times", n)
		}
	})
}

func TestDLPackOut(t *testing.T) {
	a := newArrays(t)
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		for _, versioned := range []bool{true, false} {
			flag := uintptr(0)
			if versioned {
				flag = 1
			}
			b, err := pjrt.Put(ctx, c.Device(), []int32{1, 2, 3, 4, 5, 6}, 2, 3)
			if err != nil {
				t.Fatal(err)
			}
			p, err := b.DLPack(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Type().String(); got != "tensor<2x3xi32>" {
				t.Error(got)
			}
			want(t, "the buffer while it is lent", b.Close(), isthmus.ErrBusy)
			h, err := pjrt.TakeDLPack(p, versioned)
			if err != nil {
				t.Fatal(err)
			}
			_, err = pjrt.TakeDLPack(p, versioned)
			want(t, "taken twice", err, isthmus.ErrInvalid)
			want(t, "closed while another has it", p.Close(), isthmus.ErrBusy)
			if got := a.call("consume", uintptr(h.Addr), flag); got != (1*1+2*2+3*3)+2*(4*1+5*2+6*3) {
				t.Errorf("C adds up to %d", got)
			}
			want(t, "the buffer while C has it", b.Close(), isthmus.ErrBusy)
			a.call("give_back", uintptr(h.Addr), flag)
			mustClose(t, b)
			mustClose(t, p)
			_, err = pjrt.TakeDLPack(p, versioned)
			want(t, "taken after", err, isthmus.ErrClosed)
		}
		// Nobody takes it.
		b := put(t, c, []int32{1}, 1)
		p, err := b.DLPack(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, p)
		mustClose(t, p)
		// A consumer that gives back twice is reported, and harms nothing.
		got := reports(func() {
			p, err := b.DLPack(ctx)
			if err != nil {
				t.Fatal(err)
			}
			h, err := pjrt.TakeDLPack(p, true)
			if err != nil {
				t.Fatal(err)
			}
			a.call("give_back_twice", uintptr(h.Addr))
		})
		if len(got) != 1 || got[0].Problem != isthmus.ProblemDestroy {
			t.Errorf("reports %v", got)
		}
		small, err := pjrt.PutBytes(ctx, c.Device(), pjrt.Type{DType: dtype.I4, Dims: []int{2}}, []byte{1, 2})
		if err != nil {
			return // not every device has them
		}
		defer mustClose(t, small)
		_, err = small.DLPack(ctx)
		want(t, "elements smaller than a byte", err, isthmus.ErrUnsupported)
	})
}

// TestDLPackBetweenClients hands a buffer of one plugin to another, which copies it since it may not be written.
func TestDLPackBetweenClients(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		if strings.Contains(t.Name(), "fake") {
			t.Skip("there is one fake at a time")
		}
		other := client(t, c.Plugin())
		b := put(t, c, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
		p, err := b.DLPack(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, e, err := other.Device().Memory().Import(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		wantValues[float32](t, n, 1, 2, 3, 4, 5, 6)
		mustClose(t, n)
		if err := e.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		mustClose(t, e)
		_, _, err = other.Device().Memory().Import(t.Context(), p)
		want(t, "a capsule that is spent", err, isthmus.ErrClosed)
		if s := fmt.Sprint(p); !strings.Contains(s, "none") {
			t.Error(s)
		}
	})
}
