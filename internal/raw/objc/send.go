package objc

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Arg is an argument of a message. Its kind is compared with the method's encoding at each call.
type Arg struct {
	object *Object
	pool   *Pool // of what lives in a pool
	w      [3]uintptr
	kind   byte
}

// Obj is an object; nil is nil.
func Obj(o *Object) Arg { return Arg{kind: '@', object: o} }

// Uint is an NSUInteger. A negative number is refused when the message is sent.
func Uint[T ~int | ~uint | ~uint64](n T) Arg { return numbers('Q', n < 0, uintptr(n)) }

// negative is the kind of an argument that is below zero and must not be.
const negative = '-'

func numbers(kind byte, below bool, w ...uintptr) Arg {
	a := Arg{kind: kind}
	if below {
		a.kind = negative
	}
	copy(a.w[:], w)
	return a
}

// U32 is a uint32_t, such as MPSDataType.
func U32(n uint32) Arg { return Arg{kind: 'I', w: [3]uintptr{uintptr(n)}} }

// I32 is an int, such as the type of a neuron.
func I32(n int32) Arg { return Arg{kind: 'i', w: [3]uintptr{uintptr(uint32(n))}} }

// Bool is a BOOL.
func Bool(b bool) Arg {
	a := Arg{kind: 'B'}
	if b {
		a.w[0] = 1
	}
	return a
}

// F64 is a double.
func F64(x float64) Arg { return Arg{kind: 'd', w: [3]uintptr{uintptr(math.Float64bits(x))}} }

// F32 is a float.
func F32(x float32) Arg { return Arg{kind: 'f', w: [3]uintptr{uintptr(math.Float32bits(x))}} }

// Size is a struct of three NSUIntegers, such as MTLSize and MTLOrigin.
func Size(x, y, z int) Arg {
	return numbers('3', x < 0 || y < 0 || z < 0, uintptr(x), uintptr(y), uintptr(z))
}

// Range is an NSRange.
func Range(at, length int) Arg {
	return numbers('2', at < 0 || length < 0, uintptr(at), uintptr(length))
}

// Offsets is a struct of four uint32_t: MPSMatrixCopyOffsets.
func Offsets(a, b, c, d uint32) Arg {
	return numbers('2', false, uintptr(a)|uintptr(uint64(b)<<32), uintptr(c)|uintptr(uint64(d)<<32))
}

// Bytes is the address of a copy of b that lives as long as the pool.
func (p *Pool) Bytes(b []byte) (Arg, error) {
	if err := p.ok(); err != nil {
		return Arg{}, err
	}
	to, err := call.Slice[byte](p.memory(), len(b))
	copy(to, b)
	return Arg{kind: '^', pool: p, w: [3]uintptr{uintptr(mem.AddrOf(to))}}, err
}

// fits reports whether an argument is of the kind that the encoding says.
func fits(have, want byte) bool {
	switch want {
	case have:
		return true
	case 'q':
		return have == 'Q'
	case 'c', 'C':
		return have == 'B'
	case '*':
		return have == '^'
	}
	return false
}

// result is what came back.
type result struct {
	w     [4]uintptr
	error uintptr // the NSError, of the pool's
}

// send sends a message to id, whose methods k knows. The caller keeps id alive.
func (p *Pool) send(k *Kind, id uintptr, meta bool, row Row, args []Arg, res *result) error {
	if err := p.ok(); err != nil {
		return err
	}
	m, err := k.method(row, meta)
	if err != nil {
		return err
	}
	if err := p.deliver(m, id, args, res); err != nil {
		return &CallError{m.Class, m.Selector, err}
	}
	return nil
}

// wants says why args are not the plan's.
func (l *plan) wants(p *Pool, args []Arg) error {
	n := len(l.kinds)
	if l.err {
		n--
	}
	if len(args) != n {
		return fmt.Errorf("%d arguments of %d: %w", len(args), n, isthmus.ErrInvalid)
	}
	for i := range args {
		if a := &args[i]; a.kind == negative {
			return fmt.Errorf("argument %d is negative: %w", i, isthmus.ErrBounds)
		} else if !fits(a.kind, l.kinds[i]) {
			return fmt.Errorf("argument %d is of kind %c and not %c: %w", i, a.kind, l.kinds[i], isthmus.ErrInvalid)
		} else if a.pool != nil && a.pool != p {
			return fmt.Errorf("argument %d lives in another pool: %w", i, isthmus.ErrClosed)
		}
	}
	return nil
}

