package mps_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// chooser gives small numbers, from bytes or at random.
type chooser func(n int) int

// operands are what anything is tried on: several types and shapes, with views of the same memory among them.
type operands struct {
	all     []*mps.Matrix
	vectors []*mps.Vector
}

func anything(t testing.TB, d *mps.Device, pick chooser) *operands {
	o := &operands{all: []*mps.Matrix{nil, {}}, vectors: []*mps.Vector{nil, {}}}
	types := []dtype.Type{dtype.F32, dtype.F32, dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.U32, dtype.I64}
	for range 6 {
		l := mps.Layout{Type: types[pick(len(types))], Rows: 1 + pick(5), Columns: 1 + pick(5), Count: 1 + pick(3)}
		if pick(2) == 0 {
			l.RowBytes = (l.Columns + pick(3)) * l.Type.Size()
		}
		m := zeros(t, d, l)
		o.all = append(o.all, m)
		for range 2 {
			v, err := m.View(pick(l.Rows), pick(l.Columns), 1+pick(l.Rows), 1+pick(l.Columns))
			if err == nil {
				o.all = append(o.all, v)
			} else if !errors.Is(err, isthmus.ErrBounds) {
				t.Fatal(err)
			}
		}
		v, err := m.Vectors()
		if err == nil {
			o.vectors = append(o.vectors, v)
		}
	}
	return o
}

// any1 records one operation with whatever comes.
func (o *operands) any1(b *mps.Batch, pick chooser) {
	m := func() *mps.Matrix { return o.all[pick(len(o.all))] }
	v := func() *mps.Vector { return o.vectors[pick(len(o.vectors))] }
	yes := func() bool { return pick(2) == 0 }
	f := func() float64 { return []float64{0, 1, -2, 1e-5, math.NaN(), math.Inf(1), 1e300}[pick(7)] }
	switch pick(20) {
	case 0, 1, 2:
		b.MatMul(m(), m(), m(), mps.MatMulOptions{TransposeLeft: yes(), TransposeRight: yes(), Alpha: f(), Beta: f()})
	case 3:
		b.MatVec(v(), m(), v(), mps.MatVecOptions{Transpose: yes(), Alpha: f(), Beta: f()})
	case 4:
		b.Softmax(m(), m())
	case 5:
		b.LogSoftmax(m(), m())
	case 6:
		b.RMSNorm(m(), m(), v(), f())
	case 7:
		b.LayerNorm(m(), m(), v(), v(), f())
	case 8:
		b.Neuron(m(), m(), v(), mps.Function(pick(8)), f())
	case 9:
		b.RoPE(m(), m(), mps.RoPEOptions{Head: pick(6), First: pick(9) - 1, Base: f(), Halves: yes()})
	case 10:
		b.Attention(m(), m(), m(), m(), mps.AttentionOptions{Scale: f(), Causal: yes(), Mask: m()})
	case 11:
		b.Sum(m(), m(), m())
	case 12:
		b.TopK(m(), m(), m(), pick(19)-1)
	case 13:
		b.Copy(m(), m(), yes())
	case 14:
		b.Bits(m(), uint64(pick(256)))
	case 15:
		b.Normal(m(), uint64(pick(256)), f(), f())
	case 16:
		b.Uniform(m(), uint64(pick(256)), f(), f())
	case 17:
		x, z, y, p := m(), m(), m(), m()
		b.LU(z, p, x)
		b.SolveLU(y, z, p, y, yes())
	case 18:
		x, z, y := m(), m(), m()
		b.Cholesky(z, x, yes())
		b.SolveCholesky(y, z, y, yes())
	case 19:
		b.SolveTriangular(m(), m(), m(), mps.SolveOptions{Upper: yes(), Transpose: yes(), Unit: yes(), OnRight: yes(), Alpha: f()})
	}
}

