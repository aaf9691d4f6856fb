package pjrttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt/pjrttest"
)

const role = "ISTHMUS_PJRTTEST_ROLE"

// The test binary is its own child: it serves checks, or dies or falls silent in the middle of one, as a plugin can
// make a process do.
func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "serve":
		if err := pjrttest.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "die":
		fmt.Println(`pjrttest {"begin":"abi.version"}`)
		fmt.Fprintln(os.Stderr, "F0000 00:00 somewhere.cc:1] Check failed: 1 == 2\nand a trace")
		os.Exit(3)
	case "hang":
		fmt.Println("a library's own chatter")
		fmt.Println(`pjrttest {"begin":"abi.version"}`)
		select {}
	}
	os.Exit(m.Run())
}

func child(as string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), role+"="+as)
		return cmd
	}
}

func run(t *testing.T, plugin, match string) *pjrttest.Report {
	t.Helper()
	r, err := pjrttest.Run(t.Context(), pjrttest.Options{Plugin: plugin, Match: match, Child: child("serve")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The embedded device passes: it does everything that it does not declare unsupported.
func TestEmbedded(t *testing.T) {
	r := run(t, "embedded", "")
	for _, o := range r.Outcomes {
		if o.Result == pjrttest.Fail {
			t.Errorf("%s: %s", o.ID, o.Detail)
		}
	}
	if n := len(r.Outcomes); n < 450 {
		t.Errorf("only %d checks", n)
	}
	if n := r.Count(pjrttest.Pass); n < 430 {
		t.Errorf("only %d pass", n)
	}
}

// What XLA's CPU plugins are known to do wrong is listed in testdata; nothing else fails, and nothing of it is cured
// without the list saying so.
func TestXLA(t *testing.T) {
	for name, env := range map[string]string{"cpu": "ISTHMUS_PJRT_CPU", "cpu-old": "ISTHMUS_PJRT_CPU_OLD"} {
		t.Run(name, func(t *testing.T) {
			path := os.Getenv(env)
			if path == "" {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is not set", env)
				}
				t.Skipf("%s names no plugin", env)
			}
			var got strings.Builder
			for _, o := range run(t, path, "").Outcomes {
				if o.Result == pjrttest.Fail {
					fmt.Fprintln(&got, o.ID)
				}
			}
			want, err := os.ReadFile("testdata/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("the checks that fail changed (-known +now):\n%s", d)
			}
		})
	}
}

// faults are what a plugin can do wrong, and the checks that have to find it.
var faults = map[string]struct {
	slot  pjrtc.Slot
	spoil func(mem.Addr)
	check string
}{
	"no name":             {pjrtc.SlotClientPlatformName, tamper(func(a *pjrtc.ClientPlatformNameArgs) { a.PlatformNameSize = 0 }), "client.platform-name"},
	"null name":           {pjrtc.SlotClientPlatformName, tamper(func(a *pjrtc.ClientPlatformNameArgs) { a.PlatformName = 0 }), "client.platform-name"},
	"no devices":          {pjrtc.SlotClientAddressableDevices, tamper(func(a *pjrtc.ClientAddressableDevicesArgs) { a.NumAddressableDevices = 0 }), "client.addressable-devices"},
	"many devices":        {pjrtc.SlotClientAddressableDevices, tamper(func(a *pjrtc.ClientAddressableDevicesArgs) { a.NumAddressableDevices = 1 << 40 }), "client.addressable-devices"},
	"another device":      {pjrtc.SlotClientLookupDevice, tamper(func(a *pjrtc.ClientLookupDeviceArgs) { a.Device++ }), "client.lookup-device"},
	"negative process":    {pjrtc.SlotClientProcessIndex, tamper(func(a *pjrtc.ClientProcessIndexArgs) { a.ProcessIndex = -1 }), "client.process-index"},
	"one id for all":      {pjrtc.SlotDeviceDescriptionId, tamper(func(a *pjrtc.DeviceDescriptionIdArgs) { a.Id = 3 }), "device.id"},
	"no kind":             {pjrtc.SlotDeviceDescriptionKind, tamper(func(a *pjrtc.DeviceDescriptionKindArgs) { a.DeviceKindSize = 0 }), "device.kind"},
	"far away":            {pjrtc.SlotDeviceIsAddressable, tamper(func(a *pjrtc.DeviceIsAddressableArgs) { a.IsAddressable = false }), "device.is-addressable"},
	"three replicas":      {pjrtc.SlotExecutableNumReplicas, tamper(func(a *pjrtc.ExecutableNumReplicasArgs) { a.NumReplicas = 3 }), "executable.replicas"},
	"other dimensions":    {pjrtc.SlotBufferDimensions, tamper(func(a *pjrtc.BufferDimensionsArgs) { a.NumDims = 0 }), "buffer.dimensions"},
	"other type":          {pjrtc.SlotBufferElementType, tamper(func(a *pjrtc.BufferElementTypeArgs) { a.Type = pjrtc.BufferTypeS8 }), "buffer.element-type"},
	"too small":           {pjrtc.SlotBufferOnDeviceSizeInBytes, tamper(func(a *pjrtc.BufferOnDeviceSizeInBytesArgs) { a.OnDeviceSizeInBytes = 8 }), "buffer.size"},
	"never deleted":       {pjrtc.SlotBufferIsDeleted, tamper(func(a *pjrtc.BufferIsDeletedArgs) { a.IsDeleted = false }), "buffer.delete"},
	"never ready":         {pjrtc.SlotEventIsReady, tamper(func(a *pjrtc.EventIsReadyArgs) { a.IsReady = false }), "event.ready-stays"},
	"a code that is ok":   {pjrtc.SlotErrorGetCode, tamper(func(a *pjrtc.ErrorGetCodeArgs) { a.Code = pjrtc.ErrorCodeOK }), "errors.code"},
	"a text of nothing":   {pjrtc.SlotErrorMessage, tamper(func(a *pjrtc.ErrorMessageArgs) { a.MessageSize = 0 }), "errors.message"},
	"no client":           {pjrtc.SlotClientCreate, tamper(func(a *pjrtc.ClientCreateArgs) { a.Client = 0 }), "client.create"},
	"writes on":           {pjrtc.SlotClientPlatformName, func(a mem.Addr) { *mem.At[uint64](a + 40) = 1 }, "skew.longer-platform-name"},
	"null default memory": {pjrtc.SlotDeviceDefaultMemory, tamper(func(a *pjrtc.DeviceDefaultMemoryArgs) { a.Memory = 0 }), "device.default-memory"},
}

func tamper[A any](change func(*A)) func(mem.Addr) {
	return func(a mem.Addr) { change(mem.At[A](a)) }
}

// Every check that is listed here passes on a plugin that does right and does not on one that does not: a suite that
// cannot fail says nothing.
func TestFaultsAreFound(t *testing.T) {
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			match := "^" + strings.ReplaceAll(c.check, ".", `\.`) + "$"
			for _, spoilt := range []bool{false, true} {
				f := pjrtfake.New()
				f.Programs[pjrttest.AddProgram] = &pjrtfake.Program{
					Params:  []pjrtfake.Type{{Type: pjrtc.BufferTypeF32, Dims: []int64{4}}, {Type: pjrtc.BufferTypeF32, Dims: []int64{4}}},
					Outputs: []pjrtfake.Type{{Type: pjrtc.BufferTypeF32, Dims: []int64{4}}},
				}
				if spoilt {
					f.Tamper = map[pjrtc.Slot]func(mem.Addr){c.slot: c.spoil}
				}
				table, err := f.Table()
				if err != nil {
					t.Fatal(err)
				}
				patient := time.Minute
				if spoilt {
					patient = 2 * time.Second // what never comes is waited for
				}
				out := pjrttest.RunTable(table, match, patient)
				f.Close()
				if len(out) != 1 {
					t.Fatalf("%d checks match %s", len(out), match)
				}
				if !spoilt && out[0].Result != pjrttest.Pass {
					t.Errorf("a plugin without the fault: %s: %s", out[0].Result, out[0].Detail)
				}
				if spoilt && out[0].Result != pjrttest.Fail {
					t.Errorf("with the fault: %s: %s", out[0].Result, out[0].Detail)
				}
			}
		})
	}
}

