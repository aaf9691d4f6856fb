// What the C half and the Go half of a bridge say to each other.
#ifndef ISTHMUS_BRIDGE_INTERNAL_H
#define ISTHMUS_BRIDGE_INTERNAL_H

#include "isthmus_bridge.h"

#include <stdbool.h>

enum { NEW, PENDING, PENDING_WAITED, PENDING_WAKES, CLAIMED, DONE, ABANDONED, FREED };

// slot is a br_slot and what the host need not see. state says whose it is: the host's (NEW, DONE), or Go's. PENDING (or
// PENDING_WAITED, with somebody in br_wait, or PENDING_WAKES, after br_slot_wake) becomes CLAIMED, then DONE, by whoever
// completes it, or ABANDONED by the host; after that it belongs to those in Go who take from the ring.
typedef struct slot {
  br_slot pub;
  uint32_t state;
  uint32_t cast;
  uint64_t generation;
  uint64_t charge;     // bytes that it counts for
  struct slot *next;   // of the abandoned, or of the done
  uint64_t call;       // Go's number for it, 0 for none: Go's
  uint32_t stage;      // IN_RING, then TAKEN or, when it was found abandoned before, REAPED: Go's
  void *token;         // of br_slot_wake: the host's until PENDING_WAKES
  int32_t capability;
  uint32_t reserved;
  uint8_t *longer;     // the reply, when buf has not the room; or NULL
  uint64_t room;       // of buf
  uint8_t buf[];
} slot;

enum { IN_RING, TAKEN, REAPED };

// TOLD is what bri_complete returns when the host may sleep, and was told.
enum { TOLD = -1 };

// cell is a place in the ring, one line of the cache. A small cast travels inside.
#define CELL_BYTES 48
enum { CELL_SLOT = 0, CELL_CAST = 1 };
typedef struct cell {
  uint64_t seq;
  uint32_t method;
  uint16_t kind;
  uint16_t len;
  union {
    slot *slot;
    uint8_t data[CELL_BYTES];
  } u;
} cell;

// Who takes from the ring: a worker of Go's (any other number), nobody (and some wait for the bell), or one that a producer
// has rung for.
enum { WATCH_NONE, WATCH_RUNG };

// ring is a bounded queue of many producers, the hosts' threads, and one consumer at a time, the worker that has the watch. It
// is made once.
typedef struct ring {
  uint64_t head; uint8_t p0[56];
  uint64_t watch;
  uint32_t bell; uint8_t p1[52];   // counts; workers without the watch wait for it
  uint64_t inside; uint8_t p2[56]; // threads between the look at the generation and the end of what they do
  uint64_t inside_go; uint8_t p3[56];
  uint64_t mask;
  slot *abandoned;                 // a stack: pushed by hosts, taken as a whole by the consumer
  uint8_t p4[48];
  cell cells[];
} ring;

// Counters, each written atomically: br_stats says what hosts and Go have counted together.
extern br_stats_t bri_stats, bri_stats_go;

int32_t bri_serve(const br_desc *desc);
void bri_refuse(const char *why);
ring *bri_ring(void);
void bri_bell_wait(uint32_t bell);
void bri_bell_all(void);
bool bri_linger(uint64_t tail);
void bri_wake(void);
int32_t bri_complete(slot *s, int32_t status, const uint8_t *data, uint64_t n);
void bri_reap(slot *s);
void bri_reap_all(void);
void bri_cast_done(slot *s);
slot *bri_keep(uint64_t generation, uint32_t method, int32_t status, const uint8_t *data, uint64_t n);
int32_t bri_event_push(uint64_t generation, uint32_t method, const uint8_t *data, uint64_t n, int32_t drop);
uint32_t bri_emitter_waits(void);
void bri_emitter_wait(uint32_t was);
void bri_emitter_wake(void);
uint64_t bri_now(void);
bool bri_forked(void);

extern int32_t brgo_ready(void);
extern int32_t brgo_open(uint64_t generation, br_init_args *args, br_error *err);
extern void brgo_close(uint64_t generation, uint64_t drain_ns, br_report *report);
extern int32_t brgo_inline(uint64_t generation, uint32_t method, uint8_t *request, size_t n, uint8_t *out, size_t cap,
                           size_t *out_len, uint64_t deadline_ns, slot **more);
#endif
