// Actors from C: what the original could not do. Its fifteen cases are the audit's.
#include "check.h"

static atomic_llong counter;
static atomic_bool flag, gate;

// Stands still until the gate is open, without holding a worker for long.
static void until_open(void) { EVENTUALLY(gate); }

static void counting_actor(rt_value ctx) {
  (void)ctx;
  counter++;
}

static void nothing(rt_value ctx) { (void)ctx; }

static void waits_at_gate(rt_value ctx) {
  (void)ctx;
  until_open();
}

// ---- Bodies ----
static void pong(rt_value ctx) { // answers each number with the next, to the actor that is its context
  for (rt_value m; (m = rt_actor_recv()) != RT_NIL;) CHECK(rt_actor_send(ctx, rt_int(rt_as_int(m) + 1)) == 1);
}

static void ping(rt_value ctx) {
  rt_value other = rt_actor_spawn(pong, rt_actor_self());
  int64_t n = rt_as_int(ctx), x = 0;
  while (x < n) {
    CHECK(rt_actor_send(other, rt_int(x)) == 1);
    rt_value m = rt_actor_recv();
    CHECK(m == rt_int(x + 1));
    x++;
  }
  CHECK(rt_actor_stop(other) == 1 && rt_actor_join(other) == 1 && rt_release(other));
  counter = x;
}

static void ping_pong(void) {
  counter = 0;
  rt_value a = rt_actor_spawn(ping, rt_int(2000));
  CHECK(rt_actor_join(a) == 1 && counter == 2000);
  rt_release(a);
}

static void relay(rt_value ctx) { // passes each message on, and what follows the last one too
  (void)ctx;
  rt_value to = rt_actor_recv();
  for (rt_value m; (m = rt_actor_recv()) != RT_NIL;) {
    if (rt_as_int(m) == 0) {
      flag = true;
      break;
    }
    if (rt_actor_send(to, rt_int(rt_as_int(m) - 1)) == 0) break;
  }
  rt_release(to);
}

static int hops = 10000;

static void ring(void) {
  enum { N = 1000 };
  flag = false;
  static rt_value a[N];
  for (int i = 0; i < N; i++) a[i] = rt_actor_spawn(relay, RT_NIL);
  for (int i = 0; i < N; i++) CHECK(rt_actor_send(a[i], a[(i + 1) % N]) == 1);
  CHECK(rt_actor_send(a[0], rt_int(hops)) == 1);
  EVENTUALLY(flag);
  for (int i = 0; i < N; i++) rt_actor_stop(a[i]);
  for (int i = 0; i < N; i++) CHECK(rt_actor_join(a[i]) == 1 && rt_release(a[i]));
}

static void objects_are_passed(void) { // messages are counted by the mailbox and owned by who receives them
  rt_value a = rt_actor_spawn_cap(nothing, RT_NIL, 4);
  rt_actor_join(a);
  rt_value m = text("message");
  CHECK(rt_actor_send(a, m) == 0 && rt_count(m) == 1);
  rt_release(a);
  gate = false;
  a = rt_actor_spawn(waits_at_gate, RT_NIL);
  CHECK(rt_actor_send(a, m) == 1 && rt_count(m) == 2 && rt_actor_pending(a) == 1);
  gate = true;
  CHECK(rt_actor_join(a) == 1 && rt_actor_pending(a) == 0);
  EVENTUALLY(rt_count(m) == 1); // unread: it was let go with the actor
  rt_release(m);
  rt_release(a);
}

static void forever(rt_value ctx) {
  (void)ctx;
  for (rt_value m; (m = rt_actor_recv()) != RT_NIL;) rt_release(m);
  counter++;
}

static void receives_in_a_scope(rt_value ctx) {
  (void)ctx;
  CHECK(rt_scope_push() == 1);
  rt_value m = rt_actor_recv();
  CHECK(is_text(m, "message") && rt_scope_pop(RT_NIL) == RT_NIL);
  counter++;
}

static void messages_in_a_scope(void) {
  counter = 0;
  rt_value a = rt_actor_spawn(receives_in_a_scope, RT_NIL), m = text("message");
  CHECK(rt_actor_send(a, m) == 1 && rt_actor_join(a) == 1 && counter == 1 && rt_count(m) == 1);
  rt_release(m);
  rt_release(a);
}

