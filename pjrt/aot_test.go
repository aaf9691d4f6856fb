package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// runAdd runs the add program and checks what it gives.
func runAdd(t *testing.T, c *pjrt.Client, x *pjrt.Executable) {
	t.Helper()
	a, b := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{10, 20, 30, 40}, 4)
	out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := pjrt.Get[float32](t.Context(), out[0])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float32{11, 22, 33, 44}, got); d != "" {
		t.Error(d)
	}
	if err := out[0].Close(); err != nil {
		t.Error(err)
	}
}

// old reports whether the plugin is the older one: XLA before it registered a compiler with its CPU plugin.
func old(p *pjrt.Plugin) bool {
	_, minor := p.Version()
	return minor < 110 && p.Name() != "embedded"
}

// each runs a test on both XLA CPU plugins and on the embedded device.
func each(t *testing.T, f func(*testing.T, *pjrt.Plugin)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		p, err := embedded.Plugin(device.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(t, p)
	})
	both(t, f)
}

// TestP29ExecutableIsKept serialises a program in one client and runs it in another.
func TestP29ExecutableIsKept(t *testing.T) {
	each(t, func(t *testing.T, p *pjrt.Plugin) {
		var kept []byte
		t.Run("keep", func(t *testing.T) {
			x := compile(t, client(t, p), add)
			b, err := x.Serialize()
			if err != nil {
				t.Fatal(err)
			}
			kept = b
		})
		c := client(t, p)
		x, err := c.Deserialize(t.Context(), kept, pjrt.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		runAdd(t, c, x)
		if params, known := x.Params(); !known || len(params) != 2 {
			t.Errorf("parameters %v, %v", params, known)
		}
		if s := x.String(); !strings.Contains(s, "add") {
			t.Errorf("printed as %q", s)
		}
		d := c.Devices()
		if len(d) > 1 {
			on, err := c.Deserialize(t.Context(), kept, pjrt.LoadOptions{Compile: &pjrt.CompileOptions{Device: d[1]}})
			if err != nil {
				t.Fatal(err)
			}
			defer on.Close()
			if got := on.Devices(); len(got) != 1 || got[0] != d[1] {
				t.Errorf("loaded on %v, want %v", got, d[1])
			}
		}
		_, err = c.Deserialize(t.Context(), nil, pjrt.LoadOptions{})
		want(t, "no bytes", err, isthmus.ErrInvalid)
		if x, err := c.Deserialize(t.Context(), []byte("these are no executable"), pjrt.LoadOptions{}); err == nil {
			t.Errorf("garbage became %v", x)
		}
		for _, n := range []int{1, 20, 63, 64, len(kept) / 2, len(kept) - 1} {
			_, err := c.Deserialize(t.Context(), kept[:n], pjrt.LoadOptions{})
			want(t, fmt.Sprintf("%d of %d bytes", n, len(kept)), err, isthmus.ErrInvalid)
		}
		// XLA ends the process on some of these.
		for i := range kept {
			kept[i] ^= 1 << (i % 8)
			_, err := c.Deserialize(t.Context(), kept, pjrt.LoadOptions{})
			want(t, fmt.Sprintf("bit %d of byte %d turned", i%8, i), err, isthmus.ErrInvalid)
			kept[i] ^= 1 << (i % 8)
		}
		// Another client of PJRT has what the plugin gave.
		y, err := c.Deserialize(t.Context(), kept[64:], pjrt.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		runAdd(t, c, y)
	})
}

// TestP30TopologyIsKept serialises the topology of a client and reads it again; the client's own is never destroyed.
func TestP30TopologyIsKept(t *testing.T) {
	each(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		top, err := c.Topology()
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // a client's topology is the client's
			if err := top.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if top.Platform() != c.Platform() || len(top.Devices()) != len(c.AllDevices()) {
			t.Errorf("%v for %v", top, c)
		}
		b, err := top.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.DeserializeTopology(b)
		if old(p) {
			want(t, "a plugin that can read no topology", err, isthmus.ErrNotFound)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if d := cmp.Diff(top.Devices(), again.Devices()); d != "" {
			t.Errorf("devices (-kept +read)\n%s", d)
		}
		if d := cmp.Diff(top.Attributes(), again.Attributes()); d != "" {
			t.Errorf("attributes (-kept +read)\n%s", d)
		}
		if !strings.Contains(again.String(), again.Platform()) {
			t.Errorf("printed as %q", again)
		}
		n, err := top.Fingerprint()
		m, err2 := again.Fingerprint()
		if err != nil && unlessLacking(err) || n != m || (err == nil) != (err2 == nil) {
			t.Errorf("fingerprints %d, %v and %d, %v", n, err, m, err2)
		}
		ids, err := top.MemoryKindIDs()
		if err != nil && unlessLacking(err) || err == nil && len(ids) == 0 {
			t.Errorf("memories %v, %v", ids, err)
		}
		in := pjrt.Shape{Type: pjrt.Type{DType: pjrt.DType[float32](), Dims: []int{8, 128}}}
		s, err := top.CanonicalShape(0, in)
		if err != nil && unlessLacking(err) || err == nil && s.String() != "f32[8,128]{1,0}" {
			t.Errorf("canonical shape %v, %v", s, err)
		}
		in.MinorToMajor = []int{0, 2}
		_, err = top.CanonicalShape(0, in)
		want(t, "a layout that is no order", err, isthmus.ErrInvalid)
		if x, err := p.DeserializeTopology([]byte("no topology")); err == nil {
			t.Errorf("garbage became %v", x)
			x.Close()
		}
	})
}

// TestCompileWithoutClient compiles for a topology and loads the result.
func TestCompileWithoutClient(t *testing.T) {
	each(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		top, err := c.Topology()
		if err != nil {
			t.Fatal(err)
		}
		x, err := top.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
		if old(p) {
			want(t, "a plugin without a compiler", err, isthmus.ErrNotFound)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if out := x.Outputs(); len(out) != 1 || out[0].String() != "tensor<4xf32>" {
			t.Errorf("outputs %v", out)
		}
		for name, load := range map[string]func() (*pjrt.Executable, error){
			"load": func() (*pjrt.Executable, error) { return c.Load(t.Context(), x, pjrt.LoadOptions{}) },
			"load on": func() (*pjrt.Executable, error) {
				return c.Load(t.Context(), x, pjrt.LoadOptions{Compile: &pjrt.CompileOptions{Device: c.Device()}})
			},
			"keep": func() (*pjrt.Executable, error) {
				b, err := x.Serialize()
				if err != nil {
					return nil, err
				}
				return c.Deserialize(t.Context(), b, pjrt.LoadOptions{})
			},
		} {
			l, err := load()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			runAdd(t, c, l)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		_, err = top.Compile(t.Context(), pjrt.MLIR("no program"), pjrt.CompileOptions{})
		if err == nil {
			t.Error("no program was compiled")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = top.Compile(ctx, pjrt.MLIR(add), pjrt.CompileOptions{})
		want(t, "a context that ended", err, context.Canceled)
	})
}

// TestExecutableDescribed asks for everything that a compiled program tells.
func TestExecutableDescribed(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, add)
		d, err := x.Compiled()
		if err != nil {
			t.Fatal(err)
		}
		want(t, "an executable that is described", x.Close(), isthmus.ErrBusy)
		for name, o := range map[string]func() ([]byte, error){"loaded": x.CompileOptions, "described": d.CompileOptions} {
			b, err := o()
			if err != nil {
				t.Fatal(err)
			}
			text, err := pjrt.CompileOptionsText(b)
			if err != nil || !strings.Contains(text, "num_replicas") || !strings.Contains(text, "device_assignment") {
				t.Errorf("%s: options %s, %v", name, text, err)
			}
			again, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Serialized: b})
			if err != nil {
				t.Fatal(err)
			}
			runAdd(t, c, again)
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		}
		if m, err := x.CompiledMemory(); err != nil || m.Args != 32 || m.Outputs != 16 || m.Temp != 0 || m.Peak < 48 {
			t.Errorf("memory %+v, %v", m, err)
		}
		_, err = d.CostAnalysis()
		want(t, "cost analysis, which this plugin lacks", err, isthmus.ErrUnsupported)
		outs, err := d.OutputMemories()
		if diff := cmp.Diff([]string{"device"}, outs); diff != "" && unlessLacking(err) {
			t.Error(diff, err)
		}
		params, err := d.ParamMemories()
		if diff := cmp.Diff([]string{"device", "device"}, params); diff != "" && unlessLacking(err) {
			t.Error(diff, err)
		}
		if d.Name() != "add" || len(d.Outputs()) != 1 || d.Replicas() != 1 || d.Partitions() != 1 || !strings.Contains(d.String(), "add") {
			t.Errorf("described as %v", d)
		}
		if _, known := d.Params(); !known || len(d.Donated()) != 2 {
			t.Error("parameters are not known")
		}
		as, err := x.AssignmentIDs()
		if diff := cmp.Diff([][]int{{c.Device().ID()}}, as); diff != "" || err != nil {
			t.Error(diff, err)
		}
		ids, err := x.LogicalIDs()
		if diff := cmp.Diff([]pjrt.LogicalID{{}}, ids); diff != "" && unlessLacking(err) {
			t.Error(diff, err)
		}
		if _, err = x.LoadedFingerprint(); unlessLacking(err) {
			t.Errorf("the loaded program's fingerprint: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = d.Serialize()
		want(t, "a closed program", err, isthmus.ErrClosed)
		if is, err := x.Unloaded(); err != nil || is {
			t.Errorf("unloaded before: %v, %v", is, err)
		}
		if err := x.Unload(); err != nil {
			t.Fatal(err)
		}
		if is, err := x.Unloaded(); err != nil || !is && !old(p) {
			t.Errorf("unloaded after: %v, %v", is, err)
		}
	})
}

// unlessLacking is whether err is more than a function that the plugin lacks.
func unlessLacking(err error) bool { return !errors.Is(err, isthmus.ErrUnsupported) }

// TestLookupsAndAssignments finds devices by their numbers and lets the plugin assign them.
func TestLookupsAndAssignments(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		for _, d := range c.Devices() {
			if got, err := c.LookupDevice(d.ID()); err != nil || got != d {
				t.Errorf("device %d: %v, %v", d.ID(), got, err)
			}
			if got, err := c.LookupLocalDevice(d.HardwareID()); err != nil || got != d {
				t.Errorf("local device %d: %v, %v", d.HardwareID(), got, err)
			}
		}
		for _, id := range []int{12345, -3, 1 << 40} {
			if d, err := c.LookupDevice(id); err == nil {
				t.Errorf("device %d is %v", id, d)
			}
			if d, err := c.LookupLocalDevice(id); err == nil {
				t.Errorf("local device %d is %v", id, d)
			}
		}
		all := c.Devices()
		got, err := c.DefaultAssignment(2, 2)
		if err != nil || len(got) != 2 || got[0][0] != all[0] || got[1][1] != all[3] {
			t.Errorf("assignment %v, %v", got, err)
		}
		for _, n := range [][2]int{{0, 1}, {-1, 1}, {1 << 40, 1 << 40}, {2, 200}} {
			if got, err := c.DefaultAssignment(n[0], n[1]); err == nil {
				t.Errorf("%v: %v", n, got)
			}
		}
		x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Replicas: 2, Assignment: [][]*pjrt.Device{{all[3]}, {all[1]}}})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		as, err := x.AssignmentIDs()
		if diff := cmp.Diff([][]int{{all[3].ID()}, {all[1].ID()}}, as); diff != "" || err != nil {
			t.Error(diff, err)
		}
		err = c.UpdateProcesses([]pjrt.ProcessInfo{{Task: 0, Incarnation: 7, State: pjrt.ProcessConnected}})
		if err != nil && unlessLacking(err) {
			t.Error(err)
		}
		want(t, "no state", c.UpdateProcesses([]pjrt.ProcessInfo{{}}), isthmus.ErrInvalid)
	})
}

