package pjrt_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func upload(t *testing.T, c *pjrt.Client, shapes ...pjrt.Shape) *pjrt.Upload {
	t.Helper()
	u, err := c.Device().Memory().NewUpload(shapes...)
	unsupported(t, err)
	t.Cleanup(func() { mustClose(t, u) })
	return u
}

// wrote waits for a part.
func wrote(t *testing.T, e *pjrt.Event, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, e)
}

func TestP38Upload(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		u := upload(t, c, pjrt.ShapeOf(dtype.U8, 10), pjrt.ShapeOf(dtype.I32, 2, 3), pjrt.ShapeOf(dtype.F32), pjrt.ShapeOf(dtype.F32, 0, 3), pjrt.ShapeOf(dtype.F32, 4))
		if n, err := u.Count(); n != 5 || err != nil {
			t.Error(n, err)
		}
		if d, err := u.Device(); d != c.Device() || err != nil {
			t.Error(d, err)
		}
		for i, want := range []int{10, 24, 4, 0, 16} {
			if n, err := u.Size(i); n != want || err != nil {
				t.Errorf("size %d is %d, %v", i, n, err)
			}
		}
		if err := u.Annotate(pjrt.NamedValue{Name: "step", Value: "1"}); err != nil {
			t.Error(err)
		}
		want(t, "a number", u.Annotate(pjrt.NamedValue{Name: "step", Value: int64(1)}), isthmus.ErrUnsupported)
		var b []*pjrt.Buffer
		for i := range 5 {
			x, err := u.Buffer(i)
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, x)
			b = append(b, x)
		}
		_, err := u.Buffer(0)
		want(t, "taken twice", err, isthmus.ErrInvalid)

		data := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		for _, v := range []struct {
			what   string
			i, off int
			n      int
			last   bool
			is     error
		}{
			{"no such buffer", 5, 0, 1, false, isthmus.ErrBounds},
			{"no such buffer", -1, 0, 1, false, isthmus.ErrBounds},
			{"before the start", 0, -1, 1, false, isthmus.ErrBounds},
			{"past the end", 0, 10, 1, false, isthmus.ErrBounds},
			{"over the end", 0, 5, 6, false, isthmus.ErrBounds},
			{"overflow", 0, int(^uint(0) >> 1), 5, false, isthmus.ErrBounds},
			{"the last, with bytes left", 0, 0, 9, true, isthmus.ErrInvalid},
			{"too much for none", 3, 0, 1, true, isthmus.ErrBounds},
		} {
			_, err := u.Write(v.i, v.off, data[:v.n], v.last)
			want(t, v.what, err, v.is)
		}
		e, err := u.Write(0, 6, data[6:], false)
		wrote(t, e, err)
		e, err = u.Write(0, 0, data[:4], false)
		wrote(t, e, err)
		for _, off := range []int{0, 2, 5} {
			_, err = u.Write(0, off, data[off:off+2], false)
			want(t, "written before", err, isthmus.ErrInvalid)
		}
		e, err = u.Write(0, 4, data[4:6], true)
		wrote(t, e, err)
		wantValues(t, b[0], data...)
		_, err = u.Write(0, 0, nil, true)
		want(t, "the last twice", err, isthmus.ErrInvalid)
		want(t, "fail what is there", u.Fail(0, errors.New("x")), isthmus.ErrInvalid)

		col := pjrt.ColumnMajor(2)
		ints := []int32{1, 4, 2, 5, 3, 6}
		raw := make([]byte, 24)
		for i, x := range ints {
			raw[4*i] = byte(x)
		}
		e, err = u.WriteAll(1, raw, &col)
		wrote(t, e, err)
		wantValues[int32](t, b[1], 1, 2, 3, 4, 5, 6)
		_, err = u.WriteAll(1, raw, nil)
		want(t, "all, twice", err, isthmus.ErrInvalid)
		_, err = u.WriteAll(2, raw, nil)
		want(t, "too much", err, isthmus.ErrBounds)
		e, err = u.WriteAll(2, raw[:4], nil)
		wrote(t, e, err)
		e, err = u.Write(3, 0, nil, true)
		wrote(t, e, err)
		wantValues[float32](t, b[3])

		if err := u.Fail(4, errors.Join(errors.New("no more data"), pjrt.DataLoss)); err != nil {
			t.Error(err)
		}
		want(t, "failed", b[4].Wait(ctx), pjrt.DataLoss)
		want(t, "fail twice", u.Fail(4, errors.New("x")), isthmus.ErrInvalid)
		_, err = c.Device().Memory().NewUpload()
		want(t, "no shapes", err, isthmus.ErrInvalid)
	})
}

