// What the programs in C share: cases by name, and checks that say where they failed.
#include "isthmus_rt.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #x, rt_error_text(rt_last_error())); \
      exit(1); \
    } \
  } while (0)

struct test {
  const char *name;
  void (*run)(void);
};

// Waits, for a minute at most, until something is so.
#define EVENTUALLY(x) \
  do { \
    time_t late_ = time(NULL) + 60; \
    while (!(x)) { \
      if (time(NULL) > late_) CHECK(x); \
      sched_yield(); \
    } \
  } while (0)

static inline rt_value text(const char *s) { return rt_string_new((const uint8_t *)s, strlen(s)); }

static inline bool is_text(rt_value v, const char *s) {
  return rt_string_len(v) == (int64_t)strlen(s) && memcmp(rt_string_data(v), s, strlen(s)) == 0;
}

// Runs the cases that argv names, all without, or lists them; after each nothing may be left.
static inline int run_tests(const struct test *all, size_t n, int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "list") == 0) {
    for (size_t i = 0; i < n; i++) puts(all[i].name);
    return 0;
  }
  CHECK(rt_init() == RT_OK);
  for (size_t i = 0; i < n; i++) {
    bool wanted = argc < 2;
    for (int j = 1; j < argc; j++) wanted = wanted || strcmp(argv[j], all[i].name) == 0;
    if (!wanted) continue;
    all[i].run();
    EVENTUALLY(rt_objects() == 0);
    printf("ok %s\n", all[i].name);
    fflush(stdout);
  }
  return 0;
}
#define RUN_TESTS(all, argc, argv) run_tests(all, sizeof all / sizeof *all, argc, argv)
