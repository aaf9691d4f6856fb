// Package corpus reads testdata/corpus: 72 JAX functions as programs, with inputs, the results of XLA's CPU backend,
// and the tolerance within which another device agrees with them.
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
	Cases   []Case
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

	dir        string
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
		c, err := LoadDir(filepath.Join(dir, "testdata", "corpus"))
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

// LoadDir reads the manifest in dir.
func LoadDir(dir string) (*Corpus, error) {
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
		c.Cases = append(c.Cases, Case{e.Name, e.Tolerance, e.CustomCalls, ins, outs, dir, tolerances})
	}
	return c, nil
}

// Text returns the program as JAX prints it.
func (c *Case) Text() ([]byte, error) { return os.ReadFile(filepath.Join(c.dir, c.Name+".mlir")) }

// Bytecode returns the portable artifact as JAX hands it to a plugin.
func (c *Case) Bytecode() ([]byte, error) { return os.ReadFile(filepath.Join(c.dir, c.Name+".mlir.bc")) }

// Arrays returns the arguments of @main and the results that XLA's CPU backend gave for them.
func (c *Case) Arrays() (inputs, want []npy.Array, err error) {
	if len(c.Inputs)+len(c.Outputs) == 0 {
		return nil, nil, nil
	}
	z, err := npy.OpenArchive(filepath.Join(c.dir, c.Name+".npz"), npy.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer z.Close()
	read := func(prefix string, specs []Spec) ([]npy.Array, error) {
		arrays := make([]npy.Array, len(specs))
		for i := range specs {
			if arrays[i], err = z.Read(fmt.Sprint(prefix, i)); err != nil {
				return nil, err
			}
		}
		return arrays, nil
	}
	if inputs, err = read("in", c.Inputs); err != nil {
		return nil, nil, err
	}
	want, err = read("out", c.Outputs)
	return inputs, want, err
}
