// Command mpi uses memory that the library has, and forgets a communicator, where only a run shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// scale is somebody else's: it knows of no message.
func scale(x []float64) {
	for i := range x {
		x[i] = 2*x[i] + 1
	}
}

func run(ctx context.Context) error {
	isthmus.SetCheck(isthmus.CheckValidate)
	w, err := mpi.Open(ctx, mpi.Options{})
	if err != nil {
		return err
	}
	c, err := w.Comm().Dup(ctx) // want mpi/leak
	if err != nil {
		return err
	}
	out, in := make([]float64, 300000), make([]float64, 300000)
	s, err := mpi.Isend(c, out, 0, 1) // want mpi/send-buffer-changed
	if err != nil {
		return err
	}
	scale(out)
	r, err := mpi.Irecv(c, in, 0, 1)
	if err != nil {
		return err
	}
	if _, err := mpi.Irecv(c, in[10:20], 0, 2); err == nil { // want mpi/buffer-overlap
		return fmt.Errorf("an overlap was not refused")
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	if _, _, err := s.Wait(ctx); err != nil {
		return err
	}
	if err := w.Close(ctx); err == nil {
		return fmt.Errorf("a communicator is open")
	}
	return errors.Join(c.Close(), w.Close(ctx))
}

func main() {
	f, err := os.Create(os.Getenv("ISTHMUS_REPORT"))
	if err == nil {
		isthmus.SetReporter(isthmus.JSONReporter(f))
		err = run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
