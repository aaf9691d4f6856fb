package mpi_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

func fileShared(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileSharedIn(ctx, w, dir) })
}

func fileSharedIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	name := filepath.Join(dir, "shared")
	f, err := c.OpenFile(ctx, name, mpi.ReadWrite|mpi.Create, nil)
	if err != nil {
		return err
	}
	if err := mpi.SetView[int64](ctx, f, 0, nil, "", nil); err != nil {
		return err
	}
	// Nobody writes over another.
	const each = 20
	for i := range each {
		if err := mpi.WriteShared(ctx, f, []int64{int64(me*each + i)}); err != nil {
			return err
		}
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if p, err := f.PositionShared(); err != nil || p != int64(n*each) {
		return fmt.Errorf("the shared position is %d, %v", p, err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var all []int64
	for i := 0; i+8 <= len(b); i += 8 {
		all = append(all, int64(binary.NativeEndian.Uint64(b[i:])))
	}
	slices.Sort(all)
	for i := range n * each {
		if len(all) != n*each || all[i] != int64(i) {
			return fmt.Errorf("the file has %v", all)
		}
	}
	// In the order of ranks, each another number of elements.
	if err := f.MoveShared(ctx, 0, io.SeekStart); err != nil {
		return err
	}
	mine := make([]int64, me+2)
	for i := range mine {
		mine[i] = int64(100*me + i)
	}
	if err := mpi.WriteOrdered(ctx, f, mine); err != nil {
		return err
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if err := f.MoveShared(ctx, 0, io.SeekStart); err != nil {
		return err
	}
	got := make([]int64, me+2)
	if k, err := mpi.ReadOrdered(ctx, f, got); err != nil || k != len(got) || !slices.Equal(got, mine) {
		return fmt.Errorf("in order: %v, %d, %w", got, k, err)
	}
	// To the end: in order, each three of what is left but the last.
	total := n * each
	if err := f.MoveShared(ctx, int64(total-3*n+2), io.SeekStart); err != nil {
		return err
	}
	three := make([]int64, 3)
	want := 3
	if me == n-1 {
		want = 1
	}
	if k, err := mpi.ReadOrdered(ctx, f, three); err != nil || k != want {
		return fmt.Errorf("in order to the end: %d, want %d, %w", k, want, err)
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if err := f.MoveShared(ctx, 0, io.SeekStart); err != nil {
		return err
	}
	// No two get the same.
	seen := make([]int32, total)
	for {
		one := make([]int64, 1)
		p0, err := f.PositionShared()
		if err != nil {
			return err
		}
		k, err := mpi.ReadShared(ctx, f, one)
		if err != nil {
			return err
		}
		if k == 0 {
			break
		}
		if int(p0) > total {
			return fmt.Errorf("read at %d of %d", p0, total)
		}
		seen[0]++
	}
	sum := make([]int32, 1)
	if err := mpi.Allreduce(ctx, c, seen[:1], sum, mpi.Sum); err != nil {
		return err
	}
	if int(sum[0]) != total {
		return fmt.Errorf("%d elements were read, of %d", sum[0], total)
	}
	past, err := mpi.IreadShared(f, make([]int64, 3))
	if err != nil {
		return err
	}
	if _, st, err := past.Wait(ctx); err != nil || st.Count != 0 {
		return fmt.Errorf("immediate shared read past the end: %+v, %w", st, err)
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	r, err := mpi.IwriteShared(f, []int64{int64(me)})
	if err != nil {
		return err
	}
	if _, st, err := r.Wait(ctx); err != nil || st.Count != 1 {
		return fmt.Errorf("immediate shared write: %+v, %w", st, err)
	}
	return f.Close()
}

func fileLater(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileLaterIn(ctx, w, dir) })
}

func fileLaterIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	f, err := c.OpenFile(ctx, filepath.Join(dir, "later"), mpi.ReadWrite|mpi.Create, nil)
	if err != nil {
		return err
	}
	if err := mpi.SetView[uint16](ctx, f, 0, nil, "", nil); err != nil {
		return err
	}
	const each = 1000
	data := func(base int) []uint16 {
		b := make([]uint16, each)
		for i := range b {
			b[i] = uint16(base*each + i)
		}
		return b
	}
	at := int64(me * each)
	for i, start := range []func(b []uint16) (*mpi.Request[uint16], error){
		func(b []uint16) (*mpi.Request[uint16], error) { return mpi.IwriteAt(f, b, at) },
		func(b []uint16) (*mpi.Request[uint16], error) { return mpi.IwriteAtAll(f, b, at) },
		func(b []uint16) (*mpi.Request[uint16], error) { return mpi.Iwrite(f, b) },
		func(b []uint16) (*mpi.Request[uint16], error) { return mpi.IwriteAll(f, b) },
	} {
		if err := f.Move(at, io.SeekStart); err != nil {
			return err
		}
		b := data(me + i)
		r, err := start(b)
		if err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		// The slice is the request's, and the file is in use.
		if err := mpi.WriteAt(ctx, f, b, at); err != nil && !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("write %d: a lent slice: %w", i, err)
		}
		if _, err := mpi.ReadAt(ctx, f, b, at); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("write %d: read into a lent slice: %v", i, err)
		}
		if err := f.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("write %d: close under it: %v", i, err)
		}
		back, st, err := r.Wait(ctx)
		if err != nil || len(back) != each || st != (mpi.Status{Count: each}) {
			return fmt.Errorf("write %d: %d back, %+v, %w", i, len(back), st, err)
		}
		if err := f.Sync(ctx); err != nil {
			return err
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		peer := (me + 1) % n
		from := int64(peer * each)
		if err := f.Move(from, io.SeekStart); err != nil {
			return err
		}
		into := make([]uint16, each)
		var rr *mpi.Request[uint16]
		switch i {
		case 0:
			rr, err = mpi.IreadAt(f, into, from)
		case 1:
			rr, err = mpi.IreadAtAll(f, into, from)
		case 2:
			rr, err = mpi.Iread(f, into)
		case 3:
			rr, err = mpi.IreadAll(f, into)
		}
		if err != nil {
			return fmt.Errorf("read %d: %w", i, err)
		}
		got, st, err := rr.Wait(ctx)
		if err != nil || st.Count != each || !slices.Equal(got, data(peer+i)) {
			return fmt.Errorf("read %d: %v..., %+v, %w", i, got[:min(len(got), 3)], st, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
	}
	// In a scope, together with a message.
	b, into, msg := data(me+10), make([]uint16, each+3), make([]uint16, 3)
	if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		return mpi.PostWriteAt(s, f, b, at)
	}); err != nil {
		return err
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	var st, mst mpi.Status
	if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		if err := mpi.PostReadAt(s, f, into, int64((n-1)*each), &st); err != nil {
			return err
		}
		if err := mpi.PostRecv(s, msg, (me+n-1)%n, 5, &mst); err != nil {
			return err
		}
		return mpi.PostSend(s, []uint16{1, 2}, (me+1)%n, 5)
	}); err != nil {
		return err
	}
	if st != (mpi.Status{Count: each}) || mst.Count != 2 || !slices.Equal(into[:each], data(n-1+10)) {
		return fmt.Errorf("in a scope: %+v, %+v, %v", st, mst, into[:3])
	}
	err = mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		if err := mpi.PostReadAt(s, f, into, 0, nil); err != nil {
			return err
		}
		return mpi.PostWriteAt(s, f, into[5:6], 0)
	})
	if !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("one slice twice in a scope: %v", err)
	}
	return f.Close()
}

