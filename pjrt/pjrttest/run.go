package pjrttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Options says what to check and how.
type Options struct {
	// Plugin is the path of a PJRT plugin, or "embedded" for the device in this module.
	Plugin string
	// ClientOptions are the plugin's own options of its clients: values of type string, int64, []int64, float32 and bool.
	ClientOptions map[string]any
	// Match, a regular expression, chooses the checks by their ids; "" is all.
	Match string
	// Timeout bounds one check. The zero value is 60 seconds.
	Timeout time.Duration
	// Child makes the command of a process that calls [Serve] with its standard input and output. nil makes the checks in
	// this process: a plugin that crashes then ends it, and a check that never returns is never left.
	Child func() *exec.Cmd
	// Progress, if not nil, is told each outcome, in order, as soon as it is known.
	Progress func(Outcome)
}

// Info is a check that this package can make.
type Info struct {
	ID    string `json:"id"`
	About string `json:"about"` // what the plugin has to do
}

// Checks lists all checks in the order in which they are made.
func Checks() []Info {
	var out []Info
	for _, c := range checks() {
		out = append(out, Info{c.id, c.about})
	}
	return out
}

// check is one entry of the suite.
type check struct {
	id, about string
	run       func(*probe)
}

// order is what a child is told.
type order struct {
	Plugin  string        `json:"plugin"`
	Options []wireValue   `json:"options"`
	Checks  []string      `json:"checks"`
	Patient time.Duration `json:"patient"`
}

// wireValue carries the type of a value that JSON would lose.
type wireValue struct {
	Name   string   `json:"name"`
	String *string  `json:"string,omitempty"`
	Int    *int64   `json:"int,omitempty"`
	Ints   []int64  `json:"ints,omitempty"`
	Float  *float32 `json:"float,omitempty"`
	Bool   *bool    `json:"bool,omitempty"`
}

