//go:build linux || darwin

// Futures. The slot's len is the state, which changes under the slot's lock; aux is the body, and then the result; the
// block, while there is one, is what the body is lent and which strand runs it. A body runs once: on whoever waits first,
// or on a worker.

#define RTI_MAY_SWITCH
#include "run.h"

#include <stdlib.h>

// States, and marks beside them. package rtheap knows what each holds.
enum {
  UNSTARTED, // holds its context, in the block
  RUNNING,   // holds nothing: who runs it has the context
  PENDING,   // a promise
  READY,     // holds the result
  FAILED,    // holds the reason
  CANCELLED,
  STATE = 7,
  WAITED = 8,  // somebody waits
  QUEUED = 16, // a worker will look
  ERROR = 8    // from this bit on: why it failed, if not because its body did
};

enum { CONTEXT, RUNNER, BLOCK = 16 };

typedef rt_value (*body)(rt_value);

static bool over(uint32_t st) { return (st & STATE) >= READY; }
static uint32_t state(const rt_slot_ *s) { return rt_load32_(&s->len); }

static rt_slot_ *locked(rt_value f) {
  rt_slot_ *s = rt_slot_of_(f);
  if (rt_live_(s, f, RT_T_FUTURE)) {
    acquire(s);
    if (rt_live_(s, f, RT_T_FUTURE)) return s;
    unlock(s);
  }
  rt_refuse_(f, 0);
  return NULL;
}

