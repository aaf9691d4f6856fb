package cpu

import "github.com/isthmus-ffi/isthmus/device/kernel"

// The blocked algorithms, on the goroutine that calls.
var (
	alone      = blocks{table: kernel.Best()}
	Cholesky   = alone.cholesky
	LU         = alone.lu
	Solve      = alone.solve
	SolveRight = alone.solveRight
)
