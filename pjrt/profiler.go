package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Profiler records what a plugin's devices and threads do. It is safe for concurrent use. The zero value is closed.
type Profiler struct {
	extObject[pjrtc.PluginProfiler]
}

// maxProfile bounds the profile that is read.
const maxProfile = 4 << 30

// NewProfiler makes a profiler. options is a serialised tensorflow.ProfileOptions, nil for the plugin's defaults.
// Calls PLUGIN_Profiler_Create of the Profiler extension's own function table. The caller closes it. Errors:
// [isthmus.ErrUnsupported] where the plugin has no Profiler extension or no functions behind it.
func (p *Plugin) NewProfiler(options []byte) (*Profiler, error) {
	const op = "new profiler"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	if _, err := p.profilerFunc(op, pjrtc.ProfilerDestroy); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	r := &Profiler{}
	return orNil(r, askProfiler(p, op, pjrtc.ProfilerCreate, func(f *call.Frame, a *pjrtc.PluginProfilerCreateArgs) (err error) {
		a.Options, err = lendBytes(f, &pin, options)
		a.OptionsSize = uint64(len(options))
		return err
	}, func(a *pjrtc.PluginProfilerCreateArgs) error {
		return r.take(p, "pjrt.Profiler", a.Profiler, func(h pjrtc.Ptr[pjrtc.PluginProfiler]) error {
			return askProfiler(p, "destroy profiler", pjrtc.ProfilerDestroy, func(_ *call.Frame, a *pjrtc.PluginProfilerDestroyArgs) error {
				a.Profiler = h
				return nil
			}, nil)
		})
	}))
}

// Start begins to record. Calls PLUGIN_Profiler_Start.
func (r *Profiler) Start() error {
	const op = "start profiler"
	if r == nil {
		return invalid(op, "none")
	}
	return r.with(op, func(h pjrtc.Ptr[pjrtc.PluginProfiler]) error {
		return askProfiler(r.plugin, op, pjrtc.ProfilerStart, func(_ *call.Frame, a *pjrtc.PluginProfilerStartArgs) error { a.Profiler = h; return nil }, nil)
	})
}

// Stop ends the recording. Calls PLUGIN_Profiler_Stop.
func (r *Profiler) Stop() error {
	const op = "stop profiler"
	if r == nil {
		return invalid(op, "none")
	}
	return r.with(op, func(h pjrtc.Ptr[pjrtc.PluginProfiler]) error {
		return askProfiler(r.plugin, op, pjrtc.ProfilerStop, func(_ *call.Frame, a *pjrtc.PluginProfilerStopArgs) error { a.Profiler = h; return nil }, nil)
	})
}

// Collect returns what was recorded, a serialised tensorflow.profiler.XSpace. Calls PLUGIN_Profiler_CollectData twice,
// for the size and for the data; plugins whose table has them use PLUGIN_Profiler_Consume and
// PLUGIN_Profiler_Serialize where CollectData is missing.
func (r *Profiler) Collect() (out []byte, err error) {
	const op = "collect profile"
	if r == nil {
		return nil, invalid(op, "none")
	}
	err = r.with(op, func(h pjrtc.Ptr[pjrtc.PluginProfiler]) (err error) {
		if _, lacks := r.plugin.profilerFunc(op, pjrtc.ProfilerCollectData); lacks != nil {
			out, err = r.plugin.consumeProfile(op, h, lacks)
			return err
		}
		size := uint64(0)
		err = askProfiler(r.plugin, op, pjrtc.ProfilerCollectData, func(_ *call.Frame, a *pjrtc.PluginProfilerCollectDataArgs) error { a.Profiler = h; return nil },
			func(a *pjrtc.PluginProfilerCollectDataArgs) error { size = a.BufferSizeInBytes; return nil })
		if err != nil || size == 0 {
			return err
		}
		if size > maxProfile {
			return fmt.Errorf("pjrt: %s: the plugin says it has %d bytes: %w", op, size, isthmus.ErrBounds)
		}
		block, err := mem.Alloc(int(size), 0)
		if err != nil {
			return err
		}
		defer func() { _ = block.Free() }()
		return askProfiler(r.plugin, op, pjrtc.ProfilerCollectData, func(_ *call.Frame, a *pjrtc.PluginProfilerCollectDataArgs) error {
			a.Profiler, a.Buffer, a.BufferSizeInBytes = h, pjrtc.ToSlice(block.Bytes()), size
			return nil
		}, func(a *pjrtc.PluginProfilerCollectDataArgs) error {
			out = append([]byte{}, block.Bytes()[:min(size, a.BufferSizeInBytes)]...)
			return nil
		})
	})
	return out, err
}

