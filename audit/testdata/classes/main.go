// Command classes commits a crime of the class that its argument names. The comment above a function says what a run of it says:
// under -asan, where the same program without ends as if nothing had been, or plain. docs/classes.md names them.
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct parent { int n; } parent;
typedef struct child { parent *of; } child;
static parent *parent_new(void) { parent *p = malloc(sizeof *p); p->n = 7; return p; }
static child *child_new(parent *p) { child *c = malloc(sizeof *c); c->of = p; return c; }
static int child_n(child *c) { return c->of->n; }

typedef struct lib_error { char text[64]; } lib_error;
static int lib_call(lib_error **e) { *e = calloc(1, sizeof **e); return 1; }

static void *pool_take(void) { return (char *)malloc(64) + 16; }
static long length(const char *s) { volatile long n = 0; while (s[n] != 0) n++; return n; }
static void *none(void) { return NULL; }
static int first(int **p) { return **p; }
static int count(void) { return -1; }
static void fill(int *p, int n) { for (int i = 0; i < n; i++) p[i] = i; }
static int peek(char *p) { volatile char *q = p; return *q; }

static int ask(void *fn) { return ((int (*)(void))fn)(); }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

// often does what leaks until the collector uses the words again that lead to what was lost: memory of Go's counts as a way
// to it, also where nothing is alive.
func often(f func()) {
	for range 50 {
		f()
		runtime.GC()
	}
}

// asan: detected memory leaks
func own01() { often(func() { C.peek(C.CString("never freed")) }) }

// asan: detected memory leaks
func own02() {
	often(func() {
		p := C.CString("not freed on one path")
		if C.peek(p) == 'n' {
			return
		}
		C.free(unsafe.Pointer(p))
	})
}

// asan: detected memory leaks
func own03() {
	often(func() {
		var p *C.char
		defer C.free(unsafe.Pointer(p))
		p = C.CString("read too early")
		C.peek(p)
	})
}

// asan: attempting double-free
func own04() {
	p := C.CString("twice")
	defer C.free(unsafe.Pointer(p))
	C.free(unsafe.Pointer(p))
}

// asan: heap-use-after-free
func own05() {
	p := C.CString("freed")
	C.free(unsafe.Pointer(p))
	C.peek(p)
}

type handle struct{ p *C.char }

func (h *handle) Close() { C.free(unsafe.Pointer(h.p)) }

// asan: attempting double-free
func own06() {
	h := &handle{C.CString("closed twice")}
	h.Close()
	h.Close()
}

// plain: argument of cgo function has Go pointer to unpinned Go pointer
func own13() {
	n := C.int(3)
	p := &n
	C.first((**C.int)(unsafe.Pointer(&p)))
}

// asan: heap-use-after-free
func own15() {
	view := func() []byte {
		p := C.CString("a view")
		defer C.free(unsafe.Pointer(p))
		return unsafe.Slice((*byte)(unsafe.Pointer(p)), 6)
	}
	fmt.Fprintln(os.Stderr, view()[0])
}

// asan: attempting free on address which was not malloc
func own18() { C.free(C.pool_take()) }

// asan: heap-use-after-free
func own19() {
	p := C.parent_new()
	c := C.child_new(p)
	C.free(unsafe.Pointer(p))
	fmt.Fprintln(os.Stderr, C.child_n(c))
}

// asan: attempting free on address which was not malloc
func own21() {
	b := make([]byte, 64)
	C.free(unsafe.Pointer(&b[0]))
}

// asan: detected memory leaks
func own24() {
	often(func() {
		var e *C.lib_error
		if C.lib_call(&e) != 0 {
			return
		}
		C.free(unsafe.Pointer(e))
	})
}

// asan: heap-buffer-overflow
func typ06() {
	p := (*C.char)(C.malloc(1))
	defer C.free(unsafe.Pointer(p))
	fmt.Fprintln(os.Stderr, *(*int64)(unsafe.Pointer(p)))
}

// asan: heap-buffer-overflow
func typ08() {
	p := (*C.int)(C.malloc(4))
	defer C.free(unsafe.Pointer(p))
	C.fill(p, 4)
}

// plain: makeslice: len out of range
func typ05() { fmt.Fprintln(os.Stderr, len(make([]byte, C.count()))) }

// plain: nil pointer dereference
func typ14() { fmt.Fprintln(os.Stderr, *(*int32)(C.none())) }

// plain: SIGSEGV
func own25() {
	path := C.CString(os.Args[2])
	defer C.free(unsafe.Pointer(path))
	lib := C.dlopen(path, C.RTLD_NOW)
	if lib == nil {
		panic("no library: " + C.GoString(C.dlerror()))
	}
	name := C.CString("answer")
	defer C.free(unsafe.Pointer(name))
	fn := C.dlsym(lib, name)
	C.dlclose(lib)
	fmt.Fprintln(os.Stderr, C.ask(fn))
}

// plain: send on closed channel
func brg03() {
	waiting := map[int]chan string{1: make(chan string, 1)}
	reply := waiting[1]
	close(waiting[1]) // the caller has given up
	reply <- "late"
}

func main() {
	all := map[string]func(){
		"OWN01": own01, "OWN02": own02, "OWN03": own03, "OWN04": own04, "OWN05": own05, "OWN06": own06, "OWN13": own13, "OWN15": own15,
		"OWN18": own18, "OWN19": own19, "OWN21": own21, "OWN24": own24, "OWN25": own25, "TYP05": typ05, "TYP06": typ06, "TYP08": typ08,
		"TYP14": typ14, "BRG03": brg03,
	}
	all[os.Args[1]]()
}
