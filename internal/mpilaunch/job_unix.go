//go:build unix && !linux

package mpilaunch

import (
	"os/exec"
	"syscall"
)

// follow gives the launcher a group of its own, which is ended as one.
func follow(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// processes is the launcher's group while somebody is in it.
func processes(_ string, cmd *exec.Cmd) []int {
	if syscall.Kill(-cmd.Process.Pid, 0) != nil {
		return nil
	}
	return []int{-cmd.Process.Pid}
}
