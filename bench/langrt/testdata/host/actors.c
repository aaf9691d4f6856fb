// Generators and actors of the runtime.

#include "bench.h"
#include "isthmus_rt.h"

#include <stdlib.h>
#include <time.h>

static rt_value count(rt_value gen) { return rt_generator_yield(gen, rt_int(rt_generator_get_state(gen))); }

static rt_value count_co(rt_value gen) {
  for (int64_t i = 0;; i++) rt_generator_yield(gen, rt_int(i));
}

static double next_of(rt_value gen, long n) {
  rt_value sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) sum += rt_generator_next(gen);
  t = cpu() - t;
  KEEP(sum);
  rt_release(gen);
  return t / (double)n;
}

static double generator_next(long n) { return next_of(rt_generator_new(count, 0, RT_NIL), n); }
static double coroutine_next(long n) { return next_of(rt_generator_new_co(count_co, 0, RT_NIL), n); }

static uint64_t received; // by one actor, at one time

static void add(rt_value state, rt_value msg) {
  (void)state;
  received += msg;
}

static double actor_message(long n) {
  rt_value a = rt_actor_spawn_handler(add, RT_NIL);
  double t = wall();
  for (long i = 0; i < n; i++) rt_actor_send(a, rt_int(i));
  rt_actor_stop(a);
  rt_actor_join(a);
  t = wall() - t;
  KEEP(received);
  rt_release(a);
  return t / (double)n;
}

static long running; // actors that have had their turn

static void tick(rt_value state, rt_value msg) {
  (void)state, (void)msg;
  __atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
}

static void wait_for_one(rt_value ctx) {
  tick(ctx, RT_NIL);
  rt_release(rt_actor_recv());
}

// many spawns n actors, of bodies or handlers, each of which has had its turn and waits: nanoseconds, or bytes.
static double many(long n, bool bodies, bool bytes) {
  rt_value *all = calloc((size_t)n, sizeof *all);
  if (all == NULL) return -1;
  for (long i = 0; i < n; i++) all[i] = RT_NIL; // so its memory is there
  __atomic_store_n(&running, 0, __ATOMIC_RELAXED);
  double b = resident(), t = wall();
  bool ok = true;
  for (long i = 0; i < n && ok; i++) {
    all[i] = bodies ? rt_actor_spawn(wait_for_one, RT_NIL) : rt_actor_spawn_handler(tick, RT_NIL);
    ok = all[i] != RT_NIL && (bodies || rt_actor_send(all[i], rt_int(1)) == 1);
  }
  while (ok && __atomic_load_n(&running, __ATOMIC_RELAXED) < n) nanosleep(&(struct timespec){0, 10000}, NULL);
  t = wall() - t;
  b = resident() - b;
  for (long i = 0; i < n; i++) {
    rt_actor_stop(all[i]);
    rt_actor_join(all[i]);
    rt_release(all[i]);
  }
  free(all);
  return !ok ? -1 : (bytes ? b : t) / (double)n;
}

static double actor_spawn(long n) { return many(n, false, false); }
static double bytes_actor(long n) { return many(n, false, true); }
static double bytes_body(long n) { return many(n, true, true); }

const side actor_sides[] = {
    {"generator-next", "exported", generator_next, 1000000},
    {"coroutine-next", "exported", coroutine_next, 300000},
    {"actor-message", "exported", actor_message, 300000},
    {"actor-spawn", "exported", actor_spawn, 20000},
    {"bytes-actor", "exported", bytes_actor, 100000},
    {"bytes-actor-body", "exported", bytes_body, 10000},
    END,
};
