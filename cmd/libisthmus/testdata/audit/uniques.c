#include "audit.h"
#define AREA "uniques"

TEST(test_unique_new) {
  rt_value u = rt_unique_new(rt_int(42));
  EQ(rt_type(u), RT_T_UNIQUE);
  EQ(rt_unique_get(u), rt_int(42));
  FREE(u);
}

TEST(test_unique_set) {
  rt_value u = rt_unique_new(rt_int(1));
  EQ(rt_unique_set(u, rt_int(2)), RT_TRUE); // a truth value, not the old one
  EQ(rt_unique_get(u), rt_int(2));
  FREE(u);
}

TEST(test_unique_takes_over) {
  rt_value s = text("owned"), u = rt_unique_new(s);
  EQ(rt_count(s), 1); // moved, not counted
  CHECK(is_text(rt_unique_get(u), "owned"));
  FREE(u);
  EQ(rt_string_len(s), -1);
}

TEST(test_unique_lets_the_old_go) {
  rt_value old = text("old"), new = text("new"), u = rt_unique_new(old);
  EQ(rt_unique_set(u, new), RT_TRUE);
  EQ(rt_string_len(old), -1);
  CHECK(is_text(rt_unique_get(u), "new"));
  FREE(u);
}

TEST(test_unique_nil) {
  rt_value u = rt_unique_new(RT_NIL);
  EQ(rt_unique_get(u), RT_NIL);
  EQ(rt_unique_set(u, RT_FALSE), RT_TRUE);
  EQ(rt_unique_get(u), RT_FALSE);
  FREE(u);
}

TEST(test_unique_invalid) {
  rt_value s = text("mine"), gone = rt_unique_new(RT_NIL), t = rt_tuple_new(1);
  FREE(gone);
  REFUSED(rt_unique_set(gone, s), RT_FALSE, RT_E_HANDLE);
  REFUSED(rt_unique_set(t, s), RT_FALSE, RT_E_TYPE);
  REFUSED(rt_unique_set(RT_NIL, s), RT_FALSE, RT_E_HANDLE);
  EQ(rt_count(s), 1); // a value that was refused stays the caller's
  REFUSED(rt_unique_get(t), RT_NIL, RT_E_TYPE);
  REFUSED(rt_unique_new(gone), RT_NIL, RT_E_VALUE);
  FREE(s);
  FREE(t);
}
