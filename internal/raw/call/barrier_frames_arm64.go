//go:build (linux || darwin) && !isthmus_portable

package call

// What the unwinder must know of a trampoline's stack frame while C runs, as DWARF call frame instructions. CFA is the
// stack pointer before the call of the trampoline. Numbers of registers are DWARF's.
const cfiReturn = 30 // where the return address is kept

var (
	// 32 bytes: x29 at CFA-32, x30 at CFA-24, x19 at CFA-16.
	cfiCall = []byte{0x0c, 31, 32, 0x80 | 29, 4, 0x80 | 30, 3, 0x80 | 19, 2}
	// 48 bytes: x29 at CFA-48, x30 at CFA-40, x19 at CFA-32, x20 at CFA-24, x21 at CFA-16.
	cfiChain = []byte{0x0c, 31, 48, 0x80 | 29, 6, 0x80 | 30, 5, 0x80 | 19, 4, 0x80 | 20, 3, 0x80 | 21, 2}
	// 80 bytes: x29 at CFA-32, x30 at CFA-24, x19 at CFA-16.
	cfiSteps = []byte{0x0c, 31, 80, 0x80 | 29, 4, 0x80 | 30, 3, 0x80 | 19, 2}
	// 96 bytes, as steps.
	cfiWide = []byte{0x0c, 31, 96, 0x80 | 29, 4, 0x80 | 30, 3, 0x80 | 19, 2}
	// CFA = x29+160: x29 at CFA-160, x30 at CFA-152.
	cfiLookup = []byte{0x0c, 29, 0xa0, 1, 0x80 | 29, 20, 0x80 | 30, 19}
)
