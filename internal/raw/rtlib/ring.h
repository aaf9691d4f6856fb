// A bounded queue of values, of any number of senders and receivers, in a block of the heap: after D. Vyukov, and the form
// that crossbeam gave it, with any capacity. One atomic operation puts a value in, one takes it out.
//
// A block that is a ring stays one for ever (rti_ring_new, rti_ring_end), and its positions only grow: so whoever comes too
// late, for a ring that has ended meanwhile, finds another position than it has seen, and changes nothing.
#ifndef ISTHMUS_RT_RING_H
#define ISTHMUS_RT_RING_H

#include "heap.h"

// A position is a multiple of UNIT: the cell's index, and above it the lap. The bits below are marks.
enum {
  RING_WAITED = 1, // of tail: receivers wait; of head: senders do. Set and taken back under the lock of the key's bucket
  RING_CLOSED = 2, // of tail
  RING_HELD = 4,   // of both: the collector looks, under the slot's lock
  RING_MARKS = 7,
  RING_UNIT = 8,
  RING_HEAD = 8,   // the word of it; tail is word 0, each in a cache line of its own
  RING_NEXT = 1,   // the word that links free blocks
  RING_CELLS = 16, // from this word on; a cell is its stamp and its value
};

// What an operation found.
enum { RING_OK, RING_NOT_NOW, RING_GONE, RING_IS_CLOSED, RING_WAIT };

// lap is what a position grows by in a round: more than any index.
static inline uint64_t rti_ring_lap(uint32_t cap) { return (uint64_t)RING_UNIT << (32 - __builtin_clz(cap)); }
static inline uint64_t rti_ring_bytes(uint32_t cap) { return 8 * RING_CELLS + 16ULL * cap; }

// ring is where the ring of a live object is. It does not change while the object lives.
typedef struct ring {
  rt_slot_ *s;
  rt_value v; // the object
  uint64_t *w, lap;
  uint32_t cap;
} ring;

static inline uint64_t ring_next(const ring *r, uint64_t at, uint64_t i) {
  return i + 1 < r->cap ? at + RING_UNIT : (at & ~(r->lap - 1)) + r->lap + (at & RING_MARKS);
}

static inline void ring_pause(int *spins) {
  if (++*spins > 40) rti_wait(64); // the other may have lost its processor between two steps
  else rti_wait(0);
}

// ring_put puts v in. *waited: somebody is to be woken.
static inline int ring_put(const ring *r, rt_value v, bool *waited) {
  for (int spins = 0;;) {
    uint64_t at = __atomic_load_n(&r->w[0], __ATOMIC_ACQUIRE);
    if (RT_UNLIKELY_(!rt_still_(r->s, r->v))) return RING_GONE;
    if (RT_UNLIKELY_((at & (RING_CLOSED | RING_HELD)) != 0)) {
      if ((at & RING_CLOSED) != 0) return RING_IS_CLOSED;
      acquire(r->s);
      unlock(r->s);
      continue;
    }
    uint64_t pos = at & ~(uint64_t)RING_MARKS, i = (pos & (r->lap - 1)) / RING_UNIT, *cell = &r->w[RING_CELLS + 2 * i];
    uint64_t stamp = __atomic_load_n(&cell[0], __ATOMIC_ACQUIRE);
    if (RT_LIKELY_(stamp == pos)) {
      if (RT_LIKELY_(__atomic_compare_exchange_n(&r->w[0], &at, ring_next(r, at, i), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))) {
        __atomic_store_n(&cell[1], v, __ATOMIC_RELAXED);
        __atomic_store_n(&cell[0], pos + RING_UNIT, __ATOMIC_RELEASE);
        *waited = (at & RING_WAITED) != 0;
        return RING_OK;
      }
      continue;
    }
    if (stamp + r->lap == pos + RING_UNIT) { // what was put there a round ago: full, or about to be taken
      __atomic_thread_fence(__ATOMIC_SEQ_CST);
      uint64_t head = __atomic_load_n(&r->w[RING_HEAD], __ATOMIC_RELAXED) & ~(uint64_t)RING_MARKS;
      if (head + r->lap == pos) return RING_NOT_NOW;
    }
    ring_pause(&spins);
  }
}

