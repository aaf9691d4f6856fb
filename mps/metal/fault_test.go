package metal_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
	"github.com/isthmus-ffi/isthmus/internal/raw/objcdouble"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal"
)

// do runs a batch to its end.
func do(dev op.Device, ops ...op.Op) error {
	r, err := dev.Submit(context.Background(), ops)
	if err != nil {
		return err
	}
	<-r.Done()
	return r.Err()
}

func TestM12ThousandIterations(t *testing.T) {
	d := open(t)
	n := 1000
	if testing.Short() {
		n = 30
	}
	for _, name := range d.kinds(t) {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			dev := d.device(t)
			s := &set{t: t, dev: dev}
			ops := s.operations()[name]
			before := 0
			for i := range n {
				if err := do(dev, ops...); err != nil {
					t.Fatalf("iteration %d: %v", i, err)
				}
				if i == 10 {
					before = d.Live()
				}
			}
			if after := d.Live(); after != before {
				t.Errorf("%d objects after 10 iterations, %d after %d", before, after, n)
			}
			s.end()
		})
	}
}

// typed reports whether an error says what native code did.
func typed(err error) bool {
	var ns *objc.NSError
	var gpu *metal.GPUError
	return errors.Is(err, objc.ErrNil) || errors.Is(err, isthmus.ErrException) || errors.As(err, &ns) || errors.As(err, &gpu)
}

var faultNames = map[objcdouble.Fault]string{
	objcdouble.Nil: "nil", objcdouble.Error: "NSError", objcdouble.Throw: "NSException", objcdouble.ThrowCxx: "C++ exception", objcdouble.ThrowOther: "object thrown",
}

// TestM02M03M18FaultAtEveryCall has each call of each operation fail in each way: the error says so, nothing stays alive, and the
// device works on, or, after an exception, refuses to.
func TestM02M03M18FaultAtEveryCall(t *testing.T) {
	d := open(t)
	for _, name := range d.kinds(t) {
		for kind, what := range faultNames {
			if testing.Short() && kind != objcdouble.Nil && kind != objcdouble.Throw {
				continue
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				d := open(t)
				exception := kind >= objcdouble.Throw
				seen := 0
				dev := d.device(t)
				s := &set{t: t, dev: dev}
				ops := s.operations()[name]
				for at := 0; ; at++ {
					d.Arm(kind, at, 0)
					err := do(dev, ops...)
					fired := d.Fired()
					d.Arm(objcdouble.None, 0, 0)
					switch {
					case !fired && err != nil:
						t.Fatalf("without a fault: %v", err)
					case err != nil && !typed(err):
						t.Fatalf("call %d: an error of no type: %v", at, err)
					case exception && fired && !errors.Is(err, isthmus.ErrException):
						t.Fatalf("call %d: an exception became %v", at, err)
					}
					if err != nil {
						seen++
					}
					if !fired {
						break
					}
					again := do(dev, ops...)
					if exception != errors.Is(again, isthmus.ErrException) || !exception && again != nil {
						t.Fatalf("call %d: the next batch gave %v", at, again)
					}
					if exception { // it takes a new device
						s.end()
						dev = d.device(t)
						s = &set{t: t, dev: dev}
						ops = s.operations()[name]
					}
				}
				if seen == 0 {
					t.Error("no call failed")
				}
				s.end()
			})
		}
	}
}

