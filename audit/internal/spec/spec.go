// Package spec holds what the auditor knows about C libraries: who owns what their functions give and take. The
// knowledge stands in the text files of folder lib, one a library:
//
//	new strdup free         strdup gives memory that the caller frees with free
//	out sqlite3_open 1 sqlite3_close    its argument 1 points to where it puts an object of the caller's
//	borrows puts 0          argument 0 is used until puts returns; * means every argument
//	takes putenv 0          argument 0 belongs to the library from then on
//	retains setvbuf 1       argument 1 is kept after the call
//	frees fclose 0          argument 0 is freed
//	text puts 0             argument 0 must end with a NUL byte
//	lasterror dlerror       tells about the last call of the same thread
//	status MPI_Send         the result says whether the call worked
//	length sqlite3_value_bytes     the result is signed and never negative
//
// Its headers declare functions, for Go that calls them without cgo.
package spec

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
)

//go:embed lib/*.txt lib/*.h
var lib embed.FS

// Book is all that the files say.
type Book struct {
	New       map[string]string // function that gives an object -> function that frees it
	Out       map[string]Out    // the same, through a parameter
	LastError map[string]bool   // functions that tell of the last call
	Status    map[string]bool   // functions whose result is a status
	Length    map[string]bool   // functions whose signed result is never negative
	Libraries []string          // the files' names
	roles     map[string]map[int]ctext.Role
	text      map[string]map[int]bool
	Free      map[string]bool // functions that free their first argument
	Headers   []string        // C text that declares functions
	affine    []string        // the beginnings of names of functions that want one thread
}

// Out is an object that a function gives through a parameter.
type Out struct {
	Arg  int
	Free string
}

// Load reads the files.
func Load() (*Book, error) { return read(lib) }

func read(files fs.FS) (*Book, error) {
	b := &Book{
		New: map[string]string{}, Out: map[string]Out{}, LastError: map[string]bool{}, Status: map[string]bool{}, Length: map[string]bool{},
		roles: map[string]map[int]ctext.Role{}, text: map[string]map[int]bool{}, Free: map[string]bool{},
	}
	names, err := fs.Glob(files, "lib/*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		b.Libraries = append(b.Libraries, strings.TrimSuffix(name[len("lib/"):], ".txt"))
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line, _, _ = strings.Cut(line, "#")
			if f := strings.Fields(line); len(f) > 0 && !b.line(f) {
				return nil, fmt.Errorf("spec: %s:%d: not understood: %s", name, n, strings.TrimSpace(line))
			}
		}
	}
	headers, err := fs.Glob(files, "lib/*.h")
	if err != nil {
		return nil, err
	}
	for _, name := range headers {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		b.Headers = append(b.Headers, string(text))
	}
	return b, nil
}

func (b *Book) line(f []string) bool {
	role := map[string]ctext.Role{"borrows": ctext.Borrows, "takes": ctext.Takes, "retains": ctext.Retains, "frees": ctext.Frees}[f[0]]
	switch {
	case f[0] == "new" && len(f) == 3:
		b.New[f[1]] = f[2]
		b.Free[f[2]] = true
	case f[0] == "out" && len(f) == 4:
		i, err := strconv.Atoi(f[2])
		if err != nil {
			return false
		}
		b.Out[f[1]] = Out{i, f[3]}
		b.Free[f[3]] = true
	case f[0] == "lasterror" && len(f) == 2:
		b.LastError[f[1]] = true
	case f[0] == "affine" && len(f) >= 2:
		b.affine = append(b.affine, f[1:]...)
	case f[0] == "length" && len(f) == 2:
		b.Length[f[1]] = true
	case f[0] == "status" && len(f) >= 2:
		for _, fn := range f[1:] {
			b.Status[fn] = true
		}
	case (role != 0 || f[0] == "text") && len(f) >= 3:
		for _, a := range f[2:] {
			i := -1
			if a != "*" {
				var err error
				if i, err = strconv.Atoi(a); err != nil {
					return false
				}
			}
			if f[0] == "text" {
				if b.text[f[1]] == nil {
					b.text[f[1]] = map[int]bool{}
				}
				b.text[f[1]][i] = true
				continue
			}
			if b.roles[f[1]] == nil {
				b.roles[f[1]] = map[int]ctext.Role{}
			}
			b.roles[f[1]][i] = role
			if role == ctext.Frees && i == 0 {
				b.Free[f[1]] = true
			}
		}
	default:
		return false
	}
	return true
}

// Role says what function name does with argument i.
func (b *Book) Role(name string, i int) ctext.Role {
	if r, ok := b.roles[name][i]; ok {
		return r
	}
	if r, ok := b.roles[name][-1]; ok {
		return r
	}
	if i == 0 && b.Free[name] {
		return ctext.Frees
	}
	return ctext.Unknown
}

// Affine reports whether function name belongs to a library that wants one thread. In a spec file, gl* stands for all names that
// begin with gl and a capital letter.
func (b *Book) Affine(name string) bool {
	return slices.ContainsFunc(b.affine, func(a string) bool {
		prefix, all := strings.CutSuffix(a, "*")
		rest, ok := strings.CutPrefix(name, prefix)
		return ok && (rest == "" || all && rest[0] >= 'A' && rest[0] <= 'Z')
	})
}

// Text reports whether argument i of function name must end with a NUL byte.
func (b *Book) Text(name string, i int) bool { return b.text[name][i] }
