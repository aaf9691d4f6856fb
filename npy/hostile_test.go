package npy_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// file makes an array file of version 1.0 with any header and data.
func file(header, data string) string {
	n := binary.LittleEndian.AppendUint16(nil, uint16(len(header)))
	return "\x93NUMPY\x01\x00" + string(n) + header + data
}

const vector = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"

func head(descr, shape string) string {
	return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + "}"
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, file string
		is         error
		says       string
	}{
		{"empty", "", npy.ErrFormat, "truncated in the magic"},
		{"not an array file", "PK\x03\x04 and so on", npy.ErrFormat, "begins with"},
		{"version 4", "\x93NUMPY\x04\x00\x00\x00", npy.ErrFormat, "4.0"},
		{"version 1.1", "\x93NUMPY\x01\x01\x00\x00", npy.ErrFormat, "1.1"},
		{"no header length", "\x93NUMPY\x01\x00\x00", npy.ErrFormat, "header length"},
		{"header cut", file(vector, "")[:40], npy.ErrFormat, "truncated in the header"},
		{"header of 4 GiB", "\x93NUMPY\x02\x00\xff\xff\xff\xff", npy.ErrFormat, "4294967295"},
		{"data cut", file(vector, "1234567"), npy.ErrFormat, "truncated: "},
		{"empty header", file("", ""), npy.ErrFormat, "'{'"},
		{"no dictionary", file("[]", ""), npy.ErrFormat, "'{'"},
		{"dictionary without end", file("{'descr': '<f4'", ""), npy.ErrFormat, "the end where"},
		{"after the dictionary", file(vector+" x", "12345678"), npy.ErrFormat, "'x' where the end"},
		{"no descr", file("{'fortran_order': False, 'shape': (2,), }", ""), npy.ErrFormat, `"descr" is missing`},
		{"no order", file("{'descr': '<f4', 'shape': (2,), }", ""), npy.ErrFormat, `"fortran_order" is missing`},
		{"no shape", file("{'descr': '<f4', 'fortran_order': True}", ""), npy.ErrFormat, `"shape" is missing`},
		{"unknown key", file("{'a': 1}", ""), npy.ErrFormat, `unknown key "a"`},
		{"key twice", file("{'descr': '<f4', 'descr': '<f4'}", ""), npy.ErrFormat, "twice"},
		{"key without quotes", file("{descr: 1}", ""), npy.ErrFormat, "a string"},
		{"string without end", file("{'descr", ""), npy.ErrFormat, "without an end"},
		{"escape", file(`{'de\'scr': 1}`, ""), npy.ErrFormat, "escape"},
		{"call", file("{'descr': __import__('os')}", ""), npy.ErrFormat, "a value"},
		{"deep", file("{'descr': "+strings.Repeat("[", 60000), ""), npy.ErrFormat, "deep"},
		{"shape is a number", file(head("'<f4'", "2"), ""), npy.ErrFormat, "not a tuple"},
		{"shape in parentheses", file(head("'<f4'", "(2)"), ""), npy.ErrFormat, "not a tuple"},
		{"shape of strings", file(head("'<f4'", "('2',)"), ""), npy.ErrFormat, "dimension 0"},
		{"negative", file(head("'<f4'", "(2, -1)"), ""), npy.ErrFormat, "less than 0"},
		{"dimension of 80 bits", file(head("'<f4'", "(1208925819614629174706176,)"), ""), npy.ErrFormat, "64 bits"},
		{"sign only", file(head("'<f4'", "(-,)"), ""), npy.ErrFormat, "64 bits"},
		{"product overflows", file(head("'<f4'", "(4294967296, 4294967296)"), ""), npy.ErrFormat, "overflows"},
		{"product wraps to 0", file(head("'<f8'", "(2305843009213693952, 8)"), ""), npy.ErrFormat, "overflows"},
		{"overflow behind 0", file(head("'<f8'", "(0, 2305843009213693952, 8)"), ""), npy.ErrFormat, "overflows"},
		{"rank 65", file(head("'|i1'", "("+strings.Repeat("1,", 65)+")"), "1"), npy.ErrFormat, "rank 65"},
		{"order is a number", file("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", ""), npy.ErrFormat, "fortran_order"},
		{"descr is a number", file(head("4", "()"), ""), npy.ErrFormat, "descr"},
		{"objects", file(head("'|O'", "(1,)"), ""), npy.ErrType, "|O"},
		{"text", file(head("'<U8'", "(1,)"), ""), npy.ErrType, "<U8"},
		{"f16 of 16 bytes", file(head("'<f16'", "(1,)"), ""), npy.ErrType, "<f16"},
		{"empty descr", file(head("''", "(1,)"), ""), npy.ErrType, "descriptor"},
		{"void", file(head("'|V2'", "(1,)"), "12"), npy.ErrType, "which type"},
		{"void without width", file(head("'|V'", "(1,)"), "12"), npy.ErrFormat, "no width"},
		{"two fields", file(head("[('a', '<u2'), ('b', '<u2')]", "(1,)"), "1234"), npy.ErrType, "2 fields"},
		{"field with a shape", file(head("[('bfloat16', '<u2', (2,))]", "(1,)"), "1234"), npy.ErrType, "pair"},
		{"field of a list", file(head("[('bfloat16', [])]", "(1,)"), "1234"), npy.ErrType, "pair of strings"},
		{"field of another name", file(head("[('x', '<u2')]", "(1,)"), "12"), npy.ErrType, `"x"`},
		{"field of another width", file(head("[('bfloat16', '<u4')]", "(1,)"), "1234"), npy.ErrType, "2 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := npy.Read(strings.NewReader(c.file), npy.Options{})
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q that is %q", err, c.says, c.is)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("error of %d characters", len(err.Error()))
			}
			path := filepath.Join(t.TempDir(), "a.npy")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := npy.ReadFile(path, npy.Options{}); !errors.Is(err, c.is) {
				t.Errorf("from a file: error %v, want %v", err, c.is)
			}
		})
	}
}

