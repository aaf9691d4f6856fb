// Generators from C: the corners. The original's cases are the audit's.
#include "check.h"

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
enum { EACH = 5000, THREADS = 4 };
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

// ---- With a stack of their own ----
static rt_value counts_to(rt_value gen) { // a loop, as a body with a stack may have
  int64_t n = rt_as_int(rt_generator_get_ctx(gen));
  for (int64_t i = 0; i < n; i++) {
    CHECK(rt_generator_yield(gen, rt_int(i)) == RT_NIL && rt_generator_get_state(gen) == i + 1);
  }
  return RT_NIL;
}

static void co_loop(void) {
  rt_value g = rt_generator_new_co(counts_to, 0, rt_int(1000));
  for (int i = 0; i < 1000; i++) CHECK(rt_generator_next(g) == rt_int(i) && !rt_generator_is_done(g));
  CHECK(rt_generator_get_state(g) == 1000 && rt_generator_next(g) == RT_NIL && rt_generator_is_done(g));
  CHECK(rt_generator_next(g) == RT_NIL && rt_last_error() == RT_E_EMPTY);
  rt_release(g);
  g = rt_generator_new_co(NULL, 0, RT_NIL);
  CHECK(rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  rt_release(g);
  CHECK(rt_generator_new_co(counts_to, -1, RT_NIL) == RT_NIL && rt_last_error() == RT_E_SIZE);
}

static rt_value last_words(rt_value gen) {
  rt_generator_yield(gen, text("first"));
  return text("last");
}

static void co_last_value(void) {
  rt_value g = rt_generator_new_co(last_words, 0, RT_NIL), v = rt_generator_next(g);
  CHECK(is_text(v, "first") && rt_release(v) && !rt_generator_is_done(g));
  v = rt_generator_next(g);
  CHECK(is_text(v, "last") && rt_release(v) && rt_generator_is_done(g) && rt_generator_next(g) == RT_NIL);
  rt_release(g);
}

static void co_results_in_a_scope(void) { // they are the scope's that is open where next is called
  rt_value g = rt_generator_new_co(last_words, 0, RT_NIL);
  CHECK(rt_scope_push() == 1);
  rt_value v = rt_generator_next(g);
  CHECK(is_text(v, "first") && rt_scope_pop(RT_NIL) == RT_NIL && rt_type(v) == RT_T_NONE);
  rt_release(g);
}

static rt_value keeps_in_a_scope(rt_value gen) {
  CHECK(rt_scope_push() == 1); // the body's own: who calls next may have others open
  rt_value held = text("held by the scope");
  CHECK(rt_generator_set_slot(gen, 0, held));
  for (int i = 0;; i++) rt_generator_yield(gen, rt_int(i));
}

static void co_abandoned(void) { // in the middle: its stack is given back, and what its scope made is let go
  for (int i = 0; i < 200; i++) {
    rt_value ctx = text("context"), g = rt_generator_new_co(keeps_in_a_scope, 1, ctx);
    CHECK(rt_scope_push() == 1);
    CHECK(rt_release(ctx) && rt_generator_next(g) == rt_int(0) && rt_generator_next(g) == rt_int(1));
    CHECK(rt_scope_pop(RT_NIL) == RT_NIL && rt_scope_pop(RT_NIL) == RT_NIL && rt_last_error() == RT_E_STATE);
    rt_value held = rt_generator_get_slot(g, 0);
    CHECK(rt_count(held) == 2);
    if (i % 2 == 0) CHECK(rt_generator_mark_done(g) && rt_generator_next(g) == RT_NIL && rt_count(held) == 1);
    CHECK(rt_release(g) && rt_type(held) == RT_T_NONE && rt_type(ctx) == RT_T_NONE);
  }
  for (int i = 0; i < 1000; i++) rt_release(rt_generator_new_co(counts_to, 3, RT_NIL)); // never started
}

static rt_value marks_itself(rt_value gen) {
  rt_generator_yield(gen, rt_int(1));
  CHECK(rt_generator_mark_done(gen));
  rt_generator_yield(gen, rt_int(2));
  CHECK(false); // it does not go on
  return RT_NIL;
}

static void co_mark_done(void) {
  rt_value g = rt_generator_new_co(marks_itself, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(1) && rt_generator_next(g) == rt_int(2) && rt_generator_is_done(g));
  CHECK(rt_generator_next(g) == RT_NIL);
  rt_release(g);
}

static rt_value enters_itself_co(rt_value gen) {
  for (;;) {
    CHECK(rt_generator_next(gen) == RT_NIL && rt_last_error() == RT_E_STATE);
    rt_generator_yield(gen, rt_int(7));
  }
}

static rt_value lets_itself_go_co(rt_value gen) {
  rt_generator_yield(gen, rt_int(1));
  CHECK(rt_release(gen) && rt_type(gen) == RT_T_NONE);
  rt_value others[50]; // what is made in its place stays as it is, and so does this stack
  for (int i = 0; i < 50; i++) others[i] = rt_generator_new_co(counts_to, 1, rt_int(i));
  for (int i = 0; i < 50; i++) CHECK(rt_generator_next(others[i]) == (i == 0 ? RT_NIL : rt_int(0)) && rt_release(others[i]));
  return rt_generator_yield(gen, rt_int(2));
}

static void co_reentry(void) {
  rt_value g = rt_generator_new_co(enters_itself_co, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(7) && rt_generator_next(g) == rt_int(7));
  rt_release(g);
  g = rt_generator_new_co(lets_itself_go_co, 0, RT_NIL);
  CHECK(rt_generator_next(g) == rt_int(1) && rt_generator_next(g) == rt_int(2) && rt_generator_next(g) == RT_NIL);
}

static rt_value doubles(rt_value gen) { // drives another, and yields from inside
  rt_value inner = rt_generator_get_slot(gen, 0);
  while (!rt_generator_is_done(inner)) {
    rt_value v = rt_generator_next(inner);
    if (v == RT_NIL) break;
    rt_generator_yield(gen, v);
    rt_generator_yield(gen, v);
    CHECK(rt_generator_yield(inner, v) == RT_NIL && rt_last_error() == RT_E_STATE);
  }
  return RT_NIL;
}

static void co_nested(void) {
  rt_value g = rt_generator_new_co(counts_to, 1, rt_int(3));
  for (int i = 0; i < 6; i++) {
    rt_value outer = i % 2 == 0 ? rt_generator_new_co(doubles, 1, RT_NIL) : rt_generator_new(nests, 1, RT_NIL);
    CHECK(rt_generator_set_slot(outer, 0, g) && rt_release(g));
    g = outer;
  }
  int n = 0;
  long long total = 0;
  for (rt_value v; n < 24 && (v = rt_generator_next(g)) != RT_NIL; n++) total += rt_as_int(v);
  CHECK(n == 24 && total == 8 * (0 + 1 + 2) + 24 * 3);
  rt_release(g);
}

static rt_value receives(rt_value gen) { // a body that waits, on the stack of who drives it
  for (rt_value v; rt_channel_recv_ex(rt_generator_get_ctx(gen), -1, &v) == RT_OK;) rt_generator_yield(gen, v);
  return RT_NIL;
}

static rt_value drives(rt_value ctx) { // a future's body, so on a worker
  long long total = 0;
  while (!rt_generator_is_done(ctx)) total += rt_as_int(rt_generator_next(ctx));
  return rt_int(total);
}

static void co_waits(void) {
  enum { N = 20, VALUES = 50 };
  rt_value ch[N], g[N], f[N];
  for (int i = 0; i < N; i++) {
    ch[i] = rt_channel_new_cap(1);
    g[i] = rt_generator_new_co(receives, 0, ch[i]);
    f[i] = rt_future_new(drives, g[i]);
    CHECK(rt_future_start(f[i]));
  }
  for (int j = 1; j <= VALUES; j++)
    for (int i = 0; i < N; i++) CHECK(rt_channel_send(ch[i], rt_int(j)) == 1);
  for (int i = 0; i < N; i++) {
    CHECK(rt_channel_close(ch[i]));
    rt_value total = rt_future_await(f[i]);
    CHECK(total == rt_int(VALUES * (VALUES + 1) / 2 + rt_as_int(RT_NIL)));
    rt_release(f[i]);
    rt_release(g[i]);
    rt_release(ch[i]);
  }
}

static rt_value from_actor(rt_value gen) { // in an actor's body a generator's body is the actor
  for (rt_value v; (v = rt_actor_recv()) != RT_NIL;) rt_generator_yield(gen, v);
  CHECK(rt_actor_self() != RT_NIL);
  return RT_NIL;
}

static rt_value from_actor_step(rt_value gen) {
  rt_value v = rt_actor_recv();
  return v == RT_NIL ? RT_NIL : rt_generator_yield(gen, v);
}

static atomic_llong received;

static void actor_with_generator(rt_value ctx) {
  for (rt_value v; (v = rt_generator_next(ctx)) != RT_NIL;) received += rt_as_int(v);
}

static void co_in_actor(void) {
  for (int co = 0; co < 2; co++) {
    received = 0;
    rt_value g = co ? rt_generator_new_co(from_actor, 0, RT_NIL) : rt_generator_new(from_actor_step, 0, RT_NIL);
    rt_value a = rt_actor_spawn(actor_with_generator, g);
    for (int i = 1; i <= 100; i++) CHECK(rt_actor_send(a, rt_int(i)) == 1);
    CHECK(rt_actor_stop(a) == 1 && rt_actor_join(a) == 1 && received == 5050);
    rt_release(a);
    rt_release(g);
  }
}

static void co_collected(void) { // a cycle through a suspended body
  rt_value g = rt_generator_new_co(counts_to, 1, rt_int(5)), a = rt_array_new(0);
  CHECK(rt_generator_next(g) == rt_int(0) && rt_generator_set_slot(g, 0, a) && rt_array_push(a, g));
  CHECK(rt_release(a) && rt_release(g) && rt_collect() == 2 && rt_type(g) == RT_T_NONE);
}

static rt_value to_many_co(rt_value gen) {
  for (int64_t i = 0; i < EACH * THREADS; i++) rt_generator_yield(gen, rt_int(i));
  return RT_NIL;
}

static void co_threads_share(void) { // it goes on on whichever thread asks
  sum = given = 0;
  shared = rt_generator_new_co(to_many_co, 0, RT_NIL);
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&t[i], NULL, taker, NULL) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  long long n = EACH * THREADS;
  CHECK(given == n && sum == n * (n - 1) / 2);
  rt_release(shared);
}

