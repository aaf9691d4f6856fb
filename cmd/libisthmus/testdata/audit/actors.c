// All fifteen of these crashed in the original.
#include "audit.h"

#include <sched.h>
#include <stdatomic.h>
#define AREA "actors"

static atomic_llong counter;
static atomic_bool flag, gate;

// The last handle goes; the runtime lets its own count go a moment after the actor's end.
#define GONE(v) \
  do { \
    FREE(v); \
    while (rt_type(v) != RT_T_NONE) sched_yield(); \
  } while (0)

static void until_open(void) {
  while (!gate) sched_yield();
}

static void counting_actor(rt_value ctx) {
  (void)ctx;
  counter++;
}

static void echo_actor(rt_value ctx) {
  (void)ctx;
  rt_value m = rt_actor_recv();
  if (rt_is_int(m)) counter += rt_as_int(m);
}

static void multi_recv_actor(rt_value ctx) {
  for (int i = 0; i < 3; i++) echo_actor(ctx);
}

static void flag_setting_actor(rt_value ctx) {
  (void)ctx;
  until_open();
  flag = true;
}

TEST(test_actor_spawn) {
  counter = 0;
  rt_value a = rt_actor_spawn(counting_actor, RT_NIL);
  CHECK(rt_type(a) == RT_T_ACTOR && rt_actor_join(a) == 1 && counter == 1);
  GONE(a);
}

TEST(test_actor_spawn_null_body) {
  rt_value a = rt_actor_spawn(NULL, RT_NIL), h = rt_actor_spawn_handler(NULL, RT_NIL);
  CHECK(rt_type(a) == RT_T_ACTOR && rt_actor_id(a) > 0 && rt_actor_id(h) > 0);
  CHECK(rt_actor_join(a) == 1 && rt_actor_join(h) == 1 && !rt_actor_is_alive(a));
  CHECK(rt_actor_send(a, rt_int(1)) == 0 && rt_last_error() == RT_E_CLOSED);
  GONE(a);
  GONE(h);
}

TEST(test_actor_id) {
  rt_value a = rt_actor_spawn(counting_actor, RT_NIL), b = rt_actor_spawn(counting_actor, RT_NIL);
  CHECK(rt_actor_id(a) > 0 && rt_actor_id(b) > 0 && rt_actor_id(a) != rt_actor_id(b));
  rt_actor_join(a);
  rt_actor_join(b);
  CHECK(rt_actor_id(a) > 0);
  GONE(a);
  GONE(b);
}

TEST(test_actor_id_invalid_value) { CHECK(rt_actor_id(rt_int(42)) == 0 && rt_last_error() == RT_E_HANDLE); }

TEST(test_actor_send_and_recv) {
  counter = 0;
  rt_value a = rt_actor_spawn(echo_actor, RT_NIL);
  CHECK(rt_actor_send(a, rt_int(42)) == 1 && rt_actor_join(a) == 1 && counter == 42);
  GONE(a);
}

TEST(test_actor_send_invalid_actor) {
  rt_value t = rt_tuple_new(0);
  CHECK(rt_actor_send(rt_int(99), rt_int(123)) == 0 && rt_last_error() == RT_E_HANDLE);
  CHECK(rt_actor_send(t, rt_int(123)) == 0 && rt_last_error() == RT_E_TYPE);
  rt_release(t);
  CHECK(rt_actor_send(t, t) == 0 && rt_last_error() == RT_E_VALUE);
}

TEST(test_actor_multiple_messages) {
  counter = 0;
  rt_value a = rt_actor_spawn(multi_recv_actor, RT_NIL);
  for (int i = 1; i <= 3; i++) CHECK(rt_actor_send(a, rt_int(10 * i)) == 1);
  CHECK(rt_actor_join(a) == 1 && counter == 60);
  GONE(a);
}

TEST(test_actor_join) {
  flag = gate = false;
  rt_value a = rt_actor_spawn(flag_setting_actor, RT_NIL);
  CHECK(rt_actor_join_ex(a, 1000000) == RT_E_TIMEOUT);
  gate = true;
  CHECK(rt_actor_join(a) == 1 && flag && rt_actor_join(a) == 1);
  GONE(a);
}

TEST(test_actor_join_invalid_actor) { CHECK(rt_actor_join(rt_int(42)) == 0 && rt_last_error() == RT_E_HANDLE); }

TEST(test_actor_is_alive) {
  gate = false;
  rt_value a = rt_actor_spawn(flag_setting_actor, RT_NIL);
  CHECK(rt_actor_is_alive(a) == 1 && rt_actor_death_reason(a) == RT_ACTOR_ALIVE);
  gate = true;
  CHECK(rt_actor_join(a) == 1 && rt_actor_is_alive(a) == 0 && rt_actor_death_reason(a) == RT_ACTOR_FINISHED);
  GONE(a);
  CHECK(rt_actor_is_alive(a) == 0 && rt_actor_death_reason(a) == -1);
}

TEST(test_actor_is_alive_invalid) { CHECK(rt_actor_is_alive(rt_int(42)) == 0); }

TEST(test_actor_concurrent_spawns) {
  counter = 0;
  rt_value a[3];
  for (int i = 0; i < 3; i++) a[i] = rt_actor_spawn(counting_actor, RT_NIL);
  CHECK(rt_actor_id(a[0]) != rt_actor_id(a[1]) && rt_actor_id(a[1]) != rt_actor_id(a[2]) && rt_actor_id(a[0]) != rt_actor_id(a[2]));
  for (int i = 0; i < 3; i++) {
    CHECK(rt_actor_join(a[i]) == 1);
    GONE(a[i]);
  }
  CHECK(counter == 3);
}

static void ordered_actor(rt_value ctx) {
  (void)ctx;
  for (int i = 1; i <= 3; i++) CHECK(rt_actor_recv() == rt_int(i));
  flag = true;
}

TEST(test_actor_message_ordering) {
  flag = false;
  rt_value a = rt_actor_spawn(ordered_actor, RT_NIL);
  for (int i = 1; i <= 3; i++) CHECK(rt_actor_send(a, rt_int(i)) == 1);
  CHECK(rt_actor_join(a) == 1 && flag);
  GONE(a);
}

static void timeout_actor(rt_value ctx) {
  (void)ctx;
  rt_value v = RT_TRUE;
  CHECK(rt_actor_try_recv(&v) == RT_E_TIMEOUT && v == RT_NIL && rt_actor_recv_ex(0, NULL) == RT_E_SIZE);
  CHECK(rt_actor_recv_ex(2000000, &v) == RT_E_TIMEOUT && rt_last_error() == RT_E_TIMEOUT);
  flag = true;
}

TEST(test_actor_recv_timeout) {
  flag = false;
  rt_value a = rt_actor_spawn(timeout_actor, RT_NIL);
  CHECK(rt_actor_join(a) == 1 && flag);
  GONE(a);
}

static void context_actor(rt_value ctx) { // there it could not be passed
  CHECK(rt_array_len(ctx) == 1 && rt_array_get(ctx, 0) == rt_int(123));
  flag = true;
}

TEST(test_actor_with_context) {
  flag = false;
  rt_value ctx = rt_array_new(1);
  CHECK(rt_array_push(ctx, rt_int(123)));
  rt_value a = rt_actor_spawn(context_actor, ctx);
  CHECK(rt_release(ctx) && rt_actor_join(a) == 1 && flag);
  GONE(a);
  EQ(rt_type(ctx), RT_T_NONE); // it was counted for the body, and no longer
}
