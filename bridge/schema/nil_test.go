package schema_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
)

func TestNilAndZeroValues(t *testing.T) {
	niltest.Methods(t, &schema.Builder{}, &schema.Codec{}, new(schema.Kind), &schema.Type{}, new(schema.MethodKind), &schema.Method{}, &schema.Schema{},
		&schema.Print{}, &schema.Mismatch{})
}
