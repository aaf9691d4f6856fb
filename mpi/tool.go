package mpi

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Tools is the library's interface for tools, MPI_T: control variables, which say how the library works and can be set in
// part, and performance variables, which say what it has done. It is safe for concurrent use. The zero value is closed.
type Tools struct {
	owned ffi.Owned[mpic.Handle]
	world *World
}

// Variable is a variable of a library.
type Variable struct {
	Name, Desc string
	Verbosity  int  // who it is for, from 0: users, tuners, developers of the library
	ReadOnly   bool // of a control variable: it cannot be set now
	index      int
	datatype   mpic.Handle
	bound      bool // to an object of the library's
	running    bool // always counts
	class      int
	control    bool
}

// Value is what a variable holds: a text, or numbers.
type Value struct {
	Text   string
	Ints   []int64
	Floats []float64
}

// OpenTools opens the interface for tools. The caller closes it. Calls MPI_T_init_thread.
func OpenTools(w *World) (*Tools, error) {
	const op = "open tools"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	f := call.Get()
	defer f.Put()
	_, at, err := int32s(f, 1)
	if err != nil {
		return nil, err
	}
	if err := w.do(f, op, mpic.FnTInitThread, cint(w.level(w.threads)), at); err != nil {
		return nil, err
	}
	t := &Tools{world: w}
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Tools", Destroy: func(mpic.Handle) error {
		f := call.Get()
		defer f.Put()
		return w.do(f, "close tools", mpic.FnTFinalize)
	}}
	return t, t.owned.Init(class, 0, &w.owned)
}

// Close ends the use of the interface. It is nil-safe and idempotent. Calls MPI_T_finalize.
func (t *Tools) Close() error {
	if t == nil {
		return nil
	}
	return t.owned.Close()
}

