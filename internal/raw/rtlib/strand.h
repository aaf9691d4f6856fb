// What wait.c and sched.c share: waiters and strands.
#ifndef ISTHMUS_RT_STRAND_H
#define ISTHMUS_RT_STRAND_H

#include "run.h"

// States of a waiter: it waits; woken; or an rt_error that it gave up with. Whoever changes RTI_WAITS has it.
enum { RTI_WAITS = 1000, RTI_WOKEN = 1001, RTI_NOT_NOW = 1002 };

typedef struct rti_node {
  struct rti_node *next, *prev;
  uint64_t key;
  rti_waiter *w;
  bool queued; // false: nobody but the waiter knows of the node
} rti_node;

struct rti_waiter {
  uint32_t state;
  int timer;      // its place among the timers, -1: none. Under the scheduler's lock
  rti_strand *co; // a coroutine waits
  uint64_t token; // or Go
  rti_node *node; // Go's
  int64_t deadline;
};

// A strand is never freed, only used again: its number may be looked up at any time.
struct rti_strand {
  rti_stack stack; // of a coroutine
  rti_stack *at;   // the stack that a suspended coroutine goes on with: its own, or that of one nested in it
  rti_strand *next;
  rti_frame *frames;
  rti_strand *nested;  // the innermost coroutine inside that is running
  rti_strand *outer;   // of a nested one: the one that it is nested in
  rti_stack *resumer;  // of a nested one: who resumed it
  void (*fn)(uint64_t);
  uint64_t arg;
  locals l; // while it is suspended
  rt_value waits_for;
  uint32_t runs; // the strand that runs what it waits for
  uint32_t id;
  uint32_t bodies;
  bool coroutine, busy, ended; // busy: its stack is in use, also while it is being left
};

RTI_HIDDEN rti_strand *rti_coroutine_now(void);               // NULL: the strand is a thread
RTI_HIDDEN void rti_suspend(rti_waiter *w, int64_t deadline); // the coroutine that w is of sleeps until w is claimed
static inline rti_strand **rti_next_of(rti_strand *s) { return &s->next; }
#endif
