package plugins_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/plugins"
)

const library = "not really a library"

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// wheel writes a package file with the given members to a new folder.
func wheel(t *testing.T, members map[string]string) (path, sum string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range members {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "some_plugin-1.0-py3-none-any.whl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, digest(b.Bytes())
}

// pin is a pin of a wheel made by the test; the store is empty.
func pin(t *testing.T) (p plugins.Pin, path string, s plugins.Store) {
	t.Helper()
	path, sum := wheel(t, map[string]string{"some_plugin/lib.so": library, "../../evil": "evil", "/evil": "evil"})
	return plugins.Pin{
		Name: "some", Title: "a plugin", OS: runtime.GOOS, Arch: runtime.GOARCH, Package: "some-plugin", Version: "1.0",
		WheelSHA256: sum, Member: "some_plugin/lib.so", Size: int64(len(library)), SHA256: digest([]byte(library)),
	}, path, plugins.Store{Dir: filepath.Join(t.TempDir(), "plugins")}
}

// files lists the regular files of a store, without its locks.
func files(t *testing.T, s plugins.Store) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			rel, _ := filepath.Rel(s.Dir, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func TestInstallFromAFile(t *testing.T) {
	p, path, s := pin(t)
	if _, err := s.FindPin(p); !errors.Is(err, plugins.ErrNotInstalled) || !strings.Contains(err.Error(), "isthmus plugin install some") {
		t.Errorf("before: error %v, want one that says how to install", err)
	}
	var steps []string
	got, err := s.Install(t.Context(), p, plugins.Options{Wheel: path, Progress: func(s string) { steps = append(steps, s) }})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got.Path); err != nil || string(b) != library {
		t.Errorf("library %q, %v", b, err)
	}
	if d := cmp.Diff([]string{"some/1.0/lib.so"}, files(t, s)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if len(steps) != 2 {
		t.Errorf("steps %q, want two", steps)
	}
	if found, err := s.FindPin(p); err != nil || found != got {
		t.Errorf("found %v, %v, want %v", found, err, got)
	}
	// What is there is left alone, whatever file is given.
	if again, err := s.Install(t.Context(), p, plugins.Options{Wheel: "/does/not/exist"}); err != nil || again != got {
		t.Errorf("again: %v, %v, want %v", again, err, got)
	}
	if err := os.WriteFile(got.Path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FindPin(p); !errors.Is(err, plugins.ErrMismatch) {
		t.Errorf("changed: error %v, want %v", err, plugins.ErrMismatch)
	}
	if _, err := s.Install(t.Context(), p, plugins.Options{Wheel: path}); err != nil {
		t.Errorf("repair: %v", err)
	}
}

func TestInstallRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(p *plugins.Pin, path *string)
		is   error
		says string
	}{
		{"no file", func(_ *plugins.Pin, path *string) { *path += "x" }, os.ErrNotExist, ".whlx"},
		{"another file", func(p *plugins.Pin, _ *string) { p.WheelSHA256 = strings.Repeat("0", 64) }, plugins.ErrMismatch, "SHA-256"},
		{"no such member", func(p *plugins.Pin, _ *string) { p.Member = "some_plugin/other.so" }, plugins.ErrMismatch, "holds no some_plugin/other.so"},
		{"another size", func(p *plugins.Pin, _ *string) { p.Size++ }, plugins.ErrMismatch, "20 bytes, want 21"},
		{"another library", func(p *plugins.Pin, _ *string) { p.SHA256 = strings.Repeat("0", 64) }, plugins.ErrMismatch, "want 20 with 0000"},
		{"not a zip", func(p *plugins.Pin, path *string) {
			*path = filepath.Join(filepath.Dir(*path), "b.whl")
			os.WriteFile(*path, []byte("text"), 0o600)
			p.WheelSHA256 = digest([]byte("text"))
		}, plugins.ErrMismatch, "zip"},
		{"another system", func(p *plugins.Pin, _ *string) { p.OS = "plan9" }, plugins.ErrPlatform, "plan9/"},
		{"another processor", func(p *plugins.Pin, _ *string) { p.Arch = "mips" }, plugins.ErrPlatform, "/mips"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, path, s := pin(t)
			c.edit(&p, &path)
			_, err := s.Install(t.Context(), p, plugins.Options{Wheel: path})
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q that is %q", err, c.says, c.is)
			}
			if left := files(t, s); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestInstallRemovesWhatAKilledOneLeft(t *testing.T) {
	p, path, s := pin(t)
	for _, name := range []string{"some/.install-1/big.whl", "some/1.0/.lib.so.ABC.part"} {
		name = filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.FindPin(p); !errors.Is(err, plugins.ErrNotInstalled) {
		t.Errorf("error %v, want %v", err, plugins.ErrNotInstalled)
	}
	if _, err := s.Install(t.Context(), p, plugins.Options{Wheel: path}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"some/1.0/lib.so"}, files(t, s)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// killedPin, in the environment, makes TestInstallKilled the process that is to be killed.
const killedPin = "ISTHMUS_TEST_KILLED_PIN"

// A process killed with SIGKILL in the middle of a fetch holds no lock and leaves nothing that is taken for a library.
func TestInstallKilled(t *testing.T) {
	if text := os.Getenv(killedPin); text != "" {
		var p plugins.Pin
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		plugins.Store{Dir: os.Getenv(killedPin + "_STORE")}.Install(t.Context(), p, plugins.Options{})
		t.Fatal("the installation ended")
	}
	p, file, s := pin(t)
	started := filepath.Join(t.TempDir(), "started")
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	path(t, map[string]string{"pip": arguments + "cp '" + file + "' \"$dir/half.part\"; : > '" + started + "'; exec sleep 10"})
	cmd := exec.Command(os.Args[0], "-test.run=^TestInstallKilled$")
	cmd.Env = append(os.Environ(), killedPin+"="+string(text), killedPin+"_STORE="+s.Dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if left := files(t, s); len(left) == 0 {
		t.Error("the killed process left nothing: it was not in the middle")
	}
	if _, err := s.FindPin(p); !errors.Is(err, plugins.ErrNotInstalled) {
		t.Errorf("error %v, want %v", err, plugins.ErrNotInstalled)
	}
	if _, err := s.Install(t.Context(), p, plugins.Options{Wheel: file}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"some/1.0/lib.so"}, files(t, s)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

func TestInstallCanceled(t *testing.T) {
	p, path, s := pin(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Install(ctx, p, plugins.Options{Wheel: path}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if left := files(t, s); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// path puts shell scripts where the programs of this machine would be; nothing else is on the PATH.
func path(t *testing.T, scripts map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell; no plugin exists for Windows")
	}
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

// arguments sets $dir and $req to where a tool is told to put files, and to the file of requirements.
const arguments = `
line="$*"
while [ $# -gt 0 ]; do
	case "$1" in
	-d|--target) dir=$2; shift ;;
	-r) req=$2; shift ;;
	esac
	shift
done
`

func TestInstallFetches(t *testing.T) {
	p, file, s := pin(t)
	log := filepath.Join(t.TempDir(), "log")
	bring := arguments + fmt.Sprintf(`cp '%s' "$dir"; echo "$line" >> '%s'; cat "$req" >> '%s'`, file, log, log)
	unpack := arguments + `mkdir "$dir/some_plugin"; printf 'not really a library' > "$dir/some_plugin/lib.so"`
	for _, c := range []struct {
		name    string
		scripts map[string]string
	}{
		{"python3", map[string]string{"python3": bring}},
		{"pip3", map[string]string{"pip3": bring}},
		{"pip, python3 has none", map[string]string{"python3": "echo No module named pip >&2; exit 1", "pip": bring}},
		{"pip, python3 brings nothing", map[string]string{"python3": "exit 0", "pip": bring}},
		{"uv", map[string]string{"uv": unpack}},
		{"uv, pip fails", map[string]string{"pip": "exit 2", "uv": unpack}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path(t, c.scripts)
			s := plugins.Store{Dir: filepath.Join(t.TempDir(), "plugins")}
			got, err := s.Install(t.Context(), p, plugins.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(got.Path); err != nil || string(b) != library {
				t.Errorf("library %q, %v", b, err)
			}
			if d := cmp.Diff([]string{"some/1.0/lib.so"}, files(t, s)); d != "" {
				t.Errorf("files (-want +got):\n%s", d)
			}
		})
	}
	said, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"download", "--require-hashes", "--no-deps", "some-plugin==1.0 \\", "--hash=sha256:" + p.WheelSHA256} {
		if !bytes.Contains(said, []byte(want)) {
			t.Errorf("the tool was not told %q:\n%s", want, said)
		}
	}
	if left := files(t, s); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestInstallFetchFails(t *testing.T) {
	p, _, _ := pin(t)
	other, _ := wheel(t, map[string]string{"some_plugin/lib.so": "something else"})
	for _, c := range []struct {
		name    string
		scripts map[string]string
		is      error
		says    string
	}{
		{"no tool", nil, plugins.ErrInstaller, "neither pip nor uv"},
		{"offline", map[string]string{"pip3": "echo first; echo Name or service not known >&2; exit 1", "uv": "echo dns error; exit 2"}, plugins.ErrInstaller, "Name or service not known\n  uv pip: exit status 2: dns error"},
		{"much output", map[string]string{"pip": "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1"}, plugins.ErrInstaller, "line 1999"},
		{"another file", map[string]string{"pip": arguments + "cp '" + other + "' \"$dir\""}, plugins.ErrMismatch, "SHA-256"},
		{"another library", map[string]string{"uv": arguments + "mkdir \"$dir/some_plugin\"; echo x > \"$dir/some_plugin/lib.so\""}, plugins.ErrMismatch, "library of 2 bytes"},
		{"no library", map[string]string{"uv": "exit 0"}, os.ErrNotExist, "holds no some_plugin/lib.so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path(t, c.scripts)
			s := plugins.Store{Dir: filepath.Join(t.TempDir(), "plugins")}
			_, err := s.Install(t.Context(), p, plugins.Options{})
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q that is %q", err, c.says, c.is)
			}
			if err != nil && len(err.Error()) > 3000 {
				t.Errorf("error of %d characters", len(err.Error()))
			}
			if left := files(t, s); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Giving up ends the tool, though its child keeps the output open, and leaves nothing.
func TestInstallFetchCanceled(t *testing.T) {
	p, _, s := pin(t)
	started := filepath.Join(t.TempDir(), "started")
	path(t, map[string]string{"pip": "sleep 10 & : > '" + started + "'; wait"})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(started); err == nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if _, err := s.Install(ctx, p, plugins.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if left := files(t, s); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestInstallTwiceAtOnce(t *testing.T) {
	p, file, s := pin(t)
	log := filepath.Join(t.TempDir(), "log")
	path(t, map[string]string{"pip": arguments + "echo fetch >> '" + log + "'; sleep 0.1; cp '" + file + "' \"$dir\""})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Install(t.Context(), p, plugins.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if said, err := os.ReadFile(log); err != nil || string(said) != "fetch\n" {
		t.Errorf("log %q, %v, want one fetch", said, err)
	}
}

// While one process installs, another may give up waiting.
func TestInstallWaitCanceled(t *testing.T) {
	p, _, s := pin(t)
	started := filepath.Join(t.TempDir(), "started")
	path(t, map[string]string{"pip": ": > '" + started + "'; exec sleep 600"})
	first, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Install(first, p, plugins.Options{})
	}()
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Install(ctx, p, plugins.Options{}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another installation") {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
	stop()
	<-done
}

func TestKnown(t *testing.T) {
	s := plugins.Store{Dir: t.TempDir()}
	for _, p := range plugins.Known() {
		if got, err := plugins.Lookup(p.Name); err != nil || got != p {
			t.Errorf("lookup %s: %v, %v", p.Name, got, err)
		}
		// The same pin for people who use pip by hand.
		name := map[string]string{"cpu": "cpu-plugin.txt", "cpu-old": "cpu-plugin-old.txt", "cuda": "cuda-plugin.txt", "tpu": "tpu-plugin.txt"}[p.Name]
		text, err := os.ReadFile(filepath.Join("..", "..", "tools", "python", name))
		if err != nil {
			t.Error(err)
		}
		for _, line := range []string{p.Package + "==" + p.Version + " ", "--hash=sha256:" + p.WheelSHA256 + "\n"} {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s lacks %q", name, line)
			}
		}
	}
	if _, err := s.Find("quantum"); !errors.Is(err, plugins.ErrUnknown) || !strings.Contains(err.Error(), "cpu, cpu-old, cuda, tpu") {
		t.Errorf("error %v, want one that lists the names", err)
	}
	if _, err := s.Find("cpu"); !errors.Is(err, plugins.ErrNotInstalled) {
		t.Errorf("error %v, want %v", err, plugins.ErrNotInstalled)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("list %v, %v, want none", all, err)
	}
}

func TestDefault(t *testing.T) {
	s, err := plugins.Default()
	if err != nil {
		t.Skip("no cache folder:", err)
	}
	if got := filepath.ToSlash(s.Dir); !strings.HasSuffix(got, "/isthmus/plugins") {
		t.Errorf("folder %s", got)
	}
}

// The real thing, with this machine's pip or uv and network.
func TestInstallForReal(t *testing.T) {
	if os.Getenv("ISTHMUS_NET") != "1" {
		t.Skip("fetches 63 MB; set ISTHMUS_NET=1")
	}
	s := plugins.Store{Dir: t.TempDir()}
	p, err := plugins.Lookup("cpu")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Install(t.Context(), p, plugins.Options{Progress: func(step string) { t.Log(step) }})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(got.Path)
	if err != nil || info.Size() != p.Size {
		t.Errorf("library of %d bytes, %v, want %d", info.Size(), err, p.Size)
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0] != got {
		t.Errorf("list %v, %v, want %v", all, err, got)
	}
}
