// Threads that read, write, grow and free the same objects, for as many seconds as the argument says. Every word that is
// put into an object says whose it is, so a reader that gets another object's word knows. Exits with 1 when one did, and
// with 2 when objects are left.
#include "isthmus_rt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHARED = 64, READERS = 3, WRITERS = 2 };

static rt_value arrays[SHARED], dicts[SHARED], strings[SHARED];
static int stop;
static uint64_t foreign, reads;

static rt_value mark(rt_value object) { return rt_int((int64_t)(object >> 3)); }

static uint64_t next(uint64_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 7;
  return *x ^= *x << 17;
}

// A string is of one letter. Its length may be anything, so that its block is soon another's. The thread sanitizer has no
// word for bytes that are read beside a writer, looked at again and thrown away: it gets no strings.
static rt_value letters(uint64_t x) {
#if defined(__SANITIZE_THREAD__)
  return (void)x, RT_NIL;
#else
  uint8_t b[64];
  for (int i = 0; i < 64; i++) b[i] = (uint8_t)('a' + x % 26);
  return rt_string_new(b, x >> 8 & 63);
#endif
}

// twice joins a string with itself while others let it go, and tells whether that has other letters than the string.
static bool twice(rt_value s) {
  rt_value j = rt_string_concat(s, s);
  const uint8_t *p = rt_string_data(j);
  int64_t n = rt_string_len(j);
  bool good = n % 2 == 0 || j == RT_NIL;
  for (int64_t i = 1; i < n && good; i++) good = p[i] == p[0];
  rt_release(j);
  return good;
}

static void *reader(void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15ULL | 1, n = 0, bad = 0;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    for (int i = 0; i < 1000; i++, n++) {
      rt_value a = __atomic_load_n(&arrays[next(&x) % SHARED], __ATOMIC_RELAXED);
      rt_value v = rt_array_get(a, (int64_t)(next(&x) % 40));
      if (v != RT_NIL && v != mark(a)) bad++;
      rt_value d = __atomic_load_n(&dicts[next(&x) % SHARED], __ATOMIC_RELAXED);
      v = rt_dict_get(d, rt_int((int64_t)(next(&x) % 40)));
      if (v != RT_NIL && v != mark(d)) bad++;
      if (!twice(__atomic_load_n(&strings[next(&x) % SHARED], __ATOMIC_RELAXED))) bad++;
      if (rt_array_len(a) > 64 || rt_dict_len(d) > 64) bad++;
    }
  }
  __atomic_fetch_add(&reads, n, __ATOMIC_RELAXED);
  __atomic_fetch_add(&foreign, bad, __ATOMIC_RELAXED);
  return NULL;
}

static void *writer(void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p * 0xd1b54a32d192ed03ULL | 1;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    int at = (int)(next(&x) % SHARED);
    rt_value a = __atomic_load_n(&arrays[at], __ATOMIC_RELAXED), d = __atomic_load_n(&dicts[at], __ATOMIC_RELAXED);
    switch (next(&x) % 8) {
    case 0: // another object in its place
      rt_release(__atomic_exchange_n(&arrays[at], rt_array_new((int64_t)(next(&x) % 8)), __ATOMIC_RELAXED));
      rt_release(__atomic_exchange_n(&dicts[at], rt_dict_new(0), __ATOMIC_RELAXED));
      break;
    case 4:
      rt_release(__atomic_exchange_n(&strings[at], letters(next(&x)), __ATOMIC_RELAXED));
      break;
    case 1:
      rt_array_clear(a);
      rt_dict_clear(d);
      break;
    case 2:
      rt_array_pop(a);
      rt_dict_remove(d, rt_int((int64_t)(next(&x) % 40)));
      break;
    case 3:
      rt_array_set(a, (int64_t)(next(&x) % 40), mark(a));
      break;
    default:
      if (rt_array_len(a) < 40) rt_array_push(a, mark(a));
      rt_dict_set(d, rt_int((int64_t)(next(&x) % 40)), mark(d));
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (rt_init() != RT_OK) return 3;
  for (int i = 0; i < SHARED; i++) {
    arrays[i] = rt_array_new(0);
    dicts[i] = rt_dict_new(0);
    strings[i] = letters((uint64_t)i);
  }
  pthread_t t[READERS + WRITERS];
  for (int i = 0; i < READERS + WRITERS; i++) pthread_create(&t[i], NULL, i < READERS ? reader : writer, (void *)(uintptr_t)(i + 1));
  struct timespec d = {argc > 1 ? atoi(argv[1]) : 1, 0};
  nanosleep(&d, NULL);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < READERS + WRITERS; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < SHARED; i++) {
    rt_release(arrays[i]);
    rt_release(dicts[i]);
    rt_release(strings[i]);
  }
  printf("%llu reads, %llu foreign, %lld objects left\n", (unsigned long long)reads, (unsigned long long)foreign, (long long)rt_objects());
  return foreign > 0 ? 1 : rt_objects() > 0 ? 2 : 0;
}
