package metal

import "slices"

// OpenWithout opens a system that lacks a method, as an older or a later one may: all that the facts know of it is asked for by
// another name.
func OpenWithout(selector string, libraries ...string) (*System, error) {
	other := slices.Clone(facts[:])
	for i := range other {
		if other[i].Selector == selector {
			other[i].Selector = "no" + selector
		}
	}
	return open(other, libraries)
}
