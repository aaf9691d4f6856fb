package mirrorlayout

// #include <stdlib.h>
// typedef struct { char on; double at; short n; } event;
// struct point { int x, y; };
// typedef struct { unsigned char hidden[0]; } handle;
// typedef enum { first, second } order;
// typedef struct { order fn; void *arg; } work;
// static void run(work *w) { (void)w; }
// static event *next(void) { return 0; }
// static void pass(handle *h) { (void)h; }
// static void draw(struct point *p) { p->x = 0; }
import "C"

import "unsafe"

//isthmus:mirrors shape shape.h
type shape struct {
	Kind   int8
	ID     int64
	Radius float32
	Label  [16]byte
	Flags  uint32
}

//isthmus:mirrors struct shape shape.h
type shorter struct { // want mirror-layout
	Kind   int8
	ID     int32
	Radius float32
	Label  [16]byte
	Flags  uint32
}

//isthmus:mirrors struct pair shape.h
type swapped struct { // want mirror-layout
	Second uint32
	First  uint32
}

//isthmus:mirrors struct packet shape.h
type packet struct { // want mirror-layout
	Tag    byte
	Length uint32
}

//isthmus:mirrors struct packet shape.h
type packetBytes struct {
	Tag    byte
	Length [4]byte
}

//isthmus:mirrors struct none shape.h
type unknown struct { // want mirror-layout:note
	A int32
}

type event struct {
	On byte
	At float32
	N  int16
}

type goodEvent struct {
	On byte
	At float64
	N  int16
}

type point struct{ X, Y int32 }

type long struct{ X, Y int64 }

func read() (float32, float64) {
	e := C.next()
	if e == nil {
		return 0, 0
	}
	return (*event)(unsafe.Pointer(e)).At, (*goodEvent)(unsafe.Pointer(e)).At // want mirror-layout
}

func write(p *point, l *long) {
	C.draw((*C.struct_point)(unsafe.Pointer(p)))
	C.draw((*C.struct_point)(unsafe.Pointer(l))) // want mirror-layout
}

// The integer is as long as C's and the padding behind it, which is right until C writes it, or the first byte is the highest.
type work struct {
	fn  int64
	arg unsafe.Pointer
}

func start(w *work) {
	C.run((*C.work)(unsafe.Pointer(w))) // want mirror-layout:warning
}

type state struct {
	name string
	id   uint64
}

// hand gives C what only Go looks into: for C it is a struct without a size.
func hand(s *state) {
	C.pass((*C.handle)(unsafe.Pointer(s)))
}

var _ = []any{hand, start, shape{}, shorter{}, swapped{}, packet{}, packetBytes{}, unknown{}, read, write}
