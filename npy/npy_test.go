package npy_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// fixture is one array in a file that numpy wrote (tools/python/npyfixtures.py).
type fixture struct {
	File  string
	DType string
	Shape []int64
	Hex   string
	Void  bool
}

func fixtures(t *testing.T) map[string]npy.Array {
	t.Helper()
	text, err := os.ReadFile("testdata/fixtures.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	arrays := map[string]npy.Array{}
	for _, f := range all {
		typ, err := dtype.Parse(f.DType)
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(f.Hex)
		if err != nil {
			t.Fatal(err)
		}
		arrays[f.File] = npy.Array{DType: typ, Shape: f.Shape, Data: data}
	}
	return arrays
}

// readFixture reads an array by its name in fixtures.json; archive members are "file.npz/name".
func readFixture(name string) (npy.Array, error) {
	opts := npy.Options{}
	if strings.HasPrefix(name, "void-") {
		opts.Void = dtype.BF16
	}
	file, member, ok := strings.Cut(name, "/")
	if !ok {
		return npy.ReadFile(filepath.Join("testdata", name+".npy"), opts)
	}
	a, err := npy.OpenArchive(filepath.Join("testdata", file), opts)
	if err != nil {
		return npy.Array{}, err
	}
	defer a.Close()
	return a.Read(member)
}

func TestReadWhatNumpyWrote(t *testing.T) {
	for name, want := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			got, err := readFixture(name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("array (-want +got):\n%s", d)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryTypeHasAFixture(t *testing.T) {
	have := map[dtype.Type]bool{}
	for _, a := range fixtures(t) {
		have[a.DType] = true
	}
	for _, typ := range dtype.All() {
		if !have[typ] {
			t.Errorf("no file of %s", typ)
		}
	}
}

// What numpy wrote in its own default form comes out byte for byte.
func TestWriteAsNumpyDoes(t *testing.T) {
	for name, a := range fixtures(t) {
		if !strings.HasPrefix(name, "type-") && name != "scalar" && name != "vector" && name != "empty" && name != "rank10" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", name+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := npy.Write(&b, a); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("file (-want +got):\n%s", d)
			}
		})
	}
}

func TestFilesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	var entries []npy.Entry
	for name, a := range fixtures(t) {
		path := filepath.Join(dir, filepath.Base(name)+".npy")
		if err := npy.WriteFile(path, a); err != nil {
			t.Fatal(err)
		}
		got, err := npy.ReadFile(path, npy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		entries = append(entries, npy.Entry{Name: name, Array: a})
	}
	for _, compress := range []bool{false, true} {
		path := filepath.Join(dir, fmt.Sprint(compress, ".npz"))
		if err := npy.WriteArchiveFile(path, entries, compress); err != nil {
			t.Fatal(err)
		}
		z, err := npy.OpenArchive(path, npy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for i, name := range z.Names() {
			got, err := z.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(entries[i], npy.Entry{Name: name, Array: got}); d != "" {
				t.Errorf("compress %v (-want +got):\n%s", compress, d)
			}
		}
	}
}

func TestReadStopsAtTheEndOfTheArray(t *testing.T) {
	var b bytes.Buffer
	for i := range 3 {
		a, err := npy.FromSlice([]int32{int32(i), 1}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := npy.Write(&b, a); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		a, err := npy.Read(&b, npy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := npy.Values[int32](a)
		if d := cmp.Diff([]int32{int32(i), 1}, got); d != "" || err != nil {
			t.Errorf("array %d: %v (-want +got):\n%s", i, err, d)
		}
	}
	if b.Len() != 0 {
		t.Errorf("%d bytes left", b.Len())
	}
}

func TestValues(t *testing.T) {
	if _, err := npy.FromSlice([]int32{1, 2}); err == nil {
		t.Error("two values made an array without dimensions")
	}
	a, err := npy.FromSlice([]complex128{1 + 2i, -3}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a.DType != dtype.C128 || a.Len() != 2 {
		t.Errorf("array of %d %s, want 2 %s", a.Len(), a.DType, dtype.C128)
	}
	got, err := npy.Values[complex128](a)
	if d := cmp.Diff([]complex128{1 + 2i, -3}, got); d != "" || err != nil {
		t.Errorf("values: %v (-want +got):\n%s", err, d)
	}
	if _, err := npy.Values[float64](a); err == nil {
		t.Error("complex values read as float64")
	}
	p, err := npy.FromSlice([]bool{true, false, true}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]byte{1, 0, 1}, p.Data); d != "" || p.DType != dtype.I1 {
		t.Errorf("predicates as %s (-want +got):\n%s", p.DType, d)
	}
}

func TestCheck(t *testing.T) {
	for name, a := range map[string]npy.Array{
		"zero value":         {},
		"no element type":    {DType: dtype.TF32, Data: make([]byte, 3)},
		"short data":         {DType: dtype.F32, Shape: []int64{2}, Data: make([]byte, 4)},
		"long data":          {DType: dtype.F32, Shape: []int64{0}, Data: make([]byte, 4)},
		"negative":           {DType: dtype.F32, Shape: []int64{-1, -1}, Data: make([]byte, 4)},
		"overflow":           {DType: dtype.F32, Shape: []int64{1 << 32, 1 << 32}},
		"overflow behind 0":  {DType: dtype.F32, Shape: []int64{0, 1 << 32, 1 << 32}},
		"too many dimesions": {DType: dtype.I8, Shape: slicesOf(1, 65), Data: make([]byte, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			if a.Check() == nil {
				t.Errorf("%v passes", a)
			}
			path := filepath.Join(t.TempDir(), "a.npy")
			if npy.WriteFile(path, a) == nil {
				t.Error("written")
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("file is there: %v", err)
			}
		})
	}
}

func slicesOf(v int64, n int) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestWriteReportsItsWriter(t *testing.T) {
	a, err := npy.FromSlice(make([]float32, 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 64, 130} {
		if err := npy.Write(&limited{room}, a); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: error %v, want short write", room, err)
		}
		if err := npy.WriteArchive(&limited{room}, []npy.Entry{{Name: "a", Array: a}}, false); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("archive, room for %d bytes: error %v, want short write", room, err)
		}
	}
}

// limited takes only so many bytes.
type limited struct{ room int }

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.room {
		return 0, io.ErrShortWrite
	}
	l.room -= len(p)
	return len(p), nil
}

// Each Go type stands for the element type of its name and goes to bytes and back.
func TestElements(t *testing.T) {
	element(t, dtype.I1, []bool{true, false})
	element(t, dtype.I8, []int8{-128, 127})
	element(t, dtype.I16, []int16{-1 << 15, 1})
	element(t, dtype.I32, []int32{-1 << 31, 1})
	element(t, dtype.I64, []int64{-1 << 63, 1})
	element(t, dtype.U8, []uint8{0, 255})
	element(t, dtype.U16, []uint16{1<<16 - 1, 1})
	element(t, dtype.U32, []uint32{1<<32 - 1, 1})
	element(t, dtype.U64, []uint64{1<<64 - 1, 1})
	element(t, dtype.F32, []float32{-0.5, 3e38})
	element(t, dtype.F64, []float64{-0.5, 1e308})
	element(t, dtype.C64, []complex64{1 - 2i, 3})
	element(t, dtype.C128, []complex128{1 - 2i, 3})
}

func element[T npy.Element](t *testing.T, want dtype.Type, values []T) {
	t.Helper()
	a, err := npy.FromSlice(values, 1, 2)
	if err != nil || a.DType != want || len(a.Data) != 2*want.Size() {
		t.Fatalf("%s: array of %s, %d bytes, %v", want, a.DType, len(a.Data), err)
	}
	got, err := npy.Values[T](a)
	if d := cmp.Diff(values, got); d != "" || err != nil {
		t.Errorf("%s: %v (-want +got):\n%s", want, err, d)
	}
}

func TestOpenMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing")
	if _, err := npy.ReadFile(path, npy.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("array: error %v, want not exist", err)
	}
	if _, err := npy.OpenArchive(path, npy.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("archive: error %v, want not exist", err)
	}
	if err := npy.WriteFile(filepath.Join(path, "a.npy"), npy.Array{DType: dtype.I8, Data: []byte{1}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("write into no folder: error %v, want not exist", err)
	}
}
