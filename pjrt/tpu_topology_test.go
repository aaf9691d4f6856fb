package pjrt_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func tpuTopology(t *testing.T, p *pjrt.Plugin, name string) *pjrt.TPUTopology {
	t.Helper()
	top, err := p.NewTopology(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := top.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := top.TPU()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func volume(bounds []int) int {
	n := 1
	for _, b := range bounds {
		n *= b
	}
	return n
}

// TestTPUPlaces checks what the plugin says of topologies against itself: counts are products of bounds, and numbers,
// places and coordinates lead to each other and back.
func TestTPUPlaces(t *testing.T) {
	p := tpu(t)
	for name, want := range map[string]pjrt.TPUCounts{
		"v4:2x2x1":  {1, 4, 4, 8, 2, 8, 8, 2, 8},
		"v4:2x2x2":  {2, 8, 4, 16, 2, 8, 16, 2, 8},
		"v5e:2x2":   {1, 4, 4, 4, 1, 4, 4, 1, 4},
		"v5e:4x4":   {4, 16, 4, 16, 1, 4, 16, 1, 4},
		"v5p:2x2x2": {2, 8, 4, 16, 2, 8, 8, 1, 4},
		"v6e:2x2":   {1, 4, 4, 4, 1, 4, 4, 1, 4},
		"v6e:4x4":   {4, 16, 4, 16, 1, 4, 16, 1, 4},
	} {
		t.Run(strings.ReplaceAll(name, ":", "-"), func(t *testing.T) {
			u := tpuTopology(t, p, name)
			c, err := u.Counts()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, c); d != "" {
				t.Error(d)
			}
			if n := len(u.Topology().Devices()); n != c.Devices {
				t.Errorf("the topology lists %d devices, counts %d", n, c.Devices)
			}
			b, err := u.Bounds()
			if err != nil {
				t.Fatal(err)
			}
			if volume(b.Chips) != c.Chips || volume(b.ChipsPerProcess) != c.ChipsPerProcess || volume(b.Processes) != c.Processes {
				t.Errorf("bounds %+v, counts %+v", b, c)
			}
			for i := range b.Chips {
				if b.Chips[i] != b.ChipsPerProcess[i]*b.Processes[i] {
					t.Errorf("bounds %+v do not multiply", b)
				}
			}
			tpuDevices(t, u, c)
			tpuChips(t, u, c, b)
			for what, f := range map[string]func() (bool, error){"enhanced barrier": u.EnhancedBarrier, "limited": u.LimitedICI, "subslice": u.IsSubslice} {
				if is, err := f(); err != nil || is != (what == "enhanced barrier") {
					t.Errorf("%s: %v, %v", what, is, err)
				}
			}
			if s, err := u.Routing(); err != nil || s != "mesh" {
				t.Errorf("routing %q, %v", s, err)
			}
			is, err := u.Reachable(0, 1)
			if flat := b.Chips[2] == 1; flat && (err != nil || !is) || !flat && !errors.Is(err, isthmus.ErrInvalid) {
				t.Errorf("reachable: %v, %v", is, err)
			}
		})
	}
}

// tpuDevices goes from processes to their devices, and from each to its place and back.
func tpuDevices(t *testing.T, u *pjrt.TPUTopology, c pjrt.TPUCounts) {
	t.Helper()
	ids, err := u.ProcessIDs()
	if err != nil || len(ids) != c.Processes {
		t.Fatalf("processes %v, %v", ids, err)
	}
	var all []int
	for _, process := range ids {
		devices, err := u.DevicesOn(process)
		if err != nil || len(devices) != c.DevicesPerProcess {
			t.Fatalf("devices of process %d: %v, %v", process, devices, err)
		}
		if at, err := u.ProcessCoords(process); err != nil || len(at) != 3 {
			t.Errorf("process %d is at %v, %v", process, at, err)
		}
		for i, d := range devices {
			if got, err := u.DevicePlace(d); err != nil || got != (pjrt.TPUPlace{Process: process, Index: i}) {
				t.Errorf("device %d is at %+v, %v; want %d of process %d", d, got, err, i, process)
			}
			chip, index, err := u.DeviceCoords(d)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := u.DeviceAt(index, chip...); err != nil || back != d {
				t.Errorf("device %d is %d of the chip at %v, where device %d is, %v", d, index, chip, back, err)
			}
		}
		all = append(all, devices...)
	}
	slices.Sort(all)
	for i, d := range all {
		if d != i {
			t.Errorf("devices %v are not all", all)
			break
		}
	}
}

// tpuChips goes over all coordinates.
func tpuChips(t *testing.T, u *pjrt.TPUTopology, c pjrt.TPUCounts, b pjrt.TPUBounds) {
	t.Helper()
	seen := map[int]bool{}
	for z := range b.Chips[2] {
		for y := range b.Chips[1] {
			for x := range b.Chips[0] {
				id, err := u.ChipAt(x, y, z)
				if err != nil || seen[id] {
					t.Fatalf("chip at %d,%d,%d: %d, %v", x, y, z, id, err)
				}
				seen[id] = true
				place, err := u.ChipPlace(id)
				if err != nil {
					t.Fatal(err)
				}
				at, err := u.ProcessCoords(place.Process)
				if want := []int{x / b.ChipsPerProcess[0], y / b.ChipsPerProcess[1], z / b.ChipsPerProcess[2]}; err != nil || !slices.Equal(at, want) {
					t.Errorf("chip %d is on process %d at %v, %v, want %v", id, place.Process, at, err, want)
				}
			}
		}
	}
	if len(seen) != c.Chips {
		t.Errorf("%d chips, want %d", len(seen), c.Chips)
	}
}

// TestTPUSubslices cuts parts out of a topology.
func TestTPUSubslices(t *testing.T) {
	p := tpu(t)
	u := tpuTopology(t, p, "v5e:4x4")
	for _, c := range []struct {
		chips, hosts, bounds []int
	}{
		{[]int{2, 2, 1}, []int{1, 1, 1}, []int{2, 2, 1}},
		{[]int{2, 2, 1}, []int{2, 1, 1}, []int{4, 2, 1}},
		{[]int{2, 2, 1}, []int{2, 2, 1}, []int{4, 4, 1}},
		{[]int{1, 1, 1}, []int{1, 1, 1}, []int{1, 1, 1}},
	} {
		t.Run(fmt.Sprint(c.bounds), func(t *testing.T) {
			sub, err := u.Subslice(c.chips, c.hosts)
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			v, err := sub.TPU()
			if err != nil {
				t.Fatal(err)
			}
			if is, err := v.IsSubslice(); err != nil || !is {
				t.Errorf("is a subslice: %v, %v", is, err)
			}
			b, err := v.Bounds()
			if d := cmp.Diff(c.bounds, b.Chips); err != nil || d != "" {
				t.Error(d, err)
			}
			for d := range 16 {
				chip, _, err := u.DeviceCoords(d)
				if err != nil {
					t.Fatal(err)
				}
				id, err := u.SubsliceDevice(sub, []int{0, 0, 0}, d)
				inside := chip[0] < c.bounds[0] && chip[1] < c.bounds[1]
				if !inside {
					want(t, "a device outside", err, isthmus.ErrBounds) // the plugin would end the process
					continue
				}
				if at, _, cerr := v.DeviceCoords(id); err != nil || cerr != nil || !slices.Equal(at, chip) {
					t.Errorf("device %d at %v is %d at %v there; %v, %v", d, chip, id, at, err, cerr)
				}
			}
			_, err = u.SubsliceDevice(sub, []int{3, 3, 0}, 15)
			if volume(c.bounds) > 1 {
				want(t, "a part that hangs over the edge", err, isthmus.ErrBounds)
			}
		})
	}
	o, err := u.WithHosts([]int{1, 2, 1})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.Devices()); n != 8 {
		t.Errorf("with other host bounds: %d devices, want 8", n)
	}
	want(t, "not a subslice", func() error { _, err := u.SubsliceDevice(o, []int{0, 0, 0}, 0); return err }(), isthmus.ErrInvalid)
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	_, err = u.SubsliceDevice(o, []int{0, 0, 0}, 0)
	want(t, "a subslice that is closed", err, isthmus.ErrClosed)
}

