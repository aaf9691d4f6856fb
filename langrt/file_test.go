package langrt_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

// text is a string of the scope's.
func text(t *testing.T, s *langrt.Scope, x string) langrt.String {
	t.Helper()
	return must[langrt.String](t)(langrt.NewString(s, x))
}

func TestR02Files(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a file")
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileReadWrite|langrt.FileCreate))
		if n, err := f.Write(ctx, 0, text(t, s, "hello, world")); n != 12 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		if n, err := f.Write(ctx, 7, text(t, s, "reader")); n != 6 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		for _, c := range []struct {
			offset, n int64
			want      string
			err       error
		}{
			{0, 5, "hello", nil},
			{7, 1 << 40, "reader", nil}, // short at the end
			{13, 10, "", nil},           // just at the end
			{3, 0, "", nil},
			{14, 1, "", isthmus.ErrBounds},
			{-1, 1, "", isthmus.ErrBounds},
			{0, -1, "", isthmus.ErrBounds},
		} {
			got, err := f.Read(ctx, s, c.offset, c.n)
			if !errors.Is(err, c.err) || err == nil && must[string](t)(got.Text()) != c.want {
				t.Errorf("read %d at %d: %v, %v, want %q, %v", c.n, c.offset, got, err, c.want, c.err)
			}
		}
		_, err := f.Write(ctx, -1, text(t, s, "x"))
		wants(t, err, isthmus.ErrBounds)
		if n, err := f.Size(ctx); n != 13 || err != nil {
			t.Errorf("size %d, %v", n, err)
		}
		if ok, err := f.Prefault(ctx, 0, 13); err != nil || ok != (runtime.GOOS == "linux") {
			t.Errorf("prefault %v, %v", ok, err)
		}
		_, err = f.Prefault(ctx, -1, 13)
		wants(t, err, isthmus.ErrBounds)
		if err := errors.Join(f.Sync(ctx), f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		_, err = f.Read(ctx, s, 0, 1)
		wants(t, err, langrt.Closed)
		wants(t, err, isthmus.ErrClosed)
		wants(t, f.Wait(ctx), isthmus.ErrClosed)
		return nil
	})
	if got, err := os.ReadFile(path); err != nil || string(got) != "hello, reader" {
		t.Errorf("the file has %q, %v", got, err)
	}
}

func TestR02FileErrorsHaveNames(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	dir := t.TempDir()
	existing := filepath.Join(dir, "existing")
	if err := os.WriteFile(existing, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if runtime.GOOS != "windows" {
		if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	within(t, func(s *langrt.Scope) error {
		for _, c := range []struct {
			name, path string
			mode       langrt.FileMode
			want       error
			code       langrt.Code
		}{
			{"missing", filepath.Join(dir, "none"), langrt.FileRead, isthmus.ErrNotFound, langrt.NotFound},
			{"missing, fs", filepath.Join(dir, "none"), langrt.FileReadWrite, fs.ErrNotExist, langrt.NotFound},
			{"missing folder", filepath.Join(dir, "none", "x"), langrt.FileWrite | langrt.FileCreate, isthmus.ErrNotFound, langrt.NotFound},
			{"missing, atomic", filepath.Join(dir, "none"), langrt.FileWrite | langrt.FileAtomic, isthmus.ErrNotFound, langrt.NotFound},
			{"directory", dir, langrt.FileRead, syscall.EISDIR, langrt.IsDirectory},
			{"directory, written", dir, langrt.FileWrite, isthmus.ErrInvalid, langrt.IsDirectory},
			{"directory, atomic", dir, langrt.FileWrite | langrt.FileAtomic, syscall.EISDIR, langrt.IsDirectory},
			{"exclusive", existing, langrt.FileWrite | langrt.FileCreate | langrt.FileExclusive, fs.ErrExist, langrt.BadState},
			{"pipe", pipe, langrt.FileRead, langrt.IOFailed, langrt.IOFailed},
			{"under a file", filepath.Join(existing, "x"), langrt.FileRead, syscall.ENOTDIR, langrt.IOFailed},
		} {
			f := must[langrt.File](t)(langrt.OpenFile(ctx, s, c.path, c.mode))
			_, err := f.Read(ctx, s, 0, 1)
			if c.mode&3 == langrt.FileWrite {
				err = f.Wait(ctx)
			}
			if !errors.Is(err, c.want) || !errors.Is(err, c.code) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
				t.Errorf("%s: %v, want %v and the path", c.name, err, c.code)
			}
			if err := f.Close(); err != nil {
				t.Errorf("%s: close: %v", c.name, err)
			}
		}
		for _, c := range []struct {
			path string
			mode langrt.FileMode
		}{
			{"", langrt.FileRead},
			{"a\x00b", langrt.FileRead},
			{existing, 3},
			{existing, 1 << 30},
			{existing, -1},
			{existing, langrt.FileRead | langrt.FileCreate},
			{existing, langrt.FileWrite | langrt.FileAtomic | langrt.FileAppend},
		} {
			_, err := langrt.OpenFile(ctx, s, c.path, c.mode)
			wants(t, err, isthmus.ErrInvalid)
		}
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, existing, langrt.FileRead))
		_, err := f.Write(ctx, 0, text(t, s, "x"))
		wants(t, err, fs.ErrPermission)
		_, err = f.Write(ctx, 0, langrt.String{Value: langrt.Int(1)})
		wants(t, err, langrt.NoObject)
		_, err = f.Write(ctx, 0, langrt.String(f))
		wants(t, err, langrt.WrongType)
		g := must[langrt.File](t)(langrt.OpenFile(ctx, s, existing, langrt.FileWrite))
		_, err = g.Read(ctx, s, 0, 1)
		wants(t, err, fs.ErrPermission)
		return errors.Join(f.Close(), g.Close())
	})
}