func TestVoidNeedsTheWidth(t *testing.T) {
	f := file(head("'<V2'", "(1,)"), "12")
	if _, err := npy.Read(strings.NewReader(f), npy.Options{Void: dtype.F32}); !errors.Is(err, npy.ErrType) {
		t.Errorf("error %v, want %v", err, npy.ErrType)
	}
}

func TestFileGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(path, []byte(file(vector, "123456789")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := npy.ReadFile(path, npy.Options{})
	if !errors.Is(err, npy.ErrFormat) || !strings.Contains(err.Error(), "1 bytes follow") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file and what follows", err)
	}
}

func TestMaxBytes(t *testing.T) {
	f := file(vector, "12345678")
	if _, err := npy.Read(strings.NewReader(f), npy.Options{MaxBytes: 8}); err != nil {
		t.Error(err)
	}
	if _, err := npy.Read(strings.NewReader(f), npy.Options{MaxBytes: 7}); !errors.Is(err, npy.ErrTooLarge) {
		t.Errorf("error %v, want %v", err, npy.ErrTooLarge)
	}
}

// A header that claims much and a source that holds little take little memory.
func TestMemoryFollowsTheData(t *testing.T) {
	huge := file(head("'<f4'", "(1099511627776,)"), "1234")
	var member bytes.Buffer
	z := zip.NewWriter(&member)
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: "a.npy", Method: zip.Deflate, CompressedSize64: uint64(len(huge)), UncompressedSize64: uint64(len(huge)) - 4 + 4<<40,
	})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, huge)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"stream": func() error { _, err := npy.Read(strings.NewReader(huge), npy.Options{}); return err },
		"archive": func() error {
			a, err := npy.NewArchive(bytes.NewReader(member.Bytes()), int64(member.Len()), npy.Options{})
			if err != nil {
				return err
			}
			_, err = a.Read("a")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := read()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, npy.ErrFormat) {
				t.Errorf("error %v, want %v", err, npy.ErrFormat)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Errorf("took %d bytes of memory", took)
			}
		})
	}
}

