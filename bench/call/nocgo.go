//go:build !cgo

package main

// cgoCall is cgo's way, nil in a build without cgo.
var cgoCall func(fn, arg uintptr) uintptr