func TestFilePermissionDenied(t *testing.T) {
	ctx := t.Context()
	path := "/proc/self/mem-of-nobody"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0); err != nil {
		t.Fatal(err)
	}
	want := error(fs.ErrPermission)
	switch {
	case os.Geteuid() != 0:
		path = secret
	case runtime.GOOS == "linux":
		path = "/proc/sys/kernel/ngroups_max" // read-only, also for root
		if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			f.Close()
			t.Skip("nothing is forbidden here")
		}
	default:
		t.Skip("nothing is forbidden to root")
	}
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileWrite))
		wants(t, f.Wait(ctx), want)
		wants(t, f.Wait(ctx), langrt.Permission)
		return f.Close()
	})
}

func TestR02DiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, "/dev/full", langrt.FileWrite))
		_, err := f.Write(ctx, 0, text(t, s, "more"))
		wants(t, err, langrt.DiskFull)
		wants(t, err, isthmus.ErrLimit)
		wants(t, err, syscall.ENOSPC)
		return f.Close()
	})
}

// An atomic file takes the other's place as a whole, at Close; forgotten, or after a write that failed, it never does.
func TestR02AtomicFile(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	content := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileWrite|langrt.FileAtomic))
		if _, err := f.Write(ctx, 0, text(t, s, "new")); err != nil {
			return err
		}
		content("old")
		if err := f.Close(); err != nil {
			return err
		}
		content("new")
		return nil
	})
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v, want the old permissions", info.Mode(), err)
	}
	within(t, func(s *langrt.Scope) error { // forgotten
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileWrite|langrt.FileAtomic))
		_, err := f.Write(ctx, 0, text(t, s, "never"))
		return err
	})
	for { // it ends behind our back; the test's time limit is the bound
		if names, err := os.ReadDir(dir); err != nil || len(names) == 1 {
			break
		}
		runtime.Gosched()
	}
	content("new")
}

// Operations on a file are done in the order in which they were asked for, however many there are.
func TestFileOrder(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "ordered")
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileReadWrite|langrt.FileCreate|langrt.FileAppend))
		want := ""
		for i := range 200 {
			line := fmt.Sprintf("line %d\n", i)
			want += line
			if _, err := f.Write(ctx, 0, text(t, s, line)); err != nil {
				return err
			}
			if n, err := f.Size(ctx); err != nil || n != int64(len(want)) {
				t.Fatalf("size %d, %v, want %d", n, err, len(want))
			}
		}
		got, err := f.Read(ctx, s, 0, 1<<20)
		if err != nil || must[string](t)(got.Text()) != want {
			t.Errorf("%v, %v", got, err)
		}
		return f.Close()
	})
}

