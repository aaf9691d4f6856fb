// Futures and channels, driven as a host does: plane PART [N]. It exits with 1 and says what, when something is not as it
// should be.
#include "isthmus_rt.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) \
  do { \
    if (!(x)) { \
      printf("line %d: not so: %s (last error: %s)\n", __LINE__, #x, rt_error_text(rt_last_error())); \
      fflush(stdout); \
      _exit(1); \
    } \
  } while (0)

#define MINUTE 60000000000LL

static uint64_t next(uint64_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 7;
  return *x ^= *x << 17;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long status(const char *what) { // a line of /proc/self/status
  char line[256], format[64];
  long n = -1;
  snprintf(format, sizeof format, "%s: %%ld", what);
  FILE *f = fopen("/proc/self/status", "r");
  while (f != NULL && fgets(line, sizeof line, f) != NULL)
    if (sscanf(line, format, &n) == 1) break;
  if (f != NULL) fclose(f);
  return n;
}

static void until(const int64_t *word, int64_t n) {
  for (int64_t end = now() + MINUTE; __atomic_load_n(word, __ATOMIC_ACQUIRE) != n; sched_yield()) CHECK(now() < end);
}

static void none_left(void) { // a worker may be letting the last go
  for (int64_t end = now() + MINUTE; rt_objects() > 0; sched_yield()) CHECK(now() < end);
}

// ---- torture: everything at once ----
static int stop;
static int64_t sent, received, ran;
static rt_value pipes[4];

static rt_value relay(rt_value context) { // a coroutine between two channels
  rt_value from = rt_array_get(context, 0), to = rt_array_get(context, 1), v;
  int64_t n = 0;
  while (rt_channel_recv_ex(from, -1, &v) == RT_OK) {
    if (rt_channel_send(to, v) != 1) {
      rt_release(v);
      break;
    }
    rt_release(v);
    n++;
  }
  rt_channel_close(to);
  return rt_int(n);
}

static rt_value leaf(rt_value context) {
  __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
  rt_retain(context);
  return context;
}

static rt_value tree(rt_value depth) { // waits for two of its own kind, each begun in its own way
  __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
  int64_t d = rt_as_int(depth);
  if (d == 0) return rt_int(1);
  rt_value a = rt_future_new(tree, rt_int(d - 1)), b = rt_future_new(tree, rt_int(d - 1));
  if (d % 2 == 0) rt_future_start(b);
  int64_t n = rt_as_int(rt_future_await(a)) + rt_as_int(rt_future_await(b));
  rt_release(a);
  rt_release(b);
  return rt_int(n);
}

static void *producer(void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15ULL | 1;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    char text[32];
    int64_t k = (int64_t)(next(&x) % 1000);
    rt_value v = next(&x) % 2 == 0 ? rt_int(k) : rt_string_new((const uint8_t *)text, (uint64_t)snprintf(text, sizeof text, "%lld", (long long)k));
    int32_t e = rt_channel_send_ex(pipes[0], v, next(&x) % 3 == 0 ? 1000 : -1);
    if (e == RT_OK) __atomic_fetch_add(&sent, k, __ATOMIC_RELAXED);
    else CHECK(e == RT_E_TIMEOUT);
    rt_release(v);
  }
  return NULL;
}

static void *consumer(void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15ULL | 1;
  for (;;) {
    rt_value v;
    int32_t e = rt_channel_recv_ex(pipes[3], next(&x) % 3 == 0 ? 1000 : -1, &v);
    if (e == RT_E_CLOSED) return NULL;
    if (e == RT_E_TIMEOUT) continue;
    CHECK(e == RT_OK);
    int64_t k = rt_is_int(v) ? rt_as_int(v) : atoll((const char *)rt_string_data(v));
    __atomic_fetch_add(&received, k, __ATOMIC_RELAXED);
    rt_release(v);
  }
}

static void *waiter(void *p) { // futures of all kinds
  uint64_t x = (uint64_t)(uintptr_t)p * 0xd1b54a32d192ed03ULL | 1;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    rt_value a = rt_array_new(0), s = rt_string_new((const uint8_t *)"shared", 6);
    for (int i = 0; i < 8; i++) {
      rt_value f = rt_future_new(leaf, s);
      if (next(&x) % 2 == 0) rt_future_start(f);
      if (next(&x) % 8 == 0) rt_future_cancel(f);
      rt_array_push(a, f);
      rt_release(f);
    }
    rt_value r = next(&x) % 2 == 0 ? rt_future_all(a) : rt_future_race(a);
    CHECK(rt_type(r) == RT_T_ARRAY || rt_type(r) == RT_T_STRING || rt_last_error() == RT_E_FAILED);
    if (r != RT_NIL) rt_release(r);
    rt_release(a);
    rt_release(s);
    rt_value t = rt_future_new(tree, rt_int(5));
    if (next(&x) % 2 == 0) rt_future_start(t);
    CHECK(rt_future_await(t) == rt_int(32));
    rt_release(t);
    rt_value promise = rt_future_new(NULL, RT_NIL), v;
    CHECK(rt_future_await_ex(promise, 1000, &v) == RT_E_TIMEOUT);
    CHECK(rt_future_complete(promise, rt_int(1)) && !rt_future_complete(promise, rt_int(2)));
    CHECK(rt_future_await(promise) == rt_int(1));
    rt_release(promise);
    rt_value short_lived = rt_channel_new_cap(1 + (int64_t)(next(&x) % 3)); // its block is another's soon
    rt_channel_send(short_lived, rt_int(7));
    CHECK(rt_channel_recv(short_lived) == rt_int(7));
    rt_release(short_lived);
    CHECK(rt_channel_try_send(short_lived, rt_int(8)) == RT_E_HANDLE);
    if (next(&x) % 64 == 0) rt_collect();
  }
  return NULL;
}

