//go:build !isthmus_portable

#include "textflag.h"

// void fired(void *value, void *token), System V convention, on any thread. It never enters Go, uses no stack and
// no callee-saved register. A slot is: state 0, value 8, next 16; see signal.go.

GLOBL ·fired(SB), NOPTR, $8
DATA ·fired(SB)/8, $signalFired(SB)

TEXT signalFired(SB), NOSPLIT|NOFRAME, $0
	MOVQ SI, R8
	ANDQ $0x3FFFF, R8
	SHLQ $6, R8
	MOVQ ·signalBase(SB), R9
	ADDQ R9, R8

	// Only the armed token takes the slot, and only once.
	MOVQ  SI, AX
	XORL  R10, R10
	LOCK
	CMPXCHGQ R10, 0(R8)
	JNE   stray
	MOVQ  DI, 8(R8)

push:
	MOVQ  ·signalHead(SB), AX
	MOVQ  AX, 16(R8)
	LOCK
	CMPXCHGQ R8, ·signalHead(SB)
	JNE   push

	// Whoever finds the list empty wakes the goroutine; it will find all that come before it looks.
	TESTQ AX, AX
	JNZ   out
	MOVQ  ·signalFD(SB), DI
	LEAQ  ·signalOne(SB), SI
	MOVL  $8, DX
	MOVL  $1, AX              // write
	SYSCALL

out:
	RET

stray:
	LOCK
	INCQ ·signalStray(SB)
	RET
