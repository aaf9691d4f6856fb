package objc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

func TestM17Encodings(t *testing.T) {
	for in, want := range map[string]string{
		"v24@0:8Q16":                     "v @ : Q",
		"@48@0:8{MTLSize=QQQ}16@?40":     "@ @ : {MTLSize=QQQ} @?",
		"@\"NSString\"16@0:8":            "@ @ :",
		"v24@0:8@?<v@?@\"MTLBuffer\">16": "v @ : @?",
		"^v16@0:8":                       "^v @ :",
		"r*16@0:8":                       "* @ :",
		"v@:^{_NSZone=}@":                "v @ : ^{_NSZone=} @",
		"{?=\"x\"Q\"y\"Q}16@0:8":         "{?=QQ} @ :",
		"v@:[4f]b3":                      "v @ : [4f] b3",
		"(u=if)@:":                       "(u=if) @ :",
		"v@:o^@":                         "v @ : ^@",
		"":                               "",
	} {
		got, err := objc.Split(in)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"{", "{?=", "{?=Q", "[", "[3", "[3Q", "b", "^", "@\"", "@?<v@", "!", "r", "{?=\"x}", strings.Repeat("^", 100) + "v"} {
		if got, err := objc.Split(in); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, c := range []struct {
		want, have string
		same       bool
	}{
		{"Q", "Q", true},
		{"Q", "I", false},
		{"Q", "q", false},
		{"d", "f", false},
		{"B", "c", true},
		{"B", "C", true},
		{"{?=QQQ}", "{MTLOrigin=QQQ}", true},
		{"{?=QQQ}", "{MTLOrigin=QQ}", false},
		{"@", "#", true},
		{"@?", "^v", true},
		{"^v", "@", false},
		{"^@", "^^v", true},
		{"f", "Q", false},
	} {
		if objc.Same(c.want, c.have) != c.same {
			t.Errorf("Same(%s, %s) = %v", c.want, c.have, !c.same)
		}
	}
}

// FuzzM17Split: whatever a runtime says, the answer is types or an error, and types of types are themselves.
func FuzzM17Split(f *testing.F) {
	for _, s := range []string{"v24@0:8Q16", "@48@0:8{MTLSize=QQQ}16@?40", "{?=\"x\"[3^{a}]b2}@:@\"N\"", "(u=if)@:@?<v@?>", "{{{", "[9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, err := objc.Split(s)
		if err != nil {
			if !errors.Is(err, isthmus.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, p := range parts {
			again, err := objc.Split(p)
			if err != nil || len(again) != 1 || again[0] != p || !objc.Same(p, again[0]) {
				t.Fatalf("%q has the part %q, which is %q, %v", s, p, again, err)
			}
		}
	})
}