static void torture(int seconds) {
  rt_value relays[3];
  for (int i = 0; i < 4; i++) pipes[i] = rt_channel_new_cap(1 + 7 * i);
  for (int i = 0; i < 3; i++) {
    rt_value ends = rt_array_new(2);
    rt_array_push(ends, pipes[i]);
    rt_array_push(ends, pipes[i + 1]);
    relays[i] = rt_future_new(relay, ends);
    rt_release(ends);
    CHECK(rt_future_start(relays[i]));
  }
  enum { EACH = 2 };
  pthread_t p[EACH], c[EACH], w[EACH];
  for (uintptr_t i = 0; i < EACH; i++) {
    pthread_create(&p[i], NULL, producer, (void *)(i + 1));
    pthread_create(&c[i], NULL, consumer, (void *)(i + 1));
    pthread_create(&w[i], NULL, waiter, (void *)(i + 1));
  }
  struct timespec d = {seconds, 0};
  nanosleep(&d, NULL);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < EACH; i++) pthread_join(p[i], NULL), pthread_join(w[i], NULL);
  CHECK(rt_channel_close(pipes[0])); // each relay closes the next one
  for (int i = 0; i < EACH; i++) pthread_join(c[i], NULL);
  int64_t n = -1;
  for (int i = 0; i < 3; i++) {
    rt_value v = rt_future_await(relays[i]);
    CHECK(rt_is_int(v) && (n < 0 || rt_as_int(v) == n));
    n = rt_as_int(v);
    rt_release(relays[i]);
  }
  CHECK(sent == received);
  for (int i = 0; i < 4; i++) rt_release(pipes[i]);
  none_left();
  printf("%lld through four channels, %lld bodies\n", (long long)n, (long long)ran);
  CHECK(rt_shutdown(-1) == 0);
}

// ---- blocked: n bodies wait at once ----
static int64_t arrived;

static rt_value blocks(rt_value channel) {
  __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
  return rt_channel_recv(channel);
}

static void blocked(int n) {
  rt_value ch = rt_channel_new(), *f = malloc((size_t)n * sizeof *f);
  long before = status("VmRSS"), threads = status("Threads"); // Go has some
  for (int i = 0; i < n; i++) {
    f[i] = rt_future_new(blocks, ch);
    CHECK(rt_future_start(f[i]));
  }
  until(&arrived, n);
  long kb = status("VmRSS") - before, more = status("Threads") - threads;
  CHECK(more <= 16);
  for (int i = 0; i < n; i++) CHECK(rt_channel_send(ch, rt_int(i)) == 1);
  int64_t sum = 0;
  for (int i = 0; i < n; i++) {
    sum += rt_as_int(rt_future_await(f[i]));
    rt_release(f[i]);
  }
  CHECK(sum == (int64_t)n * (n - 1) / 2);
  rt_release(ch);
  free(f);
  none_left();
  printf("%d blocked bodies: %ld more threads, %.1f kB each\n", n, more, (double)kb / n);
  CHECK(rt_shutdown(-1) == 0);
}

// ---- flight: the runtime stops with everything under way ----
static int64_t done, stopped;

static void *waits_for_ever(void *p) {
  rt_value v;
  int32_t e = (uintptr_t)p % 2 == 0 ? rt_channel_recv_ex(pipes[0], -1, &v) : rt_future_await_ex(pipes[1], -1, &v);
  if (e == RT_E_STOPPED) __atomic_fetch_add(&stopped, 1, __ATOMIC_RELAXED);
  return NULL;
}

