package schema_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

type codecs struct{ all, msg *schema.Codec }

var made = sync.OnceValues(func() (codecs, error) {
	all, msg, err := sample.Codecs()
	return codecs{all, msg}, err
})

// decode has a message of All, or of Msg, decoded and written again.
func decode(t testing.TB, isMsg bool, b []byte) (again []byte, err error) {
	t.Helper()
	c, err := made()
	if err != nil {
		t.Fatal(err)
	}
	if isMsg {
		var m sample.Msg
		if err := c.msg.Decode(b, &m); err != nil {
			return nil, err
		}
		again, err = c.msg.Append(nil, &m)
	} else {
		var a sample.All
		if err := c.all.Decode(b, &a); err != nil {
			return nil, err
		}
		again, err = c.all.Append(nil, &a)
	}
	if err != nil {
		t.Fatalf("what was decoded cannot be written: %v", err)
	}
	return again, nil
}

func TestValuesComeBack(t *testing.T) {
	all, msg, err := sample.Codecs()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range sample.Values() {
		var got any
		if a, ok := v.(sample.All); ok {
			var back sample.All
			b, err := all.Append(nil, &a)
			if err != nil {
				t.Fatal(err)
			}
			if err := all.Decode(b, &back); err != nil {
				t.Fatal(err)
			}
			got = back
		} else {
			m := v.(sample.Msg)
			var back sample.Msg
			b, err := msg.Append(nil, &m)
			if err != nil {
				t.Fatal(err)
			}
			if err := msg.Decode(b, &back); err != nil {
				t.Fatal(err)
			}
			got = back
		}
		if diff := cmp.Diff(v, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("value %d (-want +got)\n%s", i, diff)
		}
	}
}

// TestB05HostileCorpus decodes some 20,000 messages: every truncation, every byte changed, every length replaced, nested too
// deep. Each is a value that is written the same again, or an error with its place; none panics or takes much memory.
func TestB05HostileCorpus(t *testing.T) {
	cases, err := sample.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, c := range cases {
		again, err := decode(t, c.Msg, c.Bytes)
		var place *wire.Error
		switch {
		case err == nil:
			accepted++
			if second, err := decode(t, c.Msg, again); err != nil || string(second) != string(again) {
				t.Fatalf("%x is written as %x, and that as %x, %v", c.Bytes, again, second, err)
			}
		case !errors.As(err, &place) || !errors.Is(err, isthmus.ErrInvalid) || place.Offset > len(c.Bytes):
			t.Fatalf("%x: %v", c.Bytes, err)
		}
	}
	t.Logf("%d messages, %d accepted", len(cases), accepted)
	if accepted < 100 || accepted > len(cases)/2 {
		t.Errorf("%d of %d messages are accepted", accepted, len(cases))
	}
}

// Counts that promise much allocate nothing.
func TestB05CountsAllocateLittle(t *testing.T) {
	all, _, err := sample.Codecs()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := sample.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	total := 0
	runtime.ReadMemStats(&before)
	for _, c := range cases {
		var a sample.All
		_ = all.Decode(c.Bytes, &a)
		total += len(c.Bytes)
	}
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(100*total); got > most {
		t.Errorf("%d bytes were allocated for messages of %d", got, total)
	}
}

func FuzzB05Decode(f *testing.F) {
	for i, v := range sample.Values() {
		if a, ok := v.(sample.All); ok {
			all, _, _ := sample.Codecs()
			b, err := all.Append(nil, &a)
			if err != nil {
				f.Fatal(i, err)
			}
			f.Add(false, b)
		}
	}
	f.Fuzz(func(t *testing.T, isMsg bool, b []byte) {
		again, err := decode(t, isMsg, b)
		if err != nil {
			return
		}
		if second, err := decode(t, isMsg, again); err != nil || string(second) != string(again) {
			t.Fatalf("%x is written as %x, and that as %x, %v", b, again, second, err)
		}
	})
}

func FuzzB09Parse(f *testing.F) {
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Text())
	f.Fuzz(func(t *testing.T, text string) {
		got, err := schema.Parse(text)
		if err == nil && got.Text() != text {
			t.Fatalf("%q is read and written as %q", text, got.Text())
		}
	})
}