// ring_take takes the oldest value out.
static inline int ring_take(const ring *r, rt_value *v, bool *waited) {
  for (int spins = 0;;) {
    uint64_t at = __atomic_load_n(&r->w[RING_HEAD], __ATOMIC_ACQUIRE);
    if (RT_UNLIKELY_(!rt_still_(r->s, r->v))) return RING_GONE;
    if (RT_UNLIKELY_((at & RING_HELD) != 0)) {
      acquire(r->s);
      unlock(r->s);
      continue;
    }
    uint64_t pos = at & ~(uint64_t)RING_MARKS, i = (pos & (r->lap - 1)) / RING_UNIT, *cell = &r->w[RING_CELLS + 2 * i];
    uint64_t stamp = __atomic_load_n(&cell[0], __ATOMIC_ACQUIRE);
    if (RT_LIKELY_(stamp == pos + RING_UNIT)) {
      if (RT_LIKELY_(__atomic_compare_exchange_n(&r->w[RING_HEAD], &at, ring_next(r, at, i), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))) {
        *v = __atomic_load_n(&cell[1], __ATOMIC_RELAXED);
        __atomic_store_n(&cell[0], pos + r->lap, __ATOMIC_RELEASE);
        *waited = (at & RING_WAITED) != 0;
        return RING_OK;
      }
      continue;
    }
    if (stamp == pos) {
      __atomic_thread_fence(__ATOMIC_SEQ_CST);
      uint64_t tail = __atomic_load_n(&r->w[0], __ATOMIC_RELAXED);
      if ((tail & ~(uint64_t)RING_MARKS) == pos) return (tail & RING_CLOSED) != 0 ? RING_IS_CLOSED : RING_NOT_NOW;
    }
    ring_pause(&spins);
  }
}

// ring_empty and ring_full mark that somebody is about to wait, and say whether there is something to wait for. Under the
// lock of the key's bucket. A sender that comes later sees the mark.
static inline bool ring_empty(const ring *r) {
  uint64_t tail = __atomic_fetch_or(&r->w[0], RING_WAITED, __ATOMIC_SEQ_CST);
  uint64_t head = __atomic_load_n(&r->w[RING_HEAD], __ATOMIC_SEQ_CST);
  return (tail & RING_CLOSED) == 0 && (head | RING_MARKS) == (tail | RING_MARKS);
}

static inline bool ring_full(const ring *r) {
  uint64_t head = __atomic_fetch_or(&r->w[RING_HEAD], RING_WAITED, __ATOMIC_SEQ_CST);
  uint64_t tail = __atomic_load_n(&r->w[0], __ATOMIC_SEQ_CST);
  return (tail & RING_CLOSED) == 0 && ((head + r->lap) | RING_MARKS) == (tail | RING_MARKS);
}

static inline uint32_t ring_len(const ring *r) {
  for (;;) {
    uint64_t tail = __atomic_load_n(&r->w[0], __ATOMIC_SEQ_CST), head = __atomic_load_n(&r->w[RING_HEAD], __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&r->w[0], __ATOMIC_SEQ_CST) != tail) continue;
    uint64_t t = (tail & (r->lap - 1)) / RING_UNIT, h = (head & (r->lap - 1)) / RING_UNIT;
    if (h < t) return (uint32_t)(t - h);
    if (h > t) return (uint32_t)(r->cap - h + t);
    return (tail | RING_MARKS) == (head | RING_MARKS) ? 0 : r->cap;
  }
}

static inline bool ring_close(const ring *r) { return (__atomic_fetch_or(&r->w[0], RING_CLOSED, __ATOMIC_SEQ_CST) & RING_CLOSED) == 0; }

// rti_ring_new gives a block that is an empty ring of cap cells, 0 when there is no memory. rti_ring_end ends one: what is
// in it is let go, whoever is in the middle of a step finishes it, and the block is kept for another ring.
RTI_HIDDEN uint32_t rti_ring_new(uint32_t cap);
RTI_HIDDEN void rti_ring_end(uint32_t *next, uint32_t blk, uint32_t cap);
#endif
