package objc_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The rows of the tests' facts, of Foundation.
const (
	rowArray objc.Row = iota
	rowObjectAtIndex
	rowNoSuch
	rowObjectInit
	rowRetainCount
	rowRetain
	rowAutorelease
	rowHash
	rowDescription
	rowWrongTypes
)

var foundation = []objc.Fact{
	{Class: "NSArray", Selector: "array", Encoding: "@@:", Meta: true},
	{Class: "NSArray", Selector: "objectAtIndex:", Encoding: "@@:Q"},
	{Class: "NSArray", Selector: "noSuchSelectorHere:", Encoding: "v@:@"},
	{Class: "NSObject", Selector: "init", Encoding: "@@:", Retained: true},
	{Class: "NSObject", Selector: "retainCount", Encoding: "Q@:"},
	{Class: "NSObject", Selector: "retain", Encoding: "@@:", Retained: true},
	{Class: "NSObject", Selector: "autorelease", Encoding: "@@:"},
	{Class: "NSObject", Selector: "hash", Encoding: "Q@:"},
	{Class: "NSObject", Selector: "description", Encoding: "@@:"},
	{Class: "NSObject", Selector: "isKindOfClass:", Encoding: "B@:d"},
}

// open opens the runtime, or skips the test, which in CI is a failure.
func open(t testing.TB) *objc.Runtime {
	t.Helper()
	r, err := objc.Open()
	if err != nil {
		if os.Getenv("CI") != "" && errors.Is(err, isthmus.ErrNotFound) && runtime.GOOS == "linux" {
			t.Fatalf("CI must have GNUstep: %v", err)
		}
		t.Skip(err)
	}
	return r
}

func bind(t testing.TB) (*objc.Runtime, *objc.Table) {
	t.Helper()
	r := open(t)
	table, err := r.Bind(foundation)
	if err != nil {
		t.Fatal(err)
	}
	return r, table
}

