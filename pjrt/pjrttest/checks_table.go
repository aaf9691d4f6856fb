package pjrttest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// checks is the suite, in order: what needs little first.
func checks() []check {
	return slices.Concat(
		abiChecks(), pluginChecks(), clientChecks(), errorChecks(), deviceChecks(), memoryChecks(), topologyChecks(),
		compileChecks(), executableChecks(), bufferChecks(), layoutChecks(), dtypeChecks(), transferChecks(), eventChecks(),
		executeChecks(), lifetimeChecks(), threadChecks(), extensionChecks(), skewChecks(),
	)
}

func abiChecks() []check {
	return []check{
		{"abi.version", "the table says which version of the API it is", func(t *probe) {
			major, minor := t.table.Version()
			t.want(major >= 0 && minor >= 0, "the version is %d.%d", major, minor)
			t.note("%d.%d", major, minor)
		}},
		{"abi.same-table", "GetPjrtApi gives the same table each time", func(t *probe) {
			if t.api == 0 {
				t.skip("the table of this process has no GetPjrtApi")
			}
			t.want(t.api == t.again, "two calls of GetPjrtApi give two tables")
		}},
		{"abi.struct-size", "the table's struct_size is a whole number of functions", func(t *probe) {
			if t.api == 0 {
				t.skip("the table of this process is not read by address")
			}
			size := t.api.At().StructSize
			first := pjrtc.Slot(0).Offset()
			t.want(size > uint64(first) && (size-uint64(first))%8 == 0, "struct_size is %d, the functions begin at %d", size, first)
			t.note("%d bytes, %d functions", size, (size-uint64(first))/8)
		}},
		{"abi.no-null-function", "no function inside the table's struct_size is null", func(t *probe) {
			var null []string
			major, minor := t.table.Version()
			last := pjrtc.Slot(-1)
			for s := range pjrtc.Slot(pjrtc.NumSlots) {
				if t.table.Has(s) {
					last = s
				}
			}
			for s := range last {
				if !t.table.Has(s) {
					null = append(null, s.String())
				}
			}
			if len(null) > 0 {
				t.lacks("API %d.%d without %s", major, minor, strings.Join(null, ", "))
			}
		}},
		{"abi.required-functions", "what every client needs is there", func(t *probe) {
			for _, s := range []pjrtc.Slot{
				pjrtc.SlotErrorDestroy, pjrtc.SlotErrorMessage, pjrtc.SlotErrorGetCode, pjrtc.SlotPluginInitialize, pjrtc.SlotEventDestroy,
				pjrtc.SlotEventIsReady, pjrtc.SlotEventAwait, pjrtc.SlotEventOnReady, pjrtc.SlotClientCreate, pjrtc.SlotClientDestroy, pjrtc.SlotClientCompile,
				pjrtc.SlotClientAddressableDevices, pjrtc.SlotClientBufferFromHostBuffer, pjrtc.SlotBufferToHostBuffer, pjrtc.SlotBufferDestroy,
				pjrtc.SlotLoadedExecutableExecute, pjrtc.SlotLoadedExecutableDestroy, pjrtc.SlotLoadedExecutableGetExecutable, pjrtc.SlotExecutableDestroy,
				pjrtc.SlotExecutableNumOutputs, pjrtc.SlotBufferElementType, pjrtc.SlotBufferDimensions,
			} {
				t.want(t.table.Has(s), "no %v", s)
			}
		}},
		{"abi.extension-chain", "the chain of extensions ends, and each link says its size", func(t *probe) {
			t.want(t.broken == nil, "%v", t.broken)
			t.note("%d extensions", len(t.chain))
		}},
		{"abi.extension-once", "no extension stands in the chain twice", func(t *probe) {
			seen := map[pjrtc.ExtensionType]bool{}
			for _, l := range t.chain {
				t.want(!seen[l.Type], "two extensions of type %d", l.Type)
				seen[l.Type] = true
			}
		}},
		{"abi.extension-size", "the struct of each known extension is large enough for its first function", func(t *probe) {
			known := pjrtc.Extensions()
			for _, l := range t.chain {
				if int(l.Type) < 0 || int(l.Type) >= len(known) || len(known[l.Type].Funcs) == 0 {
					continue
				}
				e := known[l.Type]
				t.want(l.Size >= e.Funcs[0].Offset+8, "%s has %d bytes", e.Name, l.Size)
				if l.Size > e.Size {
					t.note("%s is newer: %d bytes, known are %d", e.Name, l.Size, e.Size)
				}
			}
		}},
		{"abi.extension-no-null", "no function inside an extension's struct_size is null", func(t *probe) {
			known := pjrtc.Extensions()
			var null []string
			for _, l := range t.chain {
				if int(l.Type) < 0 || int(l.Type) >= len(known) {
					continue
				}
				for _, f := range known[l.Type].Funcs {
					if f.Offset+8 <= l.Size && l.Func(f.Offset) == 0 {
						null = append(null, known[l.Type].Name+"."+f.Name)
					}
				}
			}
			if len(null) > 0 {
				t.lacks("%s", strings.Join(null, ", "))
			}
		}},
	}
}

