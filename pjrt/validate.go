package pjrt

import (
	"fmt"
	"io"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
)

// Validation is the validation layer before a plugin. It is safe for concurrent use.
type Validation struct{ layer *pjrtlayer.Layer }

// Validate returns the same plugin with a validation layer before it, and the layer. Every call of the returned plugin's
// clients, and of all that is made from them, is checked: objects that are used after their end, destroyed twice, of
// another kind or another client, structs of a wrong size, donated and deleted buffers, host memory that changes while it
// is lent, calls out of order or on a thread that must not wait. What breaks a rule is reported as an [isthmus.Finding] by
// [isthmus.Tell]; a call that would touch memory that is not there is not made and gives [isthmus.ErrInvalid].
//
// Package pjrt keeps the rules itself, so a finding is a mistake of this module's or of the plugin's. The layer as a
// library for programs in other languages is cmd/libisthmus_layer. [isthmus.CheckValidate] puts a layer before every
// plugin that is opened.
func Validate(p *Plugin) (*Plugin, *Validation, error) {
	n, l, err := p.behind("validate", pjrtlayer.Options{Report: tell, Initialized: true})
	if err != nil {
		return nil, nil, err
	}
	return n, &Validation{l}, nil
}

// tell reports a finding where no caller can be told.
func tell(f *isthmus.Finding) {
	o := f.Object
	if o.Kind == "" {
		o.Kind = f.Call
	}
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: o, Err: f})
}

// Found is how many findings there were. Of many of one rule in one function only the first are reported; all count.
func (v *Validation) Found() uint64 {
	if v == nil || v.layer == nil {
		return 0
	}
	return v.layer.Engine().Found()
}

// Live lists the plugin's objects that were made through the layer, are the caller's to destroy, and are alive.
func (v *Validation) Live() isthmus.Census {
	if v == nil || v.layer == nil {
		return nil
	}
	return v.layer.Engine().Live()
}

// Leaks reports what [Validation.Live] lists as leaks, and returns it. Call it when everything was closed.
func (v *Validation) Leaks() isthmus.Census {
	if v == nil || v.layer == nil {
		return nil
	}
	return v.layer.Engine().Leaks()
}

// Trace returns the same plugin with every call of its clients, and of all that is made from them, written to w: JSON in
// the Trace Event Format, which ui.perfetto.dev and chrome://tracing show. Each goroutine is a lane; objects are named by
// their kind and number; an arrow leads from a call that started work to the one that saw it done.
//
// stop ends the trace and returns the first error of w; until then w is written to from a goroutine of the trace's own.
// Calls after it are not in the trace. Stop is idempotent.
func Trace(p *Plugin, w io.Writer) (traced *Plugin, stop func() error, err error) {
	if w == nil {
		return nil, nil, invalid("trace", "nowhere to write to")
	}
	n, l, err := p.behind("trace", pjrtlayer.Options{Trace: w, Initialized: true})
	if err != nil {
		return nil, nil, err
	}
	return n, sync.OnceValue(l.Close), nil
}

// behind makes the same plugin with a layer before it. It is initialised already.
func (p *Plugin) behind(op string, o pjrtlayer.Options) (*Plugin, *pjrtlayer.Layer, error) {
	if p == nil || p.table == nil {
		return nil, nil, invalid(op, "no plugin")
	}
	t, l, err := layered(p.table, o)
	if err != nil {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n, err := newPlugin(p.name, t)
	if err != nil {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n.attributes = p.attributes
	return n, l, nil
}

func layered(t *pjrtc.Table, o pjrtlayer.Options) (*pjrtc.Table, *pjrtlayer.Layer, error) {
	l, err := pjrtlayer.New(t, o)
	if err != nil {
		return nil, nil, err
	}
	n, err := l.Table()
	return n, l, err
}