func parse(t *testing.T, lines ...string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse("isthmus-bridge 1\nbridge b 0\n" + strings.Join(lines, "\n") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestB09Evolution(t *testing.T) {
	base := []string{"extensible struct E a:u8", "open sum O P", "struct P x:f64", "struct S a:u8 b:list<P>", "sum U P S", "inline call i P P", "call m S U", "cast o O", "cast t E"}
	change := func(old, line string) []string {
		var out []string
		for _, l := range base {
			if l == old {
				l = line
			}
			if l != "" {
				out = append(out, l)
			}
		}
		return out
	}
	for _, c := range []struct {
		name     string
		lib      []string
		accepts  string // "" when an older host is served
		backward string // "" when a newer host is served by the older library
	}{
		{"nothing", base, "", ""},
		{"a method more", append(base[:8:8], "cast s P", "cast t E"), "", "method s host=cast lib=none"},
		{"a method less", base[:8], "method t host=cast lib=none", ""},
		{"a trailing option of an extensible struct", change(base[0], "extensible struct E a:u8 b:opt<P>"), "", ""},
		{"a trailing field of one", change(base[0], "extensible struct E a:u8 b:u8"), "E.b host=none lib=u8 (methods t)", "E.b host=u8 lib=none (methods t)"},
		{"an option in the middle of an extensible struct", change(base[0], "extensible struct E b:opt<P> a:u8"), "E field 0 host=a lib=b (methods t)", "E field 0 host=b lib=a (methods t)"},
		{"an option of a struct", change(base[3], "struct S a:u8 b:list<P> c:opt<u8>"), "S.c host=none lib=opt<u8> (methods m)", "S.c host=opt<u8> lib=none (methods m)"},
		{"an alternative of an open sum", change(base[1], "open sum O P S"), "", ""},
		{"an alternative of a sum", change(base[4], "sum U P S E"), "U alternative 2 host=none lib=E (methods m)", "U alternative 2 host=E lib=none (methods m)"},
		{"another order of alternatives", change(base[4], "sum U S P"), "U alternative 0 host=P lib=S (methods m)", "U alternative 0 host=S lib=P (methods m)"},
		{"another type", change(base[2], "struct P x:f32"), "P.x host=f64 lib=f32 (methods i, m, o)", "P.x host=f32 lib=f64 (methods i, m, o)"},
		{"another name", change(base[2], "struct P y:f64"), "P field 0 host=x lib=y (methods i, m, o)", "P field 0 host=y lib=x (methods i, m, o)"},
		{"no longer open", change(base[1], "sum O P"), "O host=open sum lib=sum (methods o)", "O host=sum lib=open sum (methods o)"},
		{"no longer inline", append([]string{}, "extensible struct E a:u8", "open sum O P", "struct P x:f64", "struct S a:u8 b:list<P>", "sum U P S", "call i P P", "call m S U", "cast o O", "cast t E"), "method i host=inline call lib=call", ""},
		{"another argument", change("cast o O", "cast o P"), "o argument host=O lib=P (methods o)", "o argument host=P lib=O (methods o)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, lib := parse(t, base...), parse(t, c.lib...)
			check := func(err error, want string) {
				t.Helper()
				var m *schema.Mismatch
				switch {
				case want == "" && err != nil:
					t.Errorf("it is refused: %v", err)
				case want != "" && err == nil:
					t.Errorf("it is accepted, want %q", want)
				case want != "" && (!errors.As(err, &m) || !errors.Is(err, isthmus.ErrVersion) || !strings.Contains(err.Error(), want)):
					t.Errorf("got %v, want %q", err, want)
				}
			}
			check(lib.Accepts(host), c.accepts)
			check(host.Accepts(lib), c.backward)
			check(lib.Follows(host), c.accepts)
			bumped := *lib
			bumped.Version = 1
			check(bumped.Follows(host), "")
		})
	}
	old := parse(t, change(base[0], "extensible struct E a:u8 b:opt<P>")...)
	if err := parse(t, base...).Follows(old); err == nil {
		t.Error("an option that went away is a schema that may follow")
	}
}

// TestB09EveryMutation changes each field of each type of the sample, and each is refused by its name; the prints change too.
func TestB09EveryMutation(t *testing.T) {
	b := sample.New(bridge.Options{})
	lib, err := b.Schema()
	if err != nil {
		t.Fatal(err)
	}
	mutations := 0
	for di, d := range lib.Defs {
		for fi, f := range d.Fields {
			for name, with := range map[string]schema.Field{
				d.Name + "." + f.Name:       {Name: f.Name, Type: schema.Type{Kind: schema.Opt, Elem: &schema.Type{Kind: schema.Bytes}}},
				d.Name + " field ":          {Name: f.Name + "x", Type: f.Type},
				d.Name + "." + f.Name + " ": {Name: f.Name, Type: schema.Type{Kind: schema.List, Elem: &f.Type}},
			} {
				host, err := schema.Parse(lib.Text())
				if err != nil {
					t.Fatal(err)
				}
				host.Defs[di].Fields[fi] = with
				if host.Validate() != nil {
					continue // a list of what has no bytes
				}
				mutations++
				err = lib.Accepts(host)
				if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
					t.Errorf("%s as %v: %v", name, with, err)
				}
				if host.Fingerprint() == lib.Fingerprint() {
					t.Errorf("%s as %v has the same fingerprint", name, with)
				}
			}
		}
	}
	if mutations < 100 {
		t.Errorf("only %d mutations", mutations)
	}
	if lib.MethodPrint("echo") == lib.MethodPrint("mirror") || lib.MethodPrint("none") != (schema.Print{}) {
		t.Error("the prints of methods do not tell them apart")
	}
}

