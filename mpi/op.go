package mpi

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Reduction is how a collective operation combines elements: an [Op] of the standard, or a [UserOp].
type Reduction interface {
	// bind gives the library's objects for elements of type t.
	bind(w *World, t reflect.Type) (reduction, error)
}

// Op is a reduction of the standard. Each is defined for some element types only; others are refused before the
// library sees them. An array or struct of one basic type, such as [3]float64, is reduced element by element.
type Op int

// The reductions of the standard (MPI-4.1, 6.9.2).
const (
	Sum    Op = iota + 1 // integers, floats, complex; Open MPI saturates integers of 8 and 16 bits on processors with AVX
	Prod                 // integers, floats, complex
	Max                  // integers, floats
	Min                  // integers, floats
	LAnd                 // bools and integers: not 0 is true
	LOr                  // bools and integers
	LXor                 // bools and integers
	BAnd                 // integers, bit by bit
	BOr                  // integers
	BXor                 // integers
	MinLoc               // [Loc]: the smallest value and the lowest index that has it
	MaxLoc               // [Loc]: the largest value and the lowest index that has it
)

// Loc is a value and where it is, for [MinLoc] and [MaxLoc]. T is float32, float64, int16, int32 or int64, or a type made
// of one. Other structs of the same two fields serve as well.
type Loc[T any] struct {
	Value T
	Index int32
}

// String returns the name in the standard.
func (o Op) String() string {
	names := [...]string{"MPI_SUM", "MPI_PROD", "MPI_MAX", "MPI_MIN", "MPI_LAND", "MPI_LOR", "MPI_LXOR", "MPI_BAND", "MPI_BOR", "MPI_BXOR", "MPI_MINLOC", "MPI_MAXLOC"}
	if o < Sum || int(o) > len(names) {
		return fmt.Sprintf("Op(%d)", int(o))
	}
	return names[o-1]
}

// takes reports whether the standard defines o for a basic type.
func (o Op) takes(k reflect.Kind) bool {
	integer := k >= reflect.Int && k <= reflect.Uint64
	float := k == reflect.Float32 || k == reflect.Float64
	switch o {
	case Sum, Prod:
		return integer || float || k == reflect.Complex64 || k == reflect.Complex128
	case Max, Min:
		return integer || float
	case LAnd, LOr, LXor:
		return integer || k == reflect.Bool
	case BAnd, BOr, BXor:
		return integer
	}
	return false
}

// reduction is a Reduction as the library takes it.
type reduction struct {
	op   mpic.Handle
	dt   mpic.Handle // 0: the element's own datatype
	per  int         // of dt in one element
	user *userCore   // nil: an Op
	done func()      // ends the use of a UserOp
}

func (o Op) bind(w *World, t reflect.Type) (reduction, error) {
	a := &w.lib.ABI
	handles := [...]mpic.Handle{a.Sum, a.Prod, a.Max, a.Min, a.Land, a.Lor, a.Lxor, a.Band, a.Bor, a.Bxor, a.Minloc, a.Maxloc}
	if o < Sum || int(o) > len(handles) {
		return reduction{}, fmt.Errorf("no reduction %v: %w: %w", o, isthmus.ErrInvalid, ErrOp)
	}
	r := reduction{op: handles[o-1], per: 1}
	if o == MinLoc || o == MaxLoc {
		r.dt = w.pair(t)
	} else if k := t.Kind(); o.takes(k) {
		r.dt = w.basic(k)
	} else if k == reflect.Array || k == reflect.Struct {
		r.dt, r.per = w.uniform(o, t)
	}
	if r.dt == 0 {
		return reduction{}, fmt.Errorf("%v is not defined for %s: %w: %w; use a UserOp", o, t, isthmus.ErrInvalid, ErrOp)
	}
	return r, nil
}

// uniform is the basic type that t consists of, without gaps, and how many of them; 0 for another type.
func (w *World) uniform(o Op, t reflect.Type) (mpic.Handle, int) {
	var runs []part
	if parts(t, 0, "", &runs) != nil || len(runs) != 1 || runs[0].offset != 0 || !o.takes(runs[0].kind) {
		return 0, 0
	}
	if size, _ := kindSize(runs[0].kind); size*uintptr(runs[0].count) != t.Size() {
		return 0, 0
	}
	return w.basic(runs[0].kind), runs[0].count
}

// pair is the library's datatype of a value with an index, 0 for another type.
func (w *World) pair(t reflect.Type) mpic.Handle {
	if t.Kind() != reflect.Struct || t.NumField() != 2 || t.Field(1).Type.Kind() != reflect.Int32 {
		return 0
	}
	a := &w.lib.ABI
	switch t.Field(0).Type.Kind() {
	case reflect.Float32:
		return a.FloatInt
	case reflect.Float64:
		return a.DoubleInt
	case reflect.Int16:
		return a.ShortInt
	case reflect.Int32:
		return a.Twoint
	case reflect.Int64:
		if mem.SizeOf[uintptr]() == 8 {
			return a.LongInt // a C long is as long on the systems that MPI runs on
		}
	}
	return 0
}

