package callbackstate

/*
#include <pthread.h>
#include <stddef.h>
extern void tick(int);
extern void tock(int);
extern void named(int);
extern void mine(int);
extern void sent(int);
extern void asked(int);
static void *work(void *p) { tick(1); tock(2); named(3); mine(4); sent(5); return p; }
static int start(void) { pthread_t t; return pthread_create(&t, NULL, work, NULL); }
*/
import "C"

import (
	"sync"
	"sync/atomic"
)

var (
	ticks  int
	tocks  int
	mu     sync.Mutex
	names  = map[int]string{}
	own    int
	events = make(chan int, 8)
	total  atomic.Int64
	last   struct{ n int }
)

// Start starts C's thread.
func Start() int { return int(C.start()) }

//export tick
func tick(n C.int) {
	ticks += int(n) // want callback-state:warning
}

//export named
func named(n C.int) {
	names[int(n)] = "named" // want callback-state:warning
}

//export asked
func asked(n C.int) {
	last.n = int(n) // want callback-state:note
}

//export tock
func tock(n C.int) {
	mu.Lock()
	defer mu.Unlock()
	tocks += int(n)
}

// Nobody else looks at it.
//
//export mine
func mine(n C.int) { own = int(n) }

//export sent
func sent(n C.int) {
	total.Add(int64(n))
	events <- int(n)
}

// Counts are what was counted.
func Counts() (int, int, string, int, int64) {
	mu.Lock()
	defer mu.Unlock()
	return ticks, tocks, names[1], last.n, total.Load()
}
