// Command libisthmus_pjrt is the embedded device as a PJRT plugin for programs in other languages, JAX among them:
//
//	go build -buildmode=c-shared -ldflags="-s -w" -o libisthmus_pjrt.so ./cmd/libisthmus_pjrt
//
// The library exports GetPjrtApi.
package main

import (
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlib"
)

// The main function of a shared library never runs; its variables are initialised when it is loaded.
var _ = pjrtlib.Serve(device.Server(device.Options{}, "cpu"))

func main() {
	fmt.Fprintln(os.Stderr, "libisthmus_pjrt is a library: go build -buildmode=c-shared ./cmd/libisthmus_pjrt (with cgo)")
	os.Exit(2)
}
