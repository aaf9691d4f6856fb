// Package expand replaces operations that the typed graph does not have by operations that it has: the CHLO dialect
// and StableHLO's deprecated operations. It works on the generic tree, before lifting.
package expand

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Known reports whether Expand has a decomposition of the operation of that name.
func Known(name string) bool { return decomposition(name) != nil }

// Expand returns operations that compute the results of op from its operands, in order, and the values that stand for
// the results. The operations may themselves need expansion.
func Expand(op *mlir.Op) (ops []*mlir.Op, results []*mlir.Value, err error) {
	f := decomposition(op.Name)
	if f == nil {
		return nil, nil, fmt.Errorf("no decomposition is known")
	}
	b := &builder{pos: op.Pos}
	defer func() {
		if r := recover(); r != nil {
			fail, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = fail.err
		}
	}()
	results = f(b, op)
	if len(results) != len(op.Results) {
		return nil, nil, fmt.Errorf("must have %d results, not %d", len(results), len(op.Results))
	}
	return b.ops, results, nil
}
