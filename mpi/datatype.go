package mpi

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// datatype is how MPI sees a Go type.
type datatype struct {
	h     mpic.Handle
	size  int  // bytes of a Go value
	sent  int  // of these, the gaps left out
	bools bool // the value holds bools, which are validated when they arrive
	made  bool // by us: freed when MPI ends
	typ   reflect.Type
	elem  any         // the *elem[T] of this datatype
	bytes mpic.Handle // what it is received as, in bytes; 0: as itself
}

// args are the count and the datatype of a receive of n elements. MPICH with yaksa (5.0) ends the process by an assertion
// when what arrives is no whole number of elements, so what has no gaps is received there as the bytes that it is.
func (d *datatype) args(n int, recv bool) (count, h uintptr) {
	if recv && d.bytes != 0 && n <= math.MaxInt32/d.size {
		return cint(n * d.size), uintptr(d.bytes)
	}
	return uintptr(n), uintptr(d.h)
}

// datatypeOf gives the datatype of T: numbers, bools and complex numbers, and arrays and structs of them. A struct's
// fields keep their places, and the gaps between them are not sent.
//
// Errors: [isthmus.ErrInvalid] for a type that holds Go pointers, or nothing: strings, slices, maps, interfaces,
// channels, functions, pointers.
func datatypeOf[T any](w *World) (*datatype, error) {
	if d := w.recent.Load(); d != nil {
		if e, ok := d.elem.(*elem[T]); ok {
			return e.dt, nil
		}
	}
	t := reflect.TypeFor[T]()
	if v, ok := w.types.Load(t); ok {
		d := v.(*datatype)
		w.recent.Store(d)
		return d, nil
	}
	d, err := w.makeType(t)
	if err != nil {
		return nil, err
	}
	d.elem = &elem[T]{d}
	if old, raced := w.types.LoadOrStore(t, d); raced {
		if d.made {
			_ = w.freeType(d.h)
		}
		d = old.(*datatype)
	}
	return d, nil
}

// basic is the library's own datatype of a Go kind.
func (w *World) basic(k reflect.Kind) mpic.Handle {
	a := &w.lib.ABI
	switch k {
	case reflect.Bool:
		return a.CBool
	case reflect.Int8:
		return a.Int8T
	case reflect.Int16:
		return a.Int16T
	case reflect.Int32:
		return a.Int32T
	case reflect.Int64:
		return a.Int64T
	case reflect.Uint8:
		return a.Uint8T
	case reflect.Uint16:
		return a.Uint16T
	case reflect.Uint32:
		return a.Uint32T
	case reflect.Uint64:
		return a.Uint64T
	case reflect.Float32:
		return a.Float
	case reflect.Float64:
		return a.Double
	case reflect.Complex64:
		return a.CFloatComplex
	case reflect.Complex128:
		return a.CDoubleComplex
	case reflect.Int:
		if mem.SizeOf[int]() == 8 {
			return a.Int64T
		}
		return a.Int32T
	case reflect.Uint:
		if mem.SizeOf[uint]() == 8 {
			return a.Uint64T
		}
		return a.Uint32T
	}
	return 0
}

// part is a run of one basic type in a value.
type part struct {
	kind   reflect.Kind
	offset uintptr
	count  int
}

// parts flattens a type into runs of basic types, in the order of memory.
func parts(t reflect.Type, at uintptr, path string, out *[]part) error {
	switch k := t.Kind(); k {
	case reflect.Array:
		e := t.Elem()
		if _, isBasic := kindSize(e.Kind()); isBasic {
			add(out, part{e.Kind(), at, t.Len()}, e.Size())
			return nil
		}
		for i := range t.Len() {
			if err := parts(e, at+uintptr(i)*e.Size(), fmt.Sprintf("%s[%d]", path, i), out); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if err := parts(f.Type, at+f.Offset, path+"."+f.Name, out); err != nil {
				return err
			}
		}
		return nil
	default:
		size, isBasic := kindSize(k)
		if !isBasic {
			if path == "" {
				path = t.String()
			}
			return fmt.Errorf("%s is a %s, which another process cannot use: %w; send numbers, bools, and arrays and structs of them", strings.TrimPrefix(path, "."), k, isthmus.ErrInvalid)
		}
		add(out, part{k, at, 1}, size)
		return nil
	}
}

// add appends a run, joined to the one before it where they touch.
func add(out *[]part, p part, size uintptr) {
	if n := len(*out); n > 0 {
		last := &(*out)[n-1]
		if last.kind == p.kind && last.offset+uintptr(last.count)*size == p.offset {
			last.count += p.count
			return
		}
	}
	if p.count > 0 {
		*out = append(*out, p)
	}
}

func kindSize(k reflect.Kind) (uintptr, bool) {
	switch k {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return 1, true
	case reflect.Int16, reflect.Uint16:
		return 2, true
	case reflect.Int32, reflect.Uint32, reflect.Float32:
		return 4, true
	case reflect.Int64, reflect.Uint64, reflect.Float64, reflect.Complex64:
		return 8, true
	case reflect.Complex128:
		return 16, true
	case reflect.Int, reflect.Uint:
		return uintptr(mem.SizeOf[int]()), true
	}
	return 0, false
}

