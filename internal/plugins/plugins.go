// Package plugins brings PJRT plugins to this machine and finds them again.
//
// A plugin is known by a short name ("cpu") that a [Pin] ties to one file: package, version, hash of the package, hash
// of the library in it. [Store.Install] takes it from a file that the user has, or asks the machine's own pip or uv,
// configured as they are, to fetch it. Nothing is run or loaded that does not have the pinned hash, and of a package
// only the library is taken.
//
// Libraries lie at DIR/NAME/VERSION/FILE, DIR being by default the folder "isthmus/plugins" in the user's cache. A
// library there is complete: it gets its name when all of it has been written and its hash is right. A process that is
// killed leaves files beside it, which the next installation removes. Two installations at the same time take turns.
package plugins

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Errors that callers may tell apart; every error of this package wraps one of them or one of package os or context.
var (
	// ErrUnknown says that no plugin has the name.
	ErrUnknown = errors.New("unknown plugin")
	// ErrNotInstalled says that the plugin is known but not on this machine.
	ErrNotInstalled = errors.New("plugin not installed")
	// ErrPlatform says that the plugin does not exist for this operating system or processor.
	ErrPlatform = errors.New("no plugin for this platform")
	// ErrInstaller says that neither pip nor uv is there, or none of them could bring the package.
	ErrInstaller = errors.New("package not fetched")
	// ErrMismatch says that a file is not the pinned one.
	ErrMismatch = errors.New("not the pinned file")
)

// Store is a folder of installed plugins. The zero value has no folder; see [Default].
// Its methods are safe for concurrent use, by several processes too.
type Store struct{ Dir string }

// Installed is a plugin on this machine.
type Installed struct {
	Pin  Pin
	Path string
}

// Default returns the store in the user's cache folder.
func Default() (Store, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("plugins: no folder to keep plugins in: %w", err)
	}
	return Store{filepath.Join(cache, "isthmus", "plugins")}, nil
}

// path is where the pinned library lies when it is installed.
func (s Store) path(p Pin) string {
	return filepath.Join(s.Dir, p.Name, p.Version, filepath.Base(filepath.FromSlash(p.Member)))
}

// Find returns the installed plugin of that name. A name that is not known is an [ErrUnknown], a known one that is not
// there an [ErrNotInstalled] whose text says how to install it.
func (s Store) Find(name string) (Installed, error) {
	p, err := Lookup(name)
	if err != nil {
		return Installed{}, err
	}
	return s.FindPin(p)
}

// FindPin is [Store.Find] for a pin that need not be a known one.
func (s Store) FindPin(p Pin) (Installed, error) {
	path := s.path(p)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Installed{}, fmt.Errorf("plugins: %s (%s) is not in %s; install it with: isthmus plugin install %s: %w", p.Name, p.Title, s.Dir, p.Name, ErrNotInstalled)
	case err != nil:
		return Installed{}, fmt.Errorf("plugins: %w", err)
	case !info.Mode().IsRegular() || info.Size() != p.Size:
		// Written whole under this name, so somebody changed it since.
		return Installed{}, fmt.Errorf("plugins: %s is not the library that was installed (%d bytes, want %d); install it again with: isthmus plugin install %s: %w: %w", path, info.Size(), p.Size, p.Name, ErrNotInstalled, ErrMismatch)
	}
	return Installed{Pin: p, Path: path}, nil
}

// List returns the known plugins that are installed.
func (s Store) List() ([]Installed, error) {
	var all []Installed
	for _, p := range Known() {
		i, err := s.FindPin(p)
		if errors.Is(err, ErrNotInstalled) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}
