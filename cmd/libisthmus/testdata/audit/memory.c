// Counts, scopes, the collector and the census, which the audit has no tests for.
#define RT_SITES
#include "audit.h"
#include <stdlib.h>
#define AREA "memory"

TEST(test_count_and_release) {
  rt_value a = rt_array_new(0);
  EQ(rt_count(a), 1);
  CHECK(rt_retain(a));
  EQ(rt_count(a), 2);
  FREE(a);
  FREE(a);
  REFUSED(rt_release(a), false, RT_E_HANDLE);
  REFUSED(rt_retain(a), false, RT_E_VALUE);
  CHECK(rt_retain(rt_int(1)) && rt_release(RT_NIL)); // values without a count
}

TEST(test_scope) {
  EQ(rt_scope_push(), 1);
  rt_value kept = rt_array_new(0), lost = text("lost"), held = text("held");
  rt_array_push(kept, held);
  rt_value out = rt_scope_pop(kept);
  EQ(out, kept);
  EQ(rt_string_len(lost), -1);
  CHECK(is_text(rt_array_get(kept, 0), "held"));
  EQ(rt_count(kept), 1);
  FREE(kept);
  REFUSED(rt_scope_pop(RT_TRUE), RT_NIL, RT_E_STATE);
}

TEST(test_scope_has_what_is_taken_out) { // code that emits no releases takes values out of containers too
  rt_value a = rt_array_new(0), s = text("taken out"), ch = rt_channel_new();
  rt_array_push(a, s);
  rt_channel_send(ch, s);
  FREE(s);
  EQ(rt_scope_push(), 1);
  EQ(rt_array_pop(a), s);
  EQ(rt_channel_recv(ch), s);
  CHECK(is_text(s, "taken out"));
  rt_scope_pop(RT_NIL);
  EQ(rt_string_len(s), -1);
  FREE(a);
  FREE(ch);
}

TEST(test_scopes_nest) {
  EQ(rt_scope_push(), 1);
  EQ(rt_scope_push(), 2);
  rt_value inner = rt_scope_pop(text("from inside"));
  CHECK(is_text(inner, "from inside"));
  for (int i = 0; i < 10000; i++) rt_tuple_new(3);
  EQ(rt_scope_pop(rt_int(5)), rt_int(5));
  EQ(rt_string_len(inner), -1);
}

TEST(test_cycles) {
  rt_value ring[100];
  for (int i = 0; i < 100; i++) ring[i] = rt_array_new(0);
  for (int i = 0; i < 100; i++) rt_array_push(ring[i], ring[(i + 1) % 100]);
  rt_value d = rt_dict_new(0), u;
  rt_dict_set(d, rt_int(1), ring[0]);
  rt_retain(d);
  u = rt_unique_new(d);
  rt_array_push(ring[5], u);
  FREE(u);
  for (int i = 1; i < 100; i++) FREE(ring[i]);
  FREE(d);
  EQ(rt_collect(), 0); // we count the first
  EQ(rt_array_len(ring[99]), 1);
  FREE(ring[0]);
  EQ(rt_collect(), 102);
}

TEST(test_census) {
  rt_value v[50];
  for (int i = 0; i < 50; i++) v[i] = rt_tuple_new(100);
  int line = __LINE__ - 1;
  char want[32];
  snprintf(want, sizeof want, "memory.c:%d", line);
  rt_census_line lines[64];
  int64_t n = rt_census(lines, 64), found = 0;
  CHECK(n > 0 && n <= 64);
  for (int64_t i = 0; i < n; i++) {
    const char *at = rt_site_text(lines[i].site);
    if (lines[i].type == RT_T_TUPLE && strlen(at) >= strlen(want) && strcmp(at + strlen(at) - strlen(want), want) == 0) {
      found = lines[i].objects;
      CHECK(lines[i].bytes >= 50 * 800);
    }
  }
  EQ(found, 50);
  for (int i = 0; i < 50; i++) FREE(v[i]);
  EQ(rt_census(lines, 0), rt_census(NULL, 0));
  REFUSED(rt_census(NULL, 1), -1, RT_E_SIZE);
  REFUSED(rt_census(lines, -1), -1, RT_E_SIZE);
}

TEST(test_sites) {
  uint32_t a = rt_site("some.code", 1), b = rt_site("some.code", 2);
  CHECK(a != 0 && b != 0 && a != b);
  EQ(rt_site("some.code", 1), a);
  CHECK(strcmp(rt_site_text(a), "some.code:1") == 0);
  CHECK(strcmp(rt_site_text(0), "unknown") == 0);
  CHECK(strcmp(rt_site_text(UINT32_MAX), "unknown") == 0);
  REFUSED(rt_site(NULL, 1), 0, RT_E_VALUE);
  EQ(rt_made_at(RT_NIL, a), RT_NIL);
  EQ(rt_made_at(0xdeadbee9, a), 0xdeadbee9);
  rt_value s = rt_made_at(rt_freeze(RT_NIL) ? text("x") : RT_NIL, b); // the last word
  CHECK(rt_freeze(s));
  EQ(rt_made_at(s, a), s);
  rt_value t = rt_tuple_new(1);
  CHECK(rt_freeze(t));
  rt_made_at(t, b);
  REFUSED(rt_tuple_set(t, 0, RT_NIL), false, RT_E_FROZEN); // still
  FREE(s);
  FREE(t);
}

TEST(test_deep_structures_end) {
  rt_value v = RT_NIL;
  for (int i = 0; i < 200000; i++) {
    rt_value t = rt_tuple_new(1);
    rt_tuple_set(t, 0, v);
    if (v != RT_NIL) FREE(v);
    v = t;
  }
  FREE(v);
}

TEST(test_floats) {
  static const double d[] = {0, -0.0, 1, -1, 0.1, 1e-70, 1e70, 1e300, -1e-300, 5e-324};
  for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
    double back = 7;
    rt_value v = rt_float(d[i]);
    CHECK(rt_as_float(v, &back));
    EQ(memcmp(&back, &d[i], 8), 0);
    FREE(v);
  }
  REFUSED(rt_as_float(rt_int(1), NULL), false, RT_E_HANDLE);
}
