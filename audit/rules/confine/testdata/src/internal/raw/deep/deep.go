package deep

import "unsafe"

// Read reads a number.
func Read(p *byte) uint32 {
	return *(*uint32)(unsafe.Pointer(p)) // want safety-comment:policy
}

// Size reads no memory, and so needs no argument.
func Size() uintptr { return unsafe.Sizeof(uint32(0)) }

// Good reads a byte.
func Good(p *byte) int8 {
	// SAFETY: p is the caller's, a byte is a byte, and it is read once.
	return *(*int8)(unsafe.Pointer(p))
}

// Whole has its argument above it.
//
// SAFETY: p is the caller's for the call.
func Whole(p *byte) int8 {
	q := unsafe.Pointer(p)
	return *(*int8)(q)
}
