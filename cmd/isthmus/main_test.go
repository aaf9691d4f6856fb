package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/isthmus-ffi/isthmus/internal/target"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"isthmus": main})
}

// Each script of testdata/script is a story of one command; none of them needs a device.
func TestScript(t *testing.T) { scripts(t, "testdata/script", target.Embedded) }

// Each script of testdata/device runs on every device that is here; $DEVICE is what to give to --device.
func TestDevice(t *testing.T) {
	for name, device := range map[string]string{"embedded": target.Embedded, "cpu": os.Getenv("ISTHMUS_PJRT_CPU")} {
		t.Run("device="+name, func(t *testing.T) {
			if device == "" {
				t.Skip("no plugin given; ./check sets ISTHMUS_PJRT_CPU to the installed one")
			}
			scripts(t, "testdata/device", device)
		})
	}
}

func scripts(t *testing.T, dir, device string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"interrupt": interrupt,
			"json":      checkJSON,
			"npy":       makeArray,
			"program":   makeProgram,
			"mutants":   mutants,
			"signalled": signalled,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "embedded":
				return device == target.Embedded, nil
			case "mpich", "openmpi": // in CI both have to be there
				_, err := exec.LookPath("mpiexec." + cond)
				return err == nil || os.Getenv("CI") != "", nil
			case "root":
				return os.Getuid() == 0, nil
			case "userns": // a file system of one's own can be mounted
				return exec.Command("unshare", "-rm", "true").Run() == nil, nil
			}
			return false, nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("DEVICE", device)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("ISTHMUS_CHECK", "panic")                                           // a leak is exit code 1
			if cache, err := exec.Command("go", "env", "GOCACHE").Output(); err == nil { // not to compile the standard library again
				e.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
			}
			e.Setenv("EXAMPLES", must(filepath.Abs("../../examples")))
			return nil
		},
	})
}

func must(path string, err error) string {
	if err != nil {
		panic(err)
	}
	return path
}

// A progress line is drawn on a terminal only, and nothing of it is left.
func TestProgress(t *testing.T) {
	var drawn strings.Builder
	p := newProgress(&streams{err: &drawn, terminal: true})
	p.phase("compiling \x1b[31m")
	p.mu.Lock()
	p.began = p.began.Add(-1e9)
	p.mu.Unlock()
	for {
		p.mu.Lock()
		ready := p.drawn
		p.mu.Unlock()
		if ready {
			break
		}
	}
	p.stop()
	p.stop()
	got := drawn.String()
	if !strings.HasPrefix(got, "\r\x1b[Kcompiling \\x1b[31m … 1.") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("drawn %q", got)
	}

	drawn.Reset()
	p = newProgress(&streams{err: &drawn})
	p.phase("compiling")
	p.stop()
	if drawn.Len() > 0 {
		t.Errorf("drawn %q where there is no terminal", drawn.String())
	}
}

// What a program or a file is called reaches no terminal as control characters.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ü, 数\n\ttext": "plain, ü, 数\n\ttext",
		"\x1b[2J\x00\r":       `\x1b[2J\x00\x0d`,
		"a\xff\xc3":           `a\xff\xc3`,
		"\u202egnp\u009b1m":   `\u202egnp\u009b1m`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"1": 1, "1.5GiB": 3 << 29, "512M": 512 << 20, "2GB": 2e9, "64 kib": 64 << 10, "7b": 7} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "nan", "inf", "1e30", "1 2", "9223372036854775807", "0.5"} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

// An end that came before the beginning is an interruption wherever the phase was.
func TestStartInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	program := filepath.Join(t.TempDir(), "p.mlir")
	if err := os.WriteFile(program, []byte("func.func @main() { return }"), 0o600); err != nil {
		t.Fatal(err)
	}
	code := start(ctx, []string{"run", program}, &streams{out: &out, err: &errs})
	if code != exitInterrupted || !strings.Contains(errs.String(), "interrupted while reading") || out.Len() > 0 {
		t.Errorf("exit %d, output %q, errors %q", code, out.String(), errs.String())
	}
}
