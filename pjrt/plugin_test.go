package pjrt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP01ExtensionChain finds every extension wherever it stands, unknown kinds included.
func TestP01ExtensionChain(t *testing.T) {
	p, _ := fake(t, func(f *pjrtfake.Fake) {
		f.Links = []pjrtfake.Link{
			{Type: 4711, Fns: 3},
			{Type: pjrtc.ExtensionTypeLayouts, Fns: 6}, // an older one: the newest has 7
			{Type: pjrtc.ExtensionTypeUnknown},
			{Type: -1},
			{Type: pjrtc.ExtensionTypeFFI, Fns: 3},
			{Type: pjrtc.ExtensionTypeGpuCustomCall, Fns: 1, Size: 33}, // not padded
		}
	})
	var got []string
	for _, e := range p.Extensions() {
		got = append(got, e.String())
	}
	if d := cmp.Diff([]string{"extension 4711", "Layouts", "Unknown", "extension -1", "FFI", "Gpu_Custom_Call"}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if n := len(p.Extensions()[1].Functions); n != 6 {
		t.Errorf("Layouts has %d functions, want the 6 that are there", n)
	}
	if f := p.Extensions()[5].Functions; !slices.Equal(f, []string{"custom_call"}) {
		t.Errorf("an unpadded extension has %v", f)
	}
}

func TestP01BrokenChains(t *testing.T) {
	long := make([]pjrtfake.Link, pjrtc.MaxExtensions+1)
	for name, set := range map[string]func(*pjrtfake.Fake){
		"cycle":     func(f *pjrtfake.Fake) { f.Links, f.Cycle = []pjrtfake.Link{{Type: 4, Fns: 7}, {Type: 5, Fns: 3}}, true },
		"self":      func(f *pjrtfake.Fake) { f.Links, f.Cycle = []pjrtfake.Link{{Type: 4}}, true },
		"over-long": func(f *pjrtfake.Fake) { f.Links = long },
		"short":     func(f *pjrtfake.Fake) { f.Links = []pjrtfake.Link{{Type: 4, Size: 8}} },
		"huge":      func(f *pjrtfake.Fake) { f.Links = []pjrtfake.Link{{Type: 4, Size: 1 << 40}} },
	} {
		t.Run(name, func(t *testing.T) {
			f := pjrtfake.New()
			defer f.Close()
			set(f)
			table, err := f.Table()
			if err != nil {
				t.Fatal(err)
			}
			if p, err := pjrt.FromTable("broken", table); !errors.Is(err, isthmus.ErrInvalid) || !errors.Is(err, pjrtc.ErrChain) {
				t.Errorf("got %v, %v; want a broken chain", p, err)
			}
		})
	}
}

func TestP01RealExtensions(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		want := []string{"FFI", "Layouts", "MemoryDescriptions", "PhaseCompile"}
		if _, minor := p.Version(); minor >= 106 {
			want = append(want, "Shardings")
		}
		var got []string
		for _, e := range p.Extensions() {
			if len(e.Functions) == 0 {
				t.Errorf("%s has no functions", e)
			}
			if e.Name != "XlaTransform" { // the newer plugin only
				got = append(got, e.Name)
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	})
}

// TestP03NamedValues sends and receives all five kinds.
func TestP03NamedValues(t *testing.T) {
	given := []pjrtfake.Value{
		{Name: "s", Value: "text\x00with NUL"},
		{Name: "i", Value: int64(-5)},
		{Name: "l", Value: []int64{1, -2, 3}},
		{Name: "f", Value: float32(1.5)},
		{Name: "b", Value: true},
		{Name: "no", Value: false},
		{Name: "", Value: ""},
		{Name: "empty", Value: []int64{}},
	}
	p, f := fake(t, func(f *pjrtfake.Fake) { f.Attributes = append(given, pjrtfake.Value{Name: "unknown kind", Value: nil}) })
	want := []pjrt.NamedValue{
		{Name: "s", Value: "text\x00with NUL"},
		{Name: "i", Value: int64(-5)},
		{Name: "l", Value: []int64{1, -2, 3}},
		{Name: "f", Value: float32(1.5)},
		{Name: "b", Value: true},
		{Name: "no", Value: false},
		{Name: "", Value: ""},
		{Name: "empty", Value: []int64{}},
	}
	if d := cmp.Diff(want, p.Attributes()); d != "" {
		t.Errorf("attributes (-want +got)\n%s", d)
	}
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{Options: want})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	var got []pjrt.NamedValue
	for _, v := range f.Options() {
		got = append(got, pjrt.NamedValue(v))
	}
	want[7].Value = []int64{}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("options (-want +got)\n%s", d)
	}
	if _, err := p.NewClient(t.Context(), pjrt.ClientOptions{Options: []pjrt.NamedValue{{Name: "x", Value: 3.5}}}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("a float64 option gave %v", err)
	}
}

