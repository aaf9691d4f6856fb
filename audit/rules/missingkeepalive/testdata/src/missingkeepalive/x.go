package missingkeepalive

/*
#include <stdlib.h>
typedef struct index { int n; } index_t;
static index_t *index_new(void) { return calloc(1, sizeof(index_t)); }
static void index_free(index_t *i) { free(i); }
static void index_end(index_t *i) { free(i); }
static int index_len(index_t *i) { return i->n; }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

type Index struct{ p *C.index_t }

func New() *Index {
	i := &Index{C.index_new()}
	runtime.SetFinalizer(i, func(i *Index) { C.index_free(i.p) })
	return i
}

func (i *Index) Len() int { return int(C.index_len(i.p)) } // want missing-keepalive:warning

func (i *Index) Kept() int {
	n := C.index_len(i.p)
	runtime.KeepAlive(i)
	return int(n)
}

func (i *Index) Deferred() int {
	defer runtime.KeepAlive(i)
	return int(C.index_len(i.p))
}

func (i *Index) Close() {
	if i.p == nil {
		return
	}
	C.index_free(i.p)
	i.p = nil
	runtime.SetFinalizer(i, nil)
}

type Safe struct {
	mu sync.Mutex
	p  *C.index_t
}

func NewSafe() *Safe {
	s := &Safe{p: C.index_new()}
	runtime.AddCleanup(s, func(p *C.index_t) { C.index_free(p) }, s.p)
	return s
}

func (s *Safe) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(C.index_len(s.p))
}

// Nothing cleans this one up behind the back of its methods.
type Plain struct{ p *C.index_t }

func (p *Plain) Len() int { return int(C.index_len(p.p)) }

// Its finalizer frees nothing: it says who forgot Close.
type Watched struct{ p *C.index_t }

func NewWatched() *Watched {
	w := &Watched{C.index_new()}
	runtime.SetFinalizer(w, func(w *Watched) {
		if w.p != nil {
			fmt.Fprintln(os.Stderr, "an index was not closed")
		}
	})
	return w
}

func (w *Watched) Len() int { return int(C.index_len(w.p)) }

type Locked struct {
	mu sync.Mutex
	p  *C.index_t
}

func NewLocked() *Locked {
	l := &Locked{p: C.index_new()}
	runtime.SetFinalizer(l, (*Locked).drop)
	return l
}

func (l *Locked) drop() { C.index_free(l.p) }

// Its caller keeps the object, for the sake of the lock.
func (l *Locked) length() int { return int(C.index_len(l.p)) }

func (l *Locked) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.length()
}

// A finalizer finds nothing any more.
func (l *Locked) Shut() {
	p := l.p
	l.p = nil
	C.index_end(p)
}

// One of its callers keeps it, the other does not.
func (l *Locked) size() int { return int(C.index_len(l.p)) } // want missing-keepalive:warning

func (l *Locked) Size() int { return l.size() }

func (l *Locked) Twice() int {
	defer runtime.KeepAlive(l)
	return 2 * l.size()
}
