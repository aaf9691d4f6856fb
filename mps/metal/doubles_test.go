package metal_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
	"github.com/isthmus-ffi/isthmus/internal/raw/objcdouble"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal"
	"github.com/isthmus-ffi/isthmus/mps/metal/kernels"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// double is Metal for tests: the doubles of its classes, and our kernels compiled as C++.
type double struct{ *objcdouble.Double }

// compiled is whether this process's doubles have our kernels.
var compiled struct {
	sync.Mutex
	done bool
}

// open gives the doubles, or skips the test. What the test leaves alive, or uses as Apple does not allow, fails it.
func open(t *testing.T) double {
	t.Helper()
	d := double{objcdouble.Open(t)}
	compiled.Lock()
	defer compiled.Unlock()
	if !compiled.done {
		dir, err := os.MkdirTemp("", "kernels") // the library is open as long as the process
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		so := filepath.Join(dir, "kernels.so")
		if err := os.Rename(compile(t, "", "-shared", "-fPIC"), so); err != nil {
			t.Fatal(err)
		}
		if err := d.Source(kernels.Source(), so); err != nil {
			t.Fatal(err)
		}
		compiled.done = true
	}
	rt, err := objc.Open()
	if err != nil {
		t.Fatal(err)
	}
	d.Arm(objcdouble.None, 0, 0)
	live, abandoned, overlaps := d.Live(), rt.Abandoned(), d.Overlaps()
	misuses, _ := d.Misuses()
	t.Cleanup(func() {
		d.Release()
		// What an initialiser threw out of is nobody's, and stays.
		if more, left := d.Live()-live, rt.Abandoned()-abandoned; more != left {
			t.Errorf("%d objects are alive, %d of them because their initialisers threw", more, left)
		}
		if n, last := d.Misuses(); n != misuses {
			t.Errorf("used in a way that Metal leaves undefined, %d times: %s", n-misuses, last)
		}
		if n := d.Overlaps(); n != overlaps {
			t.Errorf("two goroutines were in one kernel, %d times", n-overlaps)
		}
	})
	return d
}

func (d double) options() metal.Options { return metal.With(8, d.Path()) }

// device opens the device, which is closed with the test.
func (d double) device(t testing.TB) op.Device {
	t.Helper()
	dev, err := d.options().OpenDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// kinds are the names of operations, in order.
func (d double) kinds(t *testing.T) []string {
	t.Helper()
	dev := d.device(t)
	s := &set{t: t, dev: dev}
	var names []string
	for n := range s.operations() {
		names = append(names, n)
	}
	s.end()
	slices.Sort(names)
	return names
}
