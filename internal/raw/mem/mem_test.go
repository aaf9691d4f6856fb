package mem_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestBlockIsFreedExactlyOnce(t *testing.T) { // P13
	for _, size := range []int{0, 1, 63, 4096, 100_000} {
		for _, align := range []int{0, 1, 64, 4096, 1 << 16, mem.MaxAlign} {
			b, err := mem.Alloc(size, align)
			if err != nil {
				t.Fatalf("Alloc(%d, %d): %v", size, align, err)
			}
			data := b.Bytes()
			if len(data) != size || cap(data) != size {
				t.Fatalf("Alloc(%d, %d): len %d cap %d", size, align, len(data), cap(data))
			}
			if a := uintptr(mem.AddrOf(data)); align > 0 && a%uintptr(align) != 0 {
				t.Fatalf("Alloc(%d, %d): address %#x is not aligned", size, align, a)
			}
			if i := slices.IndexFunc(data, func(c byte) bool { return c != 0 }); i >= 0 {
				t.Fatalf("Alloc(%d, %d): byte %d is not zero", size, align, i)
			}
			for i := range data {
				data[i] = 0xff
			}
			if err := b.Free(); err != nil {
				t.Fatalf("Free: %v", err)
			}
			if err := b.Free(); !errors.Is(err, isthmus.ErrClosed) {
				t.Fatalf("second Free: %v, want ErrClosed", err)
			}
			if b.Bytes() != nil {
				t.Fatal("Bytes after Free is not nil")
			}
		}
	}
}

func TestAllocRefusesWhatCannotBe(t *testing.T) {
	tests := []struct {
		size, align int
		want        error
	}{
		{-1, 0, isthmus.ErrBounds},
		{1, 3, isthmus.ErrInvalid},
		{1, -8, isthmus.ErrInvalid},
		{1, mem.MaxAlign * 2, isthmus.ErrInvalid},
		{math.MaxInt, mem.MaxAlign, isthmus.ErrBounds},
		{1 << 60, 0, isthmus.ErrLimit},
	}
	for _, tt := range tests {
		if _, err := mem.Alloc(tt.size, tt.align); !errors.Is(err, tt.want) {
			t.Errorf("Alloc(%d, %d): %v, want %v", tt.size, tt.align, err, tt.want)
		}
	}
}

func TestConcurrentFreeHasOneWinner(t *testing.T) {
	for range 200 {
		b, err := mem.Alloc(4096, 0)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = b.Free() })
		}
		wg.Wait()
		freed := 0
		for _, err := range errs {
			if err == nil {
				freed++
			}
		}
		if freed != 1 {
			t.Fatalf("freed %d times", freed)
		}
	}
}

func TestViewChecksAlignmentLengthAndType(t *testing.T) {
	buf := make([]uint64, 4)
	b := mem.Bytes(buf)
	if len(b) != 32 {
		t.Fatalf("Bytes: %d bytes, want 32", len(b))
	}
	if _, err := mem.View[uint64](b[1:17]); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("misaligned: %v, want ErrInvalid", err)
	}
	if _, err := mem.View[uint64](b[:15]); !errors.Is(err, isthmus.ErrBounds) {
		t.Errorf("odd length: %v, want ErrBounds", err)
	}
	if _, err := mem.View[*int](b); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("pointers: %v, want ErrInvalid", err)
	}
	if _, err := mem.View[struct{}](b); !errors.Is(err, isthmus.ErrBounds) {
		t.Errorf("zero-size: %v, want ErrBounds", err)
	}
	v, err := mem.View[float32](b[4:12])
	if err != nil || len(v) != 2 {
		t.Fatalf("View: %d elements, %v; want 2", len(v), err)
	}
	v[0] = 1
	if buf[0]>>32 != 0x3f800000 && buf[0] != 0x3f800000 {
		t.Errorf("a write through the view is not in the buffer: %#x", buf[0])
	}
	if v, err := mem.View[int32](nil); v != nil || err != nil {
		t.Errorf("View(nil) = %v, %v", v, err)
	}
	if mem.Bytes([]string{"a"}) != nil {
		t.Error("Bytes of strings is not nil")
	}
}

func TestViewIsTheInverseOfBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Int32()).Draw(t, "s")
		b := mem.Bytes(want)
		if enc, _ := binary.Append(nil, binary.NativeEndian, want); !bytes.Equal(enc, b) {
			t.Fatalf("Bytes(%v) = %v, encoding/binary gives %v", want, b, enc)
		}
		got, err := mem.View[int32](b)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("View(Bytes(%v)) = %v, %v", want, got, err)
		}
	})
}

