//go:build linux || darwin

// Actors. What threads share is in the slot and changes under its lock: the mailbox, a ring of values that grows from
// nothing, and how the actor is. So a send is one short lock, and a word that is no actor any more is no actor here either.
//
// A record has what only the actor's own strand needs. It is its strand's: a body's until the body has returned; a
// handler's from the send that finds it idle until it is idle again; and that of who ends an idle handler. That of an actor
// whose handler is Go's is the slot's: nothing waits for a goroutine that has its turn, so it may find the slot gone.
//
// The runtime counts an actor that is busy, so that it lives on when its last handle is let go. An idle one it does not
// count: nobody can send to it any more when its last handle goes, and that is its end. A body that waits for messages
// without a limit is idle in this sense; its recv is told.

#define RTI_MAY_SWITCH
#include "run.h"

// The slot's length: how many messages wait, and how the actor is.
enum {
  WAITING = (1 << 21) - 1,
  BUSY = 1 << 21,    // its strand has the record and will look at the slot again
  COUNTED = 1 << 22, // the runtime has a count
  CLOSED = 1 << 23,
  DEAD = 1 << 24,
  SENDERS = 1 << 25, // someone waits for room
  HANDLER = 1 << 26,
  REASON = 27, // three bits: an rt_actor_reason
  ASKED = 1 << 30, // someone waits for its end, and does not know its strand
};
static const uint32_t HOSTED = 1u << 31; // beside HANDLER: a goroutine does its turns (host.c)

enum { FULL = -1, BATCH = 64, TURN = 256, SMALL = 3 };

typedef struct actor {
  rt_value self, ctx;
  union {
    void (*body)(rt_value ctx);
    void (*handler)(rt_value state, rt_value msg);
  } fn;
  uint32_t capacity, strand; // of a body, once it runs; under the lock
  bool handler, failed;
} actor;

// The slot's aux: the record's block, and where in the ring the first message is. The slot's block is the ring.
typedef struct ring {
  uint32_t record, head;
  int lg;
} ring;

static inline ring ring_of(uint64_t aux) { return (ring){(uint32_t)aux, (uint32_t)(aux >> 40), (int)(aux >> 32 & 31)}; }
static inline uint64_t ring_aux(ring r) { return (uint64_t)r.head << 40 | (uint64_t)r.lg << 32 | r.record; }
static inline actor *record_at(uint32_t blk) { return (actor *)(void *)rt_words_(blk); }
static inline uint64_t *cell(rt_slot_ *s, ring r, uint32_t i) {
  return &rt_words_(get32(&s->blk))[(r.head + i) & ((1u << r.lg) - 1)];
}

// Keys of the parking lot: who waits for messages, for room, for the end.
static inline uint64_t key_messages(rt_value a) { return a; }
static inline uint64_t key_room(rt_value a) { return a ^ 2; }
static inline uint64_t key_end(rt_value a) { return a ^ 4; }

static inline void set_len(rt_slot_ *s, uint32_t l) { __atomic_store_n(&s->len, l, __ATOMIC_RELEASE); }

// own_slot locks the slot of an actor for its own strand: NULL when more counts were let go than there were.
static rt_slot_ *own_slot(rt_value self) {
  rt_slot_ *s = rt_slot_of_(self);
  acquire(s);
  if (RT_LIKELY_(rt_live_(s, self, RT_T_ACTOR))) return s;
  unlock(s);
  return NULL;
}

// peek reads an actor's length as it is now: false when v is no actor, or one that is gone.
static bool peek(rt_value v, uint32_t *l) {
  rt_slot_ *s = rt_slot_of_(v);
  if (!rt_live_(s, v, RT_T_ACTOR)) return false;
  *l = rt_load32_(&s->len);
  return rt_still_(s, v);
}

// how is the actor's length, or DEAD | CLOSED when it is gone.
static uint32_t how(rt_value v) {
  uint32_t l;
  return peek(v, &l) ? l : DEAD | CLOSED;
}

