//go:build linux || darwin

// Channels: a ring (ring.h), and the parking lot for who finds it full or empty.

#define RTI_MAY_SWITCH
#include "ring.h"
#include "run.h"
#include "strand.h"

#include <pthread.h>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { DEFAULT_CAP = 256, MOST_CAP = 1 << 20 };

// ---- Blocks that are rings ----
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t free_rings[CLASSES];

uint32_t rti_ring_new(uint32_t cap) {
  uint64_t bytes = rti_ring_bytes(cap), lap = rti_ring_lap(cap), from = 0;
  int c = class_of(bytes);
  pthread_mutex_lock(&lock);
  uint32_t blk = free_rings[c];
  if (blk != 0) {
    uint64_t *w = rt_words_(blk);
    free_rings[c] = (uint32_t)get(&w[RING_NEXT]);
    from = get(&w[0]); // further than any position before
  }
  pthread_mutex_unlock(&lock);
  if (blk == 0 && (blk = take_block(bytes)) == 0) return 0;
  uint64_t *w = rt_words_(blk);
  from = (from & ~(lap - 1)) + lap;
  for (uint64_t i = 0; i < cap; i++) __atomic_store_n(&w[RING_CELLS + 2 * i], from + RING_UNIT * i, __ATOMIC_RELAXED);
  __atomic_store_n(&w[RING_HEAD], from, __ATOMIC_RELAXED);
  __atomic_store_n(&w[0], from, __ATOMIC_RELEASE);
  return blk;
}

static void settle(const uint64_t *word, uint64_t to) {
  for (int spins = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != to;) ring_pause(&spins);
}

void rti_ring_end(uint32_t *next, uint32_t blk, uint32_t cap) {
  if (blk == 0) return;
  ring r = {NULL, 0, rt_words_(blk), rti_ring_lap(cap), cap};
  uint64_t tail = (__atomic_fetch_or(&r.w[0], RING_CLOSED, __ATOMIC_SEQ_CST)) & ~(uint64_t)RING_MARKS;
  for (;;) {
    uint64_t at = __atomic_load_n(&r.w[RING_HEAD], __ATOMIC_ACQUIRE), pos = at & ~(uint64_t)RING_MARKS;
    if (pos == tail) break;
    uint64_t i = (pos & (r.lap - 1)) / RING_UNIT, *cell = &r.w[RING_CELLS + 2 * i];
    if (__atomic_load_n(&cell[0], __ATOMIC_ACQUIRE) != pos + RING_UNIT) { // a sender is at it, or a receiver was faster
      rti_wait(0);
      continue;
    }
    if (!__atomic_compare_exchange_n(&r.w[RING_HEAD], &at, ring_next(&r, at, i), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) continue;
    let_go(next, get(&cell[1]));
    __atomic_store_n(&cell[0], pos + r.lap, __ATOMIC_RELEASE);
  }
  uint64_t in = (tail & (r.lap - 1)) / RING_UNIT, base = tail & ~(r.lap - 1);
  for (uint64_t i = 0; i < cap; i++) settle(&r.w[RING_CELLS + 2 * i], base + (i < in ? r.lap : 0) + RING_UNIT * i);
#ifdef __linux__
  if (rti_ring_bytes(cap) >= 1 << 20) { // the memory of a large one goes back to the system, but for its positions
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)&r.w[RING_CELLS] + page - 1) & ~(page - 1);
    madvise((void *)from, ((uintptr_t)&r.w[RING_CELLS + 2 * (uint64_t)cap] - from) & ~(page - 1), MADV_DONTNEED);
  }
#endif
  int c = class_of(rti_ring_bytes(cap));
  pthread_mutex_lock(&lock);
  __atomic_store_n(&r.w[RING_NEXT], free_rings[c], __ATOMIC_RELAXED);
  free_rings[c] = blk;
  pthread_mutex_unlock(&lock);
}

