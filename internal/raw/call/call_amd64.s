//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

// The trampolines run on the thread's system stack in the System V convention: DI holds the Frame, and
// runtime.asmcgocall has aligned the stack to 16 before its CALL, so one 8-byte push aligns it for ours.
// The header of a Frame: fn 0, arg 8, ret 16, args 24..64, rest 72..128.

GLOBL ·call1Addr(SB), NOPTR|RODATA, $8
DATA ·call1Addr(SB)/8, $call1(SB)

TEXT call1(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BX
	MOVQ  DI, BX
	MOVQ  0(BX), AX
	MOVQ  8(BX), DI
	CALL  AX
	MOVQ  AX, 16(BX)
	POPQ  BX
	XORL  AX, AX
	RET

GLOBL ·callNAddr(SB), NOPTR|RODATA, $8
DATA ·callNAddr(SB)/8, $callN(SB)

TEXT callN(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BX
	MOVQ  DI, BX
	MOVQ  0(BX), R10
	MOVQ  24(BX), DI
	MOVQ  32(BX), SI
	MOVQ  40(BX), DX
	MOVQ  48(BX), CX
	MOVQ  56(BX), R8
	MOVQ  64(BX), R9
	XORL  AX, AX      // a variadic callee: no vector arguments
	CALL  R10
	MOVQ  AX, 16(BX)
	POPQ  BX
	XORL  AX, AX
	RET

GLOBL ·chainAddr(SB), NOPTR|RODATA, $8
DATA ·chainAddr(SB)/8, $chain(SB)

// args[0] calls from rest; args[1] counts those made; stops after the first non-zero result.
TEXT chain(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BX
	PUSHQ R12
	PUSHQ R13
	MOVQ  DI, BX
	MOVQ  24(BX), R12
	LEAQ  72(BX), R13
	XORL  AX, AX

loop:
	TESTQ R12, R12
	JZ    out
	MOVQ  0(R13), AX
	MOVQ  8(R13), DI
	CALL  AX
	INCQ  32(BX)
	ADDQ  $16, R13
	DECQ  R12
	TESTQ AX, AX
	JZ    loop

out:
	MOVQ AX, 16(BX)
	POPQ R13
	POPQ R12
	POPQ BX
	XORL AX, AX
	RET
