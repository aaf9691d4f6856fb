//go:build linux && cgo

package main_test

import (
	"os"
	"strings"
	"testing"
)

// plane runs a part of testdata/plane.c beside each kind of library.
func plane(t *testing.T, part, n, long string) {
	if testing.Short() {
		t.Skip("it builds the library twice")
	}
	if os.Getenv("ISTHMUS_HAMMER") == "long" {
		n = long
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			// In a fork's child the leak checker has threads to miss.
			env := []string{"ASAN_OPTIONS=detect_leaks=0"}
			t.Log(strings.TrimSpace(run(t, env, v.host(t, "plane", "testdata/plane.c"), part, n)))
		})
	}
}

// TestR01Futures holds futures to what the header says: a body runs once, whoever asks; a wait for itself is refused, also
// through others; all, race, cancel, promises; what only holds itself is collected.
func TestR01Futures(t *testing.T) { plane(t, "futures", "1", "1") }

// TestR01Flight stops the runtime while bodies wait, compute and have not begun, and threads of the host wait.
func TestR01Flight(t *testing.T) { plane(t, "flight", "1", "1") }

// TestR01Again starts and stops the runtime again and again: it takes no more memory for that.
func TestR01Again(t *testing.T) { plane(t, "again", "500", "10000") }

// TestR01Fork asks everything of a fork's child: it is told, and does not hang.
func TestR01Fork(t *testing.T) { plane(t, "child", "1", "1") }

// TestR01Blocked has bodies wait all at once, on few threads.
func TestR01Blocked(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	v := variants[0]
	t.Log(strings.TrimSpace(run(t, nil, v.host(t, "plane", "testdata/plane.c"), "blocked", "10000")))
}

// TestR01Timers has bodies wait with timeouts, none of which comes early, and others block their threads in C meanwhile.
func TestR01Timers(t *testing.T) { plane(t, "timers", "1000", "5000") }

// TestR04Channels holds channels to what the header says: order, room, counts, timeouts, and a close that wakes all.
func TestR04Channels(t *testing.T) { plane(t, "channels", "1", "1") }

// TestR04Torture sends through relays between channels while futures come and go: what is sent is received, once.
func TestR04Torture(t *testing.T) { plane(t, "torture", "1", "60") }

// TestR04Foreign has threads of the host come, send, receive, and go with a scope open.
func TestR04Foreign(t *testing.T) { plane(t, "foreign", "20", "2000") }
