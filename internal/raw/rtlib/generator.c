//go:build linux || darwin

// Generators. What has to be right between threads is in the slot: the length holds the number of slots and how the
// generator is, and changes under the slot's lock only. While the body runs, its state is with its run: on the stack of
// who called next, or, of a generator that has a stack, with that stack.
//
// The block: the state, the context, the slots. A generator with a stack has it in the slot's aux, where others have the
// body. Who made it run has the stack until the step is over; then whoever locks the slot may take it out and end it.

#define RTI_MAY_SWITCH
#include "run.h"
#include "strand.h"

// The slot's length, and the block.
enum { SLOTS = 0xffff, RUNNING = 1 << 16, DONE = 1 << 17, STACK = 1 << 18, AT_STATE = 0, AT_CTX = 1, AT_SLOTS = 2 };

// A run of a body.
typedef struct generator_run {
  rt_value gen;
  int64_t state;
  bool yielded, done;
  struct gen_stack *co; // NULL: it is on the stack of who called next
  struct generator_run *outer;
} generator_run;

typedef struct gen_stack {
  generator_run run;
  rti_co *co;
  rt_value (*body)(rt_value gen);
  rt_value value;      // what it yielded, or returned
  struct actor *actor; // in whose body next was called
  bool returned;
} gen_stack;

static inline uint64_t block_bytes(uint32_t n) { return ((uint64_t)(n & SLOTS) + AT_SLOTS) * 8; }

// here is me() for functions in which nothing switched yet.
static inline thread *here(void) {
  thread *t = rti_self;
  return RT_LIKELY_(t != NULL) ? t : rti_attach();
}

// running_of is the run of gen that this thread is in, at any depth; NULL when it is in none.
static generator_run *running_of(rt_value gen) {
  generator_run *r = here()->run;
  while (r != NULL && r->gen != gen) r = r->outer;
  return r;
}

// end_stack gives a stack back that nobody is on, and lets go what is in the scopes that the body left open.
static void end_stack(uint32_t *next, gen_stack *c) {
  locals *l = &c->co->l;
  while (l->made > 0) let_go(next, l->scoped[--l->made]);
  rti_co_free(c->co);
  give_block((uint32_t)(((char *)rt_h_.base - (char *)c) >> 4), sizeof *c);
}

static void end_stack_now(gen_stack *c) {
  uint32_t next = 0;
  end_stack(&next, c);
  rti_bury_all(next);
}

uint64_t rti_generator_end(uint32_t *next, rt_slot_ *s) {
  uint32_t n = get32(&s->len), blk = get32(&s->blk);
  if ((n & (STACK | RUNNING)) == STACK) end_stack(next, (gen_stack *)(uintptr_t)get(&s->aux));
  for (uint64_t i = AT_CTX; i < AT_SLOTS + (n & SLOTS); i++) let_go(next, get(&rt_words_(blk)[i]));
  return block_bytes(n);
}

// arrive is on the generator's stack, which somebody came to.
static void arrive(gen_stack *c) {
  thread *t = me();
  t->run = &c->run;
  t->actor = c->actor;
}

static void on_its_stack(uint64_t arg) {
  gen_stack *c = (gen_stack *)(uintptr_t)arg;
  arrive(c);
  c->value = c->body(c->run.gen);
  c->returned = true;
}

static rt_value make(rt_value (*body)(rt_value), int64_t slots, rt_value ctx, bool co) {
  if ((uint64_t)slots > RT_GENERATOR_SLOTS) return nil_for(RT_E_SIZE);
  if (!rt_retain(ctx)) return RT_NIL;
  uint32_t n = (uint32_t)slots, blk = take_block(block_bytes(n)), stack = co && blk != 0 ? take_block(sizeof(gen_stack)) : 0;
  gen_stack *c = stack != 0 ? (gen_stack *)(void *)rt_words_(stack) : NULL;
  uint64_t aux = (uint64_t)(uintptr_t)body;
  if (c != NULL) {
    *c = (gen_stack){.body = body, .run.co = c, .co = rti_co_new(on_its_stack, (uint64_t)(uintptr_t)c)};
    aux = (uint64_t)(uintptr_t)c;
  }
  rt_value gen = RT_NIL;
  if (blk != 0 && (!co || (c != NULL && c->co != NULL))) {
    uint64_t *w = rt_words_(blk);
    __atomic_store_n(&w[AT_STATE], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&w[AT_CTX], ctx, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < n; i++) __atomic_store_n(&w[AT_SLOTS + i], RT_NIL, __ATOMIC_RELAXED);
    gen = made(RT_T_GENERATOR, blk, block_bytes(n), n | (co ? STACK : 0) | (body == NULL ? DONE : 0), aux);
    blk = 0;
  } else {
    me()->error = RT_E_MEMORY;
  }
  if (gen == RT_NIL) {
    give_block(blk, block_bytes(n));
    if (c != NULL && c->co != NULL) end_stack_now(c);
    else give_block(stack, sizeof *c);
    rt_release(ctx);
  } else if (c != NULL) {
    c->run.gen = gen;
  }
  return gen;
}

