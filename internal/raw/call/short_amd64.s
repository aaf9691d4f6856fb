//go:build (linux || darwin) && !isthmus_portable && !race && !go1.28

#include "textflag.h"

// func shortCall(fn, arg unsafe.Pointer) bool
TEXT ·shortCall(SB), NOSPLIT, $24-17
	CMPL ·callbacks(SB), $0
	JNE  no
	MOVQ fn+0(FP), AX
	MOVQ AX, 0(SP)
	MOVQ arg+8(FP), AX
	MOVQ AX, 8(SP)
	CALL runtime·asmcgocall(SB)
	MOVB $1, ret+16(FP)
	RET

no:
	MOVB $0, ret+16(FP)
	RET
