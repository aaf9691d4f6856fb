//go:build isthmus_bridge_host

// Command samplehost is the host in C and the library in one program: the race detector does not work in a library.
package main

import (
	"os"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
	"github.com/isthmus-ffi/isthmus/internal/raw/bridgelib"
)

func main() {
	if err := bridge.Serve(sample.New(sample.Limits())); err != nil {
		panic(err)
	}
	os.Exit(bridgelib.HostMain(os.Args))
}
