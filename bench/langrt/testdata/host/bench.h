// What the files of the host share: a row of the table is measured by each side that has it.
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

// measure does n operations, and gives nanoseconds (bytes, in rows of memory) for each; below zero, it could not.
typedef double (*measure)(long n);

typedef struct side {
  const char *row, *name;
  measure f;
  long n;
} side;

#define END {NULL, NULL, NULL, 0}

// Only this thread's own time counts, so what else runs on the machine does so less.
static inline double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// KEEP has the compiler believe that x is used, AGAIN that all memory may have changed.
#define KEEP(x) __asm__ volatile("" ::"r"(x) : "memory")
#define AGAIN() __asm__ volatile("" ::: "memory")

enum { HOT = 1024, MANY = 100000, KEYS = 4096 };

extern char keys[KEYS][24];
extern size_t key_len[KEYS];

// The numbers that are keys, scattered; and the order in which they are asked for.
static inline uint64_t number(uint64_t i) { return i * 2654435761u % 1000003; }
static inline uint64_t next(uint64_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 7;
  *x ^= *x << 17;
  return *x >> 20;
}
static inline int scattered(long i) { return (int)(i * 797 & (KEYS - 1)); }

double resident(void); // bytes

#endif