static void abandoned_body(void) { // nobody can send to it any more: its recv says so
  counter = 0;
  for (int i = 0; i < 100; i++) CHECK(rt_release(rt_actor_spawn(forever, RT_NIL)));
  EVENTUALLY(counter == 100);
}

static void stop_in_flight(void) {
  for (int i = 0; i < 200; i++) {
    counter = 0;
    rt_value a = rt_actor_spawn(forever, RT_NIL), m = text("in flight");
    int sent = 0;
    for (int j = 0; j < 10; j++) sent += (int)rt_actor_send(a, m);
    CHECK(sent == 10 && rt_actor_stop(a) == 1 && rt_actor_stop(a) == 0 && rt_last_error() == RT_E_CLOSED);
    CHECK(rt_actor_send(a, m) == 0 && rt_last_error() == RT_E_CLOSED);
    CHECK(rt_actor_join(a) == 1 && counter == 1 && rt_actor_death_reason(a) == RT_ACTOR_STOPPED);
    EVENTUALLY(rt_count(m) == 1);
    rt_release(m);
    rt_release(a);
  }
}

static void joins_itself(rt_value ctx) {
  (void)ctx;
  rt_value me = rt_actor_self();
  CHECK(rt_actor_join(me) == 0 && rt_last_error() == RT_E_SELF);
  CHECK(rt_actor_is_alive(me) == 1);
  for (int i = 0; i < 2; i++) CHECK(rt_actor_send(me, rt_int(i)) == 1);
  CHECK(rt_actor_send(me, rt_int(2)) == 0 && rt_last_error() == RT_E_SELF); // it is full
  CHECK(rt_actor_try_send(me, rt_int(2)) == RT_E_TIMEOUT);
  for (int i = 0; i < 2; i++) CHECK(rt_actor_recv() == rt_int(i));
}

static void self(void) {
  CHECK(rt_actor_self() == RT_NIL && rt_last_error() == RT_E_STATE);
  CHECK(rt_actor_recv() == RT_NIL && rt_last_error() == RT_E_STATE && !rt_actor_fail());
  rt_value a = rt_actor_spawn_cap(joins_itself, RT_NIL, 2);
  CHECK(rt_actor_join(a) == 1);
  rt_release(a);
}

static void fails(rt_value ctx) {
  (void)ctx;
  CHECK(rt_actor_fail());
}

static void failing_handler(rt_value state, rt_value m) {
  (void)state;
  counter++;
  if (m == rt_int(3)) rt_actor_fail();
}

static void failure(void) {
  rt_value a = rt_actor_spawn(fails, RT_NIL);
  for (int i = 0; i < 3; i++) CHECK(rt_actor_join(a) == 0 && rt_last_error() == RT_E_FAILED);
  CHECK(rt_actor_join_ex(a, 0) == RT_E_FAILED && rt_actor_death_reason(a) == RT_ACTOR_FAILED);
  rt_release(a);
  counter = 0;
  a = rt_actor_spawn_handler(failing_handler, RT_NIL);
  for (int i = 0; i < 10; i++) rt_actor_send(a, rt_int(i));
  CHECK(rt_actor_join(a) == 0 && counter == 4 && rt_actor_send(a, RT_NIL) == 0);
  rt_release(a);
}

static void sizes(void) {
  CHECK(rt_actor_spawn_cap(counting_actor, RT_NIL, 0) == RT_NIL && rt_last_error() == RT_E_SIZE);
  CHECK(rt_actor_spawn_cap(counting_actor, RT_NIL, -1) == RT_NIL && rt_actor_spawn_cap(counting_actor, RT_NIL, INT64_MAX) == RT_NIL);
  CHECK(rt_actor_spawn_handler_cap(failing_handler, RT_NIL, RT_ACTOR_CAPACITY_MAX + 1) == RT_NIL);
  rt_value stale = rt_tuple_new(1);
  rt_release(stale);
  CHECK(rt_actor_spawn(counting_actor, stale) == RT_NIL && rt_last_error() == RT_E_VALUE);
}

