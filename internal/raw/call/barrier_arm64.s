//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

// The barrier: what runs when an exception reaches a trampoline. See barrier.go.

GLOBL ·landedAddr(SB), NOPTR|RODATA, $8
DATA ·landedAddr(SB)/8, $landed(SB)
GLOBL ·landedChainAddr(SB), NOPTR|RODATA, $8
DATA ·landedChainAddr(SB)/8, $landedChain(SB)
GLOBL ·landedStepsAddr(SB), NOPTR|RODATA, $8
DATA ·landedStepsAddr(SB)/8, $landedSteps(SB)
GLOBL ·landedWideAddr(SB), NOPTR|RODATA, $8
DATA ·landedWideAddr(SB)/8, $landedWide(SB)
GLOBL ·personalityAddr(SB), NOPTR|RODATA, $8
DATA ·personalityAddr(SB)/8, $personality(SB)

// The unwinder continues here with the registers and the stack that call1 or callN had at its call, R0 the exception and
// R1 which handler: 1 that of std::exception, 2 that of everything.
TEXT landed(SB), NOSPLIT|NOFRAME, $0
	MOVD  R29, RSP
	MOVD  184(R19), R2
	BL    caught(SB)
	MOVD  R0, 184(R19)
	MOVD  R0, 16(R19)
	MOVD  16(RSP), R19
	LDP.P 32(RSP), (R29, R30)
	MOVD  $0, R0
	RET

// The same for chain.
TEXT landedChain(SB), NOSPLIT|NOFRAME, $0
	MOVD  R29, RSP
	MOVD  184(R19), R2
	BL    caught(SB)
	MOVD  R0, 184(R19)
	MOVD  R0, 16(R19)
	LDP   16(RSP), (R19, R20)
	MOVD  32(RSP), R21
	LDP.P 48(RSP), (R29, R30)
	MOVD  $0, R0
	RET

// The same for steps.
TEXT landedSteps(SB), NOSPLIT|NOFRAME, $0
	SUB  $48, R29, R9
	MOVD R9, RSP
	MOVD 152(R19), R2
	BL   caught(SB)
	MOVD R0, 152(R19)
	MOVD $-1, R0
	MOVD R0, 120(R19)
	MOVD 64(RSP), R19
	LDP  48(RSP), (R29, R30)
	ADD  $80, RSP
	MOVD $0, R0
	RET

// The same for wide.
TEXT landedWide(SB), NOSPLIT|NOFRAME, $0
	SUB  $64, R29, R9
	MOVD R9, RSP
	MOVD 280(R19), R2
	BL   caught(SB)
	MOVD R0, 280(R19)
	MOVD 80(RSP), R19
	LDP  64(RSP), (R29, R30)
	ADD  $96, RSP
	MOVD $0, R0
	RET

// note *caught(exception, handler, note *before): writes down what was thrown and destroys it, on the thread that threw.
// The offsets of ·cxx are those of the struct in barrier.go. Its address is taken first, because loading from a
// global clobbers R27, which is C's.
TEXT caught(SB), NOSPLIT|NOFRAME, $0
	STP.W (R29, R30), -64(RSP)
	MOVD  RSP, R29
	STP   (R19, R20), 16(RSP)
	STP   (R21, R22), 32(RSP)
	MOVD  R23, 48(RSP)
	MOVD  R0, R20
	MOVD  R1, R21
	MOVD  R2, R22
	MOVD  $·cxx(SB), R23
	MOVD  $1, R0
	MOVD  $40, R1
	MOVD  0(R23), R9  // calloc
	BL    (R9)
	MOVD  R0, R19
	CBZ   R19, nonote
	MOVD  R22, 24(R19)
	MOVD  0(R20), R9
	MOVD  R9, 16(R19)

nonote:
	MOVD 0(R20), R9
	LSR  $8, R9, R9   // the low byte says whether it was thrown again
	MOVD 40(R23), R10
	CMP  R9, R10
	BNE  foreign
	MOVD R20, R0
	MOVD 16(R23), R9  // __cxa_begin_catch
	BL   (R9)
	MOVD R0, R20
	CBZ  R19, end
	MOVD 32(R23), R9  // __cxa_current_exception_type
	BL   (R9)
	CBZ  R0, what
	MOVD 0(R0), R10
	MOVD 80(R23), R11
	CMP  R10, R11     // what Apple's runtime throws: the exception is the object's address
	BNE  named
	MOVD 0(R20), R0
	BL   keep(SB)
	B    end

named:
	MOVD 8(R0), R0
	MOVD $4096, R1
	MOVD 8(R23), R9   // strndup
	BL   (R9)
	MOVD R0, 0(R19)

what:
	CMPW $1, R21
	BNE  end
	MOVD R20, R0
	MOVD 0(R0), R9
	MOVD 16(R9), R9   // std::exception::what, after the two destructors
	BL   (R9)
	CBZ  R0, end
	MOVD $4096, R1
	MOVD 8(R23), R9
	BL   (R9)
	MOVD R0, 8(R19)

end:
	MOVD 24(R23), R9  // __cxa_end_catch
	BL   (R9)
	B    out

foreign:
	MOVD $0x474e55434f424a, R10 // GNUCOBJ, of GNU's runtimes: the object comes after the header of 32 bytes
	CMP  R9, R10
	BNE  delete
	CBZ  R19, delete
	MOVD 32(R20), R0
	BL   keep(SB)

delete:
	MOVD 8(R20), R9   // as _Unwind_DeleteException does
	CBZ  R9, out
	MOVD $1, R0
	MOVD R20, R1
	BL   (R9)

out:
	MOVD R19, R0
	CBNZ R0, done
	MOVD R22, R0
	CBNZ R0, done
	MOVD 56(R23), R0  // the note for when there is no memory for one

done:
	LDP   16(RSP), (R19, R20)
	LDP   32(RSP), (R21, R22)
	MOVD  48(RSP), R23
	LDP.P 64(RSP), (R29, R30)
	RET

// keep(object): the note at R19 keeps the Objective-C object, which what follows would release. R23 is that of caught.
TEXT keep(SB), NOSPLIT|NOFRAME, $0
	CBZ  R0, none
	MOVD 64(R23), R9
	CBZ  R9, none
	MOVD R0, 32(R19)
	MOVD 72(R23), R1
	JMP  (R9)

none:
	RET

// personality(version, actions, class, exception, context) is C++'s own, except that the end of a thread, which also
// unwinds, is let through.
TEXT personality(SB), NOSPLIT|NOFRAME, $0
	TBNZ $3, R1, through
	MOVD $·cxx(SB), R9
	MOVD 48(R9), R9
	JMP  (R9)

through:
	MOVD $8, R0
	RET
