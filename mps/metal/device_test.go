package metal_test

import (
	"context"
	"testing"

	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/mpstest"
)

// TestM07M08M09Metal runs the suite of package mps on the doubles of Metal's classes, our kernels compiled as C++.
func TestM07M08M09Metal(t *testing.T) {
	d := open(t)
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	mpstest.Run(t, func(ctx context.Context) (*mps.Device, error) {
		return mps.Open(ctx, mps.Options{Backend: d.options()})
	}, mpstest.Options{Rounds: rounds})
}
