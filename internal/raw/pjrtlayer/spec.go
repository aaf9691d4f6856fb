package pjrtlayer

import (
	_ "embed" // the spec
	"fmt"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

//go:embed pjrt.spec
var specText string

// argStructs are the argument structs of functions that share one with others, by the names that the spec gives them.
var argStructs = map[string]string{
	"Example.create":  "PJRT_ExampleExtension_CreateExampleExtensionCpp_Args",
	"Example.destroy": "PJRT_ExampleExtension_CreateExampleExtensionCpp_Args",
}

// Spec reads the spec of the PJRT C API.
var Spec = sync.OnceValues(func() (*layer.Spec, error) {
	structs := map[string]layer.Struct{}
	for _, l := range pjrtc.Layouts {
		s := layer.Struct{Size: l.Size}
		for _, f := range l.Fields {
			s.Fields = append(s.Fields, layer.Field{Name: f.Name, Offset: f.Offset})
		}
		structs[l.Name] = s
	}
	s, err := layer.Parse(specText, func(name string) (layer.Struct, bool) {
		if n, ok := argStructs[name]; ok {
			name = n
		} else if _, ok := structs[name+"_Args"]; ok {
			name += "_Args"
		}
		l, ok := structs[name]
		return l, ok
	})
	if err != nil {
		return nil, fmt.Errorf("pjrtlayer: %w", err)
	}
	s.Prefix = "PJRT_"
	return s, nil
})

// extFunc finds the spec of an extension's function.
func extFunc(s *layer.Spec, e pjrtc.Extension, f pjrtc.ExtensionFunc) *layer.Func {
	if fn := s.Funcs[e.Name+"."+f.Name]; fn != nil {
		return fn
	}
	return s.Funcs[strings.TrimSuffix(f.Args, "_Args")]
}

// Rules lists the ids of the rules.
func Rules() []string {
	var out []string
	for _, r := range append(layer.Rules(), wrongClient, donatedTwice) {
		out = append(out, "pjrt/"+r)
	}
	return out
}
