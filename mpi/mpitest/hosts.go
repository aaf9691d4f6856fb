package mpitest

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two machines are played by two processes of the test binary, each the first of its own network, name, process, mount and
// IPC namespaces, which are joined by a virtual cable. They are gone when the processes are, and these end with the test,
// however it ends. A program of one reaches the other by TCP only.

// hostNames are what the machines are called; hostAddrs are their addresses on the cable, and cable its name on both.
var (
	hostNames = [2]string{"isthmus-host1", "isthmus-host2"}
	hostAddrs = [2]string{"10.77.0.1", "10.77.0.2"}
)

const cable = "eth0"

// hostProgram and agentProgram are the names by which the test binary is a machine, and the remote shell from one to the
// other.
const (
	hostProgram  = "isthmus-host"
	agentProgram = "isthmus-rsh"
)

// order is what a machine is asked to do, by one message on its socket.
type order struct {
	Do   string   // run a program with the files that come with the message; cable; up; carrier; clear
	Addr string   // of up
	Args []string // of run
	Env  []string
}

// outcome is the answer.
type outcome struct {
	Code int // the program's
	Err  string
}

// EachOnHosts runs f for each library in turn, on two machines, beside the other tests. Where they cannot be made the test is
// skipped with the reason; in CI it fails.
func EachOnHosts(t *testing.T, f func(t *testing.T, l Library, h *Hosts)) {
	t.Helper()
	t.Parallel()
	h, err := NewHosts(t.TempDir())
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("left out, two hosts: %v", err)
	}
	t.Cleanup(h.Close)
	EachInTurn(t, func(t *testing.T, l Library) { f(t, l, h) })
}

// Start runs the scenario with n ranks, the first half of them on the first machine.
func (h *Hosts) Start(ctx context.Context, l Library, n int, scenario string, env ...string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	env = append(env, append(l.Env(), ScenarioEnv+"="+scenario, "UCX_TLS=tcp,self", "UCX_NET_DEVICES="+cable)...)
	args, more := l.overHosts(h.agent(), n)
	cmd := l.launcher().Command(n, env, args, os.Args[0])
	out := &lockedBuffer{}
	err := h.run(ctx, 0, cmd.Args, append(cmd.Env, more...), out)
	h.clear()
	return out.String(), err
}

// overHosts are the launcher's arguments and environment for two machines, and for TCP between them.
func (l Library) overHosts(agent string, n int) (args, env []string) {
	if l.Family != "openmpi" {
		// Hydra deals the ranks out in blocks of what a machine is said to have.
		return []string{"-launcher", "ssh", "-launcher-exec", agent, "-iface", cable, "-hosts", slots(n)}, nil
	}
	if l.Name == "openmpi" { // 4.1
		return []string{"--host", slots(n)}, []string{
			"OMPI_MCA_plm_rsh_agent=" + agent, "OMPI_MCA_oob_tcp_if_include=" + cable,
			"OMPI_MCA_btl=tcp,self", "OMPI_MCA_btl_tcp_if_include=" + cable, "OMPI_MCA_pml=ob1",
		}
	}
	return []string{
		"--host", slots(n), "--prtemca", "plm_ssh_agent", agent, "--prtemca", "prte_if_include", cable,
		"--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", cable, "--mca", "pml", "ob1",
	}, []string{
		"PMIX_MCA_ptl_tcp_if_include=lo",
	}
}

// slots says how many of n ranks each machine has.
func slots(n int) string {
	var parts []string
	for i, name := range hostNames {
		parts = append(parts, name+":"+string(rune('0'+(n+1-i)/2)))
	}
	return strings.Join(parts, ",")
}

// lockedBuffer takes what several writers write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
