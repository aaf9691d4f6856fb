// A host that does what the header asks nobody to do, from many threads at once, at the wrong time, and in the wrong place:
// hostile CASE. Each call has an answer; none faults, hangs, or leaves anything behind.
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static bool small(void) { return getenv("RT_TEST_SMALL") != NULL; } // under a checker

static void at_once(int n, void *(*fn)(void *), void *arg) { // n threads
  pthread_t t[16];
  for (int i = 0; i < n; i++) CHECK(pthread_create(&t[i], NULL, fn, arg) == 0);
  for (int i = 0; i < n; i++) CHECK(pthread_join(t[i], NULL) == 0);
}

static void ended(int64_t objects) {
  CHECK(rt_shutdown(-1) == objects);
  CHECK(rt_array_new(0) == RT_NIL && rt_last_error() == RT_E_STOPPED);
}

// ---- A channel that three threads close while others wait at both of its ends ----
static rt_value ch;
static pthread_barrier_t go;
static atomic_int closes, refusals, ends, sends, gots;

static void *closer(void *p) {
  (void)p;
  pthread_barrier_wait(&go);
  if (rt_channel_close(ch)) closes++;
  else if (rt_last_error() == RT_E_CLOSED) refusals++;
  return NULL;
}

static void *receiver(void *p) {
  (void)p;
  rt_value v;
  int32_t e;
  pthread_barrier_wait(&go);
  while ((e = rt_channel_recv_ex(ch, -1, &v)) == RT_OK) gots++;
  if (e == RT_E_CLOSED && v == RT_NIL) ends++;
  return NULL;
}

static void *sender(void *p) {
  (void)p;
  int32_t e;
  pthread_barrier_wait(&go);
  while ((e = rt_channel_send_ex(ch, rt_int(1), -1)) == RT_OK) sends++;
  if (e == RT_E_CLOSED) ends++;
  return NULL;
}

static void closed_by_three(void) {
  CHECK(rt_init() == RT_OK);
  for (int round = small() ? 50 : 300; round > 0; round--) {
    closes = refusals = ends = sends = gots = 0;
    ch = rt_channel_new_cap(1 + round % 3);
    CHECK(pthread_barrier_init(&go, NULL, 9) == 0);
    pthread_t t[9];
    for (int i = 0; i < 9; i++) CHECK(pthread_create(&t[i], NULL, i < 3 ? closer : i < 6 ? receiver : sender, NULL) == 0);
    for (int i = 0; i < 9; i++) CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(closes == 1 && refusals == 2 && ends == 6 && sends == gots && rt_channel_len(ch) == 0);
    pthread_barrier_destroy(&go);
    rt_release(ch);
  }
  ended(0);
}

// ---- Futures that end in three ways at once while others wait for all of them, and for one ----
enum { FUTURES = 6 };
static rt_value futures[FUTURES];
static atomic_int settled;

static void *settles(void *p) {
  (void)p;
  pthread_barrier_wait(&go);
  for (int i = 0; i < FUTURES; i++) settled += rt_future_cancel(futures[i]);
  return NULL;
}

static void *fails(void *p) {
  (void)p;
  pthread_barrier_wait(&go);
  for (int i = FUTURES; i-- > 0;) settled += rt_future_fail(futures[i], rt_int(i));
  return NULL;
}

static void *completes(void *p) {
  (void)p;
  pthread_barrier_wait(&go);
  for (int i = 0; i < FUTURES; i++) settled += rt_future_complete(futures[i], rt_int(i));
  return NULL;
}

static void *waits_all(void *array) {
  pthread_barrier_wait(&go);
  rt_value v = rt_future_all(*(rt_value *)array);
  CHECK(rt_array_len(v) == FUTURES);
  for (int i = 0; i < FUTURES; i++) CHECK(rt_array_get(v, i) == rt_int(i) || rt_array_get(v, i) == RT_NIL);
  rt_release(v);
  return NULL;
}

