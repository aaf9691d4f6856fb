package eval

import (
	"context"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Op runs one operation of module m by itself. captures are the values that its regions read from outside. An executor
// uses it to fold constants and for the operations that it has no faster form of. The arguments are not changed.
func Op(
	ctx context.Context, m *stablehlo.Module, op *stablehlo.Op, args []Value, captures map[*stablehlo.Value]Value,
	opts Options,
) (results []Value, err error) {
	defer guard(&err)
	g, id := joined(ctx)
	r := newRunner(ctx, m, &opts, &memory{limit: opts.MemoryLimit}, g, id)
	results, err = r.run(op, args, &frame{values: captures})
	if err != nil {
		return nil, &Error{op, err}
	}
	return results, nil
}
