//go:build !unix

package mpilaunch

import "os/exec"

func follow(*exec.Cmd) {}

func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func kill(int) {}

func processes(string, *exec.Cmd) []int { return nil }
