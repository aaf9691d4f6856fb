package dtype_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// fixture holds SHA-256 hashes of what ml_dtypes (numpy for f16) makes of the inputs below: see testdata/gen.py. F64 is
// of a rounding by table, because ml_dtypes goes through float32 there and rounds twice.
type fixture struct {
	Decode  string   `json:"decode"`
	F32     string   `json:"f32"`
	F64     string   `json:"f64"`
	Special []uint64 `json:"special"` // nan, inf, -inf, 0, -0
}

func fixtures(t *testing.T) map[dtype.Type]fixture {
	t.Helper()
	data, err := os.ReadFile("testdata/mldtypes.json")
	if err != nil {
		t.Fatal(err)
	}
	var byName map[string]fixture
	if err := json.Unmarshal(data, &byName); err != nil {
		t.Fatal(err)
	}
	byType := map[dtype.Type]fixture{}
	for name, f := range byName {
		typ, err := dtype.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		byType[typ] = f
	}
	for _, typ := range dtype.All() {
		if _, ok := byType[typ]; typ.IsFloat() && typ.Bits() <= 16 && !ok {
			t.Errorf("no fixture for %v", typ)
		}
	}
	return byType
}

// Every code of every small format decodes to ml_dtypes' value.
func TestToFloat64(t *testing.T) {
	for typ, want := range fixtures(t) {
		h := sha256.New()
		var b [8]byte
		for code := range uint64(1) << typ.Bits() {
			v := math.Float64bits(dtype.ToFloat64(typ, code))
			if math.IsNaN(math.Float64frombits(v)) {
				v = 0x7ff8000000000000
			}
			binary.LittleEndian.PutUint64(b[:], v)
			h.Write(b[:])
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.Decode {
			t.Errorf("%v: decoding differs from ml_dtypes", typ)
		}
	}
}

// Every float32 of 65,536 leading halves and 12 tails (exact, next to ties, ties) encodes as ml_dtypes does.
func TestFromFloat32(t *testing.T) {
	tails := []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1000, 0xfff, 0x1001, 0x2fff, 0x3000, 0x3001}
	for typ, want := range fixtures(t) {
		h := sha256.New()
		var b [2]byte
		for _, tail := range tails {
			for hi := range uint32(1 << 16) {
				v := math.Float32frombits(hi<<16 | tail)
				var code uint64
				// ml_dtypes rounds up every subnormal float32 above 2^-127 for f8E8M0FNU; here the nearest is taken.
				subnormal := typ == dtype.F8E8M0FNU && math.Abs(float64(v)) < 0x1p-126
				if v == v && !subnormal {
					code = dtype.FromFloat64(typ, float64(v))
				}
				binary.LittleEndian.PutUint16(b[:], uint16(code))
				h.Write(b[:])
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.F32 {
			t.Errorf("%v: encoding of float32 differs from ml_dtypes", typ)
		}
	}
}

// float64 inputs around every tie of 12 bits, at the exponents where the formats begin and end, are rounded once.
func TestFromFloat64(t *testing.T) {
	tails := []uint64{0, 1, 1<<41 - 1, 1 << 40, 1<<40 - 1, 1<<40 + 1}
	for typ, want := range fixtures(t) {
		h := sha256.New()
		var b [2]byte
		for _, sign := range []uint64{0, 1 << 63} {
			for _, tail := range tails {
				for _, exps := range [][2]int{{-140, -120}, {-30, 20}, {120, 130}} {
					for e := exps[0]; e <= exps[1]; e++ {
						for m := range uint64(2048) {
							v := math.Float64frombits(sign | uint64(e+1023)<<52 | m<<41 | tail)
							binary.LittleEndian.PutUint16(b[:], uint16(dtype.FromFloat64(typ, v)))
							h.Write(b[:])
						}
					}
				}
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.F64 {
			t.Errorf("%v: encoding of float64 differs from ml_dtypes", typ)
		}
	}
}

func TestFromFloat64Special(t *testing.T) {
	in := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)}
	for typ, want := range fixtures(t) {
		for i, v := range in {
			if got := dtype.FromFloat64(typ, v); got != want.Special[i] {
				t.Errorf("FromFloat64(%v, %v) = %#x, want %#x", typ, v, got, want.Special[i])
			}
		}
	}
}

func TestWideFloats(t *testing.T) {
	for _, v := range []float64{0, 1, -1.5, 1e300, 5e-324, math.Inf(-1), 0.1} {
		if got := dtype.ToFloat64(dtype.F64, dtype.FromFloat64(dtype.F64, v)); got != v {
			t.Errorf("f64 %v came back as %v", v, got)
		}
		if got := dtype.ToFloat64(dtype.F32, dtype.FromFloat64(dtype.F32, v)); got != float64(float32(v)) {
			t.Errorf("f32 %v came back as %v", v, got)
		}
	}
	if got := dtype.FromFloat64(dtype.I32, 1); got != 0 {
		t.Errorf("FromFloat64(i32, 1) = %d, want 0", got)
	}
	if got := dtype.ToFloat64(dtype.I32, 1); !math.IsNaN(got) {
		t.Errorf("ToFloat64(i32, 1) = %v, want NaN", got)
	}
}
