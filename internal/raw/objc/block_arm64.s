//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

GLOBL ·blockInvokeAddr(SB), NOPTR|RODATA, $8
DATA ·blockInvokeAddr(SB)/8, $blockInvoke(SB)

// void blockInvoke(block *, id): the signal of the block's number, at 32.
TEXT blockInvoke(SB), NOSPLIT|NOFRAME, $0
	MOVD 32(R0), R1
	MOVD $·blockTarget(SB), R9
	MOVD (R9), R9
	JMP  (R9)