func TestP03RealOptions(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c, err := p.NewClient(t.Context(), pjrt.ClientOptions{Options: []pjrt.NamedValue{{Name: "cpu_device_count", Value: int64(3)}}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(c.Devices()); n != 3 {
			t.Errorf("%d devices, want 3", n)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestP06HostileText gives text that is no UTF-8, too long and NUL-padded.
func TestP06HostileText(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	p, f := fake(t, func(f *pjrtfake.Fake) {
		f.Attributes = []pjrtfake.Value{{Name: "bad", Value: []byte("a\xff\xfeb\x00\x00")}, {Name: "long", Value: long}, {Name: "name\xc3", Value: int64(1)}}
	})
	for _, v := range p.Attributes() {
		s, _ := v.Value.(string)
		if !utf8.ValidString(s) || !utf8.ValidString(v.Name) || len(s) > 64<<10 {
			t.Errorf("%q: %d bytes, valid %v", v.Name, len(s), utf8.ValidString(s))
		}
	}
	if s := p.Attributes()[0].Value.(string); s != "a\uFFFDb" {
		t.Errorf("repaired to %q", s)
	}
	if n := p.Attributes()[0].Name; n != "bad" { // other text follows it in memory, and no NUL
		t.Errorf("name %q", n)
	}
	f.Fail(pjrtc.SlotClientCreate, &pjrtfake.Failure{Code: pjrtc.ErrorCodeINTERNAL, Msg: "\xff\xfe" + long})
	_, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	var e *pjrt.Error
	if !errors.As(err, &e) || !utf8.ValidString(e.Msg) || len(e.Msg) > 64<<10+8 || len(e.Msg) < 60<<10 {
		t.Errorf("error text: %.40v", err)
	}
}

// TestP08ErrorsAreDestroyedOnce has functions fail, and reading the failure fail too.
func TestP08ErrorsAreDestroyedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		also *pjrtfake.Failure
		slot pjrtc.Slot
		code pjrt.Code
		msg  string
	}{
		"plain":      {nil, 0, pjrt.Internal, "it broke"},
		"no message": {&pjrtfake.Failure{}, pjrtc.SlotErrorMessage, pjrt.Internal, ""},
		"no code":    {&pjrtfake.Failure{Code: pjrtc.ErrorCodeABORTED}, pjrtc.SlotErrorGetCode, pjrt.Unknown, "it broke"},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := fake(t, nil)
			f.Fail(pjrtc.SlotClientCreate, &pjrtfake.Failure{Code: pjrtc.ErrorCodeINTERNAL, Msg: "it broke"})
			if c.also != nil {
				f.Fail(c.slot, c.also)
			}
			_, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
			var e *pjrt.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Msg != c.msg {
				t.Errorf("got %#v, want code %v, text %q", err, c.code, c.msg)
			}
			if !errors.Is(err, c.code) {
				t.Errorf("%v is not %v", err, c.code)
			}
			want := 1
			if c.slot == pjrtc.SlotErrorGetCode {
				want = 2
			}
			if n := f.Destroyed("error"); n != want {
				t.Errorf("%d errors destroyed, want %d", n, want)
			}
		})
	}
}

