package metal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal"
	"github.com/isthmus-ffi/isthmus/mps/metal/kernels"
)

// source is our kernels as C++, with the table of their names.
func source() string {
	var b strings.Builder
	b.WriteString(kernels.Source())
	b.WriteString("\n#define LIST(X)")
	for _, n := range kernels.Names() {
		fmt.Fprintf(&b, " X(%s)", n)
	}
	b.WriteString("\nISTHMUS_KERNELS(LIST)\n")
	return b.String()
}

// compile makes a file of what the machine's C++ compiler makes of our kernels and what else is given.
func compile(t testing.TB, more string, flags ...string) string {
	t.Helper()
	cxx := os.Getenv("CXX")
	if cxx == "" {
		cxx = "c++"
	}
	if _, err := exec.LookPath(cxx); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no C++ compiler: %v", err)
		}
		t.Skipf("no C++ compiler: %v", err)
	}
	dir := t.TempDir()
	file, out := filepath.Join(dir, "kernels.cc"), filepath.Join(dir, "out")
	if err := os.WriteFile(file, []byte(source()+more), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"-std=c++20", "-O1", "-fno-strict-aliasing", "-Itestdata/shim", "-Wall", "-Wextra", "-Werror", "-Wno-attributes", file, "-o", out, "-pthread",
	}, flags...)
	if msg, err := exec.Command(cxx, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cxx, err, msg)
	}
	return out
}

func driver(t testing.TB, flags ...string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/shim/driver.cc")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text), flags...)
}

// host is memory of the tests.
type host struct{ b []byte }

func (h *host) Bytes() []byte { return h.b }
func (h *host) Free() error   { return nil }

// maker makes operands with strides and offsets that are not the least, and numbers in them.
type maker struct{ *rand.Rand }

func (r maker) matrix(t dtype.Type, count, rows, columns int) op.Matrix {
	e := t.Size()
	m := op.Matrix{Type: t, Rows: rows, Columns: columns, Count: count, Offset: e * r.IntN(5)}
	m.RowBytes = e * (columns + r.IntN(4))
	m.MatrixBytes = m.RowBytes * (rows + r.IntN(3))
	m.Storage = &host{make([]byte, m.Offset+(count-1)*m.MatrixBytes+(rows-1)*m.RowBytes+columns*e)}
	for i := range count {
		for j := range rows {
			for k := range columns {
				v := r.Float64()*4 - 2
				if t.IsInt() {
					v = float64(r.IntN(100))
				}
				put(m, i, j, k, v)
			}
		}
	}
	return m
}

func (r maker) vector(t dtype.Type, n int) op.Vector {
	m := r.matrix(t, 1, 1, n)
	return op.Vector{Storage: m.Storage, Type: t, Offset: m.Offset, Length: n, Count: 1, VectorBytes: m.MatrixBytes}
}

func row(v op.Vector) op.Matrix {
	return op.Matrix{Storage: v.Storage, Type: v.Type, Offset: v.Offset, Rows: 1, Columns: v.Length, Count: 1, RowBytes: v.VectorBytes}
}

func col(v op.Vector) op.Matrix {
	return op.Matrix{Storage: v.Storage, Type: v.Type, Offset: v.Offset, Rows: v.Length, Columns: 1, Count: 1, RowBytes: v.Type.Size()}
}

func place(m op.Matrix, i, r, c int) []byte {
	if m.Count == 1 {
		i = 0
	}
	at := m.Offset + i*m.MatrixBytes + r*m.RowBytes + c*m.Type.Size()
	return m.Storage.Bytes()[at : at+m.Type.Size()]
}