// TestUploadClosedEarly closes an upload with buffers that have nothing, a part, and were not taken: all of them fail
// with a reason, and nothing hangs.
func TestUploadClosedEarly(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		u := upload(t, c, pjrt.ShapeOf(dtype.U8, 4), pjrt.ShapeOf(dtype.U8, 4), pjrt.ShapeOf(dtype.U8, 4))
		none, err := u.Buffer(0)
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, none)
		part, err := u.Buffer(1)
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, part)
		e, err := u.Write(1, 0, []byte{1, 2}, false)
		wrote(t, e, err)
		mustClose(t, u)
		for _, b := range []*pjrt.Buffer{none, part} {
			want(t, "after the upload", b.Wait(t.Context()), pjrt.Cancelled)
		}
		_, err = u.Write(1, 2, []byte{3}, false)
		want(t, "write after", err, isthmus.ErrClosed)
		_, err = u.Buffer(2)
		want(t, "buffer after", err, isthmus.ErrClosed)
	})
}

// TestUploadLends holds the event of a part: its data stay lent until it fires.
func TestUploadLends(t *testing.T) {
	c, f := fakeClient(t, func(f *pjrtfake.Fake) { f.OnCPU = true })
	u := upload(t, c, pjrt.ShapeOf(dtype.U8, 4))
	data := []byte{1, 2, 3, 4}
	f.Hold()
	e, err := u.Write(0, 0, data, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ffi.Lend(data, ffi.Exclusive); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("the data are free while they are read: %v", err)
	}
	f.Release()
	if err := e.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, e)
	for {
		if l, err := ffi.Lend(data, ffi.Exclusive); err == nil {
			l.Return()
			break
		}
	}
}

// TestUploadRace has many goroutines write parts of one buffer in random order, and some try to write twice.
func TestUploadRace(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		const n, piece = 64, 16
		data := make([]byte, n*piece)
		for i := range data {
			data[i] = byte(i * 7)
		}
		u := upload(t, c, pjrt.ShapeOf(dtype.U8, len(data)))
		b, err := u.Buffer(0)
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, b)
		order := rand.Perm(n)
		var wg sync.WaitGroup
		for _, list := range [][]int{order[:n/2], order[n/2:], order} {
			wg.Go(func() {
				for _, i := range list {
					e, err := u.Write(0, i*piece, data[i*piece:(i+1)*piece], false)
					if err == nil {
						err = errors.Join(e.Wait(t.Context()), e.Close())
					} else if errors.Is(err, isthmus.ErrInvalid) {
						err = nil // another was first
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		e, err := u.Write(0, 0, nil, true)
		wrote(t, e, err)
		if got, err := b.Bytes(t.Context()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v", err)
		}
	})
}

// TestUploadFeedsAnExecution starts a program with an argument whose content is not there yet.
func TestUploadFeedsAnExecution(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		code := add
		if strings.Contains(t.Name(), "fake") {
			t.Skip("the fake computes when it is called, with what is there then")
		}
		x := compile(t, c, code)
		u := upload(t, c, pjrt.ShapeOf(dtype.F32, 4))
		a, err := u.Buffer(0)
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, a)
		done := make(chan []float32)
		go func() {
			defer close(done)
			out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer mustClose(t, out[0])
			v, err := pjrt.Get[float32](t.Context(), out[0])
			if err != nil {
				t.Error(err)
			}
			done <- v
		}()
		e, err := u.Write(0, 0, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40}, true)
		wrote(t, e, err)
		if got := <-done; !slices.Equal(got, []float32{2, 4, 6, 8}) {
			t.Errorf("got %v", got)
		}
	})
}
