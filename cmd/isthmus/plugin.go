package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/isthmus-ffi/isthmus/internal/plugins"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type pluginCmd struct {
	Install pluginInstall `cmd:"" help:"Install a plugin through this machine's pip or uv, or from a wheel file."`
	List    pluginList    `cmd:"" help:"List the plugins that can be installed, and which are."`
	Inspect pluginInspect `cmd:"" help:"Say what a plugin can: version, extensions, missing functions, devices, memories."`
	Path    pluginPath    `cmd:"" help:"Print where an installed plugin's library is."`
}

type pluginInstall struct {
	Name  string `arg:"" help:"cpu, cuda, tpu, or another name of: isthmus plugin list."`
	Wheel string `placeholder:"FILE" help:"Take it from this wheel file instead; its hash is checked too."`

	Verbose bool `short:"v" help:"Say on standard error what happens, each step as it begins."`
}

// Run installs a plugin.
func (c *pluginInstall) Run(ctx context.Context, s *streams) error {
	pin, err := plugins.Lookup(c.Name)
	if err != nil {
		return fail(exitUsage, err)
	}
	store, err := plugins.Default()
	if err != nil {
		return err
	}
	p := newProgress(s)
	p.verbose = c.Verbose
	defer p.stop()
	p.phase(fmt.Sprintf("installing %s %s", pin.Package, pin.Version))
	got, err := store.Install(ctx, pin, plugins.Options{Wheel: c.Wheel, Progress: p.phase})
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = &interruption{p.now(), err}
		}
		return fail(exitDevice, err)
	}
	p.stop()
	_, err = fmt.Fprintf(s.out, "%s (%s %s) is installed; use it with --device %s\n", pin.Title, pin.Package, pin.Version, got.Pin.Name)
	return err
}

type pluginList struct{}

// Run lists plugins.
func (pluginList) Run(s *streams) error {
	store, err := plugins.Default()
	if err != nil {
		return err
	}
	t := newTable("name", "what", "PJRT API", "package", "platform", "installed")
	for _, p := range plugins.Known() {
		where := "no"
		if _, err := store.FindPin(p); err == nil {
			where = "yes"
		}
		t.AppendRow(table.Row{p.Name, p.Title, p.API, p.Package + " " + p.Version, p.OS + "/" + p.Arch, where})
	}
	_, err = fmt.Fprintln(s.out, t.Render())
	return err
}

type pluginPath struct {
	Name string `arg:"" help:"The plugin's name."`
}

// Run prints a path.
func (c *pluginPath) Run(s *streams) error {
	store, err := plugins.Default()
	if err != nil {
		return err
	}
	found, err := store.Find(c.Name)
	switch {
	case errors.Is(err, plugins.ErrUnknown):
		return fail(exitUsage, err)
	case err != nil:
		return fail(exitDevice, err)
	}
	_, err = fmt.Fprintln(s.out, found.Path)
	return err
}

type pluginInspect struct {
	Name     string `arg:"" help:"A device's name, or the path of a plugin."`
	Topology string `placeholder:"NAME" help:"Describe the devices of this topology, such as v5e:2x2, instead of those that are here."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// inspection is what a plugin says of itself.
type inspection struct {
	Name            string          `json:"name"`
	Library         string          `json:"library,omitempty"`
	API             string          `json:"api"`
	Attributes      map[string]any  `json:"attributes"`
	Extensions      []extensionNote `json:"extensions"`
	Missing         []string        `json:"missing_functions"`
	Platform        string          `json:"platform,omitempty"`
	PlatformVersion string          `json:"platform_version,omitempty"`
	Devices         []inspectedNote `json:"devices"`
	Memories        []memorySpace   `json:"memories"`
	Topology        map[string]any  `json:"topology,omitempty"`     // its attributes
	DeviceError     string          `json:"device_error,omitempty"` // why there are no devices
}

type extensionNote struct {
	ID        int      `json:"id"`
	Name      string   `json:"name,omitempty"`
	Size      int      `json:"size"`
	Functions []string `json:"functions"`
}

type inspectedNote struct {
	ID         int            `json:"id"`
	Process    int            `json:"process"`
	Hardware   *int           `json:"hardware_id,omitempty"`
	Kind       string         `json:"kind"`
	Text       string         `json:"text"`
	Attributes map[string]any `json:"attributes"`
	Memories   []int          `json:"memories,omitempty"` // by their numbers, the default first
}

type memorySpace struct {
	ID   int    `json:"id"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Run inspects a plugin. That it has no device here is no failure: it can be inspected all the same.
func (c *pluginInspect) Run(ctx context.Context, s *streams) error {
	p, err := target.Plugin(ctx, c.Name)
	if err != nil {
		return fail(exitDevice, err)
	}
	major, minor := p.Version()
	info := inspection{
		Name: p.Name(), API: fmt.Sprintf("%d.%d", major, minor), Attributes: named(p.Attributes()),
		Extensions: []extensionNote{}, Missing: append([]string{}, p.Missing()...), Devices: []inspectedNote{}, Memories: []memorySpace{},
	}
	if store, err := plugins.Default(); err == nil {
		if found, err := store.Find(c.Name); err == nil && filepath.Base(found.Path) == p.Name() {
			info.Library = found.Path
		}
	}
	for _, e := range p.Extensions() {
		info.Extensions = append(info.Extensions, extensionNote{e.ID, e.Name, e.Size, append([]string{}, e.Functions...)})
	}
	if c.Topology != "" {
		err = info.describeTopology(ctx, p, c.Topology)
		if err != nil {
			return fail(exitDevice, err)
		}
	} else if err = info.describeDevices(ctx, p); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		info.DeviceError = err.Error()
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(info)
	}
	info.print(s.out)
	return nil
}

