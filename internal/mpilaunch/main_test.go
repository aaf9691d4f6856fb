package mpilaunch_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func TestMain(m *testing.M) { mpitest.Main(m, nil, nil) }
