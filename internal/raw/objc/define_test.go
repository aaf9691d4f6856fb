package objc_test

import (
	"math"
	"structs"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// The rows of a double that is written in Go, and needs no Objective-C compiler: argument kinds that Metal has.
const (
	rowInit objc.Row = iota
	rowSolve
	rowOrigin
	rowGrid
	rowRange
	rowOffsets
	rowNine
	rowFloats
	rowDouble
	rowTold
	rowWrong
)

var doubleFacts = []objc.Fact{
	{Class: "GoDouble", Selector: "init", Encoding: "@@:", Retained: true},
	{Class: "GoDouble", Selector: "initWithDevice:transposeLeft:transposeRight:resultRows:resultColumns:interiorColumns:alpha:beta:", Encoding: "@@:@BBQQQdd", Retained: true},
	{Class: "GoDouble", Selector: "setOrigin:", Encoding: "v@:{?=QQQ}"},
	{Class: "GoDouble", Selector: "dispatch:threads:", Encoding: "v@:{?=QQQ}{?=QQQ}"},
	{Class: "GoDouble", Selector: "didModifyRange:", Encoding: "v@:{_NSRange=QQ}"},
	{Class: "GoDouble", Selector: "copy:to:offsets:", Encoding: "v@:@@{?=IIII}"},
	{Class: "GoDouble", Selector: "nine:b:c:d:e:f:g:h:alpha:", Encoding: "q@:QQQQQQQQd"},
	{Class: "GoDouble", Selector: "set:a:b:c:", Encoding: "v@:ifff"},
	{Class: "GoDouble", Selector: "time", Encoding: "d@:"},
	{Class: "GoDouble", Selector: "tell:", Encoding: "v@:@?"},
	{Class: "GoDouble", Selector: "wrong:", Encoding: "v@:d"},
}

// got is what the double's methods were called with.
var got struct {
	words []uintptr
	float []float64
}

type three struct {
	_       structs.HostLayout
	X, Y, Z uint64
}

type two struct {
	_    structs.HostLayout
	X, Y uint64
}

type ints struct {
	_          structs.HostLayout
	A, B, C, D uint32
}

// define registers the class once.
var define = sync.OnceValue(func() error {
	r, err := objc.Open()
	if err != nil {
		return err
	}
	var methods []objc.Method
	add := func(row objc.Row, fn any) {
		if err != nil {
			return
		}
		var f call.Fn
		f, err = cb.Static(fn)
		methods = append(methods, objc.Method{Selector: doubleFacts[row].Selector, Encoding: doubleFacts[row].Encoding, Fn: f})
	}
	tell := func(float []float64, words ...uintptr) { got.words, got.float = words, float }
	add(rowSolve, func(self, cmd, dev uintptr, l, r bool, m, n, k uint64, a, b float64) uintptr {
		w := []uintptr{dev, 0, 0, uintptr(m), uintptr(n), uintptr(k)}
		if l {
			w[1] = 1
		}
		if r {
			w[2] = 1
		}
		tell([]float64{a, b}, w...)
		return self
	})
	add(rowOrigin, func(self, cmd uintptr, o three) { tell(nil, uintptr(o.X), uintptr(o.Y), uintptr(o.Z)) })
	add(rowGrid, func(self, cmd uintptr, g, t three) {
		tell(nil, uintptr(g.X), uintptr(g.Y), uintptr(g.Z), uintptr(t.X), uintptr(t.Y), uintptr(t.Z))
	})
	add(rowRange, func(self, cmd uintptr, r two) { tell(nil, uintptr(r.X), uintptr(r.Y)) })
	add(rowOffsets, func(self, cmd, a, b uintptr, o ints) {
		tell(nil, a, b, uintptr(o.A), uintptr(o.B), uintptr(o.C), uintptr(o.D))
	})
	add(rowNine, func(self, cmd, a, b, c, d, e, f, g, h uintptr, x float64) uintptr {
		tell([]float64{x}, a, b, c, d, e, f, g, h)
		return ^uintptr(6) // -7
	})
	add(rowFloats, func(self, cmd uintptr, i int32, a, b, c float32) {
		tell([]float64{float64(a), float64(b), float64(c)}, uintptr(i))
	})
	add(rowTold, func(self, cmd uintptr, block uintptr) { tell(nil, block) })
	if err != nil {
		return err
	}
	wrong, err := cb.Static(func(self, cmd uintptr) {})
	if err != nil {
		return err
	}
	methods = append(methods, objc.Method{Selector: "wrong:", Encoding: "v@:@", Fn: wrong})
	return r.Define("GoDouble", "NSObject", methods...)
})

func TestM17ArgumentsOfEveryKind(t *testing.T) {
	r := open(t)
	if err := define(); err != nil {
		t.Fatal(err)
	}
	table, err := r.Bind(doubleFacts)
	if err != nil {
		t.Fatal(err)
	}
	c := class(t, table, "GoDouble")
	var problems []string
	for _, p := range table.Problems() {
		problems = append(problems, p.Selector)
	}
	if len(problems) != 2 || problems[0] != "time" || problems[1] != "wrong:" {
		t.Errorf("problems: %q", problems)
	}
	pool(t, r, func(p *objc.Pool) error {
		var o objc.Object
		if err := p.New(&o, c, rowSolve, objc.Obj(nil), objc.Bool(true), objc.Bool(false), objc.Uint(2), objc.Uint(3), objc.Uint(4), objc.F64(1.5), objc.F64(-2)); err != nil {
			return err
		}
		defer o.Close()
		for _, c := range []struct {
			row   objc.Row
			args  []objc.Arg
			words []uintptr
			float []float64
		}{
			{row: -1, words: []uintptr{0, 1, 0, 2, 3, 4}, float: []float64{1.5, -2}},
			{row: rowOrigin, args: []objc.Arg{objc.Size(5, 6, 7)}, words: []uintptr{5, 6, 7}},
			{row: rowGrid, args: []objc.Arg{objc.Size(1, 2, 3), objc.Size(4, 5, 6)}, words: []uintptr{1, 2, 3, 4, 5, 6}},
			{row: rowRange, args: []objc.Arg{objc.Range(8, 9)}, words: []uintptr{8, 9}},
			{row: rowOffsets, args: []objc.Arg{objc.Obj(nil), objc.Obj(nil), objc.Offsets(1, 2, 3, 4)}, words: []uintptr{0, 0, 1, 2, 3, 4}},
			{row: rowNine, args: []objc.Arg{
				objc.Uint(1), objc.Uint(2), objc.Uint(3), objc.Uint(4), objc.Uint(5), objc.Uint(6), objc.Uint(7), objc.Uint(8), objc.F64(math.Pi),
			}, words: []uintptr{1, 2, 3, 4, 5, 6, 7, 8}, float: []float64{math.Pi}},
			{row: rowFloats, args: []objc.Arg{objc.I32(-1), objc.F32(1), objc.F32(0.5), objc.F32(-3)}, words: []uintptr{math.MaxUint64}, float: []float64{1, 0.5, -3}},
		} {
			if c.row >= 0 {
				got.words, got.float = nil, nil
				n, err := p.Uint(&o, c.row, c.args...)
				if err != nil {
					return err
				}
				if c.row == rowNine && int64(n) != -7 {
					t.Errorf("a negative result: %d", int64(n))
				}
			}
			for i := range max(len(c.words), len(got.words)) {
				if i >= len(c.words) || i >= len(got.words) || c.words[i] != got.words[i] {
					t.Errorf("row %d: %v, want %v", c.row, got.words, c.words)
					break
				}
			}
			for i := range c.float {
				if i >= len(got.float) || c.float[i] != got.float[i] {
					t.Errorf("row %d: %v, want %v", c.row, got.float, c.float)
				}
			}
		}
		if err := p.Do(&o, rowWrong, objc.F64(1)); err == nil {
			t.Error("a method with other types was called")
		}
		if err := p.Do(&o, rowOrigin, objc.Size(-1, 0, 0)); err == nil {
			t.Error("a negative origin was passed")
		}
		return nil
	})
}

// TestBlocks calls a block as a completion handler's caller does, on a foreign thread's behalf, and after it was taken back.
func TestBlocks(t *testing.T) {
	r := open(t)
	if err := define(); err != nil {
		t.Fatal(err)
	}
	table, err := r.Bind(doubleFacts)
	if err != nil {
		t.Fatal(err)
	}
	c := class(t, table, "GoDouble")
	pool(t, r, func(p *objc.Pool) error {
		var o objc.Object
		if err := p.New(&o, c, rowSolve, objc.Obj(nil), objc.Bool(true), objc.Bool(false), objc.Uint(2), objc.Uint(3), objc.Uint(4), objc.F64(1.5), objc.F64(-2)); err != nil {
			return err
		}
		defer o.Close()
		for range 1000 {
			done := make(chan struct{})
			b, err := r.Arm(func() { close(done) })
			if err != nil {
				return err
			}
			if err := p.Do(&o, rowTold, b.Arg()); err != nil {
				return err
			}
			invoke(got.words[0])
			<-done
			if b.Disarm() {
				t.Error("a block that was called was taken back")
			}
			before := cb.Strays()
			invoke(got.words[0]) // twice
			if cb.Strays() != before+1 {
				t.Error("a second call is no stray")
			}
		}
		armed := cb.Armed()
		b, err := r.Arm(func() { t.Error("a block that was taken back ran") })
		if err != nil {
			return err
		}
		if err := p.Do(&o, rowTold, b.Arg()); err != nil {
			return err
		}
		if !b.Disarm() || cb.Armed() != armed {
			t.Error("the block is not taken back")
		}
		invoke(got.words[0])
		return nil
	})
}
