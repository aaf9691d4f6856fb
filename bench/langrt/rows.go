//go:build linux

package main

// target is how much one of our sides may take, as a multiple of what a peer takes; without a peer, in nanoseconds.
type target struct {
	ours, peer string
	most       float64
}

type row struct {
	name    string
	memory  bool // bytes, not time
	targets []target
}

// field are the targets of a get from what has a fixed number of fields, beside a load that nobody checks.
var field = []target{{"inline", "c", 4}, {"inline", "", 1.2}}

var rows = []row{
	{name: "array-get", targets: []target{{"inline", "rust", 0.5}, {"exported", "rust", 1.2}}},
	{name: "array-get-random"},
	{name: "array-set"},
	{name: "push", targets: []target{{"inline", "rust", 1.3}, {"inline", "lua", 0.35}}},
	{name: "new-8-push-free", targets: []target{{"inline", "cpython", 0.65}, {"inline", "rust", 0.65}, {"inline", "lua", 0.15}}},
	{name: "dict-int-set"},
	{name: "dict-int-get", targets: []target{{"inline", "rust", 0.9}, {"inline", "fx", 2.2}}},
	{name: "dict-string-get", targets: []target{{"inline", "cpython", 0.75}}},
	{name: "string-new-free", targets: []target{{"inline", "cpython", 0.4}}},
	{name: "concat-free", targets: []target{{"inline", "cpython", 0.55}}},
	{name: "tuple-get", targets: field},
	{name: "object-get", targets: field},
	{name: "closure-get", targets: field},
	{name: "enum-get", targets: field},
	{name: "unique-get", targets: field},
	{name: "object-new-free"},
	{name: "objects-1k-new-free"},
	{name: "channel-send-recv", targets: []target{{"exported", "crossbeam", 0.7}}},
	{name: "channel-stream", targets: []target{{"exported", "crossbeam", 1.5}}},
	{name: "await-unstarted", targets: []target{{"exported", "", 120}}},
	{name: "await-ready", targets: []target{{"exported", "", 5}}},
	{name: "generator-next", targets: []target{{"exported", "iter.Pull", 0.1}}},
	{name: "coroutine-next", targets: []target{{"exported", "iter.Pull", 0.4}}},
	{name: "actor-message", targets: []target{{"exported", "protoactor-go", 0.6}}},
	{name: "actor-spawn", targets: []target{{"exported", "protoactor-go", 1}}},
	{name: "bytes-string-16", memory: true},
	{name: "bytes-object-2", memory: true},
	{name: "bytes-array-8", memory: true},
	{name: "bytes-actor", memory: true, targets: []target{{"exported", "", 4096}}},
	{name: "bytes-actor-body", memory: true},
}
