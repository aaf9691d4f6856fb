//go:build linux || darwin

// Arrays, tuples, objects, closures, enumerations, unique owners, floats and strings.

#include "heap.h"

// ---- Reads, with all that may come to the header's: a writer beside it, a negative index, and what is wrong ----
int64_t rt_len_again_(rt_value v, int32_t t) {
  const rt_slot_ *s = rt_slot_of_(v);
  if (rt_live_(s, v, t)) {
    int64_t n = rt_load32_(&s->len);
    if (rt_still_(s, v)) return n;
  }
  rt_refuse_(v, 0);
  return -1;
}

uint64_t rt_aux_again_(rt_value v, int32_t t, uint64_t none) {
  const rt_slot_ *s = rt_slot_of_(v);
  if (rt_live_(s, v, t)) {
    uint64_t x = rt_load_(&s->aux);
    if (rt_still_(s, v)) return x;
  }
  rt_refuse_(v, 0);
  return none;
}

rt_value rt_element_again_(rt_value v, int32_t t, int64_t i) {
  const rt_slot_ *s = rt_slot_of_(v);
  while (rt_live_(s, v, t)) {
    uint32_t blk = rt_load32_(&s->blk);
    uint64_t n = rt_load32_(&s->len), at = i < 0 ? (uint64_t)i + n : (uint64_t)i;
    if (at >= n) {
      if (!rt_still_(s, v)) break;
      return nil_for(RT_E_INDEX);
    }
    rt_value x = __atomic_load_n(&rt_words_(blk)[at], __ATOMIC_RELAXED);
    if (rt_still_(s, v) && __atomic_load_n(&s->blk, __ATOMIC_RELAXED) == blk) return x;
  }
  rt_refuse_(v, 0);
  return RT_NIL;
}

// ---- Arrays ----
static __attribute__((noinline)) rt_value any_array(int64_t cap) {
  if ((uint64_t)cap > rt_h_.max_len) return nil_for(RT_E_SIZE);
  if (cap == 0) return made(RT_T_ARRAY, 0, 0, 0, 0);
  uint64_t bytes = 16ULL << class_of((uint64_t)cap * 8);
  uint32_t blk = take_block(bytes);
  if (blk == 0) return nil_for(RT_E_MEMORY);
  return made(RT_T_ARRAY, blk, bytes, 0, bytes / 8);
}

rt_value rt_array_new(int64_t cap) {
  if (RT_LIKELY_((uint64_t)cap <= 16)) {
    int c = class_of((uint64_t)cap * 8);
    thread *t = ready(c);
    if (RT_LIKELY_(t != NULL)) return cap == 0 ? ready_made(t, RT_T_ARRAY, 0, 0, 0) : ready_made(t, RT_T_ARRAY, ready_block(t, c), 0, 2ULL << c);
  }
  return any_array(cap);
}