type (
	unnamed        = struct{ A int64 }
	Generic[T any] struct{ V T }
	Loop           struct{ L []Loop2 }
	Loop2          struct{ L *Loop }
	Empty          struct{}
	hidden         struct{ A uint8 }
)

func TestTypesThatCannotCross(t *testing.T) {
	for want, typ := range map[string]reflect.Type{
		"another size":      reflect.TypeFor[struct{}](),
		"no order":          reflect.TypeFor[map[string]int64](),
		"use a slice":       reflect.TypeFor[[4]byte](),
		"cannot cross":      reflect.TypeFor[chan int64](),
		"func() cannot":     reflect.TypeFor[func()](),
		"no name":           reflect.TypeFor[unnamed](),
		"declare a type":    reflect.TypeFor[Generic[int64]](),
		"exported name":     reflect.TypeFor[hidden](),
		"not registered":    reflect.TypeFor[sample.Msg](),
		"int has another":   reflect.TypeFor[int](),
		"complex128 cannot": reflect.TypeFor[complex128](),
	} {
		if want == "another size" {
			typ = reflect.TypeFor[[]uint]()
		}
		var b schema.Builder
		if _, err := b.Type(typ); !errors.Is(err, isthmus.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", typ, err, want)
		}
	}
	var b schema.Builder
	typ, err := b.Type(reflect.TypeFor[[]Empty]())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Schema("b", 0, []schema.Method{{Name: "m", Kind: schema.Cast, In: typ}}); err == nil {
		t.Error("a list of what has no bytes is accepted")
	}
	if _, err := b.Type(reflect.TypeFor[Loop]()); err != nil {
		t.Errorf("a type that refers to itself: %v", err)
	}
}

// Values that no decoder would take are not written.
func TestEncodeRefuses(t *testing.T) {
	all, msg, err := sample.Codecs()
	if err != nil {
		t.Fatal(err)
	}
	loop := sample.Tree{}
	loop.Left = &loop
	var none sample.Msg
	for name, v := range map[string]sample.All{
		"text that is not UTF-8":   {Msg: sample.Text{Text: "\xff"}, Shape: sample.Circle{}},
		"a sum without a value":    {Shape: sample.Circle{}},
		"a cycle":                  {Msg: sample.Ping{}, Shape: sample.Circle{}, Tree: loop},
		"an unknown that is known": {Msg: sample.Ping{}, Shape: sample.OtherShape{Tag: 1}},
	} {
		if b, err := all.Append(nil, &v); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	if _, err := msg.Append(nil, &none); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("nil: %v", err)
	}
	if _, err := msg.Append(nil, 7); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("another type: %v", err)
	}
}
