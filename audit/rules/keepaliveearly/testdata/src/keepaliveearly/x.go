package keepaliveearly

/*
typedef struct { int n; } index_t;
static int index_len(index_t *i) { return i->n; }
*/
import "C"

import "runtime"

type Index struct{ p *C.index_t }

func early(i *Index) int {
	runtime.KeepAlive(i) // want keepalive-early:warning
	return int(C.index_len(i.p))
}

func late(i *Index) int {
	n := C.index_len(i.p)
	runtime.KeepAlive(i)
	return int(n)
}

func twice(i *Index) int {
	a := C.index_len(i.p)
	runtime.KeepAlive(i)
	b := C.index_len(i.p)
	runtime.KeepAlive(i)
	return int(a + b)
}
