package layer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// The rules. Their ids have the API's prefix before them.
const (
	UseAfterDestroy = "use-after-destroy"
	DoubleDestroy   = "double-destroy"
	UnknownHandle   = "unknown-handle"
	WrongKind       = "wrong-kind"
	NullArgument    = "null-argument"
	StructSize      = "struct-size"
	DestroyOfLent   = "destroy-of-lent"
	DestroyedInUse  = "destroyed-in-use"
	DestroyedEarly  = "destroyed-early"
	UseAfterDelete  = "use-after-delete"
	UseOfDonated    = "use-of-donated"
	Leak            = "leak"
	MemoryChanged   = "host-memory-changed"
	MemoryOverlap   = "host-memory-overlap"
	OutOfOrder      = "out-of-order"
	WrongThread     = "wrong-thread"
)

// Rules lists the rules of every API.
func Rules() []string {
	return []string{
		UseAfterDestroy, DoubleDestroy, UnknownHandle, WrongKind, NullArgument, StructSize, DestroyOfLent, DestroyedInUse,
		DestroyedEarly, UseAfterDelete, UseOfDonated, Leak, MemoryChanged, MemoryOverlap, OutOfOrder, WrongThread,
	}
}

// aboveReport is about how many frames a report has below the front end.
const aboveReport = 5

// MaxList is the longest list of objects that is looked at.
const MaxList = 1 << 20

// told is how often one rule is reported for one function; what comes after is only counted.
const told = 10

// Engine watches the calls of one library.
type Engine struct {
	Spec *Spec
	// Counted is set for an API whose objects are counted.
	Counted *Counted
	book    book

	report func(*isthmus.Finding)
	adopt  [256]atomic.Bool // kinds that are made where the layer cannot see it
	lends  lends

	mu     sync.Mutex
	counts map[string]int // by rule and function
	total  atomic.Uint64
}

// New makes an engine. report gets the findings, on the goroutine of the call.
func New(s *Spec, report func(*isthmus.Finding)) *Engine {
	return &Engine{Spec: s, report: report, counts: map[string]int{}}
}

// Adopt says that objects of a kind may come from where the layer cannot see it: an unknown handle is then taken for
// one of them, and forgotten when it ends.
func (e *Engine) Adopt(k Kind) { e.adopt[k].Store(true) }

// Found is how many findings there were, those that were not reported for their number included.
func (e *Engine) Found() uint64 { return e.total.Load() }

// Call is one call under way.
type Call struct {
	Engine *Engine
	Func   *Func
	Args   mem.Addr
	Size   uintptr // what the caller states, or what is known for structs without a size
	// Site is where the call was made, as the front end recorded it.
	Site isthmus.Site
	// Refused is the finding for which the call must not go on, nil for none.
	Refused *isthmus.Finding
	// Data is for the API's own functions, from Before to After.
	Data any

	objs  [maxOps]*Object // by op
	held  [inlineUses]*Object
	nheld int
	more  []*Object
}

const (
	maxOps     = 8
	inlineUses = 16
)

// Object is the object that the op at i found, nil for none.
func (c *Call) Object(i int) *Object { return c.objs[i] }

// Word reads the word at an offset of the arguments; 0 past their end.
func (c *Call) Word(off uintptr) uintptr {
	if off+8 > c.Size {
		return 0
	}
	// SAFETY: owner: the caller, for the call; bounds: inside the size that the struct states; alignment: Before has
	// checked the struct's, and the offset is a multiple of 8; thread: the caller's.
	return *mem.At[uintptr](uintptr(c.Args) + off)
}

// Before checks a call. The caller makes it unless c.Refused is set, and then calls After with the same c.
//
// Preconditions: args is null, or points to the function's argument struct.
func (e *Engine) Before(c *Call, f *Func, args mem.Addr) {
	c.Engine, c.Func, c.Args = e, f, args
	if args == 0 || args%8 != 0 {
		c.Refuse(NullArgument, nil, "the argument struct is null or misaligned")
		return
	}
	if f.Size != 0 {
		// SAFETY: owner: the caller; bounds: the struct begins with its size; alignment: checked.
		c.Size = uintptr(*mem.At[uint64](args))
		if c.Size < f.Least || c.Size > 1<<16 {
			c.Refuse(StructSize, nil, "struct_size is %d, this function's arguments have %d bytes", c.Size, f.Size)
			return
		}
	} else {
		c.Size = 1 << 16
	}
	for i := range f.Ops {
		op := &f.Ops[i]
		if op.Act >= Create && op.Act != Nested {
			continue
		}
		if c.input(i, op); c.Refused != nil {
			break
		}
	}
	if f.Before != nil && c.Refused == nil {
		f.Before(c)
	}
	if c.Refused != nil {
		c.release()
		c.revive()
	}
}

