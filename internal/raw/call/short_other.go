//go:build !((linux || darwin) && (amd64 || arm64)) || isthmus_portable || race || go1.28

package call

// Short says whether [Step.RunShort] keeps the processor on this platform.
const Short = false

func (s *Step) runShort() { s.run() }

// ExpectCallbacks does nothing here.
func ExpectCallbacks() {}
