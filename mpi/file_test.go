package mpi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["file"] = fileBasics
	scenarios["file views"] = fileViews
	scenarios["file shared"] = fileShared
	scenarios["file later"] = fileLater
	scenarios["file split"] = fileSplit
	scenarios["file errors"] = fileErrors
	scenarios["file types"] = fileTypes
}

func TestFile(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "file") })
	}
}

func TestFileViews(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "file views") })
	}
}
func TestFileShared(t *testing.T) { mpitest.Run(t, 3, "file shared") }
func TestFileLater(t *testing.T)  { mpitest.Run(t, 3, "file later") }
func TestFileSplit(t *testing.T)  { mpitest.Run(t, 3, "file split") }
func TestFileErrors(t *testing.T) { mpitest.Run(t, 2, "file errors") }
func TestFileTypes(t *testing.T)  { mpitest.Run(t, 2, "file types") }

// inFolder runs f with a folder that all ranks see, and that is gone afterwards.
func inFolder(ctx context.Context, c *mpi.Comm, f func(dir string) error) (err error) {
	name := make([]byte, 200)
	if c.Rank() == 0 {
		dir, err := os.MkdirTemp("", "isthmus-file")
		if err != nil {
			return err
		}
		copy(name, dir)
	}
	if err := mpi.Bcast(ctx, c, name, 0); err != nil {
		return err
	}
	dir := string(bytes.TrimRight(name, "\x00"))
	if err := f(dir); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if c.Rank() == 0 {
		return os.RemoveAll(dir)
	}
	return nil
}

func float64s(b []byte) []float64 {
	out := make([]float64, len(b)/8)
	_ = binary.Read(bytes.NewReader(b), binary.NativeEndian, out)
	return out
}

func fileBasics(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileBasicsIn(ctx, w, dir) })
}

func fileBasicsIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	name := filepath.Join(dir, "a file")
	h, err := mpi.NewHints(w, map[string]string{"cb_nodes": "1"})
	if err != nil {
		return err
	}
	f, err := c.OpenFile(ctx, name, mpi.ReadWrite|mpi.Create, h)
	if err != nil {
		return err
	}
	if err := h.Close(); err != nil {
		return err
	}
	if f.Name() != name || f.Mode() != mpi.ReadWrite|mpi.Create {
		return fmt.Errorf("opened %v", f)
	}
	const each = 100
	mine := make([]float64, each)
	for i := range mine {
		mine[i] = float64(me*each + i)
	}
	// Each writes its part, by itself and together; what all read is what all wrote.
	for _, all := range []bool{false, true} {
		write, read := mpi.WriteAt[float64], mpi.ReadAt[float64]
		if all {
			write, read = mpi.WriteAtAll[float64], mpi.ReadAtAll[float64]
		}
		if err := write(ctx, f, mine, int64(me*each*8)); err != nil {
			return err
		}
		if err := f.Sync(ctx); err != nil {
			return err
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		got := make([]float64, n*each+7)
		if k, err := read(ctx, f, got, 0); err != nil || k != n*each {
			return fmt.Errorf("together %v: read %d of %d, %w", all, k, n*each, err)
		}
		for i, v := range got[:n*each] {
			if v != float64(i) {
				return fmt.Errorf("together %v: element %d is %v", all, i, v)
			}
		}
		if k, err := read(ctx, f, got, int64(n*each*8)); err != nil || k != 0 {
			return fmt.Errorf("together %v: at the end: %d, %w", all, k, err)
		}
		if k, err := read(ctx, f, got[:10], int64(n*each*8-20)); err != nil || k != 2 {
			return fmt.Errorf("together %v: two elements and a half: %d, %w", all, k, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if b, err := os.ReadFile(name); err != nil || len(b) != n*each*8 || float64s(b)[n*each-1] != float64(n*each-1) {
			return fmt.Errorf("together %v: the file has %d bytes, %v", all, len(b), err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if err := f.Truncate(ctx, 5); err != nil {
			return err
		}
		if size, err := f.Size(); err != nil || size != 5 {
			return fmt.Errorf("cut to %d, %v", size, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
	}
	if err := f.Truncate(ctx, 0); err != nil {
		return err
	}
	// Each has its own position.
	if err := f.Move(int64(me*each*8), io.SeekStart); err != nil {
		return err
	}
	for i := 0; i < each; i += 10 {
		if i < 50 {
			err = mpi.Write(ctx, f, mine[i:i+10])
		} else {
			err = mpi.WriteAll(ctx, f, mine[i:i+10])
		}
		if err != nil {
			return err
		}
		if p, err := f.Position(); err != nil || p != int64((me*each+i+10)*8) {
			return fmt.Errorf("position %d, %v", p, err)
		}
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if err := f.Move(int64(-8*(me+1)), io.SeekEnd); err != nil {
		return err
	}
	if err := f.Move(8, io.SeekCurrent); err != nil {
		return err
	}
	if err := f.Move(-8, io.SeekCurrent); err != nil {
		return err
	}
	got := make([]float64, 5)
	if k, err := mpi.Read(ctx, f, got); err != nil || k != min(me+1, 5) || got[0] != float64(n*each-me-1) {
		return fmt.Errorf("read %v, %d, %v", got, k, err)
	}
	if k, err := mpi.ReadAll(ctx, f, got); err != nil || k != 0 {
		return fmt.Errorf("read %d past the end, %v", k, err)
	}
	if err := f.SetAtomic(ctx, true); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
		return err
	} else if on, aerr := f.Atomic(); aerr != nil || on != (err == nil) {
		return fmt.Errorf("atomic: %v, %v after %v", on, aerr, err)
	}
	if err := f.SetAtomic(ctx, false); err != nil {
		return err
	}
	if err := f.Preallocate(ctx, int64(n*each*8+100)); err != nil {
		return err
	}
	if size, err := f.Size(); err != nil || size != int64(n*each*8+100) {
		return fmt.Errorf("preallocated to %d, %v", size, err)
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	g, err := f.Group()
	if err != nil || g.Size() != n || g.Rank() != me {
		return fmt.Errorf("group %v, %v", g, err)
	}
	if err := g.Close(); err != nil {
		return err
	}
	if h, err = f.Hints(); err != nil {
		return err
	}
	if err := f.SetHints(ctx, h); err != nil {
		return err
	}
	if err := h.Close(); err != nil {
		return err
	}
	if off, err := f.ByteOffset(77); err != nil || off != 77 {
		return fmt.Errorf("byte offset %d, %v", off, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := mpi.ReadAt(ctx, f, got, 0); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("read after close: %v", err)
	}
	// One that goes when it is closed, and one that is deleted.
	if f, err = c.OpenFile(ctx, filepath.Join(dir, "gone"), mpi.WriteOnly|mpi.Create|mpi.DeleteOnClose, nil); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if me == 0 {
		if _, err := os.Stat(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a file that goes when it is closed: %v", err)
		}
		if err := w.DeleteFile(name, nil); err != nil {
			return err
		}
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a file that was deleted: %v", err)
		}
		if err := w.DeleteFile(name, nil); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, mpi.ErrNoSuchFile) || !errors.Is(err, isthmus.ErrNotFound) {
			return fmt.Errorf("deleted twice: %v", err)
		}
	}
	// At the end.
	if me == 0 {
		if err := os.WriteFile(name, make([]byte, 12), 0o600); err != nil {
			return err
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if f, err = c.OpenFile(ctx, name, mpi.WriteOnly|mpi.Append, nil); err != nil {
		return err
	}
	if p, err := f.Position(); err != nil || p != 12 {
		return fmt.Errorf("appends at %d, %v", p, err)
	}
	return f.Close()
}

// fileViews writes a matrix whose columns belong to ranks in turn, and reads it in other ways.
func fileViews(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileViewsIn(ctx, w, dir) })
}

func fileViewsIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	const rows, wide, head = 6, 3, 10
	cols := wide * n
	name := filepath.Join(dir, "matrix")
	f, err := c.OpenFile(ctx, name, mpi.ReadWrite|mpi.Create, nil)
	if err != nil {
		return err
	}
	part, err := mpi.Subarray[int32](w, []int{rows, cols}, []int{rows, wide}, []int{0, me * wide})
	if err != nil {
		return err
	}
	if err := mpi.SetView(ctx, f, head, part, "", nil); err != nil {
		return err
	}
	mine := make([]int32, rows*wide)
	for i := range mine {
		mine[i] = int32(i/wide*cols + me*wide + i%wide)
	}
	if err := mpi.WriteAll(ctx, f, mine); err != nil {
		return err
	}
	if off, err := f.ByteOffset(wide); err != nil || off != int64(head+4*(cols+me*wide)) {
		return fmt.Errorf("element %d is at byte %d, %v", wide, off, err)
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	b, err := os.ReadFile(name)
	if err != nil || len(b) != head+rows*cols*4 {
		return fmt.Errorf("the file has %d bytes, %v", len(b), err)
	}
	for i := range rows * cols {
		if v := int32(binary.NativeEndian.Uint32(b[head+4*i:])); v != int32(i) {
			return fmt.Errorf("element %d in the file is %d", i, v)
		}
	}
	// A matrix of half the rows, twice: the second tile goes on where the first ends. And past the end.
	half, err := mpi.Subarray[int32](w, []int{rows / 2, cols}, []int{rows / 2, wide}, []int{0, me * wide})
	if err != nil {
		return err
	}
	if err := mpi.SetView(ctx, f, head, half, "native", nil); err != nil {
		return err
	}
	for _, read := range []func(got []int32) (int, error){
		func(got []int32) (int, error) { return mpi.ReadAtAll(ctx, f, got, 2) },
		func(got []int32) (int, error) { return mpi.ReadAt(ctx, f, got, 2) },
		func(got []int32) (int, error) {
			if err := f.Move(2, io.SeekStart); err != nil {
				return 0, err
			}
			return mpi.ReadAll(ctx, f, got)
		},
		func(got []int32) (int, error) {
			r, err := mpi.IreadAtAll(f, got, 2)
			if err != nil {
				return 0, err
			}
			_, st, err := r.Wait(ctx)
			return st.Count, err
		},
	} {
		got := make([]int32, rows*wide+50)
		k, err := read(got)
		if err != nil || k != rows*wide-2 || !slices.Equal(got[:k], mine[2:]) {
			return fmt.Errorf("read %d of %d: %v, %w", k, rows*wide-2, got, err)
		}
	}
	// Two slices of the layout at odd places, against what they select.
	odd, err := mpi.Indexed[int32](w, []int{2, 1, 3}, []int{1, 4, 6})
	if err != nil {
		return err
	}
	wideOdd, err := odd.Resized(10)
	if err != nil {
		return err
	}
	if err := mpi.SetView(ctx, f, head, wideOdd, "native", nil); err != nil {
		return err
	}
	var want []int32
	for tile := 0; tile < rows*cols; tile += 10 {
		for _, i := range []int{1, 2, 4, 6, 7, 8} {
			if tile+i < rows*cols {
				want = append(want, int32(tile+i))
			}
		}
	}
	got := make([]int32, len(want)+6)
	if k, err := mpi.ReadAtAll(ctx, f, got, 0); err != nil || k != len(want) || !slices.Equal(got[:k], want) {
		return fmt.Errorf("read %v of %v, %d, %w", got, want, k, err)
	}
	if k, err := mpi.ReadAt(ctx, f, got, 3); err != nil || k != len(want)-3 || !slices.Equal(got[:k], want[3:]) {
		return fmt.Errorf("read %v of %v, %d, %w", got, want[3:], k, err)
	}
	if err := mpi.SetView[float64](ctx, f, 0, nil, "", nil); err != nil {
		return err
	}
	if _, err := mpi.ReadAt(ctx, f, got[:3], 0); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("one element and a half: %v", err)
	}
	// What cannot be a view is an error in all.
	twice, err := mpi.Indexed[int32](w, []int{2, 2}, []int{0, 1})
	if err != nil {
		return err
	}
	down, err := mpi.Indexed[int32](w, []int{1, 1}, []int{3, 0})
	if err != nil {
		return err
	}
	none, err := mpi.Contiguous[int32](w, 0)
	if err != nil {
		return err
	}
	for _, l := range []*mpi.Layout[int32]{twice, down, none} {
		if err := mpi.SetView(ctx, f, 0, l, "", nil); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("a view of %v: %v", l, err)
		}
	}
	if err := mpi.SetView(ctx, f, -1, part, "", nil); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a view from -1: %v", err)
	}
	if me == 0 {
		err = mpi.SetView(ctx, f, 0, twice, "", nil)
	} else {
		err = mpi.SetView(ctx, f, 0, part, "", nil)
	}
	if !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a view that is wrong in one process: %v", err)
	}
	for _, l := range []*mpi.Layout[int32]{part, half, odd, wideOdd, twice, down, none} {
		if err := l.Close(); err != nil {
			return err
		}
	}
	return f.Close()
}
