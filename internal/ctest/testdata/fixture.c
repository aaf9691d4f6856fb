// The native side of the boundary's tests.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The call shape of a PJRT slot: one struct pointer in, one pointer out.
typedef struct {
  size_t struct_size;
  void *extension_start;
  int64_t in;
  int64_t out;
} args;

void *slot(args *a) {
  if (a->struct_size != sizeof(args)) return (void *)1;
  a->out = a->in + 1;
  return NULL;
}

// Distinct weights find a swapped argument.
uint64_t weigh6(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f;
}

// Fourteen digits, most significant last, into *out; 7 if one is no digit.
int weigh14(uint64_t *out, int b, uint64_t c, int d, uint64_t e, int f, uint64_t g, int h, uint64_t i, int j, uint64_t k, int l, uint64_t m,
            int n) {
  uint64_t v[] = {(uint64_t)b, c, (uint64_t)d, e, (uint64_t)f, g, (uint64_t)h, i, (uint64_t)j, k, (uint64_t)l, m, (uint64_t)n};
  uint64_t sum = 0, weight = 1;
  for (int x = 0; x < 13; x++, weight *= 10) {
    if (v[x] > 9) return 7;
    sum += v[x] * weight;
  }
  *out = sum;
  return 0;
}

// Counts calls in *n and sets *flag at the call that is number `at`.
int count_to(int *n, int at, int *flag) {
  if (++*n == at) *flag = 1;
  return 0;
}

uint64_t identity(uint64_t x) { return x; }

// 0 when the stack has the alignment that the ABI promises: the compiler relies on it for this variable.
uint64_t stack_misalignment(uint64_t unused) {
  (void)unused;
  volatile _Alignas(16) char probe[16];
  probe[0] = 1;
  return ((uintptr_t)&probe[0] & 15) | ((uintptr_t)__builtin_frame_address(0) & 15);
}

// Uses much stack, as native libraries do, and every callee-saved register that the compiler has.
uint64_t deep(uint64_t n) {
  volatile char block[4096];
  memset((void *)block, (int)n, sizeof block);
  if (n == 0) return 0;
  uint64_t below = deep(n - 1);
  return below + 1 + (block[17] != (char)n);
}

// counted adds 1 to *arg and returns 0 until it was called arg[1] times, then 7.
uint64_t counted(uint64_t *arg) {
  arg[0]++;
  return arg[0] >= arg[1] ? 7 : 0;
}

typedef void (*signal_cb)(void *value, void *token);
typedef uint64_t (*served_cb)(uint64_t x, void *token);

uint64_t call_served(served_cb cb, uint64_t x, void *token) { return cb(x, token); }

typedef struct {
  served_cb cb;
  uint64_t x;
  void *token;
  uint64_t result;
} served_job;

static void *served_thread(void *p) {
  served_job *j = p;
  j->result = j->cb(j->x, j->token);
  return NULL;
}

// The same on a thread that Go does not know.
uint64_t call_served_thread(served_cb cb, uint64_t x, void *token) {
  served_job j = {cb, x, token, 0};
  pthread_t t;
  if (pthread_create(&t, NULL, served_thread, &j)) return ~(uint64_t)0;
  pthread_join(t, NULL);
  return j.result;
}

typedef struct {
  signal_cb cb;
  void **tokens;
  size_t n, first, step, repeat;
} fire_job;

static void *fire_thread(void *p) {
  fire_job *j = p;
  for (size_t r = 0; r < j->repeat; r++)
    for (size_t i = j->first; i < j->n; i += j->step) j->cb((void *)(i + 1), j->tokens[i]);
  return NULL;
}

// Fires tokens[i] with value i+1, each repeat times, from several threads at once, and waits for them.
uint64_t fire(signal_cb cb, void **tokens, size_t n, size_t threads, size_t repeat) {
  pthread_t t[64];
  fire_job j[64];
  if (threads > 64) return 1;
  for (size_t k = 0; k < threads; k++) {
    // All threads fire everything when repeating, so that double calls race.
    j[k] = (fire_job){cb, tokens, n, repeat > 1 ? 0 : k, repeat > 1 ? 1 : threads, repeat};
    if (pthread_create(&t[k], NULL, fire_thread, &j[k])) return 1;
  }
  for (size_t k = 0; k < threads; k++) pthread_join(t[k], NULL);
  return 0;
}

typedef struct {
  signal_cb cb;
  void *value, *token;
  unsigned usec;
} later_job;

static void *later_thread(void *p) {
  later_job j = *(later_job *)p;
  free(p);
  usleep(j.usec);
  j.cb(j.value, j.token);
  return NULL;
}

// Fires once, later, on a thread of its own.
uint64_t fire_later(signal_cb cb, void *value, void *token, uint64_t usec) {
  later_job *j = malloc(sizeof *j);
  if (!j) return 1;
  *j = (later_job){cb, value, token, (unsigned)usec};
  pthread_t t;
  if (pthread_create(&t, NULL, later_thread, j)) return 1;
  pthread_detach(t);
  return 0;
}

// Text without a terminator, with a NUL inside, with broken UTF-8.
const char *fixture_text(void) { return "caf\xc3\xa9\0hidden\xff!"; }

int fixture_variable = 42;
