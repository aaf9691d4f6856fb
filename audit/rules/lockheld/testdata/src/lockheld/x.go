package lockheld

/*
extern void onEvent(int n);
extern void onOther(int n);
static void emit(int n) { onEvent(n); }
static void pump(int n) { if (n > 0) emit(n); }
static void other(int n) { onOther(n); }
static int quiet(int n) { return n; }
*/
import "C"

import "sync"

var (
	mu     sync.Mutex
	events []int
	table  struct {
		sync.RWMutex
		names map[int]string
	}
)

//export onEvent
func onEvent(n C.int) { keep(int(n)) }

//export onOther
func onOther(n C.int) {
	table.Lock()
	defer table.Unlock()
	table.names[int(n)] = ""
}

func keep(n int) {
	mu.Lock()
	defer mu.Unlock()
	events = append(events, n)
}

func poll() {
	mu.Lock()
	defer mu.Unlock()
	C.pump(1) // want lock-held:warning
}

func reads() string {
	table.RLock()
	C.other(1) // want lock-held:warning
	name := table.names[1]
	table.RUnlock()
	return name
}

func released() int {
	mu.Lock()
	n := len(events)
	mu.Unlock()
	C.pump(C.int(n))
	return n
}

func another() {
	table.RLock()
	defer table.RUnlock()
	C.pump(1) // that waits for mu
}

func nothing() {
	mu.Lock()
	defer mu.Unlock()
	C.quiet(1)
}

var _ = []any{poll, reads, released, another, nothing}
