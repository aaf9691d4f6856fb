package pjrt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
)

// Plugin is a loaded PJRT plugin. It lives as long as the process: native libraries of this kind cannot be unloaded
// safely. It is safe for concurrent use.
type Plugin struct {
	suspect    atomic.Bool // it threw an exception
	native     bool        // a library, not this module's Go code, whose accesses the race detector sees itself
	name       string
	table      *pjrtc.Table
	chain      []pjrtc.Link
	attributes []NamedValue
	handlers   handlers
	transforms transforms
	parters    partitioners

	clients    ffi.Class[pjrtc.Ptr[pjrtc.Client]]
	loaded     ffi.Class[pjrtc.Ptr[pjrtc.LoadedExecutable]]
	compiled   ffi.Class[pjrtc.Ptr[pjrtc.Executable]]
	topologies ffi.Class[pjrtc.Ptr[pjrtc.TopologyDescription]]
	buffers    ffi.Class[pjrtc.Ptr[pjrtc.Buffer]]
	events     ffi.Class[pjrtc.Ptr[pjrtc.Event]]
	promises   ffi.Class[pledge]
	uploads    ffi.Class[*upload]
	mappings   ffi.Class[mapping]
	tracks     ffi.Class[pjrtc.Ptr[pjrtc.AsyncTrackingEvent]]
	capsules   ffi.Class[*exported]
	executions ffi.Class[*run]
	contexts   ffi.Class[pjrtc.Ptr[pjrtc.ExecuteContext]]
	streams    ffi.Class[pjrtc.Ptr[pjrtc.CopyToDeviceStream]]
}

// registry holds the plugins of this process: the system's loader is one for the process too.
var registry struct {
	loading sync.Mutex // one load at a time: two names may lead to one file
	mu      sync.Mutex
	byPath  map[string]*Plugin
	byAPI   map[pjrtc.Ptr[pjrtc.Api]]*Plugin
}

// Load opens the plugin at path, checks its function table and initialises it. A plugin that was loaded before is
// returned again, also when another name leads to the same file; concurrent calls load it once.
//
// Loading runs the library's code: load only what you trust. Errors: [isthmus.ErrNotFound] for a file that the
// system's loader does not take or that exports no GetPjrtApi, [isthmus.ErrVersion] and [isthmus.ErrInvalid] for a
// table that this module does not know, and whatever the plugin's own initialisation says. After an error the path
// may be tried again.
func Load(path string) (*Plugin, error) {
	if path == "" {
		return nil, invalid("load", "no path")
	}
	key := path
	if strings.ContainsRune(path, filepath.Separator) {
		if abs, err := filepath.Abs(path); err == nil {
			key = abs
		}
		if real, err := filepath.EvalSymlinks(key); err == nil {
			key = real
		}
	}
	registry.loading.Lock()
	defer registry.loading.Unlock()
	registry.mu.Lock()
	p := registry.byPath[key]
	registry.mu.Unlock()
	if p != nil {
		return p, nil
	}
	api, p, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("pjrt: load %q: %w", path, err)
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.byPath == nil {
		registry.byPath, registry.byAPI = map[string]*Plugin{}, map[pjrtc.Ptr[pjrtc.Api]]*Plugin{}
	}
	registry.byPath[key], registry.byAPI[api] = p, p
	return p, nil
}

// Plugins lists the plugins that this process has loaded.
func Plugins() []*Plugin {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	var all []*Plugin
	for _, p := range registry.byAPI {
		all = append(all, p)
	}
	return all
}

func load(path string) (pjrtc.Ptr[pjrtc.Api], *Plugin, error) {
	lib, err := dl.Open(path)
	if err != nil {
		return 0, nil, err
	}
	get, err := lib.Symbol("GetPjrtApi")
	if err != nil {
		return 0, nil, fmt.Errorf("%w; the library is not a PJRT plugin", err)
	}
	f := call.Get()
	defer f.Put()
	api := pjrtc.Ptr[pjrtc.Api](f.Call1(get, 0))
	if x := f.Thrown(); x != nil {
		return 0, nil, fmt.Errorf("GetPjrtApi threw a %w", x)
	}
	if api == 0 {
		return 0, nil, fmt.Errorf("GetPjrtApi returned null: %w", isthmus.ErrInvalid)
	}
	registry.mu.Lock()
	p := registry.byAPI[api]
	registry.mu.Unlock()
	if p != nil {
		return api, p, nil
	}
	t, err := pjrtc.NewTable(api)
	if err != nil {
		return 0, nil, err
	}
	if p, err = open(filepath.Base(path), t); err == nil {
		p.native = true
	}
	return api, p, err
}

// lentTo tells the race detector that the plugin has the memory.
func (p *Plugin) lentTo(l *ffi.Loan) {
	if p.native {
		l.Watch()
	}
}

// FromTable makes a plugin of a function table that lives in this process, such as the embedded device's. Only this
// module can make a [pjrtc.Table]. name is for messages.
func FromTable(name string, t *pjrtc.Table) (*Plugin, error) {
	if t == nil {
		return nil, invalid("open "+name, "no function table")
	}
	p, err := open(name, t)
	if err != nil {
		return nil, fmt.Errorf("pjrt: open %q: %w", name, err)
	}
	return p, nil
}