func (w *World) makeType(t reflect.Type) (*datatype, error) {
	d := &datatype{size: int(t.Size()), typ: t}
	if h := w.basic(t.Kind()); h != 0 {
		d.h, d.bools, d.sent = h, t.Kind() == reflect.Bool, d.size
		d.bytes = w.asBytes(d.size, d.size)
		return d, nil
	}
	var runs []part
	if err := parts(t, 0, "", &runs); err != nil {
		return nil, fmt.Errorf("mpi: type %s: %w", t, err)
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("mpi: type %s holds nothing: %w", t, isthmus.ErrInvalid)
	}
	for _, r := range runs {
		d.bools = d.bools || r.kind == reflect.Bool
		size, _ := kindSize(r.kind)
		d.sent += r.count * int(size)
	}
	d.bytes = w.asBytes(d.size, d.sent)
	h, err := w.structType(t, runs)
	if err != nil {
		return nil, err
	}
	d.h, d.made = h, true
	return d, nil
}

// asBytes is the datatype to receive values of size bytes as, of which sent are sent; 0 for their own.
func (w *World) asBytes(size, sent int) mpic.Handle {
	if w.lib.Family != mpic.MPICH || size == 1 || sent != size {
		return 0
	}
	return w.lib.ABI.Byte
}

// structType makes and commits a datatype of runs, as long as t with its padding. Calls MPI_Type_create_struct,
// MPI_Type_create_resized and MPI_Type_commit.
func (w *World) structType(t reflect.Type, runs []part) (mpic.Handle, error) {
	op := "type " + t.String()
	f := call.Get()
	defer f.Put()
	counts, countsAt, err := int32s(f, len(runs))
	if err != nil {
		return 0, err
	}
	places, err := call.Slice[int64](f, len(runs))
	if err != nil {
		return 0, err
	}
	types, err := call.Slice[byte](f, len(runs)*int(w.lib.ABI.HandleSize))
	if err != nil {
		return 0, err
	}
	for i, r := range runs {
		if r.count > 1<<30 {
			return 0, bounds(op, "%d elements in one value", r.count)
		}
		counts[i], places[i] = int32(r.count), int64(r.offset)
		w.lib.ABI.PutHandle(types, i, w.basic(r.kind))
	}
	out, err := call.Slice[uint64](f, 2)
	if err != nil {
		return 0, err
	}
	plain, resized := uintptr(mem.AddrOfPtr(&out[0])), uintptr(mem.AddrOfPtr(&out[1]))
	if err := w.do(f, op, mpic.FnTypeCreateStruct, cint(len(runs)), countsAt, uintptr(mem.AddrOf(places)), uintptr(mem.AddrOf(types)), plain); err != nil {
		return 0, err
	}
	err = w.do(f, op, mpic.FnTypeCreateResized, uintptr(out[0]), 0, t.Size(), resized)
	if ferr := w.do(f, op, mpic.FnTypeFree, plain); err == nil {
		err = ferr
	}
	if err == nil {
		err = w.do(f, op, mpic.FnTypeCommit, resized)
	}
	return mpic.Handle(out[1]), err
}

func (w *World) freeType(h mpic.Handle) error {
	f := call.Get()
	defer f.Put()
	c, err := call.New[uint64](f)
	if err != nil {
		return err
	}
	*c = uint64(h)
	return w.do(f, "free a type", mpic.FnTypeFree, uintptr(mem.AddrOfPtr(c)))
}

// freeTypes frees the datatypes that were made for Go types.
func (w *World) freeTypes() error {
	var err error
	w.recent.Store(nil)
	w.types.Range(func(k, v any) bool {
		if d := v.(*datatype); d.made {
			err = errors.Join(err, w.freeType(d.h))
		}
		w.types.Delete(k)
		return true
	})
	return err
}

// count checks the length of a buffer: MPI's functions without _c take a C int.
func count[T any](op string, b []T) (int, error) {
	if len(b) > 1<<31-1 {
		return 0, bounds(op, "%d elements; send at most 2147483647 at once", len(b))
	}
	return len(b), nil
}

// partial is the error for a message that ends within an element.
func (d *datatype) partial(op string) error {
	return fmt.Errorf("mpi: %s: what arrived is no whole number of %s: %w: %w; the sender's type is another", op, d.typ, isthmus.ErrInvalid, ErrType)
}

// validate refuses bytes that are no bools: another process may have sent anything.
func (d *datatype) validate(op string, b []byte) error {
	if !d.bools {
		return nil
	}
	var runs []part
	if err := parts(d.typ, 0, "", &runs); err != nil {
		return err
	}
	for at := 0; at+d.size <= len(b) && d.size > 0; at += d.size {
		for _, r := range runs {
			if r.kind != reflect.Bool {
				continue
			}
			for i := range r.count {
				if v := &b[at+int(r.offset)+i]; *v > 1 {
					bad := *v
					*v = 1 // memory of a Go bool may hold nothing else
					return invalid(op, "a bool arrived as %d", bad)
				}
			}
		}
	}
	return nil
}
