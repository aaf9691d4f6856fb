package stablehlo_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestMutants changes numbers and element types in programs, so that sizes, dimensions and types stop to agree here
// and there. What still verifies must print, read back equal, and run on the evaluator without a panic: it relies on
// the verifier for every index.
func TestMutants(t *testing.T) {
	src, err := os.ReadFile("testdata/verify.txt")
	if err != nil {
		t.Fatal(err)
	}
	seeds := stablehlo.SplitInput(src)
	count := 5000
	if testing.Short() {
		count = 500
	}
	number, numbers := regexp.MustCompile(`-?\d+`), []string{"0", "1", "-1", "2", "3", "4", "5", "6", "8"}
	elem, elems := regexp.MustCompile(`\b(f32|i32|i64|f64|i1|ui8|bf16)\b`), []string{"f32", "i32", "i1", "ui8", "complex<f32>", "bf16", "i64", "f8E4M3FN", "i4"}
	r := rand.New(rand.NewPCG(1, 2))
	verified := 0
	for range count {
		s := string(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(3) {
			pattern, pool := number, numbers
			if r.IntN(4) == 0 {
				pattern, pool = elem, elems
			}
			at := pattern.FindAllStringIndex(s, -1)
			if len(at) == 0 {
				break
			}
			l := at[r.IntN(len(at))]
			from, to := s[l[0]:l[1]], pool[r.IntN(len(pool))]
			if r.IntN(2) == 0 { // everywhere, so that the program is more often right
				s = strings.NewReplacer("x"+from+"x", "x"+to+"x", "<"+from+"x", "<"+to+"x", "x"+from+">", "x"+to+">").Replace(s)
			} else {
				s = s[:l[0]] + to + s[l[1]:]
			}
		}
		m, err := stablehlo.Parse([]byte(s), stablehlo.Options{})
		if err != nil {
			continue
		}
		verified++
		again, err := stablehlo.Parse([]byte(m.String()), stablehlo.Options{})
		if err != nil || !stablehlo.Equal(m, again) {
			t.Fatalf("does not survive printing: %v\n%s", err, s)
		}
		runZeros(t, m, s)
	}
	if verified < count/10 {
		t.Errorf("only %d of %d mutants verified; too few to mean something", verified, count)
	}
}

// runZeros runs the main function on zeros, where its arguments are small tensors.
func runZeros(t *testing.T, m *stablehlo.Module, src string) {
	t.Helper()
	f := m.Main()
	if f == nil {
		return
	}
	var args []eval.Value
	for _, a := range f.Args() {
		if a.Type.Kind != stablehlo.Tensor || !a.Type.Static() || a.Type.Quant != nil || a.Type.Len() > 1000 {
			return
		}
		x, err := eval.NewTensor(a.Type.Elem, a.Type.Dims...)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, x)
	}
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("panic: %v\n%s", p, src)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := eval.Run(ctx, m, f, args, eval.Options{MemoryLimit: 64 << 20})
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("runs for minutes\n%s", src)
	}
}
