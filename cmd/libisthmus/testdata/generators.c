// Generators from C: the original's cases by name, and the corners.
#include "check.h"

// ---- The original's, which end by rt_generator_mark_done and return what they give ----
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

static void generator_new(void) {
  rt_value g = rt_generator_new(simple_yielder, 10, RT_NIL);
  CHECK(rt_type(g) == RT_T_GENERATOR && rt_generator_get_state(g) == 0 && !rt_generator_is_done(g));
  for (int i = 0; i < 10; i++) CHECK(rt_generator_get_slot(g, i) == RT_NIL);
  CHECK(rt_release(g));
}

static void simple_yield_sequence(void) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  for (int i = 1; i <= 3; i++) {
    CHECK(rt_generator_next(g) == rt_int(10 * i) && rt_generator_get_state(g) == i && !rt_generator_is_done(g));
  }
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  CHECK(rt_generator_next(g) == RT_NIL && rt_last_error() == RT_E_EMPTY);
  rt_release(g);
}

static void slot_storage(void) {
  rt_value g = rt_generator_new(slot_counter, 10, RT_NIL);
  for (int i = 0; i <= 3; i++) CHECK(rt_generator_next(g) == rt_int(i));
  CHECK(rt_generator_load_slot(g, 0) == rt_int(3));
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  rt_release(g);
}

static void context(void) {
  rt_value g = rt_generator_new(from_context, 0, rt_int(100));
  CHECK(rt_generator_get_ctx(g) == rt_int(100));
  for (int i = 0; i < 3; i++) CHECK(rt_generator_next(g) == rt_int(100 + i));
  CHECK(rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  rt_release(g);
}

static void state_manipulation(void) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  CHECK(rt_generator_set_state(g, 5) && rt_generator_get_state(g) == 5);
  CHECK(rt_generator_set_state(g, -10) && rt_generator_get_state(g) == 0);
  rt_release(g);
}

static void slot_operations(void) {
  rt_value g = rt_generator_new(simple_yielder, 5, RT_NIL);
  for (int i = 0; i < 3; i++) CHECK(rt_generator_set_slot(g, i, rt_int(10 * i)));
  for (int i = 0; i < 3; i++) CHECK(rt_generator_get_slot(g, i) == rt_int(10 * i));
  CHECK(rt_generator_get_slot(g, 4) == RT_NIL);
  CHECK(rt_generator_get_slot(g, 100) == RT_NIL && rt_last_error() == RT_E_INDEX);
  rt_release(g);
}

static void slot_no_resize(void) { // there it grew to any index
  rt_value g = rt_generator_new(simple_yielder, 2, RT_NIL);
  CHECK(!rt_generator_set_slot(g, 10, rt_int(999)) && rt_last_error() == RT_E_INDEX);
  CHECK(!rt_generator_set_slot(g, INT64_MAX, rt_int(999)) && rt_generator_get_slot(g, INT64_MIN) == RT_NIL);
  rt_release(g);
}