static rt_value stubborn(rt_value unused) {
  (void)unused;
  __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) sched_yield();
  CHECK(rt_array_new(0) == RT_NIL && rt_last_error() == RT_E_STOPPED);
  CHECK(rt_channel_recv(pipes[0]) == RT_NIL);
  CHECK(rt_shutdown(0) == -1 && rt_last_error() == RT_E_STATE);
  __atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
  return RT_NIL;
}

static void flight(void) {
  for (int round = 0; round < 20; round++) {
    CHECK(rt_init() == RT_OK);
    arrived = stop = done = stopped = 0;
    pipes[0] = rt_channel_new();
    pipes[1] = rt_future_new(NULL, RT_NIL);
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, waits_for_ever, (void *)i);
    for (int i = 0; i < 50; i++) rt_future_start(rt_future_new(blocks, pipes[0])); // nobody lets them go
    for (int64_t end = now() + MINUTE; rt_count(pipes[0]) != 1 + 50 + 50 + 2 || rt_count(pipes[1]) != 1 + 2; sched_yield())
      CHECK(now() < end); // who waits counts what it waits for
    rt_value f = rt_future_new(stubborn, RT_NIL), v;
    rt_future_start(f);
    until(&arrived, 51);
    rt_value never = rt_future_new(leaf, RT_NIL);
    CHECK(rt_shutdown(1000000) == -2 && rt_last_error() == RT_E_TIMEOUT); // a body still computes
    CHECK(rt_init() == RT_E_STATE);
    CHECK(rt_future_await_ex(never, -1, &v) == RT_E_STOPPED);
    CHECK(done == 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    CHECK(rt_shutdown(-1) == 2 + 50 + 2);
    CHECK(done == 1);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    CHECK(stopped == 4);
    CHECK(rt_type(pipes[0]) == RT_T_NONE && !rt_release(f) && rt_array_new(0) == RT_NIL && rt_last_error() == RT_E_STOPPED);
    CHECK(rt_shutdown(-1) == -1 && rt_last_error() == RT_E_STOPPED);
  }
  printf("stopped in full flight 20 times\n");
}

// ---- again: rt_init and rt_shutdown n times ----
static void again(int n) {
  long kb = 0;
  for (int i = 0; i < n; i++) {
    if (i > 0) CHECK(rt_init() == RT_OK);
    rt_value a = rt_array_new(4), f = rt_future_new(leaf, a), ch = rt_channel_new_cap(4);
    rt_channel_send(ch, f);
    if (i % 8 == 0) rt_future_start(f);
    CHECK(rt_future_await(f) == a);
    CHECK(rt_shutdown(-1) == 3);
    CHECK(rt_array_len(a) == -1 && rt_channel_len(ch) == -1 && rt_future_is_ready(f) == 0);
    if (i == n / 5) kb = status("VmRSS");
  }
  kb = status("VmRSS") - kb;
  printf("%d times; %ld kB more than after the first fifth\n", n, kb);
  CHECK(kb < 4096);
}

// ---- child: a fork's child is told, and does not hang ----
static void child(void) {
  rt_value a = rt_array_new(4), ch = rt_channel_new(), f = rt_future_new(leaf, RT_NIL), v;
  rt_value started = rt_future_new(blocks, ch);
  rt_future_start(started);
  until(&arrived, 1);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
#define TOLD(x) CHECK((x) && rt_last_error() == RT_E_FORKED)
    TOLD(rt_array_len(a) == -1);
    TOLD(rt_array_new(4) == RT_NIL);
    TOLD(rt_string_new((const uint8_t *)"x", 1) == RT_NIL);
    TOLD(rt_channel_new() == RT_NIL);
    TOLD(rt_channel_send(ch, rt_int(1)) == 0);
    TOLD(rt_channel_recv(ch) == RT_NIL);
    TOLD(rt_future_await(f) == RT_NIL);
    TOLD(rt_future_await_ex(started, -1, &v) != RT_OK);
    TOLD(rt_future_new(leaf, RT_NIL) == RT_NIL);
    TOLD(rt_future_resolve(rt_int(1)) == RT_NIL);
    TOLD(!rt_release(a) && !rt_retain(a));
    TOLD(rt_collect() == -1 && rt_objects() == -1);
    TOLD(rt_init() == RT_E_FORKED);
    TOLD(rt_shutdown(-1) == -1);
    exit(0); // with what runs at the end of a process
  }
  int s;
  CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 0);
  CHECK(rt_channel_send(ch, rt_int(5)) == 1 && rt_future_await(started) == rt_int(5)); // the parent goes on
  CHECK(rt_shutdown(-1) == 4);
  printf("the child was told\n");
}