// A function that is missing is no fault.
func TestMissingIsUnsupported(t *testing.T) {
	f := pjrtfake.New()
	defer f.Close()
	f.Null = []pjrtc.Slot{pjrtc.SlotDeviceMemoryStats, pjrtc.SlotBufferBitcast}
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range pjrttest.RunTable(table, `^(device\.memory-stats|buffer\.bitcast|abi\.no-null-function|layouts\.default)$`, time.Minute) {
		if o.Result != pjrttest.Unsupported {
			t.Errorf("%s: %s: %s", o.ID, o.Result, o.Detail)
		}
	}
}

// A check that ends its process or never ends is a fail with the reason, and the checks after it are made.
func TestCrashAndHang(t *testing.T) {
	for as, says := range map[string]string{"die": "Check failed: 1 == 2", "hang": "no answer"} {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			first := true
			r, err := pjrttest.Run(t.Context(), pjrttest.Options{
				Plugin: "embedded", Match: `^abi\.(version|extension-chain)$`, Timeout: 10 * time.Second, // a process has to start in it
				Child: func() *exec.Cmd {
					if first {
						first = false
						return child(as)()
					}
					return child("serve")()
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Outcomes) != 2 || r.Outcomes[1].Result != pjrttest.Pass {
				t.Fatalf("%+v", r.Outcomes)
			}
			o := r.Outcomes[0]
			if o.Result != pjrttest.Fail || o.Crashed != (as == "die") || !strings.Contains(o.Detail, says) {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    pjrttest.Options
		want error
	}{
		"no plugin":    {pjrttest.Options{}, isthmus.ErrInvalid},
		"no such file": {pjrttest.Options{Plugin: "/none.so", Child: child("serve")}, isthmus.ErrNotFound},
		"bad match":    {pjrttest.Options{Plugin: "embedded", Match: "("}, isthmus.ErrInvalid},
		"no match":     {pjrttest.Options{Plugin: "embedded", Match: "^nothing$"}, isthmus.ErrNotFound},
		"bad option":   {pjrttest.Options{Plugin: "embedded", ClientOptions: map[string]any{"x": 1.5}}, isthmus.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := pjrttest.Run(t.Context(), c.o); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pjrttest.Run(ctx, pjrttest.Options{Plugin: "embedded", Child: child("hang")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestReports(t *testing.T) {
	a := run(t, "embedded", `^(abi|plugin)\.`)
	var b bytes.Buffer
	if err := a.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := pjrttest.ReadReport(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, back); d != "" {
		t.Error(d)
	}
	if d := pjrttest.Diff(a, back); len(d) != 0 {
		t.Errorf("a report differs from itself: %v", d)
	}
	back.Outcomes[0].Result = pjrttest.Fail
	back.Outcomes = append(back.Outcomes[:1], append(back.Outcomes[2:], pjrttest.Outcome{ID: "new.one", Result: pjrttest.Pass})...)
	want := []pjrttest.Difference{
		{a.Outcomes[0].ID, a.Outcomes[0].Result, pjrttest.Fail}, {a.Outcomes[1].ID, a.Outcomes[1].Result, ""}, {"new.one", "", pjrttest.Pass},
	}
	if d := cmp.Diff(want, pjrttest.Diff(a, back)); d != "" {
		t.Error(d)
	}
	b.Reset()
	a.Outcomes[0].Detail = "<script>"
	if err := a.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"abi.version", "&lt;script&gt;", "</html>"} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("the page has no %s", s)
		}
	}
	if strings.Contains(b.String(), "<script>") {
		t.Error("the page quotes a plugin's text as markup")
	}
	if _, err := pjrttest.ReadReport(strings.NewReader("{")); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// Ids are what reports are compared by: unique, in one form, each with its demand.
func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range pjrttest.Checks() {
		if seen[c.ID] || !strings.Contains(c.ID, ".") || strings.ContainsAny(c.ID, " \t") || c.About == "" {
			t.Errorf("%+v", c)
		}
		seen[c.ID] = true
	}
}

func TestNil(t *testing.T) { niltest.Methods(t, &pjrttest.Report{}, &pjrttest.Outcome{}) }
