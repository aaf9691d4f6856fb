package plan_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// lender is memory full of rubbish that knows what it has lent.
type lender struct {
	mu    sync.Mutex
	lent  map[*byte]int64
	calls int
	fail  int // this call of Alloc gets nothing; 0 for none
}

var errNone = errors.New("no memory")

func (l *lender) Alloc(n int64) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls++; l.calls == l.fail {
		return nil, errNone
	}
	if n == 0 {
		return nil, nil
	}
	b, err := plan.Heap{}.Alloc(n)
	for i := range b {
		b[i] = 0xa5
	}
	if l.lent == nil {
		l.lent = map[*byte]int64{}
	}
	l.lent[&b[0]] = n
	return b, err
}

func (l *lender) Free(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(b) == 0 {
		return
	}
	if l.lent[&b[0]] != int64(len(b)) {
		panic("memory given back that was not lent")
	}
	delete(l.lent, &b[0])
}

// sameBits compares results; all NaN are alike.
func sameBits(t stablehlo.Type, got, want []byte) error {
	e := t.Elem
	if e.IsComplex() {
		e = e.Real()
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d bytes, want %d", len(got), len(want))
	}
	size := e.Size()
	for i := 0; i < len(got); i += size {
		if bytes.Equal(got[i:i+size], want[i:i+size]) {
			continue
		}
		if e.IsFloat() {
			a, b := toFloat(e, got[i:i+size]), toFloat(e, want[i:i+size])
			if a != a && b != b {
				continue
			}
			return fmt.Errorf("%v: element %d is %v, want %v", t, i/size, a, b)
		}
		return fmt.Errorf("%v: element %d is %x, want %x", t, i/size, got[i:i+size], want[i:i+size])
	}
	return nil
}

func toFloat(e dtype.Type, b []byte) float64 {
	var w [8]byte
	copy(w[:], b)
	return dtype.ToFloat64(e, binary.LittleEndian.Uint64(w[:]))
}

// TestRandom compares random programs with the evaluator, to the bit, on any number of workers, again and again, and
// with arguments given up.
func TestRandom(t *testing.T) {
	donor, alias := donors(t, 8)
	pools := []plan.Pool{nil}
	for _, n := range []int{2, 4} {
		p := kernel.NewPool(n)
		defer p.Close()
		pools = append(pools, p)
	}
	rapid.Check(t, func(rt *rapid.T) {
		m, data := program(rt, donor, alias)
		if err := stablehlo.Verify(m); err != nil {
			rt.Fatalf("drew a bad program: %v\n%v", err, m)
		}
		fn := m.Main()
		in := make([]eval.Value, len(data))
		for i, b := range data {
			in[i] = &eval.Tensor{Type: fn.Args()[i].Type, Data: aligned(b)}
		}
		want, err := eval.Run(t.Context(), m, fn, in, eval.Options{})
		if err != nil {
			rt.Fatalf("evaluate: %v\n%v", err, m)
		}
		for w, pool := range pools {
			p, err := plan.Compile(t.Context(), m, fn, plan.Options{Workers: pool})
			if err != nil {
				rt.Fatalf("compile: %v\n%v", err, m)
			}
			for _, donate := range []bool{false, true, false} {
				args := make([]plan.Arg, len(data))
				for i, b := range data {
					args[i] = plan.Arg{Data: aligned(b), Donated: donate && fn.Donated(i)}
				}
				var mem lender
				got, err := p.Run(t.Context(), args, &mem)
				if err != nil {
					rt.Fatalf("run: %v\n%v", err, m)
				}
				for i, v := range want {
					if err := sameBits(fn.Results[i], got[i], v.(*eval.Tensor).Data); err != nil {
						rt.Fatalf("pool %d, donate %v: result %d: %v\n%v", w, donate, i, err, m)
					}
				}
				for i, b := range data {
					if !args[i].Donated && !bytes.Equal(args[i].Data, b) {
						rt.Fatalf("argument %d was written over\n%v", i, m)
					}
				}
				for _, b := range got {
					if len(b) > 0 {
						delete(mem.lent, &b[0])
					}
				}
				if len(mem.lent) > 0 {
					rt.Fatalf("%d blocks of memory were kept\n%v", len(mem.lent), m)
				}
			}
		}
	})
}