// ---- Channels ----
// The slot: the block, its capacity in len, its lap in aux.
static inline bool find(rt_value ch, ring *r) {
  rt_slot_ *s = rt_slot_of_(ch);
  if (RT_LIKELY_(rt_live_(s, ch, RT_T_CHANNEL))) {
    uint32_t blk = rt_load32_(&s->blk);
    *r = (ring){s, ch, rt_words_(blk), rt_load_(&s->aux), rt_load32_(&s->len)};
    if (RT_LIKELY_(rt_still_(s, ch))) return true;
  }
  return false;
}

static uint64_t senders(rt_value ch) { return ch + 1; } // no handle: its tag is 2
static uint64_t receivers(rt_value ch) { return ch; }

static void none_receives(void *arg) { __atomic_fetch_and(&((ring *)arg)->w[0], ~(uint64_t)RING_WAITED, __ATOMIC_SEQ_CST); }
static void none_sends(void *arg) { __atomic_fetch_and(&((ring *)arg)->w[RING_HEAD], ~(uint64_t)RING_WAITED, __ATOMIC_SEQ_CST); }
static bool nothing_there(void *arg, size_t i) { return (void)i, ring_empty(arg); }
static bool no_room(void *arg, size_t i) { return (void)i, ring_full(arg); }

// Who waits counts the channel: when it cannot be counted any more, nobody waits.
__attribute__((noinline)) static void wake(ring *r, bool receiver) {
  if (!rt_retain(r->v)) return;
  if (receiver) rti_unpark(receivers(r->v), 1, none_receives, r);
  else rti_unpark(senders(r->v), 1, none_sends, r);
  rt_release(r->v);
}

static int32_t failed(rt_value ch, int how) {
  if (how == RING_IS_CLOSED) me()->error = RT_E_CLOSED;
  else if (how == RING_NOT_NOW) me()->error = RT_E_TIMEOUT;
  else rt_refuse_(ch, 0);
  return me()->error;
}

// step tries to send or receive.
static inline int step(ring *r, bool receive, rt_value *v) {
  bool waited = false;
  int how = receive ? ring_take(r, v, &waited) : ring_put(r, *v, &waited);
  if (RT_UNLIKELY_(how == RING_OK && waited)) wake(r, !receive);
  return how;
}

// slowly sends or receives by waiting.
__attribute__((noinline)) static int32_t slowly(rt_value ch, bool receive, rt_value *v, int64_t timeout_ns) {
  if (!rti_hold(ch, RT_T_CHANNEL)) return me()->error;
  ring r;
  find(ch, &r);
  int64_t deadline = rti_deadline(timeout_ns);
  int32_t error = RT_OK;
  int most = rti_coroutine_now() != NULL ? 0 : 16; // a coroutine sleeps and wakes in less time than that takes
  for (int tries = 0;; tries++) {
    int how = step(&r, receive, v);
    if (how != RING_NOT_NOW) {
      error = how == RING_OK ? RT_OK : failed(ch, how);
      break;
    }
    if (tries < most) { // whoever fills or empties it may be at it
      if (tries < 7) {
        for (int i = 0; i < 1 << tries; i++) rti_wait(0);
      } else {
        rti_yield();
      }
      continue;
    }
    if (error != RT_OK) break;
    error = receive ? rti_park(receivers(ch), nothing_there, &r, deadline) : rti_park(senders(ch), no_room, &r, deadline);
    if (error == RT_E_STOPPED || error == RT_E_FORKED) break;
    // A wake that came as the time was over is not lost: one more step.
  }
  rt_release(ch);
  return error == RT_OK ? RT_OK : refused_for(error);
}

