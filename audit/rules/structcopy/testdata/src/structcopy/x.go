package structcopy

// typedef struct { int flags; int n; } options;
// static int use(options *o) { return o->flags; }
// static int value(options o) { return o.flags; }
import "C"

func lost(p *C.options) C.int {
	o := *p
	o.flags = 1 // want struct-copy:warning
	return C.use(p)
}

func loop(all []C.options) C.int {
	for _, o := range all {
		o.n = 3 // want struct-copy:warning
	}
	return C.use(&all[0])
}

func kept(p *C.options) C.int {
	o := *p
	o.flags = 1
	return C.use(&o)
}

func byValue(p *C.options) C.int {
	o := *p
	o.flags = 1
	return C.value(o)
}

func fresh() C.int {
	var o C.options
	o.flags = 1
	return C.use(&o)
}