// ---- The mailbox ----
// more_room makes the ring larger: RT_OK, or FULL, or RT_E_MEMORY.
static int32_t more_room(rt_slot_ *s, ring *r, uint32_t n, uint32_t capacity) {
  if (n >= capacity) return FULL;
  uint32_t old = get32(&s->blk);
  int lg = old == 0 ? SMALL : r->lg + 2;
  while (lg > SMALL && 1u << (lg - 1) >= capacity) lg--;
  uint32_t blk = take_block(8ULL << lg);
  if (blk == 0) return RT_E_MEMORY;
  uint64_t *to = rt_words_(blk);
  for (uint32_t i = 0; i < n; i++) __atomic_store_n(&to[i], get(cell(s, *r, i)), __ATOMIC_RELAXED);
  __atomic_store_n(&s->blk, blk, __ATOMIC_RELEASE);
  if (old != 0) give_block(old, 8ULL << r->lg);
  *r = (ring){r->record, 0, lg};
  return RT_OK;
}

// take moves k messages out, which are there.
static void take(rt_slot_ *s, uint32_t l, uint32_t k, rt_value *to) {
  ring r = ring_of(get(&s->aux));
  for (uint32_t i = 0; i < k; i++) to[i] = get(cell(s, r, i));
  r.head = (r.head + k) & ((1u << r.lg) - 1);
  __atomic_store_n(&s->aux, ring_aux(r), __ATOMIC_RELAXED);
  set_len(s, l - k);
}

// small gives a large ring back while nothing is in it.
static void small(rt_slot_ *s) {
  ring r = ring_of(get(&s->aux));
  uint32_t blk = get32(&s->blk);
  if (blk == 0 || r.lg <= SMALL) return;
  __atomic_store_n(&s->blk, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->aux, r.record, __ATOMIC_RELAXED);
  give_block(blk, 8ULL << r.lg);
}

static void no_senders(void *arg) { // nobody waits for room any more
  rt_slot_ *s = own_slot(*(rt_value *)arg);
  if (s == NULL) return;
  set_len(s, get32(&s->len) & ~(uint32_t)SENDERS);
  unlock(s);
}

static void room_for(rt_value self, int64_t n) { rti_unpark(key_room(self), n, no_senders, &self); }

// ---- Ends ----
// let_messages_go lets n messages of a ring go, and the ring.
static void let_messages_go(uint32_t *next, uint32_t blk, ring r, uint32_t n) {
  if (blk == 0) return;
  for (uint32_t i = 0; i < n; i++) let_go(next, get(&rt_words_(blk)[(r.head + i) & ((1u << r.lg) - 1)]));
}

// finish is the end of an actor, by its own strand: which has its record, or none (hosted) when the slot has it.
static void finish(rt_value self, actor *a, uint32_t reason) {
  uint32_t blk = 0, l = 0, next = 0;
  ring r = {0, 0, 0};
  rt_slot_ *s = own_slot(self);
  if (s != NULL) {
    l = get32(&s->len);
    blk = get32(&s->blk);
    r = ring_of(get(&s->aux));
    if (l & HOSTED) a = record_at(r.record);
    __atomic_store_n(&s->blk, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->aux, 0, __ATOMIC_RELAXED);
    set_len(s, (l & HANDLER) | CLOSED | DEAD | reason << REASON);
    unlock(s);
  }
  if (a == NULL) return;
  let_messages_go(&next, blk, r, l & WAITING);
  let_go(&next, a->ctx);
  rti_bury_all(next);
  if (blk != 0) give_block(blk, 8ULL << r.lg);
  give_block((uint32_t)(((char *)rt_h_.base - (char *)a) >> 4), sizeof *a);
  rti_unpark(key_end(self), -1, NULL, NULL);
  rti_unpark(key_room(self), -1, NULL, NULL);
  if (l & COUNTED) rt_release(self);
}

