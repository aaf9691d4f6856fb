/* isthmus_rt.h: the runtime C ABI of a language.
 *
 * Link with libisthmus.so. Call rt_init() once in each executable or shared library that includes this file, before
 * anything else of it: until the first one has returned, no other thread of it calls. Every other function is safe before
 * it, and answers as it does for a word that is no object. More calls of rt_init() may come from any thread at any time.
 * The library stays where it is for as long as the process: dlclose leaves it, and whoever is in it, alone.
 *
 * VALUES. An rt_value is a word of 64 bits: a number of 61 bits, a float, nil, true, false, a symbol, or a handle of an
 * object. Handles are checked: a word that is no handle, one of an object that is gone or of another type, and one that
 * was made up gives the error result that each function documents. It never faults and never writes.
 *
 * OWNERSHIP. An object lives while something counts it.
 *   own       the caller gets one count, and lets it go with rt_release (or leaves it to a scope)
 *   borrow    the caller gets no count: the word is good while its container holds it; afterwards it reads as no object
 *   count     the function counts an argument for itself; the caller keeps its own count
 *   move      the function takes the caller's count over
 * Code that emits no releases opens a scope: what is made in it is let go at its end, unless a container counts it.
 *
 * THREADS. Every function may be called from any thread. A write is atomic for its object; a read gives a word that was
 * in the object during the call. BLOCKS: yes or no, said for each function that waits; all else is short.
 *
 * ERRORS. A function that refuses says why in rt_last_error(), by thread; success does not clear it.
 *
 * CHECKS. With RT_CHECK defined before this file is included, in all code of a program, a validation layer looks at every
 * call: what breaks a rule is reported with the lines that called, made and ended, to standard error, or to the file that
 * ISTHMUS_REPORT names, for `isthmus audit --with-runtime`. ISTHMUS_CHECK=off in the environment ends that.
 *
 * C11, C17, C++17. Little-endian machines of 64 bits, GCC or Clang. Define RT_NO_INLINE to have every call made to the
 * library. */
#ifndef ISTHMUS_RT_H
#define ISTHMUS_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RT_ABI_VERSION 1u

typedef uint64_t rt_value;

#define RT_NIL ((rt_value)3)
#define RT_TRUE ((rt_value)11)
#define RT_FALSE ((rt_value)19)

/* What rt_type answers. The numbers are the original runtime's where it had one. */
enum rt_type {
  RT_T_NONE = 0, /* no live object */
  RT_T_STRING = 0x01,
  RT_T_ARRAY = 0x02,
  RT_T_DICT = 0x03,
  RT_T_TUPLE = 0x04,
  RT_T_OBJECT = 0x05,
  RT_T_CLOSURE = 0x06,
  RT_T_ENUM = 0x07,
  RT_T_FUTURE = 0x08,
  RT_T_GENERATOR = 0x09,
  RT_T_ACTOR = 0x0a,
  RT_T_UNIQUE = 0x0b,
  RT_T_CHANNEL = 0x0e,
  RT_T_FILE = 0x10,
  RT_T_HOST = 0x11, /* a function of Go's that an actor or generator has; nothing can be done with it */
  RT_T_FLOAT = 0x1c
};

/* What rt_last_error answers. */
enum rt_error {
  RT_OK = 0,
  RT_E_HANDLE,    /* no live object: nil, a number, forged, or freed */
  RT_E_TYPE,      /* a live object of another type */
  RT_E_VALUE,     /* a word that is no value, or a handle of a freed object where a value is stored */
  RT_E_INDEX,     /* outside the object */
  RT_E_SIZE,      /* negative, or more than the limit */
  RT_E_KEY,       /* nil, or no value */
  RT_E_FROZEN,    /* the object is frozen */
  RT_E_MEMORY,    /* no memory, or no handle, is left */
  RT_E_EMPTY,     /* nothing to take */
  RT_E_CHANGED,   /* the dictionary was rebuilt while it was walked */
  RT_E_STOPPED,   /* the runtime is not running */
  RT_E_FORKED,    /* this process is a fork's child: the runtime did not come along */
  RT_E_CLOSED,
  RT_E_TIMEOUT,
  RT_E_CANCELLED,
  RT_E_FAILED,    /* the body ended without a result */
  RT_E_SELF,      /* it would wait for itself */
  RT_E_STATE,     /* not now */
  RT_E_IO,
  RT_E_NOT_FOUND, /* no such file, or no such key */
  RT_E_PERMISSION,
  RT_E_DISK_FULL,
  RT_E_DEFECT,    /* a defect of the library, contained */
  RT_E_DIRECTORY
};

/* How functions are declared: those of the library, and those that are inline here unless RT_NO_INLINE is defined. */
#ifndef RT_API_
#define RT_API_ extern
#ifdef RT_NO_INLINE
#define RT_FN_ extern
#else
#define RT_FN_ static inline __attribute__((always_inline))
#endif
#endif

/* ---- The library's own state: isthmus keeps the words below; do not touch them. ---- */
typedef struct rt_slot_ {
  uint64_t word; /* generation, type, count */
  uint32_t blk;  /* units of 16 bytes below the base */
  uint32_t len;
  uint32_t lock; /* 1: a writer is at it; the rest counts writes */
  uint32_t meta; /* 1: frozen; from bit 8 on the site */
  uint64_t aux;
} rt_slot_;

typedef struct rt_heap_ {
  rt_slot_ *base;
  uint64_t mask;
  uint64_t seed;
  uint64_t max_len;
} rt_heap_;

/* ---- Runtime ---- */

/* Starts the runtime, once for the process, and tells this executable or shared library where it is. 0, or an rt_error:
 * RT_E_STATE when the library's ABI is not that of this header or rt_shutdown is not over, RT_E_MEMORY, RT_E_FORKED. Again
 * after rt_shutdown it starts anew. */