// ---- foreign: threads that come, use the runtime, and go ----
static void *visitor(void *p) {
  rt_value ch = *(rt_value *)p;
  rt_scope_push();
  rt_value s = rt_string_new((const uint8_t *)"visitor", 7);
  CHECK(rt_channel_send(ch, s) == 1);
  rt_value v = rt_channel_recv(ch); // somebody's; the scope has it
  CHECK(rt_string_len(v) == 7);
  rt_value f = rt_future_new(leaf, s);
  rt_future_start(f);
  CHECK(rt_string_len(rt_future_await(f)) == 7);
  return NULL; // the scope is still open
}

static void foreign(int n) {
  rt_value ch = rt_channel_new_cap(2);
  for (int i = 0; i < n; i++) {
    pthread_t t[4];
    for (int k = 0; k < 4; k++) CHECK(pthread_create(&t[k], NULL, visitor, &ch) == 0);
    for (int k = 0; k < 4; k++) pthread_join(t[k], NULL);
  }
  rt_release(ch);
  none_left();
  printf("%d threads came and went\n", 4 * n);
  CHECK(rt_shutdown(-1) == 0);
}

// ---- futures: each rule once ----
static rt_value awaits(rt_value context) { // the future that it is given in an array, so that it can be itself
  return rt_future_await(rt_array_get(context, 0));
}

static rt_value awaits_started(rt_value context) { // as awaits, but never runs the other itself
  rt_value v;
  int32_t e = rt_future_await_ex(rt_array_get(context, 0), MINUTE, &v);
  return e == RT_OK ? v : rt_int(1000 + e);
}

static rt_value slow(rt_value go) { // until somebody says so
  __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
  rt_value v = rt_channel_recv(go);
  return v;
}

static rt_value adds(rt_value n) {
  __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
  return rt_int(rt_as_int(n) + 1);
}

static rt_value takes_time(rt_value n) { // so that others come meanwhile
  __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 50; i++) sched_yield();
  return rt_int(rt_as_int(n) + 1);
}

static rt_value forgets(rt_value context) { // leaves a scope open, with an object in it, and gives one that is gone
  (void)context;
  rt_scope_push();
  return rt_array_new(3);
}

static rt_value deep(rt_value n) { // a chain of bodies that wait for one another
  if (rt_as_int(n) == 0) return rt_int(0);
  rt_value f = rt_future_new(deep, rt_int(rt_as_int(n) - 1)), v = rt_future_await(f);
  rt_release(f);
  return rt_int(rt_as_int(v) + 1);
}

static void *awaiter(void *p) {
  rt_value v = rt_future_await(*(rt_value *)p);
  __atomic_fetch_add(&sent, rt_as_int(v), __ATOMIC_RELAXED);
  return NULL;
}

static void waiting(rt_value v, int64_t count) { // who waits for an object counts it
  for (int64_t end = now() + MINUTE; rt_count(v) != count; sched_yield()) CHECK(now() < end);
}

static rt_value array_of(int n, const rt_value *v) { // takes the counts
  rt_value a = rt_array_new(n);
  for (int i = 0; i < n; i++) {
    CHECK(rt_array_push(a, v[i]));
    rt_release(v[i]);
  }
  return a;
}

static void awaited(void) {
  rt_value f = rt_future_new(adds, rt_int(4)), v;
  CHECK(rt_type(f) == RT_T_FUTURE && rt_future_is_ready(f) == 0 && ran == 0); // lazy
  CHECK(rt_future_await_ex(f, -1, &v) == RT_OK && v == rt_int(5) && rt_future_is_ready(f) == 1);
  CHECK(rt_future_await(f) == rt_int(5) && ran == 1); // once
  CHECK(!rt_future_complete(f, rt_int(1)) && rt_last_error() == RT_E_STATE && !rt_future_cancel(f));
  CHECK(rt_future_start(f) && ran == 1);
  rt_release(f);
  rt_value s = rt_string_new((const uint8_t *)"result", 6);
  f = rt_future_new(leaf, s);
  CHECK(rt_count(s) == 2);
  v = rt_future_await(f);
  CHECK(v == s && rt_count(s) == 3); // ours, the future's, the one that we got
  rt_release(v);
  rt_release(f);
  CHECK(rt_count(s) == 1);
  f = rt_future_resolve(s);
  CHECK(rt_count(s) == 2 && rt_future_is_ready(f) == 1 && rt_future_await(f) == s);
  rt_release(s);
  rt_release(f);
  f = rt_future_new(leaf, s); // lets its context go unused
  CHECK(rt_count(s) == 2);
  rt_release(f);
  CHECK(rt_count(s) == 1);
  rt_release(s);
  f = rt_future_new(forgets, RT_NIL);
  CHECK(rt_future_await(f) == RT_NIL && rt_scope_pop(RT_NIL) == RT_NIL && rt_last_error() == RT_E_STATE);
  rt_release(f);
  f = rt_future_new(deep, rt_int(3000));
  CHECK(rt_future_await(f) == rt_int(3000));
  rt_release(f);
  none_left();
}

