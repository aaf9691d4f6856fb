package ffi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
)

// A binding embeds an Owned in its own type and enters it for every call.
func ExampleOwned() {
	// One class for each kind of object of a library.
	destroy := func(handle int) error {
		fmt.Println("native destroy of", handle)
		return nil
	}
	clients := &ffi.Class[int]{Name: "lib.Client", Destroy: destroy}
	buffers := &ffi.Class[int]{Name: "lib.Buffer", Destroy: destroy}

	var client, buffer ffi.Owned[int]
	if err := client.Init(clients, 1); err != nil { // 1 is what native code returned
		fmt.Println(err)
	}
	if err := buffer.Init(buffers, 2, &client); err != nil { // the client must outlive it
		fmt.Println(err)
	}

	if h, err := buffer.Use(); err == nil {
		fmt.Println("native call with", h)
		buffer.Done()
	}
	fmt.Println("client busy:", errors.Is(client.Close(), isthmus.ErrBusy))
	fmt.Println(buffer.Close(), client.Close())
	_, err := buffer.Use()
	fmt.Println(err)
	// Output:
	// native call with 2
	// client busy: true
	// native destroy of 2
	// native destroy of 1
	// <nil> <nil>
	// lib.Buffer: closed
}

// A destroy that failed may be tried again, if native code says that the object is still there.
func ExampleRetry() {
	tries := 0
	class := &ffi.Class[int]{Name: "lib.Stream", Destroy: func(int) error {
		if tries++; tries == 1 {
			return ffi.Retry(errors.New("the stream is flushing"))
		}
		return nil
	}}
	var o ffi.Owned[int]
	if err := o.Init(class, 1); err != nil {
		fmt.Println(err)
	}
	fmt.Println(o.Close())
	fmt.Println(o.Close())
	// Output:
	// lib.Stream: close: the stream is flushing (still open; Close may be called again)
	// <nil>
}

// Native code reads one part of a buffer while another is written.
func ExampleLend() {
	b := make([]byte, 100)
	input, err := ffi.Lend(b[:50], ffi.Shared)
	if err != nil {
		fmt.Println(err)
	}
	output, err := ffi.Lend(b[50:], ffi.Exclusive)
	if err != nil {
		fmt.Println(err)
	}
	_, err = ffi.Lend(b[40:60], ffi.Shared)
	fmt.Println("under the writer:", errors.Is(err, isthmus.ErrBorrowed))
	output.Return()
	again, err := ffi.Lend(b[40:60], ffi.Shared)
	fmt.Println("beside the reader:", err)
	again.Return()
	input.Return()
	// Output:
	// under the writer: true
	// beside the reader: <nil>
}

// Sections of one allocation, bounds-checked.
func ExampleRegion() {
	r, err := ffi.Alloc(1<<10, 64)
	if err != nil {
		fmt.Println(err)
	}
	w, err := r.Write(0, 512)
	if err != nil {
		fmt.Println(err)
	}
	copy(w.Bytes(), "halo")
	fmt.Println("close:", errors.Is(r.Close(), isthmus.ErrBorrowed))
	_, err = r.Read(1000, 100)
	fmt.Println(err)
	w.Return()
	fmt.Println("close:", r.Close())
	// Output:
	// close: true
	// ffi: section of 100 bytes at 1000 of a region of 1024: out of bounds
	// close: <nil>
}

// What native work borrows in a scope is back when the scope is left.
func ExampleWithin() {
	b := make([]byte, 64)
	err := ffi.Within(context.Background(), ffi.ScopeOptions{}, func(s *ffi.Scope) error {
		in, err := s.Lend(b, ffi.Exclusive)
		if err != nil {
			return err
		}
		done := &ffi.Event{}
		go func() { // native work
			in.Bytes()[0] = 42
			done.Complete(nil)
		}()
		return s.Add("execution", done, nil, in)
	})
	fmt.Println(b[0], err)
	// Output: 42 <nil>
}

// An event completes once; giving up on it leaves nothing behind.
func ExampleEvent() {
	var e ffi.Event
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(e.Wait(ctx))
	e.Complete(errors.New("out of memory"))
	fmt.Println(e.Wait(context.Background()))
	// Output:
	// context canceled
	// out of memory
}

// Arguments of a native call, freed together.
func ExampleArena() {
	a, err := ffi.NewArena(0)
	if err != nil {
		fmt.Println(err)
	}
	defer a.Close()
	dims, err := ffi.MakeSlice[int64](a, 3)
	if err != nil {
		fmt.Println(err)
	}
	copy(dims, []int64{2, 3, 4})
	fmt.Println(dims, a.Reset())
	_, err = ffi.Make[string](a)
	fmt.Println(errors.Is(err, isthmus.ErrInvalid))
	// Output:
	// [2 3 4] <nil>
	// true
}

// The error of a library that cannot be opened lists what was tried.
func ExampleOpenLibrary() {
	_, err := ffi.OpenLibrary("/opt/none/libplugin.so", "libplugin-of-no-system.so")
	fmt.Println(errors.Is(err, isthmus.ErrNotFound))
	// Output: true
}
