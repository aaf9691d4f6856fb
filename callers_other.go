//go:build !amd64 && !arm64

package isthmus

import "runtime"

// callers fills pc with the return addresses of the calling goroutine's stack, innermost first but for the first skip, and returns how
// many there are.
func callers(pc *[siteDepth]uintptr, skip int) int { return runtime.Callers(2+skip, pc[:]) }
