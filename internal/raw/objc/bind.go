package objc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"

	"github.com/isthmus-ffi/isthmus"
)

// Fact is what is known of one method before there is a runtime to ask. Class is a class or a protocol.
type Fact struct {
	Class, Selector, Encoding string
	Meta                      bool // a method of the class itself
	Retained                  bool // the result is ours: +1
	Nullable                  bool // the headers say that the result may be nil; we ask whatever they say
	ErrorOut                  bool // the last argument takes an NSError
}

// Row is the place of a fact in its table.
type Row int

// method is a fact made ready for one runtime.
type method struct {
	*Fact
	sel  uintptr
	plan *plan
	err  error // the plan's
}

// Table is the facts of a binding in one runtime.
type Table struct {
	rt      *Runtime
	methods []method
	span    map[string][2]int // the rows of a class

	mu       sync.Mutex
	kinds    map[key]*Kind
	problems map[string]*MethodError
}

type key struct {
	name string
	live uintptr // the class that the runtime has
	meta bool
}

// Kind is a class or protocol of the table and one class of the runtime that is it, verified.
type Kind struct {
	table    *Table
	name     string
	live     uintptr
	meta     bool
	first    int
	problems []error // of each of its rows
	owner    ffi.Class[ref]
}

// Bind makes a table of facts ready, which lie together for each class. Facts that are none are an error.
func (r *Runtime) Bind(facts []Fact) (*Table, error) {
	t := &Table{rt: r, span: map[string][2]int{}, kinds: map[key]*Kind{}, problems: map[string]*MethodError{}}
	t.methods = make([]method, len(facts))
	for i := range facts {
		f := &facts[i]
		m := &t.methods[i]
		m.Fact = f
		if m.plan, m.err = planOf(f.Selector, f.Encoding, f.ErrorOut); m.err != nil {
			return nil, m.err
		}
		var err error
		if m.sel, err = r.selector(f.Selector); err != nil {
			return nil, err
		}
		s, ok := t.span[f.Class]
		if !ok {
			s = [2]int{i, i}
		}
		if s[1] != i {
			return nil, fmt.Errorf("objc: the facts of %s do not lie together: %w", f.Class, isthmus.ErrInvalid)
		}
		t.span[f.Class] = [2]int{s[0], i + 1}
	}
	return t, nil
}

// Class verifies a class by name: the methods of the class itself and of its instances. The problems are the table's; the error is
// that there is no such class.
func (t *Table) Class(name string) (*Class, error) {
	live := t.rt.class(name)
	if live == 0 {
		e := &MethodError{Class: name}
		t.mu.Lock()
		t.problems[name] = e
		t.mu.Unlock()
		return nil, e
	}
	t.kind(name, live, false)
	return &Class{id: live, kind: t.kind(name, t.rt.classOf(live), true)}, nil
}

// Problems are the methods that are missing, or not as the facts say, in the classes that were seen until now, by name.
func (t *Table) Problems() []*MethodError {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*MethodError
	for _, e := range t.problems {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *MethodError) int { return strings.Compare(a.Class+" "+a.Selector, b.Class+" "+b.Selector) })
	return all
}

// kind verifies one class of the runtime as name, once.
func (t *Table) kind(name string, live uintptr, meta bool) *Kind {
	k := key{name, live, meta}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.kinds[k]; v != nil {
		return v
	}
	s := t.span[name]
	v := &Kind{table: t, name: name, live: live, meta: meta, first: s[0], problems: make([]error, s[1]-s[0])}
	rt := t.rt
	v.owner = ffi.Class[ref]{Name: name, Brief: true, Destroy: func(id ref) error { return rt.release(name, uintptr(id)) }}
	for i := range v.problems {
		m := &t.methods[s[0]+i]
		if m.Meta != meta {
			continue
		}
		if e := rt.verify(live, m); e != nil {
			v.problems[i], t.problems[name+" "+m.Selector] = e, e
		}
	}
	t.kinds[k] = v
	return v
}

// verify compares a method with the runtime's.
func (r *Runtime) verify(live uintptr, m *method) *MethodError {
	e := &MethodError{Class: m.Class, Selector: m.Selector, Want: m.Encoding}
	found := call.Call(r.getMethod, live, m.sel)
	if found == 0 {
		return e
	}
	// SAFETY: owner: the runtime, for ever; bounds: a C string's own terminator and the limit; thread: any.
	e.Have = mem.CString(call.Call(r.getEncoding, found), 4096)
	have, err := Split(e.Have)
	want, _ := Split(m.Encoding)
	if err == nil && slices.EqualFunc(want, have, Same) {
		return nil
	}
	return e
}

// method finds a row of the kind's, which must be as the facts say.
func (k *Kind) method(row Row, meta bool) (*method, error) {
	i := int(row) - k.first
	if i < 0 || i >= len(k.problems) || k.table.methods[row].Meta != meta {
		return nil, fmt.Errorf("objc: row %d is not one of %s: %w", row, k.name, isthmus.ErrInvalid)
	}
	if err := k.problems[i]; err != nil {
		return nil, err
	}
	return &k.table.methods[row], nil
}

// Supports says why a class of the table cannot be used as the facts say: the first of its problems, or nil.
func (t *Table) Supports(class string) error {
	c, err := t.Class(class)
	if err != nil {
		return err
	}
	for _, k := range []*Kind{c.kind, t.kind(class, c.id, false)} {
		for _, err := range k.problems {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Classes are the names of the table's classes and protocols, in order.
func (t *Table) Classes() []string { return slices.Sorted(maps.Keys(t.span)) }
