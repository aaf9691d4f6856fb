// Command call compares ways to call a C function from Go: one pointer in, one pointer out, by address, as every
// PJRT slot is called. The ways take turns in one process, in random order, so that the machine's load falls on
// all alike; what counts is the ratio of the medians.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
)

func main() {
	rounds := flag.Int("rounds", 400, "how often each way takes its turn")
	calls := flag.Int("calls", 2000, "calls in a turn")
	flag.Parse()
	lib, err := dl.Open("libc.so.6", "/usr/lib/libSystem.B.dylib", "libc.so.7")
	if err != nil {
		log.Fatal(err)
	}
	labs, err := lib.Symbol("labs") // a few instructions: the crossing is what is measured
	if err != nil {
		log.Fatal(err)
	}
	var registered func(uintptr) uintptr
	purego.RegisterFunc(&registered, uintptr(labs))
	frame := call.Get()
	defer frame.Put()
	pair := call.Pair{Fn: labs}

	type way struct {
		name  string
		run   func()
		nanos []float64
	}
	ways := []*way{
		{name: "frame.Call1", run: func() { frame.Call1(labs, 0) }},
		{name: "call.Call1 (frame from the pool)", run: func() { call.Call1(labs, 0) }},
		{name: "call.Call, 3 arguments", run: func() { call.Call(labs, 0, 1, 2) }},
		{name: "frame.Chain of 4, all four", run: func() { _, _, _ = frame.Chain(pair, pair, pair, pair) }},
		{name: "purego.SyscallN", run: func() { purego.SyscallN(uintptr(labs), 0) }},
		{name: "purego.RegisterFunc", run: func() { registered(0) }},
	}
	if cgoCall != nil {
		ways = append(ways, &way{name: "cgo", run: func() { cgoCall(uintptr(labs), 0) }})
	}
	for range *rounds {
		for _, i := range rand.Perm(len(ways)) {
			w := ways[i]
			start := time.Now()
			for range *calls {
				w.run()
			}
			w.nanos = append(w.nanos, float64(time.Since(start).Nanoseconds())/float64(*calls))
		}
	}
	fmt.Printf("%s, %s/%s, cgo %v, trampoline %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, cgoCall != nil, call.Trampoline)
	fmt.Printf("| way | p50 ns | p10 ns | x frame.Call1 | allocs |\n|---|--:|--:|--:|--:|\n")
	base := 0.0
	for i, w := range ways {
		slices.Sort(w.nanos)
		p50 := w.nanos[len(w.nanos)/2]
		if i == 0 {
			base = p50
		}
		fmt.Printf("| %s | %.1f | %.1f | %.2f | %.0f |\n", w.name, p50, w.nanos[len(w.nanos)/10], p50/base, testing.AllocsPerRun(1000, w.run))
	}
}