// required are the functions without which nothing works.
var required = []pjrtc.Slot{
	pjrtc.SlotErrorDestroy, pjrtc.SlotErrorMessage, pjrtc.SlotErrorGetCode, pjrtc.SlotClientCreate, pjrtc.SlotClientDestroy,
	pjrtc.SlotEventDestroy, pjrtc.SlotEventAwait, pjrtc.SlotBufferDestroy, pjrtc.SlotLoadedExecutableDestroy, pjrtc.SlotExecutableDestroy,
}

// newPlugin makes a plugin of a table without calling it.
func newPlugin(name string, t *pjrtc.Table) (*Plugin, error) {
	p := &Plugin{name: name, table: t}
	for _, s := range required {
		if !t.Has(s) {
			return nil, p.lacks(s)
		}
	}
	var err error
	if p.chain, err = t.Chain(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, isthmus.ErrInvalid)
	}
	p.clients.Name, p.clients.Destroy = "pjrt.Client", func(c pjrtc.Ptr[pjrtc.Client]) error {
		return ask(p, "destroy client", func(_ *call.Frame, a *pjrtc.ClientDestroyArgs) error { a.Client = c; return nil }, nil)
	}
	p.loaded.Name, p.loaded.Destroy = "pjrt.Executable", func(e pjrtc.Ptr[pjrtc.LoadedExecutable]) error {
		return ask(p, "destroy executable", func(_ *call.Frame, a *pjrtc.LoadedExecutableDestroyArgs) error { a.Executable = e; return nil }, nil)
	}
	p.compiled.Name, p.compiled.Destroy = "pjrt.Compiled", p.destroyExecutable
	p.topologies.Name, p.topologies.Destroy = "pjrt.Topology", func(t pjrtc.Ptr[pjrtc.TopologyDescription]) error {
		return ask(p, "destroy topology", func(_ *call.Frame, a *pjrtc.TopologyDescriptionDestroyArgs) error { a.Topology = t; return nil }, nil)
	}
	p.executions = executions()
	p.contexts.Name, p.contexts.Destroy = "pjrt.ExecuteContext", p.destroyContext
	p.streams.Name, p.streams.Destroy = "pjrt.DeviceStream", p.destroyStream
	p.buffers.Brief = true
	p.buffers.Name, p.buffers.Destroy = "pjrt.Buffer", func(b pjrtc.Ptr[pjrtc.Buffer]) error {
		// On the path of every execution, so it is one straight function. The table has its slot.
		f := call.Get()
		a, err := call.Raw[pjrtc.BufferDestroyArgs](f)
		if err == nil {
			a.StructSize, a.ExtensionStart, a.Buffer = pjrtc.BufferDestroyArgsSize, 0, b
			if e := p.table.Invoke(pjrtc.SlotBufferDestroy, f, mem.AddrOfPtr(a)); e != 0 {
				err = p.outcome(f, "destroy buffer", pjrtc.Ptr[pjrtc.Error](e))
			}
		}
		f.Put()
		return err
	}
	p.events.Name, p.events.Destroy = "pjrt.Event", func(e pjrtc.Ptr[pjrtc.Event]) error {
		return ask(p, "destroy event", func(_ *call.Frame, a *pjrtc.EventDestroyArgs) error { a.Event = e; return nil }, nil)
	}
	p.more()
	return p, nil
}

func open(name string, t *pjrtc.Table) (*Plugin, error) {
	if isthmus.CurrentCheck() == isthmus.CheckValidate {
		checked, _, err := layered(t, pjrtlayer.Options{Report: tell})
		if err != nil {
			return nil, err
		}
		t = checked
	}
	p, err := newPlugin(name, t)
	if err != nil {
		return nil, err
	}
	if t.Has(pjrtc.SlotPluginInitialize) {
		if err := ask[pjrtc.PluginInitializeArgs](p, "initialize plugin", nil, nil); err != nil {
			return nil, err
		}
	}
	if t.Has(pjrtc.SlotPluginAttributes) {
		err := ask(p, "read the plugin's attributes", nil, func(a *pjrtc.PluginAttributesArgs) error {
			p.attributes, err = fromNative("read the plugin's attributes", a.Attributes, a.NumAttributes)
			return err
		})
		if err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
			return nil, err
		}
	}
	return p, nil
}

// Name is the plugin's file name, or the name of the embedded device.
func (p *Plugin) Name() string { return orZero(p).name }

// String returns the name and the API version.
func (p *Plugin) String() string {
	if p == nil || p.table == nil {
		return "pjrt.Plugin(none)"
	}
	major, minor := p.Version()
	return fmt.Sprintf("%s (PJRT API %d.%d)", p.Name(), major, minor)
}

// Version is the version of the PJRT API that the plugin speaks.
func (p *Plugin) Version() (major, minor int) {
	if p == nil || p.table == nil {
		return 0, 0
	}
	return p.table.Version()
}

// Attributes are what the plugin says of itself, such as the StableHLO versions that it reads
// (stablehlo_minimum_version, stablehlo_current_version). Calls PJRT_Plugin_Attributes once, when it is loaded.
func (p *Plugin) Attributes() []NamedValue { return append([]NamedValue(nil), orZero(p).attributes...) }

// Missing names the functions of the newest known API that this plugin lacks.
func (p *Plugin) Missing() []string {
	if p == nil || p.table == nil {
		return nil
	}
	var names []string
	for _, s := range p.table.Missing() {
		names = append(names, s.String())
	}
	return names
}
