// The audit's tests: a few lines of test frame. Each file holds the tests of one area, in the order of the source; the
// program runs one area, or lists its tests, and prints a line for each: "ok NAME" or "not ok NAME: why". A test that
// leaves an object behind fails.
#ifndef AUDIT_H
#define AUDIT_H

#include "isthmus_rt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct test {
  const char *area, *name;
  void (*run)(void);
  struct test *next;
} test;

void audit_add(test *t);
void audit_fail(const char *file, int line, const char *what, long long got, long long want);

// A test of the area that the file defines as AREA.
#define TEST(id)                                                                                                              \
  static void id(void);                                                                                                       \
  __attribute__((constructor)) static void add_##id(void) {                                                                   \
    static test t = {AREA, #id, id, NULL};                                                                                    \
    audit_add(&t);                                                                                                            \
  }                                                                                                                           \
  static void id(void)

#define CHECK(x) ((x) ? (void)0 : audit_fail(__FILE__, __LINE__, #x, 0, 1))
#define EQ(got, want)                                                                                                         \
  do {                                                                                                                        \
    long long got_ = (long long)(got), want_ = (long long)(want);                                                             \
    if (got_ != want_) audit_fail(__FILE__, __LINE__, #got, got_, want_);                                                     \
  } while (0)
// A call that is refused: what it answers, and why.
#define REFUSED(call, want, error)                                                                                            \
  do {                                                                                                                        \
    EQ(call, want);                                                                                                           \
    EQ(rt_last_error(), error);                                                                                               \
  } while (0)
#define FREE(v) CHECK(rt_release(v))

static inline rt_value text(const char *s) { return rt_string_new((const uint8_t *)s, strlen(s)); }
static inline bool is_text(rt_value v, const char *s) {
  const uint8_t *p = rt_string_data(v);
  return p != NULL && rt_string_len(v) == (int64_t)strlen(s) && memcmp(p, s, strlen(s) + 1) == 0;
}

#endif
