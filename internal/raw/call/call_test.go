package call_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestSmoke(t *testing.T) {
	lib, err := dl.Open("nope.so", "libc.so.6")
	if err != nil {
		t.Fatal(err)
	}
	labs, err := lib.Symbol("labs")
	if err != nil {
		t.Fatal(err)
	}
	if r := call.Call1(labs, mem.Addr(^uintptr(4))); r != 5 {
		t.Fatal(r)
	}
	mc, _ := lib.Symbol("memcmp")
	if r := call.Call(mc, 0, 0, 0); r != 0 {
		t.Fatal(r)
	}
	f := call.Get()
	defer f.Put()
	n, r, err := f.Chain(call.Pair{labs, 0}, call.Pair{labs, 0}, call.Pair{labs, 7}, call.Pair{labs, 9})
	t.Log(n, r, err)
	_, err = dl.Open("nope.so", "/etc/passwd")
	t.Log(err)
	_, err = lib.Symbol("nope")
	t.Log(err)
}

func BenchmarkX(b *testing.B) {
	lib, _ := dl.Open("libc.so.6")
	labs, _ := lib.Symbol("labs")
	b.Run("call1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call.Call1(labs, 1)
		}
	})
	b.Run("frame", func(b *testing.B) {
		b.ReportAllocs()
		f := call.Get()
		for b.Loop() {
			f.Call1(labs, 1)
		}
	})
	b.Run("calln", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call.Call(labs, 1)
		}
	})
}