// UserOp is a reduction written in Go. It is safe for concurrent use. The zero value is closed.
type UserOp[T any] struct {
	owned ffi.Owned[userHandle]
	core  *userCore
}

// userHandle is what a UserOp owns: the library's operation and the C function that it calls.
type userHandle struct {
	op   mpic.Handle
	slot cb.Slot
}

// userCore is the part of a UserOp that calls from the library refer to.
type userCore struct {
	typ    reflect.Type
	faults atomic.Uint64
	last   atomic.Pointer[error]
}

// NewOp makes a reduction of f, which combines each in[i] with inout[i] and leaves the result in inout[i]. It must be
// associative: the order of operands is kept, their grouping is not; with commutative neither is. f is called on any
// thread while a collective operation is under way. It must not keep the slices, write to in, or call MPI. When f panics
// the operation goes on with what inout holds then, so that no process waits for ever; on this process it ends with an
// error that wraps [isthmus.ErrPanic]. The caller closes the UserOp. Calls MPI_Op_create.
//
// Errors: [isthmus.ErrInvalid] for an element type that holds pointers; [isthmus.ErrLimit] when 256 are open.
func NewOp[T any](w *World, f func(in, inout []T), commutative bool) (*UserOp[T], error) {
	const op = "new reduction"
	if w == nil || w.lib == nil || f == nil {
		return nil, invalid(op, "no World or no function")
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	dt, err := datatypeOf[T](w)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	o := &UserOp[T]{core: &userCore{typ: reflect.TypeFor[T]()}}
	core := o.core
	slot, err := cb.ServeSlot(cb.Handler{
		Serve: func(a *cb.Args) uintptr {
			if err := combine(a, dt, f); err != nil {
				core.fault(err)
			}
			return 0
		},
		Fault: func(err error) uintptr {
			core.fault(err)
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "mpi.UserOp"}, Err: err})
			return 0
		},
	})
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	frame := call.Get()
	defer frame.Put()
	cell, err := call.New[uint64](frame)
	if err == nil {
		var commute uintptr
		if commutative {
			commute = 1
		}
		err = w.do(frame, op, mpic.FnOpCreate, uintptr(slot.Fn), commute, uintptr(mem.AddrOfPtr(cell)))
	}
	if err != nil {
		slot.Release()
		return nil, err
	}
	class := &ffi.Class[userHandle]{Name: "mpi.UserOp", Destroy: w.freeOp}
	if err := o.owned.Init(class, userHandle{mpic.Handle(*cell), slot}, &w.owned); err != nil {
		return nil, err
	}
	return o, nil
}

func (w *World) freeOp(u userHandle) error {
	f := call.Get()
	defer f.Put()
	cell, err := call.New[uint64](f)
	if err != nil {
		return err
	}
	*cell = uint64(u.op)
	err = w.do(f, "close a reduction", mpic.FnOpFree, uintptr(mem.AddrOfPtr(cell)))
	u.slot.Release()
	return err
}

// combine serves one call of the library: (in, inout, &count, &datatype).
func combine[T any](a *cb.Args, dt *datatype, f func(in, inout []T)) error {
	// SAFETY: owner: the library, for the call (MPI-4.1, 6.9.5); bounds and alignment: the int that it points to; thread:
	// this one.
	n := *mem.At[int32](mem.Addr(a[2]))
	in, err := mem.Slice[T](mem.Addr(a[0]), n)
	if err != nil {
		return err
	}
	inout, err := mem.Slice[T](mem.Addr(a[1]), n)
	if err != nil {
		return err
	}
	if dt.bools {
		err = errors.Join(dt.validate("reduction", mem.Bytes(in)), dt.validate("reduction", mem.Bytes(inout)))
	}
	f(in, inout)
	return err
}

func (c *userCore) fault(err error) {
	err = fmt.Errorf("mpi: reduction: %w", err)
	c.last.Store(&err)
	c.faults.Add(1)
}

// since is the last error after the first n.
func (c *userCore) since(n uint64) error {
	if c.faults.Load() == n {
		return nil
	}
	return *c.last.Load()
}

func (o *UserOp[T]) bind(_ *World, t reflect.Type) (reduction, error) {
	if o == nil || o.core == nil {
		return reduction{}, fmt.Errorf("no reduction: %w: %w", isthmus.ErrInvalid, ErrOp)
	}
	if t != o.core.typ {
		return reduction{}, fmt.Errorf("a reduction of %s for elements of type %s: %w: %w", o.core.typ, t, isthmus.ErrInvalid, ErrOp)
	}
	h, err := o.owned.Use()
	if err != nil {
		return reduction{}, err
	}
	return reduction{op: h.op, per: 1, user: o.core, done: o.owned.Done}, nil
}

// Close frees the reduction. While an operation uses it, it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. It is nil-safe and idempotent. Calls MPI_Op_free.
func (o *UserOp[T]) Close() error {
	if o == nil {
		return nil
	}
	return o.owned.Close()
}

// String describes the reduction.
func (o *UserOp[T]) String() string {
	if o == nil || o.core == nil {
		return "mpi.UserOp(none)"
	}
	return "mpi.UserOp(" + o.core.typ.String() + ")"
}
