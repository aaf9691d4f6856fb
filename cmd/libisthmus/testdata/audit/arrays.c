#include "audit.h"
#define AREA "arrays"

TEST(test_array_new) {
  rt_value a = rt_array_new(8);
  EQ(rt_type(a), RT_T_ARRAY);
  EQ(rt_array_len(a), 0);
  REFUSED(rt_array_get(a, 0), RT_NIL, RT_E_INDEX);
  FREE(a);
  a = rt_array_new(0);
  CHECK(a != RT_NIL);
  FREE(a);
}

TEST(test_array_new_refuses_sizes) {
  static const int64_t sizes[] = {-1, INT64_MIN, 1LL << 31, 1LL << 32, 1LL << 60, 1LL << 61, INT64_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) REFUSED(rt_array_new(sizes[i]), RT_NIL, RT_E_SIZE);
}

TEST(test_array_push_and_get) {
  rt_value a = rt_array_new(4);
  for (int64_t i = 0; i < 4; i++) CHECK(rt_array_push(a, rt_int(i * 10)));
  EQ(rt_array_len(a), 4);
  for (int64_t i = 0; i < 4; i++) EQ(rt_array_get(a, i), rt_int(i * 10));
  FREE(a);
}

TEST(test_array_negative_index) {
  rt_value a = rt_array_new(3);
  for (int64_t i = 0; i < 3; i++) rt_array_push(a, rt_int(i));
  EQ(rt_array_get(a, -1), rt_int(2));
  EQ(rt_array_get(a, -3), rt_int(0));
  REFUSED(rt_array_get(a, -4), RT_NIL, RT_E_INDEX);
  REFUSED(rt_array_get(a, INT64_MIN), RT_NIL, RT_E_INDEX);
  CHECK(rt_array_set(a, -2, rt_int(7)));
  EQ(rt_array_get(a, 1), rt_int(7));
  FREE(a);
}

TEST(test_array_set) {
  rt_value a = rt_array_new(2);
  rt_array_push(a, rt_int(1));
  CHECK(rt_array_set(a, 0, RT_TRUE));
  EQ(rt_array_get(a, 0), RT_TRUE);
  REFUSED(rt_array_set(a, 1, RT_TRUE), false, RT_E_INDEX);
  REFUSED(rt_array_set(a, 0, 5), false, RT_E_VALUE); // no value
  EQ(rt_array_get(a, 0), RT_TRUE);
  FREE(a);
}

TEST(test_array_pop) {
  rt_value a = rt_array_new(2);
  rt_array_push(a, rt_int(1));
  rt_array_push(a, rt_int(2));
  EQ(rt_array_pop(a), rt_int(2));
  EQ(rt_array_pop(a), rt_int(1));
  REFUSED(rt_array_pop(a), RT_NIL, RT_E_EMPTY);
  EQ(rt_array_len(a), 0);
  FREE(a);
}

TEST(test_array_clear) {
  rt_value a = rt_array_new(2), s = text("held");
  for (int i = 0; i < 100; i++) rt_array_push(a, s);
  EQ(rt_count(s), 101);
  CHECK(rt_array_clear(a));
  EQ(rt_count(s), 1);
  EQ(rt_array_len(a), 0);
  CHECK(rt_array_push(a, RT_NIL));
  EQ(rt_array_len(a), 1);
  FREE(a);
  FREE(s);
}

// The original could not: a push beyond the capacity was refused.
TEST(test_array_growth) {
  rt_value a = rt_array_new(1), same = a;
  for (int64_t i = 0; i < 100000; i++) CHECK(rt_array_push(a, rt_int(i)));
  EQ(a, same);
  EQ(rt_array_len(a), 100000);
  for (int64_t i = 0; i < 100000; i += 997) EQ(rt_array_get(a, i), rt_int(i));
  FREE(a);
}

TEST(test_array_holds_what_it_counts) {
  rt_value a = rt_array_new(0), s = text("kept by the array");
  CHECK(rt_array_push(a, s));
  FREE(s);
  CHECK(is_text(rt_array_get(a, 0), "kept by the array"));
  rt_value out = rt_array_pop(a);
  FREE(a);
  CHECK(is_text(out, "kept by the array"));
  FREE(out);
  EQ(rt_string_len(out), -1);
}

TEST(test_array_invalid) {
  rt_value s = text("no array"), gone = rt_array_new(1);
  FREE(gone);
  rt_value wrong[] = {RT_NIL, rt_int(5), RT_TRUE, 0xdeadbee9, ~6ULL, gone, s};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int32_t why = wrong[i] == s ? RT_E_TYPE : RT_E_HANDLE;
    REFUSED(rt_array_len(wrong[i]), -1, why);
    REFUSED(rt_array_get(wrong[i], 0), RT_NIL, why);
    REFUSED(rt_array_set(wrong[i], 0, RT_NIL), false, why);
    REFUSED(rt_array_push(wrong[i], RT_NIL), false, why);
    REFUSED(rt_array_pop(wrong[i]), RT_NIL, why);
    REFUSED(rt_array_clear(wrong[i]), false, why);
  }
  FREE(s);
}

TEST(test_array_nested) {
  rt_value outer = rt_array_new(0);
  for (int i = 0; i < 10; i++) {
    rt_value inner = rt_array_new(0);
    rt_array_push(inner, rt_int(i));
    rt_array_push(outer, inner);
    FREE(inner);
  }
  for (int i = 0; i < 10; i++) EQ(rt_array_get(rt_array_get(outer, i), 0), rt_int(i));
  rt_value lent = rt_array_get(outer, 3);
  FREE(outer);
  REFUSED(rt_array_get(lent, 0), RT_NIL, RT_E_HANDLE); // a borrow that outlived its owner
}