static void *waits_one(void *array) {
  pthread_barrier_wait(&go);
  rt_value v;
  int32_t e = rt_future_race_ex(*(rt_value *)array, -1, &v);
  CHECK(e == RT_OK ? rt_is_int(v) : e == RT_E_FAILED && v == RT_NIL);
  return NULL;
}

static void cancelled_under_all(void) {
  static void *(*const who[])(void *) = {settles, fails, completes, waits_all, waits_all, waits_one, waits_one};
  enum { WHO = sizeof who / sizeof *who };
  CHECK(rt_init() == RT_OK);
  for (int round = small() ? 50 : 300; round > 0; round--) {
    rt_value array = rt_array_new(FUTURES);
    settled = 0;
    for (int i = 0; i < FUTURES; i++) {
      futures[i] = rt_future_new(NULL, RT_NIL);
      CHECK(rt_array_push(array, futures[i]));
    }
    CHECK(pthread_barrier_init(&go, NULL, WHO) == 0);
    pthread_t t[WHO];
    for (int i = 0; i < WHO; i++) CHECK(pthread_create(&t[i], NULL, who[i], &array) == 0);
    for (int i = 0; i < WHO; i++) CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(settled == FUTURES); // each by one of them
    pthread_barrier_destroy(&go);
    for (int i = 0; i < FUTURES; i++) CHECK(rt_future_is_ready(futures[i]) == 1 && rt_release(futures[i]));
    rt_release(array);
  }
  ended(0);
}

// ---- Numbers past 31, 32 and 63 bits, where the header is inline ----
static void numbers_too_large(void) {
  CHECK(rt_init() == RT_OK);
  static const int64_t n[] = {2, -3, 1LL << 31, -(1LL << 31), 1LL << 32, 1LL << 32 | 1, 1LL << 60, 1LL << 61, INT64_MAX, INT64_MIN, INT64_MIN + 1};
  rt_value a = rt_array_new(2), t = rt_tuple_new(2), o = rt_object_new(1, 2), c = rt_closure_new(NULL, 2), s = text("ab");
  rt_value g = rt_generator_new(NULL, 2, RT_NIL);
  rt_array_push(a, RT_TRUE);
  rt_array_push(a, RT_TRUE);
#define REFUSED(x, none, why) CHECK(rt_release(RT_RESET) == false && (x) == (none) && rt_last_error() == (why))
#define RT_RESET ((rt_value)1)
  for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
    uint64_t u = (uint64_t)n[i];
    REFUSED(rt_array_get(a, n[i]), RT_NIL, RT_E_INDEX);
    REFUSED(rt_array_set(a, n[i], RT_TRUE), false, RT_E_INDEX);
    REFUSED(rt_tuple_get(t, u), RT_NIL, RT_E_INDEX);
    REFUSED(rt_tuple_set(t, u, RT_TRUE), false, RT_E_INDEX);
    REFUSED(rt_generator_get_slot(g, n[i]), RT_NIL, RT_E_INDEX);
    REFUSED(rt_generator_set_slot(g, n[i], RT_TRUE), false, RT_E_INDEX);
    if ((uint32_t)u >= 2) {
      REFUSED(rt_object_field_get(o, (uint32_t)u), RT_NIL, RT_E_INDEX);
      REFUSED(rt_object_field_set(o, (uint32_t)u, RT_TRUE), false, RT_E_INDEX);
      REFUSED(rt_closure_get_capture(c, (uint32_t)u), RT_NIL, RT_E_INDEX);
      REFUSED(rt_closure_set_capture(c, (uint32_t)u, RT_TRUE), false, RT_E_INDEX);
    }
    if (n[i] != 2) {
      REFUSED(rt_array_new(n[i]), RT_NIL, RT_E_SIZE);
      REFUSED(rt_tuple_new(u), RT_NIL, RT_E_SIZE);
      REFUSED(rt_string_new((const uint8_t *)"x", u), RT_NIL, RT_E_SIZE);
      REFUSED(rt_dict_new(n[i]), RT_NIL, RT_E_SIZE);
      REFUSED(rt_channel_new_cap(n[i]), RT_NIL, RT_E_SIZE);
      REFUSED(rt_generator_new(NULL, n[i], RT_NIL), RT_NIL, RT_E_SIZE);
      REFUSED(rt_generator_new_co(NULL, n[i], RT_NIL), RT_NIL, RT_E_SIZE);
      REFUSED(rt_actor_spawn_cap(NULL, RT_NIL, n[i]), RT_NIL, RT_E_SIZE);
      REFUSED(rt_actor_spawn_handler_cap(NULL, RT_NIL, n[i]), RT_NIL, RT_E_SIZE);
    }
    CHECK(rt_as_int(rt_int(n[i])) == (int64_t)(u << 3) >> 3);
  }
  REFUSED(rt_object_new(1, UINT32_MAX), RT_NIL, RT_E_SIZE);
  REFUSED(rt_object_new(1, 1u << 31), RT_NIL, RT_E_SIZE);
  REFUSED(rt_closure_new(NULL, UINT32_MAX), RT_NIL, RT_E_SIZE);
  REFUSED(rt_closure_new(NULL, 1u << 31), RT_NIL, RT_E_SIZE);
  CHECK(rt_array_get(a, -2) == RT_TRUE && rt_array_get(a, 1) == RT_TRUE && rt_array_len(a) == 2 && rt_string_len(s) == 2);
  CHECK(rt_site_text(UINT32_MAX) != NULL && rt_error_text(INT32_MIN) != NULL && rt_error_text(INT32_MAX) != NULL);
  ended(6);
}

