package mpilaunch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// mark is the environment variable by which the processes of a job are known, wherever they hang in the tree: launchers
// put ranks into groups and sessions of their own, and a rank whose launcher was killed belongs to nobody.
const mark = "ISTHMUS_MPI_JOB"

// Run runs a job until all its processes of this machine are gone. When ctx ends the launcher is asked to end the job;
// what is there after grace is killed, and so is what a launcher leaves behind. The result is the launcher's end, or the
// context's error.
func Run(ctx context.Context, cmd *exec.Cmd, grace time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	job := mark + "=" + rand.Text()
	cmd.Env = append(cmd.Env, job)
	cmd.WaitDelay = grace
	// The launcher is told when the thread that started it ends, which is when this process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	follow(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the launcher: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		clean(job, cmd, time.Second)
		return err
	case <-ctx.Done():
	}
	terminate(cmd)
	t := time.NewTimer(grace)
	defer t.Stop()
	var err error
	select {
	case err = <-done:
		clean(job, cmd, time.Second)
	case <-t.C:
		clean(job, cmd, 0)
		_ = cmd.Process.Kill()
		err = <-done // bounded by WaitDelay once the process is gone
		clean(job, cmd, 0)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return errors.Join(context.Cause(ctx), err)
	}
	return context.Cause(ctx)
}

// clean waits until the processes of the job are gone, and kills those that are there after a while.
func clean(job string, cmd *exec.Cmd, patience time.Duration) {
	for end, pause := time.Now().Add(patience), time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		left := processes(job, cmd)
		if len(left) == 0 {
			return
		}
		if !time.Now().Before(end) {
			for _, p := range left {
				kill(p)
			}
			if time.Since(end) > 5*time.Second {
				return // they are killed; the kernel still has them
			}
		}
		time.Sleep(pause)
	}
}