static inline int32_t rt_init(void);

/* Stops the runtime, and frees all that is alive. Every wait ends with RT_E_STOPPED, and no new one begins; what was not
 * started never starts; the library's threads end. BLOCKS: until each body that is under way has returned, but not longer
 * than timeout_ns (negative: for ever).
 * Answers how many objects were alive: those that somebody forgot; with ISTHMUS_CHECK=report in the environment, their
 * types and sites are written to standard error. -1: not running, or called from a body (RT_E_STATE).
 * -2, RT_E_TIMEOUT: bodies are still under way, and nothing was freed; the runtime stays stopped, and rt_shutdown may be
 * called again. No handle from before ever names an object again. */
RT_API_ int64_t rt_shutdown(int64_t timeout_ns);

/* The library's RT_ABI_VERSION. */
RT_API_ uint32_t rt_abi_version(void);

/* Why the last refused call on this thread was refused: an rt_error. */
RT_API_ int32_t rt_last_error(void);

/* The text of an rt_error, for people. It stays. */
RT_API_ const char *rt_error_text(int32_t error);

/* ---- Values ---- */

/* x as a value; the upper three bits are lost. */
static inline rt_value rt_int(int64_t x) { return (rt_value)((uint64_t)x << 3); }
/* Whether v is a number. */
static inline bool rt_is_int(rt_value v) { return (v & 7) == 0; }
/* The number that v is; of another value, nonsense. */
static inline int64_t rt_as_int(rt_value v) { return (int64_t)v >> 3; }
static inline rt_value rt_bool(bool b) { return b ? RT_TRUE : RT_FALSE; }
static inline bool rt_is_nil(rt_value v) { return v == RT_NIL; }
/* own (almost every float is a word and has no count). Exact. nil: out of memory. */
RT_API_ rt_value rt_float(double f);
/* Whether v is a float, and then which. */
RT_API_ bool rt_as_float(rt_value v, double *f);
/* The type of a live object: an rt_type; RT_T_NONE for anything else. */
RT_API_ int32_t rt_type(rt_value v);

/* ---- Memory ---- */

/* Counts v once more: false when it is no live object. A value that is no handle needs no count: true. */
RT_FN_ bool rt_retain(rt_value v);
/* Lets one count of v go: false when it is no live object, as after the last. */
RT_FN_ bool rt_release(rt_value v);
/* How many count v, 0 for what is no live object; for tests and debuggers. */
RT_API_ int64_t rt_count(rt_value v);

/* Makes v, and all that it leads to, refuse writes for ever. A value that is no handle is frozen as it is. A future or a
 * channel stays what it is, and what comes out of it is another matter. */
RT_API_ bool rt_freeze(rt_value v);

/* Frees objects that only hold each other, and answers how many. It works beside other threads: what they use is left.
 * Takes about a microsecond for each live object. -1: the runtime is not running. */
RT_API_ int64_t rt_collect(void);

/* How many objects are alive; -1: the runtime is not running. */
RT_API_ int64_t rt_objects(void);

/* A line of the census: objects of one type that are alive, and the bytes of their blocks. */
typedef struct rt_census_line {
  int32_t type; /* an rt_type */
  uint32_t site; /* where they were made: rt_site_text; 0: not known */
  int64_t objects;
  int64_t bytes;
} rt_census_line;

/* Where objects are made. RT_SITE(rt_array_new(4)) is rt_array_new(4), and the census tells the line that says so. With
 * RT_SITES defined before this file is included, each function that makes an object is called that way. What is made in no
 * such line is of site 0, which costs nothing; the rest costs a few nanoseconds. Not at file scope. */
#define RT_SITE(call)                                                              \
  __extension__({                                                                  \
    static uint32_t rt_here_ = 0;                                                  \
    uint32_t rt_site_n_ = __atomic_load_n(&rt_here_, __ATOMIC_RELAXED);            \
    if (rt_site_n_ == 0) {                                                         \
      rt_site_n_ = rt_site(__FILE__, __LINE__);                                    \
      __atomic_store_n(&rt_here_, rt_site_n_, __ATOMIC_RELAXED);                   \
    }                                                                              \
    rt_made_at((call), rt_site_n_);                                                \
  })
/* The number of a site, the same for the same file and line; for compilers that number their sites once. 0: file is NULL,
 * there are 2^20 already, or the runtime is not running. */
RT_API_ uint32_t rt_site(const char *file, int32_t line);
/* The text of a site: "file:line". It stays. "unknown" for 0 and for what is no site. */
RT_API_ const char *rt_site_text(uint32_t site);
/* Says that v was made at a site, and answers v, whatever it is. */
RT_API_ rt_value rt_made_at(rt_value v, uint32_t site);

/* Writes the first n lines of the census, the most numerous first, and answers how many there are; -1: n is negative or
 * lines is NULL and n is not 0, or the runtime is not running. */
RT_API_ int64_t rt_census(rt_census_line *lines, int64_t n);

/* Opens a scope on this thread, inside the one that is open: what this thread makes, receives or awaits from now on is the
 * scope's, so nobody else lets it go. Answers how many are open; -1: out of memory. */
RT_API_ int64_t rt_scope_push(void);
/* Closes the thread's innermost scope: lets each object go that was made in it. result, which may be any value, lives on:
 * it belongs to the scope outside, or is the caller's (own) when there is none. nil: no scope is open. */
RT_API_ rt_value rt_scope_pop(rt_value result);

/* ---- Arrays ---- */

