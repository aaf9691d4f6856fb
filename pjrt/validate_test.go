package pjrt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// addThrough executes the program through a plugin and closes everything.
func addThrough(t *testing.T, p *pjrt.Plugin, code string) {
	t.Helper()
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient(t, c)
	x, err := c.Compile(t.Context(), pjrt.MLIR(code), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var args []*pjrt.Buffer
	for range 2 {
		b, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		args = append(args, b)
	}
	out, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	got, err := pjrt.Get[float32](t.Context(), out[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := [4]float32{2, 4, 6, 8}; [4]float32(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestValidateCleanRun: a correct program has no findings and leaves nothing.
func TestValidateCleanRun(t *testing.T) {
	check := func(t *testing.T, p *pjrt.Plugin, code string) {
		p, v, err := pjrt.Validate(p)
		if err != nil {
			t.Fatal(err)
		}
		addThrough(t, p, code)
		if n := v.Found(); n != 0 {
			t.Errorf("%d findings", n)
		}
		if err := v.Leaks().Err(); err != nil {
			t.Error(err)
		}
	}
	t.Run("fake", func(t *testing.T) {
		p, _ := fake(t, func(f *pjrtfake.Fake) { f.OnCPU = true })
		check(t, p, "add")
	})
	both(t, func(t *testing.T, p *pjrt.Plugin) { check(t, p, add) })
}

// traceFile is what a trace looks like.
type traceFile struct {
	TraceEvents []struct {
		Ph, Name string
		Tid      int
		Ts, Dur  float64
		ID       uint64
		Args     map[string]any
	}
}

func TestTrace(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		var out bytes.Buffer
		p, stop, err := pjrt.Trace(p, &out)
		if err != nil {
			t.Fatal(err)
		}
		addThrough(t, p, add)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if f := os.Getenv("ISTHMUS_TEST_TRACE"); f != "" {
			_ = os.WriteFile(f, out.Bytes(), 0o600)
		}
		var got traceFile
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		calls, begun, ended := map[string]int{}, map[uint64]bool{}, map[uint64]bool{}
		for _, e := range got.TraceEvents {
			switch e.Ph {
			case "X":
				calls[e.Name]++
				if e.Name == "PJRT_Client_BufferFromHostBuffer" && e.Args["bytes"] != 16.0 {
					t.Errorf("a transfer of %v bytes, want 16", e.Args["bytes"])
				}
			case "s":
				begun[e.ID] = true
			case "f":
				if !begun[e.ID] {
					t.Errorf("flow %d ends before it begins", e.ID)
				}
				ended[e.ID] = true
			}
		}
		for name, n := range map[string]int{"PJRT_Client_Create": 1, "PJRT_Client_Compile": 1, "PJRT_Client_BufferFromHostBuffer": 2, "PJRT_LoadedExecutable_Execute": 1, "PJRT_Buffer_Destroy": 3, "PJRT_Client_Destroy": 1} {
			if calls[name] != n {
				t.Errorf("%d calls of %s, want %d", calls[name], name, n)
			}
		}
		if len(begun) == 0 || len(ended) != len(begun) {
			t.Errorf("%d flows begin and %d end", len(begun), len(ended))
		}
	})
}

func TestValidateAndTraceRefuseNothing(t *testing.T) {
	if _, _, err := pjrt.Validate(nil); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no plugin: %v", err)
	}
	if _, _, err := pjrt.Trace(&pjrt.Plugin{}, &bytes.Buffer{}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("a zero plugin: %v", err)
	}
	p, _ := fake(t, nil)
	if _, _, err := pjrt.Trace(p, nil); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no writer: %v", err)
	}
	var v *pjrt.Validation
	if v.Found() != 0 || v.Live() != nil || v.Leaks() != nil {
		t.Error("no layer found something")
	}
}

// misbehaving are the tests whose fake plugin breaks the rules itself, or counts calls that the layer makes too, or that go
// by the clock, or that make more plugins with extensions than a process has static callbacks for.
const misbehaving = "TestP14P27P31P33P37Extensions|TestP06|TestP15MissingFunctions|TestHammer|TestP11Hammer|TestP11Pairs|TestP32FailedDestroy|TestP07CallbacksNeverEnterGo|TestP18AnyKV|TestSuiteUnderValidation"

// TestSuiteUnderValidation runs all other tests of this package once more, with a validation layer before every plugin:
// package pjrt breaks no rule, on the fake and on the real plugins.
func TestSuiteUnderValidation(t *testing.T) {
	if os.Getenv("ISTHMUS_CHECK") != "" || testing.Short() {
		t.Skip("runs under the default check mode, and not with -short")
	}
	cmd := exec.Command(os.Args[0], "-test.skip", misbehaving, "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), "ISTHMUS_CHECK=validate")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
