//go:build cgo

package main

import "github.com/isthmus-ffi/isthmus/bench/call/cgoside"

// cgoCall is cgo's way, nil in a build without cgo.
var cgoCall = cgoside.Call1