// TestM02M03M18FaultWhileOpening has each call fail that opens a device or makes memory.
func TestM02M03M18FaultWhileOpening(t *testing.T) {
	for kind, what := range faultNames {
		t.Run(what, func(t *testing.T) {
			d := open(t)
			for at, fired := 0, true; fired; at++ {
				d.Arm(kind, at, 0)
				dev, err := d.options().OpenDevice(context.Background())
				var mem op.Storage
				if err == nil {
					mem, err = dev.Alloc(100)
				}
				fired = d.Fired()
				d.Arm(objcdouble.None, 0, 0)
				if err != nil && (!fired || !typed(err)) {
					t.Fatalf("call %d: %v", at, err)
				}
				if err == nil && fired && kind >= objcdouble.Throw {
					t.Fatalf("call %d: an exception was not noticed", at)
				}
				if mem != nil {
					if err := mem.Free(); err != nil {
						t.Fatal(err)
					}
				}
				if dev != nil {
					if err := dev.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestM03KernelsThatDoNotCompile has the compiler refuse: what needs our kernels is unsupported and says why, the rest works.
func TestM03KernelsThatDoNotCompile(t *testing.T) {
	d := open(t)
	for at := 0; ; at++ {
		d.Arm(objcdouble.Error, at, 0)
		dev, err := d.options().OpenDevice(context.Background())
		fired := d.Fired()
		d.Arm(objcdouble.None, 0, 0)
		if err != nil {
			continue // another call
		}
		if !fired {
			t.Fatal("no call of the opening was the compiler's")
		}
		why := dev.Supports(op.KindRMSNorm, dtype.F32)
		var ns *objc.NSError
		if errors.As(why, &ns) && errors.Is(why, isthmus.ErrUnsupported) {
			s := &set{t: t, dev: dev}
			if err := dev.Supports(op.KindSoftmax, dtype.F32); err != nil {
				t.Error(err)
			}
			if err := do(dev, s.operations()["softmax"]...); err != nil {
				t.Error(err)
			}
			if err := do(dev, s.operations()["rms norm"]...); !errors.Is(err, isthmus.ErrUnsupported) {
				t.Errorf("without its kernel: %v", err)
			}
			s.end()
			return
		}
		if err := dev.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestM03GPUErrors(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	ops := s.operations()["matmul"]
	for code, name := range map[int]string{
		1: "internal", 2: "timeout", 3: "page fault", 4: "access revoked", 7: "not permitted", 8: "out of memory", 9: "invalid resource",
		10: "memoryless", 11: "device removed", 12: "stack overflow", 99: "",
	} {
		d.Arm(objcdouble.GPU, 0, code)
		err := do(dev, ops...)
		var gpu *metal.GPUError
		if !errors.As(err, &gpu) || gpu.Code != code || gpu.Name != name || gpu.Text == "" {
			t.Errorf("code %d: %v", code, err)
		}
		if errors.Is(err, isthmus.ErrLimit) != (code == 8) {
			t.Errorf("code %d: its sentinel: %v", code, err)
		}
		if err := do(dev, ops...); err != nil {
			t.Errorf("after code %d: %v", code, err)
		}
	}
	s.end()
}

func TestFactorisationsThatFail(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	good, bad := symmetric(s.matrix(dtype.F32, 1, 3, 3)), s.matrix(dtype.F32, 2, 3, 3)
	for i := range 2 {
		for j := range 9 { // the second is all ones
			put(bad, i, j/3, j%3, []float64{map[bool]float64{true: 5, false: 0}[j/3 == j%3], 1}[i])
		}
	}
	pivots := s.matrix(dtype.U32, 2, 1, 3)
	for _, c := range []struct {
		ops  []op.Op
		want op.OpError
	}{
		{
			[]op.Op{op.Cholesky{Source: good, Result: good, Lower: true}, op.Cholesky{Source: bad, Result: s.matrix(dtype.F32, 2, 3, 3)}},
			op.OpError{Index: 1, Kind: op.KindCholesky, Matrix: 1, Why: op.ErrNotPositiveDefinite},
		},
		{[]op.Op{op.LU{Source: bad, Result: bad, Pivots: pivots}}, op.OpError{Index: 0, Kind: op.KindLU, Matrix: 1, Why: op.ErrSingular}},
	} {
		err := do(dev, c.ops...)
		var e *op.OpError
		if !errors.As(err, &e) || *e != c.want {
			t.Errorf("%v, not %v", err, &c.want)
		}
	}
	s.end()
}

// TestStacksAreOneCall: a class works on five matrices by as many messages as on one, once its object is made. Where an operand is one
// for all it cannot, but rows below each other are one product.
func TestStacksAreOneCall(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	square := func(n int) op.Matrix { return s.matrix(dtype.F32, n, 3, 3) }
	calls := func(o op.Op) int {
		for range 2 {
			d.Arm(objcdouble.None, 0, 0)
			if err := do(dev, o); err != nil {
				t.Fatal(err)
			}
		}
		return d.Calls()
	}
	for name, of := range map[string]func(n int) op.Op{
		"matmul":      func(n int) op.Op { return op.MatMul{Left: square(n), Right: square(n), Result: square(n), Alpha: 1} },
		"one right":   func(n int) op.Op { return op.MatMul{Left: square(n), Right: square(1), Result: square(n), Alpha: 1} },
		"softmax":     func(n int) op.Op { return op.Softmax{Source: square(n), Result: square(n)} },
		"log softmax": func(n int) op.Op { return op.Softmax{Source: square(n), Result: square(n), Log: true} },
		"solve triangular": func(n int) op.Op {
			return op.SolveTriangular{Source: square(n), Right: square(n), Result: square(n), Alpha: 1}
		},
		"solve cholesky": func(n int) op.Op { return op.SolveCholesky{Source: square(n), Right: square(n), Result: square(n)} },
	} {
		if one, five := calls(of(1)), calls(of(5)); one != five || one == 0 {
			t.Errorf("%s: %d calls for a matrix, %d for five", name, one, five)
		}
	}
	left := op.MatMul{Left: square(1), Right: square(5), Result: square(5), Alpha: 1}
	if one, five := calls(op.MatMul{Left: square(1), Right: square(1), Result: square(1), Alpha: 1}), calls(left); five <= one {
		t.Errorf("one left: %d calls for a matrix, %d for five", one, five)
	}
	s.end()
}

// TestM02OutOfOrder has a batch complete after the one behind it.
func TestM02OutOfOrder(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	ops := s.operations()
	d.Arm(objcdouble.Late, 0, 0)
	first, err := dev.Submit(context.Background(), ops["matmul"])
	if err != nil {
		t.Fatal(err)
	}
	if err := do(dev, ops["softmax"]...); err != nil {
		t.Error(err)
	}
	<-first.Done()
	if err := first.Err(); err != nil {
		t.Error(err)
	}
	if begin, end := first.Times(); begin <= 0 || end <= begin {
		t.Errorf("the GPU's times are %v and %v", begin, end)
	}
	s.end()
}

// TestM02HandlerAfterClose closes the device and the memory of a batch under way, against the contract: the handler finds all that it
// needs.
func TestM02HandlerAfterClose(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	ops := s.operations()["matmul"]
	d.Arm(objcdouble.Hang, 0, 0)
	r, err := dev.Submit(context.Background(), ops)
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	d.Release()
	<-r.Done()
	var gpu *metal.GPUError
	if !errors.As(r.Err(), &gpu) || gpu.Name != "timeout" {
		t.Error(r.Err())
	}
}

// TestQueueLimit fills the queue behind a batch that hangs: the next waits for room as long as its context allows, and no thread is
// stuck in native code.
func TestQueueLimit(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	ops := s.operations()["neuron"]
	d.Arm(objcdouble.Hang, 0, 0)
	var runs []op.Run
	for range 32 {
		r, err := dev.Submit(t.Context(), ops)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := dev.Submit(ctx, ops); !errors.Is(err, gone) {
		t.Errorf("a batch for a full queue: %v", err)
	}
	var waiting sync.WaitGroup
	for range 4 {
		waiting.Go(func() {
			if err := do(dev, ops...); err != nil {
				t.Error(err)
			}
		})
	}
	d.Release()
	waiting.Wait()
	for i, r := range runs {
		<-r.Done()
		if err := r.Err(); (err != nil) != (i == 0) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	s.end()
}

// TestM14KernelsHaveOneUser has 8 goroutines want the same kernel objects; the doubles note who is inside of one.
func TestM14KernelsHaveOneUser(t *testing.T) {
	d := open(t)
	dev := d.device(t)
	each := 60
	if testing.Short() {
		each = 10
	}
	sets := make([]*set, 8)
	for i := range sets {
		sets[i] = &set{t: t, dev: dev}
	}
	var wg sync.WaitGroup
	for _, s := range sets {
		x, y := s.matrix(dtype.F32, 1, 3, 3), s.matrix(dtype.F32, 1, 3, 3)
		wg.Go(func() {
			for range each {
				if err := do(dev, op.Softmax{Source: x, Result: y}, op.MatMul{Left: x, Right: x, Result: y, Alpha: 1}, op.Softmax{Source: x, Result: y}); err != nil {
					t.Error(err)
					return
				}
				sum := get(y, 0, 0, 0) + get(y, 0, 0, 1) + get(y, 0, 0, 2)
				if math.Abs(sum-1) > 1e-6 {
					t.Errorf("a row of a softmax adds up to %v", sum)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, s := range sets {
		s.free()
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
}

// TestBusyWhileTheGPUHangs gives up on a batch by package mps: its matrices stay the GPU's until it is done.
func TestBusyWhileTheGPUHangs(t *testing.T) {
	d := open(t)
	dev, err := mps.Open(t.Context(), mps.Options{Backend: d.options()})
	if err != nil {
		t.Fatal(err)
	}
	x, err := dev.NewMatrix(3, 3, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	y, err := dev.NewMatrix(3, 3, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	d.Arm(objcdouble.Hang, 0, 0)
	run, err := dev.Start(t.Context(), func(b *mps.Batch) error { b.Softmax(y, x); return nil })
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if err := run.Wait(ctx); !errors.Is(err, gone) && !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
	for what, err := range map[string]error{
		"read": mps.Read(y, make([]float32, 9)), "write": mps.Write(x, make([]float32, 9)), "close": x.Close(), "close device": dev.Close(),
	} {
		if !errors.Is(err, isthmus.ErrBusy) {
			t.Errorf("%s while the GPU hangs: %v", what, err)
		}
	}
	d.Release()
	var gpu *metal.GPUError
	if err := run.Wait(t.Context()); !errors.As(err, &gpu) {
		t.Errorf("the batch that hung: %v", err)
	}
	for what, err := range map[string]error{"read": mps.Read(y, make([]float32, 9)), "close x": x.Close(), "close y": y.Close()} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
}
