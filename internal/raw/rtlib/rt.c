// The C half of the heap: every operation on values that needs no goroutine. package rtheap has a twin of each, and says
// how the heap is laid out; a differential test drives both. Go is entered for memory alone, some 32 objects at a time.

// The bodies of the header become the library's functions. Protected: they are called, and inlined, without a detour.
#define RT_API_ __attribute__((visibility("protected")))
#define RT_FN_ RT_API_
#include "isthmus_rt.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// What Go does: see rtlib.go.
uint32_t rtgo_take_slots(uint32_t *dst, uint32_t n);
void rtgo_give_slots(uint32_t *src, uint32_t n);
uint32_t rtgo_take_blocks(int32_t c, uint32_t *dst, uint32_t n);
void rtgo_give_blocks(int32_t c, uint32_t *src, uint32_t n);
int32_t rtgo_start(rt_heap_ *heap);
int32_t rtgo_freeze(rt_value v);
int64_t rtgo_collect(void);
int64_t rtgo_objects(void);
int64_t rtgo_census(rt_census_line *lines, int64_t n);

enum { HOLE = 7, CLASSES = 31, MAGAZINES = 13, MAG = 64, MIN_TABLE = 3, ENUM_BYTES = 8 };

// ---- What a thread has: free slots and blocks, its last error, its scopes. One word of thread-local storage, which a
// library that is loaded late still gets. ----
typedef struct thread {
  int32_t error;
  uint32_t nslots;
  uint32_t slots[MAG];
  uint32_t nblocks[MAGAZINES];
  uint32_t blocks[MAGAZINES][MAG];
  size_t made, room, depth, marks_room; // of the scopes: what was made, and where each scope begins in it
  rt_value *scoped;
  size_t *marks;
} thread;

static __thread thread *self __attribute__((tls_model("initial-exec")));
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static thread poor; // for a thread that gets no memory: it has nothing, and its errors are anyone's

// A slot's words are read by whoever has a handle, at any time.
static inline uint64_t get(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint32_t get32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

static uint32_t per_fill(int c) {
  uint32_t n = 1u << 15 >> c;
  return n < 1 ? 1 : n > 32 ? 32 : n;
}

static void leave(void *p) {
  thread *t = p;
  self = t; // what a scope releases may need it
  while (t->depth > 0) rt_scope_pop(RT_NIL);
  if (t->nslots > 0) rtgo_give_slots(t->slots, t->nslots);
  for (int c = 0; c < MAGAZINES; c++)
    if (t->nblocks[c] > 0) rtgo_give_blocks(c, t->blocks[c], t->nblocks[c]);
  self = NULL;
  free(t->scoped);
  free(t->marks);
  free(t);
}

static void make_key(void) { pthread_key_create(&key, leave); }

static __attribute__((noinline)) thread *attach(void) {
  pthread_once(&once, make_key);
  thread *t = calloc(1, sizeof *t);
  if (t == NULL) return &poor;
  self = t;
  pthread_setspecific(key, t);
  return t;
}

static inline thread *me(void) {
  thread *t = self;
  return RT_LIKELY_(t != NULL) ? t : attach();
}

static rt_value nil_for(int32_t error) {
  me()->error = error;
  return RT_NIL;
}

static bool no_for(int32_t error) {
  me()->error = error;
  return false;
}

static bool alive(rt_value v) {
  return (v & 7) == 1 && (v & RT_TYPE_(31)) != 0 && ((rt_load_(&rt_slot_of_(v)->word) ^ v) >> 31) == 0;
}

void rt_refuse_(rt_value v, int32_t error) {
  me()->error = error != 0 ? error : alive(v) ? RT_E_TYPE : RT_E_HANDLE;
}

int32_t rt_last_error(void) { return me()->error; }

// ---- Slots and blocks ----
static int class_of(uint64_t bytes) { return bytes <= 16 ? 0 : 60 - __builtin_clzll(bytes - 1); }

static uint32_t take_slot(void) {
  thread *t = me();
  if (RT_UNLIKELY_(t->nslots == 0)) {
    if (t == &poor || (t->nslots = rtgo_take_slots(t->slots, MAG / 2)) == 0) return 0;
  }
  return t->slots[--t->nslots];
}

static void give_slot(uint32_t i) {
  thread *t = me();
  if (RT_UNLIKELY_(t == &poor)) {
    rtgo_give_slots(&i, 1);
    return;
  }
  if (RT_UNLIKELY_(t->nslots == MAG)) {
    rtgo_give_slots(t->slots + MAG / 2, MAG / 2);
    t->nslots = MAG / 2;
  }
  t->slots[t->nslots++] = i;
}

static uint32_t take_block(uint64_t bytes) {
  int c = class_of(bytes);
  uint32_t blk = 0;
  thread *t = me();
  if (RT_UNLIKELY_(c >= MAGAZINES || t == &poor)) {
    rtgo_take_blocks(c, &blk, 1);
    return blk;
  }
  if (RT_UNLIKELY_(t->nblocks[c] == 0) && (t->nblocks[c] = rtgo_take_blocks(c, t->blocks[c], per_fill(c))) == 0) return 0;
  return t->blocks[c][--t->nblocks[c]];
}

static void give_block(uint32_t blk, uint64_t bytes) {
  if (blk == 0) return;
  int c = class_of(bytes);
  thread *t = me();
  if (RT_UNLIKELY_(c >= MAGAZINES || t == &poor)) {
    rtgo_give_blocks(c, &blk, 1);
    return;
  }
  uint32_t k = per_fill(c);
  if (RT_UNLIKELY_(t->nblocks[c] == 2 * k)) {
    rtgo_give_blocks(c, t->blocks[c] + k, k);
    t->nblocks[c] = k;
  }
  t->blocks[c][t->nblocks[c]++] = blk;
}

// ---- Objects ----
static __attribute__((noinline)) bool scope_add(thread *t, rt_value v) {
  if (t->made == t->room) {
    size_t n = t->room > 0 ? t->room * 2 : 64;
    rt_value *p = realloc(t->scoped, n * sizeof *p);
    if (p == NULL) return false;
    t->scoped = p;
    t->room = n;
  }
  t->scoped[t->made++] = v;
  return true;
}

// made gives the object that is complete but for its word its handle. The block is given back when there is no slot.
static inline rt_value made(int type, uint32_t blk, uint64_t bytes, uint32_t len, uint64_t aux) {
  uint32_t i = take_slot();
  if (RT_UNLIKELY_(i == 0)) {
    give_block(blk, bytes);
    return nil_for(RT_E_MEMORY);
  }
  rt_slot_ *s = rt_h_.base + i;
  __atomic_store_n(&s->blk, blk, __ATOMIC_RELAXED);
  __atomic_store_n(&s->len, len, __ATOMIC_RELAXED);
  __atomic_store_n(&s->aux, aux, __ATOMIC_RELAXED);
  __atomic_store_n(&s->meta, 0, __ATOMIC_RELAXED);
  uint64_t word = (get(&s->word) >> 36 << 36) | RT_TYPE_(type) | 1;
  __atomic_store_n(&s->word, word, __ATOMIC_RELEASE);
  rt_value v = (word & ~RT_COUNT_MASK_) | (uint64_t)i << 3 | 1;
  thread *t = self;
  if (RT_UNLIKELY_(t != NULL && t->depth > 0) && !scope_add(t, v)) {
    rt_release(v);
    return nil_for(RT_E_MEMORY);
  }
  return v;
}

static void wait_a_bit(int spins) {
  if (spins < 64) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  } else if (spins < 128) {
    sched_yield(); // who holds it may have lost the processor
  } else {
    struct timespec d = {0, 20000};
    nanosleep(&d, NULL);
  }
}