// TestTPUHostileArguments asks for what there is not: libtpu ends the process for some of it.
func TestTPUHostileArguments(t *testing.T) {
	p := tpu(t)
	u := tpuTopology(t, p, "v6e:2x2")
	for _, id := range []int{-1, 4, 1 << 20, 1 << 40} {
		for what, f := range map[string]func() error{
			"chip place":     func() error { _, err := u.ChipPlace(id); return err },
			"device place":   func() error { _, err := u.DevicePlace(id); return err },
			"device coords":  func() error { _, _, err := u.DeviceCoords(id); return err },
			"devices on":     func() error { _, err := u.DevicesOn(id); return err },
			"process coords": func() error { _, err := u.ProcessCoords(id); return err },
			"reachable":      func() error { _, err := u.Reachable(0, id); return err },
			"chip at":        func() error { _, err := u.ChipAt(0, id, 0); return err },
			"device at":      func() error { _, err := u.DeviceAt(id, 0, 0, 0); return err },
			"subslice device": func() error {
				_, err := u.SubsliceDevice(u.Topology(), []int{0, 0, 0}, id)
				return err
			},
		} {
			want(t, fmt.Sprint(what, " ", id), f(), isthmus.ErrBounds)
		}
	}
	for _, at := range [][]int{nil, {0}, {0, 0}, {0, 0, 0, 0}, make([]int, 100)} {
		_, err := u.ChipAt(at...)
		want(t, fmt.Sprint("chip at ", at), err, isthmus.ErrInvalid)
	}
	for _, b := range [][]int{nil, {0, 1, 1}, {-1, 1, 1}, {1 << 40, 1, 1}, {3, 3, 1}, {1, 1}} {
		if s, err := u.Subslice(b, []int{1, 1, 1}); err == nil {
			t.Errorf("subslice of %v: %v", b, s)
		}
	}
	for _, b := range [][]int{nil, {0, 1, 1}, {-1, 1, 1}} {
		_, err := u.WithHosts(b)
		want(t, fmt.Sprint("hosts ", b), err, isthmus.ErrInvalid)
	}
}

