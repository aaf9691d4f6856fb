package mpilaunch

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// follow has the kernel tell the launcher when this process ends.
func follow(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
}

// terminate asks the launcher to end the job.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// processes lists the live processes whose environment has the job's mark.
func processes(job string, _ *exec.Cmd) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process of another user cannot be read, one that is over has none.
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && bytes.Contains(env, []byte(job)) {
			out = append(out, pid)
		}
	}
	return out
}
