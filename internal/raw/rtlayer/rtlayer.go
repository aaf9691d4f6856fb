// Package rtlayer watches calls of isthmus_rt.h: package layer with the spec of that header, rt.spec. Programs in C whose
// code is compiled with RT_CHECK call through isthmus_rt_check.h, which [Header] makes from the same spec; without, a call
// has no trace of this.
//
// The runtime's handles are checked always, and refuse what cannot be done by an error. The layer adds who did it and where:
// the place of the call, the one that made the object and the one that ended it. And it sees what no handle shows: a count
// that is let go by who does not have it, and what nobody has let go at the end.
package rtlayer

import (
	_ "embed" // the spec
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

//go:embed rt.spec
var specText string

// Spec reads the spec of the header. The words of a call are those of the ops, in their order.
var Spec = sync.OnceValues(func() (*layer.Spec, error) {
	s, err := layer.Parse(specText, func(name string) (layer.Struct, bool) {
		_, line, ok := strings.Cut(specText, "\n"+name+":")
		line, _, _ = strings.Cut(line, "\n")
		var l layer.Struct
		for _, w := range strings.Fields(line) {
			if field, _, op := strings.Cut(strings.TrimLeft(w, "+-=&"), ":"); op {
				l.Fields = append(l.Fields, layer.Field{Name: field, Offset: l.Size})
				l.Size += 8
			}
		}
		return l, ok
	})
	if err != nil {
		return nil, fmt.Errorf("rtlayer: %w", err)
	}
	s.Prefix = "rt_"
	return s, nil
})

// Rules lists the ids of the rules.
func Rules() []string {
	var out []string
	for _, r := range []string{
		layer.UseAfterDestroy, layer.DoubleDestroy, layer.UnknownHandle, layer.WrongKind, layer.NullArgument, layer.DestroyOfLent, layer.Leak, layer.OutOfOrder,
	} {
		out = append(out, "rt/"+r)
	}
	return out
}

// Layer watches the calls of a process. It is safe for concurrent use.
type Layer struct {
	eng *layer.Engine

	mu    sync.Mutex
	sites map[place]isthmus.Site
}

type place struct {
	file string
	line int
}

// New makes a layer. report gets the findings, on the thread of the call.
func New(report func(*isthmus.Finding)) (*Layer, error) {
	s, err := Spec()
	if err != nil {
		return nil, err
	}
	l := &Layer{eng: layer.New(s, report), sites: map[place]isthmus.Site{}}
	kinds := map[rtheap.Type]layer.Kind{}
	for i, k := range s.Kinds {
		for t := rtheap.Type(1); t < 32; t++ {
			if strings.EqualFold(t.String(), k) {
				kinds[t] = layer.Kind(i)
			}
		}
	}
	value := s.Kind("Value")
	l.eng.Counted = &layer.Counted{
		Value: value, Nil: uintptr(rtheap.Nil),
		Kind: func(word uintptr) layer.Kind {
			v := rtheap.Value(word)
			if v.Kind() == 0 {
				return 0
			}
			if k, ok := kinds[v.Kind()]; ok {
				return k
			}
			return value // a float that is too long for a word
		},
		Alive: func(word uintptr) bool {
			h := rtheap.Made()
			return h != nil && h.Live(rtheap.Value(word))
		},
	}
	return l, nil
}

// Call is one call of C's.
type Call struct {
	Name    string
	Words   []uintptr // one for each op of the spec
	File    string
	Line    int
	Callers []runtime.Frame // of Go's, where Go has called the C code
	After   bool            // the call was made
	OK      bool            // it was not refused
	Scoped  bool            // a scope is open on the thread
	Stopped bool            // the runtime does not run
}

// Check checks a call before it is made, and enters it after.
func (l *Layer) Check(k *Call) {
	f := l.eng.Spec.Funcs[k.Name]
	if f == nil {
		return
	}
	c := &layer.Call{Engine: l.eng, Func: f, Site: l.site(k)}
	if k.After {
		l.eng.Leave(c, k.Words, k.OK, k.Scoped)
		l.sited(f, k)
		return
	}
	if k.Stopped {
		c.Report(layer.OutOfOrder, nil, "the runtime does not run: rt_init comes first, and nothing after rt_shutdown")
		return
	}
	l.eng.Enter(c, k.Words)
}

// sited has the census say where new objects were made, as RT_SITES does.
func (l *Layer) sited(f *layer.Func, k *Call) {
	h := rtheap.Made()
	for i, op := range f.Ops {
		if h != nil && i < len(k.Words) && op.Act == layer.Create && op.Kind != l.eng.Counted.Value {
			h.MadeAt(rtheap.Value(k.Words[i]), h.Site(k.File, k.Line))
		}
	}
}

// site is where a call stands, the same each time where Go has not called.
func (l *Layer) site(k *Call) isthmus.Site {
	here := []runtime.Frame{{File: k.File, Line: k.Line, Function: "C"}}
	switch {
	case len(k.Callers) > 0 && strings.HasPrefix(k.File, cgoWrapper):
		return isthmus.SiteOf(k.Callers)
	case len(k.Callers) > 0:
		return isthmus.SiteOf(append(here, k.Callers...))
	}
	p := place{k.File, k.Line}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sites[p]
	if !ok {
		s = isthmus.SiteOf(here)
		l.sites[p] = s
	}
	return s
}

// cgoWrapper is how cgo calls the code that it makes for a call of Go's: cgo-gcc-prolog, cgo-generated-wrapper.
const cgoWrapper = "cgo-g"
