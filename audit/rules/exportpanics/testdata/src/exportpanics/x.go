package exportpanics

// typedef void (*cb)(int);
import "C"

import (
	"log"
	"sync"
)

var handlers sync.Map

//export onEvent
func onEvent(n C.int) {
	h, _ := handlers.Load(int(n))
	h.(func())() // want export-panics:note
}

//export onFatal
func onFatal(n C.int) {
	if n < 0 {
		log.Fatal("negative") // want export-panics:warning
	}
}

//export onDeep
func onDeep(n C.int) { check(int(n)) } // want export-panics:warning

func check(n int) {
	if n < 0 {
		panic("negative")
	}
}

//export onSafe
func onSafe(n C.int) (status C.int) {
	defer func() {
		if recover() != nil {
			status = -1
		}
	}()
	check(int(n))
	return 0
}

//export onCareful
func onCareful(n C.int) C.int {
	h, ok := handlers.Load(int(n))
	if !ok {
		return -1
	}
	f, ok := h.(func())
	if !ok {
		return -1
	}
	f()
	return 0
}

// What C calls when it has lost its way, and must not come back to.
//
//export onBroken
func onBroken(n C.int) { panic("broken") } // want export-panics:note