// ---- Eight threads that start the runtime at once, and use it ----
static void *starts(void *p) {
  (void)p;
  pthread_barrier_wait(&go);
  CHECK(rt_init() == RT_OK);
  rt_value a = rt_array_new(1);
  CHECK(rt_array_push(a, rt_int(7)) && rt_array_len(a) == 1 && rt_array_get(a, 0) == rt_int(7));
  CHECK(rt_init() == RT_OK); // beside those who use it
  CHECK(rt_release(a) && rt_array_len(a) == -1 && rt_last_error() == RT_E_HANDLE);
  return NULL;
}

static void started_by_eight(void) {
  for (int round = 0; round < 20; round++) {
    CHECK(pthread_barrier_init(&go, NULL, 8) == 0);
    at_once(8, starts, NULL);
    pthread_barrier_destroy(&go);
    ended(0);
  }
}

// ---- Every function, with any words ----
// What a function takes, a letter for each parameter: v a value, n a number, w a time to wait, p what is written to, s bytes
// of which a number follows, c text, x anything, b and t functions. The test writes the table from the header.
typedef uint64_t (*function)(uint64_t, uint64_t, uint64_t, uint64_t);
static const struct any {
  const char *name;
  function fn;
  const char *takes;
} every[] = {
#define F(name, takes) {#name, (function)(uintptr_t)name, takes},
#include "functions.h"
#undef F
};
enum { EVERY = sizeof every / sizeof *every, POOL = 64 };

static _Atomic rt_value pool[POOL];
static atomic_ullong seeds;
static atomic_bool over;
static atomic_int gone;
static __thread uint64_t dice;

static __attribute__((noinline)) uint64_t any(uint64_t n) { // a body goes on on another thread
  if (dice == 0) dice = (++seeds * 0x9e3779b97f4a7c15ULL) | 1;
  dice ^= dice << 13;
  dice ^= dice >> 7;
  dice ^= dice << 17;
  return (dice >> 11) % n;
}

