package bytecode_test

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// seeds gives the programs that fuzzing starts from: the corpus.
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
