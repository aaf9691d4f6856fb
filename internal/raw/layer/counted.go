package layer

import "github.com/isthmus-ffi/isthmus"

// Counted is an API whose objects are counted, and whose handles never name another object later: Destroy lets a count go,
// Create and Retain give one, and Borrow none. The library itself refuses what cannot be done, so that every call goes on.
// Its calls come by [Engine.Enter] and [Engine.Leave], with one word for each op of the function.
type Counted struct {
	// Kind is what a handle says that it is; 0 for a word that is none.
	Kind func(word uintptr) Kind
	// Alive asks the library.
	Alive func(word uintptr) bool
	// Value is the kind of arguments that may be an object of any kind, or none.
	Value Kind
	// Nil is the word for no object.
	Nil uintptr
}

// byHolder is what ended an object whose end was not seen.
const byHolder = "the end of what held it"

// mostObjects is how many objects a shard of the book has before those that ended unseen, with what held them, are
// looked for.
const mostObjects = 1 << 10

// Enter checks a call that is about to be made. c.Site and c.Func are set.
func (e *Engine) Enter(c *Call, words []uintptr) {
	c.Engine = e
	if c.Func.Last {
		for _, o := range e.counted() {
			e.tell(&isthmus.Finding{ID: e.Rule(Leak), Call: c.Func.Name, Text: "it is still counted by who made it", Object: e.object(o), MadeBy: o.madeBy})
		}
		return
	}
	for i := range c.Func.Ops {
		op := &c.Func.Ops[i]
		if i >= len(words) || op.Act != Use && op.Act != Destroy && op.Act != Retain {
			continue
		}
		e.enter(c, op, words[i])
	}
}

func (e *Engine) enter(c *Call, op *Op, a uintptr) {
	any := op.Kind == e.Counted.Value
	k := e.Counted.Kind(a)
	switch {
	case k == 0 && any:
		return
	case k == 0 && a == e.Counted.Nil:
		c.Report(NullArgument, nil, "%s is nil, and must be a %s", op.Field, e.kindName(op.Kind))
		return
	case k == 0:
		c.Report(UnknownHandle, nil, "%s (%#x) is no handle, and must be one of a %s", op.Field, a, e.kindName(op.Kind))
		return
	}
	o := e.book.find(k, a)
	if !e.Counted.Alive(a) {
		e.stale(c, op, k, a, o)
		return
	}
	if o == nil {
		o = e.book.add(&Object{kind: k, addr: a, found: true})
	}
	if !any && k != op.Kind {
		c.Report(WrongKind, o, "%s must be a %s, and is a %s", op.Field, e.kindName(op.Kind), e.kindName(k))
		return
	}
	if op.Act == Destroy && !o.found && o.counts.Load() <= 0 {
		c.Report(DestroyOfLent, o, "a count of %s is let go that is not the caller's: it was lent, or a scope's", op.Field)
	}
}

// stale reports a handle of an object that is gone.
func (e *Engine) stale(c *Call, op *Op, k Kind, a uintptr, o *Object) {
	if o == nil {
		c.Report(UnknownHandle, nil, "%s (%#x) is no %s that is alive, or of which anything is known", op.Field, a, e.kindName(k))
		return
	}
	e.gone(o, isthmus.Site{}, byHolder)
	if op.Act == Destroy {
		c.Report(DoubleDestroy, o, "the last count of %s was let go before, by %s", op.Field, o.endedBy)
		return
	}
	c.Report(UseAfterDestroy, o, "%s has ended, by %s", op.Field, o.endedBy)
}

// gone notes that the library has ended an object.
func (e *Engine) gone(o *Object, at isthmus.Site, by string) {
	s := e.book.shard(o.kind, o.addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(o, at, by)
}

// end is gone for who has the shard's lock.
func (s *shard) end(o *Object, at isthmus.Site, by string) {
	if o.state.Load()&stateDead != 0 {
		return
	}
	o.ended, o.endedBy = at, by
	o.state.Store(o.state.Load() | stateDead)
	s.bury(o)
}

// Leave enters what a call has done. ok says that it was not refused. scoped says that what it gave the caller is a scope's,
// which lets it go.
func (e *Engine) Leave(c *Call, words []uintptr, ok, scoped bool) {
	c.Engine = e
	if c.Func.Last {
		if ok {
			e.book.each(func(o *Object) { e.gone(o, c.Site, c.Func.Name) })
		}
		return
	}
	for i := range c.Func.Ops {
		op := &c.Func.Ops[i]
		if i >= len(words) || op.Act == Use {
			continue
		}
		a := words[i]
		k := e.Counted.Kind(a)
		if k == 0 {
			continue
		}
		o := e.book.find(k, a)
		switch op.Act {
		case Create:
			if o == nil {
				o = c.Add(k, a, nil, false)
				e.sweep(o)
			}
			if !scoped {
				o.counts.Add(1)
			}
		case Borrow:
			if o == nil {
				e.book.add(&Object{kind: k, addr: a, found: true})
			}
		case Retain:
			if o != nil && ok {
				o.counts.Add(1)
			}
		case Destroy:
			if o == nil || !ok {
				continue
			}
			if o.counts.Load() > 0 {
				o.counts.Add(-1)
			}
			if !e.Counted.Alive(a) {
				e.gone(o, c.Site, c.Func.Name)
			}
		}
	}
}

// counted are the objects that their callers have a count of.
func (e *Engine) counted() (all []*Object) {
	e.book.each(func(o *Object) {
		if o.counts.Load() > 0 && e.Counted.Alive(o.addr) {
			all = append(all, o)
		}
	})
	return all
}

// sweep looks for objects that ended unseen in the shard of a new one, when it has become large.
func (e *Engine) sweep(o *Object) {
	s := e.book.shard(o.kind, o.addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.m) < max(s.swept, mostObjects) {
		return
	}
	for _, o := range s.m {
		if o.state.Load()&stateDead == 0 && !e.Counted.Alive(o.addr) {
			s.end(o, isthmus.Site{}, byHolder)
		}
	}
	s.swept = 2 * len(s.m)
}