static void *replacer_co(void *p) {
  (void)p;
  for (int i = 0; i < 3000; i++) rt_release(atomic_exchange(&place, rt_generator_new_co(counts_to, 3, rt_int(10))));
  over = true;
  return NULL;
}

static void *user_co(void *p) {
  (void)p;
  for (int i = 0; !over; i++) {
    rt_value g = place, v = rt_generator_next(g);
    CHECK(v == RT_NIL || (rt_is_int(v) && rt_as_int(v) < 10));
    rt_generator_set_slot(g, 1, rt_int(5));
    if (i % 16 == 0) rt_generator_mark_done(g);
  }
  return NULL;
}

static void co_let_go_meanwhile(void) {
  over = false;
  place = rt_generator_new_co(counts_to, 3, rt_int(10));
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, i < 2 ? replacer_co : user_co, NULL) == 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  rt_release(place);
}

static const struct test all[] = {
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
    {"co_loop", co_loop},
    {"co_last_value", co_last_value},
    {"co_results_in_a_scope", co_results_in_a_scope},
    {"co_abandoned", co_abandoned},
    {"co_mark_done", co_mark_done},
    {"co_reentry", co_reentry},
    {"co_nested", co_nested},
    {"co_waits", co_waits},
    {"co_in_actor", co_in_actor},
    {"co_collected", co_collected},
    {"co_threads_share", co_threads_share},
    {"co_let_go_meanwhile", co_let_go_meanwhile},
};

int main(int argc, char **argv) { return RUN_TESTS(all, argc, argv); }