// TestCompiledLifecycle closes topologies, programs and what was loaded of them in every wrong order; the fake's books
// show that each is destroyed once, that a client's topology never is, and that bytes are ended by their own deleters.
func TestCompiledLifecycle(t *testing.T) {
	c, _ := fakeClient(t, func(f *pjrtfake.Fake) { f.Devices = 3 })
	p := c.Plugin()
	top, err := p.NewTopology(t.Context(), "some", []pjrt.NamedValue{{Name: "devices", Value: int64(3)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := top.Devices(); len(got) != 3 {
		t.Errorf("devices %v", got)
	}
	x, err := top.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{AssignmentIDs: [][]int{{2}}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "a topology with a program", top.Close(), isthmus.ErrBusy)
	kept, err := x.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := c.Load(t.Context(), x, pjrt.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Deserialize(t.Context(), kept, pjrt.LoadOptions{Origin: []int32{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, v := range []interface{ Close() error }{x, top} {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	_, err = top.Serialize()
	want(t, "a closed topology", err, isthmus.ErrClosed)
	_, err = top.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{})
	want(t, "a closed topology", err, isthmus.ErrClosed)
	_, err = c.Load(t.Context(), x, pjrt.LoadOptions{})
	want(t, "a closed program", err, isthmus.ErrClosed)
	for _, l := range []*pjrt.Executable{loaded, again} { // what they came from is gone
		if got := l.Devices(); len(got) != 1 || got[0] != c.Devices()[2] {
			t.Errorf("loaded on %v", got)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	own, err := c.Topology()
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil || !own.Live() {
		t.Errorf("closing a client's topology: %v, live %v", err, own.Live())
	}
	y, err := own.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{Device: c.Device()})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "a client with a program", c.Close(), isthmus.ErrBusy)
	if err := y.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = own.Fingerprint()
	want(t, "the topology of a closed client", err, isthmus.ErrClosed)
	if own.Live() {
		t.Error("the topology of a closed client is live")
	}
	var none *pjrt.Topology
	_, err = none.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{})
	want(t, "no topology", err, isthmus.ErrInvalid)
}

// TestLyingBytes lets the plugin say nonsense about the bytes that it hands out: an error, and the bytes are ended.
func TestLyingBytes(t *testing.T) {
	for name, lie := range map[string]struct {
		tamper func(*pjrtc.ExecutableSerializeArgs)
		is     error
	}{
		"too many":   {func(a *pjrtc.ExecutableSerializeArgs) { a.SerializedBytesSize = 1 << 62 }, isthmus.ErrBounds},
		"null bytes": {func(a *pjrtc.ExecutableSerializeArgs) { a.SerializedBytes = 0 }, isthmus.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := fakeClient(t, func(f *pjrtfake.Fake) {
				f.Tamper = map[pjrtc.Slot]func(mem.Addr){pjrtc.SlotExecutableSerialize: func(a mem.Addr) { lie.tamper(pjrtc.Ptr[pjrtc.ExecutableSerializeArgs](a).At()) }}
			})
			x := compile(t, c, "add")
			b, err := x.Serialize()
			want(t, name, err, lie.is)
			if len(b) != 0 {
				t.Errorf("got %d bytes", len(b))
			}
		})
	}
}