func (info *inspection) describeDevices(ctx context.Context, p *pjrt.Plugin) (err error) {
	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	info.Platform, info.PlatformVersion = c.Platform(), c.PlatformVersion()
	for _, m := range c.Memories() {
		info.Memories = append(info.Memories, memorySpace{m.ID(), m.Kind(), m.String()})
	}
	for _, d := range c.AllDevices() {
		n := inspectedNote{ID: d.ID(), Process: d.ProcessIndex(), Kind: d.Kind(), Text: d.String(), Attributes: named(d.Attributes())}
		if d.Addressable() {
			hardware := d.HardwareID()
			n.Hardware = &hardware
		}
		first := d.Memory()
		if first != nil {
			n.Memories = append(n.Memories, first.ID())
		}
		for _, m := range d.Memories() {
			if m != first {
				n.Memories = append(n.Memories, m.ID())
			}
		}
		info.Devices = append(info.Devices, n)
	}
	return nil
}

func (info *inspection) describeTopology(ctx context.Context, p *pjrt.Plugin, name string) error {
	t, err := p.NewTopology(ctx, name, nil)
	if err != nil {
		return err
	}
	info.Platform, info.PlatformVersion, info.Topology = t.Platform(), t.PlatformVersion(), named(t.Attributes())
	for _, d := range t.Devices() {
		info.Devices = append(info.Devices, inspectedNote{ID: d.ID, Process: d.ProcessIndex, Kind: d.Kind, Text: d.Text, Attributes: named(d.Attributes)})
	}
	return t.Close()
}

// named makes a JSON object of named values.
func named(values []pjrt.NamedValue) map[string]any {
	out := map[string]any{}
	for _, v := range values {
		out[v.Name] = v.Value
		if x, is := v.Value.(float32); is && x-x != 0 { // JSON has no infinities
			out[v.Name] = fmt.Sprint(x)
		}
	}
	return out
}

func (info *inspection) print(w io.Writer) {
	fmt.Fprintf(w, "%s, PJRT API %s", printable(info.Name), info.API)
	if info.Platform != "" {
		fmt.Fprintf(w, ", platform %s (%s)", printable(info.Platform), printable(firstLine(info.PlatformVersion)))
	}
	fmt.Fprintln(w)
	if info.Library != "" {
		fmt.Fprintln(w, info.Library)
	}
	t := newTable("attribute", "value")
	for _, name := range sortedKeys(info.Attributes) {
		t.AppendRow(table.Row{printable(name), printable(fmt.Sprint(info.Attributes[name]))})
	}
	for _, name := range sortedKeys(info.Topology) {
		t.AppendRow(table.Row{"topology " + printable(name), printable(fmt.Sprint(info.Topology[name]))})
	}
	if t.Length() > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Render())
	}
	t = newTable("extension", "id", "bytes", "functions")
	for _, e := range info.Extensions {
		name := e.Name
		if name == "" {
			name = "(unknown)"
		}
		t.AppendRow(table.Row{name, e.ID, e.Size, wrap(e.Functions)})
	}
	if t.Length() > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Render())
	} else {
		fmt.Fprintln(w, "\nno extensions")
	}
	if len(info.Missing) == 0 {
		fmt.Fprintln(w, "\nno function of the API is missing")
	} else {
		fmt.Fprintf(w, "\nmissing functions: %s\n", strings.Join(info.Missing, ", "))
	}
	t = newTable("device", "process", "kind", "memories", "attributes")
	for _, d := range info.Devices {
		var attributes []string
		for _, name := range sortedKeys(d.Attributes) {
			attributes = append(attributes, fmt.Sprintf("%s=%v", name, d.Attributes[name]))
		}
		t.AppendRow(table.Row{printable(d.Text), d.Process, printable(d.Kind), strings.Trim(fmt.Sprint(d.Memories), "[]"), printable(strings.Join(attributes, " "))})
	}
	if t.Length() > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Render())
	}
	t = newTable("memory", "kind", "text")
	for _, m := range info.Memories {
		t.AppendRow(table.Row{m.ID, printable(m.Kind), printable(m.Text)})
	}
	if t.Length() > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Render())
	}
	if info.DeviceError != "" {
		fmt.Fprintf(w, "\nno device can be used here: %s\n", printable(info.DeviceError))
	}
}

// wrap sets names in lines of moderate length.
func wrap(names []string) string {
	var b strings.Builder
	width := 0
	for i, n := range names {
		switch {
		case i == 0:
		case width+len(n) > 90:
			b.WriteString("\n")
			width = 0
		default:
			b.WriteString(" ")
		}
		b.WriteString(n)
		width += len(n) + 1
	}
	return b.String()
}