uint64_t rti_actor_end(uint32_t *next, rt_slot_ *s) {
  uint32_t l = get32(&s->len);
  rt_value v = ((get(&s->word) >> 36) - 1) << 36 | RT_TYPE_(RT_T_ACTOR) | (rt_value)(s - rt_h_.base) << 3 | 1; // as it was
  ring r = ring_of(get(&s->aux));
  let_messages_go(next, get32(&s->blk), r, l & WAITING);
  if (!(l & DEAD)) {
    if (l & HOSTED || (!(l & BUSY) && (l & HANDLER))) { // nobody else has the record
      let_go(next, record_at(r.record)->ctx);
      give_block(r.record, sizeof(actor));
    }
    rti_unpark(key_messages(v), -1, NULL, NULL);
    rti_unpark(key_room(v), -1, NULL, NULL);
    rti_unpark(key_end(v), -1, NULL, NULL);
  }
  return 8ULL << r.lg;
}

// ---- Strands ----
// begun tells those who wait for the body's end which strand it has: one of them may be what it waits for.
static void begun(actor *a) {
  uint32_t id = rti_strand_id(), l = 0;
  rt_slot_ *s = own_slot(a->self);
  if (s == NULL) return;
  a->strand = id;
  l = get32(&s->len);
  set_len(s, l & ~(uint32_t)ASKED);
  unlock(s);
  if (l & ASKED) rti_unpark(key_end(a->self), -1, NULL, NULL);
}

static void live(uint64_t arg) {
  actor *a = (actor *)(uintptr_t)arg;
  uint32_t reason = RT_ACTOR_ABANDONED;
  if (!rti_stopping()) {
    rti_frame f;
    rti_enter(&f, a->self);
    me()->actor = a;
    begun(a);
    a->fn.body(a->ctx);
    rti_leave(&f);
    reason = a->failed ? RT_ACTOR_FAILED : how(a->self) & CLOSED ? RT_ACTOR_STOPPED : RT_ACTOR_FINISHED;
  }
  finish(a->self, a, reason);
}

static void turn(uint64_t arg) {
  actor *a = (actor *)(uintptr_t)arg;
  rt_value self = a->self, batch[BATCH];
  uint32_t reason = RT_ACTOR_ABANDONED;
  rti_frame f;
  rti_enter(&f, self);
  me()->actor = a;
  for (uint32_t left = TURN; !rti_stopping();) {
    rt_slot_ *s = own_slot(self);
    if (s == NULL) break;
    uint32_t l = get32(&s->len), n = l & WAITING, k = n < BATCH ? n : BATCH;
    if (n == 0) {
      if (l & CLOSED) {
        unlock(s);
        reason = RT_ACTOR_STOPPED;
        break;
      }
      small(s);
      set_len(s, l & ~(uint32_t)(BUSY | COUNTED));
      unlock(s); // the record is the next sender's from here on
      rti_leave(&f);
      if (l & COUNTED) rt_release(self);
      return;
    }
    if (left == 0) { // others have their turn; the stack is theirs meanwhile
      unlock(s);
      rti_leave(&f);
      if (rti_go(turn, arg)) return;
      rti_yield();
      rti_enter(&f, self);
      me()->actor = a;
      left = TURN;
      continue;
    }
    take(s, l, k, batch);
    unlock(s);
    if (l & SENDERS) room_for(self, k);
    for (uint32_t i = 0; i < k; i++) {
      if (RT_LIKELY_(!a->failed)) a->fn.handler(a->ctx, batch[i]);
      rt_release(batch[i]);
    }
    left -= k < left ? k : left;
    if (RT_UNLIKELY_(a->failed)) {
      reason = RT_ACTOR_FAILED;
      break;
    }
  }
  rti_leave(&f);
  finish(self, a, reason);
}

