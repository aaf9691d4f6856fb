package api

// Address gives one away.
func Address(b []byte) uintptr { return 0 } // want raw-pointer-api:policy

// T is a type.
type T struct{}

// Handle gives one away.
func (T) Handle() uintptr { return 0 } // want raw-pointer-api:policy

// Buffer is where its field says that it is.
type Buffer struct {
	Data uintptr // want raw-pointer-api:policy
	Len  int
	next uintptr
}

// Size gives a number.
func (T) Size() int { return 0 }

func inner() uintptr { return Buffer{}.next }
