/* Each function breaks a rule of isthmus_rt.h, on a line that says which, or keeps all of them. */
#define RT_CHECK
#include "isthmus_rt.h"

#include <stdio.h>
#include <string.h>

static rt_value hold(rt_value v) {
  rt_value a = rt_array_new(1);
  rt_array_push(a, v);
  return a;
}

static void use_after_destroy(void) {
  rt_value a = rt_array_new(4);
  rt_release(a);
  rt_array_push(a, rt_int(1)); /* want rt/use-after-destroy */
}

static void use_after_the_holder(void) {
  rt_value s = rt_string_new((const uint8_t *)"x", 1), a = hold(s);
  rt_release(s);
  rt_release(a);
  rt_string_len(s); /* want rt/use-after-destroy */
}

static void double_destroy(void) {
  rt_value a = rt_tuple_new(1);
  rt_release(a);
  rt_release(a); /* want rt/double-destroy */
}

static void destroy_of_lent(void) {
  rt_value s = rt_string_new((const uint8_t *)"x", 1), a = hold(s);
  rt_release(s);
  rt_value lent = rt_array_get(a, 0);
  rt_release(lent); /* want rt/destroy-of-lent */
  rt_release(a);
}

static void destroy_of_a_scope_s(void) {
  rt_scope_push();
  rt_value a = rt_array_new(1);
  rt_release(a); /* want rt/destroy-of-lent */
  rt_scope_pop(RT_NIL);
}

static void unknown_handle(void) {
  rt_array_len(0x7ffffff100000009u); /* want rt/unknown-handle */
  rt_array_len(rt_int(5)); /* want rt/unknown-handle */
}

static void wrong_kind(void) {
  rt_value d = rt_dict_new(1);
  rt_array_len(d); /* want rt/wrong-kind */
  rt_release(d);
}

static void null_argument(void) {
  rt_channel_send(RT_NIL, rt_int(1)); /* want rt/null-argument */
}

static void leak(void) {
  rt_object_new(1, 2); /* want rt/leak */
}

static rt_value body(rt_value ctx) { return rt_array_get(ctx, 0); }

/* good does about everything once, rightly. */
static void good(void) {
  rt_value s = rt_string_new((const uint8_t *)"text", 4), k = rt_string_new((const uint8_t *)"key", 3);
  rt_value a = hold(s), d = rt_dict_new(2), out = RT_NIL, key = RT_NIL;
  uint64_t at = 0;
  rt_dict_set(d, k, a);
  rt_release(a);
  rt_release(k);
  rt_dict_next(d, &at, &key, &out);
  if (rt_retain(key)) rt_release(key);
  rt_value u = rt_unique_new(rt_tuple_new(2));
  rt_unique_set(u, rt_int(4));
  rt_value ch = rt_channel_new(), e = rt_enum_new(1, 2, s);
  rt_release(s);
  rt_channel_send(ch, e);
  rt_release(e);
  e = rt_channel_recv(ch);
  rt_release(e);
  rt_channel_try_recv(ch, &out);
  rt_scope_push();
  rt_value kept = rt_string_concat(rt_string_new((const uint8_t *)"a", 1), rt_string_new((const uint8_t *)"b", 1));
  kept = rt_scope_pop(kept);
  rt_release(kept);
  rt_scope_push();
  rt_scope_pop(RT_NIL);
  rt_value ctx = hold(rt_int(7)), f = rt_future_new(body, ctx);
  rt_release(ctx);
  if (rt_as_int(rt_future_await(f)) != 7) puts("await");
  rt_release(f);
  rt_value fs = rt_array_new(1), g = rt_future_resolve(rt_int(2));
  rt_array_push(fs, g);
  rt_release(g);
  rt_release(rt_future_all(fs));
  rt_release(fs);
  rt_release(u);
  rt_release(ch);
  rt_release(d);
  for (int i = 0; i < 100000; i++) rt_release(hold(rt_int(i)));
}

int main(int argc, char **argv) {
  (void)argc;
#define CRIME(f) if (strcmp(argv[1], #f) == 0) f();
  if (strcmp(argv[1], "out_of_order") == 0) rt_array_new(1), rt_array_len(RT_NIL); /* want rt/out-of-order */
  if (rt_init() != RT_OK) return 2;
  CRIME(use_after_destroy)
  CRIME(use_after_the_holder)
  CRIME(double_destroy)
  CRIME(destroy_of_lent)
  CRIME(destroy_of_a_scope_s)
  CRIME(unknown_handle)
  CRIME(wrong_kind)
  CRIME(null_argument)
  CRIME(leak)
  CRIME(good)
  rt_shutdown(-1);
  return 0;
}
