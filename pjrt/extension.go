package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Extension is one extension of a plugin.
type Extension struct {
	ID        int      // the C value of PJRT_Extension_Type
	Name      string   // its C name; "" if this module does not know it
	Size      int      // bytes, as the plugin states
	Functions []string // the functions that are there
}

// String returns the name, or the number of an unknown extension.
func (e Extension) String() string {
	if e.Name == "" {
		return fmt.Sprintf("extension %d", e.ID)
	}
	return e.Name
}

// Extensions lists the plugin's extensions in the order of its chain, those that this module does not know included.
func (p *Plugin) Extensions() []Extension {
	if p == nil {
		return nil
	}
	known := pjrtc.Extensions()
	var out []Extension
	for _, l := range p.chain {
		e := Extension{ID: int(l.Type), Size: int(l.Size)}
		if e.ID >= 0 && e.ID < len(known) {
			e.Name = known[e.ID].Name
			for _, f := range known[e.ID].Funcs {
				if l.Func(f.Offset) != 0 {
					e.Functions = append(e.Functions, f.Name)
				}
			}
		}
		out = append(out, e)
	}
	return out
}

// link finds an extension in the plugin's chain; of several of one kind the first counts.
func (p *Plugin) link(t pjrtc.ExtensionType) (pjrtc.Link, bool) {
	for _, l := range p.chain {
		if l.Type == t {
			return l, true
		}
	}
	return pjrtc.Link{}, false
}

// hasExtension is [isthmus.ErrUnsupported] with the extension's name where the plugin lacks it.
func (p *Plugin) hasExtension(t pjrtc.ExtensionType) error {
	_, err := p.extension(t)
	return err
}

// extension finds an extension. Errors: as for hasExtension.
func (p *Plugin) extension(t pjrtc.ExtensionType) (pjrtc.Link, error) {
	l, ok := p.link(t)
	if !ok {
		return l, fmt.Errorf("%s has no extension %s: %w", p, pjrtc.Extensions()[t].Name, isthmus.ErrUnsupported)
	}
	return l, nil
}

// extensionFunc finds a function of an extension. Errors: [isthmus.ErrUnsupported] with the name of the extension or
// of the function that the plugin lacks.
func (p *Plugin) extensionFunc(e pjrtc.ExtFunc) (pjrtc.Func, error) {
	l, err := p.extension(e.Type)
	if err != nil {
		return 0, err
	}
	fn := l.Func(e.Offset)
	if fn == 0 {
		return 0, fmt.Errorf("the extension %s of %s has no %s: %w", pjrtc.Extensions()[e.Type].Name, p, e.Name, isthmus.ErrUnsupported)
	}
	return fn, nil
}

// askExt is ask for a function of an extension.
func askExt[A any, P interface {
	*A
	pjrtc.ExtArgs
}](p *Plugin, op string, fill func(*call.Frame, P) error, read func(P) error) error {
	return askFunc(p, op, P(nil).ExtFunc(), fill, read)
}

// askFunc is askExt for an argument struct that several functions take.
func askFunc[A any, P interface{ *A }](p *Plugin, op string, e pjrtc.ExtFunc, fill func(*call.Frame, P) error, read func(P) error) error {
	fn, err := p.extensionFunc(e)
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return asking(fill, func(f *call.Frame, a P) error { return p.outcome(f, op, pjrtc.CallExt(fn, e, f, a)) }, read)
}