static void mark_done(void) {
  rt_value g = rt_generator_new(simple_yielder, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(10));
  CHECK(rt_generator_mark_done(g) && rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  rt_release(g);
}

static void nil_body(void) {
  rt_value g = rt_generator_new(NULL, 0, RT_NIL);
  CHECK(rt_type(g) == RT_T_GENERATOR && rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  rt_release(g);
}

static void invalid_value(void) {
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

static void negative_slot_index(void) {
  rt_value g = rt_generator_new(simple_yielder, 10, RT_NIL);
  CHECK(!rt_generator_store_slot(g, -5, rt_int(100)) && rt_generator_load_slot(g, -5) == RT_NIL);
  rt_release(g);
}

static void execution_count(void) {
  steps = 0;
  rt_value g = rt_generator_new(counting, 0, RT_NIL);
  for (int i = 0; i < 3; i++) CHECK(rt_generator_next(g) == rt_int(i));
  CHECK(steps == 3);
  rt_release(g);
}

// ---- Corners ----
static rt_value yields(rt_value gen) {
  int64_t i = rt_generator_get_state(gen);
  return i < 10 ? rt_generator_yield(gen, rt_int(i)) : RT_NIL;
}

static void yield_counts_up(void) {
  rt_value g = rt_generator_new(yields, 0, RT_NIL);
  for (int i = 0; i < 10; i++) CHECK(rt_generator_next(g) == rt_int(i));
  CHECK(!rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  CHECK(rt_generator_yield(g, rt_int(1)) == RT_NIL && rt_last_error() == RT_E_STATE);
  rt_release(g);
}

static rt_value yields_nil(rt_value gen) {
  return rt_generator_get_state(gen) < 3 ? rt_generator_yield(gen, RT_NIL) : RT_NIL;
}

static void nil_may_be_yielded(void) {
  rt_value g = rt_generator_new(yields_nil, 0, RT_NIL);
  int n = 0;
  while (rt_generator_next(g), !rt_generator_is_done(g)) n++;
  CHECK(n == 3);
  rt_release(g);
}

static void slot_bounds(void) {
  CHECK(rt_generator_new(yields, -1, RT_NIL) == RT_NIL && rt_last_error() == RT_E_SIZE);
  CHECK(rt_generator_new(yields, 65536, RT_NIL) == RT_NIL && rt_generator_new(yields, INT64_MAX, RT_NIL) == RT_NIL);
  CHECK(rt_generator_new(yields, INT64_MIN, RT_NIL) == RT_NIL && rt_generator_new(yields, 1LL << 32, RT_NIL) == RT_NIL);
  rt_value g = rt_generator_new(yields, 65535, RT_NIL);
  CHECK(rt_generator_set_slot(g, 65534, rt_int(1)) && !rt_generator_set_slot(g, 65535, rt_int(1)));
  for (int i = 0; i < 65534; i++) CHECK(rt_generator_get_slot(g, i) == RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(0) && rt_generator_get_slot(g, 65534) == rt_int(1));
  rt_release(g);
}

static void counts(void) { // slots and the context count what they hold, and let it go with the generator
  rt_value a = text("held"), ctx = text("context"), g = rt_generator_new(yields, 2, ctx);
  CHECK(rt_count(ctx) == 2 && rt_release(ctx) && is_text(rt_generator_get_ctx(g), "context"));
  CHECK(rt_generator_set_slot(g, 0, a) && rt_generator_set_slot(g, 1, a) && rt_count(a) == 3);
  CHECK(rt_generator_set_slot(g, 0, RT_NIL) && rt_count(a) == 2);
  CHECK(rt_release(a) && is_text(rt_generator_get_slot(g, 1), "held"));
  rt_value stale = rt_array_new(0);
  rt_release(stale);
  CHECK(!rt_generator_set_slot(g, 0, stale) && rt_last_error() == RT_E_VALUE);
  CHECK(rt_generator_new(yields, 0, stale) == RT_NIL && rt_last_error() == RT_E_VALUE);
  CHECK(rt_release(g) && rt_type(a) == RT_T_NONE && rt_type(ctx) == RT_T_NONE);
}

static rt_value makes(rt_value gen) { return rt_generator_yield(gen, text("made")); }

static void results_are_owned(void) {
  rt_value g = rt_generator_new(makes, 0, RT_NIL), v = rt_generator_next(g);
  CHECK(rt_release(g) && is_text(v, "made") && rt_count(v) == 1 && rt_release(v));
}

static rt_value enters_itself(rt_value gen) {
  CHECK(rt_generator_next(gen) == RT_NIL && rt_last_error() == RT_E_STATE);
  return rt_generator_yield(gen, rt_int(7));
}

static void reentry(void) {
  rt_value g = rt_generator_new(enters_itself, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(7) && rt_generator_next(g) == rt_int(7));
  rt_release(g);
}

static rt_value lets_itself_go(rt_value gen) {
  CHECK(rt_generator_set_slot(gen, 0, rt_int(1)) && rt_release(gen));
  CHECK(!rt_generator_set_slot(gen, 0, rt_int(2)) && rt_generator_get_slot(gen, 0) == RT_NIL);
  CHECK(!rt_release(gen));
  rt_value other = rt_generator_new(yields, 1, rt_int(5)); // what is made in its place stays as it is
  rt_generator_yield(gen, RT_NIL);
  return other;
}

static void let_go_by_its_body(void) {
  rt_value g = rt_generator_new(lets_itself_go, 1, RT_NIL), other = rt_generator_next(g);
  CHECK(rt_type(g) == RT_T_NONE && rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  CHECK(rt_generator_get_state(other) == 0 && rt_generator_get_ctx(other) == rt_int(5) && !rt_generator_is_done(other));
  CHECK(rt_generator_next(other) == rt_int(0));
  rt_release(other);
}

static rt_value nests(rt_value gen) { // one generator drives another, to any depth
  rt_value inner = rt_generator_get_slot(gen, 0);
  if (inner == RT_NIL) return rt_generator_yield(gen, rt_int(rt_generator_get_state(gen)));
  rt_value v = rt_generator_next(inner);
  CHECK(rt_generator_yield(inner, v) == RT_NIL && rt_last_error() == RT_E_STATE);
  return rt_generator_yield(gen, rt_int(rt_as_int(v) + 1));
}

static void nested(void) {
  enum { DEPTH = 100 };
  rt_value g = rt_generator_new(nests, 1, RT_NIL);
  for (int i = 1; i < DEPTH; i++) {
    rt_value outer = rt_generator_new(nests, 1, RT_NIL);
    CHECK(rt_generator_set_slot(outer, 0, g) && rt_release(g));
    g = outer;
  }
  for (int i = 0; i < 5; i++) CHECK(rt_generator_next(g) == rt_int(DEPTH - 1 + i) && rt_generator_get_state(g) == i + 1);
  rt_release(g);
}

static void cycles_are_collected(void) {
  rt_value g = rt_generator_new(yields, 1, RT_NIL), a = rt_array_new(0);
  CHECK(rt_generator_set_slot(g, 0, a) && rt_array_push(a, g) && rt_release(a));
  CHECK(rt_collect() == 0 && rt_type(g) == RT_T_GENERATOR);
  CHECK(rt_release(g) && rt_type(g) == RT_T_GENERATOR && rt_collect() == 2 && rt_type(g) == RT_T_NONE);
}

static void frozen_around(void) { // what holds a generator may be frozen; it goes on
  rt_value t = rt_tuple_new(1), g = rt_generator_new(yields, 1, RT_NIL);
  CHECK(rt_tuple_set(t, 0, g) && rt_freeze(t) && rt_generator_next(g) == rt_int(0) && rt_generator_set_slot(g, 0, rt_int(1)));
  rt_release(g);
  rt_release(t);
}

// Threads that all want the next value: each is given once.
enum { EACH = 20000, THREADS = 4 };
static rt_value shared;
static atomic_llong sum, given;

static rt_value to_many(rt_value gen) {
  int64_t i = rt_generator_get_state(gen);
  if (i == EACH * THREADS) return RT_NIL;
  rt_generator_set_slot(gen, 0, rt_int(i));
  CHECK(rt_generator_get_slot(gen, 0) == rt_int(i));
  return rt_generator_yield(gen, rt_int(i));
}

static void *taker(void *p) {
  (void)p;
  while (!rt_generator_is_done(shared)) {
    rt_value v = rt_generator_next(shared);
    if (v == RT_NIL) { // another thread is in it
      CHECK(rt_last_error() == RT_E_STATE || rt_generator_is_done(shared));
      continue;
    }
    sum += rt_as_int(v);
    given++;
  }
  return NULL;
}

static void threads_share(void) {
  shared = rt_generator_new(to_many, 1, RT_NIL);
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&t[i], NULL, taker, NULL) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  long long n = EACH * THREADS;
  CHECK(given == n && sum == n * (n - 1) / 2);
  rt_release(shared);
}

// Threads that use a generator while others let it go and make new ones in its place.
static _Atomic rt_value place;
static atomic_bool over;

static void *replacer(void *p) {
  for (int i = 0; i < 20000; i++) rt_release(atomic_exchange(&place, rt_generator_new(yields, 3, p == NULL ? RT_NIL : rt_int(1))));
  over = true;
  return NULL;
}

static void *user(void *p) {
  (void)p;
  while (!over) {
    rt_value g = place, v = rt_generator_next(g);
    CHECK(v == RT_NIL || (rt_is_int(v) && rt_as_int(v) < 10));
    rt_generator_set_slot(g, 1, rt_int(5));
    v = rt_generator_get_slot(g, 1);
    CHECK(v == RT_NIL || v == rt_int(5));
    v = rt_generator_get_ctx(g);
    CHECK(v == RT_NIL || v == rt_int(1));
    rt_generator_mark_done(g);
  }
  return NULL;
}

static void let_go_meanwhile(void) {
  place = rt_generator_new(yields, 3, RT_NIL);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, i < 2 ? replacer : user, (void *)(uintptr_t)i) == 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  rt_release(place);
}

static const struct test all[] = {
    {"generator_new", generator_new},
    {"simple_yield_sequence", simple_yield_sequence},
    {"slot_storage", slot_storage},
    {"context", context},
    {"state_manipulation", state_manipulation},
    {"slot_operations", slot_operations},
    {"slot_no_resize", slot_no_resize},
    {"mark_done", mark_done},
    {"nil_body", nil_body},
    {"invalid_value", invalid_value},
    {"negative_slot_index", negative_slot_index},
    {"execution_count", execution_count},
    {"yield_counts_up", yield_counts_up},
    {"nil_may_be_yielded", nil_may_be_yielded},
    {"slot_bounds", slot_bounds},
    {"counts", counts},
    {"results_are_owned", results_are_owned},
    {"reentry", reentry},
    {"let_go_by_its_body", let_go_by_its_body},
    {"nested", nested},
    {"cycles_are_collected", cycles_are_collected},
    {"frozen_around", frozen_around},
    {"threads_share", threads_share},
    {"let_go_meanwhile", let_go_meanwhile},
};

int main(int argc, char **argv) { return RUN_TESTS(all, argc, argv); }
