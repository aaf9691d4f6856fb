//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

GLOBL ·stepsAddr(SB), NOPTR|RODATA, $8
DATA ·stepsAddr(SB)/8, $steps(SB)

// Runs on the thread's system stack in the System V convention: DI holds the first Step. The frame has room for the
// eight arguments that go on the stack, and for the current step. A Step: fn 0, args 8..112, ret 120, flag 128,
// spins 136, next 144, thrown 152, few 160.
TEXT steps(SB), NOSPLIT, $80
	MOVQ DI, 72(SP)

loop:
	MOVQ 72(SP), R11
	CMPQ 160(R11), $0
	JNE  regs
	MOVQ 56(R11), AX
	MOVQ AX, 0(SP)
	MOVQ 64(R11), AX
	MOVQ AX, 8(SP)
	MOVQ 72(R11), AX
	MOVQ AX, 16(SP)
	MOVQ 80(R11), AX
	MOVQ AX, 24(SP)
	MOVQ 88(R11), AX
	MOVQ AX, 32(SP)
	MOVQ 96(R11), AX
	MOVQ AX, 40(SP)
	MOVQ 104(R11), AX
	MOVQ AX, 48(SP)
	MOVQ 112(R11), AX
	MOVQ AX, 56(SP)

regs:
	MOVQ 8(R11), DI
	MOVQ 16(R11), SI
	MOVQ 24(R11), DX
	MOVQ 32(R11), CX
	MOVQ 40(R11), R8
	MOVQ 48(R11), R9
	MOVQ 0(R11), R10
	XORL AX, AX       // a variadic callee: no vector arguments
	CALL R10
	MOVQ 72(SP), DI
	MOVQ AX, 120(DI)
	TESTL AX, AX
	JNE  done
	MOVQ 128(DI), R10
	TESTQ R10, R10
	JEQ  next
	CMPL (R10), $0
	JNE  next
	DECQ 136(DI)
	JLE  done
	PAUSE
	JMP  loop

next:
	MOVQ 144(DI), R10
	TESTQ R10, R10
	JEQ  done
	MOVQ R10, 72(SP)
	JMP  loop

done:
	XORL AX, AX
	RET
