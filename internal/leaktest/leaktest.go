// Package leaktest fails tests that leak: native objects that are alive at the end, reports that nobody expected,
// goroutines that go on.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/isthmus-ffi/isthmus"
)

// patience is how long what is on its way to its end may take: cleanups run after a collection, goroutines after
// what wakes them, and the machine may be busy with something else.
const patience = time.Minute

// Main runs a package's tests and ends the process. When the tests pass but native objects are alive, or something
// was reported that no test captured, or goroutines go on, the run fails and says which, with creation sites.
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
//
// A long-lived fixture that tests share is closed by after, which run first. The environment variable ISTHMUS_CHECK
// sets the check mode of the run.
func Main(m *testing.M, after ...func()) {
	os.Exit(run(m.Run, after))
}

func run(tests func() int, after []func()) int {
	mode, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "leaktest: ISTHMUS_CHECK:", err)
		return 2
	}
	isthmus.SetCheck(mode)
	log := &Log{}
	before := isthmus.SetReporter(log.add)
	defer func() { isthmus.SetReporter(before) }()
	code := tests()
	for _, f := range after {
		f()
	}
	if code != 0 {
		return code
	}
	patience := patience
	if os.Getenv(aloneEnv) != "" { // it leaks on purpose, as a rule
		patience = 3 * time.Second
	}
	failed := false
	if live := settle(nil, patience); len(live) > 0 {
		failed = true
		fmt.Fprintf(os.Stderr, "leaktest: %v\n", live.Err())
	}
	for _, r := range log.All() {
		failed = true
		fmt.Fprintf(os.Stderr, "leaktest: unexpected report: %v\n%s", r, r.Object.Site.Stack())
	}
	if err := goroutines(patience); err != nil {
		failed = true
		fmt.Fprintf(os.Stderr, "leaktest: %v\n", err)
	}
	if failed {
		return 1
	}
	return 0
}

// goroutines waits until no goroutine goes on that should have ended: goleak itself gives up after half a second.
func goroutines(patience time.Duration) error {
	for end := time.Now().Add(patience); ; {
		err := goleak.Find(Options()...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Options names the goroutines that live as long as the process by design.
func Options() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/isthmus-ffi/isthmus/internal/raw/cb.serveSignals"),
	}
}

// settle waits until no object that is not in before is alive, and returns those that stay.
func settle(before isthmus.Census, patience time.Duration) isthmus.Census {
	var live isthmus.Census
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		live = isthmus.Live().Since(before)
		if len(live) == 0 || time.Now().After(end) {
			return live
		}
		runtime.GC()
	}
}

// Check fails t at its end when native objects that were made meanwhile are still alive. It is for tests that do
// not run beside others.
func Check(t testing.TB) {
	t.Helper()
	before := isthmus.Live()
	t.Cleanup(func() {
		if live := settle(before, patience); len(live) > 0 {
			t.Errorf("leaktest: %v", live.Err())
		}
	})
}

// Log collects reports.
type Log struct {
	mu   sync.Mutex
	list []isthmus.Report
}

// Capture hands the reports that come during t to the log instead of the run's, where they would fail it. It is
// for tests that do not run beside others.
func Capture(t testing.TB) *Log {
	t.Helper()
	log := &Log{}
	before := isthmus.SetReporter(log.add)
	t.Cleanup(func() { isthmus.SetReporter(before) })
	return log
}

func (l *Log) add(r isthmus.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r)
}

// All returns the reports so far.
func (l *Log) All() []isthmus.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// Wait collects garbage until n reports have come, and returns them. It fails t when they do not come.
func (l *Log) Wait(t testing.TB, n int) []isthmus.Report {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		all := l.All()
		if len(all) >= n {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("%d reports came, want %d:\n%v", len(all), n, text(all))
		}
		runtime.GC()
	}
}

func text(reports []isthmus.Report) string {
	var b strings.Builder
	for _, r := range reports {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}
