// Rust's collections behind extern "C" (rust/src): by pointer and unchecked, as std has them, and behind slotmap's keys.

#include "bench.h"

typedef struct vec vec;
vec *vec_new(void);
uint64_t vec_get(const vec *, int64_t);
bool vec_set(vec *, int64_t, uint64_t);
void vec_push(vec *, uint64_t);
void vec_free(vec *);
uint64_t slot_new(void);
uint64_t slot_get(uint64_t, int64_t);
bool slot_set(uint64_t, int64_t, uint64_t);
bool slot_push(uint64_t, uint64_t);
bool slot_free(uint64_t);
typedef struct map map;
map *map_new(void);
void map_set(map *, uint64_t, uint64_t);
uint64_t map_get(const map *, uint64_t);
void map_free(map *);
typedef struct fx fx;
fx *fx_new(void);
void fx_set(fx *, uint64_t, uint64_t);
uint64_t fx_get(const fx *, uint64_t);
void fx_free(fx *);
typedef struct words words;
words *words_new(void);
void words_set(words *, const char *, size_t, uint64_t);
uint64_t words_get(const words *, const char *, size_t);
void words_free(words *);
typedef struct bytes bytes;
bytes *bytes_new(const char *, size_t);
bytes *bytes_concat(const bytes *, const bytes *);
size_t bytes_len(const bytes *);
void bytes_free(bytes *);

#define ARRAY(p, T, new, get, set, push, free)                                                                         \
  static T p##numbers(long n) {                                                                                        \
    T v = new ();                                                                                                      \
    for (long i = 0; i < n; i++) push(v, (uint64_t)i);                                                                 \
    return v;                                                                                                          \
  }                                                                                                                    \
  static double p##get_(long n) {                                                                                      \
    T v = p##numbers(HOT);                                                                                             \
    uint64_t sum = 0;                                                                                                  \
    double t = cpu();                                                                                                  \
    for (long i = 0; i < n; i++) sum += get(v, i & (HOT - 1));                                                         \
    t = cpu() - t;                                                                                                     \
    KEEP(sum);                                                                                                         \
    free(v);                                                                                                           \
    return t / (double)n;                                                                                              \
  }                                                                                                                    \
  static double p##random_(long n) {                                                                                   \
    T v = p##numbers(1 << 20);                                                                                         \
    uint64_t sum = 0, x = 88172645463325252ULL;                                                                        \
    double t = cpu();                                                                                                  \
    for (long i = 0; i < n; i++) sum += get(v, (int64_t)(next(&x) & ((1 << 20) - 1)));                                 \
    t = cpu() - t;                                                                                                     \
    KEEP(sum);                                                                                                         \
    free(v);                                                                                                           \
    return t / (double)n;                                                                                              \
  }                                                                                                                    \
  static double p##set_(long n) {                                                                                      \
    T v = p##numbers(HOT);                                                                                             \
    double t = cpu();                                                                                                  \
    for (long i = 0; i < n; i++) set(v, i & (HOT - 1), (uint64_t)i);                                                   \
    t = cpu() - t;                                                                                                     \
    free(v);                                                                                                           \
    return t / (double)n;                                                                                              \
  }                                                                                                                    \
  static double p##push_(long n) {                                                                                     \
    double t = cpu();                                                                                                  \
    free(p##numbers(n));                                                                                               \
    return (cpu() - t) / (double)n;                                                                                    \
  }                                                                                                                    \
  static double p##new8_(long n) {                                                                                     \
    double t = cpu();                                                                                                  \
    for (long k = 0; k < n; k++) free(p##numbers(8));                                                                  \
    return (cpu() - t) / (double)n;                                                                                    \
  }
ARRAY(vec_, vec *, vec_new, vec_get, vec_set, vec_push, vec_free)
ARRAY(slot_, uint64_t, slot_new, slot_get, slot_set, slot_push, slot_free)