func TestErrorCodes(t *testing.T) {
	p, f := fake(t, nil)
	for code, want := range map[pjrtc.ErrorCode]error{
		pjrtc.ErrorCodeCANCELLED: context.Canceled, pjrtc.ErrorCodeDEADLINEEXCEEDED: context.DeadlineExceeded,
		pjrtc.ErrorCodeINVALIDARGUMENT: isthmus.ErrInvalid, pjrtc.ErrorCodeNOTFOUND: isthmus.ErrNotFound,
		pjrtc.ErrorCodeRESOURCEEXHAUSTED: isthmus.ErrLimit, pjrtc.ErrorCodeUNIMPLEMENTED: isthmus.ErrUnsupported,
		pjrtc.ErrorCodeOUTOFRANGE: isthmus.ErrBounds, pjrtc.ErrorCodeINTERNAL: pjrt.Internal, 77: pjrt.Code(77), 0: pjrt.Unknown,
	} {
		f.Fail(pjrtc.SlotClientCreate, &pjrtfake.Failure{Code: code, Msg: "m"})
		if _, err := p.NewClient(t.Context(), pjrt.ClientOptions{}); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want it to be %v", code, err, want)
		}
	}
}

// TestP08Payloads reads what a plugin attached to an error: bytes, as they are, and not without bound.
func TestP08Payloads(t *testing.T) {
	p, f := fake(t, nil)
	e := &pjrtfake.Failure{Code: pjrtc.ErrorCodeINTERNAL, Msg: "it broke", Payload: []pjrtfake.Value{
		{Name: "example/empty", Value: ""}, {Name: "example/bytes", Value: "\x00\xff"}, {Name: "example/long", Value: strings.Repeat("x", 100<<10)},
	}}
	want := map[string][]byte{"example/empty": nil, "example/bytes": {0, 0xff}, "example/long": bytes.Repeat([]byte("x"), 64<<10)}
	fails := func() (got *pjrt.Error) {
		t.Helper()
		f.Fail(pjrtc.SlotClientCreate, e)
		if _, err := p.NewClient(t.Context(), pjrt.ClientOptions{}); !errors.As(err, &got) {
			t.Fatalf("%v is no *pjrt.Error", err)
		}
		return got
	}
	if diff := cmp.Diff(want, fails().Payloads); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	for i := range 100 {
		e.Payload = append(e.Payload, pjrtfake.Value{Name: fmt.Sprint("example/", i), Value: ""})
	}
	if n := len(fails().Payloads); n != 64 {
		t.Errorf("%d payloads were kept, want 64", n)
	}
	f.Fail(pjrtc.SlotErrorForEachPayload, &pjrtfake.Failure{Code: pjrtc.ErrorCodeABORTED})
	if got := fails(); got.Payloads != nil || got.Err == nil || got.Msg != "it broke" {
		t.Errorf("got %#v", got)
	}
	if n := f.Destroyed("error"); n != 4 {
		t.Errorf("%d errors destroyed, want 4", n)
	}
}

// TestP15ShortTables opens tables of older plugins and broken ones.
func TestP15ShortTables(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*pjrtfake.Fake)
		want error
	}{
		"empty":       {func(f *pjrtfake.Fake) { f.StructSize = 8 }, isthmus.ErrInvalid},
		"header only": {func(f *pjrtfake.Fake) { f.StructSize = 40 }, isthmus.ErrInvalid},
		"absurd":      {func(f *pjrtfake.Fake) { f.StructSize = 1 << 50 }, isthmus.ErrInvalid},
		"other major": {func(f *pjrtfake.Fake) { f.Major = 1 }, isthmus.ErrVersion},
		"few slots":   {func(f *pjrtfake.Fake) { f.StructSize = 40 + 8*5 }, isthmus.ErrUnsupported},
		"no destroy":  {func(f *pjrtfake.Fake) { f.Null = []pjrtc.Slot{pjrtc.SlotErrorDestroy} }, isthmus.ErrUnsupported},
		"half a slot": {func(f *pjrtfake.Fake) { f.StructSize = uint64(pjrtc.SlotBufferToHostBuffer.Offset()) + 4 }, nil},
		"without some": {func(f *pjrtfake.Fake) {
			f.Null = []pjrtc.Slot{pjrtc.SlotPluginInitialize, pjrtc.SlotPluginAttributes, pjrtc.SlotEventOnReady}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := pjrtfake.New()
			defer f.Close()
			c.set(f)
			table, err := f.Table()
			if err == nil {
				_, err = pjrt.FromTable("old", table)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := pjrtc.NewTable(0); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("a null table gave %v", err)
	}
	if _, err := pjrt.FromTable("none", nil); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no table gave %v", err)
	}
}

// TestP15MissingFunctionsAreNamed takes each function away in turn: what needs it says so by name, and nothing crashes.
func TestP15MissingFunctionsAreNamed(t *testing.T) {
	named := 0
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		f := pjrtfake.New()
		f.Programs = programs()
		f.Null = []pjrtc.Slot{s}
		table, err := f.Table()
		if err != nil {
			t.Fatal(err)
		}
		err = everything(t.Context(), table)
		if err != nil {
			named++
			if !errors.Is(err, isthmus.ErrUnsupported) || !strings.Contains(err.Error(), s.String()) {
				t.Errorf("without %s: %v", s, err)
			}
		}
		books(t, f)
	}
	if named < 15 {
		t.Errorf("only %d missing functions were noticed", named)
	}
}

