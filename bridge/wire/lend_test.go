package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

// Bytes are in memory of their own, or parts of the message that end where they do.
func TestLend(t *testing.T) {
	for _, lend := range []bool{false, true} {
		var e wire.Encoder
		e.Bytes([]byte("first"))
		e.Bytes(nil)
		part := e.Part()
		e.Raw([]byte("rest"))
		e.End(part)
		e.Bytes([]byte("last"))
		e.String("text")
		msg, err := e.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var d wire.Decoder
		if lend {
			d.Lend()
		}
		for range 2 { // it lends after Reset too
			message := append([]byte(nil), msg...)
			d.Reset(message)
			first, none := d.Bytes(), d.Bytes()
			outer := d.Part()
			rest := d.Skip()
			d.End(outer, false)
			last, text := d.Bytes(), d.String()
			if err := d.Finish(); err != nil || none != nil {
				t.Fatal(err, none)
			}
			_, _ = append(first, '!'), append(rest, '!') // what follows is not theirs
			clear(message[8:13])
			want := []string{"first", "rest", "last", "text"}
			if lend {
				want[0] = "\x00\x00\x00\x00\x00"
			}
			if diff := cmp.Diff(want, []string{string(first), string(rest), string(last), text}); diff != "" {
				t.Errorf("lend %v: %s", lend, diff)
			}
			clear(message)
			if text != "text" || lend != (last[0] == 0) || lend != (rest[0] == 0) {
				t.Errorf("lend %v: %q %q %q", lend, text, last, rest)
			}
		}
	}
}
