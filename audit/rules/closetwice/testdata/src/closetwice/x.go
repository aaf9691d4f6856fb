package closetwice

/*
#include <stdlib.h>
typedef struct { int n; } index_t;
static void index_free(index_t *i) { free(i); }
*/
import "C"

import "sync"

type Bad struct{ p *C.index_t }

func (b *Bad) Close() error {
	C.index_free(b.p) // want close-twice:warning
	return nil
}

type Good struct{ p *C.index_t }

func (g *Good) Close() error {
	if g.p == nil {
		return nil
	}
	C.index_free(g.p)
	g.p = nil
	return nil
}

type Once struct {
	once sync.Once
	p    *C.index_t
}

func (o *Once) Close() { o.once.Do(func() { C.index_free(o.p) }) }
