// Command samplelib is the library that the tests' hosts load.
package main

import (
	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
)

var (
	b = sample.New(bridge.Options{MaxRequest: 2 << 20, MaxReply: 2 << 20, MaxBytes: 64 << 20, MaxInFlight: 1024})
	_ = bridge.Serve(b)
)

func main() { bridge.Main(b) }
