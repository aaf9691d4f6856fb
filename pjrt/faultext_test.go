package pjrt_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP06ExtensionFaults injects every kind of fault at every function of the extensions that the fake has. A failing
// function gives its error; of spoiled results only what is certain is asked: no crash, no hang, nothing destroyed twice
// or left.
func TestP06ExtensionFaults(t *testing.T) {
	// What a plugin makes and does not show, nobody can end.
	hidden := map[string][]pjrtfake.Fault{
		"PJRT_RawBuffer_CreateRawAliasOfBuffer": {pjrtfake.NullArray, pjrtfake.Misaligned},
		"PJRT_RawBuffer_CopyRawDeviceToHost":    {pjrtfake.NeverEvent}, // the use waits for the copy
		"allocate":                              {pjrtfake.NullArray},
		"collectives_create_communicators":      {pjrtfake.NullArray, pjrtfake.Misaligned, pjrtfake.HugeCount, pjrtfake.NegativeCount},
	}
	cells, spoiled := 0, 0
	for name, c := range extCases() {
		j := func(w *world) error {
			p, cl := w.client(), w.client()
			_ = p
			x := w.executable("add")
			b, err := pjrt.Put(context.Background(), cl.Device(), []float32{1}, 1)
			w.must(err)
			w.later(b.Close)
			w.later(func() error { return pjrt.EndNoData(w.p) })
			w.arm()
			return c.use(extWorld{t: quiet{w.t}, f: w.f, p: w.p, c: cl, x: x, b: b})
		}
		extend := func(f *pjrtfake.Fake) {
			f.Extend(c.typ, c.fns())
			for typ, fns := range c.also {
				f.Extend(typ, fns())
			}
		}
		for fn := range c.fns() {
			point := pjrtfake.Point(c.typ, fn)
			for kind := pjrtfake.NoFault + 1; kind < pjrtfake.NumFaults; kind++ {
				if kind.Fails() && (slices.Contains(c.void, fn) || slices.Contains(c.ends, fn)) {
					continue
				}
				if slices.Contains(hidden[fn], kind) {
					continue
				}
				t.Run(strings.Join([]string{name, fn, kind.String()}, "/"), func(t *testing.T) {
					err, closing, injected, called := travel(t, j, point, kind, extend)
					cells++
					if injected == 0 {
						if err != nil {
							t.Errorf("nothing was spoiled: got %v", err)
						}
						return
					}
					spoiled++
					if called[point] == 0 {
						t.Error("it was not called")
					}
					if kind.Fails() {
						if v := verdict(name, point, kind, err); v != "" {
							t.Error(v)
						}
					}
					if closing != nil {
						t.Errorf("closing: %v", closing)
					}
				})
			}
		}
	}
	t.Logf("%d cells, %d in which there was something to spoil", cells, spoiled)
}

// quiet keeps what a use of an extension misses from failing the test: its results are spoiled.
type quiet struct{ testing.TB }

func (quiet) Error(...any)          {}
func (quiet) Errorf(string, ...any) {}