// For Go: a turn of an actor whose handler is Go's, until this answers 0. Otherwise it is how many messages it has taken,
// which are the caller's, for the function of number *id. failed: the last batch was the last.
int32_t rti_host_take(rt_value self, bool failed, rt_value *batch, uint64_t *id) {
  rt_slot_ *s = own_slot(self);
  if (s == NULL) return 0;
  uint32_t l = get32(&s->len), n = l & WAITING, k = n < BATCH ? n : BATCH;
  uint32_t reason = failed ? RT_ACTOR_FAILED : rti_stopping() ? RT_ACTOR_ABANDONED : n == 0 && l & CLOSED ? RT_ACTOR_STOPPED : 0;
  if (reason == 0 && n > 0) {
    take(s, l, k, batch);
    *id = get(&rt_slot_of_(record_at(ring_of(get(&s->aux)).record)->ctx)->aux);
    unlock(s);
    if (l & SENDERS) room_for(self, k);
    return (int32_t)k;
  }
  if (reason == 0) {
    small(s);
    set_len(s, l & ~(uint32_t)(BUSY | COUNTED));
  }
  unlock(s);
  if (reason != 0) finish(self, NULL, reason);
  else if (l & COUNTED) rt_release(self);
  return 0;
}

// start has an actor that was roused run; of a, when it is hosted, nothing may be read.
static bool start(rt_value self, actor *a, uint32_t l) {
  return l & HOSTED ? rti_host_turn(self) : rti_go(l & HANDLER ? turn : live, (uint64_t)(uintptr_t)a);
}

static rt_value spawn(uint32_t kind, void (*body)(rt_value), void (*each)(rt_value, rt_value), rt_value ctx, int64_t capacity) {
  if (capacity < 1 || capacity > RT_ACTOR_CAPACITY_MAX) return nil_for(RT_E_SIZE);
  if (!rt_retain(ctx)) return RT_NIL;
  bool handler = kind != 0, dead = kind == HANDLER ? each == NULL : kind == 0 && body == NULL;
  uint32_t blk = dead ? 0 : take_block(sizeof(actor)), l = handler ? kind : BUSY | COUNTED;
  if (dead) l = (l & HANDLER) | CLOSED | DEAD | RT_ACTOR_FINISHED << REASON;
  actor *a = NULL;
  if (blk != 0) {
    a = record_at(blk);
    *a = (actor){.ctx = ctx, .capacity = (uint32_t)capacity, .handler = handler};
    if (handler) a->fn.handler = each;
    else a->fn.body = body;
  }
  rt_value v = RT_NIL;
  if (dead || a != NULL) v = made(RT_T_ACTOR, 0, 0, l, blk);
  else me()->error = rti_stopping() ? rti_stopping() : RT_E_MEMORY;
  if (v == RT_NIL || dead) {
    give_block(blk, sizeof *a);
    rt_release(ctx);
    return v;
  }
  a->self = v;
  if (handler) return v;
  rt_retain(v);
  if (start(v, a, l)) return v;
  int32_t error = rti_stopping() ? rti_stopping() : RT_E_MEMORY;
  finish(v, a, RT_ACTOR_ABANDONED); // which lets the runtime's count go
  rt_release(v);
  return nil_for(error);
}

rt_value rt_actor_spawn(void (*body)(rt_value), rt_value ctx) { return spawn(0, body, NULL, ctx, RT_ACTOR_CAPACITY); }
rt_value rt_actor_spawn_cap(void (*body)(rt_value), rt_value ctx, int64_t capacity) { return spawn(0, body, NULL, ctx, capacity); }
rt_value rt_actor_spawn_handler(void (*handler)(rt_value, rt_value), rt_value state) {
  return spawn(HANDLER, NULL, handler, state, RT_ACTOR_CAPACITY);
}
rt_value rt_actor_spawn_handler_cap(void (*handler)(rt_value, rt_value), rt_value state, int64_t capacity) {
  return spawn(HANDLER, NULL, handler, state, capacity);
}
rt_value rti_actor_hosted(rt_value host, int64_t capacity) { return spawn(HANDLER | HOSTED, NULL, NULL, host, capacity); }

// ---- Sending ----
// rouse makes an idle actor busy; its slot is locked. False: it is dying.
static inline bool rouse(rt_value v, uint32_t *l) {
  if (!(*l & COUNTED) && !rt_retain(v)) return false;
  *l |= BUSY | COUNTED;
  return true;
}

