//go:build amd64 || arm64

package pjrtlayer

// lane is a number of the calling goroutine's own: the address of its descriptor, which another goroutine has only after
// this one ended.
func lane() uintptr
