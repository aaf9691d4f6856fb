#include "audit.h"
#include <pthread.h>
#define AREA "futures"

static int runs; // of bodies
static int64_t ran(void) { return __atomic_load_n(&runs, __ATOMIC_SEQ_CST); }

static rt_value twice(rt_value ctx) {
  __atomic_fetch_add(&runs, 1, __ATOMIC_SEQ_CST);
  return rt_int(2 * rt_as_int(ctx));
}
static rt_value greeting(rt_value ctx) { return rt_string_concat(rt_array_get(ctx, 0), rt_array_get(ctx, 1)); }
static rt_value outer(rt_value ctx) { return rt_future_await(ctx); }
static rt_value itself(rt_value ctx) { return rt_future_await(rt_array_get(ctx, 0)); }
static void *awaits(void *f) { return (void *)(uintptr_t)rt_future_await((rt_value)(uintptr_t)f); }

TEST(test_future_new_is_lazy) {
  runs = 0;
  rt_value f = rt_future_new(twice, rt_int(21));
  EQ(rt_type(f), RT_T_FUTURE);
  EQ(rt_future_is_ready(f), 0);
  FREE(f);
  EQ(ran(), 0); // nobody asked
}

TEST(test_future_await) {
  runs = 0;
  rt_value f = rt_future_new(twice, rt_int(21));
  EQ(rt_future_await(f), rt_int(42));
  EQ(rt_future_await(f), rt_int(42)); // again, without the body
  EQ(ran(), 1);
  EQ(rt_future_is_ready(f), 1);
  FREE(f);
}

TEST(test_future_holds_context_and_result) {
  rt_value a = rt_array_new(2), x = text("safe "), y = text("passage");
  rt_array_push(a, x);
  rt_array_push(a, y);
  rt_value f = rt_future_new(greeting, a);
  FREE(a);
  FREE(x);
  FREE(y);
  rt_value s = rt_future_await(f), again = rt_future_await(f);
  EQ(s, again);
  FREE(again);
  FREE(f);
  CHECK(is_text(s, "safe passage")); // ours
  FREE(s);
}

TEST(test_future_resolve) {
  rt_value s = text("resolved"), f = rt_future_resolve(s);
  EQ(rt_future_is_ready(f), 1);
  FREE(s);
  s = rt_future_await(f);
  CHECK(is_text(s, "resolved"));
  FREE(s);
  FREE(f);
}

// The original's ran the body twice.
TEST(test_future_many_await_once) {
  for (int round = 0; round < 50; round++) {
    runs = 0;
    rt_value f = rt_future_new(twice, rt_int(4));
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, awaits, (void *)(uintptr_t)f);
    for (int i = 0; i < 4; i++) {
      void *r;
      pthread_join(t[i], &r);
      EQ((uintptr_t)r, rt_int(8));
    }
    EQ(ran(), 1);
    FREE(f);
  }
}

TEST(test_future_all) {
  rt_value a = rt_array_new(0);
  for (int i = 0; i < 20; i++) {
    rt_value f = rt_future_new(twice, rt_int(i));
    rt_array_push(a, f);
    FREE(f);
  }
  rt_array_push(a, RT_TRUE); // its own result
  rt_value r = rt_future_all(a);
  EQ(rt_array_len(r), 21);
  for (int i = 0; i < 20; i++) EQ(rt_array_get(r, i), rt_int(2 * i)); // in order
  EQ(rt_array_get(r, 20), RT_TRUE);
  FREE(r);
  FREE(a);
  a = rt_array_new(0);
  r = rt_future_all(a);
  EQ(rt_array_len(r), 0);
  FREE(r);
  FREE(a);
}

// The original's waited for the first of the array.
TEST(test_future_race) {
  rt_value never = rt_future_new(NULL, RT_NIL), soon = rt_future_new(twice, rt_int(3)), a = rt_array_new(2);
  rt_array_push(a, never);
  rt_array_push(a, soon);
  EQ(rt_future_race(a), rt_int(6));
  EQ(rt_future_is_ready(never), 0);
  rt_array_clear(a);
  REFUSED(rt_future_race(a), RT_NIL, RT_E_EMPTY);
  FREE(a);
  FREE(never);
  FREE(soon);
}

static void *completes(void *f) {
  rt_value s = text("kept"), p = (rt_value)(uintptr_t)f;
  bool ok = rt_future_complete(p, s);
  rt_release(s);
  return (void *)(uintptr_t)ok;
}

TEST(test_future_promise) {
  rt_value f = rt_future_new(NULL, RT_NIL), out = RT_TRUE;
  EQ(rt_future_await_ex(f, 0, &out), RT_E_TIMEOUT);
  EQ(out, RT_NIL);
  pthread_t t;
  pthread_create(&t, NULL, completes, (void *)(uintptr_t)f);
  rt_value s = rt_future_await(f);
  pthread_join(t, NULL);
  CHECK(is_text(s, "kept"));
  REFUSED(rt_future_complete(f, RT_NIL), false, RT_E_STATE);
  FREE(s);
  FREE(f);
}

TEST(test_future_nested_and_itself) {
  rt_value inner = rt_future_new(twice, rt_int(5)), f = rt_future_new(outer, inner);
  FREE(inner);
  EQ(rt_future_await(f), rt_int(10));
  FREE(f);
  rt_value a = rt_array_new(1);
  f = rt_future_new(itself, a);
  rt_array_push(a, f);
  EQ(rt_future_await(f), RT_NIL); // its body was told RT_E_SELF
  rt_array_clear(a);
  FREE(a);
  FREE(f);
}

TEST(test_future_cancel_and_fail) {
  runs = 0;
  rt_value f = rt_future_new(twice, rt_int(1));
  CHECK(rt_future_cancel(f));
  REFUSED(rt_future_await(f), RT_NIL, RT_E_CANCELLED);
  CHECK(!rt_future_cancel(f));
  EQ(ran(), 0);
  FREE(f);
  rt_value why = text("no such thing");
  f = rt_future_new(NULL, RT_NIL);
  CHECK(rt_future_fail(f, why));
  FREE(why);
  REFUSED(rt_future_await(f), RT_NIL, RT_E_FAILED);
  CHECK(is_text(rt_future_reason(f), "no such thing"));
  FREE(f);
}

TEST(test_future_invalid) {
  rt_value a = rt_array_new(0);
  REFUSED(rt_future_await(RT_NIL), RT_NIL, RT_E_HANDLE);
  REFUSED(rt_future_await(a), RT_NIL, RT_E_TYPE);
  EQ(rt_future_is_ready(a), 0);
  REFUSED(rt_future_all(rt_int(1)), RT_NIL, RT_E_HANDLE);
  REFUSED(rt_future_race(RT_TRUE), RT_NIL, RT_E_HANDLE);
  REFUSED(rt_future_resolve(5), RT_NIL, RT_E_VALUE);
  FREE(a);
}
