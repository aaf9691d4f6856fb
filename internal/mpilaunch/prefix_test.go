package mpilaunch_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
)

// What launchers have written, in pieces of any size, is the same whole lines.
func TestPrefixer(t *testing.T) {
	for name, c := range map[string]struct {
		l        mpilaunch.Launcher
		in, want string
	}{
		"Open MPI 4": {
			mpilaunch.Launcher{Family: mpilaunch.OpenMPI, Major: 4},
			"[1,0]<stdout>:one\n[1,0]<stdout>:two [1,12]<stdout>: x[3]\n[1,12]<stdout>:\n[1,0]<stdout>:more\n[host:7] said\n[1,0]<stdout>:no end",
			"[0] one\n[12]  x[3]\n[12] \n[0] two more\n[0] [host:7] said\n[0] no end\n",
		},
		"Open MPI 5": {
			mpilaunch.Launcher{Family: mpilaunch.OpenMPI, Major: 5},
			"----\n[0]<stdout>: one\n[1]<stderr>:  x\n[0]<stdout>: \n[1]<stdout>: no end[0]<stdout>: nor here",
			"----\n[0] one\n[1]  x\n[0] \n[1] no end\n[0] nor here\n",
		},
	} {
		t.Run(name, func(t *testing.T) { pieces(t, c.l.Tag(), c.in, c.want) })
	}
	t.Run("MPICH", func(t *testing.T) {
		tags := mpilaunch.Launcher{Family: mpilaunch.MPICH}.Tag()
		mark := func(rank string) string { return strings.Replace(tags.Args[1], "%r", rank, 1) }
		in := mark("1") + "one\n" + mark("1") + "two " + mark("0") + "[5] one\n" + mark("1") + "more\n" + mark("0") + "\x01\n" + mark("0")
		pieces(t, tags, in, "[1] one\n[0] [5] one\n[1] two more\n[0] \x01\n")
	})
}

func pieces(t *testing.T, tags mpilaunch.Tagging, in, want string) {
	t.Helper()
	for size := 1; size <= len(in); size++ {
		var out strings.Builder
		p := tags.Prefixer(&out)
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if got, err := p.Write([]byte(rest[:n])); err != nil || got != n {
				t.Fatalf("%d of %d bytes, %v", got, n, err)
			}
			rest = rest[n:]
		}
		if err := p.Close(); err != nil || out.String() != want {
			t.Fatalf("in pieces of %d: %q, want %q, %v", size, out.String(), want, err)
		}
	}
}
