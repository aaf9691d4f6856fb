package missingunpin

import "runtime"

func bad(x *int) {
	var p runtime.Pinner
	p.Pin(x) // want missing-unpin
}

func good(x *int) {
	var p runtime.Pinner
	defer p.Unpin()
	p.Pin(x)
}

func returned(x *int) *runtime.Pinner {
	p := new(runtime.Pinner)
	p.Pin(x)
	return p
}

func closure(x *int) func() {
	var p runtime.Pinner
	p.Pin(x)
	return func() { p.Unpin() }
}
