//go:build linux || darwin

// The parking lot: who waits, under which key. A bucket's lock orders a waiter's last look at the state with the wakers.

#define RTI_MAY_SWITCH
#include "run.h"
#include "strand.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { BUCKETS = 512 };

static struct bucket {
  pthread_mutex_t lock;
  rti_node *first, *last;
} __attribute__((aligned(128))) lot[BUCKETS] = {[0 ... BUCKETS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static struct bucket *bucket_of(uint64_t key) { return &lot[key * 0x9e3779b97f4a7c15ULL >> 55]; }

int64_t rti_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// ---- The sleep of a thread ----
#ifdef __linux__
static void doze(rti_waiter *w, int64_t deadline) {
  struct timespec d, *p = NULL;
  if (deadline >= 0) {
    int64_t left = deadline - rti_now();
    if (left <= 0) return;
    d = (struct timespec){left / 1000000000, left % 1000000000};
    p = &d;
  }
  syscall(SYS_futex, &w->state, FUTEX_WAIT_PRIVATE, RTI_WAITS, p, NULL, 0);
}

static void rouse(uint32_t *state) { syscall(SYS_futex, state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }
#else
// Beds stay: a waiter may be gone when its waker comes to its bed.
enum { BEDS = 64 };
static struct bed {
  pthread_mutex_t lock;
  pthread_cond_t wake;
} beds[BEDS] = {[0 ... BEDS - 1] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER}};

static struct bed *bed_of(uint32_t *state) { return &beds[((uintptr_t)state >> 6) % BEDS]; }

static void doze(rti_waiter *w, int64_t deadline) {
  struct bed *b = bed_of(&w->state);
  pthread_mutex_lock(&b->lock);
  if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == RTI_WAITS) {
    if (deadline < 0) {
      pthread_cond_wait(&b->wake, &b->lock);
    } else {
      int64_t left = deadline - rti_now();
      struct timespec d;
      clock_gettime(CLOCK_REALTIME, &d);
      if (left > 1000000000) left = 1000000000; // the clock may be set meanwhile
      int64_t ns = d.tv_nsec + (left > 0 ? left : 0);
      d.tv_sec += ns / 1000000000;
      d.tv_nsec = ns % 1000000000;
      if (left > 0) pthread_cond_timedwait(&b->wake, &b->lock, &d);
    }
  }
  pthread_mutex_unlock(&b->lock);
}

static void rouse(uint32_t *state) {
  struct bed *b = bed_of(state);
  pthread_mutex_lock(&b->lock);
  pthread_cond_broadcast(&b->wake);
  pthread_mutex_unlock(&b->lock);
}
#endif

static int64_t inside; // strands that wait, or are on their way in or out

int64_t rti_lot_inside(void) { return __atomic_load_n(&inside, __ATOMIC_ACQUIRE); }

static bool claim(rti_waiter *w, uint32_t why) {
  uint32_t waits = RTI_WAITS;
  return __atomic_compare_exchange_n(&w->state, &waits, why, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t state_of(rti_waiter *w) { return __atomic_load_n(&w->state, __ATOMIC_ACQUIRE); }

static void sleep_thread(rti_waiter *w, int64_t deadline) {
  for (int spins = 0; spins < 50; spins++) {
    if (state_of(w) != RTI_WAITS) return;
    rti_wait(0);
  }
  while (state_of(w) == RTI_WAITS) {
    doze(w, deadline);
    if (deadline >= 0 && rti_now() >= deadline) claim(w, RT_E_TIMEOUT);
  }
}

// ---- The lot ----
static void link_in(struct bucket *b, rti_node *n) {
  n->next = NULL;
  n->prev = b->last;
  if (b->last != NULL) b->last->next = n;
  else b->first = n;
  b->last = n;
  __atomic_store_n(&n->queued, true, __ATOMIC_RELAXED);
}

// The last that is done to a node that somebody else took out.
static void link_out(struct bucket *b, rti_node *n) {
  if (n->prev != NULL) n->prev->next = n->next;
  else b->first = n->next;
  if (n->next != NULL) n->next->prev = n->prev;
  else b->last = n->prev;
  __atomic_store_n(&n->queued, false, __ATOMIC_RELEASE);
}

static void leave(rti_node *nodes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!__atomic_load_n(&nodes[i].queued, __ATOMIC_ACQUIRE)) continue;
    struct bucket *b = bucket_of(nodes[i].key);
    pthread_mutex_lock(&b->lock);
    if (nodes[i].queued) link_out(b, &nodes[i]);
    pthread_mutex_unlock(&b->lock);
  }
}

// enter puts w in under each key, while there is something to wait for.
static int32_t enter(rti_waiter *w, rti_node *nodes, const uint64_t *keys, size_t n, bool (*still)(void *, size_t), void *arg) {
  for (size_t i = 0; i < n; i++) nodes[i] = (rti_node){.key = keys[i], .w = w};
  for (size_t i = 0; i < n; i++) {
    int32_t off = rti_stopping(); // in a fork's child a lock may never come free
    if (off != RT_OK) return off;
    struct bucket *b = bucket_of(keys[i]);
    pthread_mutex_lock(&b->lock);
    off = rti_stopping();
    bool go_on = off == RT_OK && still(arg, i);
    if (go_on) link_in(b, &nodes[i]);
    pthread_mutex_unlock(&b->lock);
    if (!go_on) return off != RT_OK ? off : RTI_NOT_NOW;
  }
  return RT_OK;
}

int32_t rti_park_any(const uint64_t *keys, size_t n, bool (*still)(void *, size_t), void *arg, int64_t deadline) {
  int32_t off = rti_stopping();
  if (off != RT_OK) return off;
  rti_node one, *nodes = n == 1 ? &one : malloc(n * sizeof *nodes);
  if (nodes == NULL) return RT_E_MEMORY;
  __atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED);
  rti_waiter w = {.state = RTI_WAITS, .timer = -1, .co = rti_coroutine_now()};
  int32_t status = enter(&w, nodes, keys, n, still, arg);
  if (status == RT_OK) {
    if (w.co == NULL) sleep_thread(&w, deadline);
    else rti_suspend(&w, deadline);
    status = state_of(&w) == RTI_WOKEN ? RT_OK : (int32_t)state_of(&w);
  } else if (status == RTI_NOT_NOW) {
    status = RT_OK;
  }
  leave(nodes, n);
  if (nodes != &one) free(nodes);
  __atomic_fetch_sub(&inside, 1, __ATOMIC_RELEASE);
  return status;
}