// wake lets an actor that was roused go on; its slot is not locked any more. RT_OK, or why its turn could not be queued.
static int32_t wake(rt_value v, uint32_t l, actor *a) {
  if (!(l & HANDLER)) {
    rti_unpark(key_messages(v), 1, NULL, NULL);
    return RT_OK;
  }
  return start(v, a, l) ? RT_OK : rti_stopping() ? rti_stopping() : RT_E_MEMORY;
}

// put puts a message that is counted into the mailbox: RT_OK, FULL, or why not. mark: if it is full, someone will wait.
// turn, if not NULL: a hosted actor that it rouses has its turn from the caller, who is Go.
static int32_t put(rt_value v, rt_value msg, bool mark, bool *turn) {
  rt_slot_ *s = writes(v, RT_T_ACTOR);
  if (RT_UNLIKELY_(s == NULL)) return me()->error;
  uint32_t l = get32(&s->len), n = l & WAITING;
  if (RT_UNLIKELY_(l & CLOSED)) {
    unlock(s);
    return RT_E_CLOSED;
  }
  ring r = ring_of(get(&s->aux));
  actor *a = record_at(r.record);
  if (RT_UNLIKELY_(n == (get32(&s->blk) == 0 ? 0 : 1u << r.lg) || n >= a->capacity)) {
    int32_t error = more_room(s, &r, n, a->capacity);
    if (error != RT_OK) {
      if (error == FULL && mark) set_len(s, l | SENDERS);
      unlock(s);
      return error;
    }
    __atomic_store_n(&s->aux, ring_aux(r), __ATOMIC_RELAXED);
  }
  bool idle = !(l & BUSY);
  if (idle && RT_UNLIKELY_(!rouse(v, &l))) {
    unlock(s);
    return RT_E_HANDLE;
  }
  __atomic_store_n(cell(s, r, n), msg, __ATOMIC_RELAXED);
  set_len(s, l + 1);
  unlock(s);
  if (RT_LIKELY_(!idle)) return RT_OK;
  if (turn != NULL && l & HOSTED) return *turn = true, RT_OK;
  int32_t error = wake(v, l, a);
  if (RT_LIKELY_(error == RT_OK)) return RT_OK;
  // It could not be: the message comes out again, and whoever sends next tries again. Nobody else took any meanwhile.
  s = own_slot(v);
  if (s == NULL) return error;
  l = get32(&s->len);
  r = ring_of(get(&s->aux));
  for (uint32_t i = n; i + 1 < (l & WAITING); i++) __atomic_store_n(cell(s, r, i), get(cell(s, r, i + 1)), __ATOMIC_RELAXED);
  bool closed = l & CLOSED;
  set_len(s, closed ? l - 1 : (l - 1) & ~(uint32_t)(BUSY | COUNTED));
  unlock(s);
  if (closed) finish(v, a, RT_ACTOR_STOPPED); // whoever closed it left that to its strand, which is this one
  else rt_release(v);
  return error;
}

static bool no_room(void *arg, size_t i) {
  (void)i;
  uint32_t l = how(*(rt_value *)arg);
  return (l & (SENDERS | CLOSED)) == SENDERS;
}

static int32_t send_until(rt_value v, rt_value msg, int64_t deadline) {
  if (RT_UNLIKELY_(!rt_retain(msg))) return RT_E_VALUE;
  int32_t error;
  while (RT_UNLIKELY_((error = put(v, msg, deadline != 0, NULL)) == FULL)) {
    if (deadline == 0) error = RT_E_TIMEOUT;
    else if (rti_within(v)) error = RT_E_SELF;
    else error = rti_park(key_room(v), no_room, &v, deadline);
    if (error != RT_OK) break;
  }
  if (RT_UNLIKELY_(error != RT_OK)) {
    rt_release(msg);
    me()->error = error;
  }
  return error;
}

int64_t rt_actor_send(rt_value a, rt_value msg) { return send_until(a, msg, -1) == RT_OK; }
int32_t rt_actor_try_send(rt_value a, rt_value msg) { return send_until(a, msg, 0); }
int32_t rt_actor_send_ex(rt_value a, rt_value msg, int64_t timeout_ns) {
  return send_until(a, msg, timeout_ns == 0 ? 0 : rti_deadline(timeout_ns));
}