/* own. An empty array with room for cap elements. nil: cap is negative or over 2^31-1. */
RT_API_ rt_value rt_array_new(int64_t cap);
/* The number of elements; -1: no array. */
RT_FN_ int64_t rt_array_len(rt_value a);
/* borrow. Element i; a negative i counts from the end. nil: no array, out of range. */
RT_FN_ rt_value rt_array_get(rt_value a, int64_t i);
/* count v. Stores v as element i and lets the old one go. */
RT_API_ bool rt_array_set(rt_value a, int64_t i, rt_value v);
/* count v. Appends v; the handle stays the same when the array grows. */
RT_FN_ bool rt_array_push(rt_value a, rt_value v);
/* own. Takes the last element out. nil: no array, empty. */
RT_API_ rt_value rt_array_pop(rt_value a);
/* Lets all elements go; keeps the room. */
RT_API_ bool rt_array_clear(rt_value a);

/* ---- Tuples ---- */

/* own. n nils. nil: n is over 2^31-1. */
RT_API_ rt_value rt_tuple_new(uint64_t n);
RT_FN_ int64_t rt_tuple_len(rt_value t);                       /* -1: no tuple */
RT_FN_ rt_value rt_tuple_get(rt_value t, uint64_t i);          /* borrow */
RT_API_ bool rt_tuple_set(rt_value t, uint64_t i, rt_value v);  /* count v; false once frozen */

/* ---- Strings ---- */

/* own. Copies n bytes of p, which need not be text, and puts a NUL after them. nil: p is NULL and n is not 0, or n is too
 * large. */
RT_API_ rt_value rt_string_new(const uint8_t *p, uint64_t n);
/* Bytes; -1: no string. */
RT_FN_ int64_t rt_string_len(rt_value s);
/* borrow. The bytes: good until the last count of s is let go. NULL: no string. */
RT_API_ const uint8_t *rt_string_data(rt_value s);
/* own. nil: one of them is no string. */
RT_API_ rt_value rt_string_concat(rt_value a, rt_value b);

/* ---- Dictionaries: in the order of insertion; strings are compared by bytes, floats by value, all else by identity ---- */

/* own. Room for cap entries. */
RT_API_ rt_value rt_dict_new(int64_t cap);
RT_FN_ int64_t rt_dict_len(rt_value d);                          /* -1: no dictionary */
RT_API_ rt_value rt_dict_get(rt_value d, rt_value k);             /* borrow; nil also when missing, which rt_dict_has tells */
RT_API_ bool rt_dict_set(rt_value d, rt_value k, rt_value v);     /* count k, v; false: nil key */
RT_API_ bool rt_dict_has(rt_value d, rt_value k);
RT_API_ bool rt_dict_remove(rt_value d, rt_value k);              /* false also when missing */
RT_API_ bool rt_dict_clear(rt_value d);
/* borrow. Walks the entries: start with *cursor = 0, and go on while it answers true. False is the end, or an error:
 * RT_E_CHANGED when the dictionary grew since the walk began. */
RT_API_ bool rt_dict_next(rt_value d, uint64_t *cursor, rt_value *k, rt_value *v);

/* ---- Objects ---- */

/* own. n fields, all nil. */
RT_API_ rt_value rt_object_new(uint32_t class_id, uint32_t n);
RT_FN_ rt_value rt_object_field_get(rt_value o, uint32_t i);           /* borrow */
RT_API_ bool rt_object_field_set(rt_value o, uint32_t i, rt_value v);   /* count v */
RT_FN_ int64_t rt_object_class_id(rt_value o);                         /* -1: no object */
RT_FN_ int64_t rt_object_field_count(rt_value o);                      /* -1: no object */

/* ---- Closures ---- */

/* own. fn is kept and never called by the library. n captures, all nil. */
RT_API_ rt_value rt_closure_new(const void *fn, uint32_t n);
RT_API_ bool rt_closure_set_capture(rt_value c, uint32_t i, rt_value v); /* count v */
RT_FN_ rt_value rt_closure_get_capture(rt_value c, uint32_t i);         /* borrow */
RT_FN_ const void *rt_closure_func_ptr(rt_value c);                     /* NULL: no closure */

/* ---- Enumerations ---- */

/* own; count payload. */
RT_API_ rt_value rt_enum_new(uint32_t enum_id, uint32_t discriminant, rt_value payload);
RT_API_ int64_t rt_enum_discriminant(rt_value e); /* -1: no enum */
RT_API_ int64_t rt_enum_id(rt_value e);           /* -1: no enum */
RT_FN_ rt_value rt_enum_payload(rt_value e);     /* borrow */

/* ---- Unique owners ---- */

/* own; move v. */
RT_API_ rt_value rt_unique_new(rt_value v);
RT_FN_ rt_value rt_unique_get(rt_value u);             /* borrow */
/* move v; the old one is let go. RT_TRUE or RT_FALSE; v stays the caller's when it is refused. */
RT_API_ rt_value rt_unique_set(rt_value u, rt_value v);

/* ---- Futures ---- */

/* Timeouts, here and below: nanoseconds; negative is for ever, 0 is not at all. A wait suspends a body that runs on one
 * of the library's threads, and leaves the thread to others. */

/* own; count ctx. body(ctx) gives the result, once, when somebody waits or rt_future_start is called: ctx is lent to it,
 * and its result is moved. A NULL body makes a promise: rt_future_complete gives the result; ctx is not used. */
RT_API_ rt_value rt_future_new(rt_value (*body)(rt_value ctx), rt_value ctx);
/* own. The result. BLOCKS. A body that was not started runs on this thread. nil: no future; it failed or was cancelled
 * (RT_E_FAILED, RT_E_CANCELLED); it waits for itself, through others too (RT_E_SELF); RT_E_STOPPED. */
RT_API_ rt_value rt_future_await(rt_value f);
/* 0, and the result in *out (own), or the rt_error, and nil. BLOCKS, at most timeout_ns. A body that was not started runs
 * on this thread if the timeout is negative, and is started on another one otherwise. */