rt_value rt_generator_new(rt_value (*body)(rt_value), int64_t slots, rt_value ctx) { return make(body, slots, ctx, false); }
rt_value rt_generator_new_co(rt_value (*body)(rt_value), int64_t slots, rt_value ctx) { return make(body, slots, ctx, body != NULL); }

// step_over takes note of a step that was made; n is the length from before.
static void step_over(rt_slot_ *s, const generator_run *r, uint32_t n, bool done) {
  gen_stack *c = r->co;
  rt_value gen = r->gen;
  acquire(s);
  if (RT_LIKELY_(rt_live_(s, gen, RT_T_GENERATOR))) { // the body may have let it go
    if (RT_UNLIKELY_(done)) n = (n | DONE) & ~(uint32_t)STACK;
    else c = NULL;
    __atomic_store_n(&rt_words_(get32(&s->blk))[AT_STATE], (uint64_t)r->state, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, n, __ATOMIC_RELEASE);
  }
  unlock(s);
  if (RT_UNLIKELY_(c != NULL)) end_stack_now(c);
}

static rt_value step_on_stack(rt_slot_ *s, gen_stack *c, uint32_t n, int64_t state) {
  thread *t = me();
  c->run.state = state;
  c->run.outer = t->run;
  c->actor = t->actor;
  c->value = RT_NIL;
  bool goes_on = rti_co_resume(c->co), done = c->returned || c->run.done;
  rt_value v = c->value;
  step_over(s, &c->run, n, done);
  return goes_on || done ? rti_own(v) : nil_for(RT_E_MEMORY); // no strand could be had for this thread
}

rt_value rt_generator_next(rt_value gen) {
  thread *t = here();
  if (RT_UNLIKELY_(t == &rti_poor)) return nil_for(RT_E_MEMORY);
  rt_slot_ *s = writes(gen, RT_T_GENERATOR);
  if (RT_UNLIKELY_(s == NULL)) return RT_NIL;
  uint32_t n = get32(&s->len);
  if (RT_UNLIKELY_(n & (RUNNING | DONE))) {
    unlock(s);
    return nil_for(n & RUNNING ? RT_E_STATE : RT_E_EMPTY);
  }
  __atomic_store_n(&s->len, n | RUNNING, __ATOMIC_RELAXED);
  uint64_t aux = get(&s->aux);
  int64_t state = (int64_t)get(&rt_words_(get32(&s->blk))[AT_STATE]);
  unlock(s);
  if (RT_UNLIKELY_(n & STACK)) return step_on_stack(s, (gen_stack *)(uintptr_t)aux, n, state);
  generator_run r = {.gen = gen, .state = state, .outer = t->run};
  t->run = &r;
  rt_value v = ((rt_value(*)(rt_value))(uintptr_t)aux)(gen);
  me()->run = r.outer;
  step_over(s, &r, n, r.done || (v == RT_NIL && !r.yielded));
  return v;
}

int32_t rti_generator_begin(rt_value gen, rt_value (*body)(rt_value), rt_value *ctx) {
  rt_slot_ *s = writes(gen, RT_T_GENERATOR);
  if (s == NULL) return me()->error;
  uint32_t n = get32(&s->len);
  int32_t status = n & RUNNING ? RT_E_STATE : n & DONE ? RT_E_EMPTY : RT_OK;
  if (status == RT_OK && !(n & STACK) && get(&s->aux) == (uint64_t)(uintptr_t)body) {
    status = RTI_STEP;
    *ctx = get(&rt_words_(get32(&s->blk))[AT_CTX]);
    __atomic_store_n(&s->len, n | RUNNING, __ATOMIC_RELAXED);
  }
  unlock(s);
  return status;
}

void rti_generator_stepped(rt_value gen, bool yielded) {
  rt_slot_ *s = rt_slot_of_(gen);
  acquire(s);
  if (rt_live_(s, gen, RT_T_GENERATOR)) { // it may have been let go
    uint64_t *state = &rt_words_(get32(&s->blk))[AT_STATE];
    __atomic_store_n(state, get(state) + yielded, __ATOMIC_RELAXED);
    __atomic_store_n(&s->len, (get32(&s->len) & ~(uint32_t)RUNNING) | (yielded ? 0 : DONE), __ATOMIC_RELEASE);
  }
  unlock(s);
}

rt_value rt_generator_yield(rt_value gen, rt_value v) {
  generator_run *r = here()->run;
  if (RT_UNLIKELY_(r == NULL || r->gen != gen)) {
    rt_refuse_(gen, rt_type(gen) == RT_T_GENERATOR ? RT_E_STATE : 0);
    return RT_NIL;
  }
  r->yielded = true;
  r->state++;
  if (RT_LIKELY_(r->co == NULL)) return v;
  r->co->value = v;
  rti_co_yield();
  arrive(r->co);
  return RT_NIL;
}

