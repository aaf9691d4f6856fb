package ffi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m, ctest.Clean) }

// native stands for a native library: it hands out handles and knows which are alive.
type native struct {
	mu    sync.Mutex
	next  int
	alive map[int]bool
	log   []int // handles in the order of their destruction
	wrong []string
	plan  map[int]error // what destroying a handle returns
	check func(h int)   // called by destroy, before it takes effect
}

func newNative() *native { return &native{alive: map[int]bool{}, plan: map[int]error{}} }

func (n *native) create() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	n.alive[n.next] = true
	return n.next
}

// destroy is a native destroy function that notices a double free.
func (n *native) destroy(h int) error {
	if n.check != nil {
		n.check(h)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.alive[h] {
		n.wrong = append(n.wrong, fmt.Sprintf("handle %d destroyed twice", h))
	}
	err := n.plan[h]
	delete(n.plan, h)
	if err != nil && strings.Contains(err.Error(), "still open") {
		return err
	}
	n.alive[h] = false
	n.log = append(n.log, h)
	return err
}

// touch is a native call that uses a handle and notices a use after free.
func (n *native) touch(h int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.alive[h] {
		n.wrong = append(n.wrong, fmt.Sprintf("handle %d used after it was destroyed", h))
	}
}

func (n *native) class(name string) *ffi.Class[int] {
	return &ffi.Class[int]{Name: name, Destroy: n.destroy}
}

func (n *native) dead(h int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.alive[h]
}

// finish fails t when the library was misused.
func (n *native) finish(t interface{ Errorf(string, ...any) }) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.wrong {
		t.Errorf("native: %s", w)
	}
}

// must waits for a channel that must close.
func must(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not happen", what)
	}
}

// leaksAlone reports whether this is the process in which the calling test, which leaks for good, runs alone. In
// the parent it checks that the test passes there, that leaktest fails the process, and that it says each of want.
func leaksAlone(t *testing.T, want ...string) bool {
	t.Helper()
	inside, out, err := leaktest.Alone(t)
	if inside {
		return true
	}
	if err == nil || !strings.Contains(out, "--- PASS: "+t.Name()) {
		t.Errorf("the process ended with %v:\n%s", err, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("the process does not say %q:\n%s", w, out)
		}
	}
	return false
}
