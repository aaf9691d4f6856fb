package ffi_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestOwnedZeroValueIsInert(t *testing.T) {
	var o ffi.Owned[int]
	if _, err := o.Use(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Use: %v", err)
	}
	o.Done()
	if err := o.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	var none *ffi.Owned[int]
	if err := errors.Join(none.Close(), none.CloseLater(), none.CloseWait(t.Context())); err != nil {
		t.Errorf("nil: %v", err)
	}
	if _, err := none.Use(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("nil Use: %v", err)
	}
	if _, err := o.Disown(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Disown: %v", err)
	}
	none.Done()
	if none.Live() || o.Live() {
		t.Error("alive")
	}
}

// TestOwnedInitBesideADestroyThatFails gives an owner a new object while the last user of the one before finds that it
// cannot be destroyed: that one is still owned.
func TestOwnedInitBesideADestroyThatFails(t *testing.T) {
	const rounds = 100
	log := leaktest.Capture(t) // the failures
	var destroyed [3]int       // by handle, under the owner's lock
	for range rounds {
		entered := make(chan bool)
		c := &ffi.Class[int]{Name: "test.Stubborn", Destroy: func(h int) error {
			destroyed[h]++
			if h == 1 && entered != nil {
				close(entered)
				entered = nil
				for range 20 {
					runtime.Gosched() // the other goroutine comes to wait for the owner's lock
				}
				return ffi.Retry(isthmus.ErrBusy)
			}
			return nil
		}}
		o := &ffi.Owned[int]{}
		if err := o.Init(c, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Use(); err != nil {
			t.Fatal(err)
		}
		if err := o.CloseLater(); err != nil {
			t.Fatal(err)
		}
		wait := entered
		go o.Done()
		<-wait
		if err := o.Init(c, 2); !errors.Is(err, isthmus.ErrBusy) {
			t.Fatalf("Init: %v, want ErrBusy", err)
		}
		if err := o.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	log.Wait(t, rounds)
	if destroyed != [3]int{1: 2 * rounds, 2: rounds} {
		t.Errorf("objects were destroyed %v times", destroyed)
	}
}

func TestOwnedCloseIsExactlyOnceAndNamesWhatIsInTheWay(t *testing.T) { // P11
	n := newNative()
	defer n.finish(t)
	var client, a, b ffi.Owned[int]
	if err := client.Init(n.class("test.Client"), n.create()); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*ffi.Owned[int]{&a, &b} {
		if err := o.Init(n.class("test.Buffer"), n.create(), &client); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Use(); err != nil {
		t.Fatal(err)
	}
	err := client.Close()
	var busy *ffi.BusyError
	if !errors.As(err, &busy) || !errors.Is(err, isthmus.ErrBusy) {
		t.Fatalf("Close: %v, want BusyError", err)
	}
	if busy.Users != 1 || busy.Kids != 2 || len(busy.Children) != 2 {
		t.Errorf("%d users, %d children, %d named", busy.Users, busy.Kids, len(busy.Children))
	}
	for _, want := range []string{"test.Client#", "test.Buffer#", "owned_test.go:", "1 calls in progress", "2 live children"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	client.Done()
	for _, o := range []*ffi.Owned[int]{&a, &b, &client, &client} {
		if err := o.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if want := []int{2, 3, 1}; !slices.Equal(n.log, want) {
		t.Errorf("destroyed %v, want %v", n.log, want)
	}
}

func TestOwnedInitTakesTheHandleWhateverHappens(t *testing.T) { // P08
	n := newNative()
	defer n.finish(t)
	var parent, child ffi.Owned[int]
	h := n.create()
	if err := child.Init(n.class("test.Child"), h, &parent); !errors.Is(err, isthmus.ErrClosed) || !n.dead(h) {
		t.Errorf("closed parent: %v, destroyed %v", err, n.dead(h))
	}
	h = n.create()
	n.plan[h] = errors.New("no luck")
	if err := child.Init(n.class("test.Child"), h, nil); !errors.Is(err, isthmus.ErrClosed) || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("failing destroy: %v", err)
	}
	if err := child.Init(n.class("test.Child"), n.create()); err != nil {
		t.Fatal(err)
	}
	h = n.create()
	if err := child.Init(n.class("test.Child"), h); !errors.Is(err, isthmus.ErrBusy) || !n.dead(h) {
		t.Errorf("second Init: %v, destroyed %v", err, n.dead(h))
	}
	if err := child.Close(); err != nil {
		t.Error(err)
	}
}

func TestOwnedIsDestroyedOnceWhateverTheUserDoes(t *testing.T) { // P08
	n := newNative()
	defer n.finish(t)
	for _, reading := range []func(int) error{
		func(int) error { return nil },
		func(int) error { return errors.New("the message cannot be read") },
		func(int) error { panic("the message is not text") },
	} {
		var o ffi.Owned[int]
		h := n.create()
		if err := o.Init(n.class("test.Error"), h); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			defer o.Close()
			_ = o.With(reading)
		}()
		if !n.dead(h) {
			t.Error("not destroyed")
		}
	}
}

func TestOwnedFailedDestroyIsNeverADoubleFree(t *testing.T) { // P32
	n := newNative()
	defer n.finish(t)
	gone, again := errors.New("gone"), errors.New("not yet")
	var o ffi.Owned[int]
	h := n.create()
	if err := o.Init(n.class("test.Buffer"), h); err != nil {
		t.Fatal(err)
	}
	n.plan[h] = ffi.Retry(again)
	if err := o.Close(); !errors.Is(err, again) || !o.Live() {
		t.Errorf("retryable: %v, live %v", err, o.Live())
	}
	if err := o.With(func(int) error { return nil }); err != nil {
		t.Errorf("Use after a retryable failure: %v", err)
	}
	n.plan[h] = gone
	if err := o.Close(); !errors.Is(err, gone) || o.Live() {
		t.Errorf("final: %v, live %v", err, o.Live())
	}
	if err := o.Close(); err != nil {
		t.Errorf("after a final failure: %v", err)
	}

	var p ffi.Owned[int]
	calls := 0
	class := &ffi.Class[int]{Name: "test.Panics", Destroy: func(int) error {
		calls++
		panic("boom")
	}}
	if err := p.Init(class, 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); !errors.Is(err, isthmus.ErrPanic) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("panic: %v", err)
	}
	if err := p.Close(); err != nil || calls != 1 {
		t.Errorf("after a panic: %v, %d calls", err, calls)
	}
	if ffi.Retry(nil) != nil {
		t.Error("Retry(nil) is an error")
	}
}

func TestOwnedCloseLaterEndsWithTheLastUser(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	var parent, child ffi.Owned[int]
	if err := parent.Init(n.class("test.Parent"), n.create()); err != nil {
		t.Fatal(err)
	}
	if err := child.Init(n.class("test.Child"), n.create(), &parent); err != nil {
		t.Fatal(err)
	}
	if _, err := child.Use(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(parent.CloseLater(), child.CloseLater(), child.Close(), parent.Close()); err != nil {
		t.Error(err)
	}
	if _, err := child.Use(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Use after CloseLater: %v", err)
	}
	if len(n.log) != 0 {
		t.Errorf("destroyed %v while in use", n.log)
	}
	child.Done()
	if want := []int{2, 1}; !slices.Equal(n.log, want) {
		t.Errorf("destroyed %v, want %v", n.log, want)
	}
}

func TestOwnedCloseWait(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	var o ffi.Owned[int]
	for _, plan := range []error{nil, errors.New("gone")} {
		h := n.create()
		n.plan[h] = plan
		if err := o.Init(n.class("test.Object"), h); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Use(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := o.CloseWait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
		if plan != nil {
			leaktest.Capture(t)
		}
		waiting := make(chan error)
		for range 3 {
			go func() { waiting <- o.CloseWait(t.Context()) }()
		}
		runtime.Gosched()
		o.Done()
		for range 3 {
			// One that came after the end has nothing to say; the others have the result.
			if err := <-waiting; err != nil && !errors.Is(err, plan) {
				t.Errorf("CloseWait: %v", err)
			}
		}
		if !n.dead(h) {
			t.Error("not destroyed")
		}
	}
}

func TestOwnedChildMayBeMadeWhileItsParentCloses(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	var parent, child ffi.Owned[int]
	if err := parent.Init(n.class("test.Parent"), n.create()); err != nil {
		t.Fatal(err)
	}
	if _, err := parent.Use(); err != nil { // the call that makes the child
		t.Fatal(err)
	}
	if err := parent.CloseLater(); err != nil {
		t.Fatal(err)
	}
	if err := child.Init(n.class("test.Child"), n.create(), &parent); err != nil {
		t.Errorf("Init under a held parent: %v", err)
	}
	parent.Done()
	if len(n.log) != 0 {
		t.Errorf("destroyed %v under the child", n.log)
	}
	if err := child.Close(); err != nil {
		t.Error(err)
	}
	if want := []int{2, 1}; !slices.Equal(n.log, want) {
		t.Errorf("destroyed %v, want %v", n.log, want)
	}
}

func TestOwnedDisown(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	leaktest.Check(t)
	var parent, o ffi.Owned[int]
	if err := errors.Join(parent.Init(n.class("test.Parent"), n.create()), o.Init(n.class("test.Object"), n.create(), &parent)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Use(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Disown(); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("in use: %v", err)
	}
	o.Done()
	if h, err := o.Disown(); h != 2 || err != nil {
		t.Errorf("Disown = %d, %v", h, err)
	}
	if _, err := o.Disown(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("again: %v", err)
	}
	if err := errors.Join(o.Close(), parent.Close()); err != nil {
		t.Error(err)
	}
	if n.dead(2) || !n.dead(1) {
		t.Error("the disowned object was destroyed, or its parent was not")
	}
}

func TestOwnedDoneWithoutUseIsReported(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	log := leaktest.Capture(t)
	var o ffi.Owned[int]
	if err := o.Init(n.class("test.Object"), n.create()); err != nil {
		t.Fatal(err)
	}
	o.Done()
	if r := log.Wait(t, 1)[0]; r.Problem != isthmus.ProblemMisuse || r.Object.Kind != "test.Object" {
		t.Errorf("report %v", r)
	}
	if err := o.With(func(int) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := o.Close(); err != nil || !n.dead(1) {
		t.Errorf("Close: %v", err)
	}
}

// TestOwnedTooManyDonesNeverOpenADeadObject keeps the count of a closed object going below zero while others try to
// enter it.
func TestOwnedTooManyDonesNeverOpenADeadObject(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	leaktest.Capture(t)
	var o ffi.Owned[int]
	if err := errors.Join(o.Init(n.class("test.Object"), n.create()), o.Close()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 2000 {
				o.Done()
			}
		})
		wg.Go(func() {
			for range 20_000 {
				if _, err := o.Use(); err == nil {
					t.Error("a closed object let a user in")
					return
				}
			}
		})
	}
	wg.Wait()
	if o.Live() {
		t.Error("the closed object is alive")
	}
	h := n.create()
	if err := errors.Join(o.Init(n.class("test.Object"), h), o.With(func(int) error { return nil }), o.Close()); err != nil || !n.dead(h) {
		t.Errorf("used again: %v", err)
	}
}

//go:noinline
func forget(t *testing.T, n *native, backstop ffi.Backstop, parent *ffi.Owned[int]) {
	type value struct {
		name  string
		owned ffi.Owned[int] // not at the start of its allocation
	}
	v := &value{name: "forgotten"}
	class := &ffi.Class[int]{Name: "test.Forgotten", Destroy: n.destroy, Backstop: backstop}
	var err error
	if parent != nil {
		err = v.owned.Init(class, n.create(), parent)
	} else {
		err = v.owned.Init(class, n.create())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOwnedForgottenIsReportedAndDestroyed(t *testing.T) { // P11
	n := newNative()
	defer n.finish(t)
	log := leaktest.Capture(t)
	leaktest.Check(t)
	// Children and parents become garbage together; the order of the cleanups is the runtime's.
	func() {
		parent := &ffi.Owned[int]{}
		if err := parent.Init(n.class("test.Parent"), n.create()); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			forget(t, n, ffi.BackstopDestroy, parent)
		}
		runtime.KeepAlive(parent)
	}()
	reports := log.Wait(t, 11)
	for _, r := range reports {
		if r.Problem != isthmus.ProblemLeak || !errors.Is(r, isthmus.ErrLeak) || !strings.Contains(r.Error(), "owned_test.go:") {
			t.Errorf("report %v", r)
		}
	}
	if live := settled(n); live != 0 {
		t.Errorf("%d objects are alive", live)
	}
	if last := n.log[len(n.log)-1]; last != 1 {
		t.Errorf("the parent was not destroyed last: %v", n.log)
	}
}

// settled returns how many objects of n stay alive after the cleanups had time.
func settled(n *native) int {
	alive := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		runtime.GC()
		alive = 0
		n.mu.Lock()
		for _, a := range n.alive {
			if a {
				alive++
			}
		}
		n.mu.Unlock()
		if alive == 0 {
			break
		}
	}
	return alive
}

// TestOwnedBackstopReportOnlyDestroysNothing leaks for good, so it does that in a process of its own: leaktest must
// fail it.
func TestOwnedBackstopReportOnlyDestroysNothing(t *testing.T) { // P11
	if !leaksAlone(t, "1 native objects leaked", "test.Forgotten made at ffi/owned_test.go:") {
		return
	}
	n := newNative()
	log := leaktest.Capture(t)
	forget(t, n, ffi.BackstopReport, nil)
	log.Wait(t, 1)
	if n.dead(1) {
		t.Error("destroyed")
	}
}

func TestOwnedClosedIsNotReported(t *testing.T) {
	n := newNative()
	log := leaktest.Capture(t)
	func() {
		o := &ffi.Owned[int]{}
		for range 3 { // used again
			if err := o.Init(n.class("test.Object"), n.create()); err != nil {
				t.Fatal(err)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}()
	forget(t, n, ffi.BackstopDestroy, nil)
	log.Wait(t, 1) // the forgotten one; by then the closed one's cleanup has run, or runs without effect
	runtime.GC()
	if all := log.All(); len(all) != 1 || all[0].Object.Kind != "test.Forgotten" {
		t.Errorf("reports %v", all)
	}
	n.finish(t)
}

// TestOwnedModel drives a forest of objects through every operation and compares with a plain model of it.
func TestOwnedModel(t *testing.T) {
	type object struct {
		o           *ffi.Owned[int]
		h           int
		open, later bool
		users, kids int
		parents     []*object
		plan        error
	}
	log := leaktest.Capture(t)
	rapid.Check(t, func(t *rapid.T) {
		n := newNative()
		class := n.class("test.Model")
		class.Backstop = rapid.SampledFrom([]ffi.Backstop{ffi.BackstopDestroy, ffi.BackstopNone}).Draw(t, "backstop")
		var all []*object
		// A destroy may only come when the object's children are destroyed. The check knows handles only: it is
		// reachable from the class, which must not lead to the owners.
		kin := map[int][]int{}
		n.check = func(h int) {
			for child, parents := range kin {
				if slices.Contains(parents, h) && !n.dead(child) {
					n.wrong = append(n.wrong, fmt.Sprintf("%d destroyed before its child %d", h, child))
				}
			}
		}
		var want []int
		var end func(o *object)
		destroy := func(o *object) (err error) {
			err = o.plan
			if errors.Is(err, errRetry) {
				o.plan = nil
				o.open, o.later = true, false
				return err
			}
			o.open, o.later = false, false
			want = append(want, o.h)
			for _, p := range o.parents {
				p.kids--
				end(p)
			}
			return err
		}
		end = func(o *object) {
			if o.later && o.users == 0 && o.kids == 0 {
				_ = destroy(o)
			}
		}
		alive := func(o *object) bool { return o.open || o.later }
		pick := func(t *rapid.T) *object {
			if len(all) == 0 {
				t.Skip()
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
		}
		make1 := func(t *rapid.T, o *object) {
			o.parents, o.plan = nil, rapid.SampledFrom([]error{nil, nil, nil, errGone, ffi.Retry(errRetry)}).Draw(t, "plan")
			var parents []ffi.Parent
			ok := true
			for range rapid.IntRange(0, min(3, len(all))).Draw(t, "parents") {
				p := pick(t)
				if p == o {
					continue
				}
				parents = append(parents, p.o)
				if !p.open && (!p.later || p.users+p.kids == 0) {
					ok = false
					break
				}
				p.kids++
				o.parents = append(o.parents, p)
			}
			o.h = n.create()
			for _, p := range o.parents {
				kin[o.h] = append(kin[o.h], p.h)
			}
			if !ok {
				o.plan = nil // tested by itself
			}
			if o.plan != nil {
				n.plan[o.h] = o.plan
			}
			o.open = true
			err := o.o.Init(class, o.h, parents...)
			if (err == nil) != ok {
				t.Fatalf("Init: %v, want success %v", err, ok)
			}
			if !ok {
				o.open = false
				want = append(want, o.h)
				for _, p := range o.parents {
					p.kids--
				}
				o.parents = nil
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"new": func(t *rapid.T) {
				o := &object{o: &ffi.Owned[int]{}}
				make1(t, o)
				all = append(all, o)
			},
			"again": func(t *rapid.T) {
				o := pick(t)
				if alive(o) || o.users > 0 {
					t.Skip()
				}
				make1(t, o)
			},
			"use": func(t *rapid.T) {
				o := pick(t)
				h, err := o.o.Use()
				if (err == nil) != o.open || err != nil && !errors.Is(err, isthmus.ErrClosed) {
					t.Fatalf("Use: %v, open %v", err, o.open)
				}
				if err == nil {
					n.touch(h)
					if h != o.h {
						t.Fatalf("handle %d, want %d", h, o.h)
					}
					o.users++
				}
			},
			"done": func(t *rapid.T) {
				o := pick(t)
				if o.users == 0 {
					t.Skip()
				}
				n.touch(o.h)
				o.users--
				end(o)
				o.o.Done()
			},
			"close": func(t *rapid.T) {
				o := pick(t)
				var wantErr error
				switch {
				case !o.open:
				case o.users+o.kids > 0:
					wantErr = isthmus.ErrBusy
				default:
					o.open = false
					wantErr = destroy(o)
				}
				if err := o.o.Close(); !same(err, wantErr) {
					t.Fatalf("Close: %v, want %v", err, wantErr)
				}
			},
			"later": func(t *rapid.T) {
				o := pick(t)
				var wantErr error
				if o.open {
					o.open = false
					if o.users+o.kids > 0 {
						o.later = true
					} else {
						wantErr = destroy(o)
					}
				}
				if err := o.o.CloseLater(); !same(err, wantErr) {
					t.Fatalf("CloseLater: %v, want %v", err, wantErr)
				}
			},
			"disown": func(t *rapid.T) {
				o := pick(t)
				if o.open && o.users+o.kids == 0 {
					n.mu.Lock()
					n.alive[o.h] = false // the test is its owner now
					delete(n.plan, o.h)
					n.mu.Unlock()
				}
				h, err := o.o.Disown()
				switch {
				case !o.open:
					if !errors.Is(err, isthmus.ErrClosed) {
						t.Fatalf("Disown: %v", err)
					}
				case o.users+o.kids > 0:
					if !errors.Is(err, isthmus.ErrBusy) {
						t.Fatalf("Disown: %v", err)
					}
				default:
					if err != nil || h != o.h {
						t.Fatalf("Disown = %d, %v", h, err)
					}
					o.open = false
					for _, p := range o.parents {
						p.kids--
						end(p)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, o := range all {
					if o.o.Live() != o.open {
						t.Fatalf("handle %d: live %v, want %v", o.h, o.o.Live(), o.open)
					}
				}
				if !slices.Equal(n.log, want) {
					t.Fatalf("destroyed %v, want %v", n.log, want)
				}
				n.finish(t)
			},
		})
		// Close what is left, in any order.
		for _, o := range all {
			for range o.users {
				o.o.Done()
			}
		}
		for range 2*len(all) + 1 { // a retryable failure needs another round, and so do its parents
			for _, o := range all {
				_ = o.o.CloseLater()
			}
		}
		n.finish(t)
		for _, o := range all {
			if !n.dead(o.h) {
				t.Fatalf("handle %d is alive at the end", o.h)
			}
		}
	})
	for _, r := range log.All() {
		if r.Problem != isthmus.ProblemDestroy {
			t.Errorf("report %v", r)
		}
	}
}

var errGone, errRetry = errors.New("gone"), errors.New("try again")

func same(got, want error) bool {
	if want == nil {
		return got == nil
	}
	for _, e := range []error{isthmus.ErrBusy, errGone, errRetry} {
		if errors.Is(want, e) != errors.Is(got, e) {
			return false
		}
	}
	return got != nil
}

func TestOwnedHammer(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	leaktest.Check(t)
	log := leaktest.Capture(t)
	class := n.class("test.Hammer")
	for round := range 40 {
		client := &ffi.Owned[int]{}
		if err := client.Init(class, n.create()); err != nil {
			t.Fatal(err)
		}
		shared := make([]*ffi.Owned[int], 4)
		for i := range shared {
			shared[i] = &ffi.Owned[int]{}
			if err := shared[i].Init(class, n.create(), client); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(g)))
				for range 200 {
					o := shared[r.IntN(len(shared))]
					switch k := r.IntN(100); {
					case k < 80:
						if h, err := o.Use(); err == nil {
							n.touch(h)
							o.Done()
						} else if !errors.Is(err, isthmus.ErrClosed) {
							t.Error(err)
						}
					case k < 90:
						if h, err := client.Use(); err == nil {
							var child ffi.Owned[int]
							if err := child.Init(class, n.create(), client, o); err == nil {
								n.touch(h)
								if err := child.Close(); err != nil {
									t.Error(err)
								}
							} else if !errors.Is(err, isthmus.ErrClosed) {
								t.Error(err)
							}
							client.Done()
						}
					case k < 93:
						if err := o.Close(); err != nil && !errors.Is(err, isthmus.ErrBusy) {
							t.Error(err)
						}
					case k < 95:
						if err := o.CloseLater(); err != nil {
							t.Error(err)
						}
					case k < 97:
						if err := o.CloseWait(t.Context()); err != nil {
							t.Error(err)
						}
					case k < 98:
						if err := client.Close(); err != nil && !errors.Is(err, isthmus.ErrBusy) {
							t.Error(err)
						}
					default:
						runtime.Gosched()
					}
				}
			})
		}
		wg.Wait()
		for _, o := range shared {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if live := settled(n); live != 0 {
			t.Fatalf("%d objects are alive", live)
		}
	}
	if all := log.All(); len(all) != 0 {
		t.Errorf("reports %v", all)
	}
}

func TestOwnedUseDoesNotAllocate(t *testing.T) {
	n := newNative()
	var o ffi.Owned[int]
	class := n.class("test.Object")
	if err := o.Init(class, n.create()); err != nil {
		t.Fatal(err)
	}
	if a := testing.AllocsPerRun(1000, func() {
		_, _ = o.Use()
		o.Done()
	}); a != 0 {
		t.Errorf("Use and Done allocate %v times", a)
	}
	quiet := &ffi.Class[int]{Name: "test.Reused", Destroy: func(int) error { return nil }}
	var child ffi.Owned[int]
	if a := testing.AllocsPerRun(1000, func() {
		_ = child.Init(quiet, 1, &o)
		_ = child.Close()
	}); a != 0 {
		t.Errorf("Init and Close of a used Owned allocate %v times", a)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkOwned(b *testing.B) {
	var o ffi.Owned[int]
	class := &ffi.Class[int]{Name: "bench.Object", Destroy: func(int) error { return nil }}
	if err := o.Init(class, 1); err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	b.Run("use", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = o.Use()
			o.Done()
		}
	})
	b.Run("init+close/reused", func(b *testing.B) {
		var c ffi.Owned[int]
		b.ReportAllocs()
		for b.Loop() {
			_ = c.Init(class, 1, &o)
			_ = c.Close()
		}
	})
	b.Run("init+close/new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &ffi.Owned[int]{}
			_ = c.Init(class, 1, &o)
			_ = c.Close()
		}
	})
	bare := &ffi.Class[int]{Name: "bench.Object", Destroy: func(int) error { return nil }, Backstop: ffi.BackstopNone}
	b.Run("init+close/new,no backstop", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := &ffi.Owned[int]{}
			_ = c.Init(bare, 1, &o)
			_ = c.Close()
		}
	})
}
