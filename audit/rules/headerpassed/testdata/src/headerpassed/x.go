package headerpassed

// typedef struct { char name[80]; } item;
// static int fill(item *all, int n) { return all != 0 ? n : 0; }
// static int text(const char *s) { return s != 0; }
// static int raw(void *p) { return p != 0; }
import "C"

import "unsafe"

func stats(n int) int {
	all := make([]C.item, n)
	return int(C.fill((*C.item)(unsafe.Pointer(&all)), C.int(n))) // want header-passed
}

func word(s string) bool {
	return C.text((*C.char)(unsafe.Pointer(&s))) != 0 // want header-passed
}

func elements(n int) int {
	all := make([]C.item, n)
	return int(C.fill(unsafe.SliceData(all), C.int(n)))
}

func array() bool {
	var all [4]C.item
	return C.raw(unsafe.Pointer(&all)) != 0
}