RT_API_ int32_t rt_future_await_ex(rt_value f, int64_t timeout_ns, rt_value *out);
/* 1: a wait would be over at once; 0 also for what is no future. */
RT_API_ int64_t rt_future_is_ready(rt_value f);
/* own; count v. A future that has the result v. */
RT_API_ rt_value rt_future_resolve(rt_value v);
/* own. Starts all futures of the array, and waits for all: an array of their results in the same order. What is no future
 * is its own result; nil stands for one that failed. BLOCKS. nil: no array. */
RT_API_ rt_value rt_future_all(rt_value array);
RT_API_ int32_t rt_future_all_ex(rt_value array, int64_t timeout_ns, rt_value *out);
/* own. Starts all futures of the array, and waits for the first result: what is no future is one. The others go on, unless
 * they are cancelled. BLOCKS. nil: no array; it is empty (RT_E_EMPTY); all failed (RT_E_FAILED). */
RT_API_ rt_value rt_future_race(rt_value array);
RT_API_ int32_t rt_future_race_ex(rt_value array, int64_t timeout_ns, rt_value *out);
/* Has the body run on one of the library's threads. True also when it was started before. */
RT_API_ bool rt_future_start(rt_value f);
/* count v. Gives a promise its result. False: it has one, or is cancelled, or has a body (RT_E_STATE). */
RT_API_ bool rt_future_complete(rt_value f, rt_value v);
/* count reason. Ends a promise without a result. */
RT_API_ bool rt_future_fail(rt_value f, rt_value reason);
/* Whoever waits, and will, gets RT_E_CANCELLED. A body that was not started never runs; one that runs goes on, and its
 * result is let go. False: it was over. */
RT_API_ bool rt_future_cancel(rt_value f);
/* borrow. Why it failed; nil: it did not. */
RT_API_ rt_value rt_future_reason(rt_value f);

/* ---- Channels: any number of senders and receivers; what is in a channel is counted by it ---- */

/* own. Room for 256 values. */
RT_API_ rt_value rt_channel_new(void);
/* own. nil: cap is not in 1..2^20 (RT_E_SIZE). */
RT_API_ rt_value rt_channel_new_cap(int64_t cap);
/* count v. 1: sent; 0: no channel, no value, closed, stopped. BLOCKS while it is full. */
RT_API_ int64_t rt_channel_send(rt_value ch, rt_value v);
/* count v. 0: sent; or the rt_error: RT_E_CLOSED, RT_E_TIMEOUT, RT_E_STOPPED... BLOCKS, at most timeout_ns. */
RT_API_ int32_t rt_channel_send_ex(rt_value ch, rt_value v, int64_t timeout_ns);
/* count v. As rt_channel_send_ex with timeout 0: RT_E_TIMEOUT when it is full. */
RT_API_ int32_t rt_channel_try_send(rt_value ch, rt_value v);
/* own. The oldest value. BLOCKS while it is empty. nil: no channel; closed, and nothing is left (RT_E_CLOSED); stopped. */
RT_API_ rt_value rt_channel_recv(rt_value ch);
/* 0, and the value in *out (own), or the rt_error, and nil. BLOCKS, at most timeout_ns. */
RT_API_ int32_t rt_channel_recv_ex(rt_value ch, int64_t timeout_ns, rt_value *out);
/* As rt_channel_recv_ex with timeout 0: RT_E_TIMEOUT when it is empty. */
RT_API_ int32_t rt_channel_try_recv(rt_value ch, rt_value *out);
/* No more is sent; what is in it may be received. Everyone who waits wakes. False also when it was closed. */
RT_API_ bool rt_channel_close(rt_value ch);
/* 1 also for what is no channel. */
RT_API_ int64_t rt_channel_is_closed(rt_value ch);
/* How many values are in it, a moment ago; -1: no channel. */
RT_API_ int64_t rt_channel_len(rt_value ch);
RT_API_ int64_t rt_channel_cap(rt_value ch); /* -1: no channel */

/* ---- Generators ----
 *
 * A generator runs its body a step at a time, for who calls next and on its stack: the body gets the generator, does what
 * its state says, and returns the next value. What it needs from one step to the next is in the slots.
 *
 *     rt_value count(rt_value gen) {
 *       int64_t i = rt_generator_get_state(gen);
 *       return i < 10 ? rt_generator_yield(gen, rt_int(i)) : RT_NIL;
 *     }
 *
 * It is done when the body returns nil without a yield, and when rt_generator_mark_done says so. One thread runs it at a
 * time; any may. A body must return: longjmp and exceptions out of it leave the generator running for ever. */

#define RT_GENERATOR_SLOTS 65535

/* own; count ctx. slots slots, all nil. A NULL body is done. nil: slots is negative or over RT_GENERATOR_SLOTS. */
RT_API_ rt_value rt_generator_new(rt_value (*body)(rt_value gen), int64_t slots, rt_value ctx);
/* As rt_generator_new, with a stack for the body: it runs once, and rt_generator_yield in it gives a value to next and
 * goes on where it was at the next next, perhaps on another thread. It is done when the body has returned; what it returns,
 * if not nil, is the last value. A generator that is let go, or marked done, in the middle does not run any more: its stack
 * is given back, and what its open scopes made is let go; counts that only its variables held are lost, so a body that may
 * be abandoned keeps what it owns in slots or in a scope. nil also when no stack can be had (RT_E_MEMORY). */
RT_API_ rt_value rt_generator_new_co(rt_value (*body)(rt_value gen), int64_t slots, rt_value ctx);
/* own. The next value: what the body returns. nil: done (RT_E_EMPTY; nothing in rt_last_error when it becomes so), or its
 * body is under way, here or in another thread (RT_E_STATE). */
