//go:build race

package pjrt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Under the race detector a Go access to host memory that a plugin has is a data race with both stacks.
func TestP24RaceDetectorSeesLentMemory(t *testing.T) {
	inside, _, _ := leaktest.Alone(t)
	if !inside {
		_ = real(t, "ISTHMUS_PJRT_CPU")
		for range 3 {
			_, out, err := leaktest.Alone(t)
			races := strings.Split(out, "WARNING: DATA RACE")[1:]
			for _, crime := range []string{"crimeWrite", "crimeWriteMutable", "crimeReadMutable"} {
				if !slices.ContainsFunc(races, func(race string) bool {
					access, plugin, ok := strings.Cut(race, "Previous ")
					return ok && strings.Contains(access, "pjrt_test."+crime+"()") && strings.Contains(plugin, "mem.(*Watch).Begin") && strings.Contains(plugin, "pjrt_test."+crime+"()")
				}) {
					t.Errorf("%s was not found", crime)
				}
			}
			if err == nil || len(races) != 3 || t.Failed() {
				t.Fatalf("%d races, %v\n%s", len(races), err, out)
			}
		}
		return
	}
	c := client(t, real(t, "ISTHMUS_PJRT_CPU"))
	crimeWrite(t, c, make([]float32, 64))
	crimeWriteMutable(t, c, make([]float32, 64))
	crimeReadMutable(t, c, make([]float32, 64))
	data := make([]float32, 64)
	end := putLent(t, c, data, pjrt.WhileAlive)
	if data[1] != 0 { // others may read too
		t.Error("it was zero")
	}
	end()
	data[1] = 2
}

// putLent lends data and returns what gives it back.
func putLent(t *testing.T, c *pjrt.Client, data []float32, how pjrt.Lend) (end func()) {
	b, e, err := pjrt.PutLent(c.Device(), data, how, len(data))
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		want(t, "close", b.Close(), nil)
		want(t, "wait", e.Wait(t.Context()), nil)
		want(t, "close the event", e.Close(), nil)
	}
}

//go:noinline
func crimeWrite(t *testing.T, c *pjrt.Client, data []float32) {
	defer putLent(t, c, data, pjrt.WhileAlive)()
	data[1] = 1
}

//go:noinline
func crimeWriteMutable(t *testing.T, c *pjrt.Client, data []float32) {
	defer putLent(t, c, data, pjrt.WhileAliveMutable)()
	data[1] = 1
}

//go:noinline
func crimeReadMutable(t *testing.T, c *pjrt.Client, data []float32) {
	defer putLent(t, c, data, pjrt.WhileAliveMutable)()
	if data[1] != 0 {
		t.Error("it was zero")
	}
}
