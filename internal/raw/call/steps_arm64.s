//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

GLOBL ·stepsAddr(SB), NOPTR|RODATA, $8
DATA ·stepsAddr(SB)/8, $steps(SB)

// Runs on the thread's system stack in the AAPCS64 convention: R0 holds the first Step. The lowest 48 bytes of the frame
// are the arguments that go on the stack, eight bytes each; Darwin packs smaller ones, so that there a function of more
// than eight arguments must not have C ints among the rest. A Step: fn 0, args 8..112, ret 120, flag 128, spins 136,
// next 144, thrown 152, few 160.
TEXT steps(SB), NOSPLIT|NOFRAME, $0
	SUB  $80, RSP
	STP  (R29, R30), 48(RSP)
	MOVD R19, 64(RSP)
	ADD  $48, RSP, R29
	MOVD R0, R19

loop:
	MOVD 160(R19), R9
	CBNZ R9, regs
	MOVD 72(R19), R9
	MOVD R9, 0(RSP)
	MOVD 80(R19), R9
	MOVD R9, 8(RSP)
	MOVD 88(R19), R9
	MOVD R9, 16(RSP)
	MOVD 96(R19), R9
	MOVD R9, 24(RSP)
	MOVD 104(R19), R9
	MOVD R9, 32(RSP)
	MOVD 112(R19), R9
	MOVD R9, 40(RSP)

regs:
	LDP  8(R19), (R0, R1)
	LDP  24(R19), (R2, R3)
	LDP  40(R19), (R4, R5)
	LDP  56(R19), (R6, R7)
	MOVD 0(R19), R9
	BL   (R9)
	MOVD R0, 120(R19)
	CBNZW R0, done
	MOVD 128(R19), R9
	CBZ  R9, next
	MOVW (R9), R9
	CBNZW R9, next
	MOVD 136(R19), R10
	SUB  $1, R10
	MOVD R10, 136(R19)
	CMP  $0, R10
	BLE  done
	YIELD
	B    loop

next:
	MOVD 144(R19), R9
	CBZ  R9, done
	MOVD R9, R19
	B    loop

done:
	MOVD 64(RSP), R19
	LDP  48(RSP), (R29, R30)
	ADD  $80, RSP
	MOVD $0, R0
	RET
