//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench/langrt: it measures with Linux's clocks of threads")
	os.Exit(2)
}