static uint64_t any_word(void) {
  static const rt_value odd[] = {0, 1, 3, 4, 5, 7, 8, 9, 11, 19, 0xdeadbee9, 0x7ffffffffffffff9, 1ULL << 63, ~0ULL, 2, 0x8000000000000002};
  rt_value v = pool[any(POOL)];
  switch (any(16)) {
  case 0: return odd[any(sizeof odd / sizeof *odd)];
  case 1: return v + (1ULL << 36); // the slot's next object
  case 2: return v ^ any(32) << 31; // another type
  case 3: return v ^ any(64) << 3;  // another slot
  }
  return v;
}

// likely_word is what the function is about, as its name says, where there is one.
static uint64_t likely_word(const char *name) {
  static const struct {
    const char *about;
    uint64_t type;
  } all[] = {{"rt_array", RT_T_ARRAY},     {"rt_tuple", RT_T_TUPLE},     {"rt_string", RT_T_STRING},       {"rt_dict", RT_T_DICT},
             {"rt_object", RT_T_OBJECT},   {"rt_closure", RT_T_CLOSURE}, {"rt_enum", RT_T_ENUM},           {"rt_unique", RT_T_UNIQUE},
             {"rt_future", RT_T_FUTURE},   {"rt_channel", RT_T_CHANNEL}, {"rt_generator", RT_T_GENERATOR}, {"rt_actor", RT_T_ACTOR},
             {"rt_async_file", RT_T_FILE}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (strncmp(name, all[i].about, strlen(all[i].about)) != 0) continue;
    uint64_t from = any(POOL);
    for (uint64_t j = 0; j < POOL; j++) {
      rt_value v = pool[(from + j) % POOL];
      if ((v & 7) == 1 && (v >> 31 & 31) == all[i].type) return v;
    }
  }
  return any_word();
}

static rt_value acts(rt_value v);
static void task(rt_value v, rt_value msg) {
  (void)msg;
  acts(v);
}

// calls calls one of them, with memory that it may write to.
static void calls(const struct any *f) {
  static const int64_t numbers[] = {0, 1, 2, 3, 5, 8, 63, 1000, -1, -2, -100, 1LL << 31, 1LL << 32, (1LL << 32) + 1, 1LL << 61, INT64_MAX, INT64_MIN};
  static const int64_t times[] = {0, 1, 1000, 100000, -1};
  uint64_t arg[4] = {0}, memory[1024] = {0};
  for (size_t i = 0; f->takes[i] != 0; i++) {
    switch (f->takes[i]) {
    case 'v': arg[i] = i == 0 && any(4) != 0 ? likely_word(f->name) : any_word(); break;
    case 'n': arg[i] = (uint64_t)numbers[any(sizeof numbers / sizeof *numbers)]; break;
    case 'w': arg[i] = (uint64_t)times[any(5)]; break;
    case 'p': memory[any(1024)] = any_word(), arg[i] = (uint64_t)(uintptr_t)memory; break;
    case 's': arg[i] = (uint64_t)(uintptr_t)memory; break;
    case 'c': arg[i] = (uint64_t)(uintptr_t)f->name; break;
    case 'x': arg[i] = (uint64_t)(uintptr_t)&pool; break;
    case 'b': arg[i] = any(8) == 0 ? 0 : (uint64_t)(uintptr_t)acts; break;
    case 't': arg[i] = any(8) == 0 ? 0 : (uint64_t)(uintptr_t)task; break;
    default: CHECK(!"a letter that nobody knows");
    }
  }
  rt_value v = f->fn(arg[0], arg[1], arg[2], arg[3]);
  if (rt_type(v) != RT_T_NONE) pool[any(POOL)] = v; // whoever had that place loses what was there
}

static rt_value acts(rt_value v) { // a body, of whatever it is
  for (int i = 0; i < 3; i++) calls(&every[any(EVERY)]);
  if (any(2) == 0) rt_generator_yield(v, any_word());
  return any_word();
}

