package pjrt

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// NativeHandler is a custom call in a native library: functions of the type XLA_FFI_Handler, one for each stage.
// Execute is required.
type NativeHandler struct {
	Instantiate, Prepare, Initialize, Execute ffi.Symbol
	// Untyped says that Execute has the signature of custom calls before XLA's FFI.
	Untyped bool
}

// RegisterNativeHandler makes functions of a native library the handler of custom calls to name. It holds for the
// process's life. On the platform "CUDA" or "ROCM" of a plugin that has the extension Gpu_Custom_Call, it calls
// PJRT_Gpu_Register_Custom_Call; elsewhere PJRT_FFI_Register_Handler, which takes a typed function for Execute alone.
//
// The library's functions are trusted: what they do to memory is theirs. Errors: [isthmus.ErrUnsupported] where the
// plugin has neither extension, or not for such a handler.
func (p *Plugin) RegisterNativeHandler(name, platform string, h NativeHandler) error {
	const op = "register native handler"
	switch {
	case p == nil || p.table == nil:
		return invalid(op, "no plugin")
	case name == "" || strings.ContainsRune(name, 0):
		return invalid(op, "the name is %q", name)
	case h.Execute.Fn() == 0:
		return invalid(op, "%s: no function to execute", name)
	}
	if _, ok := p.link(pjrtc.ExtensionTypeGpuCustomCall); ok && (strings.EqualFold(platform, "cuda") || strings.EqualFold(platform, "rocm")) {
		return askExt(p, op, func(f *call.Frame, a *pjrtc.GpuRegisterCustomCallArgs) (err error) {
			a.FunctionName, err = bytesOf(f, name)
			a.FunctionNameSize = uint64(len(name))
			if !h.Untyped {
				a.ApiVersion = 1
			}
			a.HandlerInstantiate, a.HandlerPrepare = pjrtc.Addr(h.Instantiate.Fn()), pjrtc.Addr(h.Prepare.Fn())
			a.HandlerInitialize, a.HandlerExecute = pjrtc.Addr(h.Initialize.Fn()), pjrtc.Addr(h.Execute.Fn())
			return err
		}, nil)
	}
	if h.Untyped || h.Instantiate.Fn() != 0 || h.Prepare.Fn() != 0 || h.Initialize.Fn() != 0 {
		return fmt.Errorf("pjrt: %s: %s on %s: only typed functions for Execute alone: %w", op, name, platform, isthmus.ErrUnsupported)
	}
	return askExt(p, op, func(f *call.Frame, a *pjrtc.FFIRegisterHandlerArgs) (err error) {
		if a.TargetName, err = bytesOf(f, name); err != nil {
			return err
		}
		a.TargetNameSize, a.Handler = uint64(len(name)), pjrtc.Addr(h.Execute.Fn())
		a.PlatformName, err = bytesOf(f, platform)
		a.PlatformNameSize = uint64(len(platform))
		return err
	}, nil)
}