// Mailboxes of every small size, full again and again, from threads and from actors.
static rt_value target;
enum { SENDERS = 4, EACH = 3000 };

static void *sends(void *p) {
  (void)p;
  for (int i = 1; i <= EACH; i++) CHECK(rt_actor_send(target, rt_int(i)) == 1);
  return NULL;
}

static void sends_too(rt_value ctx) {
  (void)ctx;
  sends(NULL);
}

static void receives_all(rt_value ctx) {
  (void)ctx;
  long long sum = 0;
  for (int i = 0; i < 2 * SENDERS * EACH; i++) sum += rt_as_int(rt_actor_recv());
  counter = sum;
}

static void full_mailbox_cycles(void) {
  for (int cap = 1; cap <= 64; cap *= 4) {
    counter = 0;
    target = rt_actor_spawn_cap(receives_all, RT_NIL, cap);
    pthread_t t[SENDERS];
    rt_value a[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
      a[i] = rt_actor_spawn(sends_too, RT_NIL);
      CHECK(pthread_create(&t[i], NULL, sends, NULL) == 0);
    }
    for (int i = 0; i < SENDERS; i++) {
      CHECK(rt_actor_join(a[i]) == 1);
      rt_release(a[i]);
      pthread_join(t[i], NULL);
    }
    CHECK(rt_actor_join(target) == 1 && counter == 2LL * SENDERS * EACH * (EACH + 1) / 2);
    rt_release(target);
  }
}

static void mailbox_is_bounded(void) {
  gate = false;
  rt_value a = rt_actor_spawn_cap(waits_at_gate, RT_NIL, 5);
  for (int i = 0; i < 5; i++) CHECK(rt_actor_try_send(a, rt_int(i)) == RT_OK);
  CHECK(rt_actor_try_send(a, RT_NIL) == RT_E_TIMEOUT && rt_actor_send_ex(a, RT_NIL, 1000000) == RT_E_TIMEOUT && rt_actor_pending(a) == 5);
  gate = true;
  rt_actor_join(a);
  rt_release(a);
}

static atomic_int at_send, refused;

static void *sends_one(void *p) {
  rt_value m = text("waiting");
  at_send++;
  if (rt_actor_send((rt_value)(uintptr_t)p, m) == 0) refused++;
  rt_release(m);
  return NULL;
}

static void death_with_waiting_senders(void) {
  for (int how = 0; how < 2; how++) {
    gate = false;
    at_send = refused = 0;
    rt_value a = rt_actor_spawn_cap(waits_at_gate, RT_NIL, 1);
    CHECK(rt_actor_send(a, rt_int(1)) == 1);
    pthread_t t[8];
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&t[i], NULL, sends_one, (void *)(uintptr_t)a) == 0);
    EVENTUALLY(at_send == 8);
    if (how == 1) CHECK(rt_actor_stop(a) == 1); // closing wakes them too
    else gate = true;
    for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
    CHECK(refused == 8);
    gate = true;
    CHECK(rt_actor_join(a) == 1);
    rt_release(a);
  }
}

static void *joins(void *p) {
  if (rt_actor_join((rt_value)(uintptr_t)p) == 1) counter++;
  return NULL;
}

static void joins_too(rt_value ctx) { // its context holds the actor
  if (rt_actor_join(rt_tuple_get(ctx, 0)) == 1) counter++;
}

static void join_storm(void) {
  enum { N = 8, ACTORS = 500 };
  counter = 0;
  gate = false;
  rt_value a = rt_actor_spawn(waits_at_gate, RT_NIL), t = rt_tuple_new(1);
  CHECK(rt_tuple_set(t, 0, a));
  pthread_t threads[N];
  static rt_value actors[ACTORS];
  for (int i = 0; i < N; i++) CHECK(pthread_create(&threads[i], NULL, joins, (void *)(uintptr_t)a) == 0);
  for (int i = 0; i < ACTORS; i++) actors[i] = rt_actor_spawn(joins_too, t);
  gate = true;
  for (int i = 0; i < ACTORS; i++) CHECK(rt_actor_join(actors[i]) == 1 && rt_release(actors[i]));
  for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
  CHECK(counter == N + ACTORS);
  rt_release(t);
  rt_release(a);
}

