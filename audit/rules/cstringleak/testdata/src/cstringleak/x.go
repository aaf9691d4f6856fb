package cstringleak

/*
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

typedef struct lib lib;
static lib *current;
static const char *kept;
extern int lib_open(const char *name);
extern void lib_add(lib *l, char *name);
typedef struct lib_error lib_error;
extern lib_error *lib_load(lib *l);
extern lib_error *lib_store(lib *l);
extern int lib_error_code(const lib_error *e);
extern void lib_error_destroy(lib_error *e);
extern void lib_set(lib *l, const char *const *names, int n);
static void lib_name(char *name) { puts(name); }
static void lib_keep(char *name) { kept = name; }
static void lib_take(char *name) { free(name); }
static void bind_text(lib *l, char *text, void (*d)(void*)) {}
extern void lib_result(lib *l, char *text, void (*done)(void*));
static void lib_cfree(void *p) { free(p); }
static void lib_log(void *p) { printf("%p", p); }
static void lib_bind(lib *l, char *p) { bind_text(l, p, free); }
*/
import "C"

import (
	"sync"
	"unsafe"
)

// The form in which it occurs most: made in the argument list.
func argument(s string) int { return int(C.lib_open(C.CString(s))) } // want cstring-leak

func variable(s string) {
	c := C.CString(s) // want cstring-leak
	C.puts(c)
}

func body(s string) {
	c := C.CString(s) // want cstring-leak
	C.lib_name(c)
}

func bytes(b []byte) int {
	p := C.CBytes(b) // want cstring-leak
	return int(C.strlen((*C.char)(p)))
}

func loop(names []string) {
	for _, n := range names {
		c := C.CString(n) // want cstring-leak
		C.puts(c)
	}
}

// Only the manual of the library knows.
func unknown(l *C.lib, s string) { C.lib_add(l, C.CString(s)) } // want cstring-leak:note

func freed(s string) {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	C.puts(c)
}

func freedInClosure(s string) {
	c := C.CString(s)
	defer func() { C.free(unsafe.Pointer(c)) }()
	C.puts(c)
}

func release(p *C.char) { C.free(unsafe.Pointer(p)) }

func freedByHelper(s string) {
	c := C.CString(s)
	C.puts(c)
	release(c)
}

func taken(s string)              { C.lib_take(C.CString(s)) }
func kept(s string)               { C.lib_keep(C.CString(s)) }
func bound(l *C.lib, s string)    { C.lib_bind(l, C.CString(s)) } // go-sqlite3 PR 1259 freed such a string again
func returned(s string) *C.char   { return C.CString(s) }

type holder struct{ c *C.char }

func stored(h *holder, s string) { h.c = C.CString(s) }

func array(names []string) []*C.char {
	out := make([]*C.char, len(names))
	for i, n := range names {
		out[i] = C.CString(n)
	}
	return out
}

func loaded(l *C.lib) int {
	e := C.lib_load(l)
	if e == nil {
		return 0
	}
	defer C.lib_error_destroy(e)
	return int(C.lib_error_code(e))
}

// An error of the library, which another function destroys.
func dropped(l *C.lib) bool {
	return C.lib_store(l) == nil // want cstring-leak:warning
}

func list(l *C.lib, names []string) {
	all := make([]*C.char, len(names)+1)
	for i, n := range names {
		all[i] = C.CString(n) // want cstring-leak
	}
	C.lib_set(l, unsafe.SliceData(all), C.int(len(names)&0xff))
}

func freedList(l *C.lib, names []string) {
	all := make([]*C.char, len(names)+1)
	for i, n := range names {
		all[i] = C.CString(n)
	}
	C.lib_set(l, unsafe.SliceData(all), C.int(len(names)&0xff))
	for _, c := range all {
		C.free(unsafe.Pointer(c))
	}
}

// The library frees the text by the function that it is given beside it.
func result(l *C.lib, s string) {
	var c *C.char
	if s != "" {
		c = C.CString(s)
	}
	C.lib_result(l, c, (*[0]byte)(C.lib_cfree))
}

func borrowed(l *C.lib, s string) {
	C.lib_result(l, C.CString(s), (*[0]byte)(C.lib_log)) // want cstring-leak:note
}

var opened = sync.OnceValue(func() int { return int(C.lib_open(C.CString("it"))) }) // want cstring-leak:note

var (
	once  sync.Once
	found int
)

func symbol() int {
	once.Do(func() { found = int(C.lib_open(C.CString("it"))) }) // want cstring-leak:note
	return found
}
