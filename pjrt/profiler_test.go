package pjrt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// profilerFake serves a PLUGIN_Profiler_Api: it lacks the function at without, and the one at fail fails.
type profilerFake struct {
	f             *pjrtfake.Fake
	without, fail pjrtc.ProfilerFunc
	size          uint64 // of the table, 0 for the true one
	running       bool
	errors        int
}

const profile = "an XSpace\x00with bytes"

// fn makes the function at f. Errors are handles of the fake, of its kind "profiler error".
func profilerFn[A any](s *profilerFake, at pjrtc.ProfilerFunc, serve func(a *A) string) pjrtc.Func {
	if at == s.without {
		return 0
	}
	return s.f.Func("profiler "+at.String(), 1, func(args []uintptr) uintptr {
		a := mem.At[A](mem.Addr(args[0]))
		problem := "as the test asked"
		if at != s.fail {
			problem = serve(a)
		}
		if problem == "" {
			return 0
		}
		s.f.Lock()
		defer s.f.Unlock()
		s.errors++
		return uintptr(pjrtfake.Make[pjrtc.PluginProfilerError](s.f, "profiler error", nil, problem))
	})
}

func (s *profilerFake) get(h pjrtc.Ptr[pjrtc.PluginProfiler]) string {
	s.f.Lock()
	defer s.f.Unlock()
	if pjrtfake.Get(s.f, "profiler", "profiler", h) == nil {
		return "no profiler"
	}
	return ""
}

// fill writes the extension's struct, which points to the table.
func (s *profilerFake) fill(ext mem.Addr) {
	api := pjrtc.PluginProfilerApi{
		Priv: 0x77,
		ErrorDestroy: s.f.Func("profiler error_destroy", 1, func(args []uintptr) uintptr {
			a := mem.At[pjrtc.PluginProfilerErrorDestroyArgs](mem.Addr(args[0]))
			s.f.Lock()
			defer s.f.Unlock()
			if a.Priv != 0x77 {
				s.f.Violate("the profiler's errors are asked without its private pointer")
			}
			pjrtfake.Destroy(s.f, "profiler error", a.Error)
			return 0
		}),
		ErrorMessage: s.f.Func("profiler error_message", 1, func(args []uintptr) uintptr {
			a := mem.At[pjrtc.PluginProfilerErrorMessageArgs](mem.Addr(args[0]))
			s.f.Lock()
			defer s.f.Unlock()
			m := pjrtfake.Get(s.f, "profiler error", "profiler error", a.Error).Value().(string)
			a.Message, a.MessageSize = s.f.Text(m), uint64(len(m))
			return 0
		}),
		ErrorGetCode: s.f.Func("profiler error_get_code", 1, func(args []uintptr) uintptr {
			mem.At[pjrtc.PluginProfilerErrorGetCodeArgs](mem.Addr(args[0])).Code = int32(pjrt.DataLoss)
			return 0
		}),
		Create: profilerFn(s, pjrtc.ProfilerCreate, func(a *pjrtc.PluginProfilerCreateArgs) string {
			if hostText(a.Options, a.OptionsSize) != "options" {
				return "wrong options"
			}
			s.f.Lock()
			defer s.f.Unlock()
			a.Profiler = pjrtfake.Make[pjrtc.PluginProfiler](s.f, "profiler", nil, nil)
			return ""
		}),
		Destroy: profilerFn(s, pjrtc.ProfilerDestroy, func(a *pjrtc.PluginProfilerDestroyArgs) string {
			s.f.Lock()
			defer s.f.Unlock()
			pjrtfake.Destroy(s.f, "profiler", a.Profiler)
			return ""
		}),
		Start: profilerFn(s, pjrtc.ProfilerStart, func(a *pjrtc.PluginProfilerStartArgs) string {
			s.running = true
			return s.get(a.Profiler)
		}),
		Stop: profilerFn(s, pjrtc.ProfilerStop, func(a *pjrtc.PluginProfilerStopArgs) string {
			s.running = false
			return s.get(a.Profiler)
		}),
		CollectData: profilerFn(s, pjrtc.ProfilerCollectData, func(a *pjrtc.PluginProfilerCollectDataArgs) string {
			if a.Buffer != 0 {
				b, err := a.Buffer.Slice(a.BufferSizeInBytes)
				if err != nil {
					return err.Error()
				}
				copy(b, profile)
			}
			a.BufferSizeInBytes = uint64(len(profile))
			return s.get(a.Profiler)
		}),
		Consume: profilerFn(s, pjrtc.ProfilerConsume, func(a *pjrtc.PluginProfilerConsumeArgs) string {
			s.f.Lock()
			defer s.f.Unlock()
			a.Result = pjrtfake.Make[pjrtc.PluginProfilerConsumeResult](s.f, "profile", nil, nil)
			return ""
		}),
		Serialize: profilerFn(s, pjrtc.ProfilerSerialize, func(a *pjrtc.PluginProfilerSerializeArgs) string {
			s.f.Lock()
			defer s.f.Unlock()
			pjrtfake.Get(s.f, "serialize", "profile", a.ConsumeResult)
			a.SerializedBytes, a.SerializedSize = s.f.Text(profile), uint64(len(profile))
			return ""
		}),
		ConsumeResultDestroy: s.f.Func("profiler consume_result_destroy", 1, func(args []uintptr) uintptr {
			s.f.Lock()
			defer s.f.Unlock()
			pjrtfake.Destroy(s.f, "profile", mem.At[pjrtc.PluginProfilerConsumeResultDestroyArgs](mem.Addr(args[0])).ConsumeResult)
			return 0
		}),
	}
	api.SetSize()
	if s.size != 0 {
		api.StructSize = s.size
	}
	pjrtc.Ptr[pjrtc.ProfilerExtension](ext).At().ProfilerApi = pjrtfake.List(s.f, nil, []pjrtc.PluginProfilerApi{api})
}

