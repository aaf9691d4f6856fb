// Command libisthmus_pjrt is the embedded device as a PJRT plugin for programs in other languages, JAX among them:
//
//	go build -buildmode=c-shared -ldflags="-s -w" -o libisthmus_pjrt.so ./cmd/libisthmus_pjrt
//
// The library exports GetPjrtApi. Clients that cannot pass options set them by the environment:
//
//	ISTHMUS_DEVICES=4         how many virtual devices there are; 1 without
//	ISTHMUS_WORKERS=2         how many goroutines compute at a time; one for each processor without
//	ISTHMUS_MEMORY_LIMIT=8e9  bytes of buffers and working memory
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlib"
)

// The main function of a shared library never runs; its variables are initialised when it is loaded.
var _ = pjrtlib.Serve(device.Server(options(), "cpu"))

// options are the device's, by the environment. What is no number is told, and left out.
func options() device.Options {
	number := func(name string) float64 {
		text := pjrtlib.Getenv(name)
		if text == "" {
			return 0
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v < 0 || v > 1<<53 {
			fmt.Fprintf(os.Stderr, "isthmus: %s=%q is not a number that can be used\n", name, text)
			return 0
		}
		return v
	}
	return device.Options{
		Devices:     int(number("ISTHMUS_DEVICES")),
		Workers:     int(number("ISTHMUS_WORKERS")),
		MemoryLimit: int64(number("ISTHMUS_MEMORY_LIMIT")),
	}
}

func main() {
	fmt.Fprintln(os.Stderr, "libisthmus_pjrt is a library: go build -buildmode=c-shared ./cmd/libisthmus_pjrt (with cgo)")
	os.Exit(2)
}