// consumeProfile is the other way to the data; lacks is why the first is closed.
func (p *Plugin) consumeProfile(op string, h pjrtc.Ptr[pjrtc.PluginProfiler], lacks error) (out []byte, err error) {
	for _, f := range []pjrtc.ProfilerFunc{pjrtc.ProfilerConsume, pjrtc.ProfilerSerialize, pjrtc.ProfilerConsumeResultDestroy} {
		if _, err := p.profilerFunc(op, f); err != nil {
			return nil, lacks
		}
	}
	var result pjrtc.Ptr[pjrtc.PluginProfilerConsumeResult]
	err = askProfiler(p, op, pjrtc.ProfilerConsume, func(_ *call.Frame, a *pjrtc.PluginProfilerConsumeArgs) error { a.Profiler = h; return nil },
		func(a *pjrtc.PluginProfilerConsumeArgs) error { result = a.Result; return nil })
	if err != nil {
		return nil, err
	}
	if result == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin gave no result: %w", op, isthmus.ErrInvalid)
	}
	err = askProfiler(p, op, pjrtc.ProfilerSerialize, func(_ *call.Frame, a *pjrtc.PluginProfilerSerializeArgs) error {
		a.Profiler, a.ConsumeResult = h, result
		return nil
	}, func(a *pjrtc.PluginProfilerSerializeArgs) (err error) {
		out, err = mem.Copy(a.SerializedBytes, a.SerializedSize, maxProfile)
		return err
	})
	derr := askProfiler(p, op, pjrtc.ProfilerConsumeResultDestroy, func(_ *call.Frame, a *pjrtc.PluginProfilerConsumeResultDestroyArgs) error {
		a.ConsumeResult = result
		return nil
	}, nil)
	if err == nil {
		err = derr
	}
	return out, err
}

// String describes the profiler.
func (r *Profiler) String() string {
	if r == nil {
		return "pjrt.Profiler(none)"
	}
	return r.describe("pjrt.Profiler")
}

// Close destroys the profiler. Close is idempotent and nil-safe. Calls PLUGIN_Profiler_Destroy.
func (r *Profiler) Close() error {
	if r == nil {
		return nil
	}
	return r.close()
}

// profilerTable is the function table of the plugin's Profiler extension.
func (p *Plugin) profilerTable() pjrtc.ProfilerTable {
	l, _ := p.link(pjrtc.ExtensionTypeProfiler)
	return l.Profiler()
}

func (p *Plugin) profilerFunc(op string, f pjrtc.ProfilerFunc) (pjrtc.Func, error) {
	if _, ok := p.link(pjrtc.ExtensionTypeProfiler); !ok {
		return 0, fmt.Errorf("pjrt: %s: %s has no extension Profiler: %w", op, p, isthmus.ErrUnsupported)
	}
	fn := p.profilerTable().Func(f)
	if fn == 0 {
		return 0, fmt.Errorf("pjrt: %s: the profiler of %s has no %s: %w", op, p, f, isthmus.ErrUnsupported)
	}
	return fn, nil
}

// askProfiler is ask for a function of the profiler's table.
func askProfiler[A any, P interface {
	*A
	SetSize()
}](p *Plugin, op string, fn pjrtc.ProfilerFunc, fill func(*call.Frame, P) error, read func(P) error) error {
	c, err := p.profilerFunc(op, fn)
	if err != nil {
		return err
	}
	return asking(fill, func(f *call.Frame, a P) error {
		e := pjrtc.CallProfiler(c, fn, f, a)
		if x := f.Thrown(); x != nil {
			return p.threw(op, x)
		}
		if e != 0 {
			return p.takeProfilerError(f, op, e)
		}
		return nil
	}, read)
}

// takeProfilerError turns an error of the profiler's own kind into an [*Error] and destroys it.
func (p *Plugin) takeProfilerError(f *call.Frame, op string, e pjrtc.Ptr[pjrtc.PluginProfilerError]) error {
	out := &Error{Op: op, Code: Unknown}
	t := p.profilerTable()
	if fn := t.Func(pjrtc.ProfilerErrorMessage); fn != 0 {
		if a, err := call.New[pjrtc.PluginProfilerErrorMessageArgs](f); err == nil {
			a.Priv, a.Error = t.Priv(), e
			pjrtc.CallProfiler(fn, pjrtc.ProfilerErrorMessage, f, a)
			out.Msg = text(a.Message, a.MessageSize)
		}
	}
	if fn := t.Func(pjrtc.ProfilerErrorGetCode); fn != 0 {
		if a, err := call.New[pjrtc.PluginProfilerErrorGetCodeArgs](f); err == nil {
			a.Priv, a.Error = t.Priv(), e
			second := pjrtc.CallProfiler(fn, pjrtc.ProfilerErrorGetCode, f, a)
			if second == 0 && Code(a.Code) >= Cancelled && Code(a.Code) <= Unauthenticated {
				out.Code = Code(a.Code)
			}
			if second != 0 && second != e && !f.Threw() {
				p.destroyProfilerError(f, second)
			}
		}
	}
	p.destroyProfilerError(f, e)
	return out
}

func (p *Plugin) destroyProfilerError(f *call.Frame, e pjrtc.Ptr[pjrtc.PluginProfilerError]) {
	t := p.profilerTable()
	fn := t.Func(pjrtc.ProfilerErrorDestroy)
	a, err := call.New[pjrtc.PluginProfilerErrorDestroyArgs](f)
	if fn == 0 || err != nil {
		return
	}
	a.Priv, a.Error = t.Priv(), e
	pjrtc.CallProfiler(fn, pjrtc.ProfilerErrorDestroy, f, a)
}
