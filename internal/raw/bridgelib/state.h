// What the C files of a bridge share. Every word that threads share is read and written by these.
#ifndef ISTHMUS_BRIDGE_STATE_H
#define ISTHMUS_BRIDGE_STATE_H

#include "bridge.h"

static inline uint64_t load64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void store64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint32_t load32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void store32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline int load_int(const int *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void store_int(int *p, int v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline bool swap64(uint64_t *p, uint64_t from, uint64_t to) {
  return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline bool swap32(uint32_t *p, uint32_t from, uint32_t to) {
  return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline void count(uint64_t *p) { __atomic_fetch_add(p, 1, __ATOMIC_RELAXED); }

enum { CLOSED, STARTING, OPEN, CLOSING };

// What hosts write with each call, what Go does, and what both only read are in lines of the cache of their own.
#define LINE __attribute__((aligned(64)))

typedef struct state {
  uint64_t word; // generation * 4 + CLOSED, STARTING, OPEN or CLOSING
  uint64_t max_request, max_reply, max_in_flight, max_bytes;
  br_waker waker;
  ring *ring; // set once, before the first generation
  int doorbell, lent; // lent is the host's own number for it: one that it closes is not written to
  uint64_t in_flight, bytes; // of what lives, of whatever generation
  uint8_t p1[48];
  slot *done; // a stack of those with BR_SLOT_DONE_LIST
} state;

extern state bri_state;

static inline bool bri_open(uint64_t generation) { return generation != 0 && load64(&bri_state.word) == generation * 4 + OPEN; }

// enter counts a thread in before it looks at the generation, so that br_deinit, which changes the generation first, waits
// for it. Threads of Go's that end calls are counted apart.
static inline void enter(void) { __atomic_fetch_add(&bri_state.ring->inside, 1, __ATOMIC_SEQ_CST); }
static inline void leave(void) { __atomic_fetch_sub(&bri_state.ring->inside, 1, __ATOMIC_SEQ_CST); }
static inline void enter_go(void) { __atomic_fetch_add(&bri_state.ring->inside_go, 1, __ATOMIC_SEQ_CST); }
static inline void leave_go(void) { __atomic_fetch_sub(&bri_state.ring->inside_go, 1, __ATOMIC_SEQ_CST); }

bool bri_admit(uint64_t bytes);
bool bri_charge(uint64_t bytes);
void bri_uncharge(uint64_t bytes);
void bri_dismiss(uint64_t bytes);
void bri_ring_bell(void);
void bri_tell(int32_t capability, void *token);
bool bri_telling(void);
void bri_events_close(void);
void bri_futex_wake_all(uint32_t *at);
void bri_futex_wait(uint32_t *at, uint32_t while_it_is);

#endif