static void *storms(void *p) {
  (void)p;
  while (!over) {
    calls(&every[any(EVERY)]);
    if (any(200) == 0) rt_init();
  }
  gone++;
  return NULL;
}

// Ends n threads that storm: those that wait are told, also when one of them began it all again.
static void calm(int n, const pthread_t *t) {
  over = true;
  EVENTUALLY((rt_shutdown(-1), gone == n));
  for (int i = 0; i < n; i++) CHECK(pthread_join(t[i], NULL) == 0);
  rt_shutdown(-1);
}

static void fill(void) {
  for (int i = 0; i < POOL; i++) {
    rt_value v[] = {rt_array_new(2), rt_tuple_new(3), rt_dict_new(2), text("."), rt_object_new(1, 2), rt_closure_new(NULL, 2), rt_channel_new_cap(2),
                    rt_enum_new(1, 2, RT_NIL), rt_unique_new(RT_NIL), rt_float(1e300), rt_future_new(acts, RT_NIL), rt_future_new(NULL, RT_NIL),
                    rt_generator_new(acts, 2, RT_NIL), rt_generator_new_co(acts, 2, RT_NIL), rt_actor_spawn_handler(task, RT_NIL), rt_actor_spawn(NULL, RT_NIL)};
    pool[i] = v[i % 16];
    for (int j = 0; j < 16; j++)
      if (j != i % 16) rt_release(v[j]);
  }
}

// Threads and bodies call everything, with any words, while the runtime stops and begins again.
static void stopped_in_a_storm(void) {
#ifdef __SANITIZE_THREAD__
  return; // it sees neither what Go's half orders nor that what was read of a string that died meanwhile is thrown away
#endif
  pthread_t t[4];
  CHECK(rt_init() == RT_OK);
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, storms, NULL) == 0);
  for (int round = small() ? 60 : 400; round > 0; round--) {
    fill();
    struct timespec d = {0, (long)any(3000000)};
    nanosleep(&d, NULL);
    int64_t left = rt_shutdown(round % 4 == 0 ? 1000 : -1);
    CHECK(left >= 0 || rt_last_error() == (left == -2 ? RT_E_TIMEOUT : RT_E_STOPPED));
    if (left == -2) CHECK(rt_shutdown(-1) >= 0 || rt_last_error() == RT_E_STOPPED);
    int32_t e = rt_init();
    CHECK(e == RT_OK);
  }
  calm(4, t);
  CHECK(rt_init() == RT_OK);
  rt_shutdown(-1);
  CHECK(rt_init() == RT_OK && rt_objects() == 0 && rt_collect() == 0);
  rt_value a = rt_array_new(1);
  CHECK(rt_array_push(a, a) && rt_array_len(a) == 1);
  ended(1);
}

// ---- Every function, when nothing may answer ----
static int32_t why;

static void *nothing_works(void *p) {
  (void)p;
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < EVERY; i++) {
      if (strncmp(every[i].name, "rt_scope", 8) == 0) continue; // the thread's own
      calls(&every[i]); // nobody waits, not even for ever
    }
    CHECK(rt_array_new(0) == RT_NIL && rt_last_error() == why);
    CHECK(rt_future_new(acts, RT_NIL) == RT_NIL && rt_last_error() == why);
    CHECK(rt_objects() == -1 && rt_last_error() == why);
  }
  for (int i = 0; i < POOL; i++) CHECK(rt_type(pool[i]) == RT_T_NONE);
  return NULL;
}

static void end_of_process(void) {
  CHECK(rt_shutdown(0) == -1 && rt_last_error() == why);
  nothing_works(NULL);
  if (why == RT_E_STOPPED) {
    puts("ok after_the_end");
    fflush(stdout);
  }
  _exit(0);
}

// After the end: on this thread, on one that is new, and where a process ends.
static void after_the_end(void) {
  CHECK(rt_init() == RT_OK);
  fill();
  CHECK(rt_shutdown(-1) > 0);
  why = RT_E_STOPPED;
  nothing_works(NULL);
  at_once(2, nothing_works, NULL);
  CHECK(atexit(end_of_process) == 0);
  exit(0);
}

