//go:build cgo

// The C functions of the table. See doc.go.

#include "../pjrtc/headers/0.114/xla/pjrt/c/pjrt_c_api.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOT offsetof(PJRT_Api, PJRT_Error_Destroy)
#define SLOTS ((PJRT_Api_STRUCT_SIZE - FIRST_SLOT) / sizeof(void*))
#define SLOT_OF(fn) ((offsetof(PJRT_Api, fn) - FIRST_SLOT) / sizeof(void*))

extern uintptr_t isthmus_pjrt_dispatch(uintptr_t number, uintptr_t args);
extern uintptr_t isthmus_pjrt_api(void);

// The error of every function in a process that was forked after the library was loaded: constant, never freed.

static const char forked_message[] =
    "this process was forked after the isthmus PJRT plugin was loaded, and a fork has none of the plugin's threads; "
    "load the plugin after the fork, or start processes by spawn";

static void forked_destroy(PJRT_Error* e) { (void)e; }
static void forked_text(const PJRT_Error* e, const char** message, size_t* size) {
  (void)e;
  *message = forked_message;
  *size = sizeof forked_message - 1;
}
static PJRT_Error_Code forked_code(const PJRT_Error* e) {
  (void)e;
  return PJRT_Error_Code_FAILED_PRECONDITION;
}
static void forked_payload(const PJRT_Error* e, PJRT_Error_PayloadVisitor visitor, void* arg) {
  (void)e;
  (void)visitor;
  (void)arg;
}
static const PJRT_Error_FunctionTable forked_table = {
    .struct_size = PJRT_Error_FunctionTable_STRUCT_SIZE,
    .instance_size = PJRT_Error_STRUCT_SIZE,
    .destroy = forked_destroy,
    .message = forked_text,
    .get_code = forked_code,
    .for_each_payload = forked_payload,
};
static PJRT_Error forked_error = {.vtable = &forked_table};

static int forked;
static void in_child(void) { forked = 1; }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

// in_fork answers for a function without Go. Those that return nothing leave their results as they are, which callers
// that heed no error must have set.
static void* in_fork(uintptr_t number, void* args) {
  switch (number) {
    case SLOT_OF(PJRT_Error_Destroy):
    case SLOT_OF(PJRT_Error_ForEachPayload):
      return NULL;
    case SLOT_OF(PJRT_Error_Message): {
      PJRT_Error_Message_Args* a = args;
      forked_text(a->error, &a->message, &a->message_size);
      return NULL;
    }
    case SLOT_OF(PJRT_Error_GetCode):
      ((PJRT_Error_GetCode_Args*)args)->code = PJRT_Error_Code_FAILED_PRECONDITION;
      return NULL;
  }
  return &forked_error;
}

// SAFETY: owner: the C caller, for the call; args is passed on as it came, and checked in Go; thread: any.
#define STUB(n)                                                              \
  static void* stub_##n(void* args) {                                        \
    if (__builtin_expect(forked, 0)) return in_fork(n, args);                \
    return (void*)isthmus_pjrt_dispatch(n, (uintptr_t)args);                 \
  }
#define TEN(F, t) F(t##0) F(t##1) F(t##2) F(t##3) F(t##4) F(t##5) F(t##6) F(t##7) F(t##8) F(t##9)
#define ALL(F)                                                               \
  TEN(F, ) TEN(F, 1) TEN(F, 2) TEN(F, 3) TEN(F, 4) TEN(F, 5) TEN(F, 6)       \
  TEN(F, 7) TEN(F, 8) TEN(F, 9) TEN(F, 10) TEN(F, 11) TEN(F, 12)             \
  TEN(F, 13) TEN(F, 14) TEN(F, 15) TEN(F, 16) TEN(F, 17) TEN(F, 18)          \
  TEN(F, 19) TEN(F, 20) TEN(F, 21) TEN(F, 22) TEN(F, 23) TEN(F, 24)          \
  F(250) F(251) F(252) F(253) F(254) F(255)

ALL(STUB)

#define NAME(n) stub_##n,
static void* (*const stubs[])(void*) = {ALL(NAME)};
#define STUBS (sizeof stubs / sizeof stubs[0])

// isthmus_pjrt_watch_exit has Go told when the process exits in order.
extern void isthmus_pjrt_exit(void);
static void at_exit(void) {
  if (!forked) isthmus_pjrt_exit();
}
void isthmus_pjrt_watch_exit(void) { atexit(at_exit); }

// isthmus_pjrt_stub is the function of a number, null for one that does not exist. Numbers after the slots' are
// functions of extensions.
uintptr_t isthmus_pjrt_stub(uintptr_t number) { return number < STUBS ? (uintptr_t)stubs[number] : 0; }

// GetPjrtApi is what clients look up.
__attribute__((visibility("default"))) const PJRT_Api* GetPjrtApi(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static const PJRT_Api* api;
  if (forked && !api) return NULL;
  pthread_mutex_lock(&lock);
  if (!api) api = (const PJRT_Api*)isthmus_pjrt_api();
  pthread_mutex_unlock(&lock);
  return api;
}
