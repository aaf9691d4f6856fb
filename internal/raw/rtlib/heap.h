// What the C files of this package share: a thread's free memory, objects, locks. Names of the library's own begin with
// rti_ and are not exported.
#ifndef ISTHMUS_RT_HEAP_H
#define ISTHMUS_RT_HEAP_H

// Protected: the library's functions are called, and inlined, without a detour.
#define RT_API_ __attribute__((visibility("protected")))
#ifndef RT_FN_
#define RT_FN_ static inline
#endif
#include "isthmus_rt.h"

#include <string.h>

#define RTI_HIDDEN __attribute__((visibility("hidden")))

// What Go does (rtlib.go), called on the thread's own stack: see togo.c.
RTI_HIDDEN uint32_t rti_take_slots(uint32_t *dst, uint32_t n);
RTI_HIDDEN void rti_give_slots(uint32_t *src, uint32_t n);
RTI_HIDDEN uint32_t rti_take_blocks(int32_t c, uint32_t *dst, uint32_t n);
RTI_HIDDEN void rti_give_blocks(int32_t c, uint32_t *src, uint32_t n);
RTI_HIDDEN int32_t rti_start(rt_heap_ *heap);
RTI_HIDDEN int32_t rti_freeze(rt_value v);
RTI_HIDDEN int64_t rti_collect(void);
RTI_HIDDEN int64_t rti_objects(void);
RTI_HIDDEN int64_t rti_clear(void);
RTI_HIDDEN int64_t rti_census(rt_census_line *lines, int64_t n);
RTI_HIDDEN void rti_wake_go(uint64_t token, int32_t why);
RTI_HIDDEN uint32_t rti_site(const char *file, int32_t line);
RTI_HIDDEN const char *rti_site_text(uint32_t site);

enum { HOLE = 7, CLASSES = 31, MAGAZINES = 13, MAG = 64, MIN_TABLE = 3, ENUM_BYTES = 8 };

// ---- What a thread has: free slots and blocks, its last error, its scopes. One word of thread-local storage, which a
// library that is loaded late still gets. ----
// Its last error and its scopes, what was made and where each scope begins in it, a coroutine takes along, and a body has
// anew.
#define RTI_LOCALS \
  int32_t error; \
  size_t made, room, depth, marks_room; \
  rt_value *scoped; \
  size_t *marks; \
  struct generator_run *run; /* the innermost generator whose body it is in */ \
  struct actor *actor;       /* the actor whose body it is in */

typedef struct locals {
  RTI_LOCALS
} locals;

struct rti_strand;

// A stack that is left and come back to. fake, bottom, size and tsan are for the sanitizers.
typedef struct rti_stack {
  void *sp, *fake, *tsan;
  const void *bottom;
  size_t size;
} rti_stack;

typedef struct thread {
  union {
    struct {
      RTI_LOCALS
    };
    locals l;
  };
  uint32_t nslots;
  uint32_t slots[MAG];
  uint32_t nblocks[MAGAZINES];
  uint32_t blocks[MAGAZINES][MAG];
  // Of sched.c: the strand that is on this thread, the thread's own, the stack it is on, and what is asked of the thread's
  // own stack by whom.
  struct rti_strand *strand, *own, *next;
  struct thread *orphan; // the next thread that has ended
  rti_stack native, *on, *asker;
  bool worker;
  uint32_t streak;
  int ask;
  void (*fn)(void *);
  void *arg;
} thread;

extern RTI_HIDDEN __thread thread *rti_self __attribute__((tls_model("initial-exec")));
extern RTI_HIDDEN thread rti_poor; // for a thread that gets no memory: it has nothing, and its errors are anyone's

// Why nothing can be made: RT_OK while the runtime runs, RT_E_STOPPED, or RT_E_FORKED.
extern RTI_HIDDEN int32_t rti_off;

