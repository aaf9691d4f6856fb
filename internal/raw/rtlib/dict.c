//go:build linux || darwin

// Dictionaries: package rtheap says how they are laid out.

#include "heap.h"

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

static inline uint32_t mark_of(const table *t, uint64_t x, uint64_t j) {
  return ((uint32_t)(x >> 32) & ~(uint32_t)(t->n - 1)) | (uint32_t)(j + 1);
}

// find ends whatever it reads: a writer may be at it. *at is the mark that has the key, or that would.
static inline bool find(const table *t, rt_value k, uint64_t x, uint64_t *entry, uint64_t *at) {
  uint64_t mask = t->n - 1, i = x & mask;
  for (uint64_t left = t->n; left > 0; left--) {
    uint32_t w = __atomic_load_n(&t->mark[i], __ATOMIC_RELAXED);
    if (w == 0) break;
    if (((w ^ (uint32_t)(x >> 32)) & ~(uint32_t)mask) == 0) {
      uint64_t j = (w - 1) & mask;
      rt_value e = __atomic_load_n(key_at(t, j), __ATOMIC_RELAXED);
      if (RT_LIKELY_(e == k) || same_contents(e, k)) {
        *entry = j;
        *at = i;
        return true;
      }
    }
    i = (i + 1) & mask;
  }
  *at = i;
  return false;
}

