package isthmus_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestParseCheck(t *testing.T) {
	for _, c := range []isthmus.Check{isthmus.CheckOff, isthmus.CheckReport, isthmus.CheckPanic} {
		if got, err := isthmus.ParseCheck(c.String()); got != c || err != nil {
			t.Errorf("ParseCheck(%q) = %v, %v", c, got, err)
		}
	}
	if got, err := isthmus.ParseCheck(""); got != isthmus.CheckReport || err != nil {
		t.Errorf("the default is %v, %v", got, err)
	}
	if _, err := isthmus.ParseCheck("on"); !errors.Is(err, isthmus.ErrInvalid) || !strings.Contains(err.Error(), `"on"`) {
		t.Errorf("a wrong mode: %v", err)
	}
}

// setCheck sets the mode for the time of t.
func setCheck(t *testing.T, c isthmus.Check) {
	before := isthmus.SetCheck(c)
	t.Cleanup(func() { isthmus.SetCheck(before) })
}

func TestSetCheck(t *testing.T) {
	setCheck(t, isthmus.CheckReport)
	if before := isthmus.SetCheck(isthmus.CheckOff); before != isthmus.CheckReport {
		t.Errorf("before: %v", before)
	}
	for _, wrong := range []isthmus.Check{0, 200} {
		if now := isthmus.SetCheck(wrong); now != isthmus.CheckOff || isthmus.CurrentCheck() != isthmus.CheckOff {
			t.Errorf("SetCheck(%v) changed the mode to %v", wrong, isthmus.CurrentCheck())
		}
	}
}

//go:noinline
func makeHere() *isthmus.Entry {
	e := &isthmus.Entry{}
	e.Enter("test.Object")
	return e
}

func TestCensusNamesThePlace(t *testing.T) {
	before := isthmus.Live()
	parent := makeHere()
	child := &isthmus.Entry{}
	child.Enter("test.Child")
	child.AddParent(parent)
	live := isthmus.Live().Since(before)
	if len(live) != 2 || live[0].Kind != "test.Object" || live[1].Kind != "test.Child" || !slices.Equal(live[1].Parents, []uint64{live[0].ID}) {
		t.Fatalf("census %+v", live)
	}
	if s := live[0].Site.String(); !strings.Contains(s, "isthmus_test.go:") || !strings.Contains(s, "makeHere") {
		t.Errorf("site %q", s)
	}
	if stack := live[0].Site.Stack(); !strings.Contains(stack, "TestCensusNamesThePlace") || !strings.Contains(stack, "tRunner") {
		t.Errorf("stack:\n%s", stack)
	}
	if kids := parent.Children(10); len(kids) != 1 || kids[0].ID != live[1].ID {
		t.Errorf("children %v", kids)
	}
	if kids := parent.Children(0); len(kids) != 0 {
		t.Errorf("no children were asked for: %v", kids)
	}
	err := live.Err()
	if !errors.Is(err, isthmus.ErrLeak) || !strings.Contains(err.Error(), "test.Object made at") || !strings.Contains(err.Error(), "2 native objects leaked") {
		t.Errorf("Err = %v", err)
	}
	child.Leave()
	child.Leave()
	parent.Leave()
	if live := isthmus.Live().Since(before); live.Err() != nil || live.String() != "no live native objects" {
		t.Errorf("after all left: %v", live)
	}
}

func TestCensusOff(t *testing.T) {
	setCheck(t, isthmus.CheckOff)
	e := makeHere()
	defer e.Leave()
	o := e.Object()
	if o.Kind != "test.Object" || o.ID == 0 || o.Site.Known() || o.Site.String() != "unknown place" || o.Site.Frames() != nil {
		t.Errorf("object %+v", o)
	}
	if isthmus.Here().Known() {
		t.Error("Here is known")
	}
	if live := isthmus.Live(); len(live) != 0 {
		t.Errorf("census %v", live)
	}
}

func TestSiteOfADeepAndAShallowStack(t *testing.T) {
	var deep func(n int) isthmus.Site
	deep = func(n int) isthmus.Site {
		if n == 0 {
			return isthmus.Here()
		}
		return deep(n - 1)
	}
	if n := len(deep(100).Frames()); n == 0 {
		t.Error("no frames")
	}
	got := make(chan isthmus.Site)
	go func() { got <- isthmus.Here() }()
	s := <-got
	if frames := s.Frames(); len(frames) == 0 || !strings.Contains(frames[0].Function+frames[min(1, len(frames)-1)].Function, "TestSiteOf") {
		t.Errorf("frames of a new goroutine: %+v", frames)
	}
}

