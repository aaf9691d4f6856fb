//go:build !isthmus_portable

#include "textflag.h"

// void fired(void *value, void *token), AAPCS64, on any thread. It never enters Go. R27 is the assembler's scratch
// register for symbols and the callee's to save. A slot is: state 0, value 8, next 16; see signal.go.

GLOBL ·fired(SB), NOPTR, $8
DATA ·fired(SB)/8, $signalFired(SB)

TEXT signalFired(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -32(RSP)
	MOVD  RSP, R29
	MOVD  R27, 16(RSP)
	AND   $0x3FFFF, R1, R8
	LSL   $6, R8, R8
	MOVD  ·signalBase(SB), R9
	ADD   R9, R8, R8

	// Only the armed token takes the slot, and only once.
take:
	LDAXR (R8), R10
	CMP   R1, R10
	BNE   stray
	STLXR ZR, (R8), R11
	CBNZ  R11, take
	MOVD  R0, 8(R8)
	MOVD  $·signalHead(SB), R12

push:
	MOVD  (R12), R13
	MOVD  R13, 16(R8)

publish:
	LDAXR (R12), R10
	CMP   R13, R10
	BNE   push
	STLXR R8, (R12), R11
	CBNZ  R11, publish

	// Whoever finds the list empty wakes the goroutine; it will find all that come before it looks.
	CBNZ R13, out
	MOVD ·signalFD(SB), R0
	MOVD $·signalOne(SB), R1
	MOVD $8, R2
	MOVD $64, R8              // write
	SVC

out:
	MOVD  16(RSP), R27
	LDP.P 32(RSP), (R29, R30)
	RET

stray:
	CLREX
	MOVD $·signalStray(SB), R12

count:
	LDAXR (R12), R10
	ADD   $1, R10
	STLXR R10, (R12), R11
	CBNZ  R11, count
	B     out
