package pjrtc

import (
	"fmt"
	"unsafe"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// ProfilerTable is the address of a PLUGIN_Profiler_Api, the function table that the Profiler extension points to.
type ProfilerTable Ptr[PluginProfilerApi]

// ProfilerFunc is a function of the table, by its offset.
type ProfilerFunc uintptr

// The functions.
//
// SAFETY: offsets in a type; no memory is touched.
const (
	ProfilerErrorDestroy         = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.ErrorDestroy))
	ProfilerErrorMessage         = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.ErrorMessage))
	ProfilerErrorGetCode         = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.ErrorGetCode))
	ProfilerCreate               = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Create))
	ProfilerDestroy              = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Destroy))
	ProfilerStart                = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Start))
	ProfilerStop                 = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Stop))
	ProfilerCollectData          = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.CollectData))
	ProfilerConsume              = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Consume))
	ProfilerConsumeResultDestroy = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.ConsumeResultDestroy))
	ProfilerSerialize            = ProfilerFunc(unsafe.Offsetof(PluginProfilerApi{}.Serialize))
)

var profilerNames = map[ProfilerFunc]string{
	ProfilerErrorDestroy: "error_destroy", ProfilerErrorMessage: "error_message", ProfilerErrorGetCode: "error_get_code",
	ProfilerCreate: "create", ProfilerDestroy: "destroy", ProfilerStart: "start", ProfilerStop: "stop",
	ProfilerCollectData: "collect_data", ProfilerConsume: "consume", ProfilerConsumeResultDestroy: "consume_result_destroy",
	ProfilerSerialize: "serialize",
}

// String returns the C name of the function's place.
func (f ProfilerFunc) String() string {
	if n, ok := profilerNames[f]; ok {
		return n
	}
	return fmt.Sprintf("ProfilerFunc(%d)", uintptr(f))
}

// Profiler is the function table that a Profiler extension points to, 0 for none.
func (l Link) Profiler() ProfilerTable {
	const at = unsafe.Offsetof(ProfilerExtension{}.ProfilerApi)
	if l.Type != ExtensionTypeProfiler || l.Base == 0 || l.Size < at+8 {
		return 0
	}
	// SAFETY: owner: the plugin, for the process's life; bounds: inside the struct_size that the link states;
	// alignment: 8; thread: any, the extension is constant.
	return *mem.At[ProfilerTable](uintptr(l.Base) + at)
}

// Func returns a function of the table, 0 where the table is null or ends before it.
func (t ProfilerTable) Func(f ProfilerFunc) Func {
	a := Ptr[PluginProfilerApi](t).At()
	if a == nil || uint64(f)+8 > a.StructSize {
		return 0
	}
	// SAFETY: as in Profiler, for the table.
	return *mem.At[Func](uintptr(t) + uintptr(f))
}

// Priv is what the table's error functions want in each call.
func (t ProfilerTable) Priv() Addr {
	if a := Ptr[PluginProfilerApi](t).At(); a != nil {
		return a.Priv
	}
	return 0
}

// CallProfiler sets the size of a and calls its function. Functions that return nothing give 0. Of exceptions the same is
// true as for [Call].
//
// Preconditions: fn is the function e of the table; a and all it points to are in f, or off-heap, or pinned.
func CallProfiler[A any, P interface {
	*A
	SetSize()
}](fn Func, e ProfilerFunc, f *call.Frame, a P) Ptr[PluginProfilerError] {
	a.SetSize()
	r := f.Call1(call.Fn(fn), mem.AddrOfPtr((*A)(a)))
	switch e {
	case ProfilerErrorDestroy, ProfilerErrorMessage, ProfilerConsumeResultDestroy:
		return 0
	}
	return Ptr[PluginProfilerError](r)
}