// try runs a batch of anything: it works, or the error has a type; afterwards everything is the host's. It reports whether it worked.
func (o *operands) try(t testing.TB, d *mps.Device, pick chooser) bool {
	err := d.Do(t.Context(), func(b *mps.Batch) error {
		for range 1 + pick(2) {
			o.any1(b, pick)
		}
		return nil
	})
	var refused *mps.Error
	var numbers *mps.OpError
	if err != nil && !errors.As(err, &refused) && !(errors.As(err, &numbers) && (errors.Is(err, mps.ErrSingular) || errors.Is(err, mps.ErrNotPositiveDefinite))) {
		t.Errorf("%T %v", err, err)
	}
	for _, m := range o.all[2:] {
		if l := m.Layout(); l.Type.IsFloat() {
			if err := m.Read(make([]float32, l.Count*l.Rows*l.Columns)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return err == nil
}

// Whatever operands come together: an error with a type, or a result. The suite in mpstest says that results are right.
func TestM13M15Anything(t *testing.T) {
	d := open(t, mps.Options{})
	r := rand.New(rand.NewPCG(3, 4))
	worked, rounds := 0, 60
	if testing.Short() {
		rounds = 15
	}
	for range rounds {
		t.Run("", func(t *testing.T) {
			o := anything(t, d, r.IntN)
			for range 100 {
				if o.try(t, d, r.IntN) {
					worked++
				}
			}
		})
	}
	if worked < rounds {
		t.Errorf("only %d batches of %d worked", worked, 100*rounds)
	}
}

func FuzzBatch(f *testing.F) {
	for _, seed := range []string{"", "0123456789abcdefghijklmnopqrstuvwxyz", "\x00\x00\x01\x01\x02\x02\x00\x00\x11\x11\x11\x04\x04\x04\x04\x04\x04"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := open(t, mps.Options{})
		pick := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			v := int(data[0]) % n
			data = data[1:]
			return v
		}
		o := anything(t, d, pick)
		for first := true; first || len(data) > 0; first = false {
			o.try(t, d, pick)
		}
	})
}

// Thousands of batches of every operation leave nothing alive.
func TestM12NothingIsLeft(t *testing.T) {
	before := isthmus.Live()
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	t.Run("", func(t *testing.T) {
		d := open(t, mps.Options{})
		for i := range rounds {
			everything(t, d, i)
		}
	})
	if err := isthmus.Live().Since(before).Err(); err != nil {
		t.Error(err)
	}
}

func everything(t *testing.T, d *mps.Device, round int) {
	x, err := mps.MatrixOf(d, 2, 2, []float32{4, 1, 1, 3})
	if err != nil {
		t.Fatal(err)
	}
	y, z, p := mustNew(t, d, dtype.F32, 2, 2), mustNew(t, d, dtype.F32, 2, 2), mustNew(t, d, dtype.U32, 1, 2)
	i, v := mustNew(t, d, dtype.U32, 2, 1), mustNew(t, d, dtype.F32, 2, 1)
	w, err := mps.VectorOf(d, []float32{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	u, err := d.NewVector(2, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Do(t.Context(), func(b *mps.Batch) error {
		b.MatMul(z, x, x, mps.MatMulOptions{})
		b.MatVec(u, x, w, mps.MatVecOptions{})
		b.Softmax(z, z)
		b.LogSoftmax(z, z)
		b.RMSNorm(z, z, w, 1e-5)
		b.LayerNorm(z, z, w, u, 1e-5)
		b.Neuron(z, z, w, mps.GELU, 0)
		b.RoPE(z, z, mps.RoPEOptions{Head: 2})
		b.Attention(y, z, x, x, mps.AttentionOptions{Causal: true})
		b.Sum(z, y, x)
		b.TopK(i, v, z, 1)
		b.Copy(y, z, true)
		b.Normal(y, 1, 0, 1)
		b.Cholesky(z, x, true)
		b.SolveCholesky(y, z, y, true)
		b.SolveTriangular(y, z, y, mps.SolveOptions{})
		b.LU(z, p, x)
		b.SolveLU(y, z, p, y, false)
		if round%7 == 0 {
			b.Softmax(y, i) // wrong
		}
		return nil
	})
	if want := round%7 == 0; (err != nil) != want {
		t.Fatal(err)
	}
	for _, c := range []interface{ Close() error }{x, y, z, p, i, v, w, u} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func mustNew(t *testing.T, d *mps.Device, typ dtype.Type, rows, columns int) *mps.Matrix {
	m, err := d.NewMatrix(rows, columns, typ)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