func pluginChecks() []check {
	attributes := func(t *probe) map[string]any {
		a := do(t, &pjrtc.PluginAttributesArgs{})
		return t.values("plugin attributes", a.Attributes, a.NumAttributes)
	}
	version := func(t *probe, m map[string]any, name string) []int64 {
		v, ok := m[name].([]int64)
		if m[name] == nil {
			t.lacks("the plugin does not say %s", name)
		}
		t.want(ok && len(v) == 3, "%s is %v, want three numbers", name, m[name])
		return v
	}
	return []check{
		{"plugin.initialize-twice", "PJRT_Plugin_Initialize may be called again", func(t *probe) { do(t, &pjrtc.PluginInitializeArgs{}) }},
		{"plugin.attributes", "attributes have names, known kinds and no duplicates", func(t *probe) {
			names := []string{}
			for n := range attributes(t) {
				names = append(names, n)
			}
			slices.Sort(names)
			t.note("%s", orNone(strings.Join(names, ", ")))
		}},
		{"plugin.attributes-stable", "attributes are the same each time", func(t *probe) {
			a, b := fmt.Sprint(attributes(t)), fmt.Sprint(attributes(t))
			t.want(a == b, "%s, then %s", a, b)
		}},
		{"plugin.xla-version", "xla_version is a number", func(t *probe) {
			v, ok := attributes(t)["xla_version"]
			if !ok {
				t.lacks("the plugin does not say xla_version")
			}
			_, number := v.(int64)
			t.want(number, "xla_version is %v", v)
			t.note("%v", v)
		}},
		{"plugin.stablehlo-versions", "the oldest StableHLO that is read is not newer than the current one", func(t *probe) {
			m := attributes(t)
			low, high := version(t, m, "stablehlo_minimum_version"), version(t, m, "stablehlo_current_version")
			t.want(slices.Compare(low, high) <= 0, "minimum %v, current %v", low, high)
			t.note("%v to %v", low, high)
		}},
	}
}

// skewChecks call each function with an argument struct of another version: what a client of another age does.
func skewChecks() []check {
	var out []check
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		name := strings.TrimPrefix(s.String(), "PJRT_")
		out = append(out, check{"skew." + name, "an argument struct that is too short is an error", func(t *probe) {
			if !t.table.Has(s) {
				t.lacks("no %v", s)
			}
			if !s.ReturnsError() {
				t.skip("the function has no way to say so")
			}
			t.want(t.short(pjrtc.Func(t.table.Fn(s))), "a struct of 8 bytes is accepted")
		}})
	}
	longer := func(name string, run func(t *probe)) check {
		return check{"skew.longer-" + name, "an argument struct of a later version is accepted, and its new part left alone", run}
	}
	return append(
		out,
		longer("platform-name", func(t *probe) {
			long(t, &pjrtc.ClientPlatformNameArgs{Client: t.shared()}, pjrtc.ClientPlatformNameArgsSize)
		}),
		longer("devices", func(t *probe) { long(t, &pjrtc.ClientDevicesArgs{Client: t.shared()}, pjrtc.ClientDevicesArgsSize) }),
		longer("dimensions", func(t *probe) {
			long(t, &pjrtc.BufferDimensionsArgs{Buffer: t.put(vec(1, 2))}, pjrtc.BufferDimensionsArgsSize)
		}),
		longer("plugin-attributes", func(t *probe) { long(t, &pjrtc.PluginAttributesArgs{}, pjrtc.PluginAttributesArgsSize) }),
		longer("device-kind", func(t *probe) {
			long(t, &pjrtc.DeviceDescriptionKindArgs{DeviceDescription: t.description(t.device())}, pjrtc.DeviceDescriptionKindArgsSize)
		}),
		longer("num-outputs", func(t *probe) {
			long(t, &pjrtc.ExecutableNumOutputsArgs{Executable: t.describe(t.once(addProgram))}, pjrtc.ExecutableNumOutputsArgsSize)
		}),
	)
}

// short calls a function with an argument struct of 8 bytes and reports whether that is an error. What stands behind
// the struct must stay as it is.
func (t *probe) short(fn pjrtc.Func) bool {
	block, err := mem.Alloc(4096, 16)
	if err != nil {
		t.fail("%v", err)
	}
	t.after(func() { _ = block.Free() })
	head, err := mem.View[uint64](block.Bytes()[:8])
	if err != nil {
		t.fail("%v", err)
	}
	head[0] = 8
	err = t.take("short", pjrtc.Ptr[pjrtc.Error](t.frame.Call1(call.Fn(fn), mem.AddrOf(block.Bytes()))))
	if e, ok := err.(*nativeError); ok && e.code == pjrtc.ErrorCodeUNIMPLEMENTED {
		t.lacks("%v", err)
	}
	for i, b := range block.Bytes()[8:] {
		t.want(b == 0, "byte %d behind the struct was written to", 8+i)
	}
	return err != nil
}

// long calls the function of a with a struct that has 64 bytes more than the one that this module knows, of size bytes.
func long[A any, P args[A]](t *probe, a P, size int) {
	s := a.Slot()
	if !t.table.Has(s) {
		t.lacks("no %v", s)
	}
	type later struct {
		args A
		more [8]uint64
	}
	n, err := call.New[later](t.frame)
	if err != nil {
		t.fail("%v", err)
	}
	n.args = *a
	for i := range n.more {
		n.more[i] = 0xa5a5a5a5a5a5a5a5
	}
	addr := mem.AddrOfPtr(n)
	*mem.At[uint64](addr) = uint64(size + 64)
	t.must(t.take(s.String(), pjrtc.Ptr[pjrtc.Error](t.frame.Call1(t.table.Fn(s), addr))))
	for _, v := range n.more {
		t.want(v == 0xa5a5a5a5a5a5a5a5, "the plugin wrote past the struct that it knows")
	}
}
