// Package target finds the device that a user names: the embedded one, a plugin that was installed by name, JAX's plugin
// for CUDA, or a plugin's library by its path. On a Mac the embedded one may use the GPU.
package target

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/plugins"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Embedded is the name of the device that this module brings; it is always there.
const Embedded = "embedded"

// Usage describes the names, for the help of a flag.
const Usage = "the device: embedded, mps (that, with large products on a Mac's GPU), cpu (after: isthmus plugin install cpu), cuda (JAX's plugin, or that of isthmus plugin install cuda), or the path of a PJRT plugin"

// Open makes a client of the named device. The caller closes it.
func Open(ctx context.Context, name string) (*pjrt.Client, error) {
	p, err := Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.NewClient(ctx, pjrt.ClientOptions{})
}

// Plugin finds the plugin of the named device and loads it. A name with a path separator, or the ending of a library,
// is a path; loading it runs its code.
func Plugin(ctx context.Context, name string) (*pjrt.Plugin, error) {
	switch name {
	case Embedded:
		return inProcess()
	case MPS:
		return onMetal(ctx)
	case CUDA: // that of Python's packages first: it finds NVIDIA's libraries beside it
		path, err := cuda(ctx)
		if err == nil {
			return pjrt.Load(path)
		}
		if store, none := plugins.Default(); none == nil {
			if found, none := store.Find(name); none == nil {
				return pjrt.Load(found.Path)
			}
		}
		return nil, err
	}
	if isPath(name) {
		return pjrt.Load(name)
	}
	if name == TPU {
		if err := prepareTPU(); err != nil {
			return nil, err
		}
	}
	store, err := plugins.Default()
	if err != nil {
		return nil, err
	}
	found, err := store.Find(name)
	switch {
	case errors.Is(err, plugins.ErrUnknown):
		return nil, fmt.Errorf("target: no device is called %.40q; use embedded, cuda, a name that isthmus plugin install takes, or the path of a plugin's library: %w", name, err)
	case err != nil:
		return nil, err
	}
	return pjrt.Load(found.Path)
}

func isPath(name string) bool {
	switch filepath.Ext(name) {
	case ".so", ".dylib", ".dll":
		return true
	}
	return strings.ContainsRune(name, filepath.Separator)
}
