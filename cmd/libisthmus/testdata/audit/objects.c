#include "audit.h"
#define AREA "objects"

TEST(test_object_new) {
  rt_value o = rt_object_new(42, 3);
  EQ(rt_type(o), RT_T_OBJECT);
  EQ(rt_object_class_id(o), 42);
  EQ(rt_object_field_count(o), 3);
  FREE(o);
}

TEST(test_object_fields_begin_as_nil) {
  rt_value o = rt_object_new(1, 50);
  for (uint32_t i = 0; i < 50; i++) EQ(rt_object_field_get(o, i), RT_NIL);
  FREE(o);
}

TEST(test_object_field_set_get) {
  rt_value o = rt_object_new(1, 2);
  CHECK(rt_object_field_set(o, 0, rt_int(10)));
  CHECK(rt_object_field_set(o, 1, RT_TRUE));
  EQ(rt_object_field_get(o, 0), rt_int(10));
  EQ(rt_object_field_get(o, 1), RT_TRUE);
  FREE(o);
}

TEST(test_object_field_out_of_range) {
  rt_value o = rt_object_new(1, 2);
  REFUSED(rt_object_field_get(o, 2), RT_NIL, RT_E_INDEX);
  REFUSED(rt_object_field_get(o, UINT32_MAX), RT_NIL, RT_E_INDEX);
  REFUSED(rt_object_field_set(o, 2, RT_NIL), false, RT_E_INDEX);
  REFUSED(rt_object_field_set(o, UINT32_MAX, RT_NIL), false, RT_E_INDEX);
  FREE(o);
}

TEST(test_object_class_ids) {
  static const uint32_t ids[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    rt_value o = rt_object_new(ids[i], 0);
    EQ(rt_object_class_id(o), ids[i]);
    EQ(rt_object_field_count(o), 0);
    FREE(o);
  }
}

TEST(test_object_nested) {
  rt_value inner = rt_object_new(2, 1), outer = rt_object_new(1, 1);
  rt_object_field_set(inner, 0, rt_int(99));
  CHECK(rt_object_field_set(outer, 0, inner));
  FREE(inner);
  EQ(rt_object_field_get(rt_object_field_get(outer, 0), 0), rt_int(99));
  FREE(outer);
  EQ(rt_object_class_id(inner), -1);
}

TEST(test_object_cycle) {
  rt_value a = rt_object_new(1, 1), b = rt_object_new(1, 1);
  rt_object_field_set(a, 0, b);
  rt_object_field_set(b, 0, a);
  FREE(a);
  FREE(b);
  EQ(rt_object_class_id(a), 1); // each holds the other
  EQ(rt_collect(), 2);
  EQ(rt_object_class_id(a), -1);
}

TEST(test_object_invalid) {
  rt_value t = rt_tuple_new(1), gone = rt_object_new(1, 1);
  FREE(gone);
  rt_value wrong[] = {RT_NIL, rt_int(5), 9, gone, t}; // 9 is 1 mod 8: it has the form of a handle
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int32_t why = wrong[i] == t ? RT_E_TYPE : RT_E_HANDLE;
    REFUSED(rt_object_class_id(wrong[i]), -1, why);
    REFUSED(rt_object_field_count(wrong[i]), -1, why);
    REFUSED(rt_object_field_get(wrong[i], 0), RT_NIL, why);
    REFUSED(rt_object_field_set(wrong[i], 0, RT_NIL), false, why);
  }
  FREE(t);
}