RT_API_ rt_value rt_generator_next(rt_value gen);
/* move v; what an open scope of the body has is retained first. In its body: counts the state up by one, and is v, for the
 * body to return; with a stack of its own it gives v to next, and is nil once the body goes on. nil outside (RT_E_STATE),
 * and v stays the caller's. */
RT_API_ rt_value rt_generator_yield(rt_value gen, rt_value v);
RT_API_ rt_value rt_generator_get_slot(rt_value gen, int64_t i);         /* borrow; nil: out of range */
RT_API_ bool rt_generator_set_slot(rt_value gen, int64_t i, rt_value v); /* count v; false: out of range */
/* 1: next has nothing more to give; also for what is no generator. */
RT_API_ int64_t rt_generator_is_done(rt_value gen);
/* A number for the body, 0 at first. Another thread sees the one before the step that is under way. 0: no generator. */
RT_API_ int64_t rt_generator_get_state(rt_value gen);
/* A negative state is 0. false: no generator, or its body is under way elsewhere. */
RT_API_ bool rt_generator_set_state(rt_value gen, int64_t state);
RT_API_ rt_value rt_generator_get_ctx(rt_value gen); /* borrow */
/* No more steps; in its body, after this one. false: no generator, or its body is under way elsewhere. */
RT_API_ bool rt_generator_mark_done(rt_value gen);
/* The original's names of get_slot and set_slot. */
RT_API_ rt_value rt_generator_load_slot(rt_value gen, int64_t i);
RT_API_ bool rt_generator_store_slot(rt_value gen, int64_t i, rt_value v);

/* ---- Actors ----
 *
 * An actor has a mailbox and does one thing at a time. There are two kinds. A body (rt_actor_spawn) is a function that
 * runs once and asks for messages with rt_actor_recv; it has a stack of its own, and while it waits it holds no thread. A
 * handler (rt_actor_spawn_handler) is a function that is called once for each message; between messages it has nothing but
 * its state, so there may be a hundred thousand. Both may call everything that waits.
 *
 * Any value may be sent. The receiver gets the object itself, not a copy: objects are safe between threads, each by itself.
 * Freeze what must not change any more.
 *
 * An actor lives while it has something to do or somebody has a handle of it. Without a handle a body goes on until it
 * returns or waits for a message that nobody can send, of which rt_actor_recv tells it; a handler ends when its mailbox is
 * empty. What a dead actor did not receive is let go.
 *
 * A body or handler must return: longjmp, exceptions and pthread_exit out of it are not contained. A C++ body that catches
 * what it throws says rt_actor_fail. It may go on on another thread after anything that waits. */

#define RT_ACTOR_CAPACITY 1024 /* of a mailbox, unless said otherwise */
#define RT_ACTOR_CAPACITY_MAX 1048576

/* What rt_actor_death_reason answers. */
enum rt_actor_reason {
  RT_ACTOR_ALIVE = 0,
  RT_ACTOR_FINISHED,  /* the body returned */
  RT_ACTOR_STOPPED,   /* it ended after rt_actor_stop */
  RT_ACTOR_FAILED,    /* it called rt_actor_fail */
  RT_ACTOR_ABANDONED  /* the runtime stopped before it was done */
};

/* own; count ctx, which body borrows. A NULL body makes an actor that has finished. nil: no memory (RT_E_MEMORY), or the
 * runtime is not running. The _cap functions say how many messages may wait: 1 to RT_ACTOR_CAPACITY_MAX, else nil. */
RT_API_ rt_value rt_actor_spawn(void (*body)(rt_value ctx), rt_value ctx);
RT_API_ rt_value rt_actor_spawn_cap(void (*body)(rt_value ctx), rt_value ctx, int64_t capacity);
/* own; count state. The handler borrows both of its arguments. Messages that it was given some at a time, up to 64, are no
 * longer in the mailbox. */
RT_API_ rt_value rt_actor_spawn_handler(void (*handler)(rt_value state, rt_value msg), rt_value state);
RT_API_ rt_value rt_actor_spawn_handler_cap(void (*handler)(rt_value state, rt_value msg), rt_value state, int64_t capacity);

/* count msg. 1: it is in the mailbox. 0: no actor, a dead or stopped one (RT_E_CLOSED), or the actor's own mailbox when it
 * is full (RT_E_SELF). Messages of one sender arrive in order. BLOCKS while the mailbox is full. */
RT_API_ int64_t rt_actor_send(rt_value actor, rt_value msg);
/* count msg. 0: it is in the mailbox; or the rt_error: RT_E_CLOSED, RT_E_TIMEOUT, RT_E_SELF, RT_E_STOPPED... BLOCKS, at
 * most timeout_ns. */
RT_API_ int32_t rt_actor_send_ex(rt_value actor, rt_value msg, int64_t timeout_ns);
/* count msg. As rt_actor_send_ex with timeout 0: RT_E_TIMEOUT when it is full. */
RT_API_ int32_t rt_actor_try_send(rt_value actor, rt_value msg);

/* own. The next message of the actor whose body calls. nil: it was stopped and has received all, or nobody can send to it
 * any more (RT_E_CLOSED); this is no actor's body (RT_E_STATE); the runtime stops (RT_E_STOPPED). BLOCKS. */
RT_API_ rt_value rt_actor_recv(void);
/* 0, and the message in *out (own), or the rt_error, and nil. BLOCKS, at most timeout_ns. */
RT_API_ int32_t rt_actor_recv_ex(int64_t timeout_ns, rt_value *out);
/* As rt_actor_recv_ex with timeout 0: RT_E_TIMEOUT when there is none. */
RT_API_ int32_t rt_actor_try_recv(rt_value *out);

