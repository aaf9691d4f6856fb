// Package policy reads the file that says where a module may do what the compiler cannot check.
package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Name is that of the file, at the module's root.
const Name = "isthmus-audit.json"

// Kinds are what a policy can confine.
var Kinds = []string{"unsafe", "cgo", "purego", "syscall", "linkname", "reflect"}

// Policy is the content of the file. Folders are relative to its own; "a/..." is a and all below it.
type Policy struct {
	Comment string              `json:"comment,omitempty"`
	Allow   map[string][]string `json:"allow"`            // kind -> folders; a kind that is not here is not confined
	Safety  []string            `json:"safety"`           // folders whose unsafe operations need a SAFETY comment
	Budget  map[string]int      `json:"budget,omitempty"` // folder -> how many may still be without one
	Raw     []string            `json:"raw,omitempty"`    // folders whose exported API may have raw pointers
	Root    string              `json:"-"`
}

// Find reads the file in dir or the next folder above it that has a go.mod. It returns nil where there is none.
func Find(dir string) (*Policy, error) {
	for {
		name := filepath.Join(dir, Name)
		if _, err := os.Stat(name); err == nil {
			return Read(name)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return nil, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, nil
		}
		dir = up
	}
}

// Read reads a policy file.
func Read(name string) (*Policy, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p := &Policy{Root: filepath.Dir(name)}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Allow)) {
		if !slices.Contains(Kinds, k) {
			return nil, fmt.Errorf("%s: allow: there is no %q; there are %s", filepath.Base(name), k, strings.Join(Kinds, ", "))
		}
	}
	return p, nil
}

// Folder is where a file lies, relative to the policy's folder, with slashes. ok is false for files elsewhere.
func (p *Policy) Folder(file string) (folder string, ok bool) {
	rel, err := filepath.Rel(p.Root, filepath.Dir(file))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// Allows reports whether code in a file may do what kind says, and names the folders that may.
func (p *Policy) Allows(kind, file string) (ok bool, where string) {
	folders, confined := p.Allow[kind]
	if !confined {
		return true, ""
	}
	folder, mine := p.Folder(file)
	if !mine {
		return true, ""
	}
	where = strings.Join(folders, ", ")
	if where == "" {
		where = "no folder"
	}
	return Under(folder, folders), where
}

// Under reports whether folder is one of patterns or below one that ends in /....
func Under(folder string, patterns []string) bool {
	for _, pat := range patterns {
		root, below := strings.CutSuffix(pat, "/...")
		if pat == "..." || folder == root || below && strings.HasPrefix(folder, root+"/") {
			return true
		}
	}
	return false
}
