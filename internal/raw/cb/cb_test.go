package cb_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestSmoke(t *testing.T) {
	ch := make(chan mem.Addr, 1)
	for i := range 100000 {
		s, err := cb.Arm(func(v mem.Addr) { ch <- v })
		if err != nil {
			t.Fatal(err)
		}
		call.Call(s.Fn, uintptr(i), s.Arg)
		call.Call(s.Fn, uintptr(i), s.Arg)
		if got := <-ch; got != mem.Addr(i) {
			t.Fatal(got, i)
		}
	}
	t.Log(cb.Strays(), cb.Armed())
	for _, same := range []bool{false, true} {
		s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Isolate: same, Serve: func(a *cb.Args) uintptr {
			if a[0] == 9 {
				panic("x")
			}
			return a[0] + 1
		}, Fault: func(err error) uintptr { t.Log(err); return 77 }})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(call.Call(s.Fn, 4, s.Arg), call.Call(s.Fn, 9, s.Arg), s.Release(), s.Release(), call.Call(s.Fn, 4, s.Arg))
	}
}

func BenchmarkY(b *testing.B) {
	ch := make(chan mem.Addr, 1)
	done := func(v mem.Addr) { ch <- v }
	b.Run("signal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, _ := cb.Arm(done)
			call.Call(s.Fn, 0, s.Arg)
			<-ch
		}
	})
	for _, same := range []bool{false, true} {
		s, _ := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Isolate: same, Serve: func(a *cb.Args) uintptr { return a[0] + 1 }})
		b.Run("serve", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call.Call(s.Fn, 0, s.Arg)
			}
		})
	}
}
