//go:build !isthmus_bridge_host

package main

import "os"

func main() {
	os.Stderr.WriteString("samplehost is for the tests: build it with -tags=isthmus_bridge_host\n")
	os.Exit(2)
}