static void joins_its_context(rt_value ctx) { // which joins it, or was first told not to
  rt_value other = rt_actor_recv();
  (void)ctx;
  if (rt_actor_join(other) == 0 && rt_last_error() == RT_E_SELF) counter++;
  rt_release(other);
}

static void join_each_other(void) {
  counter = 0;
  rt_value a = rt_actor_spawn(joins_its_context, RT_NIL), b = rt_actor_spawn(joins_its_context, RT_NIL);
  CHECK(rt_actor_send(a, b) == 1 && rt_actor_send(b, a) == 1);
  CHECK(rt_actor_join(a) == 1 && rt_actor_join(b) == 1 && counter == 1);
  rt_release(a);
  rt_release(b);
}

static void blocked(rt_value ctx) {
  (void)ctx;
  counter++;
  rt_release(rt_actor_recv());
}

static int threads_of_process(void) {
  FILE *f = fopen("/proc/self/status", "r");
  char line[256];
  int n = 0;
  while (f != NULL && fgets(line, sizeof line, f) != NULL)
    if (sscanf(line, "Threads: %d", &n) == 1) break;
  if (f != NULL) fclose(f);
  return n;
}

static int bodies = 10100;

static void blocked_bodies(void) {
  counter = 0;
  int before = threads_of_process();
  rt_value *a = calloc((size_t)bodies, sizeof *a);
  for (int i = 0; i < bodies; i++) CHECK((a[i] = rt_actor_spawn(blocked, RT_NIL)) != RT_NIL);
  EVENTUALLY(counter == bodies);
  int threads = threads_of_process();
  CHECK(threads <= before + 16);
  for (int i = 0; i < bodies; i++) CHECK(rt_actor_send(a[i], rt_int(i)) == 1);
  for (int i = 0; i < bodies; i++) CHECK(rt_actor_join(a[i]) == 1 && rt_release(a[i]));
  free(a);
}

// ---- Handlers ----
static void add(rt_value state, rt_value m) { // the state is an array of one number
  rt_array_set(state, 0, rt_int(rt_as_int(rt_array_get(state, 0)) + rt_as_int(m)));
}

static rt_value sum_array(void) {
  rt_value a = rt_array_new(1);
  rt_array_push(a, rt_int(0));
  return a;
}

static void handler_state(void) {
  rt_value state = sum_array(), a = rt_actor_spawn_handler(add, state);
  for (int i = 1; i <= 10000; i++) CHECK(rt_actor_send(a, rt_int(i)) == 1);
  CHECK(rt_actor_is_alive(a) == 1 && rt_actor_stop(a) == 1 && rt_actor_join(a) == 1 && rt_actor_is_alive(a) == 0);
  CHECK(rt_array_get(state, 0) == rt_int(50005000));
  EVENTUALLY(rt_count(state) == 1);
  rt_release(state);
  rt_release(a);
}

static void handler_ends_alone(void) { // its last handle goes: it does what there is to do, and then lets its state go
  for (int i = 0; i < 300; i++) {
    rt_value state = sum_array(), a = rt_actor_spawn_handler(add, state);
    for (int j = 1; j <= 100; j++) CHECK(rt_actor_send(a, rt_int(j)) == 1);
    CHECK(rt_release(a));
    EVENTUALLY(rt_count(state) == 1);
    CHECK(rt_array_get(state, 0) == rt_int(5050) && rt_release(state));
  }
}

static int handlers = 100000;

static void count_message(rt_value state, rt_value m) {
  (void)state;
  counter += rt_as_int(m);
}

static void many_handlers(void) {
  counter = 0;
  rt_value *a = calloc((size_t)handlers, sizeof *a);
  for (int i = 0; i < handlers; i++) CHECK((a[i] = rt_actor_spawn_handler(count_message, rt_int(i))) != RT_NIL);
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < handlers; i++) CHECK(rt_actor_send(a[i], rt_int(1)) == 1);
  EVENTUALLY(counter == 3LL * handlers);
  for (int i = 0; i < handlers; i++) CHECK(rt_actor_is_alive(a[i]) == 1);
  for (int i = 0; i < handlers; i++) CHECK(rt_release(a[i]));
  free(a);
}