// ---- Receiving ----
static bool no_message(void *arg, size_t i) {
  (void)i;
  return (how(*(rt_value *)arg) & (BUSY | DEAD)) == 0;
}

static rt_value receive(int64_t deadline, int32_t *error) {
  actor *a = me()->actor;
  *error = RT_E_STATE;
  if (RT_UNLIKELY_(a == NULL || a->handler)) return RT_NIL;
  rt_value self = a->self, v;
  bool late = deadline == 0;
  for (;;) {
    rt_slot_ *s = own_slot(self);
    *error = RT_E_CLOSED;
    if (RT_UNLIKELY_(s == NULL)) return RT_NIL; // nobody can send any more
    uint32_t l = get32(&s->len);
    if (RT_LIKELY_((l & WAITING) != 0)) {
      take(s, l, 1, &v);
      unlock(s);
      if (RT_UNLIKELY_(l & SENDERS)) room_for(self, 1);
      *error = RT_OK;
      return RT_LIKELY_((v & 7) != 1) ? v : rti_own(v);
    }
    if (l & CLOSED || late) {
      unlock(s);
      if (!(l & CLOSED)) *error = RT_E_TIMEOUT;
      return RT_NIL;
    }
    // It waits. Without a limit it is idle, and lives while someone has a handle.
    small(s);
    set_len(s, l & ~(uint32_t)(deadline < 0 ? BUSY | COUNTED : BUSY));
    unlock(s);
    if (deadline < 0 && (l & COUNTED)) rt_release(self);
    int32_t woken = rti_park(key_messages(self), no_message, &self, deadline);
    s = own_slot(self);
    if (s == NULL) return RT_NIL;
    l = get32(&s->len);
    if (!(l & BUSY) && rouse(self, &l)) set_len(s, l); // it was not a message that woke it
    unlock(s);
    if (woken == RT_E_TIMEOUT) late = true;
    else if (woken != RT_OK) {
      *error = woken;
      return RT_NIL;
    }
  }
}

rt_value rt_actor_recv(void) {
  int32_t error;
  rt_value v = receive(-1, &error);
  if (RT_UNLIKELY_(error != RT_OK)) me()->error = error;
  return v;
}

int32_t rt_actor_recv_ex(int64_t timeout_ns, rt_value *out) {
  int32_t error;
  rt_value v = RT_NIL;
  if (out == NULL) error = RT_E_SIZE;
  else *out = v = receive(timeout_ns == 0 ? 0 : rti_deadline(timeout_ns), &error);
  if (RT_UNLIKELY_(error != RT_OK)) me()->error = error;
  return error;
}

int32_t rt_actor_try_recv(rt_value *out) { return rt_actor_recv_ex(0, out); }

rt_value rt_actor_self(void) {
  actor *a = me()->actor;
  return a != NULL ? a->self : nil_for(RT_E_STATE);
}

bool rt_actor_fail(void) {
  actor *a = me()->actor;
  if (a == NULL) return no_for(RT_E_STATE);
  return a->failed = true;
}

// ---- Ending and asking ----
static bool not_dead(void *arg, size_t i) {
  (void)i;
  return !(how(*(rt_value *)arg) & DEAD);
}

static bool not_begun(void *arg, size_t i) {
  (void)i;
  return (how(*(rt_value *)arg) & (DEAD | ASKED)) == ASKED;
}

// wait_for waits for the end of v, or for it to begin, unless v's strand waits for this one.
static int32_t wait_for(rt_value v, int64_t deadline) {
  if (rti_within(v)) return RT_E_SELF;
  if (deadline == 0) return RT_E_TIMEOUT;
  rt_slot_ *s = own_slot(v);
  if (s == NULL) return RT_OK;
  uint32_t l = get32(&s->len), runs = 0;
  bool asks = false;
  if (!(l & (DEAD | HANDLER))) {
    runs = record_at(ring_of(get(&s->aux)).record)->strand;
    asks = runs == 0;
    if (asks) set_len(s, l | ASKED);
  }
  unlock(s);
  if (!rti_waits_for(v, runs)) return RT_E_SELF;
  int32_t error = rti_park(key_end(v), asks ? not_begun : not_dead, &v, deadline);
  rti_waits_no_more();
  return error;
}

