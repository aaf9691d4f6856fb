package sample

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"

	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

func ptr[T any](v T) *T { return &v }

// Values are valid messages of All and Msg.
func Values() []any {
	blob := Blob{
		Data: []byte{0, 1, 255}, Tags: []uint32{1, 1 << 31}, At: Point{-0.5, math.Inf(1)}, Note: "grüße, 世界 \U0001F600\x00",
		Opt: ptr(uint16(7)), Path: []Point{{1, 2}, {3, 4}}, Names: []string{"", "a"},
	}
	tree := Tree{1, []Tree{{2, nil, nil}, {3, []Tree{{4, nil, nil}}, &Tree{Value: 5}}}, &Tree{Value: 6}}
	var pings []*Msg
	var msg Msg = Ping{}
	pings = append(pings, nil, &msg)
	full := All{
		Numbers: Numbers{255, 65535, 1 << 31, 1 << 63, -128, -32768, math.MinInt32, math.MinInt64, -1.5, math.MaxFloat64, true, 9},
		Blob:    blob, Msg: blob, Shape: Polygon{[]Point{{1, 1}}}, Tree: tree,
		Growing: Growing{ID: 1, Note: ptr("more"), More: &Point{1, 2}}, Deep: []*[]*Msg{nil, {}, &pings},
	}
	least := All{Msg: Ping{}, Shape: Circle{1}}
	other := least
	other.Shape = OtherShape{Tag: 200, Data: []byte{1, 2, 3}}
	other.Msg = Text{"x"}
	other.Growing = Growing{ID: 2, More: &Point{}}
	return []any{full, least, other, Msg(Ping{}), Msg(Pong{1 << 40}), Msg(Text{"text"}), Msg(blob)}
}

// Codecs are those of All and of Msg, by reflection.
func Codecs() (all, msg *schema.Codec, err error) { return codecs(&schema.Builder{}) }

//go:generate go run ../../../cmd/isthmus bridge gen --lang go ../samplelib

// Generated are those of All and of Msg that were generated.
func Generated() (all, msg *schema.Codec, err error) {
	var b schema.Builder
	b.Use(wireCodecs()...)
	return codecs(&b)
}

func codecs(b *schema.Builder) (all, msg *schema.Codec, err error) {
	if err := b.Sum(reflect.TypeFor[Msg](), nil, Ping{}, Pong{}, Text{}, Blob{}); err != nil {
		return nil, nil, err
	}
	if err := b.Sum(reflect.TypeFor[Shape](), OtherShape{}, Circle{}, Polygon{}); err != nil {
		return nil, nil, err
	}
	if all, err = b.Codec(reflect.TypeFor[All]()); err != nil {
		return nil, nil, err
	}
	msg, err = b.Codec(reflect.TypeFor[Msg]())
	return all, msg, err
}

// Case is a message and what every decoder must make of it.
type Case struct {
	Msg   bool // of Msg, not of All
	Bytes []byte
	Again []byte // what the decoded value is written as; nil: it is refused
}

// Corpus is messages, most of them hostile, with Go's verdict.
func Corpus() ([]Case, error) {
	all, msg, err := Codecs()
	if err != nil {
		return nil, err
	}
	var cases []Case
	add := func(isMsg bool, b []byte) {
		c := Case{Msg: isMsg, Bytes: b}
		var err error
		if isMsg {
			var v Msg
			if err = msg.Decode(b, &v); err == nil {
				c.Again, err = msg.Append([]byte{}, &v)
			}
		} else {
			var v All
			if err = all.Decode(b, &v); err == nil {
				c.Again, err = all.Append([]byte{}, &v)
			}
		}
		if err == nil && c.Again == nil {
			c.Again = []byte{}
		}
		cases = append(cases, c)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range Values() {
		var b []byte
		a, isAll := v.(All)
		if isAll {
			b, err = all.Append(nil, &a)
		} else {
			m := v.(Msg)
			b, err = msg.Append(nil, &m)
		}
		if err != nil {
			return nil, err
		}
		put := func(b []byte) { add(!isAll, b) }
		put(b)
		put(append(append([]byte(nil), b...), 0))
		for i := range b {
			put(append([]byte(nil), b[:i]...))
			for _, x := range []byte{1, 2, 0x80, 0xff} {
				c := append([]byte(nil), b...)
				c[i] ^= x
				put(c)
			}
			if i+8 <= len(b) {
				for _, n := range []uint64{math.MaxUint64, 1 << 63, 1 << 61, 1 << 32, uint64(len(b)) + 1} {
					c := append([]byte(nil), b...)
					binary.LittleEndian.PutUint64(c[i:], n)
					put(c)
				}
			}
		}
		for range 200 {
			c := append([]byte(nil), b...)
			for range 1 + r.IntN(4) {
				c[r.IntN(len(c))] = byte(r.Uint32())
			}
			put(c)
		}
	}
	// A tree of trees, as deep as may be and deeper.
	for _, depth := range []int{62, 63, 64, 65, 5000} {
		v := All{Msg: Ping{}, Shape: Circle{}}
		head, err := all.Append(nil, &v)
		if err != nil {
			return nil, err
		}
		// ... tree: value u32, kids u64 0, left opt; growing: u64 length, u32, two opts; deep: u64 0
		tail := 8 + 8 + 4 + 2
		b := append([]byte(nil), head[:len(head)-tail-1-8-4]...)
		for range depth {
			b = append(b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
		}
		b = append(b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		add(false, append(b, head[len(head)-tail:]...))
	}
	return cases, nil
}

// Encode writes a corpus for the hosts of other languages: for each case u8 isMsg, u8 accepted, u64 length and bytes, and
// when it is accepted u64 length and the bytes again.
func Encode(cases []Case) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(cases)))
	flag := func(b bool) {
		if b {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	for _, c := range cases {
		flag(c.Msg)
		flag(c.Again != nil)
		out = append(binary.LittleEndian.AppendUint64(out, uint64(len(c.Bytes))), c.Bytes...)
		if c.Again != nil {
			out = append(binary.LittleEndian.AppendUint64(out, uint64(len(c.Again))), c.Again...)
		}
	}
	return out
}