static void pass_on(rt_value state, rt_value m) { // a handler that waits: for room in the mailbox of its state
  CHECK(rt_actor_send(state, m) == 1);
}

static void handlers_wait(void) { // a chain of mailboxes of one message each
  enum { N = 50, MESSAGES = 500 };
  counter = 0;
  rt_value a = rt_actor_spawn_handler_cap(count_message, RT_NIL, 1);
  for (int i = 0; i < N; i++) {
    rt_value b = rt_actor_spawn_handler_cap(pass_on, a, 1);
    rt_release(a);
    a = b;
  }
  for (int i = 0; i < MESSAGES; i++) CHECK(rt_actor_send(a, rt_int(1)) == 1);
  rt_release(a); // the last of the chain ends, lets the next go, and so on
  EVENTUALLY(counter == MESSAGES);
}

static void to_itself(rt_value state, rt_value m) {
  (void)state;
  counter++;
  int64_t n = rt_as_int(m);
  if (n > 0) CHECK(rt_actor_send(rt_actor_self(), rt_int(n - 1)) == 1);
  CHECK(rt_actor_recv() == RT_NIL && rt_last_error() == RT_E_STATE);
  CHECK(rt_actor_join(rt_actor_self()) == 0 && rt_last_error() == RT_E_SELF);
}

static void handler_sends_itself(void) {
  counter = 0;
  rt_value a = rt_actor_spawn_handler_cap(to_itself, RT_NIL, 1);
  CHECK(rt_actor_send(a, rt_int(1000)) == 1 && rt_release(a));
  EVENTUALLY(counter == 1001);
}

static void spawns(rt_value state, rt_value m) { // a tree
  (void)state;
  counter++;
  int64_t depth = rt_as_int(m);
  for (int i = 0; depth > 0 && i < 3; i++) {
    rt_value child = rt_actor_spawn_handler(spawns, RT_NIL);
    CHECK(rt_actor_send(child, rt_int(depth - 1)) == 1 && rt_release(child));
  }
}

static void handlers_make_handlers(void) {
  counter = 0;
  rt_value a = rt_actor_spawn_handler(spawns, RT_NIL);
  CHECK(rt_actor_send(a, rt_int(8)) == 1 && rt_release(a));
  EVENTUALLY(counter == (19683 - 1) / 2); // 3^0 + ... + 3^8
}

// ---- Threads that send to, stop, and let go the same actors, whose places are used again ----
static _Atomic rt_value places[8];
static atomic_bool over;

static void *hammers(void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15ULL | 1;
  while (!over) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    rt_value a = places[x % 8], m;
    switch (x >> 8 & 15) {
    case 0:
      m = x >> 16 & 1 ? rt_actor_spawn(forever, RT_NIL) : rt_actor_spawn_handler_cap(count_message, RT_NIL, 4);
      rt_release(atomic_exchange(&places[x % 8], m));
      break;
    case 1:
      rt_actor_stop(a);
      break;
    case 2:
      rt_actor_join_ex(a, 0);
      break;
    case 3:
      m = text("hammer");
      rt_actor_try_send(a, m);
      rt_release(m);
      break;
    case 4:
      CHECK(rt_actor_pending(a) <= RT_ACTOR_CAPACITY && rt_actor_is_alive(a) <= 1 && rt_actor_id(a) >= 0);
      break;
    default:
      rt_actor_send_ex(a, rt_int(1), 100000);
    }
  }
  return NULL;
}

static int hammer_ms = 500;

static void let_go_meanwhile(void) {
  over = false;
  pthread_t t[4];
  for (int i = 0; i < 8; i++) places[i] = rt_actor_spawn(forever, RT_NIL);
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, hammers, (void *)(uintptr_t)(i + 1)) == 0);
  nanosleep(&(struct timespec){hammer_ms / 1000, hammer_ms % 1000 * 1000000L}, NULL);
  over = true;
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 8; i++) rt_release(places[i]);
}

// ---- The end of the runtime, with everything in flight ----
static void blocked_for_good(rt_value ctx) {
  (void)ctx;
  rt_value v;
  rt_value never = rt_channel_new();
  CHECK(rt_channel_recv_ex(never, -1, &v) == RT_E_STOPPED);
  rt_release(never);
}

