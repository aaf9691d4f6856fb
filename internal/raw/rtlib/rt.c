//go:build linux || darwin

// The C half of the heap: what a thread has, how objects end, scopes, and what Go does. package rtheap has a twin of each
// operation on values, and says how the heap is laid out; a differential test drives both. Go is entered for memory
// alone, some 32 objects at a time.

#define RT_FN_ __attribute__((visibility("protected"))) // the bodies of the header become the library's functions
#include "run.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

// One word of thread-local storage, which a library that is loaded late still gets.
__thread thread *rti_self __attribute__((tls_model("initial-exec")));
thread rti_poor;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

int32_t rti_off = RT_E_STOPPED;

// A thread's end does not enter Go: the thread may be one of Go's that is over for Go already, as that of a goroutine that
// ended locked to it. Its free memory waits for the next thread that asks Go for some, and its open scopes for a worker.
static thread *orphans;

static void give_back(thread *t) {
  if (t->nslots > 0) rti_give_slots(t->slots, t->nslots);
  for (int c = 0; c < MAGAZINES; c++)
    if (t->nblocks[c] > 0) rti_give_blocks(c, t->blocks[c], t->nblocks[c]);
  free(t);
}

void rti_give_orphans(void) {
  if (RT_LIKELY_(__atomic_load_n(&orphans, __ATOMIC_RELAXED) == NULL)) return;
  for (thread *t = __atomic_exchange_n(&orphans, NULL, __ATOMIC_ACQUIRE), *next; t != NULL; t = next) {
    next = t->orphan;
    give_back(t);
  }
}