// word_of reads a word of the block: false when gen is no generator any more.
static inline bool word_of(rt_value gen, uint64_t i, uint64_t *w) {
  rt_slot_ *s = rt_slot_of_(gen);
  if (RT_LIKELY_(rt_live_(s, gen, RT_T_GENERATOR))) {
    *w = __atomic_load_n(&rt_words_(rt_load32_(&s->blk))[i], __ATOMIC_RELAXED);
    if (RT_LIKELY_(rt_still_(s, gen))) return true;
  }
  rt_refuse_(gen, 0);
  return false;
}

rt_value rt_generator_get_slot(rt_value gen, int64_t i) {
  rt_slot_ *s = rt_slot_of_(gen);
  uint64_t n = rt_load32_(&s->len) & SLOTS, w;
  if (RT_UNLIKELY_(!rt_live_(s, gen, RT_T_GENERATOR))) {
    rt_refuse_(gen, 0);
    return RT_NIL;
  }
  if (RT_UNLIKELY_((uint64_t)i >= n)) return nil_for(RT_E_INDEX);
  return RT_LIKELY_(word_of(gen, AT_SLOTS + (uint64_t)i, &w)) ? w : RT_NIL;
}

bool rt_generator_set_slot(rt_value gen, int64_t i, rt_value v) {
  if (RT_UNLIKELY_(!rt_retain(v))) return false;
  rt_slot_ *s = writes(gen, RT_T_GENERATOR);
  if (RT_UNLIKELY_(s == NULL)) {
    rt_release(v);
    return false;
  }
  bool ok = (uint64_t)i < (get32(&s->len) & SLOTS);
  if (RT_LIKELY_(ok)) {
    uint64_t *w = &rt_words_(get32(&s->blk))[AT_SLOTS + i];
    rt_value old = get(w);
    __atomic_store_n(w, v, __ATOMIC_RELAXED);
    v = old;
  }
  unlock(s);
  rt_release(v); // the old one, or v when it was not stored
  return ok ? true : no_for(RT_E_INDEX);
}

int64_t rt_generator_get_state(rt_value gen) {
  generator_run *r = running_of(gen);
  if (r != NULL) return r->state;
  uint64_t w;
  return word_of(gen, AT_STATE, &w) ? (int64_t)w : 0;
}

// outside locks gen for a change from outside its body; NULL when the body is under way elsewhere.
static rt_slot_ *outside(rt_value gen) {
  rt_slot_ *s = writes(gen, RT_T_GENERATOR);
  if (s == NULL || !(get32(&s->len) & RUNNING)) return s;
  unlock(s);
  me()->error = RT_E_STATE;
  return NULL;
}

bool rt_generator_set_state(rt_value gen, int64_t state) {
  if (state < 0) state = 0;
  generator_run *r = running_of(gen);
  if (r != NULL) {
    r->state = state;
    return true;
  }
  rt_slot_ *s = outside(gen);
  if (s == NULL) return false;
  __atomic_store_n(&rt_words_(get32(&s->blk))[AT_STATE], (uint64_t)state, __ATOMIC_RELAXED);
  unlock(s);
  return true;
}

rt_value rt_generator_get_ctx(rt_value gen) {
  uint64_t w;
  return word_of(gen, AT_CTX, &w) ? w : RT_NIL;
}

bool rt_generator_mark_done(rt_value gen) {
  generator_run *r = running_of(gen);
  if (r != NULL) return r->done = true;
  rt_slot_ *s = outside(gen);
  if (s == NULL) return false;
  uint32_t n = get32(&s->len);
  gen_stack *c = n & STACK ? (gen_stack *)(uintptr_t)get(&s->aux) : NULL;
  __atomic_store_n(&s->len, (n | DONE) & ~(uint32_t)STACK, __ATOMIC_RELEASE);
  unlock(s);
  if (c != NULL) end_stack_now(c);
  return true;
}

int64_t rt_generator_is_done(rt_value gen) {
  rt_slot_ *s = rt_slot_of_(gen);
  if (RT_LIKELY_(rt_live_(s, gen, RT_T_GENERATOR))) {
    uint32_t n = rt_load32_(&s->len);
    if (RT_LIKELY_(rt_still_(s, gen))) return (n & DONE) != 0;
  }
  rt_refuse_(gen, 0);
  return 1;
}

rt_value rt_generator_load_slot(rt_value gen, int64_t i) { return rt_generator_get_slot(gen, i); }
bool rt_generator_store_slot(rt_value gen, int64_t i, rt_value v) { return rt_generator_set_slot(gen, i, v); }
