package stablehlo_test

import (
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestIncomplete verifies and prints graphs made by hand that lack parts: each is refused, none panics.
func TestIncomplete(t *testing.T) {
	x := &stablehlo.Value{Type: stablehlo.TensorOf(dtype.F32)}
	values, none := []*stablehlo.Value{x}, []*stablehlo.Value{nil}
	ret := &stablehlo.Op{Kind: stablehlo.Return}
	body := func(ops ...*stablehlo.Op) *stablehlo.Module {
		return &stablehlo.Module{Funcs: []*stablehlo.Func{{Name: "f", Body: &stablehlo.Block{Args: values, Ops: ops}}}}
	}
	graphs := map[string]*stablehlo.Module{
		"no module":      nil,
		"nil function":   {Funcs: []*stablehlo.Func{nil}},
		"no body":        {Funcs: []*stablehlo.Func{{Name: "f"}}},
		"nil argument":   {Funcs: []*stablehlo.Func{{Body: &stablehlo.Block{Args: none, Ops: []*stablehlo.Op{ret}}}}},
		"no return":      body(),
		"nil operation":  body(nil, ret),
		"nil attributes": body(&stablehlo.Op{Kind: stablehlo.Constant, Results: values, Attr: (*stablehlo.Literal)(nil)}, ret),
		"no callee":      body(&stablehlo.Op{Kind: stablehlo.Call, Attr: stablehlo.CallAttr{}}, ret),
	}
	for _, k := range append(stablehlo.Kinds(), 0, 255) {
		if k == stablehlo.Return {
			continue
		}
		for name, op := range map[string]stablehlo.Op{
			"nil values": {Operands: none, Results: none},
			"no types":   {Operands: values, Results: []*stablehlo.Value{{}}},
			"regions":    {Operands: values, Results: values, Regions: []*stablehlo.Block{{}, nil}},
		} {
			op.Kind = k
			graphs[fmt.Sprint(k, ": ", name)] = body(&op, ret)
		}
	}
	for name, m := range graphs {
		t.Run(name, func(t *testing.T) {
			if err := stablehlo.Verify(m); err == nil {
				t.Errorf("verifies: %v", m)
			}
			if m.String() == "" {
				t.Error("prints as nothing")
			}
		})
	}
}

// TestNilModule asks a module that is not there.
func TestNilModule(t *testing.T) {
	var m *stablehlo.Module
	if m.Func("f") != nil || m.Main() != nil || !stablehlo.Equal(m, nil) || stablehlo.Equal(m, &stablehlo.Module{}) {
		t.Error("a nil module has functions, or is another")
	}
	(&stablehlo.Func{}).Walk(func(*stablehlo.Op) bool { t.Error("visited"); return true })
}

// TestPrintUnverified prints operations that Parse took without verifying.
func TestPrintUnverified(t *testing.T) {
	for _, k := range stablehlo.Kinds() {
		src := fmt.Sprintf("func.func @f() {\n\"stablehlo.%v\"() : () -> ()\nreturn\n}", k)
		if m, err := stablehlo.Parse([]byte(src), stablehlo.Options{SkipVerify: true}); err == nil && m.String() == "" {
			t.Errorf("%v prints as nothing", k)
		}
	}
}
