//go:build !cgo

package pjrtlib

import "os"

// Serve does nothing: without cgo there is no shared library.
func Serve(any) bool { return false }

// Getenv is an environment variable.
func Getenv(name string) string { return os.Getenv(name) }

// AtExit does nothing: without cgo there is no shared library.
func AtExit(func()) {}