func raw(b []byte) (v uint64) {
	for i := range b {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func get(m op.Matrix, i, r, c int) float64 {
	v := raw(place(m, i, r, c))
	switch {
	case m.Type.IsFloat():
		return dtype.ToFloat64(m.Type, v)
	case m.Type.Kind() == dtype.Signed:
		s := 64 - m.Type.Bits()
		return float64(int64(v<<s) >> s)
	}
	return float64(v)
}

func put(m op.Matrix, i, r, c int, v float64) {
	w := uint64(int64(v))
	if m.Type.IsFloat() {
		w = dtype.FromFloat64(m.Type, v)
	}
	for k, b := 0, place(m, i, r, c); k < len(b); k++ {
		b[k] = byte(w >> (8 * k))
	}
}

// trial is an operation and what must be in its result, from the memory as it was before.
type trial struct {
	name   string
	op     op.Op
	result op.Matrix
	want   func(i, r, c int) float64
	ulps   float64 // of the result's type, of values of about 1
}

// trials are operations of every kernel. The wanted values are computed before, in float64.
func trials(r maker, small bool) []trial {
	var out []trial
	add := func(o op.Op, result op.Matrix, ulps float64, want func(i, r, c int) float64) {
		var values []float64
		for i := range result.Count {
			for j := range result.Rows {
				for k := range result.Columns {
					values = append(values, want(i, j, k))
				}
			}
		}
		n := fmt.Sprintf("%v/%v/%dx%dx%d/%d", o.Kind(), result.Type, result.Count, result.Rows, result.Columns, len(out))
		out = append(out, trial{n, o, result, func(i, j, k int) float64 { return values[(i*result.Rows+j)*result.Columns+k] }, ulps})
	}
	widths := []int{1, 2, 7, 8, 37, 130}
	if small {
		widths = []int{3, 21}
	}
	floats := []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}
	for n, width := range widths {
		t := floats[n%len(floats)]
		if small {
			t = dtype.F32
		}
		x, y := r.matrix(t, 2, 3, width), r.matrix(t, 2, 3, width)
		w, b := r.vector(t, width), r.vector(t, width)
		sum := func(i, j int, f func(float64) float64) (s float64) {
			for k := range width {
				s += f(get(x, i, j, k))
			}
			return s
		}
		exps := func(i, j int) float64 { return sum(i, j, math.Exp) }
		add(op.Softmax{Source: x, Result: y}, y, 4, func(i, j, k int) float64 { return math.Exp(get(x, i, j, k)) / exps(i, j) })
		add(op.Softmax{Source: x, Result: y, Log: true}, y, 16, func(i, j, k int) float64 { return get(x, i, j, k) - math.Log(exps(i, j)) })
		rms := func(i, j int) float64 {
			return math.Sqrt(sum(i, j, func(v float64) float64 { return v * v })/float64(width) + 1e-5)
		}
		add(op.RMSNorm{Source: x, Result: y, Weight: w, Epsilon: 1e-5}, y, 16, func(i, j, k int) float64 {
			return get(x, i, j, k) / rms(i, j) * get(row(w), 0, 0, k)
		})
		add(op.RMSNorm{Source: x, Result: y, Epsilon: 1e-5}, y, 16, func(i, j, k int) float64 { return get(x, i, j, k) / rms(i, j) })
		layer := func(i, j, k int) float64 {
			mean := sum(i, j, func(v float64) float64 { return v }) / float64(width)
			return (get(x, i, j, k) - mean) / math.Sqrt(sum(i, j, func(v float64) float64 { return (v - mean) * (v - mean) })/float64(width)+1e-2)
		}
		add(op.LayerNorm{Source: x, Result: y, Weight: w, Bias: b, Epsilon: 1e-2}, y, 64, func(i, j, k int) float64 {
			return layer(i, j, k)*get(row(w), 0, 0, k) + get(row(b), 0, 0, k)
		})
		add(op.LayerNorm{Source: x, Result: y, Epsilon: 1e-2}, y, 64, layer)
		for k := range min(width, 4) { // the k+1 largest, by sorting
			indices, values := r.matrix(dtype.U32, 2, 3, k+1), r.matrix(t, 2, 3, k+1)
			order := func(i, j int) []int {
				c := make([]int, width)
				for q := range c {
					c[q] = q
				}
				slices.SortStableFunc(c, func(a, b int) int {
					return -compare(get(x, i, j, a), get(x, i, j, b))
				})
				return c
			}
			add(op.TopK{Source: x, Indices: indices, Values: values, K: k + 1}, indices, 0, func(i, j, q int) float64 { return float64(order(i, j)[q]) })
			add(op.TopK{Source: x, Indices: indices, Values: values, K: k + 1}, values, 0, func(i, j, q int) float64 { return get(x, i, j, order(i, j)[q]) })
		}
		functions := []func(float64) float64{
			func(v float64) float64 { return v },
			func(v float64) float64 { return max(v, 0) },
			func(v float64) float64 { return 1 / (1 + math.Exp(-v)) },
			math.Tanh,
			func(v float64) float64 { return v / 2 * math.Erfc(-v/math.Sqrt2) },
			func(v float64) float64 { return v / (1 + math.Exp(-v)) },
		}
		for f, g := range functions {
			add(op.Neuron{Source: x, Result: y, Bias: b, Function: op.Function(f), Alpha: 1.5}, y, 8, func(i, j, k int) float64 {
				return g(1.5*get(x, i, j, k) + get(row(b), 0, 0, k))
			})
		}
		for _, many := range []int{1, 8, 19} {
			var sources []op.Matrix
			for range many {
				sources = append(sources, r.matrix(t, 2, 3, width))
			}
			add(op.Sum{Sources: sources, Result: y}, y, 64, func(i, j, k int) (s float64) {
				for _, m := range sources {
					s += get(m, i, j, k)
				}
				return s
			})
			add(op.Sum{Sources: sources, Result: sources[0]}, sources[0], 64, func(i, j, k int) (s float64) {
				for _, m := range sources {
					s += get(m, i, j, k)
				}
				return s
			})
		}
		z := r.matrix(t, 2, width, 3)
		add(op.Copy{Source: x, Result: z, Transpose: true}, z, 0, func(i, j, k int) float64 { return get(x, i, k, j) })
		if width%2 == 0 {
			for _, halves := range []bool{false, true} {
				const first = 5_000_000
				add(op.RoPE{Source: x, Result: y, Head: width, First: first, Base: 10000, Halves: halves}, y, 16, func(i, j, k int) float64 {
					p, c, d := k/2, k&^1, k|1
					if halves {
						p = k % (width / 2)
						c, d = p, p+width/2
					}
					turns := float64(first+j) * (math.Pow(10000, -2*float64(p)/float64(width)) / (2 * math.Pi))
					sn, cs := math.Sincos((turns - math.Floor(turns)) * 2 * math.Pi)
					if k == c {
						return get(x, i, j, c)*cs - get(x, i, j, d)*sn
					}
					return get(x, i, j, c)*sn + get(x, i, j, d)*cs
				})
			}
		}
		for trans := range 4 {
			tl, tr := trans&1 != 0, trans&2 != 0
			inner := 5 + 20*(n%2)
			l, g := r.matrix(t, 2, 3, inner), r.matrix(t, 1, inner, width)
			if tl {
				l = r.matrix(t, 2, inner, 3)
			}
			if tr {
				g = r.matrix(t, 1, width, inner)
			}
			product := func(i, j, k int) (s float64) {
				for q := range inner {
					v, w := [2]int{j, q}, [2]int{q, k}
					if tl {
						v = [2]int{q, j}
					}
					if tr {
						w = [2]int{k, q}
					}
					s += get(l, i, v[0], v[1]) * get(g, i, w[0], w[1])
				}
				return s
			}
			add(op.MatMul{Left: l, Right: g, Result: y, TransposeLeft: tl, TransposeRight: tr, Alpha: 0.5, Beta: 2}, y, 64, func(i, j, k int) float64 {
				return 0.5*product(i, j, k) + 2*get(y, i, j, k)
			})
		}
		v, u := r.vector(t, width), r.vector(t, 3)
		one := x
		one.Count = 1
		add(op.MatVec{Matrix: one, Vector: v, Result: u, Alpha: 1}, col(u), 64, func(_, j, _ int) (s float64) {
			for q := range width {
				s += get(one, 0, j, q) * get(row(v), 0, 0, q)
			}
			return s
		})
		keys := 4 + width%9
		q, k, vals := r.matrix(t, 2, 3, 6), r.matrix(t, 2, keys, 6), r.matrix(t, 1, keys, width)
		mask := r.matrix(t, 1, 3, keys)
		put(mask, 0, 1, 2, math.Inf(-1))
		for _, causal := range []bool{false, true} {
			add(op.Attention{Query: q, Key: k, Value: vals, Result: y, Mask: mask, Scale: 0.3, Causal: causal}, y, 64, func(i, j, c int) float64 {
				var s, all float64
				for m := range keys {
					if causal && m > j+keys-3 {
						continue
					}
					var d float64
					for e := range 6 {
						d += get(q, i, j, e) * get(k, i, m, e)
					}
					e := math.Exp(0.3*d + get(mask, 0, j, m))
					all += e
					s += e * get(vals, i, m, c)
				}
				return s / all
			})
		}
	}
	types := []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64}
	for _, from := range types {
		for _, to := range types {
			x, y := r.matrix(from, 1, 2, 9), r.matrix(to, 1, 2, 9)
			for j := range 9 {
				v := []float64{0, 1, 2.5, 100, 126.99, 3, 0.49, 7, 11}[j]
				if from.IsInt() {
					v = math.Trunc(v)
				}
				put(x, 0, 0, j, v)
			}
			add(op.Copy{Source: x, Result: y}, y, 0, func(i, j, k int) float64 {
				v := get(x, i, j, k)
				if to.IsFloat() {
					return dtype.ToFloat64(to, dtype.FromFloat64(to, v))
				}
				if to.Kind() == dtype.Unsigned && v < 0 {
					if from.IsFloat() {
						return 0
					}
					return float64(uint64(int64(v)) & (1<<to.Bits() - 1))
				}
				return math.Trunc(v)
			})
		}
	}
	for _, t := range types {
		y := r.matrix(t, 2, 3, 5)
		a := make([]uint64, 30)
		for e := range a {
			w := philox(0x123456789abcdef, uint64(e/4))
			a[e] = uint64(w[e%4])
			if t.Size() == 8 {
				w = philox(0x123456789abcdef, uint64(e/2))
				a[e] = uint64(w[e%2*2]) | uint64(w[e%2*2+1])<<32
			}
		}
		if t.IsInt() {
			add(op.Random{Result: y, Seed: 0x123456789abcdef}, y, 0, func(i, j, k int) float64 {
				m := op.Matrix{Storage: &host{binary.LittleEndian.AppendUint64(nil, a[(i*3+j)*5+k])}, Type: t, Count: 1, Rows: 1, Columns: 1}
				return get(m, 0, 0, 0)
			})
			continue
		}
		add(op.Random{Result: y, Seed: 0x123456789abcdef, Distribution: op.Uniform, A: -1, B: 3}, y, 4, func(i, j, k int) float64 {
			return -1 + 4*float64(a[(i*3+j)*5+k]>>8)/(1<<24)
		})
		add(op.Random{Result: y, Seed: 0x123456789abcdef, Distribution: op.Normal, A: 0.5, B: 2}, y, 16, func(i, j, k int) float64 {
			e := (i*3+j)*5 + k
			w := philox(0x123456789abcdef, uint64(e/4))
			u, v := float64(w[e&2]>>8+1)/(1<<24), float64(w[e&2+1]>>8)/(1<<24)
			sn, cs := math.Sincos(2 * math.Pi * v)
			return 0.5 + 2*math.Sqrt(-2*math.Log(u))*[2]float64{cs, sn}[e&1]
		})
	}
	return out
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// philox is Philox 4x32-10 as its authors give it.
func philox(seed, counter uint64) [4]uint32 {
	w := [4]uint32{uint32(counter), uint32(counter >> 32)}
	k := [2]uint32{uint32(seed), uint32(seed >> 32)}
	for range 10 {
		h0, l0 := bits.Mul32(0xD2511F53, w[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, w[2])
		w = [4]uint32{h1 ^ w[1] ^ k[0], l1, h0 ^ w[3] ^ k[1], l0}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return w
}

// run has the driver compute all trials, and compares. The error is the driver's: a sanitizer's report, say.
func run(t *testing.T, file string, threads int, env []string, all []trial) error {
	t.Helper()
	var in bytes.Buffer
	type answer struct {
		memory []op.Storage
		calls  int
	}
	var answers []answer
	for _, c := range all {
		program, memory, calls, err := metal.Program(c.op, threads)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		in.Write(program)
		answers = append(answers, answer{memory, calls})
	}
	var out, msg bytes.Buffer
	cmd := exec.Command(file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &msg
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, msg.Bytes())
	}
	for n, a := range answers {
		c := all[n]
		before := map[*host][]byte{}
		for range a.calls {
			var rc int32
			if err := binary.Read(&out, binary.LittleEndian, &rc); err != nil || rc != 0 {
				t.Fatalf("%s: a kernel gave %d (%v)", c.name, rc, err)
			}
		}
		for _, m := range a.memory {
			size := metal.TempSize(m)
			if h, ok := m.(*host); ok {
				size, before[h] = len(h.b), bytes.Clone(h.b)
			}
			b := make([]byte, size)
			if _, err := io.ReadFull(&out, b); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if h, ok := m.(*host); ok {
				copy(h.b, b)
			}
		}
		if bad := differs(c); bad != "" {
			t.Errorf("%s: %s", c.name, bad)
		}
		for h, b := range before { // as it was, for the next
			copy(h.b, b)
		}
	}
	return nil
}

func differs(c trial) string {
	eps := map[dtype.Type]float64{dtype.F32: 0x1p-23, dtype.F16: 0x1p-10, dtype.BF16: 0x1p-7}[c.result.Type]
	for i := range c.result.Count {
		for j := range c.result.Rows {
			for k := range c.result.Columns {
				g, w := get(c.result, i, j, k), c.want(i, j, k)
				if g != w && !(math.Abs(g-w) <= eps*c.ulps*(1+math.Abs(w))) {
					return fmt.Sprintf("matrix %d, row %d, column %d is %v, not %v", i, j, k, g, w)
				}
			}
		}
	}
	return ""
}

// TestM11KernelsAddress runs every kernel under the address and the undefined behaviour sanitizers: buffers end with their last element.
func TestM11KernelsAddress(t *testing.T) {
	if testing.Short() {
		t.Skip("a sanitizer of its own: not for the short lanes")
	}
	file := driver(t, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
	r := maker{rand.New(rand.NewPCG(1, 2))}
	for _, threads := range []int{1, 7, 32} {
		if err := run(t, file, threads, []string{"ASAN_OPTIONS=detect_stack_use_after_return=0"}, trials(r, false)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestM11KernelsThreads runs every kernel under the thread sanitizer, a thread for each of Metal's, then each barrier is left out in
// turn, and the sanitizer must say so.
func TestM11KernelsThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("a sanitizer of its own: not for the short lanes")
	}
	file := driver(t, "-g", "-fsanitize=thread", "-DISTHMUS_MSL_THREADS")
	all := trials(maker{rand.New(rand.NewPCG(3, 4))}, true)
	options := "TSAN_OPTIONS=halt_on_error=1 exitcode=66"
	if err := run(t, file, 5, []string{options}, all); err != nil {
		t.Fatal(err)
	}
	meeting := all[:0:0] // those whose kernels have barriers
	kinds := map[op.Kind]bool{}
	for _, c := range all {
		switch k := c.op.Kind(); k {
		case op.KindLogSoftmax, op.KindLayerNorm, op.KindTopK, op.KindMatMul, op.KindAttention:
			if c.result.Columns > 1 && !kinds[k] {
				kinds[k], meeting = true, append(meeting, c)
			}
		}
	}
	barriers := 0
	for i, line := range strings.Split(source(), "\n") {
		if !strings.Contains(line, "threadgroup_barrier(") {
			continue
		}
		barriers++
		err := run(t, file, 5, []string{options, "ISTHMUS_MSL_SKIP=" + strconv.Itoa(i+1)}, meeting)
		if err == nil || !strings.Contains(err.Error(), "data race") {
			t.Errorf("line %d: the barrier is left out, and the thread sanitizer says %v", i+1, err)
		}
	}
	if barriers < 10 {
		t.Errorf("%d barriers in the source; the test does not find them", barriers)
	}
}
