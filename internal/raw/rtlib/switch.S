//go:build linux || darwin

// rti_switch(void **from, void *to): leaves the stack it is called on, whose pointer is kept in *from, for the one that was
// left at `to`. rti_entry is where a new stack begins: it calls rti_coroutine, which does not return.

#ifdef __APPLE__
#define NAME(x) _##x
#define HIDE(x) .private_extern NAME(x)
#define KIND(x)
#define CALL(x) NAME(x)
#else
#define NAME(x) x
#define HIDE(x) .hidden NAME(x)
#define KIND(x) .type x, %function
#define CALL(x) x
#endif

#if defined(__x86_64__)
	.text
	.globl NAME(rti_switch)
	HIDE(rti_switch)
	KIND(rti_switch)
	.p2align 4
NAME(rti_switch):
	.cfi_startproc
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	subq $8, %rsp
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	movl (%rsp), %eax
	movzwl 4(%rsp), %ecx
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	cmpl (%rsp), %eax // to load them takes longer than to see that they are the same
	jne 1f
	cmpw 4(%rsp), %cx
	jne 1f
2:	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
1:	ldmxcsr (%rsp)
	fldcw 4(%rsp)
	jmp 2b
	.cfi_endproc

	.globl NAME(rti_entry)
	HIDE(rti_entry)
	KIND(rti_entry)
	.p2align 4
NAME(rti_entry):
	.cfi_startproc
	.cfi_undefined rip
	xorl %ebp, %ebp
	call CALL(rti_coroutine)
	ud2
	.cfi_endproc

#elif defined(__aarch64__)
	.text
	.globl NAME(rti_switch)
	HIDE(rti_switch)
	KIND(rti_switch)
	.p2align 4
NAME(rti_switch):
	.cfi_startproc
	sub sp, sp, #176
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mrs x9, fpcr
	str x9, [sp, #160]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	ldr x9, [sp, #160]
	msr fpcr, x9
	add sp, sp, #176
	ret
	.cfi_endproc

	.globl NAME(rti_entry)
	HIDE(rti_entry)
	KIND(rti_entry)
	.p2align 4
NAME(rti_entry):
	.cfi_startproc
	.cfi_undefined x30
	mov x29, xzr
	bl CALL(rti_coroutine)
	brk #1
	.cfi_endproc
#endif

#ifdef __ELF__
	.section .note.GNU-stack, "", %progbits
#endif