static void shared(void) { // many wait for one: the body runs once
  for (int round = 0; round < 200; round++) {
    ran = sent = 0;
    rt_value f = rt_future_new(takes_time, rt_int(1));
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, awaiter, &f);
    rt_future_start(f);
    CHECK(rt_future_await(f) == rt_int(2));
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    CHECK(ran == 1 && sent == 8);
    waiting(f, 1); // a worker may be about to let it go
    rt_release(f);
  }
}

static void itself(void) {
  rt_value a = rt_array_new(1), f = rt_future_new(awaits, a), v;
  rt_array_push(a, f); // it waits for itself
  CHECK(rt_future_await(f) == RT_NIL);
  rt_array_clear(a);
  rt_release(f);
  f = rt_future_new(awaits, a);
  rt_array_push(a, f);
  CHECK(rt_future_start(f)); // on a worker too
  CHECK(rt_future_await_ex(f, MINUTE, &v) == RT_OK && v == RT_NIL);
  rt_array_clear(a);
  rt_release(f);
  rt_value b = rt_array_new(1), g = rt_future_new(awaits, b); // through another
  f = rt_future_new(awaits, a);
  rt_array_push(a, g);
  rt_array_push(b, f);
  CHECK(rt_future_start(f) && rt_future_start(g));
  CHECK(rt_future_await_ex(f, MINUTE, &v) == RT_OK && v == RT_NIL);
  CHECK(rt_future_await_ex(g, MINUTE, &v) == RT_OK && v == RT_NIL);
  rt_array_clear(a);
  rt_release(f);
  rt_release(g);
  enum { RING = 20 }; // through many, each on a strand of its own: one of them finds out, the others get its result
  rt_value ring[RING], to[RING];
  for (int i = 0; i < RING; i++) ring[i] = rt_future_new(awaits_started, to[i] = rt_array_new(1));
  for (int i = 0; i < RING; i++) {
    rt_array_push(to[i], ring[(i + 1) % RING]);
    rt_release(to[i]);
  }
  CHECK(rt_future_await_ex(ring[0], MINUTE, &v) == RT_OK && v == rt_int(1000 + RT_E_SELF));
  for (int i = 0; i < RING; i++) rt_release(ring[i]);
  rt_release(a);
  rt_release(b);
  none_left();
}

static void promised(void) {
  rt_value p = rt_future_new(NULL, RT_NIL), v = 0, why = rt_string_new((const uint8_t *)"why", 3);
  CHECK(rt_future_await_ex(p, 0, &v) == RT_E_TIMEOUT && v == RT_NIL);
  CHECK(rt_future_await_ex(p, 1000000, &v) == RT_E_TIMEOUT);
  CHECK(!rt_future_start(p) && rt_last_error() == RT_E_STATE);
  CHECK(rt_future_fail(p, why) && rt_count(why) == 2 && rt_future_is_ready(p) == 1);
  CHECK(rt_future_await_ex(p, -1, &v) == RT_E_FAILED && v == RT_NIL && rt_future_reason(p) == why);
  CHECK(rt_future_await(p) == RT_NIL && rt_last_error() == RT_E_FAILED);
  CHECK(!rt_future_complete(p, why) && rt_count(why) == 2);
  rt_release(p);
  CHECK(rt_count(why) == 1);
  pthread_t t;
  p = rt_future_new(NULL, RT_NIL);
  sent = 0;
  pthread_create(&t, NULL, awaiter, &p);
  waiting(p, 2);
  CHECK(rt_future_complete(p, rt_int(9)));
  pthread_join(t, NULL);
  CHECK(sent == 9);
  rt_release(p);
  rt_release(why);
}

