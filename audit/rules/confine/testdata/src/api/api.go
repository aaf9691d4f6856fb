package api

// Address gives one away.
func Address(b []byte) uintptr { return 0 } // want raw-pointer-api:policy

// T is a type.
type T struct{}

// Handle gives one away.
func (T) Handle() uintptr { return 0 } // want raw-pointer-api:policy

// Size gives a number.
func (T) Size() int { return 0 }

func inner() uintptr { return 0 }
