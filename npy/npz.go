package npy

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	// maxCompressed is how large a compressed array may be when Options.MaxBytes is 0.
	maxCompressed = 2 << 30
	// maxRatio is the most that deflate can shrink: one bit for each of two codes that stand for 258 bytes.
	maxRatio = 1032
)

// Archive is an open .npz file: a zip file of .npy files. Its methods are safe for concurrent use.
// The zero value is inert; Close releases the file.
type Archive struct {
	opts    Options
	names   []string
	members map[string]*zip.File
	size    int64
	file    *os.File
}

// OpenArchive opens a .npz file. The caller closes it.
func OpenArchive(path string, opts Options) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("npy: %w", err)
	}
	a, err := NewArchive(f, info.Size(), opts)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w (file %s)", err, path)
	}
	a.file = f
	return a, nil
}

// NewArchive reads the directory of an archive of size bytes. Members that are not .npy files are left out.
func NewArchive(r io.ReaderAt, size int64, opts Options) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("npy: archive: %w: %w", err, ErrFormat)
	}
	a := &Archive{opts: opts, size: size, members: map[string]*zip.File{}}
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		if a.members[name] != nil {
			return nil, fmt.Errorf("npy: archive holds %.60q twice: %w", f.Name, ErrFormat)
		}
		a.names = append(a.names, name)
		a.members[name] = f
	}
	return a, nil
}

// Names returns the names of the arrays, without ".npy", in the order of the archive's directory.
func (a *Archive) Names() []string {
	if a == nil {
		return nil
	}
	return slices.Clone(a.names)
}

// Read reads the array of that name. An array that is not there is an error that is [os.ErrNotExist].
func (a *Archive) Read(name string) (Array, error) {
	if a == nil {
		a = &Archive{}
	}
	f := a.members[name]
	if f == nil {
		return Array{}, fmt.Errorf("npy: archive holds no array %.60q (it holds %s): %w", name, some(a.names), os.ErrNotExist)
	}
	arr, err := a.read(f)
	if err != nil {
		return Array{}, fmt.Errorf("%w (archive member %.60q)", err, f.Name)
	}
	return arr, nil
}

func (a *Archive) read(f *zip.File) (Array, error) {
	opts := a.opts
	declared, compressed := f.UncompressedSize64, f.CompressedSize64
	if compressed > uint64(a.size) {
		return Array{}, fmt.Errorf("npy: %d compressed bytes in a file of %d: %w", compressed, a.size, ErrFormat)
	}
	switch {
	case f.Flags&1 != 0:
		return Array{}, fmt.Errorf("npy: encrypted: %w", ErrFormat)
	case f.Method == zip.Store && declared != compressed:
		return Array{}, fmt.Errorf("npy: stored as %d bytes, but %d are declared: %w", compressed, declared, ErrFormat)
	case f.Method == zip.Deflate:
		if declared > compressed*maxRatio+maxRatio {
			return Array{}, fmt.Errorf("npy: %d bytes declared, more than %d compressed bytes can hold: %w", declared, compressed, ErrFormat)
		}
		if opts.MaxBytes == 0 {
			opts.MaxBytes = maxCompressed
		}
	case f.Method != zip.Store:
		return Array{}, fmt.Errorf("npy: compression method %d; stored and deflated are read: %w", f.Method, ErrFormat)
	}
	r, err := f.Open()
	if err != nil {
		return Array{}, fmt.Errorf("npy: %w: %w", err, ErrFormat)
	}
	defer r.Close()
	arr, err := read(zipErrors{r}, int64(declared), f.Method == zip.Store, opts)
	if err != nil {
		return Array{}, err
	}
	// The checksum is compared when the end is reached.
	if n, err := io.Copy(io.Discard, zipErrors{r}); err != nil {
		return Array{}, err
	} else if n > 0 {
		return Array{}, fmt.Errorf("npy: more data than declared: %w", ErrFormat)
	}
	return arr, nil
}

// zipErrors marks damage that the zip and deflate readers find as ErrFormat.
type zipErrors struct{ r io.Reader }

func (z zipErrors) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	var corrupt flate.CorruptInputError
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.As(err, &corrupt) {
		err = fmt.Errorf("npy: %w: %w", err, ErrFormat)
	}
	return n, err
}

// Close releases the file of an archive made by OpenArchive; arrays that were read stay valid. It may be called again.
func (a *Archive) Close() error {
	if a == nil || a.file == nil {
		return nil
	}
	if err := a.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
}

// Entry is one array of an archive to write.
type Entry struct {
	Name  string // without ".npy"
	Array Array
}

// WriteArchive writes the entries in their order, stored, or deflated when compress is set.
func WriteArchive(w io.Writer, entries []Entry, compress bool) error {
	if err := checkEntries(entries); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	method := zip.Store
	if compress {
		method = zip.Deflate
	}
	for _, e := range entries {
		m, err := z.CreateHeader(&zip.FileHeader{Name: e.Name + ".npy", Method: method})
		if err != nil {
			return fmt.Errorf("npy: write: %w", err)
		}
		if err := Write(m, e.Array); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("npy: write: %w", err)
	}
	return nil
}

// WriteArchiveFile writes a .npz file that is there completely or not at all.
func WriteArchiveFile(path string, entries []Entry, compress bool) error {
	if err := checkEntries(entries); err != nil {
		return err
	}
	return writeFile(path, func(w io.Writer) error { return WriteArchive(w, entries, compress) })
}

func checkEntries(entries []Entry) error {
	seen := map[string]bool{}
	for i, e := range entries {
		if e.Name == "" || seen[e.Name] {
			return fmt.Errorf("npy: entry %d: name %.60q is empty or given twice", i, e.Name)
		}
		seen[e.Name] = true
		if err := e.Array.Check(); err != nil {
			return fmt.Errorf("%w (entry %.60q)", err, e.Name)
		}
	}
	return nil
}

// some lists the first names for an error.
func some(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
