package metal

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	gpu "github.com/isthmus-ffi/isthmus/internal/raw/metal"
	"github.com/isthmus-ffi/isthmus/mps/metal/kernels"
)

// Report is what a machine's Metal is, as far as it decides what this package can do.
type Report struct {
	GPU              string
	Unified          bool   // CPU and GPU share their memory
	Limit            int    // most bytes of one buffer
	Runtime, Library string // the Objective-C runtime: whose, and which file

	Methods  []string // that are missing, or have other types than Apple's headers say
	Kernels  []string // of ours that the system did not compile, and why
	Uncaught string   // why an exception that was thrown did not come back as an error; empty if it did
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool {
	return r != nil && len(r.Methods) == 0 && len(r.Kernels) == 0 && r.Uncaught == ""
}

// Examine opens the GPU, looks at it and closes it. Errors: as OpenDevice's.
func Examine(ctx context.Context) (*Report, error) { return Options{}.examine(ctx) }

func (o Options) examine(ctx context.Context) (*Report, error) {
	opened, err := o.OpenDevice(ctx)
	if err != nil {
		return nil, err
	}
	d := opened.(*device)
	r := &Report{GPU: d.info.Name, Unified: d.info.Unified, Limit: d.info.Limit, Runtime: d.system.Runtime().Name(), Library: d.system.Runtime().Path()}
	for _, m := range d.system.Problems() {
		r.Methods = append(r.Methods, m.Error())
	}
	for _, name := range kernels.Names() {
		if err := d.pipelines[name].err; err != nil {
			r.Kernels = append(r.Kernels, err.Error())
		}
	}
	err = d.system.Pool(func(p *gpu.Pool) error {
		if thrown := p.Throw(); !errors.Is(thrown, isthmus.ErrException) {
			r.Uncaught = fmt.Sprintf("an array that was asked for too much answered %v", thrown)
		}
		return nil
	})
	return r, errors.Join(err, d.Close())
}