func (s *profilerFake) use(p *pjrt.Plugin) error {
	r, err := p.NewProfiler([]byte("options"))
	if err != nil {
		return err
	}
	var errs []error
	errs = append(errs, r.Start())
	if s.fail == 0 && s.without == 0 && !s.running {
		errs = append(errs, errors.New("it does not run"))
	}
	errs = append(errs, r.Stop())
	got, err := r.Collect()
	if err == nil && string(got) != profile {
		err = fmt.Errorf("got %q", got)
	}
	errs = append(errs, err, r.Close(), r.Close(), closed(r.Start()))
	return errors.Join(errs...)
}

// A profiler records, stops and gives its profile, by either of the two ways to it. Missing functions are named, errors
// of the profiler's own kind become errors with a code, and each is destroyed once.
func TestP08P14P33Profiler(t *testing.T) {
	run := func(t *testing.T, set func(*profilerFake), check func(error)) {
		t.Helper()
		s := &profilerFake{}
		p, f := fake(t, func(f *pjrtfake.Fake) {
			s.f = f
			set(s)
			f.ExtendWith(pjrtc.ExtensionTypeProfiler, 0, nil, s.fill)
		})
		check(s.use(p))
		if s.errors != f.Destroyed("profiler error") {
			t.Errorf("%d errors, %d destroyed", s.errors, f.Destroyed("profiler error"))
		}
	}
	fine := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	run(t, func(*profilerFake) {}, fine)
	run(t, func(s *profilerFake) { s.without = pjrtc.ProfilerCollectData }, fine)
	for _, at := range []pjrtc.ProfilerFunc{pjrtc.ProfilerCreate, pjrtc.ProfilerDestroy, pjrtc.ProfilerStart, pjrtc.ProfilerStop} {
		run(t, func(s *profilerFake) { s.without = at }, func(err error) {
			if !errors.Is(err, isthmus.ErrUnsupported) || !strings.Contains(err.Error(), "no "+at.String()) {
				t.Errorf("without %s: %v", at, err)
			}
		})
	}
	for _, at := range []pjrtc.ProfilerFunc{pjrtc.ProfilerCreate, pjrtc.ProfilerStart, pjrtc.ProfilerStop, pjrtc.ProfilerCollectData} {
		run(t, func(s *profilerFake) { s.fail = at }, func(err error) {
			if !errors.Is(err, pjrt.DataLoss) || !strings.Contains(err.Error(), "as the test asked") {
				t.Errorf("with a failing %s: %v", at, err)
			}
		})
	}
	// A table that ends after collect_data, as the first version of it did, serves what it has.
	run(t, func(s *profilerFake) { s.size = uint64(pjrtc.ProfilerCollectData) + 8 }, fine)
	run(t, func(s *profilerFake) { s.size = uint64(pjrtc.ProfilerCollectData) }, func(err error) {
		if !errors.Is(err, isthmus.ErrUnsupported) {
			t.Errorf("a table without collect_data and consume: %v", err)
		}
	})
	p, _ := fake(t, nil)
	if _, err := p.NewProfiler(nil); !errors.Is(err, isthmus.ErrUnsupported) || !strings.Contains(err.Error(), "extension Profiler") {
		t.Errorf("without the extension: %v", err)
	}
}
