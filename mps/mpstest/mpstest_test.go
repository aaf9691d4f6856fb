package mpstest_test

import (
	"context"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/mps/mpstest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The suite on the device that every machine has.
func TestM07M08M09M15Processor(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	mpstest.Run(t, func(ctx context.Context) (*mps.Device, error) {
		return mps.Open(ctx, mps.Options{Backend: cpu.Options{}})
	}, mpstest.Options{Rounds: rounds})
}
