// GLib.

#include "bench.h"

#include <glib.h>

static GArray *numbers(guint64 n) {
  GArray *a = g_array_new(FALSE, FALSE, 8);
  for (guint64 i = 0; i < n; i++) g_array_append_val(a, i);
  return a;
}

static double array_get(long n) {
  guint64 sum = 0;
  GArray *a = numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    sum += g_array_index(a, guint64, i & (HOT - 1)); // a macro, checked by nobody
    AGAIN();
  }
  t = cpu() - t;
  KEEP(sum);
  g_array_free(a, TRUE);
  return t / (double)n;
}

static double push(long n) {
  double t = cpu();
  g_array_free(numbers((guint64)n), TRUE);
  return (cpu() - t) / (double)n;
}

static double new8(long n) {
  double t = cpu();
  for (long k = 0; k < n; k++) g_array_free(numbers(8), TRUE);
  return (cpu() - t) / (double)n;
}

static GHashTable *dict(long n) {
  GHashTable *d = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (long i = 0; i < n; i++) g_hash_table_insert(d, (gpointer)(number((uint64_t)i) + 1), (gpointer)i);
  return d;
}

static double dict_int_set(long n) {
  double t = cpu();
  GHashTable *d = dict(n);
  t = cpu() - t;
  g_hash_table_destroy(d);
  return t / (double)n;
}

static double dict_int_get(long n) {
  uint64_t x = 88172645463325252ULL, sum = 0;
  GHashTable *d = dict(MANY);
  double t = cpu();
  for (long i = 0; i < n; i++) sum += (uint64_t)g_hash_table_lookup(d, (gpointer)(number(next(&x) % MANY) + 1));
  t = cpu() - t;
  KEEP(sum);
  g_hash_table_destroy(d);
  return t / (double)n;
}

static double dict_string_get(long n) {
  uint64_t sum = 0;
  GHashTable *d = g_hash_table_new(g_str_hash, g_str_equal);
  for (long i = 0; i < KEYS; i++) g_hash_table_insert(d, keys[i], (gpointer)i);
  double t = cpu();
  for (long i = 0; i < n; i++) sum += (uint64_t)g_hash_table_lookup(d, keys[scattered(i)]);
  t = cpu() - t;
  KEEP(sum);
  g_hash_table_destroy(d);
  return t / (double)n;
}

static double string_new(long n) {
  uint64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    GString *s = g_string_new_len(keys[i & (KEYS - 1)], 16);
    sum += s->len;
    g_string_free(s, TRUE);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double concat(long n) {
  char a[17], b[17];
  g_strlcpy(a, keys[0], sizeof a);
  g_strlcpy(b, keys[1], sizeof b);
  double t = cpu();
  for (long i = 0; i < n; i++) g_free(g_strconcat(a, b, NULL));
  return (cpu() - t) / (double)n;
}

const side glib_sides[] = {
    {"array-get", "glib", array_get, 4000000},
    {"push", "glib", push, 1 << 20},
    {"new-8-push-free", "glib", new8, 200000},
    {"dict-int-set", "glib", dict_int_set, MANY},
    {"dict-int-get", "glib", dict_int_get, 4 * MANY},
    {"dict-string-get", "glib", dict_string_get, 40 * KEYS},
    {"string-new-free", "glib", string_new, 300000},
    {"concat-free", "glib", concat, 300000},
    END,
};