static bool grow(rt_slot_ *s) {
  uint64_t n = get32(&s->len), cap = get(&s->aux) < 4 ? 8 : get(&s->aux) * 2;
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

// first_push is a push into an array that has no block yet, of a value that needs no count: false when it is not that
// simple.
static inline bool first_push(rt_value a, rt_value v) {
  enum { C = 2, FIRST = 8 }; // as in grow
  rt_slot_ *s = rt_slot_of_(a);
  thread *t = rti_self;
  if (!rt_is_(rt_load_(&s->word), a, RT_T_ARRAY) || rt_load_(&s->aux) != 0 || !((0x4du >> (v & 7)) & 1)) return false;
  if (RT_UNLIKELY_(t == NULL || t->nblocks[C] == 0)) return false;
  uint32_t l = get32(&s->lock);
  if (RT_UNLIKELY_((l & 1) || !__atomic_compare_exchange_n(&s->lock, &l, l | 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) return false;
  bool ok = rt_still_(s, a) && get(&s->aux) == 0 && !(get32(&s->meta) & 1);
  if (RT_LIKELY_(ok)) {
    uint32_t blk = ready_block(t, C);
    __atomic_store_n(rt_words_(blk), v, __ATOMIC_RELAXED);
    __atomic_store_n(&s->blk, blk, __ATOMIC_RELEASE);
    __atomic_store_n(&s->aux, FIRST, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, 1, __ATOMIC_RELEASE);
  }
  unlock(s);
  return ok;
}

static bool any_push(rt_value a, rt_value v);
bool rt_grow_push_(rt_value a, rt_value v) { return RT_LIKELY_(first_push(a, v)) || any_push(a, v); }

static __attribute__((noinline)) bool any_push(rt_value a, rt_value v) {
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
  return rti_own(v);
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
  rti_bury_all(next);
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
static __attribute__((noinline)) rt_value any_fields(int type, uint64_t n, uint64_t aux) {
  if (n > rt_h_.max_len) return nil_for(RT_E_SIZE);
  if (n == 0) return made(type, 0, 0, 0, aux);
  uint32_t blk = take_block(n * 8);
  if (blk == 0) return nil_for(RT_E_MEMORY);
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < n; i++) __atomic_store_n(&w[i], RT_NIL, __ATOMIC_RELAXED);
  return made(type, blk, n * 8, (uint32_t)n, aux);
}

static inline rt_value new_fields(int type, uint64_t n, uint64_t aux) {
  if (RT_LIKELY_(n - 1 < 16)) {
    int c = class_of(n * 8);
    thread *t = ready(c);
    if (RT_LIKELY_(t != NULL)) {
      uint32_t blk = ready_block(t, c);
      uint64_t *w = rt_words_(blk);
      for (uint64_t i = 0; i < n; i++) __atomic_store_n(&w[i], RT_NIL, __ATOMIC_RELAXED);
      return ready_made(t, type, blk, (uint32_t)n, aux);
    }
  }
  return any_fields(type, n, aux);
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
// SHORT is the longest string that is copied without a loop.
enum { SHORT = 32 };

// copy_short copies at most SHORT bytes: both ends, which may overlap.
static inline void copy_short(uint8_t *to, const uint8_t *from, uint64_t n) {
  uint64_t a, b, c, d;
  uint32_t e, f;
  if (RT_LIKELY_(n >= 16)) {
    memcpy(&a, from, 8);
    memcpy(&b, from + 8, 8);
    memcpy(&c, from + n - 16, 8);
    memcpy(&d, from + n - 8, 8);
    memcpy(to, &a, 8);
    memcpy(to + 8, &b, 8);
    memcpy(to + n - 16, &c, 8);
    memcpy(to + n - 8, &d, 8);
  } else if (n >= 8) {
    memcpy(&a, from, 8);
    memcpy(&b, from + n - 8, 8);
    memcpy(to, &a, 8);
    memcpy(to + n - 8, &b, 8);
  } else if (n >= 4) {
    memcpy(&e, from, 4);
    memcpy(&f, from + n - 4, 4);
    memcpy(to, &e, 4);
    memcpy(to + n - 4, &f, 4);
  } else if (n > 0) {
    uint8_t first = from[0], middle = from[n / 2], last = from[n - 1];
    to[0] = first;
    to[n / 2] = middle;
    to[n - 1] = last;
  }
}

static __attribute__((noinline)) rt_value any_string(const uint8_t *p, uint64_t n) {
  if ((p == NULL && n > 0) || n >= rt_h_.max_len) return nil_for(RT_E_SIZE);
  uint32_t blk = take_block(n + 1);
  if (blk == 0) return nil_for(RT_E_MEMORY);
  uint8_t *to = (uint8_t *)rt_words_(blk);
  if (n > 0) memcpy(to, p, n);
  to[n] = 0;
  return made(RT_T_STRING, blk, n + 1, (uint32_t)n, 0);
}

rt_value rt_string_new(const uint8_t *p, uint64_t n) {
  if (RT_LIKELY_(p != NULL && n <= SHORT)) {
    int c = class_of(n + 1);
    thread *t = ready(c);
    if (RT_LIKELY_(t != NULL)) {
      uint32_t blk = ready_block(t, c);
      uint8_t *to = (uint8_t *)rt_words_(blk);
      copy_short(to, p, n);
      to[n] = 0;
      return ready_made(t, RT_T_STRING, blk, (uint32_t)n, 0);
    }
  }
  return any_string(p, n);
}

const uint8_t *rt_string_data(rt_value v) {
  const uint8_t *p;
  uint32_t n;
  if (RT_LIKELY_(lend(v, &p, &n))) return p;
  rt_refuse_(v, 0);
  return NULL;
}

static __attribute__((noinline)) rt_value any_concat(rt_value a, rt_value b) {
  const uint8_t *x, *y;
  uint32_t nx, ny;
  bool first = lend(a, &x, &nx);
  if (!first || !lend(b, &y, &ny)) {
    rt_refuse_(first ? b : a, 0);
    return RT_NIL;
  }
  uint64_t n = (uint64_t)nx + ny;
  if (n >= rt_h_.max_len) return nil_for(RT_E_SIZE);
  uint32_t blk = take_block(n + 1);
  if (blk == 0) return nil_for(RT_E_MEMORY);
  uint8_t *to = (uint8_t *)rt_words_(blk);
  memcpy(to, x, nx);
  memcpy(to + nx, y, ny);
  to[n] = 0;
  if (!rt_still_(rt_slot_of_(a), a) || !rt_still_(rt_slot_of_(b), b)) {
    give_block(blk, n + 1);
    return nil_for(RT_E_HANDLE);
  }
  return made(RT_T_STRING, blk, n + 1, (uint32_t)n, 0);
}

// The bytes are copied from where they were, and count for something when both strings are still there afterwards: that
// is cheaper than to count them meanwhile.
rt_value rt_string_concat(rt_value a, rt_value b) {
  const rt_slot_ *sa = rt_slot_of_(a), *sb = rt_slot_of_(b);
  uint64_t wa = rt_load_(&sa->word), wb = rt_load_(&sb->word);
  if (RT_LIKELY_(rt_is_(wa, a, RT_T_STRING) && rt_is_(wb, b, RT_T_STRING))) {
    uint32_t na = rt_load32_(&sa->len), nb = rt_load32_(&sb->len);
    const uint8_t *x = (const uint8_t *)rt_words_(rt_load32_(&sa->blk)), *y = (const uint8_t *)rt_words_(rt_load32_(&sb->blk));
    if (RT_LIKELY_(na <= SHORT && nb <= SHORT)) {
      uint32_t n = na + nb;
      int c = class_of((uint64_t)n + 1);
      thread *t = ready(c);
      if (RT_LIKELY_(t != NULL)) {
        uint32_t blk = t->blocks[c][t->nblocks[c] - 1];
        uint8_t *to = (uint8_t *)rt_words_(blk);
        copy_short(to, x, na);
        copy_short(to + na, y, nb);
        to[n] = 0;
        if (RT_LIKELY_(rt_same_(sa, wa) && rt_same_(sb, wb))) {
          t->nblocks[c]--;
          return ready_made(t, RT_T_STRING, blk, n, 0);
        }
      }
    }
  }
  return any_concat(a, b);
}
