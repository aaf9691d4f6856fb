package metal_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/metal"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
	"github.com/isthmus-ffi/isthmus/internal/raw/objcdouble"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t testing.TB) (*metal.System, *objcdouble.Double) {
	t.Helper()
	d := objcdouble.Open(t)
	s, err := metal.Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	d.Arm(objcdouble.None, 0, 0)
	double = d
	if err := kernels(); err != nil {
		t.Fatal(err)
	}
	return s, d
}

// bench is what operations need: closed in one go.
type bench struct {
	p      *metal.Pool
	s      *metal.System
	d      *metal.Device
	q      *metal.Queue
	c      *metal.CommandBuffer
	closer []func() error
	done   chan struct{}
}

func (b *bench) close() (err error) {
	for _, f := range slices.Backward(b.closer) {
		err = errors.Join(err, f())
	}
	return err
}

// begin makes device, queue and command buffer.
func (b *bench) begin() (err error) {
	if b.d, err = own(b.s.DefaultDevice(b.p))(b); err != nil {
		return err
	}
	if b.q, err = own(b.d.NewQueue(b.p, 8))(b); err != nil {
		return err
	}
	if b.c, err = own(b.q.CommandBuffer(b.p))(b); err != nil {
		return err
	}
	b.done = make(chan struct{})
	return b.c.OnCompleted(b.p, func() { close(b.done) })
}

// end commits and waits.
func (b *bench) end() error {
	if err := b.c.Commit(b.p); err != nil {
		return err
	}
	<-b.done
	if s, err := b.c.Status(b.p); err != nil || s == metal.MTLCommandBufferStatusCompleted {
		if err == nil {
			_, _, err = b.c.Times(b.p)
		}
		return err
	}
	e, err := b.c.NSError(b.p)
	if err == nil && e == nil {
		err = errors.New("the buffer failed and says not why")
	}
	if err != nil {
		return err
	}
	return e
}

// matrix is rows x columns of float32 in a buffer of its own.
func (b *bench) matrix(rows, columns int, of func(i, j int) float32) (*metal.Matrix, *metal.Buffer, error) {
	data := make([]byte, 4*rows*columns)
	for i := range rows {
		for j := range columns {
			binary.LittleEndian.PutUint32(data[4*(i*columns+j):], math.Float32bits(of(i, j)))
		}
	}
	buf, err := own(b.d.NewBufferOf(b.p, data, metal.Shared))(b)
	if err != nil {
		return nil, nil, err
	}
	m, err := b.view(buf, rows, columns, metal.MPSDataTypeFloat32)
	return m, buf, err
}

func (b *bench) view(buf *metal.Buffer, rows, columns int, t uint32) (*metal.Matrix, error) {
	d, err := own(b.s.NewMatrixDescriptor(b.p, rows, columns, 1, 4*columns, 4*rows*columns, t))(b)
	if err != nil {
		return nil, err
	}
	return own(b.s.NewMatrix(b.p, buf, 0, d))(b)
}

func (b *bench) vector(buf *metal.Buffer, n int) (*metal.Vector, error) {
	d, err := own(b.s.NewVectorDescriptor(b.p, n, 1, 4*n, metal.MPSDataTypeFloat32))(b)
	if err != nil {
		return nil, err
	}
	return own(b.s.NewVector(b.p, buf, 0, d))(b)
}

