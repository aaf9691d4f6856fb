package isthmus_test

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
)

// The census says what is alive.
func ExampleLive() {
	class := &ffi.Class[int]{Name: "lib.Buffer", Destroy: func(int) error { return nil }}
	var a, b ffi.Owned[int]
	if err := errors.Join(a.Init(class, 1), b.Init(class, 2)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(isthmus.Live().Count())
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(isthmus.Live().Err())
	// Output:
	// map[lib.Buffer:2]
	// <nil>
}

// A program decides by itself where its check mode comes from.
func ExampleParseCheck() {
	_, err := isthmus.ParseCheck("loud")
	fmt.Println(err)
	c, err := isthmus.ParseCheck("report")
	if err == nil {
		isthmus.SetCheck(c)
	}
	fmt.Println(isthmus.CurrentCheck())
	// Output:
	// isthmus: check mode "loud": invalid; use off, report, panic or validate
	// report
}
