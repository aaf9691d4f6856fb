package callbackpercall

import (
	"sync"

	"github.com/ebitengine/purego"
)

func each(f func(uintptr) uintptr) uintptr {
	return purego.NewCallback(f) // want callback-per-call:warning
}

func Walk(list []int) {
	for range list {
		_ = purego.NewCallback(func(x uintptr) uintptr { return x }) // want callback-per-call:warning
	}
}

var visit = purego.NewCallback(func(x uintptr) uintptr { return x })

var once = sync.OnceValue(func() uintptr { return purego.NewCallback(func(x uintptr) uintptr { return x }) })

var made uintptr

func lazy() uintptr {
	if made == 0 {
		made = purego.NewCallback(func(x uintptr) uintptr { return x })
	}
	return made
}
