//go:build (linux || darwin) && !isthmus_portable

#include "textflag.h"

// The barrier: what runs when an exception reaches a trampoline. See barrier.go.

GLOBL ·landedAddr(SB), NOPTR|RODATA, $8
DATA ·landedAddr(SB)/8, $landed(SB)
GLOBL ·landedChainAddr(SB), NOPTR|RODATA, $8
DATA ·landedChainAddr(SB)/8, $landed(SB)
GLOBL ·landedStepsAddr(SB), NOPTR|RODATA, $8
DATA ·landedStepsAddr(SB)/8, $landedSteps(SB)
GLOBL ·landedWideAddr(SB), NOPTR|RODATA, $8
DATA ·landedWideAddr(SB)/8, $landedWide(SB)
GLOBL ·personalityAddr(SB), NOPTR|RODATA, $8
DATA ·personalityAddr(SB)/8, $personality(SB)

// The unwinder continues here with the registers and the stack that call1, callN or chain had at its call, AX the
// exception and DX which handler: 1 that of std::exception, 2 that of everything.
TEXT landed(SB), NOSPLIT|NOFRAME, $0
	MOVQ AX, DI
	MOVQ DX, SI
	MOVQ 184(BX), DX
	CALL caught(SB)
	MOVQ AX, 184(BX)
	MOVQ AX, 16(BX)
	MOVQ 0(SP), BX
	LEAQ 8(SP), SP
	XORL AX, AX
	RET

// The same for steps, whose frame is 80 bytes and the saved BP.
TEXT landedSteps(SB), NOSPLIT|NOFRAME, $0
	MOVQ AX, DI
	MOVQ DX, SI
	MOVQ 72(SP), DX
	MOVQ 152(DX), DX
	CALL caught(SB)
	MOVQ 72(SP), DI
	MOVQ AX, 152(DI)
	MOVQ $-1, 120(DI)
	XCHGQ BP, 80(SP)
	LEAQ 88(SP), SP
	XORL AX, AX
	RET

// The same for wide.
TEXT landedWide(SB), NOSPLIT|NOFRAME, $0
	MOVQ AX, DI
	MOVQ DX, SI
	MOVQ 72(SP), DX
	MOVQ 280(DX), DX
	CALL caught(SB)
	MOVQ 72(SP), DI
	MOVQ AX, 280(DI)
	XCHGQ BP, 80(SP)
	LEAQ 88(SP), SP
	XORL AX, AX
	RET

// note *caught(exception, handler, note *before): writes down what was thrown and destroys it, on the thread that threw.
// The offsets of ·cxx are those of the struct in barrier.go.
TEXT caught(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BX
	PUSHQ R12
	PUSHQ R13
	PUSHQ R14
	SUBQ  $8, SP
	MOVQ  DI, R12
	MOVQ  SI, R13
	MOVQ  DX, R14
	MOVQ  $1, DI
	MOVQ  $40, SI
	MOVQ  ·cxx+0(SB), AX // calloc
	CALL  AX
	MOVQ  AX, BX
	TESTQ BX, BX
	JZ    nonote
	MOVQ  R14, 24(BX)
	MOVQ  0(R12), AX
	MOVQ  AX, 16(BX)

nonote:
	MOVQ  0(R12), AX
	SHRQ  $8, AX         // the low byte says whether it was thrown again
	CMPQ  AX, ·cxx+40(SB)
	JNE   foreign
	MOVQ  R12, DI
	MOVQ  ·cxx+16(SB), AX // __cxa_begin_catch
	CALL  AX
	MOVQ  AX, R12
	TESTQ BX, BX
	JZ    end
	MOVQ  ·cxx+32(SB), AX // __cxa_current_exception_type
	CALL  AX
	TESTQ AX, AX
	JZ    what
	MOVQ  0(AX), CX
	CMPQ  CX, ·cxx+80(SB) // what Apple's runtime throws: the exception is the object's address
	JNE   named
	MOVQ  0(R12), DI
	CALL  keep(SB)
	JMP   end

named:
	MOVQ  8(AX), DI
	MOVQ  $4096, SI
	MOVQ  ·cxx+8(SB), AX // strndup
	CALL  AX
	MOVQ  AX, 0(BX)

what:
	CMPL  R13, $1
	JNE   end
	MOVQ  R12, DI
	MOVQ  0(DI), AX
	MOVQ  16(AX), AX     // std::exception::what, after the two destructors
	CALL  AX
	TESTQ AX, AX
	JZ    end
	MOVQ  AX, DI
	MOVQ  $4096, SI
	MOVQ  ·cxx+8(SB), AX
	CALL  AX
	MOVQ  AX, 8(BX)

end:
	MOVQ  ·cxx+24(SB), AX // __cxa_end_catch
	CALL  AX
	JMP   out

foreign:
	MOVQ  $0x474e55434f424a, CX // GNUCOBJ, of GNU's runtimes: the object comes after the header of 32 bytes
	CMPQ  AX, CX
	JNE   delete
	TESTQ BX, BX
	JZ    delete
	MOVQ  32(R12), DI
	CALL  keep(SB)

delete:
	MOVQ  8(R12), AX     // as _Unwind_DeleteException does
	TESTQ AX, AX
	JZ    out
	MOVQ  $1, DI
	MOVQ  R12, SI
	CALL  AX

out:
	MOVQ  BX, AX
	TESTQ AX, AX
	JNZ   done
	MOVQ  R14, AX
	TESTQ AX, AX
	JNZ   done
	MOVQ  ·cxx+56(SB), AX // the note for when there is no memory for one

done:
	ADDQ  $8, SP
	POPQ  R14
	POPQ  R13
	POPQ  R12
	POPQ  BX
	RET

// keep(object): the note at BX keeps the Objective-C object, which what follows would release.
TEXT keep(SB), NOSPLIT|NOFRAME, $0
	TESTQ DI, DI
	JZ    none
	MOVQ  ·cxx+64(SB), AX
	TESTQ AX, AX
	JZ    none
	MOVQ  DI, 32(BX)
	MOVQ  ·cxx+72(SB), SI
	JMP   AX

none:
	RET

// personality(version, actions, class, exception, context) is C++'s own, except that the end of a thread, which also
// unwinds, is let through.
TEXT personality(SB), NOSPLIT|NOFRAME, $0
	TESTL $8, SI
	JNZ   through
	MOVQ  ·cxx+48(SB), AX
	JMP   AX

through:
	MOVL $8, AX
	RET
