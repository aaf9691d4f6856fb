package ffi

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// What notices that an owner was forgotten: state.watch.
const (
	unwatched = uint32(iota)
	young     // the nursery holds the owner
	watched   // a cleanup of the garbage collector's
)

// A cleanup of the garbage collector's costs more than all else about an owner, and most owners are closed before a
// collection comes by. So those of a class that says so are kept in a nursery first, which holds them reachable. What
// is still open when the garbage collector has run, or when newer ones need the place, gets its cleanup then.
//
// An owner that is closed in the nursery is forgotten by it in the end, and one that is opened again meanwhile must
// not fall between: who takes an owner out says first that nobody watches it and then looks whether it is open; who
// opens one says so first and then looks whether it is watched. One of the two sees what the other did, and if both
// do, a swap of watch has one winner.
type nursery[H any] struct {
	armed atomic.Bool // a sentinel will tell when the garbage collector has run
	beds  [nurseryShards]struct {
		next  atomic.Uint32
		slots [nurserySlots]atomic.Pointer[Owned[H]]
		_     [64 - 4]byte // a cache line apart
	}
}

const (
	nurseryShards = 8 // powers of two
	nurserySlots  = 8
)

// guard sees to it that somebody notices when o, which is open, is forgotten.
func (o *Owned[H]) guard(c *Class[H]) {
	if !c.Brief {
		o.st.hire(unwatched, o)
		return
	}
	if o.st.watch.CompareAndSwap(unwatched, young) {
		nurseryOf[H](&c.young).add(o)
	}
}

// nurseries are those of the process, by number from 1. A class has the number only: what a cleanup's argument leads to
// is kept alive by it, an owner's state leads to its class, and a nursery leads to owners and all that they belong to.
var nurseries struct {
	mu  sync.Mutex
	all atomic.Pointer[[]any]
}

// nurseryOf returns the nursery with that number, and makes one for the number 0.
func nurseryOf[H any](number *atomic.Uint32) *nursery[H] {
	n := number.Load()
	if n == 0 {
		n = newNursery[H](number)
	}
	return (*nurseries.all.Load())[n-1].(*nursery[H])
}

func newNursery[H any](number *atomic.Uint32) uint32 {
	nurseries.mu.Lock()
	defer nurseries.mu.Unlock()
	if n := number.Load(); n != 0 {
		return n
	}
	var all []any
	if p := nurseries.all.Load(); p != nil {
		all = append(all, *p...)
	}
	all = append(all, &nursery[H]{})
	nurseries.all.Store(&all)
	number.Store(uint32(len(all)))
	return uint32(len(all))
}

// hire has the garbage collector watch o.
func (s *state[H]) hire(from uint32, o *Owned[H]) {
	if s.watch.CompareAndSwap(from, watched) {
		// The argument is the state alone: it must not lead back to o, or o would never be collected.
		runtime.AddCleanup(o, (*state[H]).forgotten, s)
	}
}

func (n *nursery[H]) add(o *Owned[H]) {
	bed := &n.beds[mem.Spot()%nurseryShards]
	if old := bed.slots[bed.next.Add(1)%nurserySlots].Swap(o); old != nil {
		old.grow()
	}
	if !n.armed.Load() && n.armed.CompareAndSwap(false, true) {
		runtime.AddCleanup(&sentinel[H]{n}, (*nursery[H]).flush, n)
	}
}

// sentinel is garbage from the start: its cleanup runs after the next collection.
type sentinel[H any] struct{ _ *nursery[H] }

// flush empties the nursery.
func (n *nursery[H]) flush() {
	n.armed.Store(false) // before the look at the slots: who fills one after it arms again
	for i := range n.beds {
		for j := range n.beds[i].slots {
			if o := n.beds[i].slots[j].Swap(nil); o != nil {
				o.grow()
			}
		}
	}
}

// grow takes o out of the nursery.
func (o *Owned[H]) grow() {
	s := o.st
	s.watch.Store(unwatched)
	if s.word.Load()&open != 0 {
		s.hire(unwatched, o)
	}
}
