//go:build linux && cgo && (amd64 || arm64)

package main

// target is how much the bridge may take, as a multiple of what a peer takes; without a peer, as it is.
type target struct {
	peer      string
	most, aim float64
}

type row struct {
	name    string
	n       int  // operations of a turn
	callers int  // of gRPC's client; 0: it has no such row
	large   bool // 64 KiB
	alone   bool // in a process of its own
	targets []target
}

// rust is the same target beside both libraries in Rust.
func rust(most, aim float64) []target {
	return []target{{"rust-flume", most, aim}, {"rust", most, aim}}
}

var sideNames = []string{"bridge", "rust-flume", "rust", "cgo", "grpc", "c"}

var rows = []row{
	{name: "call-1", n: 400, callers: 1, targets: rust(0.40, 0.25)},
	{name: "call-8", n: 1600, callers: 8, targets: rust(0.30, 0.20)},
	{name: "call-64", n: 3200, callers: 64, targets: rust(0.15, 0.07)},
	{name: "echo-64k", n: 100, callers: 1, large: true, targets: rust(0.40, 0.15)},
	{name: "lent-64k", n: 100, large: true, targets: rust(0.40, 0.15)},
	{name: "cast-1", n: 8000, targets: rust(0.8, 0.3)},
	{name: "cast-8", n: 8000, targets: rust(0.2, 0.1)},
	{name: "inline", n: 10000, targets: []target{{"c", 7, 4}, {"rust", 2, 1.3}}},
	{name: "init-deinit", n: 10, targets: []target{{"", 1e6, 2e5}}},
	{name: "threads", n: 3000, alone: true, targets: []target{{"", 64, 24}}},
}
