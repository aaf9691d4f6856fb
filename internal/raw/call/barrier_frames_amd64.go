//go:build (linux || darwin) && !isthmus_portable

package call

// What the unwinder must know of a trampoline's stack frame while C runs, as DWARF call frame instructions. CFA is the
// stack pointer before the call of the trampoline. Numbers of registers are DWARF's.
const cfiReturn = 16 // where the return address is kept

var (
	// PUSHQ BX: CFA = SP+16, return address at CFA-8, BX at CFA-16.
	cfiCall = []byte{0x0c, 7, 16, 0x80 | 16, 1, 0x80 | 3, 2}
	// As call1.
	cfiChain = cfiCall
	// The assembler's frame of 80 bytes and BP: CFA = SP+96, return address at CFA-8, BP at CFA-16.
	cfiSteps = []byte{0x0c, 7, 96, 0x80 | 16, 1, 0x80 | 6, 2}
	// As steps.
	cfiWide = cfiSteps
	// SUBQ $136, SP: CFA = SP+144, return address at CFA-8.
	cfiLookup = []byte{0x0c, 7, 0x90, 1, 0x80 | 16, 1}
)
