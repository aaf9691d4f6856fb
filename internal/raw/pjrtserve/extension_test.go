package pjrtserve_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Every extension that the table announces is whole: each of its functions is there, takes a bad argument struct for
// what it is, and says so by its name where it returns an error.
func TestExtensions(t *testing.T) {
	tab := table(t)
	links, err := tab.Chain()
	if err != nil {
		t.Fatal(err)
	}
	f := call.Get()
	defer f.Put()
	for _, l := range links {
		info := pjrtc.Extensions()[l.Type]
		t.Run(info.Name, func(t *testing.T) {
			if l.Size != info.Size || len(info.Funcs) == 0 {
				t.Errorf("%d bytes with %d functions, want %d", l.Size, len(info.Funcs), info.Size)
			}
			for _, fn := range info.Funcs {
				at := l.Func(fn.Offset)
				if at == 0 {
					t.Errorf("%s is null", fn.Name)
					continue
				}
				short, _ := call.Slice[uint64](f, 32)
				short[0] = 8
				for _, bad := range []mem.Addr{0, 4, mem.AddrOf(short), 8 << 40} {
					e := pjrtc.Ptr[pjrtc.Error](f.Call1(call.Fn(at), bad))
					if e == 0 {
						if !strings.Contains(strings.ToLower(fn.Name), "destroy") {
							t.Errorf("%s takes the argument struct %#x", fn.Name, bad)
						}
						continue // it returns nothing
					}
					if code, msg := drop(tab, e); code != pjrtc.ErrorCodeINVALIDARGUMENT || !strings.Contains(msg, fn.Name) && bad != 8<<40 {
						t.Errorf("%s: %v: %s", fn.Name, code, msg)
					}
				}
			}
		})
	}
	if len(links) != 7 {
		t.Errorf("%d extensions", len(links))
	}
	clean(t)
}

// The shape that a buffer gets is a ShapeProto, which goes by its address alone.
func TestCanonicalShape(t *testing.T) {
	tab := table(t)
	live, end := objects(t, tab)
	f := call.Get()
	defer f.Put()
	dims, _ := call.Slice[int64](f, 2)
	dims[0], dims[1] = 3, 5
	a := &pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs{
		Topology: pjrtc.Ptr[pjrtc.TopologyDescription](live["topology"]), Dims: pjrtc.ToSlice(dims), NumDims: 2, ElementType: pjrtc.BufferTypeF32,
	}
	a = must(t, tab, a)
	got := mem.String(a.SerializedShape, a.SerializedShapeSize, 100)
	if want := "\x10\x0b\x1a\x02\x03\x05"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q first", got, want)
	}
	f.Call1(call.Fn(a.SerializedShapeDeleter), mem.Addr(a.SerializedShape))
	a.MemorySpaceKindId = 7
	if code, msg := do(tab, a); code != pjrtc.ErrorCodeINVALIDARGUMENT || !strings.Contains(msg, "kind 7") {
		t.Errorf("%v: %s", code, msg)
	}
	end()
	clean(t)
}