// read returns what is in a buffer.
func (b *bench) read(buf *metal.Buffer) ([]float32, error) {
	raw, err := buf.Bytes(b.p)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

const n = 3

// a is a well conditioned, symmetric, positive definite matrix.
func a(i, j int) float32 {
	if i == j {
		return float32(4 + i)
	}
	return 1 / float32(1+i+j)
}

func zero(int, int) float32 { return 0 }

// everything encodes each kernel once, and checks the results when there was no fault.
func everything(b *bench, check bool) error {
	if err := b.begin(); err != nil {
		return err
	}
	p, d := b.p, b.d
	type operand struct {
		m *metal.Matrix
		b *metal.Buffer
	}
	var err error
	make := func(of func(i, j int) float32) (o operand) {
		if err == nil {
			o.m, o.b, err = b.matrix(n, n, of)
		}
		return o
	}
	src, prod, soft, logs, neur, sums, chol, lud, sol := make(a), make(zero), make(zero), make(zero), make(zero), make(zero), make(zero), make(zero), make(zero)
	sol2, sol3, cop, rnd, vals, idx, piv, vec, out, stat := make(zero), make(zero), make(zero), make(zero), make(zero), make(zero), make(zero), make(a), make(zero), make(zero)
	if err != nil {
		return err
	}
	indices, err := b.view(idx.b, n, n, metal.MPSDataTypeUInt32)
	if err != nil {
		return err
	}
	pivots, err := b.view(piv.b, 1, n, metal.MPSDataTypeUInt32)
	if err != nil {
		return err
	}
	x, err := b.vector(vec.b, n)
	if err != nil {
		return err
	}
	y, err := b.vector(out.b, n)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error {
			k, err := own(d.NewMatMul(p, false, true, n, n, n, 2, 0))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, src.m, prod.m) })
		},
		func() error {
			k, err := own(d.NewMatVec(p, false, n, n, 1, 0))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, x, y) })
		},
		func() error {
			k, err := own(d.NewSoftMax(p, false, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, soft.m) })
		},
		func() error {
			k, err := own(d.NewSoftMax(p, true, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, logs.m) })
		},
		func() error {
			k, err := own(d.NewNeuron(p, n, n, metal.MPSCNNNeuronTypeReLU, 0, 0, 0, -1))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, nil, neur.m) })
		},
		func() error {
			k, err := own(d.NewSum(p, 2, n, n))(b)
			return then(err, func() error { return k.Encode(p, b.c, []*metal.Matrix{src.m, src.m}, sums.m) })
		},
		func() error {
			k, err := own(d.NewTopK(p, 1, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, indices, vals.m) })
		},
		func() error {
			k, err := own(d.NewCholesky(p, true, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, chol.m, stat.b) })
		},
		func() error {
			k, err := own(d.NewLU(p, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, src.m, lud.m, pivots, stat.b) })
		},
		func() error {
			k, err := own(d.NewSolveTriangular(p, false, false, false, false, n, n, 1))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, chol.m, src.m, sol.m) })
		},
		func() error {
			k, err := own(d.NewSolveCholesky(p, false, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, chol.m, src.m, sol2.m) })
		},
		func() error {
			k, err := own(d.NewSolveLU(p, false, n, n))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, lud.m, src.m, pivots, sol3.m) })
		},
		func() error {
			k, err := own(d.NewCopy(p, n, n, true, false))(b)
			if err != nil {
				return err
			}
			c, err := own(b.s.NewCopyDescriptor(p, src.m, cop.m))(b)
			return then(err, func() error { return k.Encode(p, b.c, c) })
		},
		func() error {
			u, err := own(b.s.Uniform(p, 1, 2))(b)
			if err != nil {
				return err
			}
			k, err := own(d.NewRandom(p, metal.MPSDataTypeFloat32, 7, u))(b)
			return then(err, func() error { return k.SetBatch(p, 0, 1) }, func() error { return k.Encode(p, b.c, rnd.m) })
		},
		b.end,
	}
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	if !check {
		return nil
	}
	near := func(name string, o operand, want func(i, j int) float64) error {
		got, err := b.read(o.b)
		for i := range n {
			for j := range n {
				if err == nil && math.Abs(float64(got[i*n+j])-want(i, j)) > 1e-5 {
					err = errors.New(name + ": wrong")
				}
			}
		}
		return err
	}
	f := func(i, j int) float64 { return float64(a(i, j)) }
	identity := func(i, j int) float64 {
		if i == j {
			return 1
		}
		return 0
	}
	product := func(i, j int) (s float64) {
		for k := range n {
			s += 2 * f(i, k) * f(j, k)
		}
		return s
	}
	total := func(i int) (s float64) {
		for k := range n {
			s += math.Exp(f(i, k))
		}
		return s
	}
	return errors.Join(
		near("matmul", prod, product),
		near("softmax", soft, func(i, j int) float64 { return math.Exp(f(i, j)) / total(i) }),
		near("log softmax", logs, func(i, j int) float64 { return f(i, j) - math.Log(total(i)) }),
		near("relu", neur, func(i, j int) float64 { return 0 }),
		near("sum", sums, func(i, j int) float64 { return 2 * f(i, j) }),
		near("copy", cop, f),
		near("solve Cholesky", sol2, identity),
		near("solve LU", sol3, identity),
		near("matvec", out, func(i, j int) float64 {
			if i > 0 {
				return 0
			}
			return product(j, 0) / 2
		}),
	)
}

// own keeps what was made, to be closed at the end.
func own[T interface{ Close() error }](v T, err error) func(b *bench) (T, error) {
	return func(b *bench) (T, error) {
		if err == nil {
			b.closer = append(b.closer, v.Close)
		}
		return v, err
	}
}