/* borrow. The actor whose body or handler calls; nil elsewhere. */
RT_API_ rt_value rt_actor_self(void);
/* The calling actor's end will be a failure: a handler's after this message. false: no actor calls. */
RT_API_ bool rt_actor_fail(void);

/* Waits for the actor's end. 1: it finished, or was stopped. 0: no actor, itself (RT_E_SELF), it failed (RT_E_FAILED), or
 * the runtime stopped first (RT_E_STOPPED). Any number of threads and actors may, any number of times. BLOCKS. */
RT_API_ int64_t rt_actor_join(rt_value actor);
/* 0, or the rt_error. BLOCKS, at most timeout_ns. */
RT_API_ int32_t rt_actor_join_ex(rt_value actor, int64_t timeout_ns);
/* Closes the mailbox: what is in it is still received, and then a handler ends, and rt_actor_recv gives a body nil. 0: no
 * actor, or closed already (RT_E_CLOSED). */
RT_API_ int64_t rt_actor_stop(rt_value actor);

RT_API_ int64_t rt_actor_id(rt_value actor);           /* > 0, and never another's; 0: no actor */
RT_API_ int64_t rt_actor_is_alive(rt_value actor);     /* 1 until its body has returned; 0 also for what is no actor */
RT_API_ int64_t rt_actor_death_reason(rt_value actor); /* an rt_actor_reason; -1: no actor */
RT_API_ int64_t rt_actor_pending(rt_value actor);      /* messages in the mailbox; -1: no actor */
/* ---- Files: the work is done by a few threads of the library's, and ends in a future ---- */

/* How a file is opened: one of the first three, and any of the others. They are what open(2) has on Linux, but the last. */
enum rt_file_mode {
  RT_FILE_READ = 0,
  RT_FILE_WRITE = 1,
  RT_FILE_READ_WRITE = 2,
  RT_FILE_CREATE = 0x40,     /* make it if it is not there */
  RT_FILE_EXCLUSIVE = 0x80,  /* with RT_FILE_CREATE: it must not be there */
  RT_FILE_TRUNCATE = 0x200,
  RT_FILE_APPEND = 0x400,    /* writes go to the end, whatever their offset */
  RT_FILE_ATOMIC = 0x10000   /* writes go to a file beside it, which takes its place at rt_async_file_close: others see
                              * the old file or the whole new one, whoever dies when. It begins empty. */
};

enum rt_file_state { RT_FILE_PENDING = 0, RT_FILE_LOADING = 1, RT_FILE_READY = 2, RT_FILE_FAILED = 3 };

/* What is done with one file is done in the order in which it was asked for; reads run beside each other. The futures of a
 * file that cannot be opened fail as the opening did. An await says why one failed: RT_E_NOT_FOUND, RT_E_PERMISSION,
 * RT_E_DIRECTORY, RT_E_DISK_FULL, RT_E_INDEX (a negative offset or length, or past the end), RT_E_CLOSED, RT_E_CANCELLED,
 * RT_E_MEMORY (too many operations are under way), RT_E_IO; and rt_future_reason is the system's text. */

/* own. Opens the file soon. If prefault is not 0, brings all of it into memory. nil: path is no string, or empty or with a
 * NUL in it; no such mode (RT_E_VALUE). A file that is let go is closed; an atomic one leaves the old one in its place. */
RT_API_ rt_value rt_async_file_create(rt_value path, int32_t mode, int32_t prefault);
/* Closes the file behind the writes that were asked for; reads that have not begun are cancelled. 1: it is closed; 0: no
 * file, closed before (RT_E_CLOSED), or the system says that something was not written. BLOCKS. */
RT_API_ int64_t rt_async_file_close(rt_value file);
/* own. A future of a string of n bytes at offset: shorter at the end of the file. nil: no file. */
RT_API_ rt_value rt_async_file_read(rt_value file, int64_t offset, int64_t n);
/* own; count text, until it is written. A future of how many bytes were written: all. nil: no file, no string. */
RT_API_ rt_value rt_async_file_write(rt_value file, int64_t offset, rt_value text);
/* own. A future of whether n bytes at offset have been brought into memory. nil: no file. */
RT_API_ rt_value rt_async_file_prefault(rt_value file, int64_t offset, int64_t n);
/* own. A future of the number of bytes. nil: no file. */
RT_API_ rt_value rt_async_file_size(rt_value file);
/* own. A future of true, when what was written before is on the disk. nil: no file. */
RT_API_ rt_value rt_async_file_sync(rt_value file);
/* 1: the file is open; 0: it cannot be opened, was closed, or is none. BLOCKS. */
RT_API_ int64_t rt_async_file_wait(rt_value file);
/* Whether it is a file: it is being opened since it was made. */
RT_API_ bool rt_async_file_start_loading(rt_value file);
/* 1: it is open; 0: not yet, or no more, or never. */
RT_API_ int64_t rt_async_file_is_ready(rt_value file);
/* An rt_file_state: RT_FILE_FAILED also of what is closed, or no file. */
RT_API_ int32_t rt_async_file_get_state(rt_value file);

/* The original runtime's names: a file is its rt_value, or 0 for none; the wait answers the number 1 or 0. */
RT_API_ int64_t native_async_file_create(rt_value path, int32_t mode, int32_t prefault);
RT_API_ void native_async_file_start_loading(int64_t file);
RT_API_ int32_t native_async_file_is_ready(int64_t file);
RT_API_ int32_t native_async_file_get_state(int64_t file);
RT_API_ rt_value native_async_file_wait(int64_t file);

/* ---- What follows is how; the contract ends here. ---- */

