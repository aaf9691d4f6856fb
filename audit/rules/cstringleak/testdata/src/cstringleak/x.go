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
static void lib_name(char *name) { puts(name); }
static void lib_keep(char *name) { kept = name; }
static void lib_take(char *name) { free(name); }
static void bind_text(lib *l, char *text, void (*d)(void*)) {}
static void lib_bind(lib *l, char *p) { bind_text(l, p, free); }
*/
import "C"

import "unsafe"

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
