package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// exits CODE COMMAND ARGS...: the command ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// interrupt PHASE COMMAND ARGS...: an interrupt as soon as the command says (with --verbose) that PHASE begins ends it
// with exit code 130 within ten seconds, without results, and it says in which phase it was.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt PHASE COMMAND [ARGS...]")
	}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "ISTHMUS_CHECK="+ts.Getenv("ISTHMUS_CHECK"))
	var out bytes.Buffer
	cmd.Stdout = &out
	errs, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	timer := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var said []string
	var sent time.Time
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		said = append(said, lines.Text())
		if sent.IsZero() && lines.Text() == "isthmus: "+args[0] {
			if args[0] == "executing" {
				time.Sleep(100 * time.Millisecond) // into the native call; it never ends by itself
			}
			sent = time.Now()
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	err = cmd.Wait()
	took := time.Since(sent)
	ts.Logf("%s\n%v after %v", strings.Join(said, "\n"), err, took)
	var e *exec.ExitError
	switch {
	case sent.IsZero():
		ts.Fatalf("the command never said that it was %s", args[0])
	case !errors.As(err, &e) || e.ExitCode() != exitInterrupted:
		ts.Fatalf("end %v, want exit code %d", err, exitInterrupted)
	case said[len(said)-1] != "isthmus: interrupted while "+args[0]:
		ts.Fatalf("the last line is %q", said[len(said)-1])
	case out.Len() > 0:
		ts.Fatalf("results in spite of the interrupt: %s", out.String())
	case took > time.Minute:
		ts.Fatalf("the end came %v after the interrupt", took)
	}
}

// json PATH WANT: the standard output of the last command is one JSON value, in which PATH (names and indices between
// dots) leads to WANT; "*" is anything.
func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH WANT")
	}
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	var v any
	ts.Check(d.Decode(&v))
	if _, err := d.Token(); err != io.EOF {
		ts.Fatalf("more than one JSON value")
	}
	for step := range strings.SplitSeq(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			if step == "length" {
				v = len(at)
				break
			}
			i, err := strconv.Atoi(step)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%s: only %d elements", args[0], len(at))
			}
			v = at[i]
		default:
			v = nil
		}
	}
	got := fmt.Sprint(v)
	if same := got == args[1] || args[1] == "*" && v != nil; same == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

// npy FILE TYPE SHAPE VALUE...: makes an array file, SHAPE as 2x3 or "" for a scalar. A FILE that ends in .npz takes
// NAME TYPE SHAPE VALUE..., groups apart by a comma.
func makeArray(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: npy FILE TYPE SHAPE VALUE...")
	}
	file := ts.MkAbs(args[0])
	if !strings.HasSuffix(file, ".npz") {
		ts.Check(npy.WriteFile(file, array(ts, args[1:])))
		return
	}
	var entries []npy.Entry
	for rest := args[1:]; len(rest) > 0; {
		end := slices.Index(rest, ",")
		if end < 0 {
			end = len(rest)
		}
		entries = append(entries, npy.Entry{Name: rest[0], Array: array(ts, rest[1:end])})
		rest = rest[min(end+1, len(rest)):]
	}
	ts.Check(npy.WriteArchiveFile(file, entries, true))
}

func array(ts *testscript.TestScript, args []string) npy.Array {
	t, err := dtype.Parse(args[0])
	ts.Check(err)
	a := npy.Array{DType: t}
	n := 1
	for d := range strings.SplitSeq(args[1], "x") {
		if d == "" {
			break
		}
		k, err := strconv.Atoi(d)
		ts.Check(err)
		a.Shape = append(a.Shape, int64(k))
		n *= k
	}
	for i := range n {
		x, err := strconv.ParseFloat(args[2+i%len(args[2:])], 64)
		ts.Check(err)
		bits := uint64(int64(x))
		if k := t.Kind(); k != dtype.Signed && k != dtype.Unsigned && k != dtype.Bool {
			bits = dtype.FromFloat64(t, x)
		}
		for k := range t.Size() {
			a.Data = append(a.Data, byte(bits>>(8*k)))
		}
	}
	return a
}