// with calls f with a frame while the interface is open.
func (t *Tools) with(op string, f func(w *World, fr *call.Frame) error) error {
	if t == nil || t.world == nil {
		return invalid(op, "no Tools")
	}
	if _, err := t.owned.Use(); err != nil {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer t.owned.Done()
	fr := call.Get()
	defer fr.Put()
	return f(t.world, fr)
}

// The longest names and descriptions that are read; longer ones are cut.
const (
	maxToolName = 256
	maxToolDesc = 2048
)

// Controls lists the control variables. Calls MPI_T_cvar_get_num and MPI_T_cvar_get_info.
func (t *Tools) Controls() ([]Variable, error) {
	return t.list("control variables", mpic.FnTCvarGetNum, func(w *World, f *call.Frame, i int, n []int32, at func(int) uintptr, cells []uint64, name, desc uintptr) (Variable, bool) {
		if w.run(f, mpic.FnTCvarGetInfo, cint(i), name, at(0), at(2), uintptr(mem.AddrOfPtr(&cells[0])), uintptr(mem.AddrOfPtr(&cells[1])), desc, at(1), at(3), at(4)) != 0 {
			return Variable{}, false
		}
		a := &w.lib.ABI
		scope := int(n[4])
		return Variable{ReadOnly: scope == a.TScopeConstant || scope == a.TScopeReadonly, control: true}, true
	})
}

// Counters lists the performance variables. Calls MPI_T_pvar_get_num and MPI_T_pvar_get_info.
func (t *Tools) Counters() ([]Variable, error) {
	return t.list("performance variables", mpic.FnTPvarGetNum, func(w *World, f *call.Frame, i int, n []int32, at func(int) uintptr, cells []uint64, name, desc uintptr) (Variable, bool) {
		if w.run(f, mpic.FnTPvarGetInfo, cint(i), name, at(0), at(2), at(4), uintptr(mem.AddrOfPtr(&cells[0])), uintptr(mem.AddrOfPtr(&cells[1])), desc, at(1), at(3), at(5), at(6), at(7)) != 0 {
			return Variable{}, false
		}
		return Variable{ReadOnly: n[5] != 0, running: n[6] != 0, class: int(n[4])}, true
	})
}

// list reads all variables of a kind; those that the library does not describe are left out.
func (t *Tools) list(op string, num mpic.Func, read func(w *World, f *call.Frame, i int, n []int32, at func(int) uintptr, cells []uint64, name, desc uintptr) (Variable, bool)) (out []Variable, err error) {
	err = t.with(op, func(w *World, f *call.Frame) error {
		n, _, err := int32s(f, 9)
		if err != nil {
			return err
		}
		at := func(i int) uintptr { return uintptr(mem.AddrOfPtr(&n[i])) }
		cells, err := call.Slice[uint64](f, 2)
		if err != nil {
			return err
		}
		name, err := call.Slice[byte](f, maxToolName)
		if err != nil {
			return err
		}
		desc, err := call.Slice[byte](f, maxToolDesc)
		if err != nil {
			return err
		}
		if err := w.do(f, op, num, at(8)); err != nil {
			return err
		}
		step := call.Get() // emptied for each variable
		defer step.Put()
		for i := range int(n[8]) {
			step.Reset()
			clear(name)
			clear(desc)
			clear(cells)
			n[0], n[1] = maxToolName, maxToolDesc
			v, ok := read(w, step, i, n, at, cells, uintptr(mem.AddrOf(name)), uintptr(mem.AddrOf(desc)))
			if !ok {
				continue
			}
			v.Name, v.Desc = mem.CString(mem.AddrOf(name), maxToolName), mem.CString(mem.AddrOf(desc), maxToolDesc)
			v.Verbosity, v.index, v.datatype = int(n[2]), i, mpic.Handle(cells[0])
			v.bound = int(n[3]) != w.lib.ABI.TBindNoObject
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// Read is the value of a variable that is bound to no object. Calls MPI_T_cvar_read or MPI_T_pvar_read.
//
// Errors: [isthmus.ErrUnsupported] for a variable of an object, or of a type that is no number or text; and for the
// performance variables of Open MPI, one of which was seen to fault in 4.1.
func (t *Tools) Read(v Variable) (out Value, err error) {
	err = t.access("read "+v.Name, v, func(w *World, f *call.Frame, session, h uintptr, buf []byte, size int) error {
		var err error
		if v.control {
			err = w.do(f, "read "+v.Name, mpic.FnTCvarRead, h, uintptr(mem.AddrOf(buf)))
		} else {
			err = w.do(f, "read "+v.Name, mpic.FnTPvarRead, session, h, uintptr(mem.AddrOf(buf)))
		}
		if err == nil {
			out = w.toolValue(v.datatype, buf, size)
		}
		return err
	})
	return out, err
}

// Set sets a control variable. Calls MPI_T_cvar_write.
//
// Errors: [isthmus.ErrInvalid] for a variable that cannot be set, or a value of another form.
func (t *Tools) Set(v Variable, value Value) error {
	op := "set " + v.Name
	if !v.control || v.ReadOnly {
		return invalid(op, "the variable is only read")
	}
	return t.access(op, v, func(w *World, f *call.Frame, _, h uintptr, buf []byte, size int) error {
		a := &w.lib.ABI
		switch {
		case v.datatype == a.Char:
			if len(buf) <= len(value.Text) {
				return bounds(op, "a text of %d bytes", len(value.Text))
			}
			copy(buf, value.Text)
		case v.datatype == a.Double:
			for i, x := range value.Floats {
				if 8*i+8 > len(buf) {
					return bounds(op, "%d numbers", len(value.Floats))
				}
				binary.NativeEndian.PutUint64(buf[8*i:], math.Float64bits(x))
			}
		default:
			if len(value.Ints)*size > len(buf) || len(value.Ints) == 0 {
				return bounds(op, "%d numbers", len(value.Ints))
			}
			for i, x := range value.Ints {
				if size == 4 {
					if x < math.MinInt32 || x > math.MaxUint32 {
						return bounds(op, "%d", x)
					}
					binary.NativeEndian.PutUint32(buf[4*i:], uint32(x))
				} else {
					binary.NativeEndian.PutUint64(buf[8*i:], uint64(x))
				}
			}
		}
		return w.do(f, op, mpic.FnTCvarWrite, h, uintptr(mem.AddrOf(buf)))
	})
}

// toolSize is the size of the types that variables have, 0 for another.
func (w *World) toolSize(h mpic.Handle) int {
	a := &w.lib.ABI
	switch h {
	case a.Char:
		return 1
	case a.Int, a.Unsigned, a.Int32T, a.Uint32T:
		return 4
	case a.Double, a.UnsignedLong, a.UnsignedLongLong, a.Count, a.Int64T, a.Uint64T, a.Long, a.LongLong:
		return 8
	}
	return 0
}

func (w *World) toolValue(h mpic.Handle, buf []byte, size int) (v Value) {
	a := &w.lib.ABI
	if size == 1 {
		return Value{Text: mem.CString(mem.AddrOf(buf), len(buf))}
	}
	for ; len(buf) >= size; buf = buf[size:] {
		switch {
		case h == a.Double:
			v.Floats = append(v.Floats, math.Float64frombits(binary.NativeEndian.Uint64(buf)))
		case size == 8:
			v.Ints = append(v.Ints, int64(binary.NativeEndian.Uint64(buf)))
		case h == a.Unsigned || h == a.Uint32T:
			v.Ints = append(v.Ints, int64(binary.NativeEndian.Uint32(buf)))
		default:
			v.Ints = append(v.Ints, int64(int32(binary.NativeEndian.Uint32(buf))))
		}
	}
	return v
}

// access calls f with a handle of a variable and room for its value.
func (t *Tools) access(op string, v Variable, use func(w *World, f *call.Frame, session, h uintptr, buf []byte, size int) error) error {
	return t.with(op, func(w *World, f *call.Frame) (err error) {
		size := w.toolSize(v.datatype)
		if !v.control && w.lib.Family == mpic.OpenMPI {
			return fmt.Errorf("mpi: %s: performance variables of Open MPI are not read, one of them faulted: %w", op, isthmus.ErrUnsupported)
		}
		if v.Name == "" || v.bound || size == 0 {
			return fmt.Errorf("mpi: %s: a variable of an object, or of another type than numbers and texts: %w", op, isthmus.ErrUnsupported)
		}
		cells, err := call.Slice[uint64](f, 2)
		if err != nil {
			return err
		}
		n, count, err := int32s(f, 1)
		if err != nil {
			return err
		}
		sessionAt, handleAt := uintptr(mem.AddrOfPtr(&cells[0])), uintptr(mem.AddrOfPtr(&cells[1]))
		free := func(fn mpic.Func, args ...uintptr) {
			if ferr := w.do(f, op, fn, args...); err == nil {
				err = ferr
			}
		}
		if v.control {
			if err := w.do(f, op, mpic.FnTCvarHandleAlloc, cint(v.index), 0, handleAt, count); err != nil {
				return err
			}
			defer free(mpic.FnTCvarHandleFree, handleAt)
		} else {
			if err := w.do(f, op, mpic.FnTPvarSessionCreate, sessionAt); err != nil {
				return err
			}
			defer free(mpic.FnTPvarSessionFree, sessionAt)
			if err := w.do(f, op, mpic.FnTPvarHandleAlloc, uintptr(cells[0]), cint(v.index), 0, handleAt, count); err != nil {
				return err
			}
			defer func() { free(mpic.FnTPvarHandleFree, uintptr(cells[0]), handleAt) }()
			if !v.running {
				if err := w.do(f, op, mpic.FnTPvarStart, uintptr(cells[0]), uintptr(cells[1])); err != nil {
					return err
				}
			}
		}
		if n[0] < 0 || n[0] > 1<<20 {
			return bounds(op, "a value of %d elements", n[0])
		}
		buf, err := call.Slice[byte](f, max(1, int(n[0]))*size)
		if err != nil {
			return err
		}
		return use(w, f, uintptr(cells[0]), uintptr(cells[1]), buf, size)
	})
}