// TestTPUSlices asks for the shapes that TPUs come in.
func TestTPUSlices(t *testing.T) {
	p := tpu(t)
	all, err := p.TPUSlices("tpu7x")
	if err != nil || len(all) < 10 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, s := range all {
		if len(s.Dims) != 3 || len(s.Wrap) != 3 {
			t.Errorf("slice %+v", s)
		}
	}
	if s, err := p.TPUSlice("tpu7x", all[len(all)-1].String()); err != nil || s.String() != all[len(all)-1].String() {
		t.Logf("by name: %v, %v", s, err)
	}
	if chips, trays, err := p.TPUHost("tpu7x"); err != nil || chips != 4 || trays != 1 {
		t.Errorf("host: %d chips, %d trays, %v", chips, trays, err)
	}
	for _, name := range []string{"", "no such thing", strings.Repeat("x", 1<<16), "a\x00b"} {
		_, err := p.TPUSlices(name)
		want(t, "slices of an unknown platform", err, isthmus.ErrInvalid)
		_, err = p.TPUSlice(name, name)
		want(t, "slice of an unknown platform", err, isthmus.ErrInvalid)
		_, _, err = p.TPUHost(name)
		want(t, "host of an unknown platform", err, isthmus.ErrInvalid)
	}
}

// TestTPUProgram reads what libtpu knows of a program that it compiled without a TPU.
func TestTPUProgram(t *testing.T) {
	p := tpu(t)
	top, err := p.NewTopology(t.Context(), "v5e:2x2", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	x, err := top.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	u, err := x.TPU()
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func() ([]byte, error){"target arguments": u.TargetArguments, "HLO": u.HLO, "memory": u.MemoryStats} {
		b, err := f()
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", what, len(b), err)
		}
	}
	if b, err := u.HLO(); err == nil && !strings.Contains(string(b), "add") {
		t.Error("the module does not hold its name")
	}
	cost, err := u.CostAnalysis()
	if err != nil || !slices.Contains(cost, pjrt.NamedValue{Name: "flops", Value: float32(4)}) {
		t.Errorf("cost %v, %v; want 4 flops", cost, err)
	}
	env, err := p.TPUEnvironments(nil)
	if err != nil || len(env) == 0 {
		t.Fatalf("%d bytes of environments, %v", len(env), err)
	}
	if s, err := p.TPUEnvironment(env, "xla_tpu_enable_latency_hiding_scheduler"); err != nil || s == "" {
		t.Errorf("field %q, %v", s, err)
	}
	_, err = p.TPUEnvironment(env, "no_such_field")
	want(t, "a field that there is not", err, isthmus.ErrInvalid)
	if is, err := p.TPUPredetermined(nil); err != nil || is {
		t.Errorf("no error is predetermined: %v, %v", is, err)
	}
	// What is no program is an error, and not taken for one.
	whole, err := x.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{whole[:1], whole[:len(whole)/2], whole[:len(whole)-1]} {
		_, err := p.TPUProgram(b)
		want(t, "a part of a program", err, isthmus.ErrInvalid)
	}
	whole = whole[64:] // as another client has it
	for _, b := range [][]byte{[]byte("garbage"), whole[:1], whole[:len(whole)/2], whole[:len(whole)-1]} {
		u, err := p.TPUProgram(b)
		if err != nil {
			t.Fatal(err)
		}
		for what, f := range map[string]func() ([]byte, error){"target arguments": u.TargetArguments, "HLO": u.HLO, "memory": u.MemoryStats} {
			if out, err := f(); err == nil {
				t.Errorf("%s of %d bytes: %d bytes", what, len(b), len(out))
			}
		}
	}
	_, err = p.TPUProgram(nil)
	want(t, "no bytes", err, isthmus.ErrInvalid)
	for _, b := range [][]byte{[]byte("garbage"), {0xff, 0xff}} {
		if out, err := p.TPUEnvironments(b); err == nil {
			t.Errorf("environments of garbage: %d bytes", len(out))
		}
		if out, err := p.TPUCost(b, b); err == nil {
			t.Errorf("cost of garbage: %v", out)
		}
	}
}
