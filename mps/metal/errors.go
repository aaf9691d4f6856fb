package metal

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
)

// GPUError is a batch that the GPU did not complete: MTLCommandBuffer's status 5, and its NSError. What the batch wrote until then is
// there, and nothing is known about the rest. Where the GPU is out of memory it is [isthmus.ErrLimit].
type GPUError struct {
	Domain string // of the NSError; empty if there was none
	Code   int
	Name   string // of the code, such as "page fault"; empty for one that we do not know
	Text   string // the system's own words
}

// The names of MTLCommandBufferError.
var codes = map[int]string{
	1: "internal", 2: "timeout", 3: "page fault", 4: "access revoked", 7: "not permitted", 8: "out of memory", 9: "invalid resource",
	10: "memoryless", 11: "device removed", 12: "stack overflow",
}

func gpuError(domain string, code int, text string) *GPUError {
	e := &GPUError{Domain: domain, Code: code, Text: text}
	if domain == "MTLCommandBufferErrorDomain" {
		e.Name = codes[code]
	}
	return e
}

// Error is one line.
func (e *GPUError) Error() string {
	if e == nil {
		return "no GPU error"
	}
	s := fmt.Sprintf("metal: the GPU did not complete the batch: %s %d", e.Domain, e.Code)
	if e.Name != "" {
		s += " (" + e.Name + ")"
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// Unwrap gives the sentinel that the code is, if any.
func (e *GPUError) Unwrap() error {
	if e != nil && e.Name == "out of memory" {
		return isthmus.ErrLimit
	}
	return nil
}
