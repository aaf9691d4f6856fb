package mpi_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// No method panics on a nil or a zero value, whatever it is given.
func TestNilAndZero(t *testing.T) {
	op, relation, mode, class, level, access := mpi.Op(0), mpi.Relation(0), mpi.LockMode(0), mpi.Class(""), mpi.ThreadLevel(0), mpi.Mode(0)
	niltest.Methods(t, &mpi.Buf[int]{}, &mpi.Comm{}, &mpi.Epoch[int]{}, &mpi.Error{}, &mpi.File{}, &mpi.FileError{}, &mpi.Group{}, &mpi.Hints{}, &mpi.Key[int]{}, &mpi.Layout[int]{}, &mpi.Message[int]{}, &mpi.Ops{}, &mpi.Partitioned[int]{}, &mpi.Persistent[int]{}, &mpi.Repeat[int]{}, &mpi.Request[int]{}, &mpi.SendBuffer{}, &mpi.Session{}, &mpi.Split[int]{},
		&mpi.Tools{}, &mpi.UserOp[int]{}, &mpi.Win[int]{}, &mpi.World{}, &access, &class, &level, &op, &relation, &mode)
}
