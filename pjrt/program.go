package pjrt

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Program is code to compile.
type Program struct {
	Format string // "mlir" for StableHLO as text, bytecode or portable bytecode; "hlo" for a serialised HLO module
	Code   []byte
}

// MLIR is a StableHLO program, as text or as bytecode.
func MLIR[S ~string | ~[]byte](code S) Program { return Program{Format: "mlir", Code: []byte(code)} }

func (code Program) check(op string) error {
	if code.Format == "" {
		return invalid(op, "the program has no format; use pjrt.MLIR for StableHLO")
	}
	return nil
}

// toNative lends the program to one call.
func (code Program) toNative(f *call.Frame, pin *mem.Pin) (pjrtc.Ptr[pjrtc.Program], error) {
	prog, err := call.New[pjrtc.Program](f)
	if err != nil {
		return 0, err
	}
	prog.SetSize()
	if prog.Format, err = bytesOf(f, code.Format); err != nil {
		return 0, err
	}
	prog.FormatSize = uint64(len(code.Format))
	prog.Code, prog.CodeSize = pjrtc.Ptr[byte](mem.PinSlice(pin, code.Code)), uint64(len(code.Code))
	if prog.Code == 0 { // no plugin is asked to read from null
		if prog.Code, err = bytesOf(f, ""); err != nil {
			return 0, err
		}
	}
	return pjrtc.To(prog), nil
}
