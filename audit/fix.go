package audit

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// Fix makes the changes that the findings offer, the first of each, and returns how many. Changes that overlap another are
// left out. write replaces a file, so that it is there completely or not at all; [os.WriteFile] if nil. When a file cannot
// be changed, those that were get their old content back.
func (r *Report) Fix(write func(name string, content []byte) error) (int, error) {
	if r == nil {
		return 0, nil
	}
	if write == nil {
		write = func(name string, content []byte) error { return os.WriteFile(name, content, 0o666) }
	}
	files := map[string][]Edit{}
	made := 0
	for _, f := range r.Findings {
		if len(f.Fixes) == 0 || slices.ContainsFunc(f.Fixes[0].Edits, func(e Edit) bool {
			return slices.ContainsFunc(files[e.File], func(o Edit) bool { return e.Start < o.End && o.Start < e.End || e == o })
		}) {
			continue
		}
		for _, e := range f.Fixes[0].Edits {
			files[e.File] = append(files[e.File], e)
		}
		made++
	}
	type change struct {
		name          string
		before, after []byte
	}
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(files)) {
		edits := files[name]
		path := r.path(name)
		before, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("audit: fix: %w", err)
		}
		after := before
		slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(b.Start, a.Start) })
		for _, e := range edits {
			if e.Start < 0 || e.End < e.Start || e.End > len(after) {
				return 0, fmt.Errorf("audit: fix: %s has changed: %w", name, isthmus.ErrInvalid)
			}
			after = slices.Concat(after[:e.Start], []byte(e.New), after[e.End:])
		}
		changes = append(changes, change{path, before, after})
	}
	for i, c := range changes {
		err := write(c.name, c.after)
		if err == nil {
			continue
		}
		for _, c := range changes[:i] {
			err = errors.Join(err, write(c.name, c.before))
		}
		return 0, fmt.Errorf("audit: fix: %w", err)
	}
	return made, nil
}

// path is where a file of the report lies.
func (r *Report) path(name string) string {
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	return path
}

// lines reads the lines of a file of the report. One that is gone since has none.
func (r *Report) lines(name string) []string {
	path := r.path(name)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() { // imported reports name what they like
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}
