// Command isthmus runs compiled machine-learning programs on any PJRT device, and says what a machine can run.
//
//	isthmus run program.mlir --input x.npy
//
// Exit codes: 0 fine, 1 any other failure, 2 wrong use of the command, 3 the program is wrong, 4 its inputs do not fit,
// 5 the device or its library cannot be used, 6 the execution failed, 7 the memory limit was hit, 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

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

// failure is an error with the exit code that it means.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

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
	Devices    devicesCmd    `cmd:"" help:"List the devices that programs can run on."`
	Plugin     pluginCmd     `cmd:"" help:"Install PJRT plugins and find them."`
	Doctor     doctorCmd     `cmd:"" help:"Say which native libraries were found and what would make the rest work."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`
}

// streams are what a command reads and writes; tests replace them.
type streams struct {
	out, err io.Writer
	terminal bool // err is a terminal: progress may be drawn
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second interrupt ends the process at once
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

	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("isthmus"),
		kong.Description("Safe passage between Go and native code: run StableHLO programs on any PJRT device."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "isthmus:", err)
		return exitOther
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // help was asked for and printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "isthmus: %v\nTry: isthmus --help\n", err)
		return exitUsage
	}
	if err := k.Run(); err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(s.err, "isthmus: interrupted")
		} else {
			fmt.Fprintln(s.err, "isthmus:", err)
		}
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

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