// look_up finds the value of k: 1, 0, or -1 and the error is set. Nothing that it gives is half of a write.
static int look_up(rt_value d, rt_value k, rt_value *v) {
  uint64_t x = 0;
  int32_t bad = key_of(&k, &x);
  rt_slot_ *s = rt_slot_of_(d);
  for (int spins = 0;; spins++) {
    uint32_t l = rt_load32_(&s->lock);
    uint64_t word = rt_load_(&s->word);
    if (RT_UNLIKELY_(!rt_is_(word, d, RT_T_DICT))) {
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
    rti_wait(spins);
  }
}

// quick is look_up of a key that is the same word, or a string that was looked for before, while nobody writes: false when
// it is not that simple.
static inline bool quick(rt_value d, rt_value k, rt_value *v) {
  uint64_t x;
  if ((k & 7) != 1) {
    if (RT_UNLIKELY_(!((0x4du >> (k & 7)) & 1) || k == RT_NIL)) return false;
    x = hash_word(k);
  } else {
    rt_slot_ *s = rt_slot_of_(k);
    x = rt_load_(&s->aux);
    if (!rt_live_(s, k, RT_T_STRING) || x == 0) return false;
  }
  const rt_slot_ *base = rt_h_.base, *s = rt_slot_of_(d);
  uint32_t l = rt_load32_(&s->lock);
  uint64_t word = rt_load_(&s->word), aux = rt_load_(&s->aux), blk = rt_load32_(&s->blk);
  if (RT_UNLIKELY_(!rt_is_(word, d, RT_T_DICT) || (l & 1) || blk == 0)) return false;
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (RT_UNLIKELY_(__atomic_load_n(&s->lock, __ATOMIC_RELAXED) != l || !rt_same_(s, word))) return false;
  const uint32_t *mark = (const uint32_t *)((const char *)base - (blk << 4)), top = (uint32_t)(x >> 32);
  uint64_t n = 1ULL << (aux & 63), mask = n - 1;
  const uint64_t *entry = (const uint64_t *)mark + n / 2;
  uint64_t i = x & mask;
  for (int left = 64; left > 0; left--, i = (i + 1) & mask) {
    uint32_t w = __atomic_load_n(&mark[i], __ATOMIC_RELAXED);
    if (w == 0) return false;
    if (((w ^ top) & ~(uint32_t)mask) != 0) continue;
    uint64_t j = (w - 1) & mask;
    if (__atomic_load_n(&entry[2 * j], __ATOMIC_RELAXED) != k) return false;
    *v = __atomic_load_n(&entry[2 * j + 1], __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&s->lock, __ATOMIC_RELAXED) == l && rt_same_(s, word);
  }
  return false;
}

static __attribute__((noinline)) rt_value get_any(rt_value d, rt_value k) {
  rt_value v;
  switch (look_up(d, k, &v)) {
  case 1:
    return v;
  case 0:
    me()->error = RT_E_NOT_FOUND;
  }
  return RT_NIL;
}

rt_value rt_dict_get(rt_value d, rt_value k) {
  rt_value v;
  return RT_LIKELY_(quick(d, k, &v)) ? v : get_any(d, k);
}

bool rt_dict_has(rt_value d, rt_value k) {
  rt_value v;
  return look_up(d, k, &v) == 1;
}

static void wipe(uint32_t blk, int lg) {
  uint64_t *w = rt_words_(blk);
  for (uint64_t i = 0; i < 1ULL << lg >> 1; i++) __atomic_store_n(&w[i], 0, __ATOMIC_RELAXED);
}

rt_value rt_dict_new(int64_t cap) {
  if (RT_UNLIKELY_((uint64_t)cap > rt_h_.max_len / 4)) return nil_for(RT_E_SIZE);
  if (cap == 0) return made(RT_T_DICT, 0, 0, 0, 0);
  int lg = 64 - __builtin_clzll(((uint64_t)cap * 4 + 2) / 3 - 1);
  if (lg < MIN_TABLE) lg = MIN_TABLE;
  uint32_t blk = take_block(16ULL << lg);
  if (RT_UNLIKELY_(blk == 0)) return nil_for(RT_E_MEMORY);
  wipe(blk, lg);
  return made(RT_T_DICT, blk, 16ULL << lg, 0, (uint64_t)lg);
}

// rebuild gives a locked dictionary a table that has no removed entries and is at most half full.
static bool rebuild(rt_slot_ *s, table *t) {
  uint64_t twice = (uint64_t)get32(&s->len) * 2;
  int lg = twice > 1 ? 64 - __builtin_clzll(twice - 1) : 0;
  if (lg < MIN_TABLE) lg = MIN_TABLE;
  if (2ULL << lg > rt_h_.max_len) return no_for(RT_E_SIZE);
  uint32_t blk = take_block(16ULL << lg);
  if (blk == 0) return no_for(RT_E_MEMORY);
  wipe(blk, lg);
  table n = table_of(blk, (uint64_t)((t->gen + 1) & 0xffffff) << 8 | (uint64_t)lg);
  for (uint64_t j = 0; t->n > 0 && j < t->used; j++) {
    uint64_t *from = key_at(t, j), x = 0;
    rt_value k = from[0];
    if (k == HOLE) continue;
    key_of(&k, &x); // it is counted, so it lives
    uint64_t i = x & (n.n - 1), e = n.used;
    while (n.mark[i] != 0) i = (i + 1) & (n.n - 1);
    __atomic_store_n(key_at(&n, e), from[0], __ATOMIC_RELAXED);
    __atomic_store_n(key_at(&n, e) + 1, from[1], __ATOMIC_RELAXED);
    __atomic_store_n(&n.mark[i], mark_of(&n, x, e), __ATOMIC_RELAXED);
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
    if (t.used == room_of(&t)) {
      ok = rebuild(s, &t);
      if (ok) find(&t, k, x, &j, &at);
    }
    if (ok) {
      j = t.used++;
      __atomic_store_n(key_at(&t, j), k, __ATOMIC_RELAXED);
      __atomic_store_n(key_at(&t, j) + 1, v, __ATOMIC_RELAXED);
      __atomic_store_n(&t.mark[at], mark_of(&t, x, j), __ATOMIC_RELAXED);
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
  table t = table_of(blk, get(&s->aux)), none = {NULL, NULL, 0, 0, (t.gen + 1) & 0xffffff, 0};
  __atomic_store_n(&s->len, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&s->blk, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&s->aux, table_aux(&none), __ATOMIC_RELEASE);
  unlock(s);
  let_entries_go(&next, &t);
  give_block(blk, 16 * t.n);
  rti_bury_all(next);
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
      for (; at < t.used && at < room_of(&t) && key == HOLE; at++) {
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
    rti_wait(spins);
  }
}
