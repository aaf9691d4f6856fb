#include "audit.h"
#define AREA "closures"

static rt_value add(rt_value closure, rt_value x) { return rt_int(rt_as_int(rt_closure_get_capture(closure, 0)) + rt_as_int(x)); }

TEST(test_closure_new) {
  rt_value c = rt_closure_new((const void *)add, 2);
  EQ(rt_type(c), RT_T_CLOSURE);
  EQ(rt_closure_get_capture(c, 0), RT_NIL);
  EQ(rt_closure_get_capture(c, 1), RT_NIL);
  FREE(c);
}

TEST(test_closure_func_ptr) {
  rt_value c = rt_closure_new((const void *)add, 0), none = rt_closure_new(NULL, 0);
  CHECK(rt_closure_func_ptr(c) == (const void *)add);
  CHECK(rt_closure_func_ptr(none) == NULL);
  FREE(c);
  FREE(none);
}

TEST(test_closure_captures) {
  rt_value c = rt_closure_new(NULL, 3), s = text("captured");
  CHECK(rt_closure_set_capture(c, 0, rt_int(1)));
  CHECK(rt_closure_set_capture(c, 2, s));
  FREE(s);
  EQ(rt_closure_get_capture(c, 0), rt_int(1));
  EQ(rt_closure_get_capture(c, 1), RT_NIL);
  CHECK(is_text(rt_closure_get_capture(c, 2), "captured"));
  FREE(c);
}

TEST(test_closure_capture_out_of_range) {
  rt_value c = rt_closure_new(NULL, 1);
  REFUSED(rt_closure_get_capture(c, 1), RT_NIL, RT_E_INDEX);
  REFUSED(rt_closure_set_capture(c, 1, RT_NIL), false, RT_E_INDEX);
  REFUSED(rt_closure_set_capture(c, UINT32_MAX, RT_NIL), false, RT_E_INDEX);
  FREE(c);
}

TEST(test_closure_call) {
  rt_value c = rt_closure_new((const void *)add, 1);
  rt_closure_set_capture(c, 0, rt_int(40));
  rt_value (*fn)(rt_value, rt_value) = (rt_value(*)(rt_value, rt_value))(uintptr_t)rt_closure_func_ptr(c);
  EQ(fn(c, rt_int(2)), rt_int(42));
  FREE(c);
}

TEST(test_closure_invalid) {
  rt_value o = rt_object_new(1, 1);
  REFUSED(rt_closure_get_capture(o, 0), RT_NIL, RT_E_TYPE);
  REFUSED(rt_closure_set_capture(o, 0, RT_NIL), false, RT_E_TYPE);
  CHECK(rt_closure_func_ptr(o) == NULL);
  CHECK(rt_closure_func_ptr(RT_NIL) == NULL);
  CHECK(rt_closure_func_ptr(0xdeadbee9) == NULL);
  FREE(o);
}
