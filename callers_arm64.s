#include "textflag.h"

// func callers(pc *[siteDepth]uintptr, skip int) int
//
// Walks the frame pointers of the goroutine's stack: saved frame pointer at 0, return address at 8. A frame pointer
// outside the stack, or not above the one before, ends the walk, so nothing but this stack is ever read. g begins
// with the stack's bounds.
TEXT ·callers(SB), NOSPLIT|NOFRAME, $0-24
	MOVD pc+0(FP), R0
	MOVD skip+8(FP), R6
	MOVD 0(g), R1
	MOVD 8(g), R2
	SUB  $16, R2
	MOVD R29, R3
	MOVD $0, R4

loop:
	CMP  $12, R4           // siteDepth
	BGE  out
	CMP  R1, R3
	BLO  out
	CMP  R2, R3
	BHI  out
	MOVD 8(R3), R5
	CBZ  R5, out
	SUBS $1, R6
	BGE  next
	MOVD R5, (R0)
	ADD  $8, R0
	ADD  $1, R4

next:
	MOVD 0(R3), R5
	CMP  R3, R5
	BLS  out
	MOVD R5, R3
	B    loop

out:
	MOVD R4, ret+16(FP)
	RET