static int32_t join_until(rt_value v, int64_t deadline) {
  if (!rti_hold(v, RT_T_ACTOR)) return me()->error;
  int32_t error = RT_OK;
  uint32_t l;
  while (!((l = how(v)) & DEAD) && error == RT_OK) error = wait_for(v, deadline);
  if (error == RT_OK) {
    switch (l >> REASON & 7) {
    case RT_ACTOR_FAILED: error = RT_E_FAILED; break;
    case RT_ACTOR_ABANDONED: error = RT_E_STOPPED; break;
    }
  }
  rt_release(v);
  if (error != RT_OK) me()->error = error;
  return error;
}

int64_t rt_actor_join(rt_value a) { return join_until(a, -1) == RT_OK; }
int32_t rt_actor_join_ex(rt_value a, int64_t timeout_ns) { return join_until(a, timeout_ns == 0 ? 0 : rti_deadline(timeout_ns)); }

int64_t rt_actor_stop(rt_value v) {
  rt_slot_ *s = writes(v, RT_T_ACTOR);
  if (s == NULL) return 0;
  uint32_t l = get32(&s->len);
  if (l & CLOSED) {
    unlock(s);
    me()->error = RT_E_CLOSED;
    return 0;
  }
  actor *a = record_at(ring_of(get(&s->aux)).record);
  bool idle = !(l & BUSY) && rouse(v, &l);
  set_len(s, l | CLOSED);
  unlock(s);
  if (idle && wake(v, l, a) != RT_OK) finish(v, a, RT_ACTOR_STOPPED); // it is idle, so this can be its strand
  rti_unpark(key_room(v), -1, NULL, NULL);
  return 1;
}

// asked is how v is for those who ask: false, and why, when it is no actor.
static bool asked(rt_value v, uint32_t *l) {
  if (peek(v, l)) return true;
  rt_refuse_(v, 0);
  return false;
}

// A handle is never used twice, so it is the number, without what all actors have alike.
int64_t rt_actor_id(rt_value v) {
  uint32_t l;
  return asked(v, &l) ? (int64_t)(v >> 36 << 28 | (v >> 3 & ((1u << 28) - 1))) : 0;
}

int64_t rt_actor_is_alive(rt_value v) {
  uint32_t l;
  return asked(v, &l) && !(l & DEAD);
}

int64_t rt_actor_death_reason(rt_value v) {
  uint32_t l;
  return asked(v, &l) ? (int64_t)(l >> REASON & 7) : -1;
}

int64_t rt_actor_pending(rt_value v) {
  uint32_t l;
  return asked(v, &l) ? (int64_t)(l & WAITING) : -1;
}

// For Go: a send of msg, or the end (joins), or a waiter that Go keeps. RTI_TURN: it is sent, and the caller sees to it that
// the actor has its turn.
rti_waiter *rti_actor_go(rt_value v, rt_value msg, int32_t joins, uint64_t token, int32_t *status) {
  for (bool turn = false;;) {
    if (joins) {
      *status = rt_actor_join_ex(v, 0);
    } else if (!rt_retain(msg)) {
      *status = RT_E_VALUE;
    } else if ((*status = put(v, msg, token != 0, &turn)) != RT_OK) {
      rt_release(msg);
      if (*status == FULL) *status = RT_E_TIMEOUT;
    } else if (turn) {
      *status = RTI_TURN;
    }
    if (*status != RT_E_TIMEOUT || token == 0) return NULL;
    rti_waiter *w = rti_go_park(joins ? key_end(v) : key_room(v), joins ? not_dead : no_room, &v, token, status);
    if (w != NULL) *status = RT_E_TIMEOUT;
    if (w != NULL || *status != RT_OK) return w;
  }
}
