// Package corpus reads testdata/corpus: 72 JAX functions as programs, with inputs, the results of XLA's CPU backend,
// and the tolerance within which another device agrees with them. The programs of the examples are there in the same form.
//
// A test takes the cases with [Load], runs each on its device, and asks [Case.Compare] about the outputs.
package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// Corpus is the manifest.
type Corpus struct {
	// Version is the StableHLO version of the artifacts.
	Version string
	// Cases are the 72 functions, Examples the programs of the folder examples with their own data.
	Cases, Examples []Case
}

// Spec is the type and shape of an argument or result of @main.
type Spec struct {
	DType dtype.Type
	Shape []int64
}

// Case is one function.
type Case struct {
	Name string
	// Class names the tolerance, as testdata/corpus/README.md explains.
	Class string
	// CustomCalls are the targets of the program's custom calls, all of them LAPACK's.
	CustomCalls []string
	Inputs      []Spec
	Outputs     []Spec

	base       string   // the path of the program without its ending
	in, out    []string // arrays: members of the archive base.npz, or files beside base when they end in .npy
	tolerances map[dtype.Type]tolerance
}

// tolerance is how far a value may be from the wanted one.
type tolerance struct{ relative, absolute float64 }

// Load reads the manifest. It looks for testdata/corpus in the current folder and those above it, which finds it from
// the tests of any package of this module.
func Load() (*Corpus, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	for {
		c, err := loadDir(filepath.Join(dir, "testdata", "corpus"))
		if !errors.Is(err, os.ErrNotExist) {
			return c, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, err
		}
		dir = parent
	}
}

// loadDir reads the manifest in dir.
func loadDir(dir string) (*Corpus, error) {
	text, err := os.ReadFile(filepath.Join(dir, "corpus.json"))
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	type spec struct {
		DType string
		Shape []int64
	}
	var m struct {
		Version    string                           `json:"bytecode_version"`
		Tolerances map[string]map[string][2]float64 `json:"tolerances"`
		Cases      []struct {
			Name        string
			Tolerance   string
			CustomCalls []string `json:"custom_calls"`
			Inputs      []spec
			Outputs     []spec
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("corpus: manifest: %w", err)
	}
	specs := func(all []spec) (out []Spec, err error) {
		for _, s := range all {
			t, err := dtype.Parse(s.DType)
			if err != nil {
				return nil, fmt.Errorf("corpus: manifest: %w", err)
			}
			out = append(out, Spec{t, s.Shape})
		}
		return out, nil
	}
	c := &Corpus{Version: m.Version}
	classes := map[string]map[dtype.Type]tolerance{}
	for _, e := range m.Cases {
		class, ok := m.Tolerances[e.Tolerance]
		if !ok {
			return nil, fmt.Errorf("corpus: manifest: %s: no tolerance %q", e.Name, e.Tolerance)
		}
		tolerances := map[dtype.Type]tolerance{}
		for name, v := range class {
			t, err := dtype.Parse(name)
			if err != nil {
				return nil, fmt.Errorf("corpus: manifest: %w", err)
			}
			tolerances[t] = tolerance{v[0], v[1]}
		}
		ins, err := specs(e.Inputs)
		if err != nil {
			return nil, err
		}
		outs, err := specs(e.Outputs)
		if err != nil {
			return nil, err
		}
		c.Cases = append(c.Cases, Case{
			Name: e.Name, Class: e.Tolerance, CustomCalls: e.CustomCalls, Inputs: ins, Outputs: outs,
			base: filepath.Join(dir, e.Name), in: numbered("in", len(ins)), out: numbered("out", len(outs)), tolerances: tolerances,
		})
		classes[e.Tolerance] = tolerances
	}
	examples := filepath.Join(dir, "..", "..", "examples")
	c.Examples = []Case{
		{
			Name: "examples/digits", Class: "accumulate",
			Inputs:  []Spec{{dtype.F32, []int64{1797, 8, 8}}},
			Outputs: []Spec{{dtype.F32, []int64{1797, 10}}, {dtype.I32, []int64{1797}}},
			base:    filepath.Join(examples, "digits", "digits"),
			in:      []string{"images.npy"}, out: []string{"logits.npy", "predictions.npy"},
		},
		{
			Name: "examples/transformer", Class: "exact",
			Inputs:  []Spec{{dtype.I32, []int64{32}}, {dtype.I32, nil}},
			Outputs: []Spec{{dtype.I32, []int64{128}}},
			base:    filepath.Join(examples, "transformer", "transformer"),
			in:      []string{"prompt.npy", "length.npy"}, out: []string{"tokens.npy"},
		},
	}
	for i := range c.Examples {
		c.Examples[i].tolerances = classes[c.Examples[i].Class]
	}
	return c, nil
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return names
}

// Text returns the program as JAX prints it.
func (c *Case) Text() ([]byte, error) { return os.ReadFile(c.base + ".mlir") }

// Bytecode returns the portable artifact as JAX hands it to a plugin.
func (c *Case) Bytecode() ([]byte, error) { return os.ReadFile(c.base + ".mlir.bc") }

// Arrays returns the arguments of @main and the results that XLA's CPU backend gave for them.
func (c *Case) Arrays() (inputs, want []npy.Array, err error) {
	var archive *npy.Archive
	defer func() { err = errors.Join(err, archive.Close()) }()
	read := func(names []string) ([]npy.Array, error) {
		arrays := make([]npy.Array, len(names))
		for i, name := range names {
			var err error
			if filepath.Ext(name) == ".npy" {
				arrays[i], err = npy.ReadFile(filepath.Join(filepath.Dir(c.base), name), npy.Options{})
			} else {
				if archive == nil {
					if archive, err = npy.OpenArchive(c.base+".npz", npy.Options{}); err != nil {
						return nil, err
					}
				}
				arrays[i], err = archive.Read(name)
			}
			if err != nil {
				return nil, err
			}
		}
		return arrays, nil
	}
	if inputs, err = read(c.in); err != nil {
		return nil, nil, err
	}
	if want, err = read(c.out); err != nil {
		return nil, nil, err
	}
	return inputs, want, nil
}
