package wire_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/bridge/wire"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
)

func TestNilAndZeroValues(t *testing.T) {
	niltest.Methods(t, &wire.Decoder{}, &wire.Encoder{}, &wire.Error{})
}