func fileSplit(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileSplitIn(ctx, w, dir) })
}

func fileSplitIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	f, err := c.OpenFile(ctx, filepath.Join(dir, "split"), mpi.ReadWrite|mpi.Create, nil)
	if err != nil {
		return err
	}
	if err := mpi.SetView[int32](ctx, f, 0, nil, "", nil); err != nil {
		return err
	}
	const each = 50
	at := int64(me * each)
	for i, two := range []struct {
		write, read func(b []int32) (*mpi.Split[int32], error)
	}{
		{func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginWriteAtAll(ctx, f, b, at) }, func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginReadAtAll(ctx, f, b, at) }},
		{func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginWriteAll(ctx, f, b) }, func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginReadAll(ctx, f, b) }},
		{func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginWriteOrdered(ctx, f, b) }, func(b []int32) (*mpi.Split[int32], error) { return mpi.BeginReadOrdered(ctx, f, b) }},
	} {
		out := make([]int32, each)
		for j := range out {
			out[j] = int32(i*10000 + me*each + j)
		}
		reset := func() error {
			return errors.Join(f.Move(at, io.SeekStart), f.MoveShared(ctx, 0, io.SeekStart))
		}
		if err := reset(); err != nil {
			return err
		}
		s, err := two.write(out)
		if err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
		if _, err := mpi.ReadAt(ctx, f, out, 0); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("%d: a lent slice: %v", i, err)
		}
		if _, err := two.read(make([]int32, 1)); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("%d: two at once: %v", i, err)
		}
		if err := f.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("%d: close in the middle: %v", i, err)
		}
		if b, k, err := s.End(ctx); err != nil || k != each || &b[0] != &out[0] {
			return fmt.Errorf("%d: wrote %d, %w", i, k, err)
		}
		if _, _, err := s.End(ctx); !errors.Is(err, isthmus.ErrClosed) {
			return fmt.Errorf("%d: ended twice: %v", i, err)
		}
		if err := f.Sync(ctx); err != nil {
			return err
		}
		if err := reset(); err != nil {
			return err
		}
		if s, err = two.read(make([]int32, each)); err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
		if b, k, err := s.End(ctx); err != nil || k != each || !slices.Equal(b, out) {
			return fmt.Errorf("%d: read %d, %v, %w", i, k, b[:3], err)
		}
	}
	if size, err := f.Size(); err != nil || size != int64(n*each*4) {
		return fmt.Errorf("%d bytes, %v", size, err)
	}
	return f.Close()
}

