package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// object is anything with a handle. Handles are never reused and lead to no memory, so that every misuse is seen.
type object struct {
	kind   string
	handle uintptr
	dead   bool
	owned  bool // by its parent: a client never destroys it
	parent *object
	memory [][]byte
	fault  Fault
	value  any // what a function of an extension's keeps with it

	err     *Failure // of an error, of an event or a buffer that carries one
	fired   bool     // of an event
	set     bool     // an event that the client sets
	done    chan struct{}
	ready   []func()
	pending bool // of a buffer whose contents are not there yet
	waiters []func()

	typ      Type // of a buffer
	data     []byte
	native   []byte // the data as the device has it, once somebody looked
	order    []int64
	taken    bool // deleted or donated
	bytes    int64
	device   *object
	space    *object   // its memory
	free     []*object // events that fire when the buffer is gone
	users    int       // executions that have not read it yet
	refs     int       // external references
	onDelete func()

	prog       *Program // of an executable
	name       string
	options    string
	devices    []*object
	replicas   int
	partitions int

	id      int
	buffers []*object // of a transfer manager
	got     int64     // of a stream, and of a manager's buffer
	total   int64
	act     func(*Failure) // what a callback of the client's starts
}

// make registers an object. The caller holds mu.
func (f *Fake) make(o *object) *object {
	f.next += 64
	o.handle = f.next
	if o.parent != nil && o.parent.dead {
		f.violate("a %s was made from a dead %s", o.kind, o.parent.kind)
	}
	f.objects[o.handle] = o
	return o
}

// get finds the object of a handle; a wrong or dead one is a violation. The caller holds mu.
func get[T any](f *Fake, what, kind string, h pjrtc.Ptr[T]) *object {
	o := f.objects[uintptr(h)]
	switch {
	case o == nil:
		f.violate("%s: %#x is no handle", what, uintptr(h))
	case o.kind != kind:
		f.violate("%s: a %s was passed for a %s", what, o.kind, kind)
		return nil
	case o.dead:
		f.violate("%s: the %s was destroyed", what, kind)
	default:
		for p := o.parent; p != nil; p = p.parent {
			if p.dead {
				f.violate("%s: the %s of the %s was destroyed", what, p.kind, kind)
			}
		}
	}
	return o
}

// destroy ends an object. The caller holds mu.
func destroy[T any](f *Fake, kind string, h pjrtc.Ptr[T]) *object {
	if h == 0 {
		return nil
	}
	o := get(f, "destroy", kind, h)
	if o == nil || o.dead {
		return nil
	}
	if o.owned {
		f.violate("a %s was destroyed that belongs to a %s", kind, o.parent.kind)
		return nil
	}
	for _, c := range f.objects {
		if c.parent == o && !c.dead && !c.owned && c.kind != "error" {
			f.violate("the %s was destroyed before a %s of it", kind, c.kind)
		}
	}
	if o.refs != 0 {
		f.violate("a %s was destroyed while %d hold it", kind, o.refs)
	}
	o.dead = true
	f.destroyed[kind]++
	for _, b := range o.memory {
		f.giveBack(b)
	}
	o.memory = nil
	return o
}

// newError makes a PJRT_Error. The caller holds mu.
func (f *Fake) newError(how *Failure) pjrtc.Ptr[pjrtc.Error] {
	return pjrtc.Ptr[pjrtc.Error](f.make(&object{kind: "error", err: how}).handle)
}

func failed(code pjrtc.ErrorCode, msg string) *Failure { return &Failure{Code: code, Msg: msg} }

func invalid(msg string) *Failure { return failed(pjrtc.ErrorCodeINVALIDARGUMENT, msg) }

var bad = invalid("bad handle")

// status is what a client says in a code and a text.
func status(code pjrtc.ErrorCode, p pjrtc.Ptr[byte], n uint64) *Failure {
	if code == pjrtc.ErrorCodeOK {
		return nil
	}
	return failed(code, str(p, n))
}