// TestCensusModel compares the census with a map.
func TestCensusModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := isthmus.Live()
		var entries []*isthmus.Entry
		in := map[*isthmus.Entry]string{}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				e := &isthmus.Entry{}
				kind := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "kind")
				e.Enter(kind)
				e.Enter("again does nothing")
				in[e] = kind
				entries = append(entries, e)
			},
			"leave": func(t *rapid.T) {
				if len(entries) == 0 {
					t.Skip()
				}
				e := rapid.SampledFrom(entries).Draw(t, "which")
				e.Leave()
				delete(in, e)
			},
			"again": func(t *rapid.T) {
				if len(entries) == 0 {
					t.Skip()
				}
				e := rapid.SampledFrom(entries).Draw(t, "which")
				if _, ok := in[e]; ok {
					t.Skip()
				}
				e.Enter("d")
				in[e] = "d"
			},
			"": func(t *rapid.T) {
				want := map[string]int{}
				for _, kind := range in {
					want[kind]++
				}
				live := isthmus.Live().Since(before)
				got := live.Count()
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("census %v, want %v", got, want)
				}
				if !slices.IsSortedFunc(live, func(a, b isthmus.Object) int { return int(a.ID) - int(b.ID) }) {
					t.Fatal("not in order")
				}
			},
		})
		for _, e := range entries {
			e.Leave()
		}
	})
}

func TestCensusHammer(t *testing.T) {
	before := isthmus.Live()
	var wg sync.WaitGroup
	root := makeHere()
	for range 8 {
		wg.Go(func() {
			for range 500 {
				e := &isthmus.Entry{}
				e.Enter("test.Hammer")
				e.AddParent(root)
				if o := e.Object(); o.Kind != "test.Hammer" || len(o.Parents) != 1 {
					t.Errorf("object %+v", o)
				}
				e.Leave()
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 50 {
				for _, o := range isthmus.Live().Since(before) {
					_ = o.String()
				}
				root.Children(3)
			}
		})
	}
	wg.Wait()
	root.Leave()
	if live := isthmus.Live().Since(before); len(live) != 0 {
		t.Errorf("census %v", live)
	}
}

func TestReport(t *testing.T) {
	setCheck(t, isthmus.CheckReport)
	log := leaktest.Capture(t)
	cause := errors.New("cause")
	count := isthmus.Reported()
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLeak, Object: isthmus.Object{Kind: "test.Object", ID: 7}, Err: cause})
	r := log.Wait(t, 1)[0]
	if want := "isthmus: test.Object#7: collected without Close: cause"; r.Error() != want {
		t.Errorf("text %q, want %q", r.Error(), want)
	}
	if !errors.Is(r, cause) || !errors.Is(r, isthmus.ErrLeak) {
		t.Errorf("report does not wrap its causes: %v", r.Unwrap())
	}
	isthmus.SetCheck(isthmus.CheckOff)
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLeak})
	if n := len(log.All()); n != 1 {
		t.Errorf("a report came under CheckOff: %v", log.All())
	}
	if n := isthmus.Reported() - count; n != 2 {
		t.Errorf("%d reports were counted, want 2", n)
	}
	for p := isthmus.ProblemLeak; p <= isthmus.ProblemLate; p++ {
		if strings.HasPrefix(p.String(), "Problem(") {
			t.Errorf("problem %d has no name", p)
		}
	}
}

func TestReportsGoToSlogByDefault(t *testing.T) {
	setCheck(t, isthmus.CheckReport)
	var out bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(old)
	before := isthmus.SetReporter(nil)
	defer func() { isthmus.SetReporter(before) }()
	e := makeHere()
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLeak, Object: e.Object()})
	e.Leave()
	for _, want := range []string{"level=WARN", "collected without Close", "isthmus_test.go:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log does not say %q: %s", want, out.String())
		}
	}
}

// TestCheckPanicEndsTheProcess runs in a process of its own, which it ends.
func TestCheckPanicEndsTheProcess(t *testing.T) {
	inside, out, err := leaktest.Alone(t, "ISTHMUS_CHECK=panic")
	if !inside {
		if err == nil || !strings.Contains(out, "panic: ") || !strings.Contains(out, "test.Object#0: misuse") {
			t.Errorf("the process ended with %v:\n%s", err, out)
		}
		return
	}
	func() {
		defer func() { _ = recover() }() // hides nothing
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: isthmus.Object{Kind: "test.Object"}})
	}()
	time.Sleep(5 * time.Minute) // longer than the other goroutine needs, however busy the machine is
}

func BenchmarkEntry(b *testing.B) {
	for _, c := range []isthmus.Check{isthmus.CheckReport, isthmus.CheckOff} {
		b.Run("check="+c.String(), func(b *testing.B) {
			defer isthmus.SetCheck(isthmus.SetCheck(c))
			var e isthmus.Entry
			b.ReportAllocs()
			for b.Loop() {
				e.Enter("bench.Object")
				e.Leave()
			}
		})
	}
}