func TestPlain(t *testing.T) {
	type deep struct {
		A [3]struct {
			B int8
			C [0]*int
		}
		D complex128
	}
	check := func(name string, got, want bool) {
		if got != want {
			t.Errorf("Plain[%s] = %v", name, got)
		}
	}
	check("deep", mem.Plain[deep](), true)
	check("Addr", mem.Plain[mem.Addr](), true)
	check("bool", mem.Plain[bool](), true)
	check("pointer", mem.Plain[*int](), false)
	check("string", mem.Plain[string](), false)
	check("struct of func", mem.Plain[struct{ F func() }](), false)
	check("array of map", mem.Plain[[2]map[int]int](), false)
	check("interface", mem.Plain[any](), false)
	check("channel", mem.Plain[chan int](), false)
}

func TestSliceChecksWhatCGaveIt(t *testing.T) {
	b, err := mem.Alloc(64, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	a := mem.AddrOf(b.Bytes())
	if s, err := mem.Slice[int64](a, int32(8)); err != nil || len(s) != 8 || cap(s) != 8 {
		t.Errorf("Slice: len %d cap %d, %v", len(s), cap(s), err)
	}
	if s, err := mem.Slice[int64](mem.Addr(3), 0); s != nil || err != nil {
		t.Errorf("Slice of 0 at a wild address: %v, %v", s, err)
	}
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"negative", second(mem.Slice[int64](a, int32(-1))), isthmus.ErrBounds},
		{"nil", second(mem.Slice[int64](mem.Addr(0), 1)), isthmus.ErrInvalid},
		{"misaligned", second(mem.Slice[int64](a+4, 1)), isthmus.ErrInvalid},
		{"product overflows", second(mem.Slice[int64](a, uint64(math.MaxInt64/2))), isthmus.ErrBounds},
		{"more than int", second(mem.Slice[int64](a, uint64(math.MaxUint64))), isthmus.ErrBounds},
		{"wraps", second(mem.Slice[byte](^mem.Addr(15), 64)), isthmus.ErrBounds},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCheckedArithmeticAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(-2, 5), rapid.Int()), 0, 4).Draw(t, "factors")
		product, sum, negative := big.NewInt(1), new(big.Int), false
		for _, v := range f {
			product.Mul(product, big.NewInt(int64(v)))
			sum.Add(sum, big.NewInt(int64(v)))
			negative = negative || v < 0
		}
		check := func(name string, got int, err error, want *big.Int) {
			fits := !negative && want.IsInt64()
			if fits != (err == nil) || fits && int64(got) != want.Int64() {
				t.Fatalf("%s(%v) = %d, %v; want %v, fits %v", name, f, got, err, want, fits)
			}
		}
		got, err := mem.Mul(f...)
		check("Mul", got, err, product)
		got, err = mem.Add(f...)
		check("Add", got, err, sum)
		v := rapid.Int64().Draw(t, "v")
		if d, err := mem.To[int8](v); (err == nil) != (v >= -128 && v <= 127) || err == nil && int64(d) != v {
			t.Fatalf("To[int8](%d) = %d, %v", v, d, err)
		}
		if d, err := mem.To[uint64](v); (err == nil) != (v >= 0) || err == nil && d != uint64(v) {
			t.Fatalf("To[uint64](%d) = %d, %v", v, d, err)
		}
		u := rapid.Uint64().Draw(t, "u")
		if d, err := mem.To[int64](u); (err == nil) != (u <= math.MaxInt64) || err == nil && uint64(d) != u {
			t.Fatalf("To[int64](%d) = %d, %v", u, d, err)
		}
		if d, err := mem.Len(u); (err == nil) != (u <= math.MaxInt) || err == nil && uint64(d) != u {
			t.Fatalf("Len(%d) = %d, %v", u, d, err)
		}
	})
}

func TestProductsJustTooLarge(t *testing.T) {
	for _, f := range [][]int{{1 << 62, 2}, {1 << 32, 1 << 31}, {1 << 62, 3}, {1 << 62, 4}, {math.MaxInt, 2}, {1 << 21, 1 << 21, 1 << 21}} {
		if n, err := mem.Mul(f...); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("Mul(%v) = %d, %v", f, n, err)
		}
	}
	if n, err := mem.Mul(1<<31, 1<<31, 1); n != 1<<62 || err != nil {
		t.Errorf("Mul of what fits = %d, %v", n, err)
	}
}

