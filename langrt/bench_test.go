package langrt_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus/langrt"
)

type fataler interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
}

func must[T any](t fataler) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// BenchmarkData is each operation beside Go's own on a slice or map: name/go and name/rt.
func BenchmarkData(b *testing.B) {
	const n = 1024
	a := must[langrt.Array](b)(langrt.NewArray(nil, n))
	d := must[langrt.Dict](b)(langrt.NewDict(nil, n))
	names := must[langrt.Dict](b)(langrt.NewDict(nil, n))
	slice, ints, texts := make([]int64, n), map[int64]int64{}, map[string]int64{}
	keys := make([]string, n)
	strings := make([]langrt.Value, n)
	for i := range n {
		if err := a.Push(langrt.Int(int64(i))); err != nil {
			b.Fatal(err)
		}
		if err := d.Set(langrt.Int(int64(i)), langrt.Int(int64(i))); err != nil {
			b.Fatal(err)
		}
		keys[i] = fmt.Sprintf("key number %d", i)
		strings[i] = must[langrt.String](b)(langrt.NewString(nil, keys[i])).Value
		if err := names.Set(strings[i], langrt.Int(int64(i))); err != nil {
			b.Fatal(err)
		}
		slice[i], ints[int64(i)], texts[keys[i]] = int64(i), int64(i), int64(i)
	}
	defer func() {
		for _, v := range append(strings, a.Value, d.Value, names.Value) {
			_ = langrt.Release(v)
		}
	}()
	var sum int64
	for _, c := range []struct {
		name string
		f    func() // n operations
	}{
		{"array get/go", func() {
			for i := range n {
				sum += slice[i]
			}
		}},
		{"array get/rt", func() {
			for i := range n {
				v, _ := a.Get(i)
				x, _ := v.Int()
				sum += x
			}
		}},
		{"array set/go", func() {
			for i := range n {
				slice[i] = sum
			}
		}},
		{"array set/rt", func() {
			for i := range n {
				_ = a.Set(i, langrt.Int(int64(i)))
			}
		}},
		{"dict int get/go", func() {
			for i := range n {
				sum += ints[int64(i)]
			}
		}},
		{"dict int get/rt", func() {
			for i := range n {
				v, _ := d.Get(langrt.Int(int64(i)))
				x, _ := v.Int()
				sum += x
			}
		}},
		{"dict int set/go", func() {
			for i := range n {
				ints[int64(i)] = sum
			}
		}},
		{"dict int set/rt", func() {
			for i := range n {
				_ = d.Set(langrt.Int(int64(i)), langrt.Int(int64(i)))
			}
		}},
		{"dict text get/go", func() {
			for i := range n {
				sum += texts[keys[i]]
			}
		}},
		{"dict text get/rt", func() {
			for i := range n {
				v, _ := names.GetText(keys[i])
				x, _ := v.Int()
				sum += x
			}
		}},
		{"dict text get/rt string", func() {
			for i := range n {
				v, _ := names.Get(strings[i])
				x, _ := v.Int()
				sum += x
			}
		}},
		{"dict walk/go", func() {
			for _, v := range ints {
				sum += v
			}
		}},
		{"dict walk/rt", func() {
			for _, v := range d.All() {
				x, _ := v.Int()
				sum += x
			}
		}},
		{"array walk/rt", func() {
			for _, v := range a.All() {
				x, _ := v.Int()
				sum += x
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			f := c.f
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/each")
		})
	}
	b.Run("array new, 8 pushes/go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var s []any
			for i := range 8 {
				s = append(s, i)
			}
			sum += int64(len(s))
		}
	})
	b.Run("array new, 8 pushes/rt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a, _ := langrt.NewArray(nil, 0)
			for i := range 8 {
				_ = a.Push(langrt.Int(int64(i)))
			}
			_ = langrt.Release(a.Value)
		}
	})
	b.Run("array push/go", func(b *testing.B) {
		b.ReportAllocs()
		var s []int64
		for b.Loop() {
			if s = append(s, 1); len(s) == 1<<20 {
				s = nil
			}
		}
	})
	b.Run("array push/rt", func(b *testing.B) {
		b.ReportAllocs()
		a, _ := langrt.NewArray(nil, 0)
		i := 0
		for b.Loop() {
			_ = a.Push(langrt.Int(1))
			if i++; i == 1<<20 {
				_ = langrt.Release(a.Value)
				a, _ = langrt.NewArray(nil, 0)
				i = 0
			}
		}
		_ = langrt.Release(a.Value)
	})
	b.Run("string new, release/rt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, _ := langrt.NewString(nil, "sixteen bytes ...")
			_ = langrt.Release(s.Value)
		}
	})
}

// BenchmarkBodies is a step of a body that is a Go function, beside a hand-over from one goroutine to another and back.
func BenchmarkBodies(b *testing.B) {
	ctx := context.Background()
	b.Run("hand-over/go", func(b *testing.B) {
		ask, answer := make(chan int), make(chan int)
		go func() {
			for i := range ask {
				answer <- i
			}
		}()
		for b.Loop() {
			ask <- 1
			<-answer
		}
		close(ask)
	})
	b.Run("generator next", func(b *testing.B) {
		g := must[langrt.Generator](b)(langrt.NewGenerator(nil, func(yield func(langrt.Value) bool) {
			for i := int64(0); yield(langrt.Int(i)); i++ {
			}
		}))
		for b.Loop() {
			if _, ok, err := g.Next(nil); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		_ = langrt.Release(g.Value)
	})
	b.Run("actor there and back", func(b *testing.B) {
		back := make(chan langrt.Value, 1)
		a := must[langrt.Actor](b)(langrt.Spawn(nil, 0, func(msg langrt.Value) error { back <- msg; return nil }))
		for b.Loop() {
			if err := a.Send(ctx, langrt.Int(1)); err != nil {
				b.Fatal(err)
			}
			<-back
		}
		_ = langrt.Release(a.Value)
	})
	b.Run("actor message", func(b *testing.B) {
		a := must[langrt.Actor](b)(langrt.Spawn(nil, 0, func(msg langrt.Value) error { return nil }))
		for b.Loop() {
			if err := a.Send(ctx, langrt.Int(1)); err != nil {
				b.Fatal(err)
			}
		}
		_ = a.Stop()
		if err := a.Join(ctx); err != nil {
			b.Fatal(err)
		}
		_ = langrt.Release(a.Value)
	})
}
