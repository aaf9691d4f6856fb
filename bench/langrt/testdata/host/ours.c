// The runtime itself. This file is compiled twice: with the header's inline functions, and with RT_NO_INLINE, where each
// call goes into the library.

#include "bench.h"
#include "isthmus_rt.h"

#ifdef RT_NO_INLINE
#define NAME "exported"
#define SIDES exported_sides
#else
#define NAME "inline"
#define SIDES inline_sides
bool ours_start(void);
bool ours_start(void) { return rt_init() == RT_OK; }
#endif

static rt_value numbers(int64_t n) {
  rt_value a = rt_array_new(n);
  for (int64_t i = 0; i < n; i++) rt_array_push(a, rt_int(i));
  return a;
}

static double array_get(long n) {
  rt_value a = numbers(HOT), sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    sum += rt_array_get(a, i & (HOT - 1));
    AGAIN();
  }
  t = cpu() - t;
  KEEP(sum);
  rt_release(a);
  return t / (double)n;
}

static double array_get_random(long n) {
  enum { LARGE = 1 << 20 };
  rt_value a = numbers(LARGE), sum = 0;
  uint64_t x = 88172645463325252ULL;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    sum += rt_array_get(a, (int64_t)(next(&x) & (LARGE - 1)));
    AGAIN();
  }
  t = cpu() - t;
  KEEP(sum);
  rt_release(a);
  return t / (double)n;
}

static double array_set(long n) {
  rt_value a = numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) rt_array_set(a, i & (HOT - 1), rt_int(i));
  t = cpu() - t;
  rt_release(a);
  return t / (double)n;
}

static double push(long n) {
  double t = cpu();
  rt_value a = rt_array_new(0);
  for (long i = 0; i < n; i++) rt_array_push(a, rt_int(i));
  rt_release(a);
  return (cpu() - t) / (double)n;
}

static double new8(long n) {
  double t = cpu();
  for (long k = 0; k < n; k++) {
    rt_value a = rt_array_new(0);
    for (int i = 0; i < 8; i++) rt_array_push(a, rt_int(i));
    rt_release(a);
  }
  return (cpu() - t) / (double)n;
}

static double dict_int_set(long n) {
  double t = cpu();
  rt_value d = rt_dict_new(0);
  for (long i = 0; i < n; i++) rt_dict_set(d, rt_int((int64_t)number((uint64_t)i)), rt_int(i));
  t = cpu() - t;
  rt_release(d);
  return t / (double)n;
}

static double dict_int_get(long n) {
  rt_value d = rt_dict_new(0), sum = 0;
  uint64_t x = 88172645463325252ULL;
  for (long i = 0; i < MANY; i++) rt_dict_set(d, rt_int((int64_t)number((uint64_t)i)), rt_int(i));
  double t = cpu();
  for (long i = 0; i < n; i++) sum += rt_dict_get(d, rt_int((int64_t)number(next(&x) % MANY)));
  t = cpu() - t;
  KEEP(sum);
  rt_release(d);
  return t / (double)n;
}

static double dict_string_get(long n) {
  static rt_value ks[KEYS];
  rt_value d = rt_dict_new(0), sum = 0;
  for (int i = 0; i < KEYS; i++) {
    ks[i] = rt_string_new((const uint8_t *)keys[i], key_len[i]);
    rt_dict_set(d, ks[i], rt_int(i));
  }
  double t = cpu();
  for (long i = 0; i < n; i++) sum += rt_dict_get(d, ks[scattered(i)]);
  t = cpu() - t;
  KEEP(sum);
  for (int i = 0; i < KEYS; i++) rt_release(ks[i]);
  rt_release(d);
  return t / (double)n;
}