// then runs steps until one fails.
func then(err error, steps ...func() error) error {
	for _, s := range steps {
		if err == nil {
			err = s()
		}
	}
	return err
}

// once runs everything in one pool, and a kernel from source in another.
func once(s *metal.System, check bool) error {
	for _, f := range []func(*bench, bool) error{everything, compute} {
		err := s.Pool(func(p *metal.Pool) (err error) {
			b := &bench{p: p, s: s}
			defer func() { err = errors.Join(err, b.close()) }()
			return f(b, check)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const source = "kernel void fill(constant uint &v [[buffer(0)]], device uint *to [[buffer(1)]]) { to[0] = v; } // fill too"

// fill is that kernel as the doubles run it: it counts its threads.
const fill = `
#include <stdint.h>
#include <string.h>
int isthmus_msl_has(const char *n) { return !strcmp(n, "fill"); }
int isthmus_msl_run(const char *n, void *const *b, const uint64_t *s, int c, const uint64_t *g, const uint64_t *t) {
  if (!b[0] || s[0] != 4 || !b[1] || s[1] < 8) return -2;
  ((uint32_t *)b[1])[0] = *(uint32_t *)b[0];
  ((uint32_t *)b[1])[1] = g[0] * 100000 + g[1] * 10000 + g[2] * 1000 + t[0] * 100 + t[1] * 10 + t[2];
  return 0;
}
`

// compute compiles a kernel and runs it.
func compute(b *bench, check bool) error {
	if err := b.begin(); err != nil {
		return err
	}
	p, d := b.p, b.d
	lib, err := own(d.NewLibrary(p, source))(b)
	if err != nil {
		return err
	}
	fn, err := own(lib.NewFunction(p, "fill"))(b)
	if err != nil {
		return err
	}
	state, err := own(d.NewPipeline(p, fn))(b)
	if err != nil {
		return err
	}
	buf, err := own(d.NewBuffer(p, 64, metal.Shared))(b)
	if err != nil {
		return err
	}
	e, err := own(b.c.Encoder(p))(b)
	if err != nil {
		return err
	}
	err = then(nil,
		func() error { return e.SetPipeline(p, state) },
		func() error { return e.SetBytes(p, []byte{1, 2, 3, 4}, 0) },
		func() error { return e.SetBuffer(p, buf, 16, 1) },
		func() error { return e.SetThreadgroupMemory(p, 32, 0) },
		func() error { return e.Dispatch(p, [3]int{1, 2, 3}, [3]int{4, 5, 6}) },
	)
	if err = errors.Join(err, e.End(p)); err != nil {
		return err
	}
	if err := b.end(); err != nil || !check {
		return err
	}
	got, err := buf.Bytes(p)
	if err == nil && (binary.LittleEndian.Uint32(got[16:]) != 0x04030201 || binary.LittleEndian.Uint32(got[20:]) != 123456) {
		err = fmt.Errorf("the kernel wrote % x", got[:32])
	}
	return err
}

// kernels compiles what stands for the source's library, once.
var kernels = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "isthmus-kernels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, lib := filepath.Join(dir, "fill.c"), filepath.Join(dir, "fill.so")
	if err := os.WriteFile(file, []byte(fill), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command(cmp.Or(os.Getenv("CC"), "gcc"), "-O1", "-fPIC", "-shared", file, "-o", lib).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return double.Source(source, lib)
})

var double *objcdouble.Double

func fine(t *testing.T, s *metal.System, d *objcdouble.Double, live int) {
	t.Helper()
	if n := d.Live(); n != live {
		t.Fatalf("%d objects are alive, want %d", n, live)
	}
	if n, last := d.Misuses(); n != 0 {
		t.Fatalf("%d misuses: %s", n, last)
	}
	if n := d.Overlaps(); n != 0 {
		t.Fatalf("%d overlaps", n)
	}
}

func TestM06M17Everything(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	if err := once(s, true); err != nil {
		t.Fatal(err)
	}
	if p := s.Problems(); len(p) > 0 {
		t.Errorf("the doubles are not as the facts say: %v", p)
	}
	fine(t, s, d, live)
}

func TestM12AThousandTimes(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	times := 1000
	if testing.Short() {
		times = 50
	}
	for range times {
		if err := once(s, false); err != nil {
			t.Fatal(err)
		}
	}
	fine(t, s, d, live)
}

// TestM02M03M12M18EachFault lets each call fail in each way.
func TestM02M03M12M18EachFault(t *testing.T) {
	s, d := open(t)
	for name, fault := range map[string]objcdouble.Fault{
		"nil": objcdouble.Nil, "error": objcdouble.Error, "exception": objcdouble.Throw, "C++": objcdouble.ThrowCxx, "other": objcdouble.ThrowOther, "evil": objcdouble.ThrowEvil,
	} {
		t.Run(name, func(t *testing.T) {
			live := d.Live() // what initialisers that threw have left
			d.Arm(fault, 1<<30, 0)
			if err := once(s, false); err != nil {
				t.Fatal(err)
			}
			calls := d.Calls()
			if n := d.Live(); n != live {
				t.Fatalf("%d objects are alive, want %d", n, live)
			}
			step := 1
			if testing.Short() {
				step = 5
			}
			for at := 0; at < calls; at += step {
				abandoned := s.Runtime().Abandoned()
				d.Arm(fault, at, 0)
				err := once(s, false)
				if !d.Fired() {
					t.Fatalf("%d: no fault", at)
				}
				var x *isthmus.Exception
				thrown := errors.As(err, &x)
				switch {
				case fault == objcdouble.Throw && (!thrown || x.Name != "NSInternalInconsistencyException" || !strings.Contains(x.What, "(double)")),
					fault == objcdouble.ThrowCxx && (!thrown || x.Name != "std::runtime_error"),
					fault == objcdouble.ThrowOther && (!thrown || x.Name != "DblThing"),
					fault == objcdouble.ThrowEvil && (!thrown || x.Name != "DblEvilName" || x.What != ""),
					fault <= objcdouble.Error && thrown:
					t.Fatalf("%d: %v", at, err)
				}
				if err != nil && !thrown {
					var e *objc.CallError
					var n *objc.NSError
					if !errors.As(err, &e) || e.Class == "" || e.Selector == "" || !errors.Is(err, objc.ErrNil) && !errors.As(err, &n) {
						t.Fatalf("%d: %v", at, err)
					}
				}
				live += s.Runtime().Abandoned() - abandoned
				if n := d.Live(); n != live {
					t.Fatalf("%d: %d objects are alive, want %d: %v", at, n, live, err)
				}
			}
			d.Arm(objcdouble.None, 0, 0)
		})
	}
	if n := d.Overlaps(); n != 0 {
		t.Errorf("%d overlaps", n)
	}
}

func TestM03CommandBufferFaults(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	d.Arm(objcdouble.GPU, 0, metal.MTLCommandBufferErrorPageFault)
	var e *objc.NSError
	if err := once(s, false); !errors.As(err, &e) || e.Code != metal.MTLCommandBufferErrorPageFault || e.Domain != "MTLCommandBufferErrorDomain" {
		t.Errorf("GPU: %v", err)
	}
	fine(t, s, d, live)
	d.Arm(objcdouble.Hang, 0, 0)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := once(s, false); !errors.As(err, &e) || e.Code != metal.MTLCommandBufferErrorTimeout {
			t.Errorf("hang: %v", err)
		}
	})
	for d.Commits() == 0 {
		runtime.Gosched()
	}
	for range 100 { // until it hangs for good: Release wakes whoever waits
		d.Release()
		runtime.Gosched()
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		select {
		case <-done:
			fine(t, s, d, live)
			return
		default:
			d.Release()
			runtime.Gosched()
		}
	}
}

// TestM12UncommittedBufferLetsItsHandlerGo: a handler of a buffer that is closed uncommitted is never called, and its place is used
// again.
func TestM12UncommittedBufferLetsItsHandlerGo(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	for range 100 {
		err := s.Pool(func(p *metal.Pool) (err error) {
			b := &bench{p: p, s: s}
			defer func() { err = errors.Join(err, b.close()) }()
			return b.begin()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fine(t, s, d, live)
}

func TestM14ReleasedElsewhere(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	bs := make([]*bench, 8)
	for i := range bs {
		err := s.Pool(func(p *metal.Pool) error {
			bs[i] = &bench{p: p, s: s}
			return everything(bs[i], false)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for _, b := range bs {
		wg.Go(func() {
			runtime.LockOSThread() // a thread of its own, which ends with the goroutine
			if err := b.close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fine(t, s, d, live)
}

func TestM02ForgottenIsReported(t *testing.T) {
	s, d := open(t)
	live := d.Live()
	var mu sync.Mutex
	var leaks []isthmus.Report
	before := isthmus.SetReporter(func(r isthmus.Report) {
		mu.Lock()
		defer mu.Unlock()
		leaks = append(leaks, r)
	})
	defer func() { isthmus.SetReporter(before) }()
	func() {
		if err := s.Pool(func(p *metal.Pool) error { _, err := s.DefaultDevice(p); return err }); err != nil {
			t.Fatal(err)
		}
	}()
	for range 1 << 12 {
		runtime.GC()
		if d.Live() == live {
			break
		}
	}
	fine(t, s, d, live)
	mu.Lock()
	defer mu.Unlock()
	if len(leaks) != 1 || leaks[0].Object.Kind != "MTLDevice" || !strings.Contains(leaks[0].Object.Site.String(), "metal") {
		t.Errorf("%v", leaks)
	}
}

func TestM06WhatADeviceSays(t *testing.T) {
	s, _ := open(t)
	err := s.Pool(func(p *metal.Pool) error {
		d, err := s.DefaultDevice(p)
		if err != nil {
			return err
		}
		defer d.Close()
		for name, ask := range map[string]func() (any, error){
			"Double M0":        func() (any, error) { return d.Name(p) },
			"true":             func() (any, error) { return d.Unified(p) },
			"17179869184":      func() (any, error) { return d.MaxBufferLength(p) },
			"21":               func() (any, error) { return d.RegistryID(p) },
			"[1024 1024 64]":   func() (any, error) { return d.MaxThreads(p) },
			"false":            func() (any, error) { return d.SupportsFamily(p, 1) },
			"112":              func() (any, error) { return s.RowBytes(p, 25, metal.MPSDataTypeFloat32) },
			"<nil>":            func() (any, error) { return d.NewBuffer(p, 0, metal.Shared) },
			"(*metal.Library)": func() (any, error) { return d.NewLibrary(p, "kernel void nope(") },
		} {
			v, err := ask()
			var n *objc.NSError
			switch {
			case name == "<nil>":
				if !errors.Is(err, objc.ErrNil) || !strings.Contains(err.Error(), "MTLDevice newBufferWithLength:options:") {
					t.Errorf("a buffer of nothing: %v", err)
				}
			case name == "(*metal.Library)":
				if !errors.As(err, &n) || n.Domain != "MTLLibraryErrorDomain" || !strings.Contains(n.Text, "error (17 bytes)") {
					t.Errorf("a source with an error: %v", err)
				}
			case err != nil || fmt.Sprint(v) != name:
				t.Errorf("%v, %v; want %s", v, err, name)
			}
		}
		if _, err := d.NewLibrary(p, "a\x00b"); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("a zero byte: %v", err)
		}
		if _, err := d.NewBuffer(p, -1, metal.Shared); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("a negative length: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Source is compiled without fast math, in whichever way the system has; the double counts it as misuse otherwise. A system with
// neither compiles nothing, since the kernels would not keep what they promise.
func TestSourceKeepsIEEE(t *testing.T) {
	_, d := open(t)
	before, _ := d.Misuses()
	for without, ok := range map[string]bool{"": true, "setMathMode:": true, "setFastMathEnabled:": true, "init": false} {
		s, err := metal.OpenWithout(without, d.Path())
		if err != nil {
			t.Fatal(err)
		}
		err = s.Pool(func(p *metal.Pool) error {
			dev, err := s.DefaultDevice(p)
			if err != nil {
				return err
			}
			defer dev.Close()
			lib, err := dev.NewLibrary(p, source)
			if err != nil {
				return err
			}
			return lib.Close()
		})
		if ok && err != nil || !ok && !errors.Is(err, isthmus.ErrUnsupported) {
			t.Errorf("without %q: %v", without, err)
		}
		if p := s.Problems(); ok != (len(p) == 0) {
			t.Errorf("without %q: problems %v", without, p)
		}
	}
	if n, last := d.Misuses(); n != before {
		t.Errorf("%d times: %s", n-before, last)
	}
}

// TestM16OnlyFactsNameSelectors: no selector stands in the package but in the facts.
func TestM16OnlyFactsNameSelectors(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	selector := regexp.MustCompile(`"[a-z]\w*:[\w:]*"|sel_registerName|objc_msgSend`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if f == "zfacts.go" {
			if !selector.Match(text) {
				t.Error("the expression finds no selector where there are many")
			}
			continue
		}
		if m := selector.Find(text); m != nil && !strings.HasSuffix(f, "_test.go") {
			t.Errorf("%s names the selector %s; add it to rows.txt and use its row", f, m)
		}
	}
}
