//go:build linux && cgo && (amd64 || arm64)

// Command lib is the library that the benchmark's hosts call: the bridge, and beside it a plain cgo export.
package main

// #include <stddef.h>
// #include <stdint.h>
import "C"

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/isthmus-ffi/isthmus/bridge"
)

// Msg is one of Ping, Pong and Blob.
type Msg interface{ msg() }

// Ping is answered by a Pong.
type Ping struct{}

// Pong is the answer.
type Pong struct{}

// Blob is answered by itself.
type Blob struct{ Data []byte }

func (Ping) msg() {}
func (Pong) msg() {}
func (Blob) msg() {}

var told atomic.Uint64

func echo(_ context.Context, m Msg) (Msg, error) {
	if _, ok := m.(Ping); ok {
		return Pong{}, nil
	}
	return m, nil
}

func benchmarked() *bridge.Bridge {
	b := bridge.New(bridge.Options{Name: "bench"})
	bridge.Codecs(b, wireCodecs()...) // zwire.go: isthmus bridge gen --lang go . in this folder
	bridge.Sum[Msg](b, Ping{}, Pong{}, Blob{})
	bridge.Call(b, "echo", echo)
	bridge.Call(b, "lent", echo, bridge.Borrow())
	bridge.Call(b, "quick", echo, bridge.Inline())
	bridge.Cast(b, "tell", func(context.Context, Msg) error {
		told.Add(1)
		return nil
	})
	return b
}

var (
	served = benchmarked()
	_      = bridge.Serve(served)
)

//export bench_told
func bench_told() C.uint64_t { return C.uint64_t(told.Load()) }

// plain_call is what one writes without a bridge: no deadline, no barrier, no limit, no check of the types, and a handler
// that blocks keeps the host's thread.
//
// SAFETY: owner: the caller, of both; lifetime: the call; bounds: n and cap; alignment: bytes; thread: the caller's.
//
//export plain_call
func plain_call(p *C.uint8_t, n C.size_t, out *C.uint8_t, limit C.size_t) C.int64_t {
	in, reply := unsafe.Slice((*byte)(p), int(n)), unsafe.Slice((*byte)(out), int(limit))
	var m Msg
	switch {
	case len(in) == 1 && in[0] == 0:
		m = Ping{}
	case len(in) >= 9 && in[0] == 2 && binary.LittleEndian.Uint64(in[1:]) == uint64(len(in)-9):
		m = Blob{append([]byte(nil), in[9:]...)}
	default:
		return -1
	}
	m, _ = echo(context.Background(), m)
	switch m := m.(type) {
	case Pong:
		reply[0] = 1
		return 1
	case Blob:
		reply[0] = 2
		binary.LittleEndian.PutUint64(reply[1:], uint64(len(m.Data)))
		return C.int64_t(9 + copy(reply[9:], m.Data))
	}
	return -1
}

func main() { bridge.Main(served) }
