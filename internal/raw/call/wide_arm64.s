//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

GLOBL ·wideAddr(SB), NOPTR|RODATA, $8
DATA ·wideAddr(SB)/8, $wide(SB)

// Runs on the thread's system stack in the AAPCS64 convention: R0 holds the Wide. The lowest 64 bytes of the frame are the
// arguments that go on the stack. A Wide: fn 0, ints 8..64, floats 72..128, x8 136, stack 144..200, few 208, thread 216, at 224,
// results 232, 240, 248.., thrown 280.
TEXT wide(SB), NOSPLIT|NOFRAME, $0
	SUB  $96, RSP
	STP  (R29, R30), 64(RSP)
	MOVD R19, 80(RSP)
	ADD  $64, RSP, R29
	MOVD R0, R19

	// The thread is known by where its own data is.
#ifdef GOOS_darwin
	WORD $0xd53bd060 // MRS TPIDRRO_EL0, R0; its low bits are not the thread's
	AND  $~7, R0
#else
	WORD $0xd53bd040 // MRS TPIDR_EL0, R0
#endif
	MOVD R0, 224(R19)
	MOVD 216(R19), R10
	CBZ  R10, any
	CMP  R10, R0
	BNE  done

any:
	MOVD 208(R19), R9
	CBNZ R9, regs
	LDP  144(R19), (R9, R10)
	STP  (R9, R10), 0(RSP)
	LDP  160(R19), (R9, R10)
	STP  (R9, R10), 16(RSP)
	LDP  176(R19), (R9, R10)
	STP  (R9, R10), 32(RSP)
	LDP  192(R19), (R9, R10)
	STP  (R9, R10), 48(RSP)

regs:
	FMOVD 72(R19), F0
	FMOVD 80(R19), F1
	FMOVD 88(R19), F2
	FMOVD 96(R19), F3
	FMOVD 104(R19), F4
	FMOVD 112(R19), F5
	FMOVD 120(R19), F6
	FMOVD 128(R19), F7
	LDP  8(R19), (R0, R1)
	LDP  24(R19), (R2, R3)
	LDP  40(R19), (R4, R5)
	LDP  56(R19), (R6, R7)
	MOVD 136(R19), R8
	MOVD 0(R19), R9
	BL   (R9)
	MOVD R0, 232(R19)
	MOVD R1, 240(R19)
	FMOVD F0, 248(R19)
	FMOVD F1, 256(R19)
	FMOVD F2, 264(R19)
	FMOVD F3, 272(R19)

done:
	MOVD 80(RSP), R19
	LDP  64(RSP), (R29, R30)
	ADD  $96, RSP
	MOVD $0, R0
	RET

GLOBL ·lookupAddr(SB), NOPTR|RODATA, $8
DATA ·lookupAddr(SB)/8, $lookupSend(SB)
GLOBL ·lookupStretAddr(SB), NOPTR|RODATA, $8
DATA ·lookupStretAddr(SB)/8, $lookupSendStret(SB)

// objc_msgSend's contract, by a function that looks the method up: all argument registers are as they came, and the method
// returns to the caller. Structs are returned by R8 in this convention.
TEXT lookupSend(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -160(RSP)
	MOVD  RSP, R29
	STP   (R0, R1), 16(RSP)
	STP   (R2, R3), 32(RSP)
	STP   (R4, R5), 48(RSP)
	STP   (R6, R7), 64(RSP)
	MOVD  R8, 80(RSP)
	FMOVD F0, 88(RSP)
	FMOVD F1, 96(RSP)
	FMOVD F2, 104(RSP)
	FMOVD F3, 112(RSP)
	FMOVD F4, 120(RSP)
	FMOVD F5, 128(RSP)
	FMOVD F6, 136(RSP)
	FMOVD F7, 144(RSP)
	MOVD  $·lookup(SB), R16
	MOVD  (R16), R16
	BL    (R16)
	MOVD  R0, R16
	LDP   16(RSP), (R0, R1)
	LDP   32(RSP), (R2, R3)
	LDP   48(RSP), (R4, R5)
	LDP   64(RSP), (R6, R7)
	MOVD  80(RSP), R8
	FMOVD 88(RSP), F0
	FMOVD 96(RSP), F1
	FMOVD 104(RSP), F2
	FMOVD 112(RSP), F3
	FMOVD 120(RSP), F4
	FMOVD 128(RSP), F5
	FMOVD 136(RSP), F6
	FMOVD 144(RSP), F7
	LDP.P 160(RSP), (R29, R30)
	JMP   (R16)

TEXT lookupSendStret(SB), NOSPLIT|NOFRAME, $0
	JMP lookupSend(SB)
