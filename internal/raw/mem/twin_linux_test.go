//go:build !isthmus_portable

package mem_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// A twin is the same memory, and memory still when the other mapping is gone.
func TestTwin(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "shared")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const size = 3 * 4096
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	whole, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	part := whole[100:9000]
	twin, err := mem.NewTwin(part, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := twin.Bytes()
	if len(b) != len(part) || cap(b) != len(part) || &b[0] == &part[0] {
		t.Fatalf("%d of %d bytes", len(b), cap(b))
	}
	part[0], b[len(b)-1] = 7, 9
	if b[0] != 7 || part[len(part)-1] != 9 {
		t.Error("it is not the same memory")
	}
	if _, err := mem.NewTwin(mem.Bytes(make([]byte, 8192)), nil); !errors.Is(err, isthmus.ErrUnsupported) {
		t.Errorf("memory that is not shared: %v", err)
	}
	if err := twin.Protect(true); err != nil || !faults(func() { b[0] = 1 }) {
		t.Errorf("it can be touched: %v", err)
	}
	if err := twin.Protect(false); err != nil || b[0] != 7 {
		t.Errorf("it is closed for good: %v", err)
	}
	if err := unix.Munmap(whole); err != nil {
		t.Fatal(err)
	}
	if b[0] != 7 || b[len(b)-1] != 9 {
		t.Error("it has changed when the other went")
	}
	if err := twin.End(false); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, make([]byte, len(b))) {
		t.Error("it has content still")
	}
	b[5] = 1
	if err := twin.End(false); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("ended twice: %v", err)
	}
	back := make([]byte, size)
	if _, err := file.ReadAt(back, 0); err != nil || back[100] != 7 || back[105] != 0 {
		t.Errorf("the ended twin is the file still: %v", err)
	}
	// Another takes its place.
	if whole, err = unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(whole) }()
	next, err := mem.NewTwin(whole[100:9000], twin)
	if err != nil || &next.Bytes()[0] != &b[0] || b[0] != 7 {
		t.Fatalf("in the place of one that has ended: %v", err)
	}
	other, err := mem.NewTwin(whole[200:9000], twin)
	if err != nil || &other.Bytes()[100] == &b[0] {
		t.Errorf("in the place of one of another size: %v", err)
	}
	if err := errors.Join(next.End(true), other.End(true)); err != nil || !faults(func() { b[0] = 1 }) {
		t.Errorf("guarded: %v", err)
	}
	if err := (*mem.Twin)(nil).Protect(true); err != nil {
		t.Error(err)
	}
}

// faults reports whether f touches memory that cannot be touched.
func faults(f func()) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e, ok := recover().(runtime.Error); ok {
			yes = e != nil
		}
	}()
	f()
	return false
}
