package peer_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// laid sends what a layout selects, receives into what it selects, and compares what else the buffer has.
func laid(ctx context.Context, j *job, tag int, l *mpi.Layout[float64], err error, size, n int, picked []int) error {
	if err != nil {
		return err
	}
	if l.Size()*n != len(picked) {
		return fmt.Errorf("layout %d selects %d elements, want %d", tag, l.Size()*n, len(picked))
	}
	for i := range 2 { // to where there is none, then to another
		if err := mpi.SendLaid(ctx, j.c, f64(size, i), l, n, j.peer, tag); err != nil {
			return err
		}
		b := make([]float64, size)
		st, err := mpi.RecvLaid(ctx, j.c, b, l, n, j.peer, tag)
		if err != nil || st.Count != len(picked) {
			return fmt.Errorf("layout %d: %+v, %w", tag, st, err)
		}
		want, dense := make([]float64, size), f64(len(picked), i+10)
		for k, at := range picked {
			want[at] = dense[k]
		}
		if err := same(fmt.Sprintf("layout %d", tag), b, want); err != nil {
			return err
		}
	}
	s, err := mpi.IsendLaid(j.c, f64(size, 5), l, n, j.peer, tag)
	if err != nil {
		return err
	}
	r, err := mpi.IrecvLaid(j.c, make([]float64, size), l, n, j.peer, tag)
	if err != nil {
		return err
	}
	if err := mpi.WaitAll(ctx, s, r); err != nil {
		return err
	}
	_, _, err = s.Wait(ctx)
	b, st, rerr := r.Wait(ctx)
	if err := errors.Join(err, rerr, is(st.Count == len(picked), "%+v", st)); err != nil {
		return err
	}
	for k, at := range picked {
		if b[at] != float64(value(k, 30)) {
			return fmt.Errorf("layout %d: element %d is %v", tag, at, b[at])
		}
	}
	return l.Close()
}

// vectors sends the column of a matrix, and three columns in a row.
func vectors(ctx context.Context, j *job) error {
	const rows, cols = 7, 5
	var picked []int
	for r := range rows {
		picked = append(picked, r*cols, r*cols+1)
	}
	l, err := mpi.Vector[float64](j.w, rows, 2, cols)
	return laid(ctx, j, 1, l, err, rows*cols, 1, picked)
}

func indexed(ctx context.Context, j *job) error {
	l, err := mpi.Indexed[float64](j.w, []int{3, 0, 1, 2}, []int{10, 4, 2, 20})
	if err := laid(ctx, j, 2, l, err, 60, 2, []int{10, 11, 12, 2, 20, 21, 30, 31, 32, 22, 40, 41}); err != nil {
		return err
	}
	c, err := mpi.Contiguous[float64](j.w, 4)
	return laid(ctx, j, 3, c, err, 12, 3, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
}

func subarrays(ctx context.Context, j *job) error {
	var picked []int
	for a := 1; a < 3; a++ {
		for b := range 3 {
			for c := 2; c < 4; c++ {
				picked = append(picked, (a*5+b)*6+c)
			}
		}
	}
	l, err := mpi.Subarray[float64](j.w, []int{4, 5, 6}, []int{2, 3, 2}, []int{1, 0, 2})
	return laid(ctx, j, 4, l, err, 120, 1, picked)
}

// resized sends columns one after the other: the transpose.
func resized(ctx context.Context, j *job) error {
	v, err := mpi.Vector[float64](j.w, 4, 1, 3)
	if err != nil {
		return err
	}
	defer v.Close()
	l, err := v.Resized(1)
	var picked []int
	for c := range 3 {
		for r := range 4 {
			picked = append(picked, r*3+c)
		}
	}
	return laid(ctx, j, 5, l, err, 12, 3, picked)
}

// packed sends bytes that the other side takes apart.
func packed(ctx context.Context, j *job) error {
	l, err := mpi.Vector[float64](j.w, 5, 1, 2)
	if err != nil {
		return err
	}
	defer l.Close()
	b, err := mpi.Pack(f64(10, 3), l, 1)
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, j.c, b, j.peer, 1); err != nil {
		return err
	}
	s, err := mpi.Probe[byte](ctx, j.c, j.peer, 2)
	if err != nil {
		return err
	}
	in := make([]byte, s.Count)
	if _, err := mpi.Recv(ctx, j.c, in, j.peer, 2); err != nil {
		return err
	}
	got, want := make([]float64, 10), make([]float64, 10)
	if err := mpi.Unpack(in, got, l, 1); err != nil {
		return err
	}
	for i := range 5 {
		want[2*i] = float64(value(i, 4))
	}
	return same("unpacked", got, want)
}
