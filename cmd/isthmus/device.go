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
	"time"

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
	Library  string `json:"library,omitempty"` // the plugin's file, where it was found by name
	Error    string `json:"error,omitempty"`
}

// names are what a user can give to --device on this machine.
func names() []string {
	all := []string{target.Embedded}
	for _, p := range plugins.Known() {
		if p.Name != target.TPU || target.HasTPU() { // without one, its library only compiles, and logs a lot
			all = append(all, p.Name)
		}
	}
	return all
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
	if t.Length() > 0 {
		fmt.Fprintln(s.out, t.Render())
	}
	if missing > 0 && len(c.Device) == 0 {
		fmt.Fprintf(s.out, "known, but not here: %d; isthmus doctor says what would make them work\n", missing)
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
	library := ""
	if store, err := plugins.Default(); err == nil {
		if found, err := store.Find(name); err == nil {
			library = found.Path
		}
	}
	for _, d := range client.Devices() {
		notes = append(notes, deviceNote{
			Name: name, Device: d.String(), Platform: client.Platform(), Version: client.PlatformVersion(),
			API: fmt.Sprintf("%d.%d", major, minor), Library: library,
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
	Fix    string `json:"fix,omitempty"` // what would make it work, where the detail does not say it
}

// Run looks at everything that this module can use. It never fails for what is missing: that is what it reports.
func (c *doctorCmd) Run(ctx context.Context, s *streams) error {
	found := []finding{
		{What: "isthmus", OK: true, Detail: version() + ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH},
		{What: "vector kernels", OK: kernel.Best().Level() != kernel.LevelGo, Detail: kernelNote()},
	}
	if store, err := plugins.Default(); err != nil {
		found = append(found, finding{What: "plugins", Detail: err.Error(), Fix: "set HOME or XDG_CACHE_HOME, or name plugins by their paths"})
	} else {
		found = append(found, finding{What: "plugins", OK: true, Detail: "kept in " + store.Dir})
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
			f.Fix = "look at the driver of the device, and at the variables that hide devices, such as CUDA_VISIBLE_DEVICES"
		default:
			f.OK = true
			f.Detail = fmt.Sprintf("%s, devices: %d, PJRT API %s, %s", notes[0].Device, len(notes), notes[0].API, firstLine(notes[0].Version))
			if notes[0].Library != "" {
				f.Detail += ", " + notes[0].Library
			}
		}
		found = append(found, f)
	}
	found = append(found, doctorMPI(ctx), doctorMetal(ctx), installer(ctx), compiler())
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
		fmt.Fprintf(s.out, "%s %-16s %s\n", mark, f.What, printable(f.Detail))
		if f.Fix != "" {
			fmt.Fprintf(s.out, "%20sto fix: %s\n", "", f.Fix)
		}
	}
	return nil
}

// installer is what isthmus plugin install can use.
func installer(ctx context.Context) finding {
	f := finding{What: "pip or uv", Fix: "install one of them; or fetch the wheel that isthmus plugin list names elsewhere, and: isthmus plugin install cpu --wheel FILE"}
	if path, err := exec.LookPath("uv"); err == nil {
		return finding{What: f.What, OK: true, Detail: path}
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		f.Detail = "neither uv nor python3 is in PATH; needed only to install plugins"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-m", "pip", "--version").Output()
	if err != nil {
		f.Detail = path + " has no pip, and uv is not in PATH; needed only to install plugins"
		return f
	}
	return finding{What: f.What, OK: true, Detail: firstLine(string(out))}
}

// compiler is what the module's own tests want.
func compiler() finding {
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			return finding{What: "C compiler", OK: true, Detail: path + "; for libraries that programs in other languages load, and for the tests of isthmus; the rest needs none"}
		}
	}
	return finding{What: "C compiler", Detail: "not found; for libraries that programs in other languages load, and for the tests of isthmus; the rest needs none"}
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