// TestEveryFunctionFailing has each function fail in turn: an error, no crash, nothing leaked.
func TestEveryFunctionFailing(t *testing.T) {
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		if strings.Contains(s.String(), "Destroy") {
			continue // see TestP32
		}
		f := pjrtfake.New()
		f.Programs = programs()
		table, err := f.Table()
		if err != nil {
			t.Fatal(err)
		}
		f.Fail(s, &pjrtfake.Failure{Code: pjrtc.ErrorCodeDATALOSS, Msg: "told to fail"})
		want := pjrt.DataLoss
		if s == pjrtc.SlotErrorGetCode {
			want = pjrt.Unknown
		}
		if err := everything(t.Context(), table); err != nil && !errors.Is(err, want) {
			t.Errorf("%s failing: %v", s, err)
		}
		f.Fail(s, nil)
		books(t, f)
	}
}

// everything opens a table and does what the package can do.
func everything(ctx context.Context, table *pjrtc.Table) (err error) {
	p, err := pjrt.FromTable("fake", table)
	if err != nil {
		return err
	}
	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.CloseWait(context.Background())) }()
	x, err := c.Compile(ctx, pjrt.MLIR("add"), pjrt.CompileOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	a, err := pjrt.Put(ctx, c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, e, err := pjrt.PutLent(c.Device(), []float32{1, 2, 3, 4}, pjrt.UntilTransferred, 4)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(), e.Close()) }()
	if err := e.Wait(ctx); err != nil {
		return err
	}
	if _, err := e.Ready(); err != nil {
		return err
	}
	for _, ctx := range []context.Context{ctx, context.Background()} {
		outs, err := x.Execute(ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		if err != nil {
			return err
		}
		_, err = pjrt.Get[float32](ctx, outs[0])
		if err = errors.Join(err, outs[0].Close()); err != nil {
			return err
		}
	}
	d, err := a.CopyTo(c.Devices()[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.SizeOnDevice(); err != nil {
		return err
	}
	if err := d.Delete(); err != nil {
		return err
	}
	_, err = d.Deleted()
	return err
}

// TestP17BadPlugins loads what is no plugin.
func TestP17BadPlugins(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text.so")
	if err := os.WriteFile(file, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"empty": "", "missing": filepath.Join(dir, "none.so"), "text": file, "folder": dir, "NUL": "a\x00b",
	} {
		p, err := pjrt.Load(path)
		if p != nil || err == nil {
			t.Errorf("%s: got %v, %v", name, p, err)
		} else if !errors.Is(err, isthmus.ErrNotFound) && !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat("/lib/x86_64-linux-gnu/libm.so.6"); err == nil {
		_, err := pjrt.Load("libm.so.6")
		if err == nil || !strings.Contains(err.Error(), "GetPjrtApi") || !errors.Is(err, isthmus.ErrNotFound) {
			t.Errorf("a library that is no plugin: %v", err)
		}
	}
}

// TestP28Registry loads one file by many names, at once.
func TestP28Registry(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	path := os.Getenv("ISTHMUS_PJRT_CPU")
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name := path
			if i%2 == 1 {
				name = link
			}
			q, err := pjrt.Load(name)
			if err != nil || q != p {
				t.Errorf("%s: got %p, %v; want %p", name, q, err, p)
			}
		})
	}
	wg.Wait()
	if n := len(pjrt.Plugins()); n < 1 || n > 2 {
		t.Errorf("%d plugins in the registry", n)
	}
}