func (c *Call) input(i int, op *Op) {
	if op.Act == Nested {
		c.nested(op)
		return
	}
	if op.Off+8 > c.Size {
		return
	}
	a := c.Word(op.Off)
	if op.Count != 0 {
		c.Uses(op, a, c.Word(op.Count))
		return
	}
	switch op.Act {
	case Use:
		c.objs[i] = c.Use(op, a)
	case Destroy:
		c.objs[i] = c.end(op, a)
	case Delete:
		c.objs[i] = c.Use(op, a)
	}
}

func (c *Call) nested(op *Op) {
	a := c.Word(op.Off)
	if a == 0 {
		if !op.Null && op.Off+8 <= c.Size {
			c.Refuse(NullArgument, nil, "%s is null", op.Field)
		}
		return
	}
	if a%8 != 0 {
		c.Refuse(NullArgument, nil, "%s is misaligned", op.Field)
		return
	}
	// SAFETY: owner: the caller, for the call; bounds: by the API a struct that begins with its size; alignment: checked.
	if size := uintptr(*mem.At[uint64](a)); size < 8 || size > 1<<16 {
		c.Refuse(StructSize, nil, "the struct_size of %s is %d, want %d", op.Field, size, op.Size)
	}
}

// Uses uses every object of a list.
func (c *Call) Uses(op *Op, list, n uintptr) {
	for _, a := range c.list(op, list, n) {
		if c.Use(op, a); c.Refused != nil {
			return
		}
	}
}

// list reads a list of handles.
func (c *Call) list(op *Op, list, n uintptr) []uintptr {
	if n == 0 || list == 0 {
		return nil
	}
	if n > MaxList {
		c.Refuse(NullArgument, nil, "%s has %d elements", op.Field, n)
		return nil
	}
	all, err := mem.Slice[uintptr](list, n)
	if err != nil {
		c.Refuse(NullArgument, nil, "%s: %v", op.Field, err)
	}
	return all
}

// null refuses a null handle where there must be one.
func (c *Call) null(op *Op) {
	if !op.Null {
		c.Refuse(NullArgument, nil, "%s is null", op.Field)
	}
}

// Use checks that the object of a handle can be used, and holds it until the call is over.
func (c *Call) Use(op *Op, a uintptr) *Object {
	if a == 0 {
		c.null(op)
		return nil
	}
	e := c.Engine
	s := e.book.shard(op.Kind, a)
	s.mu.Lock()
	o := s.m[key{a, op.Kind}]
	if o == nil {
		s.mu.Unlock()
		return c.unknown(op, a)
	}
	state := o.state.Load()
	if state&stateDead != 0 {
		s.mu.Unlock()
		c.Refuse(UseAfterDestroy, o, "%s was destroyed by %s", op.Field, o.endedBy)
		return nil
	}
	if !op.Loose {
		o.users.Add(1)
		c.hold(o)
	}
	s.mu.Unlock()
	if p := o.orphaned(); p != nil {
		c.Refuse(UseAfterDestroy, o, "the %s#%d that %s belongs to was destroyed by %s", e.kindName(p.kind), p.id, op.Field, p.endedBy)
		return nil
	}
	if op.Contents && state&(stateDeleted|stateGiven) != 0 {
		c.contents(op, o, state)
	}
	return o
}

func (c *Call) contents(op *Op, o *Object, state uint32) {
	if state&stateGiven != 0 {
		c.Report(UseOfDonated, o, "the memory of %s was given to %s", op.Field, o.endedBy)
		return
	}
	c.Report(UseAfterDelete, o, "%s was deleted by %s", op.Field, o.endedBy)
}

func (c *Call) hold(o *Object) {
	if c.nheld < inlineUses {
		c.held[c.nheld] = o
		c.nheld++
		return
	}
	c.more = append(c.more, o)
}

// release ends the uses.
func (c *Call) release() {
	for _, o := range c.held[:c.nheld] {
		o.users.Add(-1)
	}
	for _, o := range c.more {
		o.users.Add(-1)
	}
	c.nheld, c.more = 0, nil
}

// unknown says what is wrong with a handle that the book does not have.
func (c *Call) unknown(op *Op, a uintptr) *Object {
	e := c.Engine
	for k := range e.Spec.Kinds {
		if o := e.book.find(Kind(k), a); o != nil && o.state.Load()&stateDead == 0 {
			c.Refuse(WrongKind, o, "%s must be a %s, and is a %s", op.Field, e.kindName(op.Kind), e.kindName(o.kind))
			return nil
		}
	}
	if e.adopt[op.Kind].Load() {
		return e.book.add(&Object{kind: op.Kind, addr: a, found: true})
	}
	c.Refuse(UnknownHandle, nil, "%s (%#x) is no %s that this library made, or was destroyed long ago", op.Field, a, e.kindName(op.Kind))
	return nil
}

