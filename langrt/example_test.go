package langrt_test

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

func Example() {
	err := langrt.Do(func(s *langrt.Scope) error {
		names, err := langrt.NewArray(s, 0)
		if err != nil {
			return err
		}
		for _, n := range []string{"Ada", "Grace", "Barbara"} {
			name, err := langrt.NewString(s, n)
			if err != nil {
				return err
			}
			if err := names.Push(name.Value); err != nil {
				return err
			}
		}
		for i, v := range names.All() {
			fmt.Println(i, v)
		}
		_, err = names.Get(7)
		fmt.Println(errors.Is(err, isthmus.ErrBounds))
		return nil
	})
	fmt.Println(err)
	// Output:
	// 0 "Ada"
	// 1 "Grace"
	// 2 "Barbara"
	// true
	// <nil>
}

// A value that outlives its object is an error with a name, whatever has been made in its place.
func ExampleRelease() {
	text, err := langrt.NewString(nil, "short-lived")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(langrt.Release(text.Value))
	_, err = text.Text()
	fmt.Println(errors.Is(err, isthmus.ErrClosed))
	// Output:
	// <nil>
	// true
}

func ExampleDict() {
	err := langrt.Do(func(s *langrt.Scope) error {
		ages, err := langrt.NewDict(s, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(ages.SetText("Ada", langrt.Int(36)), ages.SetText("Grace", langrt.Int(85))); err != nil {
			return err
		}
		for k, v := range ages.All() {
			name, _ := langrt.As[string](k)
			age, _ := langrt.As[int](v)
			fmt.Println(name, age)
		}
		_, err = ages.GetText("Barbara")
		fmt.Println(err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// Ada 36
	// Grace 85
	// langrt: dict get: not found
	// <nil>
}

func ExampleFrom() {
	err := langrt.Do(func(s *langrt.Scope) error {
		v, err := langrt.From(s, []any{1, "two", 3.5, []bool{true}})
		if err != nil {
			return err
		}
		x, err := v.Go()
		fmt.Println(x, err)
		return err
	})
	fmt.Println(err)
	// Output:
	// [1 two 3.5 [true]] <nil>
	// <nil>
}

// Scopes let go what is made in them; what a container counts, or Keep took out, stays.
func ExampleDo() {
	var kept langrt.Value
	err := langrt.Do(func(s *langrt.Scope) error {
		list, err := langrt.ArrayOf(s, langrt.Int(1), langrt.Int(2))
		if err != nil {
			return err
		}
		kept = list.Value
		return s.Keep(kept)
	})
	fmt.Println(err, kept.Live())
	fmt.Println(langrt.Release(kept), kept.Live())
	// Output:
	// <nil> true
	// <nil> false
}