static void sends_too_many(rt_value ctx) {
  while (rt_actor_send(ctx, RT_TRUE) == 1) {
  }
}

static void actor_pair(void) { // all is well again
  counter = 0;
  rt_value a = rt_actor_spawn(ping, rt_int(10));
  CHECK(rt_actor_join(a) == 1 && counter == 10 && rt_release(a));
  EVENTUALLY(rt_objects() == 0);
}

static void *sends_until_refused(void *p) {
  while (rt_actor_send((rt_value)(uintptr_t)p, rt_int(1)) == 1) {
  }
  counter++;
  return NULL;
}

static void *joins_until_refused(void *p) {
  rt_actor_join((rt_value)(uintptr_t)p); // the body may still return in time
  counter++;
  return NULL;
}

static void slow_handler(rt_value state, rt_value m) {
  (void)m;
  rt_actor_send(state, rt_int(1)); // which is full soon
}

static void shutdown_in_flight(void) {
  for (int round = 0; round < 5; round++) {
    counter = 0;
    enum { N = 20 };
    rt_value bodies_[N], full[N], h[N];
    pthread_t senders[N], joiners[N];
    for (int i = 0; i < N; i++) {
      bodies_[i] = rt_actor_spawn(forever, RT_NIL);
      full[i] = rt_actor_spawn_cap(blocked_for_good, RT_NIL, 1);
      h[i] = rt_actor_spawn_handler(slow_handler, full[i]);
      for (int j = 0; j < 10; j++) {
        rt_value m = text("never read");
        CHECK(rt_actor_send(h[i], m) == 1 && rt_release(m));
      }
      CHECK(pthread_create(&senders[i], NULL, sends_until_refused, (void *)(uintptr_t)full[i]) == 0);
      CHECK(pthread_create(&joiners[i], NULL, joins_until_refused, (void *)(uintptr_t)bodies_[i]) == 0);
    }
    for (int i = 0; i < N; i += 2) rt_actor_spawn(sends_too_many, bodies_[i]); // and handles that nobody lets go
    CHECK(rt_shutdown(60000000000LL) >= 0);
    for (int i = 0; i < N; i++) {
      pthread_join(senders[i], NULL);
      pthread_join(joiners[i], NULL);
    }
    CHECK(rt_actor_spawn(forever, RT_NIL) == RT_NIL && rt_actor_send(h[0], RT_NIL) == 0 && rt_actor_is_alive(bodies_[0]) == 0);
    CHECK(rt_init() == RT_OK && rt_objects() == 0);
    actor_pair();
  }
}

static const struct test all[] = {
    {"ping_pong", ping_pong},
    {"ring", ring},
    {"objects_are_passed", objects_are_passed},
    {"messages_in_a_scope", messages_in_a_scope},
    {"abandoned_body", abandoned_body},
    {"stop_in_flight", stop_in_flight},
    {"self", self},
    {"failure", failure},
    {"sizes", sizes},
    {"full_mailbox_cycles", full_mailbox_cycles},
    {"mailbox_is_bounded", mailbox_is_bounded},
    {"death_with_waiting_senders", death_with_waiting_senders},
    {"join_storm", join_storm},
    {"join_each_other", join_each_other},
    {"blocked_bodies", blocked_bodies},
    {"handler_state", handler_state},
    {"handler_ends_alone", handler_ends_alone},
    {"many_handlers", many_handlers},
    {"handlers_wait", handlers_wait},
    {"handler_sends_itself", handler_sends_itself},
    {"handlers_make_handlers", handlers_make_handlers},
    {"let_go_meanwhile", let_go_meanwhile},
    {"shutdown_in_flight", shutdown_in_flight},
};

int main(int argc, char **argv) {
  if (getenv("RT_TEST_SMALL") != NULL) { // under a checker
    bodies = 1000;
    handlers = 5000;
    hops = 2000;
  }
  if (getenv("RT_TEST_MS") != NULL) hammer_ms = atoi(getenv("RT_TEST_MS"));
  return RUN_TESTS(all, argc, argv);
}
