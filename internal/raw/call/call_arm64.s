//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

// The trampolines run on the thread's system stack in the AAPCS64 convention: R0 holds the Frame. R18 is the
// platform's and is not touched. The header of a Frame: fn 0, arg 8, ret 16, args 24..64, rest 72..160, thrown 184. What
// the unwinder knows of the frames of these functions stands in barrier_arm64.go.

GLOBL ·call1Addr(SB), NOPTR|RODATA, $8
DATA ·call1Addr(SB)/8, $call1(SB)

TEXT call1(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -32(RSP)
	MOVD  RSP, R29
	MOVD  R19, 16(RSP)
	MOVD  R0, R19
	MOVD  0(R19), R9
	MOVD  8(R19), R0
	BL    (R9)
	MOVD  R0, 16(R19)
	MOVD  16(RSP), R19
	LDP.P 32(RSP), (R29, R30)
	MOVD  $0, R0
	RET

GLOBL ·callNAddr(SB), NOPTR|RODATA, $8
DATA ·callNAddr(SB)/8, $callN(SB)

TEXT callN(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -32(RSP)
	MOVD  RSP, R29
	MOVD  R19, 16(RSP)
	MOVD  R0, R19
	MOVD  0(R19), R9
	LDP   24(R19), (R0, R1)
	LDP   40(R19), (R2, R3)
	LDP   56(R19), (R4, R5)
	BL    (R9)
	MOVD  R0, 16(R19)
	MOVD  16(RSP), R19
	LDP.P 32(RSP), (R29, R30)
	MOVD  $0, R0
	RET

GLOBL ·chainAddr(SB), NOPTR|RODATA, $8
DATA ·chainAddr(SB)/8, $chain(SB)

// args[0] calls from rest; args[1] counts those made; stops after the first non-zero result.
TEXT chain(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -48(RSP)
	MOVD  RSP, R29
	STP   (R19, R20), 16(RSP)
	MOVD  R21, 32(RSP)
	MOVD  R0, R19
	MOVD  24(R19), R20
	ADD   $72, R19, R21
	MOVD  $0, R0

loop:
	CBZ  R20, out
	MOVD 8(R21), R11
	MOVD 16(R21), R9
	CBZ  R9, go
	MOVD 0(R9), R9
	CBZ  R9, out
	MOVD R9, 16(R11)

go:
	MOVD 0(R21), R9
	MOVD R11, R0
	BL   (R9)
	MOVD 32(R19), R10
	ADD  $1, R10
	MOVD R10, 32(R19)
	ADD  $24, R21
	SUB  $1, R20
	CBZ  R0, loop

out:
	MOVD  R0, 16(R19)
	LDP   16(RSP), (R19, R20)
	MOVD  32(RSP), R21
	LDP.P 48(RSP), (R29, R30)
	MOVD  $0, R0
	RET
