package layer

import (
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// Object is an object of the native library's.
type Object struct {
	id    uint64
	kind  Kind
	addr  uintptr
	from  *Object // what it belongs to, nil for nothing
	lent  bool    // it is not the caller's to destroy
	own   bool    // the layer made it, the library does not know it
	found bool    // nobody saw it made

	state    atomic.Uint32
	users    atomic.Int32 // calls under way
	children atomic.Int32 // owned objects that belong to it and are alive
	lenders  atomic.Int32 // objects that were lent from it
	counts   atomic.Int32 // in an API that counts: how many the callers have
	made     isthmus.Site
	ended    isthmus.Site // under the shard's lock
	endedBy  string
	madeBy   string

	mu    sync.Mutex
	lends []*Lend
	// API is what the API's own functions remember of it. They lock mu.
	API any
}

// The states of an object, as bits.
const (
	stateDead    = 1 << iota
	stateDeleted // its contents are gone
	stateGiven   // they were given to a call that may use them up
	stateFired   // of an event: it was seen to have completed
)

// ID is the object's number, by which messages call it.
func (o *Object) ID() uint64 { return o.id }

// Addr is its handle.
func (o *Object) Addr() uintptr { return o.addr }

// Own reports whether the layer itself made it.
func (o *Object) Own() bool { return o.own }

// Lock guards API.
func (o *Object) Lock() { o.mu.Lock() }

// Unlock ends Lock.
func (o *Object) Unlock() { o.mu.Unlock() }

// Fired reports whether the event was seen to have completed.
func (o *Object) Fired() bool { return o.state.Load()&stateFired != 0 }

// Gone reports whether the contents were deleted or given away.
func (o *Object) Gone() bool { return o.state.Load()&(stateDeleted|stateGiven) != 0 }

// Root is what the object belongs to in the end, itself when that is nothing.
func (o *Object) Root() *Object {
	for o.from != nil {
		o = o.from
	}
	return o
}

// orphaned finds the dead object that o belongs to, nil for none.
func (o *Object) orphaned() *Object {
	for p := o.from; p != nil; p = p.from {
		if p.state.Load()&stateDead != 0 {
			return p
		}
	}
	return nil
}

type key struct {
	addr uintptr
	kind Kind
}

const (
	shards = 64 // a power of two
	// remembered is how many ended objects a shard remembers, so that their late use is told from an unknown address.
	remembered = 256
)

type shard struct {
	mu   sync.Mutex
	m    map[key]*Object
	dead [remembered]*Object
	next int
	// swept is how many objects there may be before [Engine.sweep] looks through them.
	swept int
	_     [32]byte
}

// book holds the objects, alive and lately ended.
type book struct {
	ids    atomic.Uint64
	shards [shards]shard
}

func (b *book) shard(k Kind, a uintptr) *shard {
	h := (a>>4 ^ uintptr(k)) * 0x9e3779b97f4a7c15
	return &b.shards[h>>58&(shards-1)]
}

// find is the object of a handle, alive or not.
func (b *book) find(k Kind, a uintptr) *Object {
	s := b.shard(k, a)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[key{a, k}]
}

// add enters an object. One that was lent before stays as it is; any other that is thought alive was ended where the
// layer could not see it.
func (b *book) add(o *Object) *Object {
	s := b.shard(o.kind, o.addr)
	k := key{o.addr, o.kind}
	s.mu.Lock()
	if s.m == nil {
		s.m = map[key]*Object{}
	}
	old := s.m[k]
	if old != nil && o.lent && old.state.Load()&stateDead == 0 && old.from == o.from {
		s.mu.Unlock()
		return old
	}
	o.id = b.ids.Add(1)
	s.m[k] = o
	s.mu.Unlock()
	if old != nil && old.state.Load()&stateDead == 0 {
		old.leave()
	}
	switch {
	case o.from == nil:
	case o.lent:
		o.from.lenders.Add(1)
	default:
		o.from.children.Add(1)
	}
	return o
}

// endLent ends what was lent from an object, with it.
func (b *book) endLent(from *Object) {
	b.each(func(o *Object) {
		if !o.lent || o.from != from {
			return
		}
		s := b.shard(o.kind, o.addr)
		s.mu.Lock()
		defer s.mu.Unlock()
		if o.state.Load()&stateDead == 0 {
			o.ended, o.endedBy = from.ended, from.endedBy
			o.state.Store(o.state.Load() | stateDead)
			s.bury(o)
		}
	})
}

// leave takes an owned object out of the count of what it belongs to.
func (o *Object) leave() {
	if o.from != nil && !o.lent {
		o.from.children.Add(-1)
	}
}

// bury remembers an ended object and forgets the oldest of its shard. The shard is locked.
func (s *shard) bury(o *Object) {
	old := s.dead[s.next]
	s.dead[s.next] = o
	s.next = (s.next + 1) % remembered
	if old == nil {
		return
	}
	k := key{old.addr, old.kind}
	if s.m[k] == old && old.state.Load()&stateDead != 0 {
		delete(s.m, k)
	}
}

// each calls f with every living object, in no order.
func (b *book) each(f func(*Object)) {
	for i := range b.shards {
		s := &b.shards[i]
		var alive []*Object
		s.mu.Lock()
		for _, o := range s.m {
			if o.state.Load()&stateDead == 0 {
				alive = append(alive, o)
			}
		}
		s.mu.Unlock()
		for _, o := range alive {
			f(o)
		}
	}
}

// Kind is what the object is.
func (o *Object) Kind() Kind { return o.kind }

// Users is how many calls use the object now.
func (o *Object) Users() int {
	if o == nil {
		return 0
	}
	return int(o.users.Load())
}