int32_t rti_park(uint64_t key, bool (*still)(void *, size_t), void *arg, int64_t deadline) {
  return rti_park_any(&key, 1, still, arg, deadline);
}

// wake takes up to n waiters of b out, those under the key or all, and wakes them after the lock is free.
static int64_t wake(struct bucket *b, bool all, uint64_t key, int64_t n, uint32_t why, void (*left)(void *), void *arg) {
  enum { BATCH = 32 };
  int64_t woken = 0;
  for (bool more = true; more;) {
    uint32_t *threads[BATCH];
    uint64_t tokens[BATCH];
    int nt = 0, ng = 0;
    rti_strand *ready = NULL, **end = &ready;
    more = false;
    bool others = false;
    pthread_mutex_lock(&b->lock);
    for (rti_node *p = b->first, *next; p != NULL; p = next) {
      next = p->next;
      if (!all && p->key != key) continue;
      if (woken == n) {
        others = true;
        break;
      }
      if (nt == BATCH || ng == BATCH) {
        more = true;
        break;
      }
      rti_waiter *w = p->w;
      rti_strand *co = w->co;
      uint64_t token = w->token;
      uint32_t *state = &w->state;
      if (claim(w, why)) {
        woken++;
        if (co != NULL) *end = co, end = rti_next_of(co), *end = NULL;
        else if (token != 0) tokens[ng++] = token;
        else threads[nt++] = state;
      }
      link_out(b, p);
    }
    if (!more && !others && left != NULL) left(arg);
    pthread_mutex_unlock(&b->lock);
    if (ready != NULL) rti_ready(ready);
    for (int i = 0; i < nt; i++) rouse(threads[i]);
    for (int i = 0; i < ng; i++) rti_wake_go(tokens[i], (int32_t)why == (int32_t)RTI_WOKEN ? RT_OK : (int32_t)why);
  }
  return woken;
}

int64_t rti_unpark(uint64_t key, int64_t n, void (*left)(void *), void *arg) {
  if (rti_stopping() == RT_E_FORKED) return 0;
  return wake(bucket_of(key), false, key, n, RTI_WOKEN, left, arg);
}

void rti_lot_stop(void) {
  for (int i = 0; i < BUCKETS; i++) wake(&lot[i], true, 0, -1, RT_E_STOPPED, NULL, NULL);
}

void rti_timer_fired(rti_waiter *w, rti_strand **ready) {
  rti_strand *co = w->co;
  if (claim(w, RT_E_TIMEOUT)) {
    *rti_next_of(co) = *ready;
    *ready = co;
  }
}

// ---- Go's waiters ----
rti_waiter *rti_go_park(uint64_t key, bool (*still)(void *, size_t), void *arg, uint64_t token, int32_t *status) {
  struct {
    rti_waiter w;
    rti_node n;
  } *p = malloc(sizeof *p);
  *status = RT_E_MEMORY;
  if (p == NULL) return NULL;
  p->w = (rti_waiter){.state = RTI_WAITS, .timer = -1, .token = token, .node = &p->n};
  int32_t s = enter(&p->w, &p->n, &key, 1, still, arg);
  *status = s == RTI_NOT_NOW ? RT_OK : s;
  if (s == RT_OK) return &p->w;
  leave(&p->n, 1);
  free(p);
  return NULL;
}

int32_t rti_go_unpark(rti_waiter *w) {
  claim(w, RT_E_TIMEOUT);
  uint32_t s = state_of(w);
  if (rti_stopping() != RT_E_FORKED) leave(w->node, 1);
  free(w); // w is where its allocation begins
  return s == RTI_WOKEN ? RT_OK : (int32_t)s;
}