#define RT_LIKELY_(x) __builtin_expect(!!(x), 1)
#define RT_UNLIKELY_(x) __builtin_expect(!!(x), 0)
#define RT_TYPE_(t) ((uint64_t)(t) << 31)
#define RT_COUNT_MASK_ ((1ULL << 31) - 1)

RT_API_ int32_t rt_start_(uint32_t abi, rt_heap_ *heap);
RT_API_ void rt_refuse_(rt_value v, int32_t error);
RT_API_ bool rt_bury_(rt_value v);
RT_API_ bool rt_grow_push_(rt_value a, rt_value v);
RT_API_ int64_t rt_len_again_(rt_value v, int32_t t);
RT_API_ rt_value rt_element_again_(rt_value v, int32_t t, int64_t i);
RT_API_ uint64_t rt_aux_again_(rt_value v, int32_t t, uint64_t none);
/* The validation layer: n words of a call at a line, before it is made (flags 0), after it (1), and after it has succeeded
 * (3). */
RT_API_ void rt_check_(const char *fn, const uint64_t *words, int32_t n, const char *file, int32_t line, int32_t flags);

/* Each executable or shared library has its own copy: an exported variable would be split by copy relocation. Before
 * rt_init it is a table of one slot that nothing lives in. */
__attribute__((weak, visibility("hidden"))) rt_slot_ rt_no_slot_ = {0, 0, 0, 0, 0, 0};
__attribute__((weak, visibility("hidden"))) rt_heap_ rt_h_ = {&rt_no_slot_, 0, 0, 0};

static inline int32_t rt_init(void) { return rt_start_(RT_ABI_VERSION, &rt_h_); }

static inline rt_slot_ *rt_slot_of_(rt_value v) { return (rt_slot_ *)((char *)rt_h_.base + ((v << 2) & rt_h_.mask)); }
static inline uint64_t *rt_words_(uint32_t blk) { return (uint64_t *)((char *)rt_h_.base - ((uint64_t)blk << 4)); }
static inline uint64_t rt_load_(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint32_t rt_load32_(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

static inline bool rt_live_(const rt_slot_ *s, rt_value v, int t) {
  return ((rt_load_(&s->word) ^ v) >> 31) == 0 && (v & (RT_TYPE_(31) | 7)) == (RT_TYPE_(t) | 1);
}

/* The read that came before is looked at again after this. */
static inline bool rt_still_(const rt_slot_ *s, rt_value v) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return ((__atomic_load_n(&s->word, __ATOMIC_RELAXED) ^ v) >> 31) == 0;
}

#ifndef RT_NO_INLINE

/* Short enough to be part of the caller wherever that is. */
#define RT_HERE_ static inline __attribute__((always_inline))

RT_HERE_ bool rt_is_(uint64_t word, rt_value v, int t) {
  return ((word ^ v) >> 31 | ((v ^ (RT_TYPE_(t) | 1)) & (RT_TYPE_(31) | 7))) == 0;
}

/* Whether the slot's word is what it was before the reads in between. A count that changed makes it another as well. */
RT_HERE_ bool rt_same_(const rt_slot_ *s, uint64_t word) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return __atomic_load_n(&s->word, __ATOMIC_RELAXED) == word;
}

RT_HERE_ int64_t rt_len_(rt_value v, int t) {
  const rt_slot_ *s = rt_slot_of_(v);
  uint64_t word = rt_load_(&s->word);
  if (RT_LIKELY_(rt_is_(word, v, t))) {
    int64_t n = rt_load32_(&s->len);
    if (RT_LIKELY_(rt_same_(s, word))) return n;
  }
  return rt_len_again_(v, t);
}

/* An element that is there, counted from the start; the library does the rest. */
RT_HERE_ rt_value rt_element_(rt_value v, int t, int64_t i) {
  const rt_slot_ *base = rt_h_.base, *s = (const rt_slot_ *)((const char *)base + ((v << 2) & rt_h_.mask));
  uint64_t word = rt_load_(&s->word);
  if (RT_LIKELY_(rt_is_(word, v, t))) {
    int64_t blk = rt_load32_(&s->blk);
    if (RT_LIKELY_((uint64_t)i < rt_load32_(&s->len))) {
      rt_value x = __atomic_load_n((const uint64_t *)base + (i - 2 * blk), __ATOMIC_RELAXED);
      /* Only arrays get another block while they live. */
      if (RT_LIKELY_(rt_same_(s, word) && (t != RT_T_ARRAY || __atomic_load_n(&s->blk, __ATOMIC_RELAXED) == blk))) return x;
    }
  }
  return rt_element_again_(v, t, i);
}

RT_HERE_ uint64_t rt_aux_(rt_value v, int t, uint64_t none) {
  const rt_slot_ *s = rt_slot_of_(v);
  uint64_t word = rt_load_(&s->word);
  if (RT_LIKELY_(rt_is_(word, v, t))) {
    uint64_t x = rt_load_(&s->aux);
    if (RT_LIKELY_(rt_same_(s, word))) return x;
  }
  return rt_aux_again_(v, t, none);
}

RT_FN_ bool rt_retain(rt_value v) {
  if ((v & 7) != 1) {
    if (RT_LIKELY_((0x4fu >> (v & 7)) & 1)) return true;
  } else if (RT_LIKELY_((v & RT_TYPE_(31)) != 0)) {
    rt_slot_ *s = rt_slot_of_(v);
    uint64_t w = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
    while (RT_LIKELY_(((w ^ v) >> 31) == 0)) {
      if (RT_UNLIKELY_((w & RT_COUNT_MASK_) == RT_COUNT_MASK_)) return true;
      if (RT_LIKELY_(__atomic_compare_exchange_n(&s->word, &w, w + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))) return true;
    }
  }
  rt_refuse_(v, RT_E_VALUE);
  return false;
}

