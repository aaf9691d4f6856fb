#include "audit.h"

#include <stdlib.h>
#include <time.h>

static test *first, **last = &first;
static int failures;
static const char *current;

void audit_add(test *t) {
  *last = t;
  last = &t->next;
}

void audit_fail(const char *file, int line, const char *what, long long got, long long want) {
  if (failures++ > 0) return;
  const char *base = strrchr(file, '/');
  printf("not ok %s: %s:%d: %s is %lld, want %lld\n", current, base != NULL ? base + 1 : file, line, what, got, want);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "list") == 0) {
    for (test *t = first; t != NULL; t = t->next) printf("%s %s\n", t->area, t->name);
    return 0;
  }
  if (argc < 2) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (rt_init() != RT_OK) return 3;
  int bad = 0;
  for (test *t = first; t != NULL; t = t->next) {
    if (strcmp(t->area, argv[1]) != 0) continue;
    failures = 0;
    current = t->name;
    int64_t before = rt_objects();
    t->run();
    for (int ms = 0; rt_objects() != before && ms < 30000; ms++) { // another thread may be about to let go
      struct timespec d = {0, 1000000};
      nanosleep(&d, NULL);
    }
    if (failures == 0 && rt_objects() != before) audit_fail(t->name, 0, "objects left", rt_objects() - before, 0);
    if (failures == 0) printf("ok %s\n", t->name);
    bad += failures > 0;
  }
  return bad > 0;
}
