// The original's rt_dict_set answered false: none of these passed.
#include "audit.h"
#define AREA "dicts"

TEST(test_dict_new) {
  rt_value d = rt_dict_new(8);
  EQ(rt_type(d), RT_T_DICT);
  EQ(rt_dict_len(d), 0);
  EQ(rt_dict_get(d, rt_int(1)), RT_NIL);
  CHECK(!rt_dict_has(d, rt_int(1)));
  FREE(d);
  REFUSED(rt_dict_new(-1), RT_NIL, RT_E_SIZE);
  REFUSED(rt_dict_new(INT64_MAX), RT_NIL, RT_E_SIZE);
}

TEST(test_dict_set_and_get) {
  rt_value d = rt_dict_new(0);
  CHECK(rt_dict_set(d, rt_int(1), RT_TRUE));
  CHECK(rt_dict_set(d, RT_TRUE, rt_int(2)));
  EQ(rt_dict_len(d), 2);
  EQ(rt_dict_get(d, rt_int(1)), RT_TRUE);
  EQ(rt_dict_get(d, RT_TRUE), rt_int(2));
  FREE(d);
}

TEST(test_dict_overwrite) {
  rt_value d = rt_dict_new(0), old = text("old"), new = text("new");
  CHECK(rt_dict_set(d, rt_int(1), old));
  CHECK(rt_dict_set(d, rt_int(1), new));
  EQ(rt_dict_len(d), 1);
  EQ(rt_count(old), 1);
  EQ(rt_count(new), 2);
  EQ(rt_dict_get(d, rt_int(1)), new);
  FREE(d);
  FREE(old);
  FREE(new);
}

TEST(test_dict_string_keys) { // by their bytes, whichever object has them
  rt_value d = rt_dict_new(0), a = text("key"), b = text("key"), nul = rt_string_new((const uint8_t *)"key\0", 4);
  CHECK(rt_dict_set(d, a, rt_int(1)));
  EQ(rt_dict_get(d, b), rt_int(1));
  CHECK(!rt_dict_has(d, nul));
  CHECK(rt_dict_set(d, b, rt_int(2)));
  EQ(rt_dict_len(d), 1);
  FREE(a);
  EQ(rt_dict_get(d, b), rt_int(2));
  FREE(b);
  FREE(nul);
  FREE(d);
}

TEST(test_dict_growth) {
  enum { N = 20000 };
  rt_value d = rt_dict_new(1), same = d;
  char name[32];
  for (int i = 0; i < N; i++) {
    snprintf(name, sizeof name, "key %d", i);
    rt_value k = text(name);
    CHECK(rt_dict_set(d, i % 2 ? rt_int(i) : k, rt_int(i)));
    FREE(k);
  }
  EQ(d, same);
  EQ(rt_dict_len(d), N);
  for (int i = 0; i < N; i++) {
    snprintf(name, sizeof name, "key %d", i);
    rt_value k = text(name);
    EQ(rt_dict_get(d, i % 2 ? rt_int(i) : k), rt_int(i));
    FREE(k);
  }
  FREE(d);
}

TEST(test_dict_clear) {
  rt_value d = rt_dict_new(0), k = text("k"), v = rt_array_new(0);
  CHECK(rt_dict_set(d, k, v));
  CHECK(rt_dict_clear(d));
  EQ(rt_dict_len(d), 0);
  EQ(rt_count(k), 1);
  EQ(rt_count(v), 1);
  CHECK(!rt_dict_has(d, k));
  CHECK(rt_dict_set(d, k, v));
  EQ(rt_dict_get(d, k), v);
  FREE(d);
  FREE(k);
  FREE(v);
}

TEST(test_dict_missing_and_nil) {
  rt_value d = rt_dict_new(0);
  CHECK(rt_dict_set(d, rt_int(1), RT_NIL));
  EQ(rt_dict_get(d, rt_int(1)), RT_NIL);
  CHECK(rt_dict_has(d, rt_int(1)));
  CHECK(!rt_dict_has(d, rt_int(2)));
  REFUSED(rt_dict_set(d, RT_NIL, rt_int(1)), false, RT_E_KEY);
  REFUSED(rt_dict_set(d, 5, rt_int(1)), false, RT_E_KEY); // no value
  REFUSED(rt_dict_set(d, rt_int(3), 5), false, RT_E_VALUE);
  EQ(rt_dict_len(d), 1);
  FREE(d);
}

TEST(test_dict_remove_and_walk) {
  rt_value d = rt_dict_new(0), k, v;
  for (int i = 0; i < 100; i++) rt_dict_set(d, rt_int(i), rt_int(i * i));
  for (int i = 0; i < 100; i += 2) CHECK(rt_dict_remove(d, rt_int(i)));
  REFUSED(rt_dict_remove(d, rt_int(0)), false, RT_E_NOT_FOUND);
  EQ(rt_dict_len(d), 50);
  uint64_t cursor = 0;
  int64_t n = 0;
  while (rt_dict_next(d, &cursor, &k, &v)) { // in the order of insertion
    EQ(k, rt_int(2 * n + 1));
    EQ(v, rt_int((2 * n + 1) * (2 * n + 1)));
    n++;
  }
  EQ(n, 50);
  FREE(d);
}

TEST(test_dict_float_keys) {
  rt_value d = rt_dict_new(0), big = rt_float(1e300), again = rt_float(1e300), zero = rt_float(-0.0);
  CHECK(rt_dict_set(d, rt_float(0.5), rt_int(1)));
  CHECK(rt_dict_set(d, big, rt_int(2)));
  CHECK(rt_dict_set(d, zero, rt_int(3)));
  EQ(rt_dict_get(d, rt_float(0.5)), rt_int(1));
  EQ(rt_dict_get(d, again), rt_int(2));
  EQ(rt_dict_get(d, rt_float(0)), rt_int(3));
  FREE(d);
  FREE(big);
  FREE(again);
  FREE(zero);
}

TEST(test_dict_invalid) {
  rt_value a = rt_array_new(0), gone = rt_dict_new(0);
  FREE(gone);
  rt_value wrong[] = {RT_NIL, rt_int(5), 0xdeadbee9, gone, a};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int32_t why = wrong[i] == a ? RT_E_TYPE : RT_E_HANDLE;
    REFUSED(rt_dict_len(wrong[i]), -1, why);
    REFUSED(rt_dict_get(wrong[i], rt_int(1)), RT_NIL, why);
    REFUSED(rt_dict_set(wrong[i], rt_int(1), rt_int(1)), false, why);
    REFUSED(rt_dict_clear(wrong[i]), false, why);
  }
  FREE(a);
}
