package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type compileCmd struct {
	Program  string            `arg:"" help:"StableHLO program: text (.mlir) or portable bytecode; - reads standard input."`
	Device   string            `default:"embedded" placeholder:"NAME" help:"Whose compiler: embedded, cpu, cuda, tpu (each after: isthmus plugin install NAME), or the path of a PJRT plugin."`
	Topology string            `placeholder:"NAME" help:"Compile for these devices, such as v5e:2x2 with --device tpu; they need not be here. Without it: for the devices that are here."`
	Output   string            `short:"o" placeholder:"FILE" help:"Write the compiled program there; the same version of the same plugin loads it."`
	Flag     map[string]string `placeholder:"NAME=VALUE" help:"A flag of XLA's compiler, such as xla_cpu_enable_fast_math=true."`
	JSON     bool              `name:"json" help:"Print the report as JSON."`
}

// Help shows how it is used.
func (compileCmd) Help() string {
	return `Examples:

    isthmus compile model.mlir --device cpu -o model.bin
    isthmus plugin install tpu
    isthmus compile model.mlir --device tpu --topology v6e:2x2 --json

` + exitCodes
}

// compiled is what compile prints.
type compiled struct {
	Program      string           `json:"program"`
	Platform     string           `json:"platform"`
	Devices      int              `json:"devices"` // of the topology
	Name         string           `json:"name"`
	Fingerprint  string           `json:"fingerprint,omitempty"` // hexadecimal
	Params       []string         `json:"params"`
	Outputs      []string         `json:"outputs"`
	Replicas     int              `json:"replicas"`
	Partitions   int              `json:"partitions"`
	CodeSize     int64            `json:"code_bytes"` // -1 where the plugin does not tell
	Memory       map[string]int64 `json:"memory_bytes,omitempty"`
	Cost         map[string]any   `json:"cost,omitempty"`
	Milliseconds float64          `json:"compile_ms"`
	File         string           `json:"file,omitempty"`
	Size         int              `json:"file_bytes,omitempty"`
}

// Run compiles a program for devices that need not be here.
func (c *compileCmd) Run(ctx context.Context, s *streams) (err error) {
	if c.Topology != "" && c.Device == target.Embedded {
		return fail(exitUsage, fmt.Errorf("--topology %s: the embedded device is here; say with --device whose compiler knows these devices, such as tpu", c.Topology))
	}
	code, err := readProgram(ctx, c.Program)
	if err != nil {
		return fail(exitProgram, err)
	}
	p, err := target.Plugin(ctx, c.Device)
	if err != nil {
		return fail(exitDevice, err)
	}
	t, done, err := c.topology(ctx, p)
	if err != nil {
		return fail(exitDevice, err)
	}
	defer func() { err = errors.Join(err, done()) }()
	o := pjrt.CompileOptions{}
	for _, name := range slices.Sorted(maps.Keys(c.Flag)) {
		o.Overrides = append(o.Overrides, pjrt.Override{Name: name, Value: c.Flag[name]})
	}
	start := time.Now()
	x, err := t.Compile(ctx, pjrt.MLIR(code), o)
	if err != nil {
		return fail(exitProgram, err)
	}
	defer func() { err = errors.Join(x.Close(), err) }()
	rep := compiled{
		Program: called(c.Program), Platform: t.Platform(), Devices: len(t.Devices()), Name: x.Name(), Replicas: x.Replicas(), Partitions: x.Partitions(),
		CodeSize: x.CodeSize(), Milliseconds: since(start), Params: []string{}, Outputs: []string{}, Fingerprint: fmt.Sprintf("%x", x.Fingerprint()),
	}
	if params, known := x.Params(); known {
		for _, p := range params {
			rep.Params = append(rep.Params, p.String())
		}
	}
	for _, o := range x.Outputs() {
		rep.Outputs = append(rep.Outputs, o.String())
	}
	// What the plugin does not tell is left out.
	if m, err := x.CompiledMemory(); err == nil {
		rep.Memory = map[string]int64{"code": m.Code, "arguments": m.Args, "outputs": m.Outputs, "aliased": m.Aliased, "temporary": m.Temp, "peak": m.Peak}
	}
	if cost, err := x.CostAnalysis(); err == nil {
		rep.Cost = named(cost)
	}
	if c.Output != "" {
		b, err := x.Serialize()
		if err != nil {
			return fail(exitDevice, err)
		}
		err = atomicfile.Write(c.Output, os.FileMode(0o666), func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return err
		}
		rep.File, rep.Size = c.Output, len(b)
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(rep)
	}
	rep.print(s.out)
	return nil
}

// topology finds the devices to compile for; done ends what had to be opened.
func (c *compileCmd) topology(ctx context.Context, p *pjrt.Plugin) (*pjrt.Topology, func() error, error) {
	if c.Topology != "" {
		t, err := p.NewTopology(ctx, c.Topology, nil)
		if err != nil {
			return nil, nil, err
		}
		return t, t.Close, nil
	}
	client, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("%w; to compile for devices that are not here, name them with --topology", err)
	}
	t, err := client.Topology()
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return t, client.Close, nil
}

func (r *compiled) print(w io.Writer) {
	fmt.Fprintf(w, "%s compiled for %s (devices: %d) in %s\n", r.Program, printable(r.Platform), r.Devices, ms(r.Milliseconds))
	t := newTable("", "")
	t.ResetHeaders()
	row := func(what, value string) { t.AppendRow(table.Row{what, value}) }
	row("name", printable(r.Name))
	row("parameters", wrap(r.Params))
	row("outputs", wrap(r.Outputs))
	row("replicas x partitions", fmt.Sprintf("%d x %d", r.Replicas, r.Partitions))
	if r.CodeSize >= 0 {
		row("code", fmt.Sprintf("%d bytes", r.CodeSize))
	}
	for _, name := range sortedKeys(r.Memory) {
		row("memory "+name, fmt.Sprintf("%d bytes", r.Memory[name]))
	}
	for _, name := range sortedKeys(r.Cost) {
		row(printable(name), fmt.Sprint(r.Cost[name]))
	}
	fmt.Fprintln(w, t.Render())
	if r.File != "" {
		fmt.Fprintf(w, "written to %s (%d bytes)\n", r.File, r.Size)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
