package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// input is one argument and where it came from.
type input struct {
	array  npy.Array
	source string
}

func (in input) typ() pjrt.Type { return typeOf(in.array) }

func typeOf(a npy.Array) pjrt.Type {
	t := pjrt.Type{DType: a.DType}
	for _, d := range a.Shape {
		t.Dims = append(t.Dims, int(d))
	}
	return t
}

// inputs reads the arguments and, where the program's parameters are known (not nil), checks them.
func (c *runCmd) inputs(params []pjrt.Type) ([]input, error) {
	var ins []input
	for _, spec := range c.Input {
		opts := npy.Options{}
		if i := len(ins); i < len(params) {
			opts.Void = voidFor(params[i].DType)
		}
		next, err := readInput(spec, opts, params[min(len(ins), len(params)):])
		if err != nil {
			return nil, err
		}
		ins = append(ins, next...)
	}
	if params == nil {
		return ins, nil
	}
	if len(ins) < len(params) && c.Random != nil {
		r := rand.New(rand.NewPCG(*c.Random, 0))
		for i := len(ins); i < len(params); i++ {
			a, err := random(r, params[i])
			if err != nil {
				return nil, fmt.Errorf("argument %d: %w", i, err)
			}
			ins = append(ins, input{a, fmt.Sprintf("random, seed %d", *c.Random)})
		}
	}
	var errs []error
	for i, in := range ins {
		switch {
		case i >= len(params):
			errs = append(errs, fmt.Errorf("argument %d from %s is one too many: the program takes %d", i, in.source, len(params)))
		case !in.typ().Equal(params[i]):
			errs = append(errs, fmt.Errorf("argument %d from %s is %v, the program takes %v%s", i, in.source, in.typ(), params[i], cast(in.typ(), params[i])))
		}
	}
	if len(errs) == 0 && len(ins) < len(params) {
		var want []string
		for i := len(ins); i < len(params); i++ {
			want = append(want, fmt.Sprintf("  argument %d: %v", i, params[i]))
		}
		errs = append(errs, fmt.Errorf("%d of %d arguments are missing; give each with --input FILE.npy, or make them with --random SEED:\n%s",
			len(params)-len(ins), len(params), strings.Join(want, "\n")))
	}
	return ins, errors.Join(errs...)
}

// voidFor is the type that elements described only by their width are taken for: numpy writes bf16 and the small
// floats so.
func voidFor(t dtype.Type) dtype.Type {
	switch t {
	case dtype.I1, dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64, dtype.F16,
		dtype.F32, dtype.F64, dtype.C64, dtype.C128:
		return dtype.Invalid
	}
	return t
}

// cast says how numpy makes the elements of an array of the right shape those that the program takes, which is what most
// wrong arrays lack: numpy's own numbers have 64 bits.
func cast(have, want pjrt.Type) string {
	name := want.DType.String()
	for _, k := range [][2]string{{"ui", "uint"}, {"i", "int"}, {"f", "float"}} {
		bits, ok := strings.CutPrefix(name, k[0])
		if ok && slices.Equal(have.Dims, want.Dims) && slices.Contains([]string{"8", "16", "32", "64"}, bits) {
			return fmt.Sprintf("; with numpy: x.astype(%q)", k[1]+bits)
		}
	}
	return ""
}

// readInput reads FILE.npy, FILE.npz or FILE.npz:NAME.
func readInput(spec string, opts npy.Options, params []pjrt.Type) ([]input, error) {
	path, member, chosen := strings.Cut(spec, ".npz:")
	if chosen {
		path += ".npz"
	}
	if _, err := os.Stat(spec); err == nil { // a file may be called anything
		path, chosen = spec, false
	}
	if !strings.HasSuffix(path, ".npz") {
		a, err := npy.ReadFile(path, opts)
		if err != nil {
			return nil, err
		}
		return []input{{a, path}}, nil
	}
	z, err := npy.OpenArchive(path, opts)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	names := []string{member}
	if !chosen {
		names = slices.Clone(z.Names())
		slices.SortStableFunc(names, natural)
	}
	var ins []input
	for _, name := range names {
		a, err := z.Read(name)
		if err != nil {
			return nil, err
		}
		ins = append(ins, input{a, path + ":" + name})
	}
	return ins, nil
}

// natural orders names so that in2 comes before in10.
func natural(a, b string) int {
	digits := func(s string) string {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		return s[:n]
	}
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x != "" && y != "" {
			p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
			if c := strings.Compare(p, q); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// maxRandom bounds one random argument.
const maxRandom = 4 << 30

func random(r *rand.Rand, t pjrt.Type) (npy.Array, error) {
	size, err := t.Size()
	if err != nil {
		return npy.Array{}, err
	}
	if size > maxRandom {
		return npy.Array{}, fmt.Errorf("%v has %d bytes, more than the %d that are made at random", t, size, int64(maxRandom))
	}
	a := npy.Array{DType: t.DType, Data: make([]byte, size)}
	for _, d := range t.Dims {
		a.Shape = append(a.Shape, int64(d))
	}
	real := t.DType.Real()
	step := real.Size()
	for at := 0; at < size; at += step {
		var bits uint64
		switch real.Kind() {
		case dtype.Bool:
			bits = r.Uint64N(2)
		case dtype.Signed, dtype.Unsigned:
			limit := uint64(10)
			if real.Bits() < 8 {
				limit = 2
			}
			bits = r.Uint64N(limit)
		default:
			bits = dtype.FromFloat64(real, r.Float64())
		}
		for k := range step {
			a.Data[at+k] = byte(bits >> (8 * k))
		}
	}
	return a, nil
}