static void cancelled(void) {
  rt_value s = rt_string_new((const uint8_t *)"context", 7), f = rt_future_new(leaf, s), v;
  ran = 0;
  CHECK(rt_future_cancel(f) && rt_count(s) == 1); // what it would have been lent is let go
  CHECK(rt_future_await_ex(f, -1, &v) == RT_E_CANCELLED && !rt_future_cancel(f) && rt_future_start(f));
  rt_release(f);
  rt_value go = rt_channel_new();
  f = rt_future_new(slow, go);
  CHECK(rt_future_start(f));
  for (int64_t end = now() + MINUTE; __atomic_load_n(&ran, __ATOMIC_ACQUIRE) != 1; sched_yield()) CHECK(now() < end);
  CHECK(rt_future_cancel(f)); // it goes on, and its result is let go
  CHECK(rt_future_await(f) == RT_NIL && rt_last_error() == RT_E_CANCELLED);
  CHECK(rt_channel_send(go, s) == 1);
  waiting(f, 1);
  waiting(s, 1);
  rt_release(f);
  rt_release(s);
  waiting(go, 1);
  rt_release(go);
  CHECK(ran == 1);
  f = rt_future_new(NULL, RT_NIL); // whoever waits wakes
  pthread_t t;
  pthread_create(&t, NULL, awaiter, &f);
  waiting(f, 2);
  CHECK(rt_future_cancel(f));
  pthread_join(t, NULL);
  rt_release(f);
}

static void dropped(void) { // the last handle goes while the body runs, and while it waits
  rt_value go = rt_channel_new(), f = rt_future_new(slow, go);
  ran = 0;
  CHECK(rt_future_start(f));
  for (int64_t end = now() + MINUTE; __atomic_load_n(&ran, __ATOMIC_ACQUIRE) != 1; sched_yield()) CHECK(now() < end);
  rt_release(f);
  CHECK(rt_channel_send(go, rt_int(1)) == 1);
  waiting(go, 1);
  CHECK(rt_count(f) <= 1); // the worker may be about to let it go
  rt_release(go);
}

static void of_many(void) {
  rt_value go = rt_channel_new(), s = rt_string_new((const uint8_t *)"plain", 5), v;
  rt_value failed = rt_future_new(NULL, RT_NIL);
  rt_future_fail(failed, RT_NIL);
  rt_retain(s);
  rt_retain(failed);
  rt_value a = array_of(5, (rt_value[]){rt_future_new(adds, rt_int(1)), failed, s, rt_future_new(slow, go), rt_future_resolve(rt_int(7))});
  CHECK(rt_future_all_ex(a, 1000000, &v) == RT_E_TIMEOUT && v == RT_NIL); // nobody told the slow one
  CHECK(rt_future_race_ex(a, -1, &v) == RT_OK && (v == rt_int(2) || v == s || v == rt_int(7)));
  rt_release(v);
  CHECK(rt_channel_send(go, rt_int(3)) == 1);
  v = rt_future_all(a);
  CHECK(rt_array_len(v) == 5 && rt_array_get(v, 0) == rt_int(2) && rt_array_get(v, 1) == RT_NIL && rt_array_get(v, 2) == s &&
        rt_array_get(v, 3) == rt_int(3) && rt_array_get(v, 4) == rt_int(7));
  rt_release(v);
  rt_release(a);
  a = rt_array_new(0);
  v = rt_future_all(a);
  CHECK(rt_array_len(v) == 0);
  rt_release(v);
  CHECK(rt_future_race(a) == RT_NIL && rt_last_error() == RT_E_EMPTY);
  rt_array_push(a, failed);
  CHECK(rt_future_race(a) == RT_NIL && rt_last_error() == RT_E_FAILED);
  rt_value first = rt_future_new(slow, go), second = rt_future_new(slow, go); // the first result, whoever gives it
  rt_array_push(a, first);
  rt_array_push(a, second);
  CHECK(rt_future_race_ex(a, 1000000, &v) == RT_E_TIMEOUT);
  CHECK(rt_channel_send(go, rt_int(11)) == 1);
  CHECK(rt_future_race(a) == rt_int(11));
  CHECK(rt_future_is_ready(first) + rt_future_is_ready(second) == 1); // the other goes on
  CHECK(rt_channel_send(go, rt_int(12)) == 1);
  CHECK(rt_as_int(rt_future_await(first)) + rt_as_int(rt_future_await(second)) == 23);
  rt_release(a);
  waiting(first, 1);
  waiting(second, 1);
  rt_release(first);
  rt_release(second);
  rt_release(failed);
  rt_release(s);
  waiting(go, 1);
  rt_release(go);
}

