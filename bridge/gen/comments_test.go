package gen_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

func parsed(t *testing.T) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(`isthmus-bridge 1
bridge docs 0
struct Blob data:bytes urlPath:utf8 count:u32
sum Msg Ping Blob
struct Ping
call behind Ping Ping
call echo Msg Msg
call named Blob Blob
call plain Blob Blob
cast tell Blob
event tick Ping
`)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const documented = `package docs

import (
	"context"

	br "github.com/isthmus-ffi/isthmus/bridge"
)

// Blob is some bytes.
//
// There is more to it.
type Blob struct {
	Data    []byte // whatever they are
	// URLPath is where.
	URLPath string
	Count   uint32
}

type (
	// Ping is nothing.
	Ping struct{}
	// Msg is one of two.
	Msg interface{ msg() }
)

// handle answers.
func handle(_ context.Context, b Blob) (Blob, error) { return b, nil }

func New() *br.Bridge {
	b := br.New(br.Options{}) // of nothing that follows
	br.Call(b, "plain", func(context.Context, Blob) (Blob, error) { return Blob{}, nil })
	// Says it again,
	// whatever it is.
	br.Call(b, "echo", func(_ context.Context, m Msg) (Msg, error) {
		return m, nil // inside
	})
	br.Call[Ping, Ping](b, "behind", nil) // It is behind.
	br.Call(b, "named", handle)

	// Not of tell.

	br.Cast(b, "tell", func(context.Context, Blob) error { return nil })
	/* Time passes. */
	ticks := br.Event[Ping](b, "tick", br.Block)
	// Other things.
	other.Call(b, "plain", nil)
	br.Call(b, "unknown", nil)
	br.Call(b)
	_ = ticks
	return b
}
`

// TestComments finds those of types, fields and methods, and none that belong to something else.
func TestComments(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(first, "a.go"):      documented,
		filepath.Join(first, "a_test.go"): "package docs\n\n// Blob is of a test.\ntype Blob struct{ Data, URLPath, Count int }\n",
		filepath.Join(first, "bad.go"):    "package docs\n\n// Msg is\ntype Msg interface{",
		filepath.Join(second, "b.go"): "package other\n\n// Ping is of another, with fields.\ntype Ping struct{ A int }\n\n// Msg is no sum.\ntype Msg struct{}\n\n" +
			"// Blob is the second.\ntype Blob struct {\n\tData, URLPath string\n\t// Count is only here.\n\tCount int\n}\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"Blob": "Blob is some bytes.\n\nThere is more to it.", "Blob.data": "whatever they are", "Blob.urlPath": "URLPath is where.",
		"Blob.count": "Count is only here.", "Ping": "Ping is nothing.", "Msg": "Msg is one of two.", "echo": "Says it again,\nwhatever it is.",
		"behind": "It is behind.", "named": "handle answers.", "tick": "Time passes.",
	}
	s := parsed(t)
	before := s.Fingerprint()
	if err := gen.Comments(s, first, second, filepath.Join(second, "none")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Docs); diff != "" {
		t.Error(diff)
	}
	if s.Fingerprint() != before {
		t.Error("comments are part of what both sides must agree on")
	}
	if gen.Comments(nil, first) == nil {
		t.Error("comments of nothing")
	}
	for language, lines := range map[string][]string{
		"c":       {"/* Says it again,\n * whatever it is.\n *\n * call echo Msg Msg */\nstatic inline int32_t docs_echo_call(", "  /* whatever they are */\n  br_bytes data;", "/* Msg is one of two.\n *\n * It has at least 1 bytes on the wire. */\nstruct docs_Msg {"},
		"haskell": {"-- | Says it again,\n-- whatever it is.\n--\n-- call echo Msg Msg\nmEcho ::", "  { blobData :: !W.ByteString\n    -- ^ whatever they are\n", "-- | Blob is some bytes.\n--\n-- There is more to it.\n--\n-- It has at least 20 bytes on the wire.\ndata Blob"},
		"python":  {"        \"\"\"Says it again,\n        whatever it is.\n\n        call echo Msg Msg\n        \"\"\"\n", "    #: whatever they are\n    data: bytes", "    #: Count is only here.\n    #: u32: 0 to 4294967295\n    count: int", "#: Msg is one of two.\n"},
		"rust":    {"    /// Says it again,\n    /// whatever it is.\n    ///\n    /// call echo Msg Msg\n    pub const ECHO", "    /// whatever they are\n    pub data", "/// Msg is one of two.\n///\n"},
	} {
		f, err := gen.Generate(language, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if !strings.Contains(f.Text, l) {
				t.Errorf("%s has no\n%s\nin\n%s", language, l, f.Text)
			}
		}
	}
}
