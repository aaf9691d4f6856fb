#include "audit.h"
#define AREA "tuples"

TEST(test_tuple_new) {
  rt_value t = rt_tuple_new(3);
  EQ(rt_type(t), RT_T_TUPLE);
  EQ(rt_tuple_len(t), 3);
  FREE(t);
  t = rt_tuple_new(0);
  EQ(rt_tuple_len(t), 0);
  REFUSED(rt_tuple_get(t, 0), RT_NIL, RT_E_INDEX);
  FREE(t);
  REFUSED(rt_tuple_new(1ULL << 31), RT_NIL, RT_E_SIZE);
  REFUSED(rt_tuple_new(UINT64_MAX), RT_NIL, RT_E_SIZE);
}

// The original's began as the number 0.
TEST(test_tuple_initialisation) {
  rt_value t = rt_tuple_new(1000);
  for (uint64_t i = 0; i < 1000; i++) CHECK(rt_is_nil(rt_tuple_get(t, i)));
  FREE(t);
  t = rt_tuple_new(1000); // the same block, which was written meanwhile
  for (uint64_t i = 0; i < 1000; i++) rt_tuple_set(t, i, rt_int(1));
  FREE(t);
  t = rt_tuple_new(1000);
  for (uint64_t i = 0; i < 1000; i++) EQ(rt_tuple_get(t, i), RT_NIL);
  FREE(t);
}

TEST(test_tuple_get_set) {
  rt_value t = rt_tuple_new(2), s = text("counted");
  CHECK(rt_tuple_set(t, 0, rt_int(-1)));
  CHECK(rt_tuple_set(t, 1, s));
  EQ(rt_tuple_get(t, 0), rt_int(-1));
  EQ(rt_count(s), 2);
  CHECK(rt_tuple_set(t, 1, RT_FALSE));
  EQ(rt_count(s), 1);
  FREE(t);
  FREE(s);
}

TEST(test_tuple_out_of_range) {
  static const uint64_t at[] = {2, 3, 1ULL << 31, 1ULL << 32, 1ULL << 63, UINT64_MAX};
  rt_value t = rt_tuple_new(2);
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) { // no index counts from the end
    REFUSED(rt_tuple_get(t, at[i]), RT_NIL, RT_E_INDEX);
    REFUSED(rt_tuple_set(t, at[i], RT_TRUE), false, RT_E_INDEX);
  }
  FREE(t);
  REFUSED(rt_tuple_len(t), -1, RT_E_HANDLE);
  REFUSED(rt_tuple_len(rt_int(1)), -1, RT_E_HANDLE);
}

TEST(test_tuple_frozen) {
  rt_value t = rt_tuple_new(1), a = rt_array_new(0);
  rt_tuple_set(t, 0, a);
  CHECK(rt_freeze(t));
  REFUSED(rt_tuple_set(t, 0, RT_NIL), false, RT_E_FROZEN);
  REFUSED(rt_array_push(a, RT_NIL), false, RT_E_FROZEN);
  EQ(rt_tuple_get(t, 0), a);
  FREE(a);
  FREE(t);
}