// finish ends f: v moves into it. False, and v is let go: it was over, or is not in a state that may end so.
static bool finish(rt_value f, uint32_t from, uint32_t to, rt_value v) {
  rt_slot_ *s = locked(f);
  bool ok = s != NULL && (state(s) & STATE) == from;
  rt_value context = RT_NIL;
  uint32_t was = 0;
  if (ok) {
    if (from == UNSTARTED) { // it is cancelled: its body never runs
      uint64_t *w = rt_words_(get32(&s->blk));
      context = get(&w[CONTEXT]);
      __atomic_store_n(&w[CONTEXT], RT_NIL, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&s->aux, v, __ATOMIC_RELAXED);
    was = __atomic_exchange_n(&s->len, to, __ATOMIC_ACQ_REL);
  }
  if (s != NULL) unlock(s);
  rt_release(ok ? context : v);
  if (ok && (was & WAITED) != 0) rti_unpark(f, -1, NULL, NULL);
  return ok;
}

// run runs the body, if this is the first to ask. The caller counts f.
static bool run(rt_value f) {
  rt_slot_ *s = locked(f);
  if (s == NULL) return false;
  uint32_t st = state(s);
  if ((st & STATE) != UNSTARTED) {
    unlock(s);
    return false;
  }
  uint64_t *w = rt_words_(get32(&s->blk));
  body fn;
  uint64_t aux = get(&s->aux);
  memcpy(&fn, &aux, sizeof fn);
  rt_value context = get(&w[CONTEXT]);
  __atomic_store_n(&w[CONTEXT], RT_NIL, __ATOMIC_RELAXED);
  __atomic_store_n(&w[RUNNER], rti_strand_id(), __ATOMIC_RELAXED);
  __atomic_store_n(&s->aux, RT_NIL, __ATOMIC_RELAXED);
  __atomic_store_n(&s->len, (st & (uint32_t)~STATE) | RUNNING, __ATOMIC_RELEASE);
  unlock(s);
  rti_frame frame;
  rti_enter(&frame, f);
  rt_value v = fn(context);
  rti_leave(&frame);
  rt_release(context);
  if ((v & 7) == 1 ? rt_type(v) == RT_T_NONE : !((0x4fu >> (v & 7)) & 1)) v = RT_NIL; // it is gone, or no value
  finish(f, RUNNING, READY, v);
  return true;
}

static void run_queued(uint64_t f) {
  if (rti_stopping() == RT_OK) run(f);
  rt_release(f);
}

// result is how it went, once it is over: 0, and the result, counted.
static int32_t result(rt_value f, rt_value *v) {
  rt_slot_ *s = rt_slot_of_(f);
  *v = RT_NIL;
  switch (state(s) & STATE) {
  case READY: {
    rt_value r = get(&s->aux);
    if (!rt_still_(s, f)) break;
    if ((r & 7) != 1 || rt_retain(r)) *v = r; // what it held may have been let go by force: nil
    return RT_OK;
  }
  case FAILED: {
    int32_t error = (int32_t)(state(s) >> ERROR);
    return refused_for(error != 0 ? error : RT_E_FAILED);
  }
  case CANCELLED:
    return refused_for(RT_E_CANCELLED);
  }
  rt_refuse_(f, 0);
  return me()->error;
}

static bool not_over(void *arg, size_t i) {
  rt_value f = ((rt_value *)arg)[i]; // who waits counts it, but rt_shutdown does not care
  rt_slot_ *s = rt_slot_of_(f);
  acquire(s);
  bool waits = rt_live_(s, f, RT_T_FUTURE) && !over(state(s));
  if (waits) __atomic_store_n(&s->len, state(s) | WAITED, __ATOMIC_SEQ_CST);
  unlock(s);
  return waits;
}

uint32_t rti_future_runner(rt_value f) {
  rt_slot_ *s = rt_slot_of_(f);
  if (!rt_live_(s, f, RT_T_FUTURE) || (state(s) & STATE) != RUNNING) return 0;
  uint32_t n = (uint32_t)get(&rt_words_(get32(&s->blk))[RUNNER]);
  return rt_still_(s, f) ? n : 0;
}

// start has a worker run it; the caller counts f. Under the slot's lock no memory is asked for.
static bool start(rt_value f) {
  rt_slot_ *s = locked(f);
  if (s == NULL) return false;
  uint32_t st = state(s);
  bool go = (st & (STATE | QUEUED)) == UNSTARTED;
  if (go) __atomic_store_n(&s->len, st | QUEUED, __ATOMIC_RELEASE);
  unlock(s);
  if (!go) return true;
  rt_retain(f);
  if (rti_go(run_queued, f)) return true;
  int32_t error = me()->error;
  if ((s = locked(f)) != NULL) {
    __atomic_store_n(&s->len, state(s) & (uint32_t)~QUEUED, __ATOMIC_RELEASE);
    unlock(s);
  }
  rt_release(f);
  return no_for(error);
}

// wait_for waits until f, which the caller counts, is over.
static int32_t wait_for(rt_value f, int64_t timeout_ns, int64_t deadline) {
  rt_slot_ *s = rt_slot_of_(f);
  for (;;) {
    uint32_t st = state(s);
    if (rti_stopping() != RT_OK) return refused_for(rti_stopping());
    if (!rt_still_(s, f)) break; // let go by one who had no count, or by rt_shutdown
    if (over(st)) return RT_OK;
    if ((st & STATE) == UNSTARTED) {
      if (timeout_ns < 0 && !rti_deep()) {
        if (run(f)) return RT_OK;
        continue;
      }
      if (!start(f)) return me()->error;
    }
    if (timeout_ns == 0) return refused_for(over(state(s)) ? RT_OK : RT_E_TIMEOUT);
    if (rti_within(f)) return refused_for(RT_E_SELF);
    if (!rti_waits_for(f, 0)) {
      if (over(state(s))) continue; // who ran it may have gone on to something else
      return refused_for(RT_E_SELF);
    }
    int32_t error = rti_park(f, not_over, &f, deadline);
    rti_waits_no_more();
    if (error == RT_E_STOPPED || (error != RT_OK && !over(state(s)))) return refused_for(error);
  }
  rt_refuse_(f, 0);
  return me()->error;
}

static int32_t await(rt_value f, int64_t timeout_ns, rt_value *v) {
  *v = RT_NIL;
  if (!rti_hold(f, RT_T_FUTURE)) return me()->error;
  int32_t error = wait_for(f, timeout_ns, rti_deadline(timeout_ns));
  if (error == RT_OK) error = result(f, v);
  rt_release(f);
  if (error != RT_OK) return refused_for(error);
  *v = rti_own(*v);
  return RT_OK;
}

rt_value rt_future_await(rt_value f) {
  rt_slot_ *s = rt_slot_of_(f);
  if (RT_LIKELY_(rt_live_(s, f, RT_T_FUTURE)) && (state(s) & STATE) == READY) {
    rt_value r = get(&s->aux);
    if (RT_LIKELY_(rt_still_(s, f) && (r & 7) != 1)) return r;
  }
  rt_value v;
  await(f, -1, &v);
  return v;
}

int32_t rt_future_await_ex(rt_value f, int64_t timeout_ns, rt_value *out) {
  if (out == NULL) return refused_for(RT_E_VALUE);
  rt_value v;
  int32_t error = await(f, timeout_ns, &v);
  *out = v;
  return error;
}

int64_t rt_future_is_ready(rt_value f) {
  rt_slot_ *s = rt_slot_of_(f);
  if (rt_live_(s, f, RT_T_FUTURE)) {
    uint32_t st = state(s);
    if (rt_still_(s, f)) return over(st);
  }
  rt_refuse_(f, 0);
  return 0;
}

rt_value rt_future_new(rt_value (*fn)(rt_value), rt_value context) {
  if (fn == NULL) return made(RT_T_FUTURE, 0, 0, PENDING, RT_NIL);
  if (!rt_retain(context)) return RT_NIL;
  uint32_t blk = take_block(BLOCK);
  if (blk == 0) {
    rt_release(context);
    return nil_for(off_now() != RT_OK ? off_now() : RT_E_MEMORY);
  }
  __atomic_store_n(&rt_words_(blk)[CONTEXT], context, __ATOMIC_RELAXED);
  __atomic_store_n(&rt_words_(blk)[RUNNER], 0, __ATOMIC_RELAXED);
  uint64_t aux = 0;
  memcpy(&aux, &fn, sizeof fn);
  rt_value f = made_bare(RT_T_FUTURE, blk, UNSTARTED, aux);
  if (f != RT_NIL) return scoped(f);
  give_block(blk, BLOCK);
  rt_release(context);
  return RT_NIL;
}

rt_value rt_future_resolve(rt_value v) {
  if (!rt_retain(v)) return RT_NIL;
  rt_value f = made_bare(RT_T_FUTURE, 0, READY, v);
  if (f != RT_NIL) return scoped(f);
  rt_release(v);
  return RT_NIL;
}

bool rt_future_start(rt_value f) {
  if (!rti_hold(f, RT_T_FUTURE)) return false;
  bool ok = (state(rt_slot_of_(f)) & STATE) != PENDING ? start(f) : no_for(RT_E_STATE);
  rt_release(f);
  return ok;
}

static bool settle(rt_value f, uint32_t to, rt_value v) {
  if (!rti_hold(f, RT_T_FUTURE)) return false;
  bool ok = rt_retain(v) && (finish(f, PENDING, to, v) || no_for(RT_E_STATE));
  rt_release(f);
  return ok;
}

bool rt_future_complete(rt_value f, rt_value v) { return settle(f, READY, v); }
bool rt_future_fail(rt_value f, rt_value reason) { return settle(f, FAILED, reason); }

bool rt_future_cancel(rt_value f) {
  if (!rti_hold(f, RT_T_FUTURE)) return false;
  bool ok = false;
  for (uint32_t st; !ok && !over(st = state(rt_slot_of_(f)));) ok = finish(f, st & STATE, CANCELLED, RT_NIL);
  rt_release(f);
  return ok ? true : no_for(RT_E_STATE);
}

rt_value rt_future_reason(rt_value f) {
  rt_slot_ *s = rt_slot_of_(f);
  if (rt_live_(s, f, RT_T_FUTURE)) {
    uint32_t st = state(s) & STATE;
    rt_value r = get(&s->aux);
    if (rt_still_(s, f)) return st == FAILED ? r : RT_NIL;
  }
  rt_refuse_(f, 0);
  return RT_NIL;
}

// ---- Of many ----
// Each element that is an object is counted while we wait.
typedef struct many {
  rt_value *v;
  size_t n;
} many;

static void let_all_go(many *m) {
  for (size_t i = 0; i < m->n; i++) rt_release(m->v[i]);
  free(m->v);
}

static bool is_future(rt_value v) { return (v & (RT_TYPE_(31) | 7)) == (RT_TYPE_(RT_T_FUTURE) | 1); }

static int32_t take_all(rt_value array, many *m) {
  int64_t n = rt_array_len(array);
  *m = (many){NULL, 0};
  if (n < 0) return me()->error;
  if (n > 0 && (m->v = malloc((size_t)n * sizeof *m->v)) == NULL) return refused_for(RT_E_MEMORY);
  for (int64_t i = 0; i < n; i++) {
    rt_value v = rt_array_get(array, i);
    m->v[m->n++] = rt_retain(v) ? v : RT_NIL;
  }
  for (size_t i = 0; i < m->n; i++)
    if (is_future(m->v[i]) && !start(m->v[i])) {
      let_all_go(m);
      return me()->error;
    }
  return RT_OK;
}

int32_t rt_future_all_ex(rt_value array, int64_t timeout_ns, rt_value *out) {
  if (out == NULL) return refused_for(RT_E_VALUE);
  *out = RT_NIL;
  int64_t deadline = rti_deadline(timeout_ns);
  many m;
  int32_t error = take_all(array, &m);
  if (error != RT_OK) return error;
  rt_value to = rt_array_new((int64_t)m.n);
  if (to == RT_NIL) error = me()->error;
  for (size_t i = 0; error == RT_OK && i < m.n; i++) {
    rt_value v = m.v[i];
    bool counted = is_future(v);
    if (counted && (error = wait_for(v, timeout_ns, deadline)) == RT_OK) result(m.v[i], &v);
    else if (error == RT_E_SELF) v = RT_NIL, error = RT_OK, refused_for(RT_E_SELF);
    if (error == RT_OK && !rt_array_push(to, v)) error = me()->error;
    if (counted && error == RT_OK) rt_release(v);
  }
  let_all_go(&m);
  if (error != RT_OK) {
    if (to != RT_NIL) rt_release(to);
    return refused_for(error);
  }
  *out = to;
  return RT_OK;
}

static bool race_goes_on(void *arg, size_t i) { return not_over(((many *)arg)->v, i); }

int32_t rt_future_race_ex(rt_value array, int64_t timeout_ns, rt_value *out) {
  if (out == NULL) return refused_for(RT_E_VALUE);
  *out = RT_NIL;
  int64_t deadline = rti_deadline(timeout_ns);
  many m;
  int32_t error = take_all(array, &m);
  if (error != RT_OK) return error;
  if (m.n == 0) error = RT_E_EMPTY;
  for (bool found = false; !found && error == RT_OK;) {
    size_t open = 0; // those that may still give a result come first
    for (size_t i = 0; i < m.n && !found; i++) {
      rt_value v = m.v[i];
      if (!is_future(v)) {
        *out = v;
        found = rt_retain(v);
        continue;
      }
      uint32_t st = state(rt_slot_of_(v));
      if ((st & STATE) == READY) found = result(v, out) == RT_OK;
      else if (!over(st) && !rti_within(v)) m.v[i] = m.v[open], m.v[open++] = v;
    }
    if (found) break;
    if (open == 0) error = RT_E_FAILED;
    else if (timeout_ns == 0) error = RT_E_TIMEOUT;
    else error = rti_park_any(m.v, open, race_goes_on, &m, deadline);
  }
  let_all_go(&m);
  if (error != RT_OK) return refused_for(error);
  *out = rti_own(*out);
  return RT_OK;
}

rt_value rt_future_all(rt_value array) {
  rt_value v;
  rt_future_all_ex(array, -1, &v);
  return v;
}

rt_value rt_future_race(rt_value array) {
  rt_value v;
  rt_future_race_ex(array, -1, &v);
  return v;
}

// ---- For the rest of the library ----
uint64_t rti_future_end(uint32_t *next, rt_slot_ *s) {
  uint32_t st = get32(&s->len) & STATE;
  if (st == UNSTARTED) let_go(next, get(&rt_words_(get32(&s->blk))[CONTEXT]));
  if (st == READY || st == FAILED) let_go(next, get(&s->aux));
  return get32(&s->blk) != 0 ? BLOCK : 0;
}

rt_value rti_future_promise(void) {
  rt_value f = rt_future_new(NULL, RT_NIL);
  if (f != RT_NIL) rt_retain(f);
  return f;
}

rt_value rti_future_waiting(void) {
  rt_value f = made_bare(RT_T_FUTURE, 0, PENDING, RT_NIL);
  if (f != RT_NIL) rt_retain(f);
  return f;
}

void rti_future_done(rt_value f, rt_value v, int32_t error) {
  finish(f, PENDING, error == RT_OK ? READY : error == RT_E_CANCELLED ? CANCELLED : FAILED | (uint32_t)error << ERROR, v);
  rt_release(f);
}

// For Go: the result, or a waiter that Go keeps. The body is started.
rti_waiter *rti_future_go(rt_value f, rt_value *v, uint64_t token, int32_t *status) {
  for (;;) {
    *status = rt_future_await_ex(f, 0, v);
    if (*status != RT_E_TIMEOUT || token == 0) return NULL;
    if (!rti_hold(f, RT_T_FUTURE)) continue;
    rti_waiter *w = rti_go_park(f, not_over, &f, token, status);
    rt_release(f);
    if (w != NULL) *status = RT_E_TIMEOUT;
    if (w != NULL || *status != RT_OK) return w;
  }
}