static void orphaned(thread *t) { // its scopes are closed
  rti_strand_gone(t);
  free(t->scoped);
  free(t->marks);
  bool has = t->nslots > 0;
  for (int c = 0; c < MAGAZINES; c++) has |= t->nblocks[c] > 0;
  if (!has || off_now() == RT_E_FORKED) {
    free(t);
    return;
  }
  t->orphan = __atomic_load_n(&orphans, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&orphans, &t->orphan, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
}

static void close_scopes(void *p) { // on a worker's own stack
  thread *t = p, *mine = rti_self;
  rti_self = t; // what is let go may need it
  while (t->depth > 0) rt_scope_pop(RT_NIL);
  rti_self = mine;
  orphaned(t);
}

static void close_scopes_of(uint64_t t) { rti_on_thread_stack(close_scopes, (void *)(uintptr_t)t); }

static void leave(void *p) {
  thread *t = p;
  rti_self = t;
  bool later = t->depth > 0 && rti_go(close_scopes_of, (uint64_t)(uintptr_t)t); // when it stops, all is let go
  rti_self = NULL;
  if (!later) orphaned(t);
}

static void make_key(void) { pthread_key_create(&key, leave); }

thread *rti_attach(void) {
  pthread_once(&once, make_key);
  thread *t = calloc(1, sizeof *t);
  if (t == NULL) return &rti_poor;
  rti_self = t;
  pthread_setspecific(key, t);
  return t;
}

void rt_refuse_(rt_value v, int32_t error) {
  int32_t off = off_now();
  if (error == 0) error = alive(v) ? RT_E_TYPE : off != RT_OK ? off : RT_E_HANDLE;
  refused_for(error);
}

thread *rti_me(void) { return me(); }

rt_value rti_own(rt_value v) {
  thread *t = me();
  if (RT_UNLIKELY_(t->depth > 0 && (v & 7) == 1) && !rti_scope_add(t, v)) {
    rt_release(v);
    return nil_for(RT_E_MEMORY);
  }
  return v;
}

int32_t rt_last_error(void) { return me()->error; }
bool rti_scope_add(thread *t, rt_value v) {
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

void rti_wait(int spins) {
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

// quiet says that nobody writes to what is dead, and settle waits until it is so. Later writers see that it is dead.
static inline bool quiet(const rt_slot_ *s) {
#if defined(__x86_64__)
  // Both sides change one word by a locked instruction and then read the other's, so one of them sees the other.
  return (rt_load32_(&s->lock) & 1) == 0;
#else
  return (void)s, false;
#endif
}

static inline void settle(rt_slot_ *s) {
  if (RT_LIKELY_(quiet(s))) return;
  acquire(s);
  unlock(s);
}

// end frees what the dead object of slot i had; what only it held is linked from *next.
static inline void end(uint32_t *next, uint32_t i, int type) {
  rt_slot_ *s = rt_h_.base + i;
  if (type != RT_T_STRING && type != RT_T_FLOAT && type != RT_T_ENUM) settle(s); // those are never written
  uint32_t blk = get32(&s->blk), n = get32(&s->len);
  uint64_t aux = get(&s->aux), bytes = 0;
  switch (type) {
  case RT_T_ARRAY:
    let_words_go(next, blk, n);
    bytes = aux * 8;
    break;
  case RT_T_TUPLE:
  case RT_T_OBJECT:
  case RT_T_CLOSURE:
    let_words_go(next, blk, n);
    bytes = (uint64_t)n * 8;
    break;
  case RT_T_DICT: {
    table t = table_of(blk, aux);
    let_entries_go(next, &t);
    bytes = 16 * t.n;
    break;
  }
  case RT_T_STRING:
    bytes = (uint64_t)n + 1;
    break;
  case RT_T_ENUM:
    let_go(next, aux);
    bytes = ENUM_BYTES;
    break;
  case RT_T_UNIQUE:
    let_go(next, aux);
    break;
  case RT_T_FLOAT:
    break;
  case RT_T_GENERATOR:
    bytes = rti_generator_end(next, s);
    break;
  case RT_T_ACTOR:
    bytes = rti_actor_end(next, s);
    blk = get32(&s->blk);
    break;
  case RT_T_HOST:
    rti_host_end(aux);
    break;
  case RT_T_FILE:
    rti_file_end(aux);
    break;
  case RT_T_FUTURE:
    bytes = rti_future_end(next, s);
    blk = get32(&s->blk);
    break;
  case RT_T_CHANNEL:
    bytes = rti_channel_end(next, s);
    blk = get32(&s->blk);
    break;
  }
  give_block(blk, bytes);
  if (get(&s->word) != 0) give_slot(i); // after its last generation a slot is never used again
}

// rti_bury_all frees the dead that are linked from next, and what only they held: neither depth nor lack of memory matters.
void rti_bury_all(uint32_t next) {
  while (next != 0) {
    uint32_t i = next;
    rt_slot_ *s = rt_h_.base + i;
    next = (uint32_t)(get(&s->word) & RT_COUNT_MASK_);
    __atomic_store_n(&s->word, get(&s->word) >> 36 << 36, __ATOMIC_RELEASE);
    end(&next, i, (int)(get32(&s->meta) & 0xff)); // above it, a site that came late
  }
}

// What Go asks when it ends an object that is more than words.
uint64_t isthmus_rt_end(int32_t type, uint32_t i) {
  rt_slot_ *s = rt_h_.base + i;
  uint32_t next = 0;
  uint64_t bytes = 0;
  switch (type) {
  case RT_T_GENERATOR:
    bytes = rti_generator_end(&next, s);
    break;
  case RT_T_ACTOR:
    bytes = rti_actor_end(&next, s);
    break;
  case RT_T_FUTURE:
    bytes = rti_future_end(&next, s);
    break;
  case RT_T_CHANNEL:
    bytes = rti_channel_end(&next, s);
    break;
  }
  rti_bury_all(next);
  return bytes;
}

static __attribute__((noinline)) bool bury_any(uint32_t i, int type) {
  uint32_t next = 0;
  end(&next, i, type);
  rti_bury_all(next);
  return true;
}

// What is small and holds no objects is given back at once.
bool rt_bury_(rt_value v) {
  uint32_t i = (uint32_t)(v >> 3) & ((1u << 28) - 1), type = v >> 31 & 31;
  rt_slot_ *s = rt_h_.base + i;
  if (type == RT_T_STRING) {
    if (RT_LIKELY_(ready_end(i, s, get32(&s->blk), (uint64_t)get32(&s->len) + 1))) return true;
  } else if ((1u << RT_T_ARRAY | 1u << RT_T_TUPLE | 1u << RT_T_OBJECT | 1u << RT_T_CLOSURE) >> type & 1 && quiet(s)) {
    uint32_t blk = get32(&s->blk), n = get32(&s->len);
    const uint64_t *w = rt_words_(blk);
    bool plain = blk != 0 && n <= 16;
    for (uint32_t j = 0; plain && j < n; j++) plain = (get(&w[j]) & 7) != 1;
    if (RT_LIKELY_(plain && ready_end(i, s, blk, (type == RT_T_ARRAY ? get(&s->aux) : n) * 8))) return true;
  }
  return bury_any(i, (int)type);
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
  if (t == &rti_poor) return -1;
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
  if (t == &rti_poor || t->depth == 0) return nil_for(RT_E_STATE);
  bool kept = (result & 7) == 1 && alive(result) && rt_retain(result);
  size_t from = t->marks[--t->depth];
  while (t->made > from) { // a release may end what makes more, in a scope of its own
    rt_value v = t->scoped[--t->made];
    if (alive(v)) rt_release(v);
  }
  if (kept && t->depth > 0 && !rti_scope_add(t, result)) {
    rt_release(result);
    return nil_for(RT_E_MEMORY);
  }
  return result;
}

// ---- What looks at the whole heap is Go ----
static bool running(void) {
  int32_t off = off_now();
  return off == RT_OK || no_for(off);
}

bool rt_freeze(rt_value v) {
  if (!running()) return false;
  int32_t error = rti_freeze(v);
  return error == RT_OK || no_for(error);
}

// counted is a number that Go gave: a negative one says that Go panicked.
static int64_t counted(int64_t n) {
  if (n < 0) me()->error = RT_E_DEFECT;
  return n;
}

int64_t rt_collect(void) { return running() ? counted(rti_collect()) : -1; }

int64_t rt_objects(void) { return running() ? counted(rti_objects()) : -1; }

int64_t rt_census(rt_census_line *lines, int64_t n) {
  if (!running()) return -1;
  if (n < 0 || (lines == NULL && n > 0)) {
    me()->error = RT_E_SIZE;
    return -1;
  }
  return counted(rti_census(lines, n));
}

// ---- Sites ----
uint32_t rt_site(const char *file, int32_t line) {
  if (file == NULL) {
    me()->error = RT_E_VALUE;
    return 0;
  }
  return running() ? rti_site(file, line) : 0;
}

const char *rt_site_text(uint32_t site) {
  const char *s = rt_h_.mask != 0 && site != 0 ? rti_site_text(site) : NULL;
  return s != NULL ? s : "unknown";
}

// The low bits of meta stay as they were found: a type that rti_bury_all looks for, or a flag.
rt_value rt_made_at(rt_value v, uint32_t site) {
  if ((v & 7) != 1 || site >> 24 != 0) return v;
  rt_slot_ *s = rt_slot_of_(v);
  uint32_t m = get32(&s->meta);
  while (alive(v) && !__atomic_compare_exchange_n(&s->meta, &m, (m & 0xff) | site << 8, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
  return v;
}

// ---- The library ----
uint32_t rt_abi_version(void) { return RT_ABI_VERSION; }

const char *rt_error_text(int32_t error) {
  static const char *const texts[] = {
      "no error", "not a live object", "an object of another type", "not a value", "index out of range",
      "size out of range", "not a key", "the object is frozen", "out of memory", "nothing there",
      "the dictionary changed while it was walked", "the runtime is not running", "the process was forked after rt_init",
      "closed", "timed out", "cancelled", "failed", "it would wait for itself", "not possible in this state",
      "input or output failed", "not found", "permission denied", "no space left on the device", "defect in the runtime",
      "a directory"};
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
      RT_F(rt_site),
      RT_F(rt_site_text),
      RT_F(rt_made_at),
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
      RT_F(rt_generator_new),
      RT_F(rt_generator_new_co),
      RT_F(rt_generator_next),
      RT_F(rt_generator_yield),
      RT_F(rt_generator_get_slot),
      RT_F(rt_generator_set_slot),
      RT_F(rt_generator_is_done),
      RT_F(rt_generator_get_state),
      RT_F(rt_generator_set_state),
      RT_F(rt_generator_get_ctx),
      RT_F(rt_generator_mark_done),
      RT_F(rt_generator_load_slot),
      RT_F(rt_generator_store_slot),
      RT_F(rt_actor_spawn),
      RT_F(rt_actor_spawn_cap),
      RT_F(rt_actor_spawn_handler),
      RT_F(rt_actor_spawn_handler_cap),
      RT_F(rt_actor_send),
      RT_F(rt_actor_send_ex),
      RT_F(rt_actor_try_send),
      RT_F(rt_actor_recv),
      RT_F(rt_actor_recv_ex),
      RT_F(rt_actor_try_recv),
      RT_F(rt_actor_self),
      RT_F(rt_actor_fail),
      RT_F(rt_actor_join),
      RT_F(rt_actor_join_ex),
      RT_F(rt_actor_stop),
      RT_F(rt_actor_id),
      RT_F(rt_actor_is_alive),
      RT_F(rt_actor_death_reason),
      RT_F(rt_actor_pending),
      RT_F(rt_async_file_create),
      RT_F(rt_async_file_close),
      RT_F(rt_async_file_read),
      RT_F(rt_async_file_write),
      RT_F(rt_async_file_prefault),
      RT_F(rt_async_file_size),
      RT_F(rt_async_file_sync),
      RT_F(rt_async_file_wait),
      RT_F(rt_async_file_start_loading),
      RT_F(rt_async_file_is_ready),
      RT_F(rt_async_file_get_state),
      RT_F(native_async_file_create),
      RT_F(native_async_file_start_loading),
      RT_F(native_async_file_is_ready),
      RT_F(native_async_file_get_state),
      RT_F(native_async_file_wait),
      RT_F(rt_shutdown),
      RT_F(rt_future_new),
      RT_F(rt_future_await),
      RT_F(rt_future_await_ex),
      RT_F(rt_future_is_ready),
      RT_F(rt_future_resolve),
      RT_F(rt_future_all),
      RT_F(rt_future_all_ex),
      RT_F(rt_future_race),
      RT_F(rt_future_race_ex),
      RT_F(rt_future_start),
      RT_F(rt_future_complete),
      RT_F(rt_future_fail),
      RT_F(rt_future_cancel),
      RT_F(rt_future_reason),
      RT_F(rt_channel_new),
      RT_F(rt_channel_new_cap),
      RT_F(rt_channel_send),
      RT_F(rt_channel_send_ex),
      RT_F(rt_channel_try_send),
      RT_F(rt_channel_recv),
      RT_F(rt_channel_recv_ex),
      RT_F(rt_channel_try_recv),
      RT_F(rt_channel_close),
      RT_F(rt_channel_is_closed),
      RT_F(rt_channel_len),
      RT_F(rt_channel_cap),
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(all[i].name, name) == 0) return all[i].fn;
  return 0;
}
