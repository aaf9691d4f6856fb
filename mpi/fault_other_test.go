//go:build !unix

package mpi_test

import "os"

// killSelf ends this process as the kernel does it to one that takes too much memory.
func killSelf() {
	os.Exit(137)
}
