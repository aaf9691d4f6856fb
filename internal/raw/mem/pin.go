package mem

import "runtime"

// Pin is Go memory whose address native code may hold. The zero value pins nothing.
//
// The garbage collector ends the process when a Pin that still pins is collected, so whoever pins keeps the Pin
// reachable until Unpin: ffi keeps it in its table of loans.
type Pin struct{ p runtime.Pinner }

// PinSlice pins s's elements and returns the address of the first, 0 for an empty slice. Memory that is not Go's is
// left as it is.
//
// Preconditions: the elements hold no Go pointers.
func PinSlice[T any](p *Pin, s []T) Addr {
	if len(s) == 0 {
		return 0
	}
	p.p.Pin(&s[0])
	return AddrOf(s)
}

// Unpin ends every pin of p.
func (p *Pin) Unpin() { p.p.Unpin() }