// Before the beginning.
static void before_the_beginning(void) {
  for (int i = 0; i < POOL; i++) pool[i] = any(~0ULL) | 1;
  why = RT_E_STOPPED;
  nothing_works(NULL);
  at_once(2, nothing_works, NULL);
  CHECK(rt_shutdown(-1) == -1 && rt_last_error() == RT_E_STOPPED);
  CHECK(rt_init() == RT_OK);
  ended(0);
}

// In a fork's child, which comes while threads are in the middle of everything: with whatever locks they hold.
static void child_of_a_storm(void) {
  if (small()) return; // a sanitizer's own allocator may not come along
  pthread_t t[3];
  CHECK(rt_init() == RT_OK);
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&t[i], NULL, storms, NULL) == 0);
  for (int round = 20; round > 0; round--) {
    fill();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      alarm(120);
      why = RT_E_FORKED;
      nothing_works(NULL);
      end_of_process();
    }
    int s;
    CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 0);
    rt_shutdown(-1); // those who wait go on
    rt_init();
  }
  calm(3, t);
}

// ---- Where a thread, and the process, ends ----
static pthread_key_t key;

static void thread_ends(void *p) { // before or after the library's own
  (void)p;
  rt_value a = rt_array_new(1);
  CHECK(rt_array_push(a, rt_int(1)) && rt_array_len(a) == 1 && rt_objects() >= 1);
  CHECK(rt_scope_push() >= 1 && rt_string_len(text("of the scope")) == 12);
  CHECK(rt_scope_pop(RT_NIL) == RT_NIL && rt_release(a));
}

static void *comes_and_goes(void *p) {
  CHECK(pthread_setspecific(key, p) == 0);
  thread_ends(NULL);
  rt_scope_push();
  rt_array_new(1); // the scope is still open when it goes
  return NULL;
}

static void where_threads_end(void) {
  CHECK(pthread_key_create(&key, thread_ends) == 0);
  CHECK(rt_init() == RT_OK);
  for (int i = 0; i < 10; i++) at_once(4, comes_and_goes, &key);
  CHECK(pthread_key_delete(key) == 0 && pthread_key_create(&key, thread_ends) == 0); // now after the library's
  for (int i = 0; i < 10; i++) at_once(4, comes_and_goes, &key);
  EVENTUALLY(rt_objects() == 0);
  ended(0);
}

static void exits(void) {
  thread_ends(NULL);
  CHECK(rt_shutdown(-1) == -1 && rt_last_error() == RT_E_STATE); // it is that of a body, which is under way
  puts("ok exit_of_a_body");
  fflush(stdout);
}

static rt_value exits_here(rt_value v) {
  (void)v;
  exit(0);
}

static void exit_of_a_body(void) {
  CHECK(rt_init() == RT_OK && atexit(exits) == 0);
  rt_value f = rt_future_new(exits_here, RT_NIL);
  CHECK(rt_future_start(f));
  rt_future_await(f);
  for (;;) pause();
}

static const struct test all[] = {
    {"closed_by_three", closed_by_three},
    {"cancelled_under_all", cancelled_under_all},
    {"numbers_too_large", numbers_too_large},
    {"started_by_eight", started_by_eight},
    {"stopped_in_a_storm", stopped_in_a_storm},
    {"before_the_beginning", before_the_beginning},
    {"after_the_end", after_the_end},
    {"child_of_a_storm", child_of_a_storm},
    {"where_threads_end", where_threads_end},
    {"exit_of_a_body", exit_of_a_body},
};

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (strcmp(name, "list") == 0) puts(all[i].name);
    if (strcmp(name, all[i].name) != 0) continue;
    all[i].run();
    printf("ok %s\n", name);
  }
  return 0;
}