func TestStringTrustsNothing(t *testing.T) {
	b, err := mem.Alloc(64, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	put := func(s string) mem.Addr {
		clear(b.Bytes())
		copy(b.Bytes(), s)
		return mem.AddrOf(b.Bytes())
	}
	tests := []struct {
		name, text string
		n          int64
		limit      int
		want       string
	}{
		{"plain", "hello", 5, 64, "hello"},
		{"no terminator in reach", "hello world", 5, 64, "hello"},
		{"NUL inside is kept", "a\x00b", 3, 64, "a\x00b"},
		{"NULs at the end go", "ab\x00\x00", 4, 64, "ab"},
		{"broken UTF-8", "a\xffb", 3, 64, "a\uFFFDb"},
		{"negative length", "hello", -1, 64, ""},
		{"length larger than the limit", "hello", math.MaxInt64, 3, "hel"},
		{"cut inside a rune", "caf\u00e9", 5, 4, "caf"},
		{"cut after a rune", "caf\u00e9!", 6, 5, "caf\u00e9"},
		{"no limit left", "hello", 5, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mem.String(put(tt.text), tt.n, tt.limit); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := mem.String(mem.Addr(0), 5, 64); got != "" {
		t.Errorf("nil address: %q", got)
	}
	if got := mem.CString(put("abc\x00def"), 64); got != "abc" {
		t.Errorf("CString: %q", got)
	}
	if got := mem.CString(put(strings.Repeat("x", 64)), 10); got != strings.Repeat("x", 10) {
		t.Errorf("CString without NUL: %q", got)
	}
	if got := mem.CString(mem.Addr(0), 10); got != "" {
		t.Errorf("CString of nil: %q", got)
	}
	if _, err := mem.Copy(put("abc"), 3, 2); !errors.Is(err, isthmus.ErrBounds) {
		t.Errorf("Copy over its limit: %v", err)
	}
	if got, err := mem.Copy(put("abc"), 3, 3); err != nil || string(got) != "abc" {
		t.Errorf("Copy: %q, %v", got, err)
	}
}

func FuzzString(f *testing.F) {
	f.Add([]byte("caf\xc3\xa9\x00\xff"), int64(7), 5)
	f.Add([]byte{}, int64(-1), -1)
	f.Add([]byte("\xf0\x9f\x98\x80"), int64(4), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int64, limit int) {
		// The true length bounds what native code may claim with a limit; a larger claim needs a smaller limit.
		if n > int64(len(data)) && limit > len(data) {
			limit = len(data)
		}
		var pin mem.Pin
		defer pin.Unpin()
		s := mem.String(mem.PinSlice(&pin, data), n, limit)
		if !utf8.ValidString(s) {
			t.Fatalf("%q is not UTF-8", s)
		}
		if strings.HasSuffix(s, "\x00") {
			t.Fatalf("%q ends in NUL", s)
		}
		if want := min(n, int64(limit)); int64(utf8.RuneCountInString(s)) > max(want, 0) {
			t.Fatalf("%q is longer than %d", s, want)
		}
		runtime.KeepAlive(data)
	})
}

func TestPinKeepsAnAddress(t *testing.T) {
	var pin mem.Pin
	s := make([]int64, 100)
	a := mem.PinSlice(&pin, s)
	runtime.GC()
	got, err := mem.Slice[int64](a, 100)
	if err != nil {
		t.Fatal(err)
	}
	got[3] = 7
	if s[3] != 7 {
		t.Error("the address is not the slice's")
	}
	if a := mem.PinSlice(&pin, []int64{}); a != 0 {
		t.Errorf("empty slice has address %#x", a)
	}
	pin.Unpin()
}

func TestChunksHammer(t *testing.T) {
	c, err := mem.NewChunks(256)
	if err != nil {
		t.Fatal(err)
	}
	const workers, rounds = 8, 5000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var held []mem.Addr
			for i := range rounds {
				a := c.Get()
				if a == 0 || a%256 != 0 {
					t.Errorf("Get: %#x", a)
					return
				}
				// Two owners of one piece would overwrite each other's mark.
				*mem.At[uint64](a) = uint64(w)<<32 | uint64(a)&0xffffffff
				held = append(held, a)
				if len(held) > i%7 {
					a := held[0]
					held = held[1:]
					if got := *mem.At[uint64](a); got != uint64(w)<<32|uint64(a)&0xffffffff {
						t.Errorf("piece %#x was given out twice: %#x", a, got)
						return
					}
					c.Put(a)
				}
			}
			for _, a := range held {
				c.Put(a)
			}
		})
	}
	wg.Wait()
	if made := c.Made(); made > 1024 {
		t.Errorf("%d pieces were made for at most %d in use", made, workers*8)
	}
}

func TestChunksModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := 1 << rapid.IntRange(6, 16).Draw(t, "log size")
		c, err := mem.NewChunks(size)
		if err != nil {
			t.Fatal(err)
		}
		out := map[mem.Addr]bool{}
		var order []mem.Addr
		most := 0
		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				if len(out) > 100 {
					t.Skip()
				}
				a := c.Get()
				for o := range out {
					if a < o+mem.Addr(size) && o < a+mem.Addr(size) {
						t.Fatalf("pieces %#x and %#x overlap", a, o)
					}
				}
				out[a] = true
				order = append(order, a)
				most = max(most, len(out))
			},
			"put": func(t *rapid.T) {
				if len(order) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				c.Put(order[i])
				delete(out, order[i])
				order = slices.Delete(order, i, i+1)
			},
			"": func(t *rapid.T) {
				perSlab := 1 << 16 / size
				if made := c.Made(); made > (most/perSlab+1)*perSlab {
					t.Fatalf("%d pieces made for %d in use", made, most)
				}
			},
		})
	})
	if _, err := mem.NewChunks(100); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("NewChunks(100): %v", err)
	}
}