RT_FN_ bool rt_release(rt_value v) {
  if ((v & 7) != 1) {
    if (RT_LIKELY_((0x4fu >> (v & 7)) & 1)) return true;
  } else if (RT_LIKELY_((v & RT_TYPE_(31)) != 0)) {
    rt_slot_ *s = rt_slot_of_(v);
    uint64_t w = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
    while (RT_LIKELY_(((w ^ v) >> 31) == 0)) {
      uint64_t n = w & RT_COUNT_MASK_;
      if (RT_UNLIKELY_(n == RT_COUNT_MASK_)) return true;
      uint64_t to = n == 1 ? ((w >> 36) + 1) << 36 : w - 1;
      if (RT_LIKELY_(__atomic_compare_exchange_n(&s->word, &w, to, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)))
        return n == 1 ? rt_bury_(v) : true;
    }
  }
  rt_refuse_(v, 0);
  return false;
}

RT_FN_ int64_t rt_array_len(rt_value a) { return rt_len_(a, RT_T_ARRAY); }
RT_FN_ rt_value rt_array_get(rt_value a, int64_t i) { return rt_element_(a, RT_T_ARRAY, i); }

/* A push into an array that has room, of a value that needs no count; the library does the rest. */
RT_HERE_ bool rt_push_(rt_value a, rt_value v) {
  rt_slot_ *base = rt_h_.base, *s = (rt_slot_ *)((char *)base + ((a << 2) & rt_h_.mask));
  if (RT_LIKELY_(rt_is_(rt_load_(&s->word), a, RT_T_ARRAY) && ((0x4du >> (v & 7)) & 1))) {
    uint32_t l = __atomic_load_n(&s->lock, __ATOMIC_RELAXED);
    if (RT_LIKELY_(!(l & 1) && __atomic_compare_exchange_n(&s->lock, &l, l | 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
      uint32_t n = rt_load32_(&s->len);
      bool room = n < rt_load_(&s->aux) && rt_still_(s, a) && !(rt_load32_(&s->meta) & 1);
      if (RT_LIKELY_(room)) {
        __atomic_store_n((uint64_t *)base + ((int64_t)n - 2 * (int64_t)rt_load32_(&s->blk)), v, __ATOMIC_RELAXED);
        __atomic_store_n(&s->len, n + 1, __ATOMIC_RELEASE);
      }
      __atomic_store_n(&s->lock, l + 2, __ATOMIC_RELEASE);
      if (RT_LIKELY_(room)) return true;
    }
  }
  return rt_grow_push_(a, v);
}
RT_FN_ bool rt_array_push(rt_value a, rt_value v) { return rt_push_(a, v); }

RT_FN_ int64_t rt_tuple_len(rt_value t) { return rt_len_(t, RT_T_TUPLE); }
RT_FN_ rt_value rt_tuple_get(rt_value t, uint64_t i) { return rt_element_(t, RT_T_TUPLE, (int64_t)(i < 1ULL << 31 ? i : 1ULL << 31)); }
RT_FN_ int64_t rt_string_len(rt_value s) { return rt_len_(s, RT_T_STRING); }
RT_FN_ int64_t rt_dict_len(rt_value d) { return rt_len_(d, RT_T_DICT); }
RT_FN_ rt_value rt_object_field_get(rt_value o, uint32_t i) { return rt_element_(o, RT_T_OBJECT, i); }
RT_FN_ int64_t rt_object_field_count(rt_value o) { return rt_len_(o, RT_T_OBJECT); }
RT_FN_ int64_t rt_object_class_id(rt_value o) { return (int64_t)rt_aux_(o, RT_T_OBJECT, ~0ULL); }
RT_FN_ rt_value rt_closure_get_capture(rt_value c, uint32_t i) { return rt_element_(c, RT_T_CLOSURE, i); }
RT_FN_ const void *rt_closure_func_ptr(rt_value c) { return (const void *)rt_aux_(c, RT_T_CLOSURE, 0); }
RT_FN_ rt_value rt_enum_payload(rt_value e) { return rt_aux_(e, RT_T_ENUM, RT_NIL); }
RT_FN_ rt_value rt_unique_get(rt_value u) { return rt_aux_(u, RT_T_UNIQUE, RT_NIL); }

#endif /* RT_NO_INLINE */

#if defined(RT_CHECK)
#include "isthmus_rt_check.h"
#elif defined(RT_SITES)
#define rt_array_new(...) RT_SITE(rt_array_new(__VA_ARGS__))
#define rt_tuple_new(...) RT_SITE(rt_tuple_new(__VA_ARGS__))
#define rt_string_new(...) RT_SITE(rt_string_new(__VA_ARGS__))
#define rt_string_concat(...) RT_SITE(rt_string_concat(__VA_ARGS__))
#define rt_dict_new(...) RT_SITE(rt_dict_new(__VA_ARGS__))
#define rt_object_new(...) RT_SITE(rt_object_new(__VA_ARGS__))
#define rt_closure_new(...) RT_SITE(rt_closure_new(__VA_ARGS__))
#define rt_enum_new(...) RT_SITE(rt_enum_new(__VA_ARGS__))
#define rt_unique_new(...) RT_SITE(rt_unique_new(__VA_ARGS__))
#define rt_float(...) RT_SITE(rt_float(__VA_ARGS__))
#define rt_future_new(...) RT_SITE(rt_future_new(__VA_ARGS__))
#define rt_future_resolve(...) RT_SITE(rt_future_resolve(__VA_ARGS__))
#define rt_channel_new() RT_SITE(rt_channel_new())
#define rt_channel_new_cap(...) RT_SITE(rt_channel_new_cap(__VA_ARGS__))
#endif

#ifdef __cplusplus
}
#endif
#endif /* ISTHMUS_RT_H */