#define MAP(p, T)                                                                                                      \
  static double p##set_(long n) {                                                                                      \
    double t = cpu();                                                                                                  \
    T *d = p##new ();                                                                                                  \
    for (long i = 0; i < n; i++) p##set(d, number((uint64_t)i), (uint64_t)i);                                          \
    t = cpu() - t;                                                                                                     \
    p##free(d);                                                                                                        \
    return t / (double)n;                                                                                              \
  }                                                                                                                    \
  static double p##get_(long n) {                                                                                      \
    uint64_t x = 88172645463325252ULL, sum = 0;                                                                        \
    T *d = p##new ();                                                                                                  \
    for (long i = 0; i < MANY; i++) p##set(d, number((uint64_t)i), (uint64_t)i);                                       \
    double t = cpu();                                                                                                  \
    for (long i = 0; i < n; i++) sum += p##get(d, number(next(&x) % MANY));                                            \
    t = cpu() - t;                                                                                                     \
    KEEP(sum);                                                                                                         \
    p##free(d);                                                                                                        \
    return t / (double)n;                                                                                              \
  }
MAP(map_, map)
MAP(fx_, fx)

static double dict_string_get(long n) {
  uint64_t sum = 0;
  words *d = words_new();
  for (uint64_t i = 0; i < KEYS; i++) words_set(d, keys[i], key_len[i], i);
  double t = cpu();
  for (long i = 0; i < n; i++) sum += words_get(d, keys[scattered(i)], key_len[scattered(i)]);
  t = cpu() - t;
  KEEP(sum);
  words_free(d);
  return t / (double)n;
}

static double string_new(long n) {
  uint64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    bytes *s = bytes_new(keys[i & (KEYS - 1)], 16);
    sum += bytes_len(s);
    bytes_free(s);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double concat(long n) {
  bytes *a = bytes_new(keys[0], 16), *b = bytes_new(keys[1], 16);
  double t = cpu();
  for (long i = 0; i < n; i++) bytes_free(bytes_concat(a, b));
  t = cpu() - t;
  bytes_free(a);
  bytes_free(b);
  return t / (double)n;
}

void crossbeam_alone(int64_t);
void crossbeam_stream(int64_t);
void tokio_alone(int64_t);
void tokio_stream(int64_t);
void tokio_spawn(int64_t);

#define TIMED(f, clock)                                                                                                \
  static double f##_(long n) {                                                                                         \
    double t = clock();                                                                                                \
    f(n);                                                                                                              \
    return (clock() - t) / (double)n;                                                                                  \
  }
TIMED(crossbeam_alone, cpu)
TIMED(crossbeam_stream, wall)
TIMED(tokio_alone, cpu)
TIMED(tokio_stream, wall)
TIMED(tokio_spawn, wall)

const side rust_sides[] = {
    {"array-get", "rust", vec_get_, 4000000},
    {"array-get", "slotmap", slot_get_, 4000000},
    {"array-get-random", "rust", vec_random_, 2000000},
    {"array-get-random", "slotmap", slot_random_, 2000000},
    {"array-set", "rust", vec_set_, 2000000},
    {"array-set", "slotmap", slot_set_, 2000000},
    {"push", "rust", vec_push_, 1 << 20},
    {"push", "slotmap", slot_push_, 1 << 20},
    {"new-8-push-free", "rust", vec_new8_, 200000},
    {"new-8-push-free", "slotmap", slot_new8_, 200000},
    {"dict-int-set", "rust", map_set_, MANY},
    {"dict-int-set", "fx", fx_set_, MANY},
    {"dict-int-get", "rust", map_get_, 4 * MANY},
    {"dict-int-get", "fx", fx_get_, 4 * MANY},
    {"dict-string-get", "fx", dict_string_get, 20 * KEYS},
    {"string-new-free", "rust", string_new, 300000},
    {"concat-free", "rust", concat, 300000},
    {"channel-send-recv", "crossbeam", crossbeam_alone_, 500000},
    {"channel-send-recv", "tokio", tokio_alone_, 200000},
    {"channel-stream", "crossbeam", crossbeam_stream_, 300000},
    {"channel-stream", "tokio", tokio_stream_, 100000},
    {"actor-spawn", "tokio", tokio_spawn_, 20000},
    END,
};