// program FILE KIND N: makes a program that is too large for a script.
func makeProgram(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: program FILE chain|constant|nested N")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	var b bytes.Buffer
	switch args[1] {
	case "chain": // n operations that no compiler can make fewer
		b.WriteString("func.func @main(%v0: tensor<8xf32>) -> tensor<8xf32> {\n")
		ops := []string{"sine", "cosine", "tanh"}
		for i := range n {
			fmt.Fprintf(&b, "  %%v%d = stablehlo.%s %%v%d : tensor<8xf32>\n", i+1, ops[i%len(ops)], i)
		}
		fmt.Fprintf(&b, "  return %%v%d : tensor<8xf32>\n}\n", n)
	case "constant": // n bytes, so that no run-length form is shorter
		fmt.Fprintf(&b, "func.func @main() -> tensor<ui8> {\n  %%c = stablehlo.constant dense<\"0x")
		for i := range n {
			fmt.Fprintf(&b, "%02X", byte(i*i>>3))
		}
		fmt.Fprintf(&b, "\"> : tensor<%dxui8>\n", n)
		fmt.Fprintf(&b, "  %%s = stablehlo.slice %%c [%d:%d] : (tensor<%dxui8>) -> tensor<1xui8>\n", n-1, n, n)
		b.WriteString("  %r = stablehlo.reshape %s : (tensor<1xui8>) -> tensor<ui8>\n  return %r : tensor<ui8>\n}\n")
	case "nested": // attributes deeper than any stack
		b.WriteString("module attributes {a = ")
		b.WriteString(strings.Repeat("[", n))
		b.WriteString(strings.Repeat("]", n))
		b.WriteString("} { func.func @main() { return } }\n")
	default:
		ts.Fatalf("no program is called %s", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

// mutants N FILE COMMAND ARGS...: N damaged copies of FILE, each appended to the command, give exit code 0 or one of
// the codes for wrong programs, inputs and executions, and never a crash.
func mutants(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: mutants N FILE COMMAND [ARGS...]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	good := []byte(ts.ReadFile(args[1]))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		bad := slices.Clone(good)
		switch i % 4 {
		case 0: // cut off
			bad = bad[:r.IntN(len(bad))]
		case 1: // a bit flipped
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		case 2: // a stretch doubled
			at := r.IntN(len(bad))
			end := min(len(bad), at+1+r.IntN(40))
			bad = slices.Insert(bad, at, bad[at:end]...)
		case 3: // a stretch of noise
			at := r.IntN(len(bad))
			for k := at; k < min(len(bad), at+1+r.IntN(8)); k++ {
				bad[k] = byte(r.Uint32())
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs("mutant"), bad, 0o666))
		cmd := exec.Command(args[2], append(slices.Clone(args[3:]), "mutant")...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "ISTHMUS_CHECK="+ts.Getenv("ISTHMUS_CHECK"))
		out, err := cmd.CombinedOutput()
		var e *exec.ExitError
		switch {
		case err == nil:
		case !errors.As(err, &e):
			ts.Fatalf("mutant %d: %v", i, err)
		case e.ExitCode() != exitProgram && e.ExitCode() != exitInput && e.ExitCode() != exitExecute:
			ts.Fatalf("mutant %d: exit code %d: %s", i, e.ExitCode(), out)
		}
	}
}

// signalled SIGNAL CODE COMMAND ARGS...: the command says "ready PID" for each of two processes; then the signal ends
// it with the exit code (-1: the signal itself does), and the processes are gone within two minutes.
func signalled(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	if neg || len(args) < 3 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signalled TERM|INT|KILL CODE COMMAND [ARGS...]")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "ISTHMUS_CHECK="+ts.Getenv("ISTHMUS_CHECK"))
	// Not StdoutPipe: processes that outlive the command would keep Wait from returning.
	read, write, err := os.Pipe()
	ts.Check(err)
	defer read.Close()
	cmd.Stdout = write
	ts.Check(cmd.Start())
	write.Close()
	timer := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill(); read.Close() })
	defer timer.Stop()
	var pids []int
	for lines := bufio.NewScanner(read); len(pids) < 2 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			pid, err := strconv.Atoi(text)
			ts.Check(err)
			pids = append(pids, pid)
		}
	}
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	err = cmd.Wait()
	if len(pids) != 2 {
		ts.Fatalf("%d processes were ready: %v", len(pids), err)
	}
	if cmd.ProcessState.ExitCode() != want {
		ts.Fatalf("end %v, want exit code %d", err, want)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		pids = slices.DeleteFunc(pids, func(pid int) bool { return !alive(pid) })
		if len(pids) == 0 {
			return
		}
		if time.Now().After(end) {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			ts.Fatalf("processes %v were left", pids)
		}
	}
}

// alive tells whether a process runs; one that has ended and that nobody has asked for is over.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !errors.Is(err, os.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}
