//go:build !cgo

package pjrtlib

// Serve does nothing: without cgo there is no shared library.
func Serve(any) bool { return false }
