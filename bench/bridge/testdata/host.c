/* The host in C: it reads lines of side, row and number, does that many operations in as many threads as the row says, and
 * prints the nanoseconds of one. */
#include "isthmus_bridge.h"
#include "bench_bridge.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MANY 64
#define LIMIT (1u << 20)
#define BLOB (9 + 65536)

typedef void callback(void *token, const uint8_t *p, size_t n);
typedef struct rust {
  void (*init)(callback *, size_t);
  void (*deinit)(void);
  void (*call)(void *, const uint8_t *, size_t);
  void (*cast)(const uint8_t *, size_t);
  uint64_t (*told)(void);
  int64_t (*direct)(const uint8_t *, size_t, uint8_t *, size_t);
} rust;
#define DECLARE(p)                                           \
  void p##_init(callback *, size_t);                         \
  void p##_deinit(void);                                     \
  void p##_call(void *, const uint8_t *, size_t);            \
  void p##_cast(const uint8_t *, size_t);                    \
  uint64_t p##_told(void);                                   \
  int64_t p##_inline(const uint8_t *, size_t, uint8_t *, size_t); \
  static const rust p = {p##_init, p##_deinit, p##_call, p##_cast, p##_told, p##_inline}
#ifdef HAVE_RUST
DECLARE(rs);
#endif
#ifdef HAVE_FLUME
DECLARE(fl);
#endif
uint64_t bare_call(uint64_t);
uint64_t bench_told(void);
int64_t plain_call(uint8_t *, size_t, uint8_t *, size_t);

static uint8_t ping[1] = {0}, blob[BLOB] = {2};
static uint64_t generation;

static void must(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

typedef struct waiter {
  sem_t done;
  uint8_t *reply;
  size_t n;
} waiter;

static void respond(void *token, const uint8_t *p, size_t n) {
  waiter *w = token;
  memcpy(w->reply, p, n);
  w->n = n;
  sem_post(&w->done);
}

typedef struct work {
  const char *side, *row;
  const uint8_t *message;
  size_t len, n;
  uint64_t began;
  uint8_t *reply;
  waiter w;
} work;

static const rust *rust_of(const char *side) {
#ifdef HAVE_RUST
  if (strcmp(side, "rust") == 0) return &rs;
#endif
#ifdef HAVE_FLUME
  if (strcmp(side, "rust-flume") == 0) return &fl;
#endif
  (void)side;
  return NULL;
}

static void bridge_call(work *k) {
  br_slot *s;
  uint32_t method = strcmp(k->row, "lent-64k") == 0 ? BENCH_LENT : BENCH_ECHO;
  must(br_slot_new(generation, method, k->len, &s) == BR_OK, "no slot");
  memcpy(s->request, k->message, k->len);
  must(br_submit(s) == BR_OK && br_wait(s, 0) == BR_OK && s->status == BR_OK && s->reply_len == k->len, "no reply");
  memcpy(k->reply, s->reply, s->reply_len);
  br_slot_free(s);
}

static pthread_barrier_t start; // making threads is not measured

static void *run(void *p) {
  work *k = p;
  pthread_barrier_wait(&start);
  k->began = now();
  const rust *r = rust_of(k->side);
  int bridge = strcmp(k->side, "bridge") == 0, cast = strncmp(k->row, "cast", 4) == 0, direct = strcmp(k->row, "inline") == 0;
  for (size_t i = 0; i < k->n; i++) {
    size_t got = k->len;
    if (strcmp(k->side, "c") == 0) {
      bare_call(i);
    } else if (bridge && cast) {
      while (br_cast(generation, BENCH_TELL, k->message, k->len) == BR_E_AGAIN) sched_yield();
    } else if (bridge && direct) {
      must(br_call_inline(generation, BENCH_QUICK, k->message, k->len, k->reply, BLOB, &got, 0) == BR_OK, "inline");
    } else if (bridge) {
      bridge_call(k);
    } else if (r == NULL) {
      got = (size_t)plain_call((uint8_t *)(uintptr_t)k->message, k->len, k->reply, BLOB);
    } else if (cast) {
      r->cast(k->message, k->len);
    } else if (direct) {
      got = (size_t)r->direct(k->message, k->len, k->reply, BLOB);
    } else {
      r->call(&k->w, k->message, k->len);
      sem_wait(&k->w.done);
      got = k->w.n;
    }
    must(got == k->len, "another length");
  }
  return NULL;
}

static int large(const char *row) { return strstr(row, "64k") != NULL; }

static int threads(const char *row) {
  const char *dash = strrchr(row, '-');
  int n = dash != NULL ? atoi(dash + 1) : 1;
  return large(row) || n < 1 ? 1 : n;
}

static double measure(const char *side, const char *row, size_t n) {
  static work works[MANY];
  static pthread_t t[MANY];
  int k = threads(row), cast = strncmp(row, "cast", 4) == 0;
  const rust *r = rust_of(side);
  uint64_t told = !cast ? 0 : r != NULL ? r->told() : bench_told(), want = n / (size_t)k * (size_t)k;
  for (int i = 0; i < k; i++) {
    works[i] = (work){.side = side, .row = row, .message = large(row) ? blob : ping, .len = large(row) ? BLOB : 1, .n = n / (size_t)k};
    works[i].reply = works[i].w.reply = malloc(BLOB);
    sem_init(&works[i].w.done, 0, 0);
  }
  pthread_barrier_init(&start, NULL, (unsigned)k);
  for (int i = 0; i < k; i++) must(pthread_create(&t[i], NULL, run, &works[i]) == 0, "no thread");
  for (int i = 0; i < k; i++) pthread_join(t[i], NULL);
  while (cast && (r != NULL ? r->told() : bench_told()) - told < want) usleep(20);
  uint64_t ended = now(), began = ended;
  pthread_barrier_destroy(&start);
  for (int i = 0; i < k; i++) {
    if (works[i].began < began) began = works[i].began;
    free(works[i].reply);
    sem_destroy(&works[i].w.done);
  }
  return (double)(ended - began) / (double)want;
}

static void open_bridge(void) {
  br_init_args args = bench_init_args();
  br_error err;
  BR_SET(err);
  must(br_init(&args, &err, &generation) == BR_OK, "no bridge");
}

int main(void) {
  static const char *rows[] = {"call-1", "call-8", "call-64", "echo-64k", "lent-64k", "cast-1", "cast-8", "inline"};
  static const char *sides[] = {"bridge", "cgo", "c", "rust", "rust-flume"};
  uint64_t n = 65536;
  memcpy(blob + 1, &n, 8);
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
    for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
      int rust = strncmp(sides[i], "rust", 4) == 0, cast = rows[j][1] == 'a' && rows[j][2] == 's';
      if ((rust && rust_of(sides[i]) == NULL) || (strcmp(sides[i], "c") == 0 && strcmp(rows[j], "inline") != 0) || (strcmp(sides[i], "cgo") == 0 && cast)) continue;
      printf("%s %s\n", sides[i], rows[j]);
    }
  puts("ready");
  fflush(stdout);
  char side[32], row[32];
  size_t ops;
  while (scanf("%31s %31s %zu", side, row, &ops) == 3) {
    const rust *r = rust_of(side);
    if (r != NULL) r->init(respond, LIMIT);
    if (strcmp(side, "bridge") == 0) open_bridge();
    measure(side, row, ops / 8 + 64);
    printf("%f\n", measure(side, row, ops));
    fflush(stdout);
    if (r != NULL) r->deinit();
    if (strcmp(side, "bridge") == 0) br_deinit(generation, 0, NULL);
  }
  return 0;
}