// Many goroutines use many files; some give up. Each read sees whole writes, and nothing is left.
func TestR02FileHammer(t *testing.T) {
	nothingLeft(t)
	dir := t.TempDir()
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	within(t, func(s *langrt.Scope) error {
		var files [4]langrt.File
		for i := range files {
			files[i] = must[langrt.File](t)(langrt.OpenFile(t.Context(), s, filepath.Join(dir, fmt.Sprint(i)), langrt.FileReadWrite|langrt.FileCreate))
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range rounds {
					f := files[rand.IntN(len(files))]
					block := int64(rand.IntN(8)) * 512
					ctx, cancel := context.WithCancel(t.Context())
					switch rand.IntN(5) {
					case 0, 1:
						within(t, func(s *langrt.Scope) error {
							x := text(t, s, strings.Repeat(string(rune('a'+rand.IntN(26))), 512))
							_, err := f.Write(ctx, block, x)
							return err
						})
					case 2:
						go cancel()
						got, err := f.Read(ctx, nil, block, 512)
						if err == nil {
							_ = langrt.Release(got.Value)
						} else if !errors.Is(err, context.Canceled) && !errors.Is(err, isthmus.ErrBounds) {
							t.Error(err)
						}
					default:
						got, err := f.Read(ctx, nil, block, 512)
						if err != nil {
							if !errors.Is(err, isthmus.ErrBounds) {
								t.Error(err)
							}
							break
						}
						x, err := got.Text()
						if err != nil || x != "" && strings.Trim(x, x[:1]) != "" {
							t.Errorf("half of a write was read: %q, %v", x, err)
						}
						_ = langrt.Release(got.Value)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		for _, f := range files {
			if err := f.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

// A file that nobody counts is closed; what was asked for before is done.
func TestForgottenFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it counts descriptors")
	}
	nothingLeft(t)
	ctx := t.Context()
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := open()
	path := filepath.Join(t.TempDir(), "forgotten")
	within(t, func(s *langrt.Scope) error {
		for range 50 {
			f := must[langrt.File](t)(langrt.OpenFile(ctx, s, path, langrt.FileWrite|langrt.FileCreate))
			if err := f.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	for open() > before+1 { // it ends behind our back
		runtime.Gosched()
	}
}

// path is a file of its own with that content.
func (a audit) path(content string) string {
	a.Helper()
	path := filepath.Join(a.TempDir(), "file")
	a.ok(os.WriteFile(path, []byte(content), 0o600))
	return path
}

func (a audit) open(path string, mode langrt.FileMode) langrt.File {
	a.Helper()
	return must[langrt.File](a)(langrt.OpenFile(a.ctx, a.s, path, mode))
}

func (a audit) reads(f langrt.File, offset, size int64, want string) {
	a.Helper()
	a.is(want)(must[langrt.String](a)(f.Read(a.ctx, a.s, offset, size)).Text())
}

var files = []auditTest{
	{"test_async_file_create", func(a audit) {
		f := a.open(a.path("Hello, async file!"), langrt.FileRead)
		a.reads(f, 0, 100, "Hello, async file!")
		a.reads(f, 7, 5, "async")
		a.ok(f.Close(), f.Close())
	}},
	{"test_async_file_loading_lifecycle", func(a audit) {
		f := a.open(a.path("content"), langrt.FileRead)
		a.ok(f.Wait(a.ctx))
		a.is(int64(7))(f.Size(a.ctx))
		a.ok(f.Close())
		wants(a, f.Wait(a.ctx), langrt.Closed)
	}},
	{"test_async_file_invalid_path", func(a audit) {
		wants(a, a.open(filepath.Join(a.TempDir(), "none"), langrt.FileRead).Wait(a.ctx), isthmus.ErrNotFound)
		wants(a, a.open(a.TempDir(), langrt.FileRead).Wait(a.ctx), langrt.IsDirectory)
		a.refused(isthmus.ErrInvalid)(langrt.OpenFile(a.ctx, a.s, "", langrt.FileRead))
	}},
	{"test_async_file_invalid_handle", func(a audit) {
		for _, v := range []langrt.Value{langrt.FromWord(99999), langrt.Nil(), langrt.Int(3)} {
			f := langrt.File{Value: v}
			wants(a, f.Wait(a.ctx), isthmus.ErrClosed)
			a.refused(isthmus.ErrClosed)(f.Read(a.ctx, a.s, 0, 1))
			a.refused(isthmus.ErrClosed)(f.Prefault(a.ctx, 0, 1))
			wants(a, f.Sync(a.ctx), isthmus.ErrClosed)
		}
		wants(a, langrt.File{Value: a.text("x")}.Wait(a.ctx), isthmus.ErrInvalid)
	}},
	{"test_async_file_multiple_handles", func(a audit) {
		path := a.path("shared content")
		for range 50 {
			a.reads(a.open(path, langrt.FileRead), 7, 100, "content")
		}
	}},
	{"test_async_file_with_prefault", func(a audit) {
		f := a.open(a.path(strings.Repeat("x", 8192)), langrt.FileRead|langrt.FilePrefault)
		a.ok(f.Wait(a.ctx))
		a.is(runtime.GOOS == "linux")(f.Prefault(a.ctx, 4097, 1<<20))
		a.refused(isthmus.ErrBounds)(f.Prefault(a.ctx, -1, 1))
	}},
	{"test_async_file_write", func(a audit) {
		path := filepath.Join(a.TempDir(), "new")
		f := a.open(path, langrt.FileReadWrite|langrt.FileCreate)
		a.is(12)(f.Write(a.ctx, 0, langrt.String{Value: a.text("hello, world")}))
		a.is(5)(f.Write(a.ctx, 7, langrt.String{Value: a.text("there")}))
		a.reads(f, 0, 1000, "hello, there")
		a.ok(f.Sync(a.ctx), f.Close())
	}},
}