RTI_HIDDEN thread *rti_attach(void);
RTI_HIDDEN void rti_give_orphans(void); // on the thread's own stack: what ended threads had goes back to Go
RTI_HIDDEN thread *rti_me(void); // me(), read anew
RTI_HIDDEN bool rti_scope_add(thread *t, rt_value v);
// rti_own gives a result of which the caller gets a count to the thread's scope, if one is open.
RTI_HIDDEN rt_value rti_own(rt_value v);
RTI_HIDDEN void rti_wait(int spins);
RTI_HIDDEN void rti_bury_all(uint32_t next);

// A slot's words are read by whoever has a handle, at any time.
static inline uint64_t get(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint32_t get32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

static inline uint32_t per_fill(int c) {
  uint32_t n = 1u << 15 >> c;
  return n < 1 ? 1 : n > 32 ? 32 : n;
}

static inline thread *me(void) {
#ifdef RTI_MAY_SWITCH
  return rti_me(); // a compiler may keep the address of what is the thread's across a call
#else
  thread *t = rti_self;
  return RT_LIKELY_(t != NULL) ? t : rti_attach();
#endif
}

static inline int32_t off_now(void) { return __atomic_load_n(&rti_off, __ATOMIC_RELAXED); }

// refused_for says why a call is refused: in a fork's child, all are for that.
static inline int32_t refused_for(int32_t error) {
  return me()->error = RT_UNLIKELY_(off_now() == RT_E_FORKED) ? RT_E_FORKED : error;
}

static inline rt_value nil_for(int32_t error) {
  refused_for(error);
  return RT_NIL;
}

static inline bool no_for(int32_t error) {
  refused_for(error);
  return false;
}

static inline bool alive(rt_value v) {
  return (v & 7) == 1 && (v & RT_TYPE_(31)) != 0 && ((rt_load_(&rt_slot_of_(v)->word) ^ v) >> 31) == 0;
}

// ---- Slots and blocks ----
static inline int class_of(uint64_t bytes) { return bytes <= 16 ? 0 : 60 - __builtin_clzll(bytes - 1); }

static inline uint32_t take_slot(void) {
  thread *t = me();
  if (RT_UNLIKELY_(t->nslots == 0)) {
    if (t == &rti_poor || (t->nslots = rti_take_slots(t->slots, MAG / 2)) == 0) return 0;
  }
  return t->slots[--t->nslots];
}

static inline void give_slot(uint32_t i) {
  thread *t = me();
  if (RT_UNLIKELY_(t == &rti_poor)) {
    rti_give_slots(&i, 1);
    return;
  }
  if (RT_UNLIKELY_(t->nslots == MAG)) {
    rti_give_slots(t->slots + MAG / 2, MAG / 2);
    t->nslots = MAG / 2;
  }
  t->slots[t->nslots++] = i;
}

static inline uint32_t take_block(uint64_t bytes) {
  int c = class_of(bytes);
  uint32_t blk = 0;
  thread *t = me();
  if (RT_UNLIKELY_(c >= MAGAZINES || t == &rti_poor)) {
    rti_take_blocks(c, &blk, 1);
    return blk;
  }
  if (RT_UNLIKELY_(t->nblocks[c] == 0) && (t->nblocks[c] = rti_take_blocks(c, t->blocks[c], per_fill(c))) == 0) return 0;
  return t->blocks[c][--t->nblocks[c]];
}

static inline void give_block(uint32_t blk, uint64_t bytes) {
  if (blk == 0) return;
  int c = class_of(bytes);
  thread *t = me();
  if (RT_UNLIKELY_(c >= MAGAZINES || t == &rti_poor)) {
    rti_give_blocks(c, &blk, 1);
    return;
  }
  uint32_t k = per_fill(c);
  if (RT_UNLIKELY_(t->nblocks[c] == 2 * k)) {
    rti_give_blocks(c, t->blocks[c] + k, k);
    t->nblocks[c] = k;
  }
  t->blocks[c][t->nblocks[c]++] = blk;
}

// ---- Objects ----
// enliven has an object live in slot i, which is free, with a count of 1, and gives it its handle.
static inline rt_value enliven(uint32_t i, int type, uint32_t blk, uint32_t len, uint64_t aux) {
  rt_slot_ *s = rt_h_.base + i;
  __atomic_store_n(&s->blk, blk, __ATOMIC_RELAXED);
  __atomic_store_n(&s->len, len, __ATOMIC_RELAXED);
  __atomic_store_n(&s->aux, aux, __ATOMIC_RELAXED);
  __atomic_store_n(&s->meta, 0, __ATOMIC_RELAXED);
  uint64_t word = (get(&s->word) >> 36 << 36) | RT_TYPE_(type);
  __atomic_store_n(&s->word, word | 1, __ATOMIC_RELEASE);
  return word | (uint64_t)i << 3 | 1;
}

// made_bare gives the object that is complete but for its word its handle, which no scope knows of.
static inline rt_value made_bare(int type, uint32_t blk, uint32_t len, uint64_t aux) {
  int32_t off = off_now();
  uint32_t i = RT_LIKELY_(off == RT_OK) ? take_slot() : 0;
  if (RT_UNLIKELY_(i == 0)) return nil_for(off != RT_OK ? off : RT_E_MEMORY);
  return enliven(i, type, blk, len, aux);
}

// scoped gives what was made to the scope that is open.
static inline rt_value scoped(rt_value v) {
  thread *t = me();
  if (RT_UNLIKELY_(t->depth > 0) && !rti_scope_add(t, v)) {
    rt_release(v);
    return nil_for(RT_E_MEMORY);
  }
  return v;
}

// made gives the object that is complete but for its word its handle. The block is given back when there is no slot.
static inline rt_value made(int type, uint32_t blk, uint64_t bytes, uint32_t len, uint64_t aux) {
  rt_value v = made_bare(type, blk, len, aux);
  if (RT_LIKELY_(v != RT_NIL)) return scoped(v);
  give_block(blk, bytes);
  return RT_NIL;
}

// Most objects are small, made outside scopes, on a thread that has free slots and blocks of its own. ready is this thread
// when it is so for blocks of class c; every free block of a class up to PLAIN has room in a magazine of MAG.
enum { PLAIN = 10 };

static inline thread *ready(int c) {
  thread *t = rti_self;
  return RT_LIKELY_(t != NULL && t->nslots > 0 && t->nblocks[c] > 0 && t->depth == 0 && off_now() == RT_OK) ? t : NULL;
}

static inline uint32_t ready_block(thread *t, int c) { return t->blocks[c][--t->nblocks[c]]; }

static inline rt_value ready_made(thread *t, int type, uint32_t blk, uint32_t len, uint64_t aux) {
  return enliven(t->slots[--t->nslots], type, blk, len, aux);
}

// ready_end gives the slot and the block of what died back to this thread: false when that is not so simple.
static inline bool ready_end(uint32_t i, rt_slot_ *s, uint32_t blk, uint64_t bytes) {
  thread *t = rti_self;
  int c = class_of(bytes);
  if (RT_UNLIKELY_(t == NULL || c > PLAIN || t->nslots == MAG || t->nblocks[c] == MAG || get(&s->word) == 0)) return false;
  t->blocks[c][t->nblocks[c]++] = blk;
  t->slots[t->nslots++] = i;
  return true;
}

static inline void acquire(rt_slot_ *s) {
  for (int spins = 0;; spins++) {
    uint32_t l = __atomic_load_n(&s->lock, __ATOMIC_RELAXED);
    if (RT_LIKELY_(!(l & 1) && __atomic_compare_exchange_n(&s->lock, &l, l | 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
      __atomic_thread_fence(__ATOMIC_RELEASE);
      return;
    }
    rti_wait(spins);
  }
}

static inline void unlock(rt_slot_ *s) { __atomic_store_n(&s->lock, get32(&s->lock) + 1, __ATOMIC_RELEASE); }

// writes locks the slot of v: the object is alive, of the type and not frozen.
static inline rt_slot_ *writes(rt_value v, int type) {
  rt_slot_ *s = rt_slot_of_(v);
  if (RT_LIKELY_(rt_live_(s, v, type))) {
    acquire(s);
    if (RT_LIKELY_(rt_live_(s, v, type))) {
      if (RT_LIKELY_(!(get32(&s->meta) & 1))) return s;
      unlock(s);
      me()->error = RT_E_FROZEN;
      return NULL;
    }
    unlock(s);
  }
  rt_refuse_(v, 0);
  return NULL;
}

// drop lets one count go: 1 when it was the last and the end is the caller's to make.
static inline int drop(rt_value v) {
  if ((v & RT_TYPE_(31)) == 0) return 0;
  rt_slot_ *s = rt_slot_of_(v);
  uint64_t w = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
  while (((w ^ v) >> 31) == 0) {
    uint64_t n = w & RT_COUNT_MASK_;
    if (n == RT_COUNT_MASK_) return 0;
    uint64_t to = n == 1 ? ((w >> 36) + 1) << 36 : w - 1;
    if (__atomic_compare_exchange_n(&s->word, &w, to, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return n == 1;
  }
  return 0;
}

static inline void push_dead(uint32_t *next, rt_value v) {
  rt_slot_ *s = rt_slot_of_(v);
  __atomic_store_n(&s->meta, (uint32_t)(v >> 31 & 31), __ATOMIC_RELAXED);
  __atomic_store_n(&s->word, get(&s->word) | *next, __ATOMIC_RELAXED);
  *next = (uint32_t)(v >> 3) & ((1u << 28) - 1);
}

static inline void let_go(uint32_t *next, rt_value v) {
  if ((v & 7) == 1 && drop(v)) push_dead(next, v);
}

static inline void let_words_go(uint32_t *next, uint32_t blk, uint64_t n) {
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < n; i++) let_go(next, get(&w[i]));
}

typedef struct table {
  uint32_t *mark;
  uint64_t *entry; // two words each
  uint64_t n; // marks; 0 of a dictionary that never had an entry
  uint32_t used, gen;
  int lg;
} table;

static inline table table_of(uint32_t blk, uint64_t aux) {
  uint64_t n = blk != 0 ? 1ULL << (aux & 63) : 0, *w = rt_words_(blk);
  return (table){(uint32_t *)w, w + n / 2, n, (uint32_t)(aux >> 32), (uint32_t)(aux >> 8) & 0xffffff, (int)(aux & 0xff)};
}

static inline uint64_t room_of(const table *t) { return t->n / 4 * 3; }
static inline uint64_t table_aux(const table *t) { return (uint64_t)t->used << 32 | (uint64_t)t->gen << 8 | (uint64_t)t->lg; }
static inline uint64_t *key_at(const table *t, uint64_t j) { return t->entry + 2 * j; }
static inline void let_entries_go(uint32_t *next, const table *t) {
  if (t->n == 0) return;
  for (uint64_t j = 0; j < t->used; j++) {
    uint64_t *e = key_at(t, j);
    if (get(&e[0]) != HOLE) {
      let_go(next, get(&e[0]));
      let_go(next, get(&e[1]));
    }
  }
}

// ---- What dictionaries need of other types ----
static const rt_value flonum_zero = 0x8000000000000002ULL;

static inline uint64_t bits_of(double f) {
  uint64_t b;
  memcpy(&b, &f, sizeof b);
  return b;
}

static inline bool lend(rt_value v, const uint8_t **p, uint32_t *n) {
  rt_slot_ *s = rt_slot_of_(v);
  if (RT_UNLIKELY_(!rt_live_(s, v, RT_T_STRING))) return false;
  *p = (const uint8_t *)rt_words_(rt_load32_(&s->blk));
  *n = rt_load32_(&s->len);
  return RT_LIKELY_(rt_still_(s, v));
}
#endif
