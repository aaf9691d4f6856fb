package stablehlo_test

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
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestDamaged reads damaged programs of both forms, ISTHMUS_MUTANTS of them, through the whole of Parse: each is a
// module or an error with a place, without a panic, in at most a second and a GiB.
func TestDamaged(t *testing.T) {
	count := 6000
	if s := os.Getenv("ISTHMUS_MUTANTS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	text, binary := damageSeeds(t)
	r := rand.New(rand.NewPCG(1, 2))
	allocs := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(allocs)
		return allocs[0].Value.Uint64()
	}
	for _, form := range []struct {
		name   string
		seeds  [][]byte
		damage func(*rand.Rand, []byte) []byte
	}{
		{"text", text, damageText},
		{"bytecode", binary, damageBytes},
	} {
		t.Run(form.name, func(t *testing.T) {
			var slowest time.Duration
			var most uint64
			read := 0
			for range count / 2 {
				src := form.damage(r, form.seeds[r.IntN(len(form.seeds))])
				before, start := allocated(), time.Now()
				err := parseDamaged(t, src)
				spent := time.Since(start)
				most = max(most, allocated()-before)
				for range 5 { // another process may have had the processor
					if spent < 5*time.Second {
						break
					}
					start := time.Now()
					_ = parseDamaged(t, src)
					spent = min(spent, time.Since(start))
				}
				if spent > 5*time.Second {
					t.Errorf("%v for %.200q", spent, src)
				}
				slowest = max(slowest, spent)
				if err == nil {
					read++
				}
			}
			t.Logf("%d mutants of %d programs: %d still right, slowest %v, most memory %d KiB",
				count/2, len(form.seeds), read, slowest.Round(time.Microsecond), most>>10)
			if most > 1<<30 {
				t.Errorf("a mutant took %d MiB", most>>20)
			}
		})
	}
}

// parseDamaged parses src and looks at the errors.
func parseDamaged(t *testing.T, src []byte) error {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("panic: %v for %q", p, src)
		}
	}()
	m, err := stablehlo.Parse(src, stablehlo.Options{TestOps: true})
	if (m == nil) == (err == nil) {
		t.Fatalf("module %v and error %v for %q", m, err, src)
	}
	var e *stablehlo.Error
	if err != nil && (!errors.As(err, &e) || len(err.Error()) > 100_000+len(src)) {
		t.Fatalf("error without a place, or out of proportion: %.1000s for %q", err, src)
	}
	if err != nil && !stablehlo.IsBytecode(src) && e.Pos.Line < 1 {
		t.Fatalf("error without a line: %v for %q", err, src)
	}
	return err
}

// damageSeeds are the programs of this repository, and those of the StableHLO project where they are here.
func damageSeeds(t *testing.T) (text, binary [][]byte) {
	t.Helper()
	add := func(src []byte) {
		switch {
		case stablehlo.IsBytecode(src):
			binary = append(binary, src)
		case len(src) < 20_000:
			text = append(text, src)
		}
	}
	files, err := filepath.Glob("../testdata/corpus/*.mlir*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, name := range append(files, "testdata/verify.txt") {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != "testdata/verify.txt" {
			add(src)
			continue
		}
		for _, part := range stablehlo.SplitInput(src) {
			add(part)
		}
	}
	for _, line := range chloLines {
		add(chloProgram(line))
	}
	if os.Getenv("ISTHMUS_MUTANTS") == "" {
		return text, binary
	}
	sets := testdata(t)
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		for _, p := range sets[set] {
			add(p.src)
		}
	}
	return text, binary
}

// damageText damages a program in one to four places, by bytes and by tokens.
func damageText(r *rand.Rand, src []byte) []byte {
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

// damageBytes changes a few places of a copy of b.
func damageBytes(r *rand.Rand, b []byte) []byte {
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