static double string_new(long n) {
  int64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    rt_value s = rt_string_new((const uint8_t *)keys[i & (KEYS - 1)], 16);
    sum += rt_string_len(s);
    rt_release(s);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double concat(long n) {
  rt_value a = rt_string_new((const uint8_t *)keys[0], 16), b = rt_string_new((const uint8_t *)keys[1], 16);
  double t = cpu();
  for (long i = 0; i < n; i++) rt_release(rt_string_concat(a, b));
  t = cpu() - t;
  rt_release(a);
  rt_release(b);
  return t / (double)n;
}

#define GET(row, make, get)                                                                                            \
  static double row(long n) {                                                                                          \
    rt_value o = make, sum = 0;                                                                                        \
    double t = cpu();                                                                                                  \
    for (long i = 0; i < n; i++) {                                                                                     \
      sum += get;                                                                                                      \
      AGAIN();                                                                                                         \
    }                                                                                                                  \
    t = cpu() - t;                                                                                                     \
    KEEP(sum);                                                                                                         \
    rt_release(o);                                                                                                     \
    return t / (double)n;                                                                                              \
  }
GET(tuple_get, rt_tuple_new(4), rt_tuple_get(o, i & 3))
GET(object_get, rt_object_new(7, 4), rt_object_field_get(o, (uint32_t)i & 3))
GET(closure_get, rt_closure_new(NULL, 4), rt_closure_get_capture(o, (uint32_t)i & 3))
GET(enum_get, rt_enum_new(1, 2, rt_int(3)), rt_enum_payload(o))
GET(unique_get, rt_unique_new(rt_int(3)), rt_unique_get(o))

// What an object costs to make and to let go, one at a time and a thousand at once.
static double object_new(long n) {
  double t = cpu();
  for (long i = 0; i < n; i++) rt_release(rt_object_new(7, 2));
  return (cpu() - t) / (double)n;
}

static double objects_1k(long n) {
  rt_value all[1000];
  double t = cpu();
  for (long k = 0; k < n; k += 1000) {
    for (int i = 0; i < 1000; i++) all[i] = rt_object_new(7, 2);
    for (int i = 0; i < 1000; i++) rt_release(all[i]);
  }
  return (cpu() - t) / (double)((n + 999) / 1000 * 1000);
}

#define BYTES(row, make)                                                                                               \
  static double row(long n) {                                                                                          \
    rt_value a = rt_array_new(n);                                                                                      \
    for (long i = 0; i < n; i++) rt_array_push(a, RT_NIL);                                                             \
    double b = resident();                                                                                             \
    for (long i = 0; i < n; i++) {                                                                                     \
      rt_value o = make;                                                                                               \
      rt_array_set(a, i, o);                                                                                           \
      rt_release(o);                                                                                                   \
    }                                                                                                                  \
    b = resident() - b;                                                                                                \
    rt_release(a);                                                                                                     \
    return b / (double)n;                                                                                              \
  }
static rt_value array_8(void) {
  rt_value a = rt_array_new(0);
  for (int i = 0; i < 8; i++) rt_array_push(a, RT_NIL);
  return a;
}
BYTES(bytes_string, rt_string_new((const uint8_t *)keys[i & (KEYS - 1)], 16))
BYTES(bytes_object, rt_object_new(7, 2))
BYTES(bytes_array, array_8())

const side SIDES[] = {
    {"array-get", NAME, array_get, 4000000},
    {"array-get-random", NAME, array_get_random, 2000000},
    {"array-set", NAME, array_set, 2000000},
    {"push", NAME, push, 1 << 20},
    {"new-8-push-free", NAME, new8, 200000},
    {"dict-int-set", NAME, dict_int_set, MANY},
    {"dict-int-get", NAME, dict_int_get, 4 * MANY},
    {"dict-string-get", NAME, dict_string_get, 40 * KEYS},
    {"string-new-free", NAME, string_new, 300000},
    {"concat-free", NAME, concat, 300000},
    {"tuple-get", NAME, tuple_get, 4000000},
    {"object-get", NAME, object_get, 4000000},
    {"closure-get", NAME, closure_get, 4000000},
    {"enum-get", NAME, enum_get, 4000000},
    {"unique-get", NAME, unique_get, 4000000},
    {"object-new-free", NAME, object_new, 300000},
    {"objects-1k-new-free", NAME, objects_1k, 300000},
    {"bytes-string-16", NAME, bytes_string, 1000000},
    {"bytes-object-2", NAME, bytes_object, 1000000},
    {"bytes-array-8", NAME, bytes_array, 1000000},
    END,
};
