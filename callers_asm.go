//go:build amd64 || arm64

package isthmus

// callers fills pc with the return addresses of the calling goroutine's stack, innermost first, by its frame
// pointers, but for the first skip, and returns how many there are. It costs a tenth of runtime.Callers; a function that was inlined has
// no frame of its own.
//
//go:noescape
func callers(pc *[siteDepth]uintptr, skip int) int