// end ends the object of a handle, before the library does: the address may be another object's as soon as that runs.
func (c *Call) end(op *Op, a uintptr) *Object {
	if a == 0 {
		c.null(op)
		return nil
	}
	e := c.Engine
	s := e.book.shard(op.Kind, a)
	s.mu.Lock()
	o := s.m[key{a, op.Kind}]
	if o == nil {
		s.mu.Unlock()
		if o = c.unknown(op, a); o == nil {
			return nil
		}
		s.mu.Lock()
	}
	var rule, text string
	switch state := o.state.Load(); {
	case state&stateDead != 0:
		rule, text = DoubleDestroy, fmt.Sprintf("%s was destroyed by %s before", op.Field, o.endedBy)
	case o.lent:
		rule, text = DestroyOfLent, fmt.Sprintf("%s belongs to another object, and is not the caller's to destroy", op.Field)
	case o.users.Load() > 0:
		rule, text = DestroyedInUse, fmt.Sprintf("%s is used by a call on another thread", op.Field)
	}
	if p := o.orphaned(); rule == "" && p != nil {
		rule, text = UseAfterDestroy, fmt.Sprintf("the %s#%d that %s belongs to was destroyed by %s before", e.kindName(p.kind), p.id, op.Field, p.endedBy)
	}
	if rule != "" {
		s.mu.Unlock()
		c.Refuse(rule, o, "%s", text)
		return nil
	}
	o.ended, o.endedBy = c.Site, c.Func.Name
	o.state.Store(o.state.Load() | stateDead)
	if o.found {
		delete(s.m, key{a, op.Kind}) // the next one at this address is made unseen too
	} else {
		s.bury(o)
	}
	s.mu.Unlock()
	o.leave()
	if o.lenders.Load() > 0 {
		e.book.endLent(o)
	}
	if n := o.children.Load(); n > 0 {
		c.Report(DestroyedEarly, o, "%d objects that belong to it are alive: %s", n, e.childrenOf(o))
	}
	return o
}

// revive makes the objects that the call was to end alive again: it did not.
func (c *Call) revive() {
	for i := range c.Func.Ops {
		o := c.objs[i]
		if o == nil || c.Func.Ops[i].Act != Destroy {
			continue
		}
		s := c.Engine.book.shard(o.kind, o.addr)
		s.mu.Lock()
		if s.m[key{o.addr, o.kind}] == o {
			o.state.Store(o.state.Load() &^ stateDead)
			if o.from != nil && !o.lent {
				o.from.children.Add(1)
			}
		}
		s.mu.Unlock()
	}
}

// After enters what a call did.
func (e *Engine) After(c *Call, failed bool) {
	c.release()
	switch {
	case failed && !c.Func.Spent:
		c.revive()
	case failed:
		for i := range c.Func.Ops {
			if o := c.objs[i]; o != nil && c.Func.Ops[i].Act == Destroy {
				e.drop(o)
			}
		}
	default:
		for i := range c.Func.Ops {
			switch op := &c.Func.Ops[i]; op.Act {
			case Delete:
				if o := c.objs[i]; o != nil {
					e.Mark(c, o, false)
				}
			case Create, Borrow:
				c.output(i, op)
			case Destroy:
				if o := c.objs[i]; o != nil {
					e.drop(o)
				}
			}
		}
	}
	if c.Func.After != nil {
		c.Func.After(c, failed)
	}
}

func (c *Call) output(i int, op *Op) {
	a := c.Word(op.Off)
	if a == 0 {
		return
	}
	var from *Object
	if op.From >= 0 {
		if from = c.objs[op.From]; from != nil && op.Root {
			from = from.Root()
		}
	}
	if op.Count != 0 {
		for _, h := range c.list(op, a, c.Word(op.Count)) {
			if h != 0 {
				c.Add(op.Kind, h, from, op.Act == Borrow)
			}
		}
		return
	}
	c.objs[i] = c.Add(op.Kind, a, from, op.Act == Borrow)
}

// Add enters an object that the library made.
func (c *Call) Add(k Kind, a uintptr, from *Object, lent bool) *Object {
	return c.Engine.book.add(&Object{kind: k, addr: a, from: from, lent: lent, made: c.Site, madeBy: c.Func.Name})
}

// AddOwn enters an object that the layer itself made.
func (c *Call) AddOwn(k Kind, a uintptr) *Object {
	return c.Engine.book.add(&Object{kind: k, addr: a, own: true, made: c.Site, madeBy: c.Func.Name})
}