static void acquire(rt_slot_ *s) {
  for (int spins = 0;; spins++) {
    uint32_t l = __atomic_load_n(&s->lock, __ATOMIC_RELAXED);
    if (RT_LIKELY_(!(l & 1) && __atomic_compare_exchange_n(&s->lock, &l, l | 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
      __atomic_thread_fence(__ATOMIC_RELEASE);
      return;
    }
    wait_a_bit(spins);
  }
}

static void unlock(rt_slot_ *s) { __atomic_store_n(&s->lock, get32(&s->lock) + 1, __ATOMIC_RELEASE); }

// writes locks the slot of v: the object is alive, of the type and not frozen.
static rt_slot_ *writes(rt_value v, int type) {
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

static void let_words_go(uint32_t *next, uint32_t blk, uint64_t n) {
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < n; i++) let_go(next, get(&w[i]));
}

typedef struct table {
  uint64_t *w;
  uint64_t n; // words of table; 0 of a dictionary that never had an entry
  uint32_t used, gen;
  int lg;
} table;

static inline table table_of(uint32_t blk, uint64_t aux) {
  table t = {rt_words_(blk), 0, (uint32_t)(aux >> 32), (uint32_t)(aux >> 8) & 0xffffff, (int)(aux & 0xff)};
  if (blk != 0) t.n = 1ULL << (t.lg & 63);
  return t;
}

static inline uint64_t table_aux(const table *t) { return (uint64_t)t->used << 32 | (uint64_t)t->gen << 8 | (uint64_t)t->lg; }
static inline uint64_t *key_at(const table *t, uint64_t j) { return t->w + t->n + 2 * j; }

static void let_entries_go(uint32_t *next, const table *t) {
  if (t->n == 0) return;
  for (uint64_t j = 0; j < t->used; j++) {
    uint64_t *e = key_at(t, j);
    if (get(&e[0]) != HOLE) {
      let_go(next, get(&e[0]));
      let_go(next, get(&e[1]));
    }
  }
}

// bury_all frees the dead that are linked from next, and what only they held: neither depth nor lack of memory matters.
static void bury_all(uint32_t next) {
  while (next != 0) {
    uint32_t i = next;
    rt_slot_ *s = rt_h_.base + i;
    next = (uint32_t)(get(&s->word) & RT_COUNT_MASK_);
    int type = (int)get32(&s->meta);
    if (type != RT_T_STRING && type != RT_T_FLOAT && type != RT_T_ENUM) { // those are never written
      acquire(s); // whoever wrote when it died is done after this
      unlock(s);
    }
    uint32_t blk = get32(&s->blk), n = get32(&s->len);
    uint64_t aux = get(&s->aux), bytes = 0;
    switch (type) {
    case RT_T_ARRAY:
      let_words_go(&next, blk, n);
      bytes = aux * 8;
      break;
    case RT_T_TUPLE:
    case RT_T_OBJECT:
    case RT_T_CLOSURE:
      let_words_go(&next, blk, n);
      bytes = (uint64_t)n * 8;
      break;
    case RT_T_DICT: {
      table t = table_of(blk, aux);
      let_entries_go(&next, &t);
      bytes = 16 * t.n;
      break;
    }
    case RT_T_STRING:
      bytes = (uint64_t)n + 1;
      break;
    case RT_T_ENUM:
      let_go(&next, aux);
      bytes = ENUM_BYTES;
      break;
    case RT_T_UNIQUE:
      let_go(&next, aux);
      break;
    case RT_T_FLOAT:
      break;
    }
    give_block(blk, bytes);
    uint64_t gen = get(&s->word) >> 36 << 36;
    __atomic_store_n(&s->word, gen, __ATOMIC_RELEASE);
    if (gen != 0) give_slot(i); // after its last generation a slot is never used again
  }
}

bool rt_bury_(rt_value v) {
  uint32_t next = 0;
  push_dead(&next, v);
  bury_all(next);
  return true;
}

int64_t rt_count(rt_value v) {
  if (!alive(v)) {
    rt_refuse_(v, 0);
    return 0;
  }
  uint64_t w = rt_load_(&rt_slot_of_(v)->word);
  return ((w ^ v) >> 31) == 0 ? (int64_t)(w & RT_COUNT_MASK_) : 0;
}

int32_t rt_type(rt_value v) { return alive(v) ? (int32_t)(v >> 31 & 31) : RT_T_NONE; }

// ---- Scopes ----
int64_t rt_scope_push(void) {
  thread *t = me();
  if (t == &poor) return -1;
  if (t->depth == t->marks_room) {
    size_t n = t->marks_room > 0 ? t->marks_room * 2 : 16;
    size_t *p = realloc(t->marks, n * sizeof *p);
    if (p == NULL) {
      t->error = RT_E_MEMORY;
      return -1;
    }
    t->marks = p;
    t->marks_room = n;
  }
  t->marks[t->depth++] = t->made;
  return (int64_t)t->depth;
}

rt_value rt_scope_pop(rt_value result) {
  thread *t = me();
  if (t == &poor || t->depth == 0) return nil_for(RT_E_STATE);
  bool kept = (result & 7) == 1 && alive(result) && rt_retain(result);
  size_t from = t->marks[--t->depth];
  while (t->made > from) { // a release may end what makes more, in a scope of its own
    rt_value v = t->scoped[--t->made];
    if (alive(v)) rt_release(v);
  }
  if (kept && t->depth > 0 && !scope_add(t, result)) {
    rt_release(result);
    return nil_for(RT_E_MEMORY);
  }
  return result;
}

// ---- Arrays ----
rt_value rt_array_new(int64_t cap) {
  if (RT_UNLIKELY_((uint64_t)cap > rt_h_.max_len)) return nil_for(RT_E_SIZE);
  if (cap == 0) return made(RT_T_ARRAY, 0, 0, 0, 0);
  uint64_t bytes = 16ULL << class_of((uint64_t)cap * 8);
  uint32_t blk = take_block(bytes);
  if (RT_UNLIKELY_(blk == 0)) return nil_for(RT_E_MEMORY);
  return made(RT_T_ARRAY, blk, bytes, 0, bytes / 8);
}

static bool grow(rt_slot_ *s) {
  uint64_t n = get32(&s->len), cap = get(&s->aux) < 2 ? 4 : get(&s->aux) * 2;
  if (n >= rt_h_.max_len) return no_for(RT_E_SIZE);
  uint32_t blk = take_block(cap * 8);
  if (blk == 0) return no_for(RT_E_MEMORY);
  uint64_t *to = rt_words_(blk), *from = rt_words_(get32(&s->blk));
  for (uint64_t i = 0; i < n; i++) __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
  uint32_t old = get32(&s->blk);
  uint64_t was = get(&s->aux);
  __atomic_store_n(&s->blk, blk, __ATOMIC_RELEASE);
  __atomic_store_n(&s->aux, cap, __ATOMIC_RELAXED);
  give_block(old, was * 8);
  return true;
}

bool rt_grow_push_(rt_value a, rt_value v) {
  if (!rt_retain(v)) return false;
  rt_slot_ *s = writes(a, RT_T_ARRAY);
  if (s == NULL) {
    rt_release(v);
    return false;
  }
  uint64_t n = get32(&s->len);
  bool ok = n < get(&s->aux) || grow(s);
  if (ok) {
    __atomic_store_n(&rt_words_(get32(&s->blk))[n], v, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, (uint32_t)n + 1, __ATOMIC_RELEASE);
  }
  unlock(s);
  if (!ok) rt_release(v);
  return ok;
}

static bool set_element(rt_value a, int type, int64_t i, rt_value v) {
  if (RT_UNLIKELY_(!rt_retain(v))) return false;
  rt_slot_ *s = writes(a, type);
  if (s == NULL) {
    rt_release(v);
    return false;
  }
  uint64_t n = get32(&s->len), at = i < 0 ? (uint64_t)i + n : (uint64_t)i;
  bool ok = at < n;
  if (ok) {
    uint64_t *w = &rt_words_(get32(&s->blk))[at];
    rt_value old = *w;
    __atomic_store_n(w, v, __ATOMIC_RELAXED);
    v = old;
  }
  unlock(s);
  rt_release(v); // the old one, or v when it was not stored
  return ok ? true : no_for(RT_E_INDEX);
}

bool rt_array_set(rt_value a, int64_t i, rt_value v) { return set_element(a, RT_T_ARRAY, i, v); }

rt_value rt_array_pop(rt_value a) {
  rt_slot_ *s = writes(a, RT_T_ARRAY);
  if (s == NULL) return RT_NIL;
  uint32_t n = get32(&s->len);
  rt_value v = RT_NIL;
  if (n > 0) {
    v = rt_words_(get32(&s->blk))[n - 1];
    __atomic_store_n(&s->len, n - 1, __ATOMIC_RELEASE);
  }
  unlock(s);
  if (n == 0) return nil_for(RT_E_EMPTY);
  return v;
}

bool rt_array_clear(rt_value a) {
  rt_slot_ *s = writes(a, RT_T_ARRAY);
  if (s == NULL) return false;
  // The elements are let go without the lock: their end may take as long as it likes.
  uint32_t blk = get32(&s->blk), n = get32(&s->len), next = 0;
  uint64_t room = get(&s->aux);
  __atomic_store_n(&s->len, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->blk, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&s->aux, 0, __ATOMIC_RELAXED);
  unlock(s);
  let_words_go(&next, blk, n);
  bury_all(next);
  int32_t error = me()->error;
  if ((s = writes(a, RT_T_ARRAY)) != NULL) {
    if (get(&s->aux) == 0) {
      __atomic_store_n(&s->blk, blk, __ATOMIC_RELEASE);
      __atomic_store_n(&s->aux, room, __ATOMIC_RELAXED);
      blk = 0;
    }
    unlock(s);
  }
  me()->error = error; // it may have been let go meanwhile, which is no error of this call
  give_block(blk, room * 8);
  return true;
}

// ---- Tuples, objects, closures ----
static rt_value new_fields(int type, uint64_t n, uint64_t aux) {
  if (RT_UNLIKELY_(n > rt_h_.max_len)) return nil_for(RT_E_SIZE);
  if (n == 0) return made(type, 0, 0, 0, aux);
  uint32_t blk = take_block(n * 8);
  if (RT_UNLIKELY_(blk == 0)) return nil_for(RT_E_MEMORY);
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < n; i++) __atomic_store_n(&w[i], RT_NIL, __ATOMIC_RELAXED);
  return made(type, blk, n * 8, (uint32_t)n, aux);
}

static int64_t index_of(uint64_t i) { return i < 1ULL << 31 ? (int64_t)i : 1LL << 31; }

rt_value rt_tuple_new(uint64_t n) { return new_fields(RT_T_TUPLE, n, 0); }
bool rt_tuple_set(rt_value t, uint64_t i, rt_value v) { return set_element(t, RT_T_TUPLE, index_of(i), v); }
rt_value rt_object_new(uint32_t class_id, uint32_t n) { return new_fields(RT_T_OBJECT, n, class_id); }
bool rt_object_field_set(rt_value o, uint32_t i, rt_value v) { return set_element(o, RT_T_OBJECT, index_of(i), v); }
rt_value rt_closure_new(const void *fn, uint32_t n) { return new_fields(RT_T_CLOSURE, n, (uint64_t)(uintptr_t)fn); }
bool rt_closure_set_capture(rt_value c, uint32_t i, rt_value v) { return set_element(c, RT_T_CLOSURE, index_of(i), v); }

// ---- Enumerations, unique owners, floats ----
rt_value rt_enum_new(uint32_t enum_id, uint32_t discriminant, rt_value payload) {
  if (!rt_retain(payload)) return RT_NIL;
  uint32_t blk = take_block(ENUM_BYTES);
  rt_value e = RT_NIL;
  if (blk != 0) {
    __atomic_store_n(rt_words_(blk), (uint64_t)enum_id << 32 | discriminant, __ATOMIC_RELAXED);
    e = made(RT_T_ENUM, blk, ENUM_BYTES, 1, payload);
  } else {
    me()->error = RT_E_MEMORY;
  }
  if (e == RT_NIL) rt_release(payload);
  return e;
}

static bool enum_word(rt_value e, uint64_t *w) {
  rt_slot_ *s = rt_slot_of_(e);
  if (rt_live_(s, e, RT_T_ENUM)) {
    *w = __atomic_load_n(rt_words_(rt_load32_(&s->blk)), __ATOMIC_RELAXED);
    if (rt_still_(s, e)) return true;
  }
  rt_refuse_(e, 0);
  return false;
}

int64_t rt_enum_discriminant(rt_value e) {
  uint64_t w;
  return enum_word(e, &w) ? (int64_t)(uint32_t)w : -1;
}

int64_t rt_enum_id(rt_value e) {
  uint64_t w;
  return enum_word(e, &w) ? (int64_t)(w >> 32) : -1;
}

static bool movable(rt_value v) {
  if ((v & 7) == 1 ? alive(v) : (0x4fu >> (v & 7)) & 1) return true;
  return no_for(RT_E_VALUE);
}

rt_value rt_unique_new(rt_value v) {
  if (!movable(v)) return RT_NIL;
  rt_value u = made(RT_T_UNIQUE, 0, 0, 0, v);
  if (u == RT_NIL) rt_release(v);
  return u;
}

rt_value rt_unique_set(rt_value u, rt_value v) {
  if (!movable(v)) return RT_FALSE;
  rt_slot_ *s = writes(u, RT_T_UNIQUE);
  if (s == NULL) return RT_FALSE;
  rt_value old = get(&s->aux);
  __atomic_store_n(&s->aux, v, __ATOMIC_RELEASE);
  unlock(s);
  rt_release(old);
  return RT_TRUE;
}

static const rt_value flonum_zero = 0x8000000000000002ULL;

static uint64_t bits_of(double f) {
  uint64_t b;
  memcpy(&b, &f, sizeof b);
  return b;
}

static bool flonum(double f, rt_value *v) {
  uint64_t b = bits_of(f), top = b >> 60 & 7;
  if (top == 3 || top == 4) {
    *v = ((b << 3 | b >> 61) & ~3ULL) | 2;
    return *v != flonum_zero;
  }
  *v = flonum_zero;
  return b == 0;
}

rt_value rt_float(double f) {
  rt_value v;
  return flonum(f, &v) ? v : made(RT_T_FLOAT, 0, 0, 0, bits_of(f));
}

bool rt_as_float(rt_value v, double *f) {
  uint64_t b;
  if ((v & 3) == 2) {
    uint64_t r = (v & ~3ULL) | (2 - (v >> 63));
    b = v == flonum_zero ? 0 : r >> 3 | r << 61;
  } else {
    rt_slot_ *s = rt_slot_of_(v);
    if (!rt_live_(s, v, RT_T_FLOAT)) {
      rt_refuse_(v, 0);
      return false;
    }
    b = rt_load_(&s->aux);
    if (!rt_still_(s, v)) {
      rt_refuse_(v, 0);
      return false;
    }
  }
  if (f != NULL) memcpy(f, &b, sizeof b);
  return true;
}

// ---- Strings ----
static rt_value string_of(const void *a, uint64_t na, const void *b, uint64_t nb) {
  uint64_t n = na + nb;
  if (RT_UNLIKELY_(n < na || n >= rt_h_.max_len)) return nil_for(RT_E_SIZE);
  uint32_t blk = take_block(n + 1);
  if (RT_UNLIKELY_(blk == 0)) return nil_for(RT_E_MEMORY);
  uint8_t *to = (uint8_t *)rt_words_(blk);
  if (na > 0) memcpy(to, a, na);
  if (nb > 0) memcpy(to + na, b, nb);
  to[n] = 0;
  return made(RT_T_STRING, blk, n + 1, (uint32_t)n, 0);
}

rt_value rt_string_new(const uint8_t *p, uint64_t n) {
  if (RT_UNLIKELY_(p == NULL && n > 0)) return nil_for(RT_E_SIZE);
  return string_of(p, n, NULL, 0);
}

static inline bool lend(rt_value v, const uint8_t **p, uint32_t *n) {
  rt_slot_ *s = rt_slot_of_(v);
  if (RT_UNLIKELY_(!rt_live_(s, v, RT_T_STRING))) return false;
  *p = (const uint8_t *)rt_words_(rt_load32_(&s->blk));
  *n = rt_load32_(&s->len);
  return RT_LIKELY_(rt_still_(s, v));
}

const uint8_t *rt_string_data(rt_value v) {
  const uint8_t *p;
  uint32_t n;
  if (RT_LIKELY_(lend(v, &p, &n))) return p;
  rt_refuse_(v, 0);
  return NULL;
}

rt_value rt_string_concat(rt_value a, rt_value b) {
  rt_value v[2] = {a, b};
  for (int i = 0; i < 2; i++) { // both are counted meanwhile: their bytes stay
    if ((v[i] & (RT_TYPE_(31) | 7)) != (RT_TYPE_(RT_T_STRING) | 1) || !rt_retain(v[i])) {
      if (i == 1) rt_release(a);
      rt_refuse_(v[i], 0);
      return RT_NIL;
    }
  }
  const uint8_t *x = NULL, *y = NULL;
  uint32_t nx = 0, ny = 0;
  lend(a, &x, &nx);
  lend(b, &y, &ny);
  rt_value s = string_of(x, nx, y, ny);
  rt_release(a);
  rt_release(b);
  return s;
}

// ---- Dictionaries: package rtheap says how they are laid out ----
static inline uint64_t fold(uint64_t a, uint64_t b) {
  __uint128_t p = (__uint128_t)a * b;
  return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static const uint64_t h0 = 0xa0761d6478bd642fULL, h1 = 0xe7037ed1a0b428dbULL, h2 = 0x8ebc6af09c88c6e3ULL;

static inline uint64_t hash_word(uint64_t w) { return fold(fold(w ^ h0, rt_h_.seed ^ h1), w ^ h2); }

static uint64_t hash_bytes(const uint8_t *p, uint64_t n) {
  uint64_t x = rt_h_.seed ^ n, a, b;
  for (; n > 16; p += 16, n -= 16) {
    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);
    x = fold(a ^ h1, b ^ x);
  }
  uint8_t last[16] = {0};
  memcpy(last, p, n);
  memcpy(&a, last, 8);
  memcpy(&b, last + 8, 8);
  x = fold(a ^ h1, b ^ x);
  x = fold(x ^ h0, rt_h_.seed ^ h2);
  return x > 0 ? x : 1;
}

// key_of gives *k as dictionaries compare it, and its hash: 0 or an rt_error.
static inline int32_t key_of(rt_value *k, uint64_t *x) {
  rt_value v = *k;
  if (RT_UNLIKELY_(v == RT_NIL || !((0x4fu >> (v & 7)) & 1))) return RT_E_KEY;
  if ((v & 7) != 1) {
    *x = hash_word(v);
    return RT_OK;
  }
  rt_slot_ *s = rt_slot_of_(v);
  switch (v >> 31 & 31) {
  case RT_T_STRING: {
    *x = rt_load_(&s->aux);
    if (RT_LIKELY_(*x != 0 && rt_live_(s, v, RT_T_STRING))) return RT_OK;
    const uint8_t *p;
    uint32_t n;
    if (!lend(v, &p, &n)) return RT_E_VALUE;
    *x = hash_bytes(p, n);
    if (!rt_still_(s, v)) return RT_E_VALUE;
    uint64_t none = 0;
    __atomic_compare_exchange_n(&s->aux, &none, *x, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    return RT_OK;
  }
  case RT_T_FLOAT: {
    double f;
    if (!rt_as_float(v, &f)) return RT_E_VALUE;
    if (f == 0) *k = flonum_zero; // -0
    *x = f == 0 ? hash_word(flonum_zero) : f != f ? hash_word(0x7ff8000000000001ULL) : hash_word(bits_of(f));
    return RT_OK;
  }
  }
  if (!alive(v)) return RT_E_VALUE;
  *x = hash_word(v);
  return RT_OK;
}

static bool same_contents(rt_value a, rt_value b) {
  if ((a & b & 7) != 1 || ((a ^ b) & RT_TYPE_(31)) != 0) return false;
  if ((a >> 31 & 31) == RT_T_STRING) {
    const uint8_t *p, *q;
    uint32_t n, m;
    return lend(a, &p, &n) && lend(b, &q, &m) && n == m && memcmp(p, q, n) == 0;
  }
  if ((a >> 31 & 31) == RT_T_FLOAT) {
    double f, g;
    return rt_as_float(a, &f) && rt_as_float(b, &g) && (f == g || (f != f && g != g));
  }
  return false;
}

// find ends whatever it reads: a writer may be at it. *at is the table word that has the key, or that would.
static inline bool find(const table *t, rt_value k, uint64_t x, uint64_t *entry, uint64_t *at) {
  uint64_t i = x & (t->n - 1);
  for (uint64_t left = t->n; left > 0; left--) {
    uint64_t w = __atomic_load_n(&t->w[i], __ATOMIC_RELAXED);
    if (w == 0) break;
    if (w >> 32 == x >> 32) {
      uint64_t j = (w - 1) & (t->n / 2 - 1);
      rt_value e = __atomic_load_n(key_at(t, j), __ATOMIC_RELAXED);
      if (RT_LIKELY_(e == k) || same_contents(e, k)) {
        *entry = j;
        *at = i;
        return true;
      }
    }
    i = (i + 1) & (t->n - 1);
  }
  *at = i;
  return false;
}

// look_up finds the value of k: 1, 0, or -1 and the error is set. Nothing that it gives is half of a write.
static inline int look_up(rt_value d, rt_value k, rt_value *v) {
  uint64_t x = 0;
  int32_t bad = key_of(&k, &x);
  rt_slot_ *s = rt_slot_of_(d);
  for (int spins = 0;; spins++) {
    uint32_t l = rt_load32_(&s->lock);
    if (RT_UNLIKELY_(!rt_live_(s, d, RT_T_DICT))) {
      rt_refuse_(d, 0);
      return -1;
    }
    if (RT_UNLIKELY_(bad)) {
      me()->error = bad;
      return -1;
    }
    if (RT_LIKELY_(!(l & 1))) {
      table t = table_of(rt_load32_(&s->blk), rt_load_(&s->aux));
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (RT_LIKELY_(__atomic_load_n(&s->lock, __ATOMIC_RELAXED) == l && rt_still_(s, d))) {
        uint64_t j, at;
        bool found = find(&t, k, x, &j, &at);
        *v = found ? __atomic_load_n(key_at(&t, j) + 1, __ATOMIC_RELAXED) : RT_NIL;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (RT_LIKELY_(__atomic_load_n(&s->lock, __ATOMIC_RELAXED) == l && rt_still_(s, d))) return found;
      }
    }
    wait_a_bit(spins);
  }
}

rt_value rt_dict_get(rt_value d, rt_value k) {
  rt_value v;
  switch (look_up(d, k, &v)) {
  case 1:
    return v;
  case 0:
    me()->error = RT_E_NOT_FOUND;
  }
  return RT_NIL;
}

bool rt_dict_has(rt_value d, rt_value k) {
  rt_value v;
  return look_up(d, k, &v) == 1;
}

rt_value rt_dict_new(int64_t cap) {
  if (RT_UNLIKELY_((uint64_t)cap > rt_h_.max_len / 4)) return nil_for(RT_E_SIZE);
  if (cap == 0) return made(RT_T_DICT, 0, 0, 0, 0);
  int lg = 64 - __builtin_clzll((uint64_t)cap * 2 - 1);
  if (lg < MIN_TABLE) lg = MIN_TABLE;
  uint32_t blk = take_block(16ULL << lg);
  if (RT_UNLIKELY_(blk == 0)) return nil_for(RT_E_MEMORY);
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < 1ULL << lg; i++) __atomic_store_n(&w[i], 0, __ATOMIC_RELAXED);
  return made(RT_T_DICT, blk, 16ULL << lg, 0, (uint64_t)lg);
}

static bool rebuild(rt_slot_ *s, table *t) {
  int lg = get32(&s->len) > 0 ? 34 - __builtin_clz(get32(&s->len)) : 2;
  if (lg < MIN_TABLE) lg = MIN_TABLE;
  if (2ULL << lg > rt_h_.max_len) return no_for(RT_E_SIZE);
  uint32_t blk = take_block(16ULL << lg);
  if (blk == 0) return no_for(RT_E_MEMORY);
  table n = {rt_words_(blk), 1ULL << lg, 0, (t->gen + 1) & 0xffffff, lg};
  for (uint64_t i = 0; i < n.n; i++) __atomic_store_n(&n.w[i], 0, __ATOMIC_RELAXED);
  for (uint64_t j = 0; t->n > 0 && j < t->used; j++) {
    uint64_t *from = key_at(t, j), x = 0;
    rt_value k = from[0];
    if (k == HOLE) continue;
    key_of(&k, &x); // it is counted, so it lives
    uint64_t i = x & (n.n - 1), e = n.used;
    while (n.w[i] != 0) i = (i + 1) & (n.n - 1);
    __atomic_store_n(key_at(&n, e), from[0], __ATOMIC_RELAXED);
    __atomic_store_n(key_at(&n, e) + 1, from[1], __ATOMIC_RELAXED);
    __atomic_store_n(&n.w[i], x >> 32 << 32 | (e + 1), __ATOMIC_RELAXED);
    n.used++;
  }
  uint32_t old = get32(&s->blk);
  uint64_t bytes = 16 * t->n;
  *t = n;
  __atomic_store_n(&s->blk, blk, __ATOMIC_RELEASE);
  __atomic_store_n(&s->aux, table_aux(t), __ATOMIC_RELEASE);
  give_block(old, bytes);
  return true;
}

bool rt_dict_set(rt_value d, rt_value k, rt_value v) {
  uint64_t x = 0, j = 0, at = 0;
  int32_t bad = key_of(&k, &x);
  if (RT_UNLIKELY_(bad)) {
    if (rt_dict_len(d) >= 0) me()->error = bad;
    return false;
  }
  if (!rt_retain(k)) return false;
  if (!rt_retain(v)) {
    rt_release(k);
    return no_for(RT_E_VALUE);
  }
  rt_slot_ *s = writes(d, RT_T_DICT);
  if (s == NULL) {
    int32_t error = me()->error;
    rt_release(k);
    rt_release(v);
    return no_for(error);
  }
  table t = table_of(get32(&s->blk), get(&s->aux));
  bool found = t.n > 0 && find(&t, k, x, &j, &at), ok = true;
  if (found) {
    uint64_t *w = key_at(&t, j) + 1;
    rt_value old = *w;
    __atomic_store_n(w, v, __ATOMIC_RELAXED);
    v = old;
  } else {
    if (t.used == t.n / 2) {
      ok = rebuild(s, &t);
      if (ok) find(&t, k, x, &j, &at);
    }
    if (ok) {
      j = t.used++;
      __atomic_store_n(key_at(&t, j), k, __ATOMIC_RELAXED);
      __atomic_store_n(key_at(&t, j) + 1, v, __ATOMIC_RELAXED);
      __atomic_store_n(&t.w[at], x >> 32 << 32 | (j + 1), __ATOMIC_RELAXED);
      __atomic_store_n(&s->aux, table_aux(&t), __ATOMIC_RELEASE);
      __atomic_store_n(&s->len, get32(&s->len) + 1, __ATOMIC_RELEASE);
    }
  }
  unlock(s);
  if (found || !ok) {
    rt_release(k);
    rt_release(v); // the old one, or v when it was not stored
  }
  return ok;
}

bool rt_dict_remove(rt_value d, rt_value k) {
  uint64_t x = 0, j = 0, at = 0;
  int32_t bad = key_of(&k, &x);
  rt_slot_ *s = writes(d, RT_T_DICT);
  if (s == NULL) return false;
  table t = table_of(get32(&s->blk), get(&s->aux));
  bool found = !bad && t.n > 0 && find(&t, k, x, &j, &at);
  rt_value key = RT_NIL, v = RT_NIL;
  if (found) {
    uint64_t *e = key_at(&t, j);
    key = e[0];
    v = e[1];
    __atomic_store_n(&e[0], HOLE, __ATOMIC_RELAXED);
    __atomic_store_n(&e[1], RT_NIL, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, get32(&s->len) - 1, __ATOMIC_RELEASE);
  }
  unlock(s);
  if (!found) return no_for(bad ? bad : RT_E_NOT_FOUND);
  rt_release(key);
  rt_release(v);
  return true;
}

bool rt_dict_clear(rt_value d) {
  rt_slot_ *s = writes(d, RT_T_DICT);
  if (s == NULL) return false;
  uint32_t blk = get32(&s->blk), next = 0;
  table t = table_of(blk, get(&s->aux)), none = {NULL, 0, 0, (t.gen + 1) & 0xffffff, 0};
  __atomic_store_n(&s->len, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->blk, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&s->aux, table_aux(&none), __ATOMIC_RELEASE);
  unlock(s);
  let_entries_go(&next, &t);
  give_block(blk, 16 * t.n);
  bury_all(next);
  return true;
}

bool rt_dict_next(rt_value d, uint64_t *cursor, rt_value *k, rt_value *v) {
  rt_slot_ *s = rt_slot_of_(d);
  if (cursor == NULL) return no_for(RT_E_VALUE);
  for (int spins = 0;; spins++) {
    uint32_t l = rt_load32_(&s->lock);
    if (!rt_live_(s, d, RT_T_DICT)) {
      rt_refuse_(d, 0);
      return false;
    }
    table t = table_of(rt_load32_(&s->blk), rt_load_(&s->aux));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (!(l & 1) && __atomic_load_n(&s->lock, __ATOMIC_RELAXED) == l && rt_still_(s, d)) {
      uint64_t at = (uint32_t)*cursor;
      if (*cursor != 0 && *cursor >> 32 != t.gen) return no_for(RT_E_CHANGED);
      rt_value key = HOLE, value = RT_NIL;
      for (; at < t.used && at < t.n / 2 && key == HOLE; at++) {
        key = __atomic_load_n(key_at(&t, at), __ATOMIC_RELAXED);
        value = __atomic_load_n(key_at(&t, at) + 1, __ATOMIC_RELAXED);
      }
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (__atomic_load_n(&s->lock, __ATOMIC_RELAXED) == l && rt_still_(s, d)) {
        if (key == HOLE) return no_for(RT_E_NOT_FOUND);
        *cursor = (uint64_t)t.gen << 32 | at;
        if (k != NULL) *k = key;
        if (v != NULL) *v = value;
        return true;
      }
    }
    wait_a_bit(spins);
  }
}

// ---- What looks at the whole heap is Go ----
static bool running(void) { return rt_h_.mask != 0 || no_for(RT_E_STOPPED); }

bool rt_freeze(rt_value v) {
  if (!running()) return false;
  int32_t error = rtgo_freeze(v);
  return error == RT_OK || no_for(error);
}

int64_t rt_collect(void) { return running() ? rtgo_collect() : -1; }

int64_t rt_objects(void) { return running() ? rtgo_objects() : -1; }

int64_t rt_census(rt_census_line *lines, int64_t n) {
  if (!running()) return -1;
  if (n < 0 || (lines == NULL && n > 0)) {
    me()->error = RT_E_SIZE;
    return -1;
  }
  return rtgo_census(lines, n);
}

// ---- The library ----
uint32_t rt_abi_version(void) { return RT_ABI_VERSION; }

int32_t rt_start_(uint32_t abi, rt_heap_ *heap) {
  if (abi != RT_ABI_VERSION || heap == NULL) {
    me()->error = RT_E_STATE;
    return RT_E_STATE;
  }
  int32_t error = rtgo_start(&rt_h_);
  if (error == RT_OK) *heap = rt_h_;
  else me()->error = error;
  return error;
}

const char *rt_error_text(int32_t error) {
  static const char *const texts[] = {
      "no error", "not a live object", "an object of another type", "not a value", "index out of range",
      "size out of range", "not a key", "the object is frozen", "out of memory", "nothing there",
      "the dictionary changed while it was walked", "the runtime is not running", "the process was forked after rt_init",
      "closed", "timed out", "cancelled", "failed", "it would wait for itself", "not possible in this state",
      "input or output failed", "not found", "permission denied", "no space left on the device", "defect in the runtime"};
  if (error < 0 || (size_t)error >= sizeof texts / sizeof *texts) return "unknown error";
  return texts[error];
}

// The functions by name, for programs that hand them to C code which is not linked with them.
uintptr_t isthmus_rt_function(const char *name) {
#define RT_F(f) {#f, (uintptr_t)f}
  static const struct {
    const char *name;
    uintptr_t fn;
  } all[] = {
      RT_F(rt_abi_version),
      RT_F(rt_last_error),
      RT_F(rt_error_text),
      RT_F(rt_float),
      RT_F(rt_as_float),
      RT_F(rt_type),
      RT_F(rt_retain),
      RT_F(rt_release),
      RT_F(rt_count),
      RT_F(rt_freeze),
      RT_F(rt_collect),
      RT_F(rt_objects),
      RT_F(rt_census),
      RT_F(rt_scope_push),
      RT_F(rt_scope_pop),
      RT_F(rt_array_new),
      RT_F(rt_array_len),
      RT_F(rt_array_get),
      RT_F(rt_array_set),
      RT_F(rt_array_push),
      RT_F(rt_array_pop),
      RT_F(rt_array_clear),
      RT_F(rt_tuple_new),
      RT_F(rt_tuple_len),
      RT_F(rt_tuple_get),
      RT_F(rt_tuple_set),
      RT_F(rt_string_new),
      RT_F(rt_string_len),
      RT_F(rt_string_data),
      RT_F(rt_string_concat),
      RT_F(rt_dict_new),
      RT_F(rt_dict_len),
      RT_F(rt_dict_get),
      RT_F(rt_dict_set),
      RT_F(rt_dict_has),
      RT_F(rt_dict_remove),
      RT_F(rt_dict_clear),
      RT_F(rt_dict_next),
      RT_F(rt_object_new),
      RT_F(rt_object_field_get),
      RT_F(rt_object_field_set),
      RT_F(rt_object_class_id),
      RT_F(rt_object_field_count),
      RT_F(rt_closure_new),
      RT_F(rt_closure_set_capture),
      RT_F(rt_closure_get_capture),
      RT_F(rt_closure_func_ptr),
      RT_F(rt_enum_new),
      RT_F(rt_enum_discriminant),
      RT_F(rt_enum_id),
      RT_F(rt_enum_payload),
      RT_F(rt_unique_new),
      RT_F(rt_unique_get),
      RT_F(rt_unique_set),
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(all[i].name, name) == 0) return all[i].fn;
  return 0;
}
