package objc

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

const (
	// textLimit bounds what is read of a string.
	textLimit = 1 << 20
	// shortText bounds the texts of an exception, as of those of C++.
	shortText = 4096
)

// Text is an NSString that lives as long as the pool. A zero byte in s is [isthmus.ErrInvalid].
func (p *Pool) Text(s string) (Arg, error) {
	if err := p.ok(); err != nil {
		return Arg{}, err
	}
	for i := range len(s) {
		if s[i] == 0 {
			return Arg{}, fmt.Errorf("objc: a text with a zero byte: %w", isthmus.ErrInvalid)
		}
	}
	f := call.Get()
	defer f.Put()
	a, err := f.Text(s)
	if err != nil {
		return Arg{}, err
	}
	id, err := p.rt.raw(p.thread, p.rt.stringClass, p.rt.sel.fromUTF8, uintptr(a))
	return p.temporary("NSString", "stringWithUTF8String:", id, err)
}

func (p *Pool) temporary(class, selector string, id uintptr, err error) (Arg, error) {
	if err != nil {
		return Arg{}, &CallError{class, selector, err}
	}
	if id == 0 {
		return Arg{}, &CallError{class, selector, ErrNil}
	}
	return Arg{kind: '@', pool: p, w: [3]uintptr{id}}, nil
}

// Array is an NSArray of objects that lives as long as the pool.
func (p *Pool) Array(objects ...*Object) (Arg, error) {
	if err := p.ok(); err != nil {
		return Arg{}, err
	}
	f := call.Get()
	defer f.Put()
	ids, err := call.Slice[uintptr](f, len(objects)+1)
	if err != nil {
		return Arg{}, err
	}
	for i, o := range objects {
		if o == nil {
			return Arg{}, fmt.Errorf("objc: no object for an array: %w", isthmus.ErrClosed)
		}
		id, err := o.owned.Use()
		if err != nil {
			return Arg{}, err
		}
		defer o.owned.Done()
		ids[i] = uintptr(id)
	}
	id, err := p.rt.raw(p.thread, p.rt.arrayClass, p.rt.sel.fromObjects, uintptr(mem.AddrOf(ids)), uintptr(len(objects)))
	return p.temporary("NSArray", "arrayWithObjects:count:", id, err)
}

// String sends a message that returns an NSString, and reads it. nil is [ErrNil].
func (p *Pool) String(o *Object, row Row, args ...Arg) (string, error) {
	var res result
	if err := p.to(o, row, args, &res); err != nil {
		return "", err
	}
	m := &o.kind.table.methods[row]
	if res.w[0] == 0 {
		return "", p.failure(m, &res)
	}
	s, err := p.rt.text(false, p.thread, res.w[0], textLimit)
	if err != nil {
		return "", &CallError{m.Class, m.Selector, err}
	}
	return s, nil
}

// NSError sends a message that returns an NSError or nil, and reads it.
func (p *Pool) NSError(o *Object, row Row, args ...Arg) (*NSError, error) {
	var res result
	if err := p.to(o, row, args, &res); err != nil || res.w[0] == 0 {
		return nil, err
	}
	return p.nsError(res.w[0]), nil
}

// Memory sends a message that returns the address of n bytes, and returns them. nil is [ErrNil].
//
// Preconditions: the bytes are there as long as the caller uses them, which is at most as long as o.
func (p *Pool) Memory(o *Object, n int, row Row, args ...Arg) ([]byte, error) {
	var res result
	if err := p.to(o, row, args, &res); err != nil {
		return nil, err
	}
	if res.w[0] == 0 && n > 0 {
		return nil, p.failure(&o.kind.table.methods[row], &res)
	}
	// SAFETY: owner: the object; lifetime, bounds and thread: the precondition, since the length is the object's own; alignment: bytes.
	return mem.Slice[byte](res.w[0], n)
}

// text reads an NSString, up to limit bytes.
func (r *Runtime) text(quiet bool, thread, id uintptr, limit int) (string, error) {
	if id == 0 {
		return "", nil
	}
	c, err := r.rawOr(quiet, thread, id, r.sel.utf8)
	if err != nil {
		return "", err
	}
	if c == 0 {
		return "", ErrNil
	}
	// SAFETY: owner: the pool that is open; lifetime: until it is drained, after this; bounds: the string's own terminator and the
	// limit; thread: this one.
	return mem.CString(c, limit), nil
}

// nsError reads an NSError; what cannot be read is left out.
func (p *Pool) nsError(id uintptr) *NSError {
	e := &NSError{}
	r := p.rt
	if s, err := r.raw(p.thread, id, r.sel.domain); err == nil {
		e.Domain, _ = r.text(false, p.thread, s, shortText)
	}
	if n, err := r.raw(p.thread, id, r.sel.code); err == nil {
		e.Code = int(n)
	}
	if s, err := r.raw(p.thread, id, r.sel.text); err == nil {
		e.Text, _ = r.text(false, p.thread, s, textLimit)
	}
	return e
}

// describe says what an object that was thrown is, and releases it. It may be any object: of another class, whose name it is then, or
// one whose own methods throw, which are left alone.
func (r *Runtime) describe(object mem.Addr) (name, what string) {
	id := uintptr(object)
	_ = r.Pool(func(p *Pool) error {
		read := func(sel uintptr) (s string) {
			if t, err := r.rawOr(true, p.thread, id, sel); err == nil {
				s, _ = r.text(true, p.thread, t, shortText)
			}
			return s
		}
		exception := r.class("NSException")
		for c := r.classOf(id); c != 0 && exception != 0; c = call.Call1(r.superOf, mem.Addr(c)) {
			if c == exception {
				name, what = read(r.sel.name), read(r.sel.reason)
				break
			}
		}
		if name == "" {
			// SAFETY: owner: the runtime, for ever; bounds: a C string's own terminator and the limit; thread: any.
			name = mem.CString(call.Call1(r.className, mem.Addr(r.classOf(id))), shortText)
		}
		_, err := r.rawOr(true, p.thread, id, r.sel.release)
		return err
	})
	return name, what
}
