//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

GLOBL ·wideAddr(SB), NOPTR|RODATA, $8
DATA ·wideAddr(SB)/8, $wide(SB)

// Runs on the thread's system stack in the System V convention: DI holds the Wide. The frame has room for the arguments that go
// on the stack, and for the Wide's address. A Wide: fn 0, ints 8..64, floats 72..128, x8 136, stack 144..200, few 208, thread
// 216, at 224, results 232, 240, 248.., thrown 280.
TEXT wide(SB), NOSPLIT, $80
	MOVQ DI, 72(SP)
	MOVQ DI, R11

	// The thread is known by where its own data is.
#ifdef GOOS_darwin
	BYTE $0x65; BYTE $0x48; BYTE $0x8b; BYTE $0x04; BYTE $0x25; LONG $0 // MOVQ GS:0, AX
#else
	BYTE $0x64; BYTE $0x48; BYTE $0x8b; BYTE $0x04; BYTE $0x25; LONG $0 // MOVQ FS:0, AX
#endif
	MOVQ AX, 224(R11)
	MOVQ 216(R11), R10
	TESTQ R10, R10
	JEQ  any
	CMPQ R10, AX
	JNE  done

any:
	CMPQ 208(R11), $0
	JNE  regs
	MOVQ 144(R11), AX
	MOVQ AX, 0(SP)
	MOVQ 152(R11), AX
	MOVQ AX, 8(SP)
	MOVQ 160(R11), AX
	MOVQ AX, 16(SP)
	MOVQ 168(R11), AX
	MOVQ AX, 24(SP)
	MOVQ 176(R11), AX
	MOVQ AX, 32(SP)
	MOVQ 184(R11), AX
	MOVQ AX, 40(SP)
	MOVQ 192(R11), AX
	MOVQ AX, 48(SP)
	MOVQ 200(R11), AX
	MOVQ AX, 56(SP)

regs:
	MOVSD 72(R11), X0
	MOVSD 80(R11), X1
	MOVSD 88(R11), X2
	MOVSD 96(R11), X3
	MOVSD 104(R11), X4
	MOVSD 112(R11), X5
	MOVSD 120(R11), X6
	MOVSD 128(R11), X7
	MOVQ 8(R11), DI
	MOVQ 16(R11), SI
	MOVQ 24(R11), DX
	MOVQ 32(R11), CX
	MOVQ 40(R11), R8
	MOVQ 48(R11), R9
	MOVQ 0(R11), R10
	MOVL $8, AX
	CALL R10
	MOVQ 72(SP), DI
	MOVQ AX, 232(DI)
	MOVQ DX, 240(DI)
	MOVSD X0, 248(DI)
	MOVSD X1, 256(DI)

done:
	XORL AX, AX
	RET

GLOBL ·lookupAddr(SB), NOPTR|RODATA, $8
DATA ·lookupAddr(SB)/8, $lookupSend(SB)
GLOBL ·lookupStretAddr(SB), NOPTR|RODATA, $8
DATA ·lookupStretAddr(SB)/8, $lookupSendStret(SB)

#define SAVE \
	SUBQ  $136, SP; \
	MOVQ  DI, 0(SP); \
	MOVQ  SI, 8(SP); \
	MOVQ  DX, 16(SP); \
	MOVQ  CX, 24(SP); \
	MOVQ  R8, 32(SP); \
	MOVQ  R9, 40(SP); \
	MOVQ  AX, 48(SP); \
	MOVSD X0, 56(SP); \
	MOVSD X1, 64(SP); \
	MOVSD X2, 72(SP); \
	MOVSD X3, 80(SP); \
	MOVSD X4, 88(SP); \
	MOVSD X5, 96(SP); \
	MOVSD X6, 104(SP); \
	MOVSD X7, 112(SP)

#define RESTORE \
	MOVQ  0(SP), DI; \
	MOVQ  8(SP), SI; \
	MOVQ  16(SP), DX; \
	MOVQ  24(SP), CX; \
	MOVQ  32(SP), R8; \
	MOVQ  40(SP), R9; \
	MOVQ  48(SP), AX; \
	MOVSD 56(SP), X0; \
	MOVSD 64(SP), X1; \
	MOVSD 72(SP), X2; \
	MOVSD 80(SP), X3; \
	MOVSD 88(SP), X4; \
	MOVSD 96(SP), X5; \
	MOVSD 104(SP), X6; \
	MOVSD 112(SP), X7; \
	ADDQ  $136, SP

// objc_msgSend's contract, by a function that looks the method up: all argument registers are as they came, and the method
// returns to the caller.
TEXT lookupSend(SB), NOSPLIT|NOFRAME, $0
	SAVE
	MOVQ ·lookup(SB), AX
	CALL AX
	MOVQ AX, R11
	RESTORE
	JMP  R11

// The same where the first register has the place for the result.
TEXT lookupSendStret(SB), NOSPLIT|NOFRAME, $0
	SAVE
	MOVQ SI, DI
	MOVQ DX, SI
	MOVQ ·lookup(SB), AX
	CALL AX
	MOVQ AX, R11
	RESTORE
	JMP  R11
