// Command libisthmus_layer is a validation layer for PJRT plugins, for programs in any language: a plugin that stands
// before another one, checks every call and passes it on.
//
//	go build -buildmode=c-shared -ldflags="-s -w" -o libisthmus_layer.so ./cmd/libisthmus_layer
//	ISTHMUS_PJRT_PLUGIN=/path/to/plugin.so PJRT_NAMES_AND_LIBRARY_PATHS=layer:$PWD/libisthmus_layer.so python3 train.py
//
// The library exports GetPjrtApi. The environment says what it does:
//
//	ISTHMUS_PJRT_PLUGIN    the plugin that it stands before; must be set
//	ISTHMUS_LAYER_REPORT   the file for the findings, one JSON object to a line; standard error without
//	ISTHMUS_LAYER_LEAKS=1  objects that are alive when the process exits are findings too
//	ISTHMUS_LAYER_TRACE    the file for a trace of every call, for ui.perfetto.dev
//
// `isthmus explain ID` prints what a finding means.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlib"
)

// The main function of a shared library never runs; its variables are initialised when it is loaded.
var _ = pjrtlib.Serve(&library{})

// library is the plugin of package pjrtlib: a layer before the one that the environment names.
type library struct {
	layer *pjrtlayer.Layer
	mu    sync.Mutex
	out   io.Writer
	json  bool
	trace *os.File
}

// APIOf loads the plugin and builds the table before it.
func (l *library) APIOf(stub func(pjrtc.Slot) (pjrtc.Func, error)) (pjrtc.Ptr[pjrtc.Api], error) {
	path := pjrtlib.Getenv("ISTHMUS_PJRT_PLUGIN")
	if path == "" {
		return 0, fmt.Errorf("layer: ISTHMUS_PJRT_PLUGIN is not set; it names the plugin to stand before: %w", isthmus.ErrNotFound)
	}
	// The places that Go could record are this library's own.
	isthmus.SetCheck(isthmus.CheckOff)
	l.out = os.Stderr
	if name := pjrtlib.Getenv("ISTHMUS_LAYER_REPORT"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return 0, fmt.Errorf("layer: %w", err)
		}
		l.out, l.json = f, true
	}
	o := pjrtlayer.Options{Report: l.report}
	if name := pjrtlib.Getenv("ISTHMUS_LAYER_TRACE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return 0, fmt.Errorf("layer: %w", err)
		}
		l.trace, o.Trace = f, f
	}
	t, err := pjrtlayer.Load(path)
	if err != nil {
		return 0, fmt.Errorf("layer: %w", err)
	}
	if l.layer, err = pjrtlayer.New(t, o); err != nil {
		return 0, err
	}
	api, err := l.layer.APIOf(stub)
	if err == nil {
		leaks := pjrtlib.Getenv("ISTHMUS_LAYER_LEAKS") == "1"
		pjrtlib.AtExit(func() { l.exit(leaks) })
	}
	return api, err
}

// Dispatch serves one call.
func (l *library) Dispatch(s pjrtc.Slot, a mem.Addr) uintptr { return l.layer.Dispatch(s, a) }

func (l *library) report(f *isthmus.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.json {
		fmt.Fprintf(l.out, "isthmus: %v\n", f)
		return
	}
	if err := json.NewEncoder(l.out).Encode(f); err != nil {
		fmt.Fprintf(os.Stderr, "isthmus: layer: %v\nisthmus: %v\n", err, f)
	}
}

func (l *library) exit(leaks bool) {
	if leaks {
		l.layer.Engine().Leaks()
	}
	if err := l.layer.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "isthmus: layer: trace:", err)
	}
	if l.trace != nil {
		if err := l.trace.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "isthmus: layer: trace:", err)
		}
	}
	if n := l.layer.Engine().Found(); n > 0 {
		fmt.Fprintf(os.Stderr, "isthmus: layer: %d findings; isthmus explain ID says what each means\n", n)
	}
}

func main() {
	fmt.Fprintln(os.Stderr, "libisthmus_layer is a library: go build -buildmode=c-shared ./cmd/libisthmus_layer (with cgo)")
	os.Exit(2)
}
