// Command words is a library in Go for hosts in other languages: it counts words.
package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus/bridge"
)

// Text is what hosts send.
type Text struct{ Text string }

// Word is a word and how often it was there.
type Word struct {
	Word  string
	Count uint32
}

// Words are the most frequent words first.
type Words struct{ Words []Word }

// Pause is how long to wait.
type Pause struct{ Millis uint32 }

// Total is all words so far.
type Total struct{ Count uint64 }

func words() *bridge.Bridge {
	var mu sync.Mutex
	counts := map[string]uint32{}
	total := uint64(0)

	b := bridge.New(bridge.Options{Name: "words"})
	// All words so far, whenever some were read.
	totals := bridge.Event[Total](b, "total", bridge.DropOldest)
	// Counts the words of a text.
	bridge.Cast(b, "read", func(_ context.Context, t Text) error {
		mu.Lock()
		defer mu.Unlock()
		for w := range strings.FieldsSeq(strings.ToLower(t.Text)) {
			counts[w]++
			total++
		}
		return totals.Emit(Total{total})
	})
	// The three most frequent words. What is sent does not matter.
	bridge.Call(b, "top", func(context.Context, Total) (Words, error) {
		mu.Lock()
		defer mu.Unlock()
		var all Words
		for w, n := range counts {
			all.Words = append(all.Words, Word{w, n})
		}
		slices.SortFunc(all.Words, func(a, b Word) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Word, b.Word)) })
		all.Words = all.Words[:min(3, len(all.Words))]
		return all, nil
	})
	// How many words a text has.
	bridge.Call(b, "count", func(_ context.Context, t Text) (Total, error) {
		return Total{uint64(len(strings.Fields(t.Text)))}, nil
	}, bridge.Inline())
	// Waits, or ends with the context's error at the host's deadline.
	bridge.Call(b, "pause", func(ctx context.Context, p Pause) (Total, error) {
		select {
		case <-time.After(time.Duration(p.Millis) * time.Millisecond):
			return Total{}, nil
		case <-ctx.Done():
			return Total{}, ctx.Err()
		}
	})
	// Panics, which the host is told.
	bridge.Call(b, "fail", func(_ context.Context, t Text) (Total, error) { panic(fmt.Sprintf("cannot count %q", t.Text)) })
	return b
}

var (
	served = words()
	_      = bridge.Serve(served) // when a host loads the library; main does not run there
)

func main() { bridge.Main(served) }
