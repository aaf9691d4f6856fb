package objc_test

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// invoke calls a block with no second argument.
func invoke(block uintptr) {
	// SAFETY: owner: the memory of all blocks, for ever; bounds and alignment: a block has its function at 16; thread: this one.
	fn := *mem.At[call.Fn](block + 16)
	call.Call(fn, block, 0)
}