// line is what a child says: of the plugin, that a check begins, or how it ended.
type line struct {
	Error   string   `json:"error,omitempty"`
	Facts   *Facts   `json:"facts,omitempty"`
	Begin   string   `json:"begin,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Run makes the checks and reports them. What a plugin does wrong is in the report and no error. Errors:
// [isthmus.ErrInvalid] for options that make no sense, [isthmus.ErrNotFound] for a plugin that does not load, the
// context's when it ends first: the report has then what was done so far.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Plugin == "" {
		return nil, fmt.Errorf("pjrttest: no plugin; give a path or %q: %w", embedded.Name, isthmus.ErrInvalid)
	}
	match, err := regexp.Compile(o.Match)
	if err != nil {
		return nil, fmt.Errorf("pjrttest: match: %w: %w", err, isthmus.ErrInvalid)
	}
	values, err := toWire(o.ClientOptions)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	r := &Report{Plugin: o.Plugin, Started: time.Now().UTC()}
	left := []string{}
	about := map[string]string{}
	for _, c := range checks() {
		if match.MatchString(c.id) {
			left = append(left, c.id)
			about[c.id] = c.about
		}
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("pjrttest: no check matches %q: %w", o.Match, isthmus.ErrNotFound)
	}
	todo := order{Plugin: o.Plugin, Options: values, Patient: o.Timeout / 2}
	take := func(out Outcome) {
		out.About = about[out.ID]
		r.Outcomes = append(r.Outcomes, out)
		if o.Progress != nil {
			o.Progress(out)
		}
	}
	for len(left) > 0 {
		todo.Checks = left
		done := len(r.Outcomes)
		err := session(ctx, o, todo, r, take)
		left = left[len(r.Outcomes)-done:]
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// session runs one child until it ends, or all of todo in this process.
func session(ctx context.Context, o Options, todo order, r *Report, take func(Outcome)) error {
	if o.Child == nil {
		return serve(todo, func(l line) error {
			if l.Facts != nil {
				r.Facts = *l.Facts
			}
			if l.Outcome != nil {
				take(*l.Outcome)
			}
			return ctx.Err()
		})
	}
	input, err := json.Marshal(todo)
	if err != nil {
		return err
	}
	cmd := o.Child()
	var errs words
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pjrttest: start a process for the checks: %w", err)
	}
	lines := make(chan line)
	go func() {
		defer close(lines)
		for s := bufio.NewReader(out); ; {
			text, err := s.ReadBytes('\n')
			var l line
			// A plugin may print to standard output too: what is no line of ours is not for us.
			if bytes.HasPrefix(text, prefix) && json.Unmarshal(text[len(prefix):], &l) == nil {
				lines <- l
			}
			if err != nil {
				return
			}
		}
	}()
	current, began, timedOut := "", time.Now(), false
	var said error
	clock := time.NewTimer(o.Timeout)
	defer clock.Stop()
	stop := ctx.Done()
	for open := true; open; {
		select {
		case l, ok := <-lines:
			open = ok
			clock.Reset(o.Timeout)
			switch {
			case l.Error != "":
				said = fmt.Errorf("pjrttest: %s: %w", l.Error, isthmus.ErrNotFound)
			case l.Facts != nil:
				r.Facts = *l.Facts
			case l.Begin != "":
				current, began = l.Begin, time.Now()
			case l.Outcome != nil:
				take(*l.Outcome)
				current = ""
			}
		case <-clock.C:
			timedOut = true
			_ = cmd.Process.Kill()
		case <-stop:
			stop = nil
			_ = cmd.Process.Kill()
		}
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case said != nil:
		return said
	case err == nil && current == "":
		return nil
	case current == "" && len(r.Outcomes) == 0:
		return fmt.Errorf("pjrttest: the process that loads the plugin ended before its first check (%w): %s", err, errs.String())
	case current == "":
		return nil // it ended between two checks: the next session goes on
	}
	out1 := Outcome{ID: current, Result: Fail, Seconds: time.Since(began).Seconds(), Crashed: !timedOut}
	if timedOut {
		out1.Detail = fmt.Sprintf("no answer after %v", o.Timeout)
	} else {
		out1.Detail = short(fmt.Sprintf("the process died (%v): %s", err, errs.String()))
	}
	take(out1)
	return nil
}

// words keeps what a process said on its standard error: the beginning, where the cause is, and not the end of a long
// trace.
type words struct{ b []byte }

func (t *words) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), max(0, 64<<10-len(t.b)))]...)
	return len(p), nil
}

// String is the line that most likely says why the process ended: the library's last words, or else Go's.
func (t *words) String() string {
	lines := strings.Split(strings.ToValidUTF8(string(t.b), "?"), "\n")
	for _, sign := range []string{"Check failed", "terminate called", "panic: ", "fatal error: ", "SIG"} {
		for _, l := range lines {
			if strings.Contains(l, sign) {
				return strings.TrimSpace(l)
			}
		}
	}
	return strings.TrimSpace(lines[0])
}

// prefix marks the lines of the protocol.
var prefix = []byte("pjrttest ")

// Serve is the other end of [Options.Child]: it reads what to do from in and tells out how it went. The process
// should end when it returns.
func Serve(in io.Reader, out io.Writer) error {
	var todo order
	if err := json.NewDecoder(in).Decode(&todo); err != nil {
		return fmt.Errorf("pjrttest: the order of the checks: %w", err)
	}
	tell := func(l line) error {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		_, err = out.Write(append(append(slices.Clone(prefix), b...), '\n'))
		return err
	}
	err := serve(todo, tell)
	if err != nil {
		return errors.Join(err, tell(line{Error: err.Error()}))
	}
	return nil
}

// serve makes the checks of todo in this process.
func serve(todo order, tell func(line) error) error {
	p, err := open(todo)
	if err != nil {
		return err
	}
	facts := p.facts()
	if err := tell(line{Facts: &facts}); err != nil {
		return err
	}
	all := map[string]check{}
	for _, c := range checks() {
		all[c.id] = c
	}
	for _, id := range todo.Checks {
		c, ok := all[id]
		if !ok {
			return fmt.Errorf("no check is called %q", id)
		}
		if err := tell(line{Begin: id}); err != nil {
			return err
		}
		out := p.make(c)
		if err := tell(line{Outcome: &out}); err != nil {
			return err
		}
	}
	p.close()
	return nil
}

// open loads the plugin.
func open(todo order) (*plugin, error) {
	p := &plugin{patient: todo.Patient, executable: map[string]loaded{}}
	for _, v := range todo.Options {
		p.options = append(p.options, value{v.Name, v.value()})
	}
	if todo.Plugin == embedded.Name {
		t, err := device.Table(device.Options{})
		if err != nil {
			return nil, err
		}
		p.table = t
	} else {
		lib, err := dl.Open(todo.Plugin)
		if err != nil {
			return nil, err
		}
		get, err := lib.Symbol("GetPjrtApi")
		if err != nil {
			return nil, fmt.Errorf("%w; the library is not a PJRT plugin", err)
		}
		p.api, p.again = pjrtc.Ptr[pjrtc.Api](call.Call1(get, 0)), pjrtc.Ptr[pjrtc.Api](call.Call1(get, 0))
		if p.table, err = pjrtc.NewTable(p.api); err != nil {
			return nil, err
		}
	}
	p.chain, p.broken = p.table.Chain()
	if p.table.Has(pjrtc.SlotPluginInitialize) {
		t := newProbe(p)
		defer t.end()
		if _, err := try(t, &pjrtc.PluginInitializeArgs{}); err != nil {
			return nil, fmt.Errorf("initialise: %w", err)
		}
	}
	return p, nil
}

// close destroys what the checks shared.
func (p *plugin) close() {
	t := newProbe(p)
	defer t.end()
	for _, l := range p.executable {
		if l.exe != 0 {
			quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: l.exe})
		}
	}
	if p.client != 0 {
		quiet(t, &pjrtc.ClientDestroyArgs{Client: p.client})
	}
}

// make makes one check.
func (p *plugin) make(c check) (out Outcome) {
	began := time.Now()
	t := newProbe(p)
	out = Outcome{ID: c.id, Result: Pass}
	defer func() { out.Seconds = time.Since(began).Seconds() }()
	defer t.end()
	defer func() {
		switch r := recover().(type) {
		case nil:
			out.Detail = t.summary()
		case ending:
			out.Result, out.Detail = r.result, r.detail
		default:
			panic(r) // a fault of this package's: the process dies with its stack, and the check is a crash
		}
	}()
	c.run(t)
	return out
}

func toWire(m map[string]any) ([]wireValue, error) {
	var out []wireValue
	for name, v := range m {
		w := wireValue{Name: name}
		switch x := v.(type) {
		case string:
			w.String = &x
		case int64:
			w.Int = &x
		case []int64:
			w.Ints = append([]int64{}, x...)
		case float32:
			w.Float = &x
		case bool:
			w.Bool = &x
		default:
			return nil, fmt.Errorf("pjrttest: client option %q is %T; use string, int64, []int64, float32 or bool: %w", name, v, isthmus.ErrInvalid)
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b wireValue) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (w wireValue) value() any {
	switch {
	case w.String != nil:
		return *w.String
	case w.Int != nil:
		return *w.Int
	case w.Float != nil:
		return *w.Float
	case w.Bool != nil:
		return *w.Bool
	}
	return w.Ints
}
