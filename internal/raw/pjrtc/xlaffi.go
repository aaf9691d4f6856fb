package pjrtc

import (
	"unsafe"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// XLAFFIFunc is a function of XLA_FFI_Api, by its offset in the table.
type XLAFFIFunc uintptr

// The functions that handlers use.
//
// SAFETY: offsets in a type; no memory is touched.
const (
	XLAFFIErrorCreate         = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIErrorCreate))
	XLAFFIErrorDestroy        = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIErrorDestroy))
	XLAFFIHandlerRegister     = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIHandlerRegister))
	XLAFFIExecutionContextGet = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIExecutionContextGet))
	XLAFFIStateSet            = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIStateSet))
	XLAFFIStateGet            = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIStateGet))
	XLAFFIThreadPoolThreads   = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIThreadPoolNumThreads))
	XLAFFIRunIDGet            = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIRunIdGet))
	XLAFFIDeviceOrdinalGet    = XLAFFIFunc(unsafe.Offsetof(XLAFFIApi{}.XLAFFIDeviceOrdinalGet))
)

// Version is the version of XLA's FFI that the table has; 0.0 for no table.
//
// Preconditions: api is null, or the table that a call frame names, during that call or for the process's life.
func (p XLAFFITable) Version() (major, minor int) {
	if a := Ptr[XLAFFIApi](p).At(); a != nil {
		return int(a.ApiVersion.MajorVersion), int(a.ApiVersion.MinorVersion)
	}
	return 0, 0
}

// XLAFFITable is the address of an XLA_FFI_Api.
type XLAFFITable Ptr[XLAFFIApi]

// Func returns a function of the table, 0 where the table is null or ends before it.
//
// Preconditions: as for Version.
func (p XLAFFITable) Func(f XLAFFIFunc) Func {
	a := Ptr[XLAFFIApi](p).At()
	if a == nil || uint64(f)+8 > a.StructSize {
		return 0
	}
	// SAFETY: owner: the plugin, for the process's life; bounds: inside the struct_size that the table states;
	// alignment: 8; thread: any, the table is constant.
	return *mem.At[Func](uintptr(p) + uintptr(f))
}

// CallXLAFFI sets the size of a and calls the function that takes it. has is false where the table lacks it.
//
// has is false too when it threw an exception, which is reported.
//
// Preconditions: as for Version; a and all it points to are in f, or off-heap, or pinned; the function is not
// XLAFFIErrorDestroy unless the caller ignores the result.
func CallXLAFFI[A any, P interface {
	*A
	SetSize()
}](api XLAFFITable, fn XLAFFIFunc, f *call.Frame, a P) (e Ptr[XLAFFIError], has bool) {
	c := api.Func(fn)
	if c == 0 {
		return 0, false
	}
	a.SetSize()
	r := f.Call1(call.Fn(c), mem.AddrOfPtr((*A)(a)))
	if f.Threw() {
		return 0, false
	}
	return Ptr[XLAFFIError](r), true
}
