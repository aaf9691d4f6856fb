//go:build !linux || !cgo || !(amd64 || arm64)

// Command bridge needs Linux and cgo.
package main

func main() { panic("bench/bridge: it needs Linux and cgo") }
