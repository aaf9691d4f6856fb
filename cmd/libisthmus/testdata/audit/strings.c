#include "audit.h"
#include <stdlib.h>
#define AREA "strings"

TEST(test_string_new) {
  rt_value s = text("hello");
  EQ(rt_type(s), RT_T_STRING);
  EQ(rt_string_len(s), 5);
  CHECK(is_text(s, "hello")); // with the NUL after it
  FREE(s);
}

TEST(test_string_empty) {
  rt_value s = rt_string_new(NULL, 0);
  EQ(rt_string_len(s), 0);
  CHECK(rt_string_data(s) != NULL);
  EQ(rt_string_data(s)[0], 0);
  FREE(s);
}

TEST(test_string_bytes) {
  uint8_t b[256];
  for (int i = 0; i < 256; i++) b[i] = (uint8_t)i;
  rt_value s = rt_string_new(b, sizeof b); // zeros and what is no text
  memset(b, 0, sizeof b);                  // it is a copy
  EQ(rt_string_len(s), 256);
  for (int i = 0; i < 256; i++) EQ(rt_string_data(s)[i], i);
  FREE(s);
}

TEST(test_string_concat) {
  rt_value a = text("safe "), b = text("passage"), c = rt_string_concat(a, b), twice = rt_string_concat(c, c);
  CHECK(is_text(c, "safe passage"));
  CHECK(is_text(twice, "safe passagesafe passage"));
  CHECK(is_text(a, "safe ") && is_text(b, "passage"));
  EQ(rt_count(a), 1);
  FREE(a);
  FREE(b);
  FREE(c);
  FREE(twice);
}

TEST(test_string_long) {
  size_t n = 3 << 20;
  uint8_t *p = malloc(n);
  for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 31);
  rt_value s = rt_string_new(p, n), c = rt_string_concat(s, s);
  EQ(rt_string_len(c), 2 * n);
  EQ(memcmp(rt_string_data(c) + n, p, n), 0);
  free(p);
  FREE(s);
  FREE(c);
}

TEST(test_string_invalid) {
  REFUSED(rt_string_new(NULL, 1), RT_NIL, RT_E_SIZE);
  REFUSED(rt_string_new((const uint8_t *)"", UINT64_MAX), RT_NIL, RT_E_SIZE);
  REFUSED(rt_string_new((const uint8_t *)"", 1ULL << 31), RT_NIL, RT_E_SIZE);
  rt_value s = text("x"), a = rt_array_new(0);
  REFUSED(rt_string_len(RT_NIL), -1, RT_E_HANDLE);
  REFUSED(rt_string_len(a), -1, RT_E_TYPE);
  CHECK(rt_string_data(a) == NULL);
  REFUSED(rt_string_concat(s, a), RT_NIL, RT_E_TYPE);
  REFUSED(rt_string_concat(rt_int(1), s), RT_NIL, RT_E_HANDLE);
  EQ(rt_count(s), 1);
  FREE(s);
  FREE(a);
  CHECK(rt_string_data(s) == NULL);
}
