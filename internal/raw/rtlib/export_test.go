//go:build cgo && (linux || darwin)

package rtlib

// SetDefect has f called at the beginning of each Go function that C calls; nil for none.
func SetDefect(f func(name string)) {
	if f == nil {
		defect.Store(nil)
		return
	}
	defect.Store(&f)
}