// archive makes a zip file with the given members.
func archive(t *testing.T, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, members[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveRefuses(t *testing.T) {
	good := file(vector, "12345678")
	stored := archive(t, zip.Store, "a.npy", good)
	damaged := bytes.Replace(bytes.Clone(stored), []byte("12345678"), []byte("12345679"), 1)
	encrypted := bytes.Clone(stored)
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	for _, c := range []struct {
		name string
		file []byte
		opts npy.Options
		is   error
		says string
	}{
		{"not a zip", []byte(good), npy.Options{}, npy.ErrFormat, "archive"},
		{"no such array", archive(t, zip.Store, "b.npy", good, "c.txt", ""), npy.Options{}, os.ErrNotExist, "it holds b)"},
		{"twice", archive(t, zip.Store, "a.npy", good, "a.npy", good), npy.Options{}, npy.ErrFormat, "twice"},
		{"damaged", damaged, npy.Options{}, npy.ErrFormat, "checksum"},
		{"encrypted", encrypted, npy.Options{}, npy.ErrFormat, "encrypted"},
		{"short member", archive(t, zip.Deflate, "a.npy", good[:len(good)-1]), npy.Options{}, npy.ErrFormat, "truncated"},
		{"long member", archive(t, zip.Deflate, "a.npy", good+"9"), npy.Options{}, npy.ErrFormat, "1 bytes follow"},
		{"bomb", archive(t, zip.Deflate, "a.npy", file(head("'|u1'", "(33554432,)"), strings.Repeat("\x00", 1<<25))), npy.Options{MaxBytes: 1 << 20}, npy.ErrTooLarge, "33554432"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := npy.NewArchive(bytes.NewReader(c.file), int64(len(c.file)), c.opts)
			if err == nil {
				_, err = a.Read("a")
			}
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q that is %q", err, c.says, c.is)
			}
		})
	}
}

func TestArchiveEntries(t *testing.T) {
	a, err := npy.FromSlice([]uint8{1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string][]npy.Entry{
		"no name": {{Array: a}},
		"twice":   {{Name: "a", Array: a}, {Name: "a", Array: a}},
		"invalid": {{Name: "a"}},
	} {
		path := filepath.Join(t.TempDir(), "a.npz")
		if npy.WriteArchiveFile(path, entries, false) == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: file is there: %v", name, err)
		}
	}
}

func TestArchiveZeroValue(t *testing.T) {
	var none *npy.Archive
	if err := none.Close(); err != nil {
		t.Error(err)
	}
	var zero npy.Archive
	if _, err := zero.Read("a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
	if err := zero.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := npy.Read(bytes.NewReader(b), npy.Options{Void: dtype.BF16})
		if err != nil {
			if !errors.Is(err, npy.ErrFormat) && !errors.Is(err, npy.ErrType) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		roundTrip(t, a)
	})
}

func FuzzArchive(f *testing.F) {
	for _, name := range []string{"testdata/stored.npz", "testdata/deflated.npz"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := npy.NewArchive(bytes.NewReader(b), int64(len(b)), npy.Options{MaxBytes: 1 << 24})
		if err != nil {
			return
		}
		for _, name := range z.Names() {
			if a, err := z.Read(name); err == nil {
				roundTrip(t, a)
			}
		}
	})
}

// roundTrip checks that an array is valid and comes back from its file as it is.
func roundTrip(t *testing.T, a npy.Array) {
	t.Helper()
	if err := a.Check(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := npy.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	again, err := npy.Read(&b, npy.Options{})
	if err != nil || again.DType != a.DType || !bytes.Equal(again.Data, a.Data) {
		t.Fatalf("%v: %s %v came back as %s %v", err, a.DType, a.Shape, again.DType, again.Shape)
	}
}

// An archive that was never opened holds nothing.
func TestNoArchive(t *testing.T) {
	for _, a := range []*npy.Archive{nil, {}} {
		if _, err := a.Read("x"); !errors.Is(err, os.ErrNotExist) || len(a.Names()) != 0 {
			t.Errorf("read %v of %v", err, a.Names())
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
