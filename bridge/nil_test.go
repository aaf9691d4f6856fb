package bridge_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
)

func TestNilAndZeroValues(t *testing.T) {
	niltest.Methods(t, &bridge.Bridge{}, &bridge.Topic[int32]{})
	bridge.Call[int32, int32](nil, "none", nil)
	bridge.Sum[error](nil)
	if err := bridge.Serve(nil); err == nil {
		t.Error("nothing is served")
	}
}

// Mistakes of registering are errors, of Err and of Serve, and not panics.
func TestMistakesAreErrors(t *testing.T) {
	for name, register := range map[string]func(b *bridge.Bridge){
		"no handler": func(b *bridge.Bridge) { bridge.Call[int32, int32](b, "m", nil) },
		"a type":     func(b *bridge.Bridge) { bridge.Event[int](b, "m", bridge.DropOldest) },
		"a name":     func(b *bridge.Bridge) { bridge.Event[int32](b, "M m", bridge.DropOldest) },
		"two of one name": func(b *bridge.Bridge) {
			bridge.Event[int32](b, "m", bridge.DropOldest)
			bridge.Event[int64](b, "m", bridge.Refuse)
		},
		"no sum": func(b *bridge.Bridge) { bridge.Sum[int](b, 1) },
	} {
		b := bridge.New(bridge.Options{Name: "b"})
		register(b)
		if b.Err() == nil || bridge.Serve(b) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if bridge.New(bridge.Options{}).Err() == nil || bridge.New(bridge.Options{Name: "b", MaxInFlight: -1}).Err() == nil {
		t.Error("options without a name, or with a negative limit, are accepted")
	}
}
