package mpitest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus"
)

// Hosts are two machines. One goroutine at a time uses them.
type Hosts struct {
	dir   string
	procs [2]*exec.Cmd
	lives [2]io.Closer // closed, a machine ends
}

// NewHosts makes two machines with their sockets in dir. The caller closes them.
//
// Errors: [isthmus.ErrUnsupported] without the rights that it takes, root's.
func NewHosts(dir string) (*Hosts, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("mpitest: two hosts need network namespaces, and those root: %w", isthmus.ErrUnsupported)
	}
	h := &Hosts{dir: dir}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	names := "127.0.0.1 localhost\n"
	for i, name := range hostNames {
		names += hostAddrs[i] + " " + name + "\n"
	}
	err = os.WriteFile(filepath.Join(dir, "hosts"), []byte(names), 0o644)
	for _, name := range []string{hostProgram, agentProgram} {
		err = errors.Join(err, os.Symlink(self, filepath.Join(dir, name)))
	}
	var other *os.File // the network of the second machine
	for _, i := range []int{1, 0} {
		if err == nil {
			err = h.begin(i, other)
		}
		if err == nil && i == 1 {
			other, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", h.procs[1].Process.Pid))
		}
	}
	if other != nil {
		defer other.Close()
	}
	if err == nil {
		err = h.order(context.Background(), 0, order{Do: "cable"})
	}
	for i := range h.procs {
		if err == nil {
			err = h.order(context.Background(), i, order{Do: "up", Addr: hostAddrs[i]})
		}
	}
	for i := range h.procs {
		if err == nil {
			err = h.order(context.Background(), i, order{Do: "carrier", Addr: hostAddrs[1-i]})
		}
	}
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("mpitest: two hosts: %w", err)
	}
	return h, nil
}

// begin starts a machine.
func (h *Hosts) begin(i int, other *os.File) error {
	cmd := exec.Command(filepath.Join(h.dir, hostProgram), h.dir, fmt.Sprint(i))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Setsid:     true, // an interrupt at the terminal is the test's
	}
	if other != nil {
		cmd.ExtraFiles = []*os.File{other} // 3
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("a machine does not start: %w", err)
	}
	h.procs[i], h.lives[i] = cmd, in
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		return fmt.Errorf("machine %d: %q: %w", i, strings.TrimSpace(line), err)
	}
	return nil
}

// Close ends both machines, and with them everything that runs there.
func (h *Hosts) Close() {
	if h == nil {
		return
	}
	for i, p := range h.procs {
		if p != nil {
			_ = h.lives[i].Close()
			_ = p.Process.Kill()
			_ = p.Wait()
			h.procs[i] = nil
		}
	}
}

// Cut switches the cable off, for a rank of the first machine that calls it.
func Cut() error { return lift(cable, false) }

func (h *Hosts) agent() string { return filepath.Join(h.dir, agentProgram) }

// clear ends what is left of a job, and mends the cable.
func (h *Hosts) clear() {
	for i := range h.procs {
		_ = h.order(context.Background(), i, order{Do: "clear"})
	}
	for i := range h.procs {
		_ = h.order(context.Background(), i, order{Do: "carrier", Addr: hostAddrs[1-i]}) // what runs next says what it misses
	}
}

func (h *Hosts) order(ctx context.Context, i int, o order) error {
	code, err := send(ctx, socket(h.dir, i), o)
	if err == nil && code != 0 {
		err = fmt.Errorf("code %d", code)
	}
	return err
}

// run runs a program on a machine until it ends or ctx does.
func (h *Hosts) run(ctx context.Context, i int, args, env []string, out io.Writer) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return errors.Join(err, r.Close(), w.Close())
	}
	defer null.Close()
	copied := make(chan struct{})
	go func() { defer close(copied); _, _ = io.Copy(out, r) }()
	code, err := send(ctx, socket(h.dir, i), order{Do: "run", Args: args, Env: env}, null, w, w)
	_ = w.Close()
	select {
	case <-copied:
	case <-time.After(time.Second): // somebody has the pipe still; what he writes is not wanted
	}
	_ = r.Close()
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d", code)
	}
	return err
}

func socket(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("s%d", i)) }

// send gives a machine an order, with files, and waits for the outcome. When ctx ends, the program is killed.
func send(ctx context.Context, path string, o order, files ...*os.File) (int, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.CloseRead() })()
	text, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	// The files go with the first byte; the rest may take several writes.
	if _, _, err := conn.WriteMsgUnix(text[:1], unix.UnixRights(fds...), nil); err != nil {
		return 0, err
	}
	if _, err := conn.Write(append(text[1:], '\n')); err != nil {
		return 0, err
	}
	var r outcome
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return 0, fmt.Errorf("the machine: %w", err)
	}
	if r.Err != "" {
		return 0, errors.New(r.Err)
	}
	return r.Code, nil
}

