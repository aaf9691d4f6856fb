package ffi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

func TestLibrary(t *testing.T) {
	path := ctest.Open(t).Path()
	lib, err := ffi.OpenLibrary("/nowhere/first.so", path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ffi.OpenLibrary(path)
	if err != nil || !lib.Same(again) || lib.Path() != path {
		t.Errorf("opened again: %v, same %v, path %q", err, lib.Same(again), lib.Path())
	}
	s, err := lib.Symbol("identity")
	if err != nil || s.Name() != "identity" {
		t.Fatalf("Symbol: %q, %v", s.Name(), err)
	}
	if got := call.Call(s.Fn(), 42); got != 42 {
		t.Errorf("identity(42) = %d", got)
	}
	if _, err := lib.Symbol("missing"); !errors.Is(err, isthmus.ErrNotFound) {
		t.Errorf("missing symbol: %v", err)
	}
	_, err = ffi.OpenLibrary("/nowhere/first.so", "/nowhere/second.so")
	if !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "first.so") || !strings.Contains(err.Error(), "second.so") {
		t.Errorf("OpenLibrary: %v", err)
	}
	var none *ffi.Library
	if _, err := none.Symbol("x"); !errors.Is(err, isthmus.ErrClosed) || none.Path() != "" || none.Same(none) {
		t.Errorf("no library: %v", err)
	}
}
