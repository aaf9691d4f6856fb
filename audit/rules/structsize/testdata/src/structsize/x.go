package structsize

/*
#include <stddef.h>
typedef struct args { size_t struct_size; void *priv; int n; } args_t;
static int call(args_t *a) { return a->struct_size == sizeof(args_t); }
static void args_init(args_t *a) { a->struct_size = sizeof(args_t); }
*/
import "C"

func literal() int {
	a := C.args_t{n: 1}
	return int(C.call(&a)) // want struct-size
}

func variable() int {
	var a C.args_t
	a.n = 1
	return int(C.call(&a)) // want struct-size
}

func good() int {
	a := C.args_t{struct_size: C.sizeof_args_t, n: 1}
	return int(C.call(&a))
}

func later() int {
	var a C.args_t
	a.struct_size = C.sizeof_args_t
	return int(C.call(&a))
}
