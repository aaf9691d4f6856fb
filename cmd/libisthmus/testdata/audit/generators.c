// The original's generators end by rt_generator_mark_done, and return what they give.
#include "audit.h"
#define AREA "generators"

static rt_value simple_yielder(rt_value gen) {
  int64_t state = rt_generator_get_state(gen);
  if (state > 2) {
    rt_generator_mark_done(gen);
    return RT_NIL;
  }
  rt_generator_set_state(gen, state + 1);
  return rt_int(10 * (state + 1));
}

static rt_value slot_counter(rt_value gen) {
  int64_t state = rt_generator_get_state(gen);
  rt_generator_set_state(gen, state + 1);
  int64_t n = state == 0 ? 0 : rt_as_int(rt_generator_load_slot(gen, 0)) + 1;
  if (n > 3) {
    rt_generator_mark_done(gen);
    return RT_NIL;
  }
  rt_generator_store_slot(gen, 0, rt_int(n));
  return rt_int(n);
}

static rt_value from_context(rt_value gen) {
  int64_t state = rt_generator_get_state(gen);
  if (state == 3) return RT_NIL;
  rt_generator_set_state(gen, state + 1);
  return rt_int(rt_as_int(rt_generator_get_ctx(gen)) + state);
}

static int steps;
static rt_value counting(rt_value gen) {
  (void)gen;
  return rt_int(steps++);
}

TEST(test_generator_new) {
  rt_value g = rt_generator_new(simple_yielder, 10, RT_NIL);
  CHECK(rt_type(g) == RT_T_GENERATOR && rt_generator_get_state(g) == 0 && !rt_generator_is_done(g));
  for (int i = 0; i < 10; i++) CHECK(rt_generator_get_slot(g, i) == RT_NIL);
  FREE(g);
}

TEST(test_generator_simple_yield_sequence) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  for (int i = 1; i <= 3; i++) {
    CHECK(rt_generator_next(g) == rt_int(10 * i) && rt_generator_get_state(g) == i && !rt_generator_is_done(g));
  }
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  CHECK(rt_generator_next(g) == RT_NIL && rt_last_error() == RT_E_EMPTY);
  FREE(g);
}

TEST(test_generator_slot_storage) {
  rt_value g = rt_generator_new(slot_counter, 10, RT_NIL);
  for (int i = 0; i <= 3; i++) CHECK(rt_generator_next(g) == rt_int(i));
  CHECK(rt_generator_load_slot(g, 0) == rt_int(3));
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  FREE(g);
}

TEST(test_generator_context) {
  rt_value g = rt_generator_new(from_context, 0, rt_int(100));
  CHECK(rt_generator_get_ctx(g) == rt_int(100));
  for (int i = 0; i < 3; i++) CHECK(rt_generator_next(g) == rt_int(100 + i));
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  FREE(g);
}

TEST(test_generator_state_manipulation) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  CHECK(rt_generator_set_state(g, 5) && rt_generator_get_state(g) == 5);
  CHECK(rt_generator_set_state(g, -10) && rt_generator_get_state(g) == 0);
  FREE(g);
}

TEST(test_generator_slot_operations) {
  rt_value g = rt_generator_new(simple_yielder, 5, RT_NIL);
  for (int i = 0; i < 3; i++) CHECK(rt_generator_set_slot(g, i, rt_int(10 * i)));
  for (int i = 0; i < 3; i++) CHECK(rt_generator_get_slot(g, i) == rt_int(10 * i));
  CHECK(rt_generator_get_slot(g, 4) == RT_NIL);
  CHECK(rt_generator_get_slot(g, 100) == RT_NIL && rt_last_error() == RT_E_INDEX);
  FREE(g);
}

TEST(test_generator_slot_auto_resize) { // there it grew to any index
  rt_value g = rt_generator_new(simple_yielder, 2, RT_NIL);
  CHECK(!rt_generator_set_slot(g, 10, rt_int(999)) && rt_last_error() == RT_E_INDEX);
  CHECK(!rt_generator_set_slot(g, INT64_MAX, rt_int(999)) && rt_generator_get_slot(g, INT64_MIN) == RT_NIL);
  FREE(g);
}

TEST(test_generator_mark_done) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(10));
  CHECK(rt_generator_mark_done(g) && rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  FREE(g);
}

TEST(test_generator_nil_body_func) {
  rt_value g = rt_generator_new(NULL, 0, RT_NIL);
  CHECK(rt_type(g) == RT_T_GENERATOR && rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  FREE(g);
}

TEST(test_generator_invalid_value) {
  rt_value words[] = {rt_int(42), RT_NIL, RT_TRUE, 1, 7, ~0ULL, rt_array_new(0)};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    rt_value w = words[i];
    CHECK(rt_generator_get_state(w) == 0 && rt_generator_get_slot(w, 0) == RT_NIL && rt_generator_get_ctx(w) == RT_NIL);
    CHECK(rt_generator_next(w) == RT_NIL && rt_generator_yield(w, rt_int(1)) == RT_NIL && rt_generator_is_done(w));
    CHECK(!rt_generator_set_state(w, 5) && !rt_generator_set_slot(w, 0, rt_int(100)) && !rt_generator_mark_done(w));
    CHECK(rt_last_error() == (i == 6 ? RT_E_TYPE : RT_E_HANDLE));
  }
  rt_release(words[6]);
}

TEST(test_generator_negative_slot_index) {
  rt_value g = rt_generator_new(simple_yielder, 10, RT_NIL);
  CHECK(!rt_generator_store_slot(g, -5, rt_int(100)) && rt_generator_load_slot(g, -5) == RT_NIL);
  FREE(g);
}

TEST(test_generator_execution_count) {
  steps = 0;
  rt_value g = rt_generator_new(counting, 0, RT_NIL);
  for (int i = 0; i < 3; i++) CHECK(rt_generator_next(g) == rt_int(i));
  CHECK(steps == 3);
  FREE(g);
}
