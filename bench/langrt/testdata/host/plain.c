// What C itself takes: loads of fields that are checked by nobody, and malloc.

#include "bench.h"

#include <stdlib.h>

typedef struct record {
  uint64_t field[4];
} record;

static double field_get(long n) {
  record *r = malloc(sizeof *r);
  if (r == NULL) return -1;
  for (int i = 0; i < 4; i++) r->field[i] = 3;
  uint64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    record *p = r;
    __asm__ volatile("" : "+r"(p)::"memory");
    sum += p->field[i & 3];
  }
  t = cpu() - t;
  KEEP(sum);
  free(r);
  return t / (double)n;
}

static double new_free(long n) {
  double t = cpu();
  for (long i = 0; i < n; i++) {
    uint64_t *p = malloc(16);
    KEEP(p);
    free(p);
  }
  return (cpu() - t) / (double)n;
}

static double new_free_1k(long n) {
  uint64_t *all[1000];
  double t = cpu();
  for (long k = 0; k < n; k += 1000) {
    for (int i = 0; i < 1000; i++) all[i] = malloc(16);
    KEEP(all);
    for (int i = 0; i < 1000; i++) free(all[i]);
  }
  return (cpu() - t) / (double)((n + 999) / 1000 * 1000);
}

const side plain_sides[] = {
    {"tuple-get", "c", field_get, 4000000},
    {"object-get", "c", field_get, 4000000},
    {"closure-get", "c", field_get, 4000000},
    {"enum-get", "c", field_get, 4000000},
    {"unique-get", "c", field_get, 4000000},
    {"object-new-free", "malloc", new_free, 300000},
    {"objects-1k-new-free", "malloc", new_free_1k, 300000},
    END,
};
