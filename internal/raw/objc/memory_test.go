package objc_test

import (
	"runtime"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// inUse is how many bytes are allocated of C's heap: mallinfo2, which returns a struct.
func inUse(t *testing.T) uintptr {
	t.Helper()
	libc, err := dl.Open("libc.so.6")
	if err != nil {
		t.Skip(err)
	}
	fn, err := libc.Symbol("mallinfo2")
	if err != nil {
		t.Skip(err)
	}
	f := call.Get()
	defer f.Put()
	w, err := call.New[call.Wide](f)
	if err != nil {
		t.Fatal(err)
	}
	info, err := call.Slice[uintptr](f, 10)
	if err != nil {
		t.Fatal(err)
	}
	w.Fn, w.Few, w.X8 = fn, 1, uintptr(mem.AddrOf(info))
	w.Ints[0] = w.X8 // on amd64
	w.Run()
	return info[7]
}

// TestM12M18MemoryIsFlat: exceptions, objects and pools leave nothing on C's heap.
func TestM12M18MemoryIsFlat(t *testing.T) {
	r, table := bind(t)
	arrays := class(t, table, "NSArray")
	objects := class(t, table, "NSObject")
	runtime.LockOSThread() // what a runtime keeps for a thread, it keeps once
	defer runtime.UnlockOSThread()
	run := func(times int) {
		for range times {
			if throw(r, arrays, 3) == nil {
				t.Fatal("no exception")
			}
			pool(t, r, func(p *objc.Pool) error {
				var o objc.Object
				if err := p.New(&o, objects, rowObjectInit); err != nil {
					return err
				}
				return o.Close()
			})
		}
	}
	run(2000)
	const times = 10000
	before := inUse(t)
	run(times)
	if after := inUse(t); after > before+2*times { // less than a quarter of the smallest block each
		t.Errorf("%d bytes more after %d exceptions", after-before, times)
	}
}
