// Command libisthmus is the runtime of a language as a shared library, for compilers and hosts in C and whatever calls C:
//
//	go build -buildmode=c-shared -ldflags="-s -w" -o libisthmus.so ./cmd/libisthmus
//
// include/isthmus_rt.h documents its functions.
package main

import (
	"fmt"
	"os"

	_ "github.com/isthmus-ffi/isthmus/internal/raw/rtlib" // exports them
)

func main() {
	fmt.Fprintln(os.Stderr, "libisthmus is a library: go build -buildmode=c-shared ./cmd/libisthmus (with cgo)")
	os.Exit(2)
}
