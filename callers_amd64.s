#include "textflag.h"

// func callers(pc *[siteDepth]uintptr, skip int) int
//
// Walks the frame pointers of the goroutine's stack: saved frame pointer at 0, return address at 8. A frame pointer
// outside the stack, or not above the one before, ends the walk, so nothing but this stack is ever read. g begins
// with the stack's bounds.
TEXT ·callers(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ pc+0(FP), DI
	MOVQ skip+8(FP), R10
	MOVQ (TLS), CX
	MOVQ 0(CX), R8
	MOVQ 8(CX), R9
	SUBQ $16, R9
	MOVQ BP, SI
	XORL AX, AX

loop:
	CMPQ  AX, $12          // siteDepth
	JGE   out
	CMPQ  SI, R8
	JCS   out
	CMPQ  SI, R9
	JHI   out
	MOVQ  8(SI), DX
	TESTQ DX, DX
	JZ    out
	DECQ  R10
	JGE   next
	MOVQ  DX, (DI)(AX*8)
	INCQ  AX

next:
	MOVQ  0(SI), DX
	CMPQ  DX, SI
	JLS   out
	MOVQ  DX, SI
	JMP   loop

out:
	MOVQ AX, ret+16(FP)
	RET
