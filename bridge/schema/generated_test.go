package schema_test

import (
	"errors"
	"go/format"
	"os"
	"reflect"
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

var generated = sync.OnceValues(func() (codecs, error) {
	all, msg, err := sample.Generated()
	return codecs{all, msg}, err
})

// same has both codecs of a type decode a message, and write what they decoded: they give the same error, or the same value
// and the same bytes.
func same[T any](t *testing.T, reflected, generated *schema.Codec, b []byte) {
	t.Helper()
	var want, got T
	wantErr, gotErr := reflected.Decode(b, &want), generated.Decode(b, &got)
	if text(wantErr) != text(gotErr) {
		t.Fatalf("%x: the generated codec says %q, that by reflection %q", b, text(gotErr), text(wantErr))
	}
	if wantErr != nil {
		return
	}
	first, err := reflected.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	second, err := generated.Append(nil, &got)
	if err != nil || string(first) != string(second) {
		t.Fatalf("%x is written as %x, %v, and by reflection as %x", b, second, err, first)
	}
	// Each writes what the other has read: so the values are the same, NaNs too.
	if crossed, err := reflected.Append(nil, &got); err != nil || string(crossed) != string(first) {
		t.Fatalf("%x was read as another value: %x, %v", b, crossed, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func bothCodecs(t testing.TB) (reflected, own codecs) {
	t.Helper()
	reflected, err := made()
	if err != nil {
		t.Fatal(err)
	}
	if own, err = generated(); err != nil {
		t.Fatal(err)
	}
	return reflected, own
}

// TestB05Generated has the codec that was generated decode the hostile corpus as that by reflection does: to the byte, and to
// the text of the error.
func TestB05Generated(t *testing.T) {
	r, g := bothCodecs(t)
	cases, err := sample.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Msg {
			same[sample.Msg](t, r.msg, g.msg, c.Bytes)
		} else {
			same[sample.All](t, r.all, g.all, c.Bytes)
		}
	}
	for i, v := range sample.Values() {
		if a, ok := v.(sample.All); ok {
			var back sample.All
			b, err := g.all.Append(nil, &a)
			if err == nil {
				err = g.all.Decode(b, &back)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, back, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("value %d (-want +got)\n%s", i, diff)
			}
		}
	}
}

func FuzzB05Generated(f *testing.F) {
	r, g := bothCodecs(f)
	for _, v := range sample.Values() {
		if a, ok := v.(sample.All); ok {
			b, err := g.all.Append(nil, &a)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(false, b)
		} else {
			m := v.(sample.Msg)
			b, err := g.msg.Append(nil, &m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(true, b)
		}
	}
	f.Fuzz(func(t *testing.T, isMsg bool, b []byte) {
		if isMsg {
			same[sample.Msg](t, r.msg, g.msg, b)
		} else {
			same[sample.All](t, r.all, g.all, b)
		}
	})
}

// What cannot be written is refused with the same words.
func TestGeneratedEncodeRefuses(t *testing.T) {
	r, g := bothCodecs(t)
	loop := sample.Tree{}
	loop.Left = &loop
	var none sample.Msg
	for name, v := range map[string]sample.All{
		"text that is not UTF-8":   {Msg: sample.Text{Text: "\xff"}, Shape: sample.Circle{}},
		"a sum without a value":    {Shape: sample.Circle{}},
		"a cycle":                  {Msg: sample.Ping{}, Shape: sample.Circle{}, Tree: loop},
		"an unknown that is known": {Msg: sample.Ping{}, Shape: sample.OtherShape{Tag: 1}},
		"a pointer":                {Msg: &sample.Ping{}, Shape: sample.Circle{}},
	} {
		_, want := r.all.Append(nil, &v)
		if _, err := g.all.Append(nil, &v); text(err) != text(want) || !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%s: %v, by reflection %v", name, err, want)
		}
	}
	for _, v := range []any{nil, 7, none, &sample.Point{}, (*sample.All)(nil), sample.All{}} {
		if _, err := g.all.Append(nil, v); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%T: %v", v, err)
		}
		if err := g.all.Decode(nil, v); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%T: %v", v, err)
		}
	}
}

// TestB09StaleCodec has a codec refused whose types have changed since it was generated, and the sample's be what the
// generator writes.
func TestB09StaleCodec(t *testing.T) {
	var b schema.Builder
	b.Use(schema.GeneratedFor("of before", func(*wire.Encoder, *sample.Point) {}, func(*wire.Decoder, *sample.Point) {}))
	if _, err := b.Codec(reflect.TypeFor[sample.Point]()); !errors.Is(err, isthmus.ErrVersion) || !strings.Contains(err.Error(), "gen --lang go") {
		t.Errorf("a stale codec: %v", err)
	}
	if _, err := b.Codec(reflect.TypeFor[sample.Tree]()); err != nil {
		t.Errorf("a type without a generated codec: %v", err)
	}
	source, err := sample.New(bridge.Options{}).CodecSource()
	if err != nil {
		t.Fatal(err)
	}
	want, err := format.Source([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../internal/sample/zwire.go")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("go generate ./bridge/internal/sample (-want +got)\n%s", diff)
	}
}

func BenchmarkCodec(b *testing.B) {
	r, g := bothCodecs(b)
	full := sample.Values()[0].(sample.All)
	for _, c := range []struct {
		name  string
		codec *schema.Codec
		v     any
		into  func() any
	}{
		{"all/reflected", r.all, &full, func() any { return new(sample.All) }},
		{"all/generated", g.all, &full, func() any { return new(sample.All) }},
		{"pong/reflected", r.msg, ptrTo[sample.Msg](sample.Pong{Count: 7}), func() any { return new(sample.Msg) }},
		{"pong/generated", g.msg, ptrTo[sample.Msg](sample.Pong{Count: 7}), func() any { return new(sample.Msg) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var buf []byte
			var d wire.Decoder
			var e wire.Encoder
			var err error
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = c.codec.AppendWith(&e, buf[:0], c.v); err != nil {
					b.Fatal(err)
				}
				if err := c.codec.DecodeWith(&d, buf, c.into()); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func ptrTo[T any](v T) *T { return &v }
