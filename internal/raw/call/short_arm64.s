//go:build (linux || darwin) && !isthmus_portable && !race && !go1.28

#include "textflag.h"

// func shortCall(fn, arg unsafe.Pointer) bool
TEXT ·shortCall(SB), NOSPLIT, $32-17
	MOVWU ·callbacks(SB), R0
	CBNZ  R0, no
	MOVD  fn+0(FP), R0
	MOVD  R0, 8(RSP)
	MOVD  arg+8(FP), R0
	MOVD  R0, 16(RSP)
	CALL  runtime·asmcgocall(SB)
	MOVD  $1, R0
	MOVB  R0, ret+16(FP)
	RET

no:
	MOVB ZR, ret+16(FP)
	RET