func fileErrors(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error { return fileErrorsIn(ctx, w, dir) })
}

func fileErrorsIn(ctx context.Context, w *mpi.World, dir string) error {
	c := w.Comm()
	me := c.Rank()
	name := filepath.Join(dir, "there")
	if me == 0 {
		if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
			return err
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	for _, x := range []struct {
		name string
		mode mpi.Mode
		want []error
	}{
		{filepath.Join(dir, "missing"), mpi.ReadOnly, []error{mpi.ErrNoSuchFile, fs.ErrNotExist, isthmus.ErrNotFound}},
		{filepath.Join(dir, "no", "folder"), mpi.ReadWrite | mpi.Create, []error{mpi.ErrNoSuchFile, fs.ErrNotExist}},
		{name, mpi.ReadWrite | mpi.Create | mpi.Exclusive, []error{mpi.ErrFileExists, fs.ErrExist}},
		{dir, mpi.ReadWrite, []error{mpi.ErrBadFile, isthmus.ErrInvalid}},
		{filepath.Join(name, "below"), mpi.ReadOnly, []error{mpi.ErrBadFile}},
		{"", mpi.ReadOnly, []error{isthmus.ErrBounds}},
		{"a\x00b", mpi.ReadOnly, []error{isthmus.ErrBounds}},
		{name, 0, []error{mpi.ErrAmode, isthmus.ErrInvalid}},
		{name, mpi.ReadOnly | mpi.WriteOnly, []error{mpi.ErrAmode}},
		{name, mpi.ReadOnly | mpi.Create, []error{mpi.ErrAmode}},
		{name, -1, []error{mpi.ErrAmode}},
	} {
		f, err := c.OpenFile(ctx, x.name, x.mode, nil)
		var fe *mpi.FileError
		if !errors.As(err, &fe) || fe.Path != x.name {
			return fmt.Errorf("%q, %v: %v, %v", x.name, x.mode, f, err)
		}
		for _, want := range x.want {
			if !errors.Is(err, want) {
				return fmt.Errorf("%q, %v: %v, want %v", x.name, x.mode, err, want)
			}
		}
	}
	if _, err := c.OpenFile(ctx, name, []mpi.Mode{mpi.ReadOnly, mpi.ReadWrite}[me], nil); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("opened in different ways: %v", err)
	}
	r, err := c.OpenFile(ctx, name, mpi.ReadOnly, nil)
	if err != nil {
		return err
	}
	b := make([]byte, 4)
	if err := mpi.WriteAt(ctx, r, b, 0); !errors.Is(err, mpi.ErrReadOnly) || !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("write to what is read: %v", err)
	}
	if err := r.Truncate(ctx, 0); !errors.Is(err, mpi.ErrReadOnly) {
		return fmt.Errorf("truncate what is read: %v", err)
	}
	if _, err := mpi.ReadAt(ctx, r, b, -2); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a negative position: %v", err)
	}
	if err := r.Move(-1, io.SeekStart); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a negative position: %v", err)
	}
	if err := r.Move(0, 7); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a whence that is none: %v", err)
	}
	if _, err := mpi.ReadAt(ctx, r, []*int{nil}, 0); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("pointers: %v", err)
	}
	over, stop := context.WithCancel(ctx)
	stop()
	if _, err := mpi.ReadAtAll(over, r, b, 0); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a context that has ended: %v", err)
	}
	if k, err := mpi.ReadAtAll(ctx, r, b, 0); err != nil || k != 4 || string(b) != "0123" {
		return fmt.Errorf("after all that: %q, %v", b, err)
	}
	if err := r.Close(); err != nil {
		return err
	}
	x, err := c.OpenFile(ctx, name, mpi.WriteOnly, nil)
	if err != nil {
		return err
	}
	if _, err := mpi.ReadAt(ctx, x, b, 0); !errors.Is(err, mpi.ErrAccess) {
		return fmt.Errorf("read what is written: %v", err)
	}
	if err := x.Close(); err != nil {
		return err
	}
	if err := fileDenied(c, dir, name); err != nil {
		return err
	}
	return fileFull(ctx, c, dir)
}

