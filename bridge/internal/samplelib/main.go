// Command samplelib is the library that the tests' hosts load.
package main

import (
	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
)

var (
	b = sample.New(sample.Limits())
	_ = bridge.Serve(b)
)

func main() { bridge.Main(b) }