func (p *Pool) deliver(m *method, id uintptr, args []Arg, res *result) error {
	l := m.plan
	if err := l.wants(p, args); err != nil {
		return err
	}
	f := call.Get()
	defer f.Put()
	w, err := call.Raw[call.Wide](f)
	if err != nil {
		return err
	}
	w.Fn, w.Few, w.Thread = p.rt.send, l.few, p.thread
	w.Ints[0], w.Ints[1] = id, m.sel
	var back []uintptr
	if l.stret {
		if back, err = call.Slice[uintptr](f, 4); err != nil {
			return err
		}
		w.X8 = uintptr(mem.AddrOf(back))
		if !arm {
			w.Fn = p.rt.sendStret
			w.Ints[0], w.Ints[1], w.Ints[2] = w.X8, id, m.sel
		}
	}
	held := 0 // arguments whose objects are in use
	defer func() {
		for i := range held {
			if o := args[i].object; o != nil {
				o.owned.Done()
			}
		}
	}()
	var out *uintptr
	for i := range l.moves {
		v := &l.moves[i]
		var word uintptr
		if int(v.arg) == len(args) { // the place for an error
			if out, err = call.New[uintptr](f); err != nil {
				return err
			}
			word = uintptr(mem.AddrOfPtr(out))
		} else if a := &args[v.arg]; v.to == inCopy {
			to, err := call.Slice[uintptr](f, len(a.w))
			if err != nil {
				return err
			}
			copy(to, a.w[:])
			word = uintptr(mem.AddrOf(to))
		} else if word = a.w[v.word]; a.object != nil {
			h, err := a.object.owned.Use()
			if err != nil {
				return err
			}
			word = uintptr(h)
		}
		held = min(int(v.arg)+1, len(args))
		switch v.to {
		case inInt, inCopy:
			w.Ints[v.at] = word
		case inFloat:
			w.Floats[v.at] = uint64(word)
		case inStack:
			w.Stack[v.at] = word
		}
	}
	if !w.Run() {
		return errThread
	}
	if x := w.Thrown(); x != nil {
		return x
	}
	if out != nil {
		res.error = *out
	}
	switch c := l.result[0]; {
	case l.stret:
		copy(res.w[:], back)
	case c == 'd', c == 'f':
		res.w[0] = uintptr(w.F[0])
	case c == 'B', c == 'c', c == 'C':
		res.w[0] = w.R0 & 0xff
	case c == 'i', c == 'I':
		res.w[0] = w.R0 & 0xffffffff
	case c != 'v':
		res.w[0], res.w[1] = w.R0, w.R1
	}
	return nil
}

// to sends a message to an object.
func (p *Pool) to(o *Object, row Row, args []Arg, res *result) error {
	if o == nil || o.kind == nil {
		return fmt.Errorf("objc: a message to no object: %w", isthmus.ErrClosed)
	}
	id, err := o.owned.Use()
	if err != nil {
		return err
	}
	defer o.owned.Done()
	return p.send(o.kind, uintptr(id), false, row, args, res)
}

// Do sends a message whose result is of no interest; of one that takes an NSError it must be YES.
func (p *Pool) Do(o *Object, row Row, args ...Arg) error {
	var res result
	if err := p.to(o, row, args, &res); err != nil {
		return err
	}
	if m := &o.kind.table.methods[row]; m.ErrorOut && res.w[0] == 0 {
		return p.failure(m, &res)
	}
	return nil
}

// Uint sends a message that returns a number.
func (p *Pool) Uint(o *Object, row Row, args ...Arg) (uint64, error) {
	var res result
	err := p.to(o, row, args, &res)
	return uint64(res.w[0]), err
}

// Float sends a message that returns a double.
func (p *Pool) Float(o *Object, row Row, args ...Arg) (float64, error) {
	n, err := p.Uint(o, row, args...)
	return math.Float64frombits(n), err
}

// Size sends a message that returns a struct of three NSUIntegers.
func (p *Pool) Size(o *Object, row Row, args ...Arg) (s [3]int, err error) {
	var res result
	if err = p.to(o, row, args, &res); err != nil {
		return s, err
	}
	for i := range s {
		if s[i], err = mem.Len(res.w[i]); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Object sends a message whose result is an object, of the class or protocol of the table that is named, and makes into its owner:
// what comes at +0 is retained at once. nil is an error: the NSError, if the message takes one, or [ErrNil].
func (p *Pool) Object(into *Object, class string, o *Object, row Row, args ...Arg) error {
	var res result
	if err := p.to(o, row, args, &res); err != nil {
		return err
	}
	return p.own(into, class, o.kind.table, row, &res)
}

// ClassObject is Object for a message to a class.
func (p *Pool) ClassObject(into *Object, c *Class, row Row, args ...Arg) error {
	var res result
	if err := p.send(c.kind, c.id, true, row, args, &res); err != nil {
		return err
	}
	return p.own(into, c.kind.name, c.kind.table, row, &res)
}

// ClassUint sends a message that returns a number to a class.
func (p *Pool) ClassUint(c *Class, row Row, args ...Arg) (uint64, error) {
	var res result
	err := p.send(c.kind, c.id, true, row, args, &res)
	return uint64(res.w[0]), err
}

// New makes an object of a class: alloc, and the initialiser of the row. After an exception of the initialiser what was allocated
// is not released, since nobody knows what state it is in ([Runtime.Abandoned]).
func (p *Pool) New(into *Object, c *Class, row Row, args ...Arg) error {
	if err := p.ok(); err != nil {
		return err
	}
	k := c.kind.table.kind(c.kind.name, c.id, false)
	m, err := k.method(row, false)
	if err != nil {
		return err
	}
	if err := m.plan.wants(p, args); err != nil {
		return &CallError{m.Class, m.Selector, err}
	}
	id, err := p.rt.raw(p.thread, c.id, p.rt.sel.alloc)
	if err != nil {
		return &CallError{m.Class, "alloc", err}
	}
	if id == 0 {
		return &CallError{m.Class, "alloc", ErrNil}
	}
	var res result
	if err := p.deliver(m, id, args, &res); err != nil {
		p.rt.abandoned.Add(1)
		return &CallError{m.Class, m.Selector, err}
	}
	return p.own(into, c.kind.name, c.kind.table, row, &res)
}

// own makes into the owner of a message's result.
func (p *Pool) own(into *Object, class string, t *Table, row Row, res *result) error {
	m := &t.methods[row]
	id := res.w[0]
	if id == 0 {
		return p.failure(m, res)
	}
	if !m.Retained {
		if _, err := p.rt.raw(p.thread, id, p.rt.sel.retain); err != nil {
			return &CallError{m.Class, m.Selector, err}
		}
	}
	return into.init(t, class, id)
}

// failure is the error of a message that gave nothing.
func (p *Pool) failure(m *method, res *result) error {
	if res.error != 0 {
		return &CallError{m.Class, m.Selector, p.nsError(res.error)}
	}
	return &CallError{m.Class, m.Selector, ErrNil}
}