// quick_send and quick_recv are ring_put and ring_take when nothing is in the way: a stamp that equals the position says also
// that the position has no mark.
static inline bool quick_send(rt_value ch, rt_value v) {
  rt_slot_ *s = rt_slot_of_(ch);
  if (RT_UNLIKELY_(!rt_live_(s, ch, RT_T_CHANNEL))) return false;
  uint64_t *w = rt_words_(rt_load32_(&s->blk)), lap = rt_load_(&s->aux), cap = rt_load32_(&s->len);
  uint64_t at = __atomic_load_n(&w[0], __ATOMIC_ACQUIRE), i = (at & (lap - 1)) / RING_UNIT, *cell = &w[RING_CELLS + 2 * i];
  if (RT_UNLIKELY_(!rt_still_(s, ch) || __atomic_load_n(&cell[0], __ATOMIC_ACQUIRE) != at)) return false;
  uint64_t next = i + 1 < cap ? at + RING_UNIT : (at & ~(lap - 1)) + lap, now = at;
  if (!__atomic_compare_exchange_n(&w[0], &now, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) return false;
  __atomic_store_n(&cell[1], v, __ATOMIC_RELAXED);
  __atomic_store_n(&cell[0], at + RING_UNIT, __ATOMIC_RELEASE);
  return true;
}

static inline bool quick_recv(rt_value ch, rt_value *v) {
  rt_slot_ *s = rt_slot_of_(ch);
  if (RT_UNLIKELY_(!rt_live_(s, ch, RT_T_CHANNEL))) return false;
  uint64_t *w = rt_words_(rt_load32_(&s->blk)), lap = rt_load_(&s->aux), cap = rt_load32_(&s->len);
  uint64_t at = __atomic_load_n(&w[RING_HEAD], __ATOMIC_ACQUIRE), i = (at & (lap - 1)) / RING_UNIT, *cell = &w[RING_CELLS + 2 * i];
  if (RT_UNLIKELY_(!rt_still_(s, ch) || __atomic_load_n(&cell[0], __ATOMIC_ACQUIRE) != at + RING_UNIT)) return false;
  uint64_t next = i + 1 < cap ? at + RING_UNIT : (at & ~(lap - 1)) + lap, now = at;
  if (!__atomic_compare_exchange_n(&w[RING_HEAD], &now, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) return false;
  *v = __atomic_load_n(&cell[1], __ATOMIC_RELAXED);
  __atomic_store_n(&cell[0], at + lap, __ATOMIC_RELEASE);
  return true;
}

static inline bool plain(rt_value v) { return (0x4du >> (v & 7)) & 1; } // a value that nobody counts

__attribute__((noinline)) static int32_t send(rt_value ch, rt_value v, int64_t timeout_ns) {
  ring r;
  if (RT_UNLIKELY_(!find(ch, &r))) return failed(ch, RING_GONE);
  if (RT_UNLIKELY_(!rt_retain(v))) return RT_E_VALUE;
  int how = step(&r, false, &v);
  if (RT_LIKELY_(how == RING_OK)) return RT_OK;
  int32_t error = how != RING_NOT_NOW || timeout_ns == 0 ? failed(ch, how) : slowly(ch, false, &v, timeout_ns);
  if (error != RT_OK) {
    rt_release(v);
    me()->error = error;
  }
  return error;
}

__attribute__((noinline)) static int32_t recv(rt_value ch, int64_t timeout_ns, rt_value *v) {
  ring r;
  *v = RT_NIL;
  if (RT_UNLIKELY_(!find(ch, &r))) return failed(ch, RING_GONE);
  int how = step(&r, true, v);
  if (RT_UNLIKELY_(how != RING_OK)) {
    int32_t error = how != RING_NOT_NOW || timeout_ns == 0 ? failed(ch, how) : slowly(ch, true, v, timeout_ns);
    if (error != RT_OK) {
      *v = RT_NIL;
      return error;
    }
  }
  if (RT_UNLIKELY_((*v & 7) == 1)) *v = rti_own(*v);
  return RT_OK;
}

rt_value rt_channel_new_cap(int64_t cap) {
  if (cap < 1 || cap > MOST_CAP) return nil_for(RT_E_SIZE);
  if (rti_stopping() != RT_OK) return nil_for(rti_stopping());
  uint32_t blk = rti_ring_new((uint32_t)cap);
  if (blk == 0) return nil_for(RT_E_MEMORY);
  rt_value ch = made_bare(RT_T_CHANNEL, blk, (uint32_t)cap, rti_ring_lap((uint32_t)cap));
  if (ch != RT_NIL) return scoped(ch);
  uint32_t next = 0;
  rti_ring_end(&next, blk, (uint32_t)cap);
  return RT_NIL;
}

rt_value rt_channel_new(void) { return rt_channel_new_cap(DEFAULT_CAP); }

int64_t rt_channel_send(rt_value ch, rt_value v) {
  if (RT_LIKELY_(plain(v) && quick_send(ch, v))) return 1;
  return send(ch, v, -1) == RT_OK;
}

int32_t rt_channel_send_ex(rt_value ch, rt_value v, int64_t timeout_ns) {
  if (RT_LIKELY_(plain(v) && quick_send(ch, v))) return RT_OK;
  return send(ch, v, timeout_ns);
}

int32_t rt_channel_try_send(rt_value ch, rt_value v) { return rt_channel_send_ex(ch, v, 0); }

__attribute__((noinline)) static rt_value slow_recv(rt_value ch) {
  rt_value v;
  recv(ch, -1, &v);
  return v;
}

rt_value rt_channel_recv(rt_value ch) {
  rt_value v;
  if (RT_UNLIKELY_(!quick_recv(ch, &v))) return slow_recv(ch);
  return RT_LIKELY_(plain(v)) ? v : rti_own(v);
}

__attribute__((noinline)) static int32_t slow_recv_ex(rt_value ch, int64_t timeout_ns, rt_value *out) {
  rt_value v;
  if (out == NULL) return refused_for(RT_E_VALUE);
  int32_t error = recv(ch, timeout_ns, &v);
  *out = v;
  return error;
}

int32_t rt_channel_recv_ex(rt_value ch, int64_t timeout_ns, rt_value *out) {
  rt_value v;
  if (RT_UNLIKELY_(out == NULL || !quick_recv(ch, &v))) return slow_recv_ex(ch, timeout_ns, out);
  *out = RT_LIKELY_(plain(v)) ? v : rti_own(v);
  return RT_OK;
}

int32_t rt_channel_try_recv(rt_value ch, rt_value *out) { return rt_channel_recv_ex(ch, 0, out); }

bool rt_channel_close(rt_value ch) {
  ring r;
  if (!rti_hold(ch, RT_T_CHANNEL)) return false;
  find(ch, &r);
  bool first = ring_close(&r);
  if (first) {
    rti_unpark(receivers(ch), -1, none_receives, &r);
    rti_unpark(senders(ch), -1, none_sends, &r);
  }
  rt_release(ch);
  return first ? true : no_for(RT_E_CLOSED);
}

int64_t rt_channel_is_closed(rt_value ch) {
  ring r;
  if (find(ch, &r)) {
    uint64_t tail = rt_load_(&r.w[0]);
    if (rt_still_(r.s, ch)) return (tail & RING_CLOSED) != 0;
  }
  rt_refuse_(ch, 0);
  return 1;
}

int64_t rt_channel_len(rt_value ch) {
  ring r;
  if (find(ch, &r)) {
    int64_t n = ring_len(&r);
    if (rt_still_(r.s, ch)) return n;
  }
  rt_refuse_(ch, 0);
  return -1;
}

int64_t rt_channel_cap(rt_value ch) {
  ring r;
  if (find(ch, &r)) return r.cap;
  rt_refuse_(ch, 0);
  return -1;
}

uint64_t rti_channel_end(uint32_t *next, rt_slot_ *s) {
  rti_ring_end(next, get32(&s->blk), get32(&s->len));
  __atomic_store_n(&s->blk, 0, __ATOMIC_RELAXED);
  return 0;
}

// ---- For Go: a step, and a waiter that Go keeps when it is not possible now ----
rti_waiter *rti_channel_go(rt_value ch, int32_t receive, rt_value *v, uint64_t token, int32_t *status) {
  for (;;) {
    *status = receive ? rt_channel_recv_ex(ch, 0, v) : rt_channel_try_send(ch, *v);
    if (*status != RT_E_TIMEOUT || token == 0) return NULL;
    ring r;
    if (!find(ch, &r)) continue;
    rti_waiter *w = rti_go_park(receive ? receivers(ch) : senders(ch), receive ? nothing_there : no_room, &r, token, status);
    if (w != NULL) *status = RT_E_TIMEOUT;
    if (w != NULL || *status != RT_OK) return w;
  }
}
