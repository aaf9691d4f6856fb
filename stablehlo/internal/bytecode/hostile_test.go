package bytecode_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// seeds gives the programs that fuzzing and damage start from: the corpus, and the samples of all versions if they are
// here.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	files, err := filepath.Glob("../../../testdata/corpus/*.mlir.bc")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus (%v)", err)
	}
	for _, f := range files {
		all = append(all, readFile(t, f))
	}
	return all
}

// walk visits all that a reader of the tree sees, and returns its size.
func walk(o *mlir.Op) int {
	n := 1 + len(o.Operands)
	for _, a := range o.Attrs {
		n += walkAttr(a.Attr)
	}
	for _, v := range o.Results {
		n += walkType(v.Type)
	}
	for _, g := range o.Regions {
		for _, b := range g.Blocks {
			for _, v := range b.Args {
				n += walkType(v.Type)
				for _, a := range v.Attrs {
					n += walkAttr(a.Attr)
				}
			}
			for _, o := range b.Ops {
				n += walk(o)
			}
		}
	}
	return n
}

func walkAttr(a mlir.Attr) int {
	n := 1
	switch a := a.(type) {
	case mlir.Array:
		for _, x := range a {
			n += walkAttr(x)
		}
	case mlir.Dict:
		for _, x := range a {
			n += walkAttr(x.Attr)
		}
	case mlir.Struct:
		for _, x := range a.Fields {
			n += walkAttr(x.Attr)
		}
	case mlir.TypeAttr:
		n += walkType(a.Type)
	case mlir.Ints:
		n += len(a.Values)
	}
	return n
}

func walkType(t mlir.Type) int {
	n := 1
	for _, x := range t.Ins {
		n += walkType(x)
	}
	for _, x := range t.Elems {
		n += walkType(x)
	}
	return n
}

// check reads data, which may be anything, and says what must not be.
func check(data []byte) string {
	m, info, err := bytecode.Read(data)
	if err != nil {
		var e *mlir.Error
		if m != nil {
			return "a tree beside an error"
		}
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) {
			return "error without a place: " + err.Error()
		}
		if len(err.Error()) > 1000+len(data) {
			return "error out of proportion"
		}
		return ""
	}
	if m == nil || info == nil {
		return "neither tree nor error"
	}
	if n := walk(m); n > 2<<20+128*len(data) {
		return "tree of " + strconv.Itoa(n) + " nodes out of " + strconv.Itoa(len(data)) + " bytes"
	}
	return ""
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds(f) {
		if len(s) < 4096 {
			f.Add(s)
		}
	}
	f.Add([]byte("ML\xefR\x0dX\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s := check(data); s != "" {
			t.Error(s)
		}
	})
}

// damage changes a few places of a copy of b.
func damage(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for n := 1 + r.IntN(2)*r.IntN(4); n > 0 && len(b) > 0; n-- {
		p := r.IntN(len(b))
		switch r.IntN(7) {
		case 0:
			b[p] ^= 1 << r.IntN(8)
		case 1:
			b[p] = byte(r.IntN(256))
		case 2:
			b = slices.Delete(b, p, min(len(b), p+1+r.IntN(3)))
		case 3:
			b = slices.Insert(b, p, byte(r.IntN(256)))
		case 4: // a very large number
			b = slices.Insert(b, p, 0, 0xff, 0xff, 0xff, byte(r.IntN(256)), 0, 0, 0, 0)
		case 5: // a part of itself somewhere else
			q := r.IntN(len(b))
			copy(b[p:], b[q:min(len(b), q+1+r.IntN(64))])
		case 6:
			b = b[:p]
		}
	}
	return b
}

// TestDamaged reads damaged programs, ISTHMUS_MUTANTS of them: each is an error or a tree, without a panic or very much
// memory.
func TestDamaged(t *testing.T) {
	n := 5000
	if s := os.Getenv("ISTHMUS_MUTANTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	all := seeds(t)
	if os.Getenv("ISTHMUS_MUTANTS") != "" {
		files := samples(t)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.HasSuffix(name, ".bc") {
				all = append(all, files[name])
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	allocs := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(allocs)
		return allocs[0].Value.Uint64()
	}
	var slowest time.Duration
	var most uint64
	trees := 0
	for i := range n {
		b := damage(r, all[r.IntN(len(all))])
		before, start := allocated(), time.Now()
		s := check(b)
		slowest = max(slowest, time.Since(start))
		most = max(most, allocated()-before)
		if s != "" {
			t.Fatalf("mutant %d: %s", i, s)
		}
		if _, _, err := bytecode.Read(b); err == nil {
			trees++
		}
	}
	t.Logf("%d mutants of %d programs: %d read, %d errors; slowest %v, most memory %d KiB", n, len(all), trees, n-trees, slowest, most>>10)
	if most > 1<<30 {
		t.Errorf("a mutant took %d MiB", most>>20)
	}
}