// fileDenied opens what this user must not.
func fileDenied(c *mpi.Comm, dir, name string) error {
	if c.Rank() == 0 {
		if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(name, 0o400)); err != nil {
			return err
		}
	}
	if err := mpi.Barrier(context.Background(), c); err != nil {
		return err
	}
	return asNobody(func() error {
		_, err := c.OpenFile(context.Background(), name, mpi.ReadWrite, nil)
		if !errors.Is(err, mpi.ErrAccess) || !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("a file of somebody else: %v", err)
		}
		return nil
	})
}

// fileFull writes to a disk that has no room.
func fileFull(ctx context.Context, c *mpi.Comm, dir string) error {
	small := filepath.Join(dir, "small")
	name, state := "/dev/full", []byte{0}
	if c.Rank() == 0 {
		if err := os.Mkdir(small, 0o700); err != nil {
			return err
		}
		if done, ok := fullDisk(small); ok {
			state[0] = 1
			defer func() { _ = done() }()
		}
	}
	if err := mpi.Bcast(ctx, c, state, 0); err != nil {
		return err
	}
	mode := mpi.WriteOnly
	if state[0] == 1 {
		name, mode = filepath.Join(small, "full"), mpi.WriteOnly|mpi.Create
	}
	full, err := c.OpenFile(ctx, name, mode, nil)
	if err != nil {
		return err
	}
	b := make([]byte, 1<<20)
	at := int64(c.Rank() * len(b))
	later := func(r *mpi.Request[byte], err error) error {
		if err == nil {
			_, _, err = r.Wait(ctx)
		}
		return err
	}
	for i, write := range []func() error{
		func() error { return mpi.WriteAt(ctx, full, b, at) },
		func() error { return mpi.Write(ctx, full, b) },
		func() error { return later(mpi.IwriteAt(full, b, at)) },
		func() error {
			return mpi.Scope(ctx, c, func(s *mpi.Ops) error { return mpi.PostWriteAt(s, full, b, at) })
		},
		func() error { return mpi.WriteAtAll(ctx, full, b, at) },
	} {
		err := write()
		var fe *mpi.FileError
		if !errors.Is(err, mpi.ErrNoSpace) || !errors.Is(err, isthmus.ErrLimit) || !errors.As(err, &fe) || fe.Path != name {
			return fmt.Errorf("write %d to a full disk, %s: %v", i, name, err)
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	return full.Close()
}

// fileTypes stores structs without their gaps, and bools that are bools.
func fileTypes(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return inFolder(ctx, c, func(dir string) error {
		type gap struct {
			A int8
			B int64
			C int16
		}
		name := filepath.Join(dir, "types")
		f, err := c.OpenFile(ctx, name, mpi.ReadWrite|mpi.Create, nil)
		if err != nil {
			return err
		}
		in := []gap{{1, 2, 3}, {4, 5, 6}}
		if err := mpi.WriteAt(ctx, f, in, int64(c.Rank()*22)); err != nil {
			return err
		}
		if err := f.Sync(ctx); err != nil {
			return err
		}
		if size, err := f.Size(); err != nil || size != int64(c.Size()*22) {
			return fmt.Errorf("%d bytes, %v", size, err)
		}
		out := make([]gap, 3)
		if k, err := mpi.ReadAt(ctx, f, out, int64(c.Rank()*22)); err != nil || k < 2 || !slices.Equal(out[:2], in) {
			return fmt.Errorf("read %v, %d, %v", out, k, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if err := mpi.WriteAt(ctx, f, []byte{1, 0, 7}, 0); err != nil {
			return err
		}
		bools := make([]bool, 3)
		if _, err := mpi.ReadAt(ctx, f, bools[:2], 0); err != nil || !bools[0] || bools[1] {
			return fmt.Errorf("bools: %v, %v", bools, err)
		}
		if _, err := mpi.ReadAt(ctx, f, bools, 0); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("a bool of 7: %v", err)
		}
		return f.Close()
	})
}
