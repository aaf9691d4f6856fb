#include "audit.h"
#define AREA "enums"

TEST(test_enum_new) {
  rt_value e = rt_enum_new(7, 2, rt_int(5));
  EQ(rt_type(e), RT_T_ENUM);
  EQ(rt_enum_id(e), 7);
  EQ(rt_enum_discriminant(e), 2);
  EQ(rt_enum_payload(e), rt_int(5));
  FREE(e);
}

TEST(test_enum_discriminants) {
  static const uint32_t d[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX};
  for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
    rt_value e = rt_enum_new(UINT32_MAX, d[i], RT_NIL);
    EQ(rt_enum_discriminant(e), d[i]);
    EQ(rt_enum_id(e), UINT32_MAX);
    FREE(e);
  }
}

TEST(test_enum_without_payload) {
  rt_value e = rt_enum_new(1, 0, RT_NIL);
  EQ(rt_enum_payload(e), RT_NIL);
  FREE(e);
}

TEST(test_enum_keeps_its_payload) {
  rt_value s = text("payload"), e = rt_enum_new(1, 1, s);
  EQ(rt_count(s), 2);
  FREE(s);
  CHECK(is_text(rt_enum_payload(e), "payload"));
  FREE(e);
  EQ(rt_string_len(s), -1);
  REFUSED(rt_enum_new(1, 1, s), RT_NIL, RT_E_VALUE);
}

TEST(test_enum_invalid) {
  rt_value o = rt_object_new(1, 1);
  REFUSED(rt_enum_discriminant(o), -1, RT_E_TYPE);
  REFUSED(rt_enum_payload(o), RT_NIL, RT_E_TYPE);
  REFUSED(rt_enum_id(o), -1, RT_E_TYPE);
  REFUSED(rt_enum_discriminant(9), -1, RT_E_HANDLE); // the original's crash: a number that is 1 mod 8
  REFUSED(rt_enum_payload(RT_NIL), RT_NIL, RT_E_HANDLE);
  FREE(o);
}
