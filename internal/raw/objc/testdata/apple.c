// The entry points of Apple's runtime, on GNU's: what package objc finds and prefers. Exceptions are thrown as Apple's runtime throws
// them, as C++ exceptions of a type of their own.
#include <stddef.h>
#include <stdlib.h>

typedef struct objc_object { void *isa; } *id;
typedef const void *SEL;
typedef id (*IMP)(id, SEL, ...);
extern IMP objc_msg_lookup(id, SEL);
extern id objc_getClass(const char *);
extern SEL sel_registerName(const char *);

#define SEND(first, second) \
  "  .cfi_startproc\n  sub $0x88, %rsp\n  .cfi_adjust_cfa_offset 0x88\n" \
  "  mov %rdi, 0(%rsp)\n  mov %rsi, 8(%rsp)\n  mov %rdx, 16(%rsp)\n  mov %rcx, 24(%rsp)\n  mov %r8, 32(%rsp)\n  mov %r9, 40(%rsp)\n" \
  "  movsd %xmm0, 48(%rsp)\n  movsd %xmm1, 56(%rsp)\n  movsd %xmm2, 64(%rsp)\n  movsd %xmm3, 72(%rsp)\n" \
  "  mov " first ", %rax\n  mov " second ", %rsi\n  mov %rax, %rdi\n  call objc_msg_lookup@PLT\n  mov %rax, %r11\n" \
  "  mov 0(%rsp), %rdi\n  mov 8(%rsp), %rsi\n  mov 16(%rsp), %rdx\n  mov 24(%rsp), %rcx\n  mov 32(%rsp), %r8\n  mov 40(%rsp), %r9\n" \
  "  movsd 48(%rsp), %xmm0\n  movsd 56(%rsp), %xmm1\n  movsd 64(%rsp), %xmm2\n  movsd 72(%rsp), %xmm3\n" \
  "  add $0x88, %rsp\n  .cfi_adjust_cfa_offset -0x88\n  jmp *%r11\n  .cfi_endproc\n"
__asm__(".text\n.globl objc_msgSend\n.type objc_msgSend, @function\nobjc_msgSend:\n" SEND("%rdi", "%rsi")
        ".globl objc_msgSend_stret\n.type objc_msgSend_stret, @function\nobjc_msgSend_stret:\n" SEND("%rsi", "%rdx"));

static id send(id o, const char *name) { SEL s = sel_registerName(name); return objc_msg_lookup(o, s)(o, s); }
void *object_getClass(id o) { return o ? o->isa : NULL; }
void *objc_autoreleasePoolPush(void) { return send(send(objc_getClass("NSAutoreleasePool"), "alloc"), "init"); }
void objc_autoreleasePoolPop(void *p) { send(p, "drain"); }
void *_NSConcreteGlobalBlock[32];

extern void *__cxa_allocate_exception(size_t);
extern void __cxa_throw(void *, void *, void (*)(void *));
static int no(void) { return 0; }
void *objc_ehtype_vtable[] = {0, 0, no, no, no, no, no, no, no, no};
struct exception { id object; struct { void **vtable; const char *name; void *class; } type; };
static long caught;
static void destroy(void *e) { caught++; send(((struct exception *)e)->object, "release"); }
long apple_caught(void) { return caught; }
void apple_raise(id self, SEL s, id object) { // objc_exception_throw
  struct exception *e = __cxa_allocate_exception(sizeof *e);
  e->object = send(object, "retain");
  e->type.vtable = objc_ehtype_vtable + 2;
  e->type.name = "NSException";
  e->type.class = object->isa;
  __cxa_throw(e, &e->type, destroy);
}
