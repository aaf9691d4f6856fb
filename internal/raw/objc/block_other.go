//go:build !((linux || darwin) && (amd64 || arm64)) || isthmus_portable

package objc

import "github.com/isthmus-ffi/isthmus/internal/raw/call"

func blockInvoke() uintptr { return 0 } // no runtime can be opened here

func setBlockTarget(call.Fn) {}
