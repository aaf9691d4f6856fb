//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

// The trampolines run on the thread's system stack in the System V convention: DI holds the Frame, and
// runtime.asmcgocall has aligned the stack to 16 before its CALL, so one 8-byte push aligns it for ours.
// The header of a Frame: fn 0, arg 8, ret 16, args 24..64, rest 72..160, thrown 184. What the unwinder knows of the frames
// of these functions stands in barrier_amd64.go.

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

// args[0] calls from rest: function, argument, and the address of a word that must not be 0 and is put into the argument
// at 16, or 0; args[1] counts those made. Stops after the first non-zero result and before a call whose word is 0. Unrolled, so that each call has a
// place of its own for the processor to predict its target by.
TEXT chain(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BX
	MOVQ  DI, BX
	XORL  AX, AX
	MOVQ  AX, 16(BX)
	CMPQ  24(BX), $1
	JLT   out
	MOVQ  80(BX), DI
	MOVQ  88(BX), AX
	TESTQ AX, AX
	JZ    go1
	MOVQ  0(AX), AX
	TESTQ AX, AX
	JZ    out
	MOVQ  AX, 16(DI)

go1:
	MOVQ  72(BX), AX
	CALL  AX
	MOVQ  $1, 32(BX)
	MOVQ  AX, 16(BX)
	TESTQ AX, AX
	JNZ   out
	CMPQ  24(BX), $2
	JLT   out
	MOVQ  104(BX), DI
	MOVQ  112(BX), AX
	TESTQ AX, AX
	JZ    go2
	MOVQ  0(AX), AX
	TESTQ AX, AX
	JZ    out
	MOVQ  AX, 16(DI)

go2:
	MOVQ  96(BX), AX
	CALL  AX
	MOVQ  $2, 32(BX)
	MOVQ  AX, 16(BX)
	TESTQ AX, AX
	JNZ   out
	CMPQ  24(BX), $3
	JLT   out
	MOVQ  128(BX), DI
	MOVQ  136(BX), AX
	TESTQ AX, AX
	JZ    go3
	MOVQ  0(AX), AX
	TESTQ AX, AX
	JZ    out
	MOVQ  AX, 16(DI)

go3:
	MOVQ  120(BX), AX
	CALL  AX
	MOVQ  $3, 32(BX)
	MOVQ  AX, 16(BX)
	TESTQ AX, AX
	JNZ   out
	CMPQ  24(BX), $4
	JLT   out
	MOVQ  152(BX), DI
	MOVQ  160(BX), AX
	TESTQ AX, AX
	JZ    go4
	MOVQ  0(AX), AX
	TESTQ AX, AX
	JZ    out
	MOVQ  AX, 16(DI)

go4:
	MOVQ  144(BX), AX
	CALL  AX
	MOVQ  $4, 32(BX)
	MOVQ  AX, 16(BX)

out:
	POPQ BX
	XORL AX, AX
	RET
