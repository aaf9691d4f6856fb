package noescape

/*
#cgo noescape keep
#cgo noescape look
#cgo noescape count
#cgo nocallback quiet
#cgo nocallback loud
static const int *kept;
static void keep(const int *p) { kept = p; }
static int look(const int *p) { return *p; }
static int counted;
static void count(const int *p, int n) { counted = n; }
static int quiet(int n) { return n; }
extern int onLoud(int);
static int loud(int n) { return onLoud(n); }
*/
import "C" // want noescape, noescape

//export onLoud
func onLoud(n C.int) C.int { return n }

func calls(p *C.int) {
	C.keep(p)
	C.look(p)
	C.count(p, 1)
	C.quiet(1)
	C.loud(1)
}
