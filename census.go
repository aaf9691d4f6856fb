package isthmus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Object describes one live native object.
type Object struct {
	ID      uint64   // unique in the process, in order of creation
	Kind    string   // what it is, for example pjrt.Buffer
	Site    Site     // the place that made it
	Parents []uint64 // ids of the objects that it keeps alive
}

// String names the object and the place that made it.
func (o Object) String() string {
	if !o.Site.Known() {
		return fmt.Sprintf("%s#%d", o.Kind, o.ID)
	}
	return fmt.Sprintf("%s#%d made at %s", o.Kind, o.ID, o.Site)
}

// Entry is one object's place in the census. It is for packages that own native objects and is used by pointer
// only: an entered Entry must not be copied. The zero value is not entered. The census refers to the Entry, so it
// must not be part of a value whose collection is to be noticed.
type Entry struct {
	id         uint64
	kind       string
	site       Site
	parents    []*Entry
	inline     [2]*Entry
	prev, next *Entry
	entered    bool
}

const censusShards = 16 // a power of two

type censusShard struct {
	mu    sync.Mutex
	first *Entry
	_     [40]byte // a cache line each
}

var (
	censusIDs  atomic.Uint64
	censusList [censusShards]censusShard
)

// Enter records the object with the calling place. Under [CheckOff] it records only kind and identity. Enter on an
// entered Entry does nothing. It must not race with other calls on e.
func (e *Entry) Enter(kind string) {
	if e.entered {
		return
	}
	e.id, e.kind = censusIDs.Add(1), kind
	if CurrentCheck() == CheckOff {
		e.site.n = 0
		return
	}
	e.site.record()
	e.entered = true
	s := &censusList[e.id%censusShards]
	s.mu.Lock()
	e.next = s.first
	if e.next != nil {
		e.next.prev = e
	}
	s.first = e
	s.mu.Unlock()
}

// AddParent records that e keeps p alive, before or after Enter. Under [CheckOff] it records nothing. It must not race
// with Enter and Leave.
func (e *Entry) AddParent(p *Entry) {
	if !e.entered {
		if CurrentCheck() != CheckOff {
			e.addParent(p)
		}
		return
	}
	s := &censusList[e.id%censusShards]
	s.mu.Lock()
	e.addParent(p)
	s.mu.Unlock()
}

func (e *Entry) addParent(p *Entry) {
	if e.parents == nil {
		e.parents = e.inline[:0]
	}
	e.parents = append(e.parents, p)
}

func (e *Entry) dropParents() {
	clear(e.parents)
	e.parents = nil
}

// Leave takes the object out of the census. It must not race with Enter and with itself.
func (e *Entry) Leave() {
	if !e.entered {
		if e.parents != nil {
			e.dropParents()
		}
		return
	}
	s := &censusList[e.id%censusShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e.dropParents()
	e.entered = false
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		s.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
}

// ID returns the object's number, which is also given under [CheckOff].
func (e *Entry) ID() uint64 { return e.id }

// Object describes e.
func (e *Entry) Object() Object {
	s := &censusList[e.id%censusShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.object()
}

func (e *Entry) object() Object {
	o := Object{ID: e.id, Kind: e.kind, Site: e.site}
	for _, p := range e.parents {
		o.Parents = append(o.Parents, p.id)
	}
	return o
}

// Children returns at most limit of the live objects that keep e alive, oldest first.
func (e *Entry) Children(limit int) []Object {
	all := collect(func(c *Entry) bool { return slices.Contains(c.parents, e) })
	if len(all) > limit {
		all = all[:limit]
	}
	return all
}

// Census is a list of live native objects, oldest first.
type Census []Object

// Live returns the native objects that are alive now. Under [CheckOff] none are recorded.
func Live() Census { return collect(func(*Entry) bool { return true }) }

func collect(keep func(*Entry) bool) Census {
	var out Census
	for i := range censusList {
		s := &censusList[i]
		s.mu.Lock()
		for e := s.first; e != nil; e = e.next {
			if keep(e) {
				out = append(out, e.object())
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Object) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Count returns how many objects of each kind are in c.
func (c Census) Count() map[string]int {
	n := make(map[string]int)
	for _, o := range c {
		n[o.Kind]++
	}
	return n
}

// Since returns the objects of c that are not in before: what was made in between and is still alive.
func (c Census) Since(before Census) Census {
	old := make(map[uint64]bool, len(before))
	for _, o := range before {
		old[o.ID] = true
	}
	var out Census
	for _, o := range c {
		if !old[o.ID] {
			out = append(out, o)
		}
	}
	return out
}

// String groups the objects by kind and place, most first, one group to a line.
func (c Census) String() string {
	if len(c) == 0 {
		return "no live native objects"
	}
	type group struct {
		text string
		n    int
	}
	var groups []group
	index := make(map[string]int)
	for _, o := range c {
		text := o.Kind
		if o.Site.Known() {
			text += " made at " + o.Site.String()
		}
		i, ok := index[text]
		if !ok {
			i = len(groups)
			index[text] = i
			groups = append(groups, group{text: text})
		}
		groups[i].n++
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.n, a.n) })
	lines := make([]string, len(groups))
	for i, g := range groups {
		lines[i] = fmt.Sprintf("%d x %s", g.n, g.text)
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when c is empty, else an error that wraps [ErrLeak] and names every object.
func (c Census) Err() error {
	if len(c) == 0 {
		return nil
	}
	return &leakError{c}
}

type leakError struct{ census Census }

func (e *leakError) Error() string {
	return fmt.Sprintf("isthmus: %d %v:\n%s", len(e.census), ErrLeak, e.census)
}

func (e *leakError) Is(target error) bool { return errors.Is(ErrLeak, target) }
