package mpi

import (
	"context"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// fileView is where in the file the elements are.
type fileView struct {
	from   int64 // byte of the first tile
	each   int   // bytes of an element in the file
	runs   []run // of elements, in a tile
	tile   int   // elements in a tile
	extent int64 // bytes from tile to tile
	span   int   // bytes of an element in memory, which runs count
}

// plain is the view of a file that was opened.
func plain() fileView { return fileView{each: 1, runs: []run{{0, 1}}, tile: 1, extent: 1, span: 1} }

// view gives the view.
func (f *File) view() fileView {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen.tile == 0 {
		return plain()
	}
	return f.seen
}

// SetView has positions count elements of T from now on, those that l selects, tile after tile, from the byte from of
// the file on; a nil l is all elements. The view is this process's: that of others may differ, but not in the size of T.
// Both positions become 0. format is "native", which "" is too, "internal" or "external32". It is collective. Calls
// MPI_File_set_view.
//
// Errors: [isthmus.ErrInvalid] for a layout that does not select elements in ascending order, each once, or selects
// none; [isthmus.ErrBounds] for a negative from; [isthmus.ErrUnsupported] for a format that the library does not have.
func SetView[T any](ctx context.Context, f *File, from int64, l *Layout[T], format string, hints *Hints) error {
	const op = "set view"
	if f == nil || f.world == nil {
		return invalid(op, "no file")
	}
	v, lh, done, local := viewOf(f, op, from, l)
	defer done()
	ih, free, err := hints.use(f.world, op)
	if err != nil {
		local = err
	} else {
		defer free()
	}
	if format == "" {
		format = "native"
	}
	fr := call.Get()
	defer fr.Put()
	if len(format) >= f.world.lib.ABI.MaxDatarepString || strings.ContainsRune(format, 0) {
		local, format = bounds(op, "a format of %d bytes", len(format)), ""
	}
	text, err := fr.Text(format)
	if err != nil {
		return err
	}
	dt, err := datatypeOf[T](f.world)
	if err != nil {
		local, dt = fmt.Errorf("mpi: %s: %w", op, err), &datatype{}
	}
	err = f.all(ctx, op, mpic.FnFileSetView, local, int64(v.each), func(h uintptr) []uintptr {
		return []uintptr{h, uintptr(from), uintptr(dt.h), lh, uintptr(text), ih}
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.seen = v
	f.mu.Unlock()
	return nil
}

// viewOf checks a view. done is called when the library has it.
func viewOf[T any](f *File, op string, from int64, l *Layout[T]) (v fileView, h uintptr, done func(), err error) {
	done = func() {}
	dt, err := datatypeOf[T](f.world)
	if err != nil {
		return v, 0, done, fmt.Errorf("mpi: %s: %w", op, err)
	}
	v = fileView{from: from, each: dt.dense(), runs: []run{{0, 1}}, tile: 1, extent: int64(dt.size), span: dt.size}
	if from < 0 {
		err = bounds(op, "byte %d", from)
	}
	if l == nil {
		return v, uintptr(dt.h), done, err
	}
	lh, lerr := l.use(op)
	if lerr != nil {
		return v, 0, done, lerr
	}
	c := l.core
	done = c.owned.Done
	if !c.ascends() {
		return v, 0, done, invalid(op, "the layout does not select elements in ascending order, each once")
	}
	v.runs, v.tile, v.extent = c.runs, c.size, int64(c.extent)*int64(dt.size)
	return v, uintptr(lh), done, err
}

// ascends reports whether the layout selects elements in ascending order, also in a row.
func (l *layout) ascends() bool {
	if l.size == 0 || l.lo < 0 || l.extent < l.hi-l.lo {
		return false
	}
	for i := 1; i < len(l.runs); i++ {
		if l.runs[i].at < l.runs[i-1].at+l.runs[i-1].n {
			return false
		}
	}
	return true
}

// before is how many elements of the view lie in the first size bytes of the file.
func (v *fileView) before(size int64) int64 {
	left := size - v.from
	if left <= 0 || v.extent <= 0 {
		return 0
	}
	last := v.runs[len(v.runs)-1]
	need := int64(last.at+last.n) * int64(v.span) // bytes of a tile up to its last element
	tiles := int64(0)
	if left >= need {
		tiles = (left-need)/v.extent + 1
	}
	n := tiles * int64(v.tile)
	for rest, i := left-tiles*v.extent, 0; i < len(v.runs) && rest > 0; i++ {
		have := (rest - int64(v.runs[i].at)*int64(v.span)) / int64(v.span)
		n += min(max(have, 0), int64(v.runs[i].n))
	}
	return n
}