// playHost makes this process a machine, or the remote shell to one, if it was started as such. It reports whether it was.
func playHost() bool {
	switch filepath.Base(os.Args[0]) {
	case hostProgram:
		if err := serveHost(os.Args[1], os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case agentProgram:
		code, err := remoteShell(filepath.Dir(os.Args[0]), os.Args[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, agentProgram+":", err)
			os.Exit(255)
		}
		os.Exit(code)
	default:
		return false
	}
	return true
}

// remoteShell runs a command as ssh does: options, the machine, and words that are one line for its shell.
func remoteShell(dir string, args []string) (int, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) < 2 {
		return 0, fmt.Errorf("want a machine and a command, have %q", args)
	}
	for i, name := range hostNames {
		if args[0] == name || args[0] == hostAddrs[i] {
			return send(context.Background(), socket(dir, i), order{Do: "run", Args: []string{"/bin/sh", "-c", strings.Join(args[1:], " ")}}, os.Stdin, os.Stdout, os.Stderr)
		}
	}
	return 0, fmt.Errorf("no machine is called %q", args[0])
}

// serveHost is a machine: it does what it is told until its input ends.
func serveHost(dir, number string) error {
	i := int(number[0] - '0')
	if os.Getpid() != 1 || i < 0 || i >= len(hostNames) {
		return errors.New("this is no machine of its own") // and must not kill everything
	}
	if err := furnish(dir, i); err != nil {
		return err
	}
	// Launchers name files by machine and process, and process 10 comes back: what a killed one has left must go.
	scratch := filepath.Join(dir, fmt.Sprintf("t%d", i))
	if err := errors.Join(os.Setenv("TMPDIR", scratch), sweep(scratch)); err != nil {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket(dir, i), Net: "unix"})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // and the kernel ends all processes of the machine
	}()
	fmt.Println("ready")
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			r := outcome{}
			var err error
			if r.Code, err = obey(conn, scratch); err != nil {
				r.Err = err.Error()
			}
			_ = json.NewEncoder(conn).Encode(r)
		}()
	}
}

// furnish gives the machine its name, its own processes and shared memory, and the names of both.
func furnish(dir string, i int) error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"its name", func() error { return unix.Sethostname([]byte(hostNames[i])) }},
		{"mounts of its own", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"/proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"/dev/shm", func() error { return unix.Mount("shm", "/dev/shm", "tmpfs", 0, "") }},
		{"/etc/hosts", func() error { return unix.Mount(filepath.Join(dir, "hosts"), "/etc/hosts", "", unix.MS_BIND, "") }},
		{"loopback", func() error { return lift("lo", true) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// sweep empties the machine's folder for what programs leave for a while.
func sweep(scratch string) error {
	return errors.Join(os.RemoveAll(scratch), os.Mkdir(scratch, 0o700))
}

// obey does what a message asks for.
func obey(conn *net.UnixConn, scratch string) (int, error) {
	first, rights := make([]byte, 1), make([]byte, 256)
	n, nr, _, _, err := conn.ReadMsgUnix(first, rights)
	if err != nil || n != 1 {
		return 0, fmt.Errorf("no order: %w", err)
	}
	files, err := received(rights[:nr])
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return 0, err
	}
	var o order
	if err := json.NewDecoder(io.MultiReader(strings.NewReader(string(first)), conn)).Decode(&o); err != nil {
		return 0, err
	}
	switch o.Do {
	case "cable":
		return 0, plug(3)
	case "up":
		return 0, errors.Join(address(cable, o.Addr), lift(cable, true))
	case "clear":
		if os.Getpid() == 1 {
			_ = unix.Kill(-1, unix.SIGKILL) // all of this machine, but not itself
		}
		return 0, errors.Join(sweep(scratch), lift(cable, true))
	case "carrier":
		return 0, errors.Join(carrier(cable), reach(o.Addr))
	case "run":
		return execute(conn, scratch, o, files)
	}
	return 0, fmt.Errorf("no order is called %q", o.Do)
}

// reach waits until the other machine answers, if only that nobody listens: for a while after a cut nobody finds it.
func reach(addr string) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, "9"), time.Second)
		switch {
		case err == nil:
			return conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil
		case time.Now().After(end):
			return err
		}
	}
}

func received(rights []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "remote"))
		}
	}
	return files, nil
}

// execute runs a program until it ends, or who has asked for it goes away.
func execute(conn *net.UnixConn, scratch string, o order, files []*os.File) (int, error) {
	if len(files) != 3 || len(o.Args) == 0 {
		return 0, fmt.Errorf("a program of %d words with %d files", len(o.Args), len(files))
	}
	cmd := exec.Command(o.Args[0], o.Args[1:]...)
	if cmd.Env = append(o.Env, "TMPDIR="+scratch); o.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for _, f := range files {
		_ = f.Close()
	}
	go func() {
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // the group is there until it was waited for, or nothing is killed
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
