package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/internal/plugins"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type devicesCmd struct {
	Device []string `arg:"" optional:"" help:"Only these: a name or the path of a plugin."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// deviceNote is one device, or why a name gave none.
type deviceNote struct {
	Name     string `json:"name"` // for --device
	Device   string `json:"device,omitempty"`
	Platform string `json:"platform,omitempty"`
	Version  string `json:"version,omitempty"`
	API      string `json:"api,omitempty"`
	Error    string `json:"error,omitempty"`
}

// names are what a user can give to --device on this machine.
func names() []string {
	all := []string{target.Embedded}
	for _, p := range plugins.Known() {
		all = append(all, p.Name)
	}
	return append(all, target.CUDA)
}

// Run lists devices. Names that were not asked for and give no device are not failures.
func (c *devicesCmd) Run(ctx context.Context, s *streams) error {
	asked := c.Device
	if len(asked) == 0 {
		asked = names()
	}
	var notes []deviceNote
	var errs []error
	for _, name := range asked {
		found, err := look(ctx, name)
		if err != nil {
			if len(c.Device) > 0 {
				errs = append(errs, err)
			}
			found = []deviceNote{{Name: name, Error: err.Error()}}
		}
		notes = append(notes, found...)
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(notes); err != nil {
			return err
		}
		return fail(exitDevice, errors.Join(errs...))
	}
	t := newTable("--device", "device", "platform", "PJRT API")
	missing := 0
	for _, n := range notes {
		if n.Error != "" {
			missing++
			continue
		}
		t.AppendRow(table.Row{n.Name, n.Device, n.Platform, n.API})
	}
	fmt.Fprintln(s.out, t.Render())
	if missing > 0 && len(c.Device) == 0 {
		fmt.Fprintf(s.out, "%d more are known but not here; isthmus doctor says what would make them work\n", missing)
	}
	return fail(exitDevice, errors.Join(errs...))
}

// look makes a client of the named device and lists what it has.
func look(ctx context.Context, name string) (notes []deviceNote, err error) {
	p, err := target.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	client, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	major, minor := p.Version()
	for _, d := range client.Devices() {
		notes = append(notes, deviceNote{
			Name: name, Device: d.String(), Platform: client.Platform(), Version: client.PlatformVersion(),
			API: fmt.Sprintf("%d.%d", major, minor),
		})
	}
	return notes, nil
}

type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// finding is one line of the doctor.
type finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Run looks at everything that this module can use. It never fails for what is missing: that is what it reports.
func (c *doctorCmd) Run(ctx context.Context, s *streams) error {
	found := []finding{
		{"isthmus", true, version() + ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH},
		{"vector kernels", kernel.Best().Level() != kernel.LevelGo, kernelNote()},
	}
	for _, name := range names() {
		f := finding{What: "device " + name}
		notes, err := look(ctx, name)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.Detail = err.Error()
		case len(notes) == 0:
			f.Detail = "its plugin works, but it has no device that this process can use"
		default:
			f.OK = true
			f.Detail = fmt.Sprintf("%d of %s, PJRT API %s, %s", len(notes), notes[0].Device, notes[0].API, firstLine(notes[0].Version))
		}
		found = append(found, f)
	}
	for _, tool := range []struct{ name, why string }{
		{"uv", "or pip, to install plugins"},
		{"python3", "its pip installs plugins, and its packages may hold the CUDA plugin"},
		{"cc", "only to work on isthmus itself: C fixtures and the struct probe"},
	} {
		f := finding{What: tool.name}
		if path, err := exec.LookPath(tool.name); err == nil {
			f.OK, f.Detail = true, path
		} else {
			f.Detail = "not found; needed " + tool.why
		}
		found = append(found, f)
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(found)
	}
	for _, f := range found {
		mark := "ok "
		if !f.OK {
			mark = "-  "
		}
		fmt.Fprintf(s.out, "%s %-16s %s\n", mark, f.What, f.Detail)
	}
	return nil
}

func kernelNote() string {
	switch l := kernel.Best().Level(); l {
	case kernel.LevelGo:
		return "plain Go: this processor has no AVX2, or is not amd64"
	default:
		return "the embedded device uses " + strings.ToUpper(l.String())
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "isthmus", version())
	return err
}

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

type pluginCmd struct {
	Install pluginInstall `cmd:"" help:"Install a plugin through this machine's pip or uv, or from a wheel file."`
	List    pluginList    `cmd:"" help:"List the plugins that can be installed, and which are."`
	Path    pluginPath    `cmd:"" help:"Print where an installed plugin's library is."`
}

type pluginInstall struct {
	Name  string `arg:"" help:"cpu, or another name of: isthmus plugin list."`
	Wheel string `placeholder:"FILE" help:"Take it from this wheel file instead; its hash is checked too."`
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
	defer p.stop()
	p.phase(fmt.Sprintf("installing %s %s", pin.Package, pin.Version))
	got, err := store.Install(ctx, pin, plugins.Options{Wheel: c.Wheel})
	if err != nil {
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
	if err != nil {
		return fail(exitDevice, err)
	}
	_, err = fmt.Fprintln(s.out, found.Path)
	return err
}
