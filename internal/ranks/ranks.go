// Package ranks lets a program start itself as the ranks of an MPI job.
package ranks

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// Launched reports whether a launcher of MPI has started this process.
func Launched() bool {
	return os.Getenv("OMPI_COMM_WORLD_SIZE") != "" || os.Getenv("PMI_RANK") != "" || os.Getenv("PMI_FD") != ""
}

// Open joins the job as a rank, in the check mode that the environment variable ISTHMUS_CHECK names.
func Open(ctx context.Context) (*mpi.World, error) {
	check, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK"))
	if err != nil {
		return nil, err
	}
	isthmus.SetCheck(check)
	return mpi.Open(ctx, mpi.Options{})
}

// Start starts this program again, as n ranks with these arguments, by the launcher of the library that is found, and waits
// for them.
func Start(ctx context.Context, n int, out io.Writer, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	info, _, err := mpi.Find(ctx, mpi.Options{})
	if err != nil {
		return err
	}
	l, _, err := mpilaunch.Find(ctx, info.Family, info.File)
	if err != nil {
		return err
	}
	cmd := l.Command(n, []string{"ISTHMUS_MPI=" + info.Path}, nil, append([]string{self}, args...)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return mpilaunch.Run(ctx, cmd, 5*time.Second)
}
