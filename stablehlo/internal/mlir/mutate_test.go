package mlir_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// mutate damages a program in one to four places, by bytes and by tokens.
func mutate(r *rand.Rand, src []byte) []byte {
	tokens := []string{
		"<", ">", "(", ")", "[", "]", "{", "}", "\"", "%", "#", "@", "!", "^", ":", ",", "=", "->", "-", "x", "?", "*", "//",
		"loc(", "dense<", "dense<\"0x", "array<i64: ", "tensor<", "99999999999999999999", "-1", "0x", "1e999", "{-#", "#-}",
		"\\", "\xff", "\x00", "(((((((((((((((", "[[[[[[[[[[[[[[[[", "\"builtin.module\"() ({", "tensor<9999999999x9999999999xf32>", "%0:1000000000 = ",
	}
	out := append([]byte(nil), src...)
	for range 1 + r.IntN(4) {
		n := len(out)
		if n == 0 {
			break
		}
		i := r.IntN(n)
		j := min(n, i+1+r.IntN(40))
		switch r.IntN(7) {
		case 0:
			out[i] = byte(r.IntN(256))
		case 1:
			out[i] ^= 1 << r.IntN(8)
		case 2:
			out = append(out[:i:i], out[j:]...)
		case 3:
			out = append(out[:i:i], append([]byte(tokens[r.IntN(len(tokens))]), out[i:]...)...)
		case 4:
			k := r.IntN(n)
			part := append([]byte(nil), out[i:j]...)
			out = append(out[:k:k], append(part, out[k:]...)...)
		case 5:
			out = out[:i]
		case 6:
			out = append(out[:i:i], append([]byte(tokens[r.IntN(len(tokens))]), out[j:]...)...)
		}
	}
	return out
}

// TestMutants parses damaged programs: each gives a tree or an error with a position, in bounded time and memory.
// ISTHMUS_MUTANTS sets their number.
func TestMutants(t *testing.T) {
	count := 3000
	if s := os.Getenv("ISTHMUS_MUTANTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	seeds := formPrograms()
	if _, err := os.Stat(corpusPath()); err == nil {
		corpus(t, func(name string, data []byte) {
			if len(data) < 20000 {
				seeds = append(seeds, data)
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 2))
	var slowest time.Duration
	var most uint64
	errs := 0
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	for range count {
		src := mutate(r, seeds[r.IntN(len(seeds))])
		metrics.Read(allocated)
		before := allocated[0].Value.Uint64()
		start := time.Now()
		m, err := parseMutant(src)
		spent := time.Since(start)
		metrics.Read(allocated)
		most = max(most, allocated[0].Value.Uint64()-before)
		for range 5 { // another process may have had the processor
			if spent < time.Second {
				break
			}
			start := time.Now()
			parseMutant(src)
			spent = min(spent, time.Since(start))
		}
		slowest = max(slowest, spent)
		if (m == nil) == (err == nil) {
			t.Fatalf("tree %v and error %v for %q", m, err, src)
		}
		if err != nil {
			errs++
			e, ok := err.(*mlir.Error)
			if !ok {
				t.Fatalf("%v for %q", err, src)
			}
			if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Offset > len(src) {
				t.Fatalf("error without a position: %#v for %q", e, src)
			}
		}
	}
	t.Logf("%d mutants, %d errors, slowest %v, most memory %d KiB", count, errs, slowest, most>>10)
	if slowest > time.Second || most > 1<<30 {
		t.Errorf("slowest %v, most memory %d bytes; want at most 1 s and 1 GiB", slowest, most)
	}
}

func parseMutant(src []byte) (m *mlir.Op, err error) {
	defer func() {
		if r := recover(); r != nil {
			panic(fmt.Sprintf("%v for %q", r, src))
		}
	}()
	return mlir.ParseText(src, mlir.Options{})
}
