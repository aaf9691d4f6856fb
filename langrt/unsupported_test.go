//go:build !cgo || !(linux || darwin)

package langrt_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

// Without cgo, what needs C's scheduler says so.
func TestUnsupported(t *testing.T) {
	_, err := langrt.Go(nil, func() (langrt.Value, error) { return langrt.Nil(), nil })
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.NewPromise(nil)
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.Resolved(nil, langrt.Nil())
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.NewChannel(nil, 1)
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.Spawn(nil, 1, func(langrt.Value) error { return nil })
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.NewGenerator(nil, func(func(langrt.Value) bool) {})
	wants(t, err, isthmus.ErrUnsupported)
	_, err = langrt.Shutdown(0)
	wants(t, err, isthmus.ErrUnsupported)
}