static void cycles(void) { // what only holds itself
  rt_value ch = rt_channel_new_cap(3), a = rt_array_new(1), f = rt_future_new(leaf, a), done_one = rt_future_resolve(ch);
  rt_array_push(a, ch);
  CHECK(rt_channel_send(ch, f) == 1 && rt_channel_send(ch, done_one) == 1);
  CHECK(rt_collect() == 0); // we hold it
  rt_value v = rt_channel_recv(ch); // and may use it
  CHECK(v == f && rt_channel_send(ch, v) == 1);
  rt_release(v);
  rt_release(ch);
  rt_release(a);
  rt_release(f);
  rt_release(done_one);
  CHECK(rt_objects() == 4 && rt_collect() == 4 && rt_objects() == 0);
  CHECK(rt_channel_len(ch) == -1);
  ch = rt_channel_new_cap(2); // frozen things go through, and a channel in them still works
  a = rt_array_new(1);
  rt_array_push(a, ch);
  CHECK(rt_freeze(a) && !rt_array_push(a, ch) && rt_channel_send(ch, a) == 1 && rt_channel_recv(ch) == a);
  rt_release(a);
  rt_release(a);
  rt_release(ch);
}

static void futures(void) {
  awaited();
  shared();
  itself();
  promised();
  cancelled();
  dropped();
  of_many();
  none_left();
  cycles();
  none_left();
  CHECK(rt_shutdown(-1) == 0);
  printf("futures are as documented\n");
}

// ---- timers: bodies that wait with a timeout, and threads that are blocked in C ----
static int64_t timed_out, in_time;

static rt_value times_out(rt_value context) { // [promise, nanoseconds]
  rt_value v;
  int32_t e = rt_future_await_ex(rt_array_get(context, 0), rt_as_int(rt_array_get(context, 1)), &v);
  CHECK(e == RT_OK || e == RT_E_TIMEOUT);
  __atomic_fetch_add(e == RT_OK ? &in_time : &timed_out, 1, __ATOMIC_RELAXED);
  return rt_int(now());
}

static rt_value sleeps(rt_value ns) { // as a body does that calls what it does not know
  struct timespec d = {0, rt_as_int(ns)};
  nanosleep(&d, NULL);
  return RT_NIL;
}

static void timers(int n) {
  uint64_t x = 88172645463325252ULL;
  rt_value never = rt_future_new(NULL, RT_NIL), soon = rt_future_new(NULL, RT_NIL), *f = malloc((size_t)n * sizeof *f);
  int64_t *due = malloc((size_t)n * sizeof *due);
  for (int i = 0; i < n; i++) {
    int64_t ns = i % 2 == 0 ? (int64_t)(next(&x) % 50000000) : MINUTE;
    rt_value context = rt_array_new(2);
    rt_array_push(context, i % 2 == 0 ? never : soon);
    rt_array_push(context, rt_int(ns));
    due[i] = now() + (i % 2 == 0 ? ns : 0);
    f[i] = rt_future_new(times_out, context);
    rt_release(context);
    CHECK(rt_future_start(f[i]));
  }
  for (int i = 0; i < n; i += 2) CHECK(rt_as_int(rt_future_await(f[i])) >= due[i]); // not too early
  CHECK(timed_out == (n + 1) / 2 && in_time == 0);
  CHECK(rt_future_complete(soon, RT_NIL));
  for (int i = 1; i < n; i += 2) CHECK(rt_is_int(rt_future_await(f[i])));
  CHECK(in_time == n / 2);
  for (int i = 0; i < n; i++) rt_release(f[i]);
  rt_release(never);
  rt_release(soon);
  free(due);
  rt_value a = rt_array_new(0); // others go on meanwhile: there are more threads than processors then
  for (int i = 0; i < 40; i++) {
    f[i] = rt_future_new(sleeps, rt_int(50000000));
    CHECK(rt_future_start(f[i]));
    rt_array_push(a, f[i]);
    rt_release(f[i]);
  }
  int64_t at = now();
  rt_release(rt_future_all(a));
  at = now() - at;
  rt_release(a);
  free(f);
  none_left();
  CHECK(rt_shutdown(-1) == 0);
  printf("%d timeouts; 40 bodies that slept 50 ms took %lld ms\n", n, (long long)(at / 1000000));
}

// ---- channels: each rule once ----
static void *drain(void *p) {
  rt_value v;
  while (rt_channel_recv_ex(*(rt_value *)p, -1, &v) == RT_OK) {
    __atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
    rt_release(v);
  }
  CHECK(rt_last_error() == RT_E_CLOSED);
  return NULL;
}

static void *fill(void *p) {
  CHECK(rt_channel_send_ex(*(rt_value *)p, rt_int(1), -1) == RT_E_CLOSED);
  return NULL;
}

