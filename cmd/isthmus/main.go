// Command isthmus runs compiled machine-learning programs on any PJRT device, and says what a machine can run.
//
//	isthmus run program.mlir --input x.npy
//
// Results and reports go to standard output, errors, warnings and progress to standard error. Exit codes: 0 fine, 1 any other failure, 2 wrong use of the command, 3 the program is wrong, 4 its inputs do not fit,
// 5 the device or its library cannot be used, 6 the execution failed, 7 the memory limit was hit, 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/isthmus-ffi/isthmus"
)

// The exit codes.
const (
	exitOther       = 1
	exitUsage       = 2
	exitProgram     = 3
	exitInput       = 4
	exitDevice      = 5
	exitExecute     = 6
	exitMemory      = 7
	exitInterrupted = 130
)

const exitCodes = `Exit codes: 0 fine; 1 any other failure; 2 wrong use of the command; 3 the program is wrong; 4 its inputs do not fit; 5 the device or its library cannot be used; 6 the execution failed; 7 the memory limit was hit; 130 interrupted.`

// failure is an error with the exit code that it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// interruption is an error with the phase in which it came.
type interruption struct {
	phase string
	err   error
}

func (i *interruption) Error() string { return i.phase + ": " + i.err.Error() }
func (i *interruption) Unwrap() error { return i.err }

// fail gives err an exit code. Interruption and the memory limit have codes of their own wherever they happen.
func fail(code int, err error) error {
	if err == nil {
		return nil
	}
	return &failure{code, err}
}

func exitCode(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, isthmus.ErrLimit):
		return exitMemory
	case errors.As(err, &f):
		return f.code
	}
	return exitOther
}

// cli is the whole grammar.
type cli struct {
	Run        runCmd        `cmd:"" help:"Compile a StableHLO program and run it."`
	Compile    compileCmd    `cmd:"" help:"Compile a StableHLO program for devices that need not be here."`
	Devices    devicesCmd    `cmd:"" help:"List the devices that programs can run on."`
	Audit      auditGroup    `cmd:"" help:"Find the bugs of native boundaries in Go code: cgo, purego and unsafe. Exit codes: 0 clean, 1 findings, 2 nothing could be looked at."`
	Conform    conformCmd    `cmd:"" help:"Check what a PJRT plugin does with the PJRT C API."`
	Explain    explainCmd    `cmd:"" help:"Say what a finding of the auditor or of the validation layer means."`
	Bridge     bridgeCmd     `cmd:"" help:"Libraries in Go that hosts in C, Haskell, Python and Rust call."`
	MPI        mpiCmd        `cmd:"" name:"mpi" help:"Find MPI libraries, and run programs as several ranks."`
	MPS        mpsCmd        `cmd:"" name:"mps" help:"Try the GPU of a Mac by package mps, and report what is missing or wrong."`
	RT         rtCmd         `cmd:"" name:"rt" help:"Say what the tests of the language runtime say."`
	Plugin     pluginCmd     `cmd:"" help:"Install PJRT plugins and find them."`
	Doctor     doctorCmd     `cmd:"" help:"Say which native libraries were found and what would make the rest work."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`
}

// streams are what a command writes to; tests replace them.
type streams struct {
	out, err io.Writer
	terminal bool // err is a terminal: progress may be drawn
}

// sticky remembers the first error of its writer, so that a report that did not reach its reader is a failure without
// a check after each line.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// printable makes text that may quote a program or a file name harmless to a terminal: what is neither printable nor
// a newline is shown as an escape.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[n:]
	}
	return b.String()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // the next interrupt ends the process at once
	}()
	os.Exit(start(ctx, os.Args[1:], &streams{os.Stdout, os.Stderr, isTerminal(os.Stderr)}))
}

// start runs one command line and returns its exit code.
func start(ctx context.Context, args []string, s *streams) int {
	check, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK"))
	if err != nil {
		fmt.Fprintln(s.err, "isthmus: ISTHMUS_CHECK:", err)
		return exitUsage
	}
	defer isthmus.SetCheck(isthmus.SetCheck(check))
	if name := os.Getenv("ISTHMUS_REPORT"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			fmt.Fprintln(s.err, "isthmus: ISTHMUS_REPORT:", err)
			return exitUsage
		}
		defer f.Close()
		write, before := isthmus.JSONReporter(f), isthmus.SetReporter(nil)
		isthmus.SetReporter(func(r isthmus.Report) {
			write(r)
			slog.Warn(r.Error())
		})
		defer func() { isthmus.SetReporter(before) }()
	}

	out := &sticky{w: s.out}
	s = &streams{out, s.err, s.terminal}
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("isthmus"),
		kong.Description("Safe passage between Go and native code: run StableHLO programs on any PJRT device.\n\n"+exitCodes),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.KindMapper(reflect.String, kong.MapperFunc(verbatim)),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "isthmus:", err)
		return exitOther
	}
	k, err := parser.Parse(habits(args))
	if exited >= 0 { // help was asked for and printed
		return exited
	}
	if err != nil {
		command := "isthmus"
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context != nil && wrong.Context.Selected() != nil {
			command = wrong.Context.Selected().FullPath()
		}
		fmt.Fprintf(s.err, "isthmus: %s\nTry: %s --help\n", printable(err.Error()), command)
		return exitUsage
	}
	err = k.Run()
	if err == nil && out.err != nil {
		err = fmt.Errorf("write the report: %w", out.err)
	}
	if err != nil {
		said := err.Error()
		if errors.Is(err, context.Canceled) { // the rest of the chain says what was given up, which nobody asked
			said = "interrupted"
			var where *interruption
			if errors.As(err, &where) {
				said += " while " + where.phase
			}
		}
		fmt.Fprintf(s.err, "isthmus: %s\n", printable(said))
		return exitCode(err)
	}
	if live := isthmus.Live(); check != isthmus.CheckOff && live.Err() != nil {
		fmt.Fprintf(s.err, "isthmus: native objects were not closed; this is a bug of isthmus:\n%v", live)
		if check == isthmus.CheckPanic {
			return exitOther
		}
	}
	return 0
}

// habits turns what other commands take for the version and for help into what this one takes.
func habits(args []string) []string {
	switch {
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// verbatim decodes an argument as it is. kong's own decoder goes through JSON and so changes what is no UTF-8, which file
// names may be.
func verbatim(ctx *kong.DecodeContext, target reflect.Value) error {
	t, err := ctx.Scan.PopValue("string")
	if err == nil {
		target.SetString(t.String())
	}
	return err
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