func class(t testing.TB, table *objc.Table, name string) *objc.Class {
	t.Helper()
	c, err := table.Class(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pool(t testing.TB, r *objc.Runtime, f func(p *objc.Pool) error) {
	t.Helper()
	if err := r.Pool(f); err != nil {
		t.Fatal(err)
	}
}

// throw has a message throw, in a pool of its own.
func throw(r *objc.Runtime, arrays *objc.Class, i int) error {
	return r.Pool(func(p *objc.Pool) error {
		var a, o objc.Object
		if err := p.ClassObject(&a, arrays, rowArray); err != nil {
			return err
		}
		defer a.Close()
		return p.Object(&o, "NSObject", &a, rowObjectAtIndex, objc.Uint(i))
	})
}

func TestM18ObjectiveCException(t *testing.T) {
	r, table := bind(t)
	arrays := class(t, table, "NSArray")
	err := throw(r, arrays, 7)
	var x *isthmus.Exception
	if !errors.As(err, &x) || x.Name != "NSRangeException" || !strings.Contains(x.What, "7") || !strings.Contains(err.Error(), "NSArray objectAtIndex:") {
		t.Errorf("%v (%+v)", err, x)
	}
}

// TestM18ObjectiveCExceptionHammer throws on all goroutines while the collector runs, and looks at the memory.
func TestM18ObjectiveCExceptionHammer(t *testing.T) {
	r, table := bind(t)
	arrays := class(t, table, "NSArray")
	each := 12500
	if testing.Short() || runtime.GOARCH != "amd64" {
		each = 300
	}
	stop := make(chan struct{})
	var gc, wg sync.WaitGroup
	gc.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for range 8 {
		wg.Go(func() {
			for i := range each {
				var x *isthmus.Exception
				if err := throw(r, arrays, i); !errors.As(err, &x) || x.Name != "NSRangeException" {
					t.Errorf("%d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	gc.Wait()
}

func TestM14PoolsStayOnTheirThread(t *testing.T) {
	r, table := bind(t)
	objects := class(t, table, "NSObject")
	var o objc.Object
	pool(t, r, func(p *objc.Pool) error {
		if err := p.New(&o, objects, rowObjectInit); err != nil {
			return err
		}
		// Another thread has no use of the pool, whatever goroutine it runs.
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // this thread is not the pool's, which has its own
			defer runtime.UnlockOSThread()
			_, err := p.Uint(&o, rowHash)
			done <- err
		}()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "thread") {
			t.Errorf("a pool on another thread: %v", err)
		}
		// The goroutine gives way and is still on its thread.
		for range 100 {
			runtime.Gosched()
			if _, err := p.Uint(&o, rowHash); err != nil {
				return err
			}
		}
		return nil
	})
	var late *objc.Pool
	pool(t, r, func(p *objc.Pool) error { late = p; return nil })
	if _, err := late.Uint(&o, rowHash); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("a pool after its end: %v", err)
	}
	// Released on another thread, which has no pool but the one that release makes.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- o.Close()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestM02RetainAndRelease(t *testing.T) {
	r, table := bind(t)
	objects := class(t, table, "NSObject")
	var o, again objc.Object
	count := func(p *objc.Pool, o *objc.Object) uint64 {
		n, err := p.Uint(o, rowRetainCount)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	pool(t, r, func(p *objc.Pool) error {
		if err := p.New(&o, objects, rowObjectInit); err != nil {
			return err
		}
		if n := count(p, &o); n != 1 {
			t.Errorf("new: %d", n)
		}
		// What comes at +0 is retained at once, and outlives its pool.
		err := r.Pool(func(p *objc.Pool) error {
			if err := p.Do(&o, rowRetain); err != nil {
				return err
			}
			return p.Object(&again, "NSObject", &o, rowAutorelease)
		})
		if n := count(p, &again); n != 2 {
			t.Errorf("after its pool: %d, want ours twice", n)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		if n := count(p, &o); n != 1 {
			t.Errorf("after Close: %d", n)
		}
		if err := again.Close(); err != nil { // once only
			t.Error(err)
		}
		if n := count(p, &o); n != 1 {
			t.Errorf("after a second Close: %d", n)
		}
		return err
	})
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	pool(t, r, func(p *objc.Pool) error {
		if _, err := p.Uint(&o, rowHash); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("a message after Close: %v", err)
		}
		var zero objc.Object
		if _, err := p.Uint(&zero, rowHash); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("a message to nothing: %v", err)
		}
		if err := p.Do(nil, rowHash); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("a message to nil: %v", err)
		}
		return nil
	})
}

func TestM17Verifier(t *testing.T) {
	r, table := bind(t)
	arrays, objects := class(t, table, "NSArray"), class(t, table, "NSObject")
	_ = objects
	var missing *objc.MethodError
	if _, err := table.Class("MTLNoSuchClass"); !errors.As(err, &missing) || !errors.Is(err, isthmus.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	want := []string{"MTLNoSuchClass ", "NSArray noSuchSelectorHere:", "NSObject isKindOfClass:"}
	var got []string
	for _, p := range table.Problems() {
		got = append(got, p.Class+" "+p.Selector)
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("problems %q, want %q", got, want)
	}
	if err := table.Supports("NSArray"); !errors.As(err, &missing) || missing.Selector != "noSuchSelectorHere:" || missing.Have != "" {
		t.Errorf("Supports: %v", err)
	}
	if err := table.Supports("NSObject"); !errors.As(err, &missing) || missing.Have == "" {
		t.Errorf("Supports: %v", err)
	}
	pool(t, r, func(p *objc.Pool) error {
		var a, o objc.Object
		if err := p.ClassObject(&a, arrays, rowArray); err != nil {
			return err
		}
		defer a.Close()
		for row, args := range map[objc.Row][]objc.Arg{rowNoSuch: {objc.Obj(nil)}, rowWrongTypes: {objc.F64(1)}} {
			if err := p.Do(&a, row, args...); !errors.Is(err, isthmus.ErrUnsupported) && !errors.Is(err, isthmus.ErrInvalid) {
				t.Errorf("row %d was sent: %v", row, err)
			}
		}
		// The others go on working.
		n, err := p.Uint(&a, rowObjectAtIndex, objc.F64(1))
		if !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("a double for an integer: %d, %v", n, err)
		}
		if err := p.Object(&o, "NSObject", &a, rowObjectAtIndex, objc.Uint(-1)); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("a negative length: %v", err)
		}
		return nil
	})
}