static void channels(void) {
  for (int64_t cap = 1; cap <= 9; cap++) { // in order, at every place of the ring, and not one more than there is room for
    rt_value ch = rt_channel_new_cap(cap), v;
    CHECK(rt_channel_cap(ch) == cap && rt_channel_len(ch) == 0 && rt_channel_is_closed(ch) == 0);
    int64_t in = 0, out = 0;
    for (int round = 0; round < 40; round++) {
      for (int64_t n = 1 + round % cap; in - out < n; in++) CHECK(rt_channel_try_send(ch, rt_int(in)) == RT_OK);
      CHECK(rt_channel_len(ch) == in - out);
      if (in - out == cap) {
        CHECK(rt_channel_try_send(ch, rt_int(0)) == RT_E_TIMEOUT);
        CHECK(rt_channel_send_ex(ch, rt_int(0), 1000000) == RT_E_TIMEOUT);
      }
      for (int64_t n = round % 3; in - out > n; out++) CHECK(rt_channel_recv(ch) == rt_int(out));
    }
    for (; out < in; out++) CHECK(rt_channel_recv(ch) == rt_int(out));
    CHECK(rt_channel_try_recv(ch, &v) == RT_E_TIMEOUT && v == RT_NIL && rt_channel_recv_ex(ch, 1000000, &v) == RT_E_TIMEOUT);
    CHECK(rt_channel_try_send(ch, rt_int(5)) == RT_OK);
    CHECK(rt_channel_close(ch) && rt_channel_is_closed(ch) == 1 && !rt_channel_close(ch) && rt_last_error() == RT_E_CLOSED);
    CHECK(rt_channel_send(ch, rt_int(6)) == 0 && rt_last_error() == RT_E_CLOSED);
    CHECK(rt_channel_recv(ch) == rt_int(5)); // what is in it comes out
    CHECK(rt_channel_recv(ch) == RT_NIL && rt_last_error() == RT_E_CLOSED);
    rt_release(ch);
    CHECK(rt_channel_recv(ch) == RT_NIL && rt_last_error() == RT_E_HANDLE && rt_channel_is_closed(ch) == 1);
  }
  CHECK(rt_channel_new_cap(0) == RT_NIL && rt_last_error() == RT_E_SIZE && rt_channel_new_cap((1 << 20) + 1) == RT_NIL);
  rt_value ch = rt_channel_new_cap(1 << 20);
  CHECK(rt_channel_cap(ch) == 1 << 20);
  rt_release(ch);

  rt_value s = rt_string_new((const uint8_t *)"counted", 7), v;
  ch = rt_channel_new();
  CHECK(rt_channel_cap(ch) == 256 && rt_channel_send(ch, s) == 1 && rt_count(s) == 2);
  v = rt_channel_recv(ch);
  CHECK(v == s && rt_count(s) == 2); // the channel's count is ours now
  rt_release(v);
  CHECK(rt_channel_send(ch, s) == 1 && rt_channel_send(ch, s) == 1 && rt_count(s) == 3);
  rt_release(ch); // with all that is in it
  CHECK(rt_count(s) == 1);
  CHECK(rt_channel_send(ch, s) == 0 && rt_count(s) == 1);
  rt_scope_push();
  ch = rt_channel_new();
  CHECK(rt_channel_send(ch, s) == 1 && rt_channel_recv(ch) == s && rt_count(s) == 2);
  rt_scope_pop(RT_NIL); // has the count that recv gave
  CHECK(rt_count(s) == 1 && rt_type(ch) == RT_T_NONE);
  rt_release(s);

  ch = rt_channel_new_cap(1); // a close wakes all that wait, on both sides
  pthread_t t[4];
  received = 0;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, drain, &ch);
  waiting(ch, 5);
  CHECK(rt_channel_send(ch, rt_int(1)) == 1);
  CHECK(rt_channel_close(ch));
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  CHECK(received == 1);
  rt_release(ch);
  ch = rt_channel_new_cap(1);
  CHECK(rt_channel_send(ch, rt_int(1)) == 1);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, fill, &ch);
  waiting(ch, 5);
  CHECK(rt_channel_close(ch));
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  rt_release(ch);
  CHECK(rt_objects() == 0 && rt_shutdown(-1) == 0);
  printf("channels are as documented\n");
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  int n = argc > 2 ? atoi(argv[2]) : 1;
  CHECK(rt_init() == RT_OK);
  if (strcmp(part, "torture") == 0) torture(n);
  else if (strcmp(part, "futures") == 0) futures();
  else if (strcmp(part, "channels") == 0) channels();
  else if (strcmp(part, "timers") == 0) timers(n);
  else if (strcmp(part, "blocked") == 0) blocked(n);
  else if (strcmp(part, "flight") == 0) flight();
  else if (strcmp(part, "again") == 0) again(n);
  else if (strcmp(part, "child") == 0) child();
  else if (strcmp(part, "foreign") == 0) foreign(n);
  else return 2;
  return 0;
}
