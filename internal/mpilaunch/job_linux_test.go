package mpilaunch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// TestKilledLauncher kills the launcher by what it cannot hear: its ranks, which listen to nothing, are gone when Run returns.
func TestKilledLauncher(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, lib mpitest.Library) {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		l, err := mpilaunch.Identify(ctx, lib.Exec)
		if err != nil {
			t.Fatal(err)
		}
		out, in := io.Pipe()
		cmd := l.Command(2, nil, nil, "sh", "-c", `trap "" TERM INT HUP; echo "rank $$ of"; while :; do sleep 1; done`)
		cmd.Stdout, cmd.Stderr = in, in
		ended := make(chan error, 1)
		go func() {
			err := mpilaunch.Run(ctx, cmd, time.Second)
			in.Close()
			ended <- err
		}()
		var pids []int
		said := bufio.NewScanner(out)
		for len(pids) < 2 && said.Scan() {
			var pid int
			if _, err := fmt.Sscanf(strings.TrimSpace(said.Text()), "rank %d of", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
		go func() { _, _ = io.Copy(io.Discard, out) }()
		if len(pids) < 2 {
			t.Fatalf("the ranks %v have started: %v", pids, <-ended)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := <-ended; ctx.Err() != nil || !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
			t.Errorf("the launcher's end: %v", err)
		}
		for _, pid := range pids {
			// Who is dead has no memory, and may be on its last way still, or wait for its parent to ask.
			if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && len(env) > 0 {
				t.Errorf("rank %d is left", pid)
			}
		}
	})
}
