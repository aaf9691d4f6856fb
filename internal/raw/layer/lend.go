package layer

import (
	"hash/maphash"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// wholeSum is up to how many bytes all of lent memory is summed up; of more, as many are taken in evenly spaced pieces.
const (
	wholeSum = 1 << 20
	sumPiece = 256
)

// Lend is host memory that native code uses.
type Lend struct {
	at, n  uintptr
	write  bool // native code writes it
	summed bool
	sum    uint64
	call   string
	site   isthmus.Site
	index  int // in its list
	gone   bool
}

// lends holds what is lent. Memory belongs to the process, but two libraries that read the same do no harm, and what one
// of them writes is rarely the other's; so each engine has its own.
type lends struct {
	mu     sync.Mutex
	seed   maphash.Seed
	seeded bool
	lists  [2][]*Lend // read, written
}

func (l *lends) sum(at, n uintptr) (uint64, bool) {
	b, err := mem.Slice[byte](at, n)
	if err != nil {
		return 0, false
	}
	if n <= wholeSum {
		return maphash.Bytes(l.seed, b), true
	}
	var h maphash.Hash
	h.SetSeed(l.seed)
	const pieces = wholeSum / sumPiece
	step := (len(b) - sumPiece) / (pieces - 1)
	for i := range pieces {
		_, _ = h.Write(b[i*step : i*step+sumPiece]) // a hash takes everything
	}
	return h.Sum64(), true
}

// Lend enters that native code uses n bytes at an address. stable says that nobody changes them meanwhile, so that a
// sum of them must stay. until is the event, or other object, whose completion or end returns them; nil for memory that
// is lent for the call only, which [Engine.Return] ends.
func (e *Engine) Lend(c *Call, at, n uintptr, write, stable bool, until *Object) *Lend {
	if at == 0 || n == 0 {
		return nil
	}
	l := &Lend{at: at, n: n, write: write, call: c.Func.Name, site: c.Site}
	t := &e.lends
	t.mu.Lock()
	if !t.seeded {
		t.seed, t.seeded = maphash.MakeSeed(), true
	}
	other := t.overlap(l)
	k := 0
	if write {
		k = 1
	}
	l.index = len(t.lists[k])
	t.lists[k] = append(t.lists[k], l)
	t.mu.Unlock()
	if stable {
		l.sum, l.summed = t.sum(at, n)
	}
	if other != nil {
		c.Report(MemoryOverlap, nil, "%d bytes at %#x are lent to %s, which %s them still; lent at %s", n, at, other.call, does(other.write), other.site)
	}
	if until != nil {
		e.Attach(l, until)
	}
	return l
}

func does(write bool) string {
	if write {
		return "writes"
	}
	return "reads"
}

// overlap finds a lend that l must not overlap. The table is locked.
func (t *lends) overlap(l *Lend) *Lend {
	for k, list := range t.lists {
		if k == 0 && !l.write {
			continue // two readers
		}
		for _, o := range list {
			if l.at < o.at+o.n && o.at < l.at+l.n {
				return o
			}
		}
	}
	return nil
}

// Attach has a lend end with an object.
func (e *Engine) Attach(l *Lend, until *Object) {
	if l == nil {
		return
	}
	until.mu.Lock()
	until.lends = append(until.lends, l)
	until.mu.Unlock()
}

// Return ends a lend and checks that the memory is as it was.
func (e *Engine) Return(c *Call, l *Lend) {
	if l == nil || !e.lends.remove(l) {
		return
	}
	if l.summed {
		if sum, ok := e.lends.sum(l.at, l.n); ok && sum != l.sum {
			c.Report(MemoryChanged, nil, "%d bytes at %#x were changed while they were lent to %s at %s", l.n, l.at, l.call, l.site)
		}
	}
}

func (t *lends) remove(l *Lend) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.gone {
		return false
	}
	l.gone = true
	k := 0
	if l.write {
		k = 1
	}
	list := t.lists[k]
	last := list[len(list)-1]
	list[l.index], last.index = last, l.index
	list[len(list)-1] = nil
	t.lists[k] = list[:len(list)-1]
	return true
}

// returnAll returns what was lent until the object's end or completion.
func (e *Engine) returnAll(c *Call, o *Object) {
	o.mu.Lock()
	all := o.lends
	o.lends = nil
	o.mu.Unlock()
	for _, l := range all {
		e.Return(c, l)
	}
}

// drop forgets what was lent until the end of an object that nobody waited for: nobody can tell any more when native
// code was done.
func (e *Engine) drop(o *Object) {
	o.mu.Lock()
	all := o.lends
	o.lends = nil
	o.mu.Unlock()
	for _, l := range all {
		e.lends.remove(l)
	}
}
