package audit

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Fix makes the changes that the findings offer, the first of each, and returns how many. Changes that overlap another are
// left out.
func (r *Report) Fix() (int, error) {
	if r == nil {
		return 0, nil
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
	for name, edits := range files {
		path := filepath.FromSlash(name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.dir, path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("audit: fix: %w", err)
		}
		slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(b.Start, a.Start) })
		for _, e := range edits {
			if e.Start < 0 || e.End < e.Start || e.End > len(b) {
				return 0, fmt.Errorf("audit: fix: %s has changed", name)
			}
			b = slices.Concat(b[:e.Start], []byte(e.New), b[e.End:])
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			return 0, fmt.Errorf("audit: fix: %w", err)
		}
	}
	return made, nil
}
