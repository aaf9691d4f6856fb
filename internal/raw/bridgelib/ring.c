//go:build linux && (amd64 || arm64)

// Slots, casts, and the ring that carries them to Go. Nothing here enters Go or waits, but br_wait.

#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIN_ROOM 192

#ifndef BETWEEN // a test sleeps there
#define BETWEEN()
#endif

static _Thread_local int telling; // this thread is in the waker
bool bri_telling(void) { return telling != 0; }

void bri_tell(int32_t capability, void *token) {
  br_waker w = __atomic_load_n(&bri_state.waker, __ATOMIC_SEQ_CST);
  if (token == NULL || w == NULL) return;
  telling++;
  w(capability, token);
  telling--;
}

static void futex_wake(uint32_t *at, int n) { syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0); }
static int futex_wait(uint32_t *at, uint32_t while_it_is, const struct timespec *until) {
  return (int)syscall(SYS_futex, at, FUTEX_WAIT_BITSET_PRIVATE, while_it_is, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void bri_futex_wake_all(uint32_t *at) { futex_wake(at, INT32_MAX); }
void bri_futex_wait(uint32_t *at, uint32_t while_it_is) { futex_wait(at, while_it_is, NULL); }

// A worker that finds the ring empty gives up the watch, looks again, and waits for the bell; producers publish, then look
// whether anybody has the watch. Both are sequentially consistent, so that one of them sees the other.
void bri_wake(void) {
  ring *r = bri_state.ring;
  if (load64(&r->watch) != WATCH_NONE || !swap64(&r->watch, WATCH_NONE, WATCH_RUNG)) return;
  __atomic_fetch_add(&r->bell, 1, __ATOMIC_SEQ_CST);
  futex_wake(&r->bell, 1);
}

void bri_bell_wait(uint32_t bell) { futex_wait(&bri_state.ring->bell, bell, NULL); }

static void breathe(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("yield");
#endif
}

// A thread that sleeps costs a system call of whoever wakes it, and two switches: more than most calls take. So who waits
// looks for a moment first, then lets others run a few times, and sleeps then. hope is how much the looking has helped of
// late. crowded counts down the waits in which nobody yields, since a yield took so long that other programs want the
// processor: one who sleeps has it back sooner than one who yields.
#define LOOKS 100
#define YIELDS 4
#define HOPEFUL 16
#define LONG_NS 1000000 // 64 threads of a host's own have had their turn by then
#define CROWDED 64
typedef struct patience {
  uint32_t hope, tries;
} patience;
static LINE patience of_hosts = {.hope = HOPEFUL};
static LINE patience of_lookers = {.hope = HOPEFUL};
static LINE patience of_workers = {.hope = HOPEFUL};
static LINE uint32_t crowded;

static uint32_t get(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void set(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }

static inline __attribute__((always_inline)) bool look(patience *p, bool (*there)(const void *, uint64_t), const void *at, uint64_t want) {
  uint32_t hope = get(&p->hope), tries = get(&p->tries);
  set(&p->tries, tries + 1);
  if (hope > 0 || tries % HOPEFUL == 0) {
    for (int i = 0; i < LOOKS; i++) {
      if (there(at, want)) {
        if (hope < HOPEFUL) set(&p->hope, 2 * hope + 1);
        return true;
      }
      breathe();
    }
    if (hope > 0) set(&p->hope, hope - 1);
  }
  return false;
}

static inline __attribute__((always_inline)) bool soon(patience *p, bool (*there)(const void *, uint64_t), const void *at, uint64_t want) {
  if (look(p, there, at, want)) return true;
  uint32_t busy = get(&crowded);
  if (busy > 0) {
    set(&crowded, busy - 1);
    return false;
  }
  uint64_t began = bri_now();
  for (int i = 0; i < YIELDS && !there(at, want); i++) {
    sched_yield();
    uint64_t now = bri_now();
    if (now - began > LONG_NS) {
      set(&crowded, CROWDED);
      break;
    }
    began = now;
  }
  return there(at, want);
}

static bool is_pending(uint32_t state) { return state == PENDING || state == PENDING_WAITED || state == PENDING_WAKES; }
static bool is_published(const void *seq, uint64_t want) { return load64(seq) == want; }
static bool is_done(const void *state, uint64_t want) { return load32(state) == want; }

// bri_linger says whether what is published next comes soon.
bool bri_linger(uint64_t tail) {
  ring *r = bri_state.ring;
  return soon(&of_workers, is_published, &r->cells[tail & r->mask].seq, tail + 1);
}

void bri_bell_all(void) {
  __atomic_fetch_add(&bri_state.ring->bell, 1, __ATOMIC_SEQ_CST);
  futex_wake(&bri_state.ring->bell, INT32_MAX);
}

static void peak(uint64_t *p, uint64_t v) {
  uint64_t was = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (v > was && !__atomic_compare_exchange_n(p, &was, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

bool bri_charge(uint64_t bytes) {
  uint64_t now = __atomic_add_fetch(&bri_state.bytes, bytes, __ATOMIC_SEQ_CST);
  if (now > load64(&bri_state.max_bytes)) {
    __atomic_sub_fetch(&bri_state.bytes, bytes, __ATOMIC_SEQ_CST);
    return false;
  }
  peak(&bri_stats.peak_bytes, now);
  return true;
}

void bri_uncharge(uint64_t bytes) { __atomic_sub_fetch(&bri_state.bytes, bytes, __ATOMIC_SEQ_CST); }

bool bri_admit(uint64_t bytes) {
  uint64_t now = __atomic_add_fetch(&bri_state.in_flight, 1, __ATOMIC_SEQ_CST);
  if (now <= load64(&bri_state.max_in_flight) && bri_charge(bytes)) {
    peak(&bri_stats.peak_in_flight, now);
    return true;
  }
  __atomic_sub_fetch(&bri_state.in_flight, 1, __ATOMIC_SEQ_CST);
  count(&bri_stats.refused);
  return false;
}

void bri_dismiss(uint64_t bytes) {
  bri_uncharge(bytes);
  __atomic_sub_fetch(&bri_state.in_flight, 1, __ATOMIC_SEQ_CST);
}

// fresh makes a slot, if the limits let it.
static int32_t fresh(uint64_t generation, uint32_t method, uint64_t n, slot **out) {
  uint64_t room = n < MIN_ROOM ? MIN_ROOM : n, charge = sizeof(slot) + room;
  if (!bri_admit(charge)) return BR_E_AGAIN;
  slot *s = malloc(sizeof *s + room);
  if (s == NULL) {
    bri_dismiss(charge);
    return BR_E_MEMORY;
  }
  memset(s, 0, sizeof *s);
  s->pub.request = s->buf;
  s->pub.request_len = n;
  s->pub.method = method;
  s->generation = generation;
  s->charge = charge;
  s->room = room;
  count(&bri_stats.slots);
  *out = s;
  return BR_OK;
}

static int32_t make(uint64_t generation, uint32_t method, uint64_t n, slot **out) {
  if (bri_forked()) return BR_E_FORKED;
  if (!bri_open(generation)) return BR_E_CLOSED;
  if (n > load64(&bri_state.max_request)) return BR_E_TOO_BIG;
  return fresh(generation, method, n, out);
}

// bri_keep puts what did not fit into a host's buffer into a slot that is done; NULL: there is no memory, or no room.
slot *bri_keep(uint64_t generation, uint32_t method, int32_t status, const uint8_t *data, uint64_t n) {
  slot *s = NULL;
  if (fresh(generation, method, n, &s) != BR_OK) return NULL;
  memcpy(s->buf, data, n);
  s->pub.request_len = 0;
  s->pub.reply = s->buf;
  s->pub.reply_len = n;
  s->pub.status = status;
  store32(&s->state, DONE);
  return s;
}

static void destroy(slot *s) {
  bri_dismiss(s->charge);
  __atomic_fetch_sub(&bri_stats.slots, 1, __ATOMIC_RELAXED);
  store32(&s->state, FREED);
  free(s->longer);
  free(s);
}

int32_t br_slot_new(uint64_t generation, uint32_t method, uint64_t request_len, br_slot **out) {
  if (out == NULL) return BR_E_ARGUMENT;
  slot *s = NULL;
  int32_t rc = make(generation, method, request_len, &s);
  *out = s != NULL ? &s->pub : NULL;
  return rc;
}

int32_t br_slot_free(br_slot *p) {
  if (p == NULL) return BR_OK;
  slot *s = (slot *)p;
  uint32_t was = load32(&s->state);
  if (was != NEW && was != DONE) return BR_E_ARGUMENT;
  destroy(s);
  return BR_OK;
}

// publish puts a slot or a small cast into the ring. There is room: the ring has as many cells as may be under way.
static int32_t publish(uint64_t generation, slot *s, uint32_t method, const void *data, size_t n) {
  if (bri_forked()) return BR_E_FORKED;
  if (bri_state.ring == NULL) return BR_E_CLOSED;
  enter();
  if (!bri_open(generation)) {
    leave();
    return BR_E_CLOSED;
  }
  BETWEEN();
  if (s != NULL && !swap32(&s->state, NEW, PENDING)) {
    leave();
    return BR_E_ARGUMENT;
  }
  ring *r = bri_state.ring;
  uint64_t at = load64(&r->head);
  cell *c;
  for (;;) {
    c = &r->cells[at & r->mask];
    int64_t d = (int64_t)(load64(&c->seq) - at);
    if (d == 0) {
      if (__atomic_compare_exchange_n(&r->head, &at, at + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) break;
    } else if (d < 0) { // the consumer has not given the cell back yet
      if (s != NULL) store32(&s->state, NEW);
      leave();
      count(&bri_stats.refused);
      return BR_E_AGAIN;
    } else {
      at = load64(&r->head);
    }
  }
  c->method = method;
  if (s != NULL) {
    c->kind = CELL_SLOT;
    c->u.slot = s;
  } else {
    c->kind = CELL_CAST;
    c->len = (uint16_t)n;
    if (n > 0) memcpy(c->u.data, data, n);
  }
  store64(&c->seq, at + 1);
  bri_wake();
  leave();
  return BR_OK;
}

int32_t br_submit(br_slot *p) {
  if (p == NULL) return BR_E_ARGUMENT;
  slot *s = (slot *)p;
  uint64_t generation = s->generation;
  if (s->pub.request != s->buf || s->pub.request_len > s->room || (s->pub.flags & ~BR_SLOT_DONE_LIST) != 0) return BR_E_ARGUMENT;
  int32_t rc = publish(generation, s, s->pub.method, NULL, 0);
  if (rc == BR_OK) count(&bri_stats.calls);
  return rc;
}

int32_t br_cast(uint64_t generation, uint32_t method, const void *message, size_t n) {
  if (message == NULL && n != 0) return BR_E_ARGUMENT;
  int32_t rc;
  if (n <= CELL_BYTES) {
    if (bri_forked()) return BR_E_FORKED;
    if (!bri_open(generation)) return BR_E_CLOSED;
    if (n > load64(&bri_state.max_request)) return BR_E_TOO_BIG;
    if (!bri_admit(sizeof(cell))) return BR_E_AGAIN;
    rc = publish(generation, NULL, method, message, n);
    if (rc != BR_OK) bri_dismiss(sizeof(cell));
  } else {
    slot *s = NULL;
    rc = make(generation, method, n, &s);
    if (rc != BR_OK) return rc;
    memcpy(s->buf, message, n);
    s->cast = 1;
    rc = publish(generation, s, method, NULL, 0);
    if (rc != BR_OK) destroy(s);
  }
  if (rc == BR_OK) count(&bri_stats.casts);
  return rc;
}

// bri_cast_done ends a cast whose handler is done: NULL is one that came inside a cell.
void bri_cast_done(slot *s) {
  if (s != NULL)
    destroy(s);
  else
    bri_dismiss(sizeof(cell));
}

int32_t br_wait(br_slot *p, uint64_t deadline_ns) {
  if (p == NULL) return BR_E_ARGUMENT;
  if (bri_forked()) return BR_E_FORKED;
  slot *s = (slot *)p;
  struct timespec until = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
  if (load32(&s->state) == PENDING && (deadline_ns == 0 || bri_now() < deadline_ns)) soon(&of_hosts, is_done, &s->state, DONE);
  for (;;) {
    uint32_t now = load32(&s->state);
    switch (now) {
    case DONE:
      return BR_OK;
    case CLAIMED: // the reply is being copied
      sched_yield();
      continue;
    case PENDING: // says that somebody waits, so that others are spared the system call
      if (!swap32(&s->state, PENDING, PENDING_WAITED)) continue;
      break;
    case PENDING_WAITED:
      break;
    case PENDING_WAKES:
      return BR_E_BUSY;
    default:
      return BR_E_ARGUMENT;
    }
    if (deadline_ns != 0 && bri_now() >= deadline_ns) return BR_E_DEADLINE;
    futex_wait(&s->state, PENDING_WAITED, deadline_ns != 0 ? &until : NULL);
  }
}

int32_t br_look(br_slot *p) {
  if (p == NULL) return BR_E_ARGUMENT;
  if (bri_forked()) return BR_E_FORKED;
  slot *s = (slot *)p;
  uint32_t now = load32(&s->state);
  if (now == DONE) return BR_OK;
  if (!is_pending(now) && now != CLAIMED) return BR_E_ARGUMENT;
  return soon(&of_lookers, is_done, &s->state, DONE) ? BR_OK : BR_E_NONE;
}

int32_t br_slot_wake(br_slot *p, int32_t capability, void *token) {
  if (p == NULL || token == NULL) return BR_E_ARGUMENT;
  if (bri_forked()) return BR_E_FORKED;
  slot *s = (slot *)p;
  if (s->pub.token != NULL) return BR_E_BUSY;
  for (;;) {
    switch (load32(&s->state)) {
    case PENDING: // nobody reads them before PENDING_WAKES
      s->token = token;
      s->capability = capability;
      if (swap32(&s->state, PENDING, PENDING_WAKES)) return BR_OK;
      continue;
    case CLAIMED: // the reply is being copied
      sched_yield();
      continue;
    case DONE:
      return BR_E_NONE;
    case PENDING_WAITED:
    case PENDING_WAKES:
      return BR_E_BUSY;
    default:
      return BR_E_ARGUMENT;
    }
  }
}

int32_t br_abandon(br_slot *p) {
  if (p == NULL) return BR_E_ARGUMENT;
  if (bri_forked()) return BR_E_FORKED;
  slot *s = (slot *)p;
  enter();
  for (;;) {
    uint32_t now = load32(&s->state);
    if (is_pending(now) && swap32(&s->state, now, ABANDONED)) break;
    if (now == DONE || now == NEW || now == ABANDONED || now == FREED) {
      leave();
      return now == DONE ? BR_E_NONE : BR_E_ARGUMENT;
    }
    if (now == CLAIMED) sched_yield(); // the reply is being copied
  }
  // From here the slot is the consumer's as soon as it can see it.
  ring *r = bri_state.ring;
  slot *top = __atomic_load_n(&r->abandoned, __ATOMIC_SEQ_CST);
  do {
    s->next = top;
  } while (!__atomic_compare_exchange_n(&r->abandoned, &top, s, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  count(&bri_stats.abandoned);
  bri_wake();
  leave();
  return BR_OK;
}

// bri_complete ends a call: the reply is copied, the slot becomes the host's, and the host is told. When the host has
// abandoned it nothing is done, and the slot is left to the consumer, which finds it in the list of the abandoned.
int32_t bri_complete(slot *s, int32_t status, const uint8_t *data, uint64_t n) {
  enter_go();
  uint32_t was = load32(&s->state);
  while (is_pending(was) && !swap32(&s->state, was, CLAIMED)) was = load32(&s->state);
  if (!is_pending(was)) {
    count(&bri_stats_go.late);
    leave_go();
    return BR_E_NONE;
  }
  uint8_t *to = s->buf;
  if (n > s->room) {
    to = NULL;
    if (bri_charge(n)) {
      to = malloc(n);
      if (to != NULL)
        s->longer = to, s->charge += n;
      else
        bri_uncharge(n);
    }
    if (to == NULL) {
      static const char text[] = "there is no memory for the reply, or it is over the limit of bytes under way";
      status = BR_E_MEMORY;
      data = (const uint8_t *)text;
      n = sizeof text - 1;
      to = s->buf;
    }
  }
  if (n > 0 && data != to) memcpy(to, data, n); // else it was written there
  s->pub.reply = to;
  s->pub.reply_len = n;
  s->pub.status = status;
  count(status == BR_OK ? &bri_stats_go.ok : &bri_stats_go.failed);
  // After DONE the slot is the host's, which may free it at once: what is needed is read before.
  void *token = was == PENDING_WAKES ? s->token : s->pub.token;
  int32_t capability = was == PENDING_WAKES ? s->capability : s->pub.capability;
  bool list = (s->pub.flags & BR_SLOT_DONE_LIST) != 0;
  store32(&s->state, DONE);
  if (list) { // it is not freed before br_done_next has given it
    slot *top = __atomic_load_n(&bri_state.done, __ATOMIC_SEQ_CST);
    do {
      s->next = top;
    } while (!__atomic_compare_exchange_n(&bri_state.done, &top, s, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (top == NULL) bri_ring_bell(); // else it was rung for those below, and the host takes all
  }
  if (was == PENDING_WAITED) futex_wake(&s->state, INT32_MAX); // of the address alone
  bri_tell(capability, token);
  leave_go();
  return list || token != NULL ? TOLD : BR_OK;
}

// bri_reap ends a slot that the host has abandoned. Its token goes to the waker all the same, which may own it.
void bri_reap(slot *s) {
  enter_go();
  void *token = s->token != NULL ? s->token : s->pub.token;
  int32_t capability = s->token != NULL ? s->capability : s->pub.capability;
  destroy(s);
  bri_tell(capability, token);
  leave_go();
}

// bri_reap_all is for br_deinit, when there is no consumer.
void bri_reap_all(void) {
  for (slot *s = __atomic_exchange_n(&bri_state.ring->abandoned, (slot *)NULL, __ATOMIC_SEQ_CST); s != NULL;) {
    slot *next = s->next;
    bri_reap(s);
    s = next;
  }
}

br_slot *br_done_next(uint64_t generation) {
  (void)generation;
  if (bri_forked()) return NULL;
  static uint32_t lock; // takers are few, and a stack that several pop from would need more
  while (!swap32(&lock, 0, 1)) sched_yield();
  slot *top = __atomic_load_n(&bri_state.done, __ATOMIC_SEQ_CST);
  while (top != NULL && !__atomic_compare_exchange_n(&bri_state.done, &top, top->next, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  store32(&lock, 0);
  return top != NULL ? &top->pub : NULL;
}