// Find is the living object of a handle, nil for none.
func (e *Engine) Find(k Kind, a uintptr) *Object {
	if o := e.book.find(k, a); o != nil && o.state.Load()&stateDead == 0 {
		return o
	}
	return nil
}

// End ends an object that is destroyed by other means than a function of the spec. It reports what is wrong with that,
// and returns false when the library must not be asked.
func (e *Engine) End(k Kind, a uintptr, by string) bool {
	var c Call
	c.Engine, c.Func, c.Site = e, &Func{Name: by}, isthmus.Here()
	o := c.end(&Op{Act: Destroy, Field: "the argument", Kind: k, Null: true}, a)
	if o != nil {
		e.drop(o)
	}
	return c.Refused == nil
}

// Mark says that an object's contents are gone: deleted, or given to the call.
func (e *Engine) Mark(c *Call, o *Object, given bool) {
	s := e.book.shard(o.kind, o.addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.state.Load()&(stateDead|stateDeleted|stateGiven) != 0 {
		return
	}
	o.ended, o.endedBy = c.Site, c.Func.Name
	bit := uint32(stateDeleted)
	if given {
		bit = stateGiven
	}
	o.state.Store(o.state.Load() | bit)
}

// Fire says that an event was seen to have completed, and returns the memory that was lent until then.
func (e *Engine) Fire(c *Call, o *Object) {
	if o == nil {
		return
	}
	s := e.book.shard(o.kind, o.addr)
	s.mu.Lock()
	o.state.Store(o.state.Load() | stateFired)
	s.mu.Unlock()
	e.returnAll(c, o)
}

// Report makes a finding of a call.
func (c *Call) Report(rule string, o *Object, format string, a ...any) *isthmus.Finding {
	if !c.Site.Known() {
		c.Site = isthmus.HereAbove(aboveReport)
	}
	f := &isthmus.Finding{ID: c.Engine.Rule(rule), Call: c.Func.Name, Text: fmt.Sprintf(format, a...), Site: c.Site}
	if o != nil {
		f.Object, f.MadeBy = c.Engine.object(o), o.madeBy
		s := c.Engine.book.shard(o.kind, o.addr)
		s.mu.Lock()
		f.Ended = o.ended
		s.mu.Unlock()
	}
	c.Engine.tell(f)
	return f
}

// Refuse is Report for a call that must not be made.
func (c *Call) Refuse(rule string, o *Object, format string, a ...any) {
	c.Refused = c.Report(rule, o, format, a...)
}

// Rule is the id of a rule.
func (e *Engine) Rule(rule string) string {
	return strings.ToLower(strings.TrimSuffix(e.Spec.Prefix, "_")) + "/" + rule
}

func (e *Engine) tell(f *isthmus.Finding) {
	e.total.Add(1)
	k := f.ID + " " + f.Call
	e.mu.Lock()
	e.counts[k]++
	n := e.counts[k]
	e.mu.Unlock()
	if n <= told {
		e.report(f)
	}
}

func (e *Engine) kindName(k Kind) string { return e.Spec.Prefix + e.Spec.Kinds[k] }

func (e *Engine) object(o *Object) isthmus.Object {
	out := isthmus.Object{ID: o.id, Kind: e.kindName(o.kind), Site: o.made}
	if o.from != nil {
		out.Parents = []uint64{o.from.id}
	}
	return out
}

func (e *Engine) childrenOf(o *Object) string {
	var all []isthmus.Object
	e.book.each(func(c *Object) {
		if c.from == o && !c.lent {
			all = append(all, e.object(c))
		}
	})
	slices.SortFunc(all, func(a, b isthmus.Object) int { return cmp.Compare(a.ID, b.ID) })
	const most = 3
	var s []string
	for _, c := range all[:min(len(all), most)] {
		s = append(s, c.String())
	}
	if len(all) > most {
		s = append(s, "…")
	}
	return strings.Join(s, ", ")
}

// Live lists the objects that the caller has to destroy and has not, oldest first.
func (e *Engine) Live() isthmus.Census {
	var all isthmus.Census
	e.book.each(func(o *Object) {
		if !o.lent {
			all = append(all, e.object(o))
		}
	})
	slices.SortFunc(all, func(a, b isthmus.Object) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Leaks reports every object of Live as a leak.
func (e *Engine) Leaks() isthmus.Census {
	all := e.Live()
	for _, o := range all {
		e.tell(&isthmus.Finding{ID: e.Rule(Leak), Call: o.Kind, Text: "it was never destroyed", Object: o})
	}
	return all
}

// Handle is the handle of a living object by its number, 0 for none.
func (e *Engine) Handle(id uint64) (h uintptr) {
	e.book.each(func(o *Object) {
		if o.id == id {
			h = o.addr
		}
	})
	return h
}
