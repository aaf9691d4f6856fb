// Waiting and running: what futures, channels, actors, generators and files are made of. (A file sched.h here would be taken
// for the system's.)
//
// STRANDS. What runs is a strand: a thread of the host, or a coroutine on one of the library's workers. A call that waits
// suspends its strand: a thread sleeps, a coroutine leaves its worker to others. So code that waits is the same on both.
//
// STACKS. A coroutine has a stack of its own, and may wake on another thread than it fell asleep on. So
//   - a file that calls anything that may wait defines RTI_MAY_SWITCH before heap.h: me() is a real call there;
//   - nobody keeps a `thread *` across such a call;
//   - Go is entered through rti_on_thread_stack alone: it takes a thread for one stack.
//
// WAITING. A strand waits in the parking lot under a key of 64 bits: a handle, or an address. State lives elsewhere: in
// slots and blocks. A waker changes the state first and then unparks the key; who parks looks at the state once more,
// under the lock of the key's bucket, so no wake is lost.
#ifndef ISTHMUS_RT_RUN_H
#define ISTHMUS_RT_RUN_H

#include "heap.h"

// ---- Time ----
// rti_now is CLOCK_MONOTONIC in nanoseconds. rti_deadline is that of a timeout: negative is for ever, and stays negative.
RTI_HIDDEN int64_t rti_now(void);
static inline int64_t rti_deadline(int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  int64_t now = rti_now();
  return timeout_ns > INT64_MAX - now ? -1 : now + timeout_ns;
}

// ---- The parking lot ----
// rti_park waits under a key until it is unparked, or the deadline (0: now; negative: never) has come, or the runtime
// stops. still is asked under the lock of the bucket whether there is anything to wait for; it must be short and must
// not park, unpark, or free objects. RT_OK: it was unparked, or still said no: look at the state again. RT_E_TIMEOUT,
// RT_E_STOPPED, RT_E_FORKED: it gave up.
// Of one unpark(key, 1) exactly one waiter that has not given up returns RT_OK.
RTI_HIDDEN int32_t rti_park(uint64_t key, bool (*still)(void *arg, size_t i), void *arg, int64_t deadline);

// rti_park_any waits under n keys at once; still is asked for each.
RTI_HIDDEN int32_t rti_park_any(const uint64_t *keys, size_t n, bool (*still)(void *arg, size_t i), void *arg, int64_t deadline);

// rti_unpark wakes n waiters under the key, the longest first (n < 0: all), and answers how many. If left is not NULL it
// is called under the lock of the bucket when nobody waits under the key any more: it takes back the mark that someone
// waits.
RTI_HIDDEN int64_t rti_unpark(uint64_t key, int64_t n, void (*left)(void *arg), void *arg);

// Waiters of Go: rti_go_park leaves one in the lot, whose wake is rtgo_wake(token, why); NULL when still said no, or the
// runtime does not run, and then *status says which. rti_go_unpark takes it out and frees it, and answers what happened to
// it: RT_E_TIMEOUT when it had not been woken.
typedef struct rti_waiter rti_waiter;
RTI_HIDDEN rti_waiter *rti_go_park(uint64_t key, bool (*still)(void *arg, size_t i), void *arg, uint64_t token, int32_t *status);
RTI_HIDDEN int32_t rti_go_unpark(rti_waiter *w);

// ---- Work ----
// rti_go runs fn(arg) soon, on a worker, on a coroutine: it may wait. false: no memory, or not running; nothing was
// queued. When the runtime stops, what is queued is still called, with rti_stopping() true: fn then only lets go what
// arg holds.
RTI_HIDDEN bool rti_go(void (*fn)(uint64_t arg), uint64_t arg);

// rti_yield lets other work of this worker run; a thread gives its processor away.
RTI_HIDDEN void rti_yield(void);

// rti_stopping is not 0 when the runtime stops or is not running: the error to answer.
static inline int32_t rti_stopping(void) { return __atomic_load_n(&rti_off, __ATOMIC_ACQUIRE); }

// ---- Bodies: the host's functions ----
// A frame is a body that is under way on this strand. The frame lives on the stack of who calls the body.
typedef struct rti_frame {
  struct rti_frame *up;
  rt_value object; // what it is the body of
  locals saved;
} rti_frame;

// rti_enter before a body, rti_leave after it: the body has scopes and an error of its own, rt_shutdown waits for it,
// and rti_within finds it. Scopes that it left open are closed.
RTI_HIDDEN void rti_enter(rti_frame *f, rt_value object);
RTI_HIDDEN void rti_leave(rti_frame *f);
// rti_within says whether this strand is inside the body of object; rti_body is the innermost, nil outside of all.
RTI_HIDDEN bool rti_within(rt_value object);
RTI_HIDDEN rt_value rti_body(void);
// rti_deep says whether the stack has no room for another body: then it is started elsewhere.
RTI_HIDDEN bool rti_deep(void);
// rti_strand_id is this strand's number: not 0, below 2^20, another's once this strand has ended.
RTI_HIDDEN uint32_t rti_strand_id(void);

// Who waits for whom: rti_waits_for says that this strand is about to wait for an object that strand `runs` runs (0: the
// object is a future, which knows, or nobody does). False: that strand waits, through others or not, for this one: RT_E_SELF.
// rti_waits_no_more ends it.
RTI_HIDDEN bool rti_waits_for(rt_value object, uint32_t runs);
RTI_HIDDEN void rti_waits_no_more(void);

// ---- Coroutines inside a strand: generators ----
// A nested coroutine runs on the strand that resumes it, until it yields or ends; a wait inside suspends that strand.
// rti_co_resume: true when it yielded, false when fn has returned (then only rti_co_free is left to do). The caller sees
// to it that nobody resumes twice at once. rti_co_yield is called inside. rti_co_free gives its stack back, at any time
// that it is not running: what the stack's frames hold is the caller's affair. NULL: no memory.
typedef struct rti_strand rti_strand;
typedef rti_strand rti_co;
RTI_HIDDEN rti_co *rti_co_new(void (*fn)(uint64_t arg), uint64_t arg);
RTI_HIDDEN bool rti_co_resume(rti_co *co);
RTI_HIDDEN void rti_co_yield(void);
RTI_HIDDEN void rti_co_free(rti_co *co);

// ---- Actors and generators whose bodies are Go's ----
// rti_host_turn has a goroutine do the turns of an actor that was roused: false when that cannot be.
RTI_HIDDEN bool rti_host_turn(rt_value actor);
RTI_HIDDEN rt_value rti_actor_hosted(rt_value host, int64_t capacity);
// What Go is told beside an rt_error: the rest is its to do.
enum { RTI_TURN = 1000, RTI_STEP };
// rti_generator_begin begins a step of gen, if its body is the given one: RTI_STEP, and the context, lent. RT_OK: it is
// another. rti_generator_stepped ends it.
RTI_HIDDEN int32_t rti_generator_begin(rt_value gen, rt_value (*body)(rt_value), rt_value *ctx);
RTI_HIDDEN void rti_generator_stepped(rt_value gen, bool yielded);

// ---- Going to Go ----
// rti_on_thread_stack calls fn(arg) on the stack of the thread that the strand is on. fn must not wait.
RTI_HIDDEN void rti_on_thread_stack(void (*fn)(void *arg), void *arg);

// ---- What results are ----
// rti_hold counts v, if it is alive and of the type; otherwise rt_last_error says why not.
static inline bool rti_hold(rt_value v, int type) {
  if (rt_live_(rt_slot_of_(v), v, type) && rt_retain(v)) return true;
  rt_refuse_(v, 0);
  return false;
}

// ---- Objects that are more than words ----
// The end of an object: lets what it held go (let_go(next, value)), and answers how many bytes its block has for
// give_block (0 when it gave the block back itself, or keeps it).
RTI_HIDDEN uint64_t rti_generator_end(uint32_t *next, rt_slot_ *s);
RTI_HIDDEN uint64_t rti_actor_end(uint32_t *next, rt_slot_ *s);
RTI_HIDDEN uint64_t rti_future_end(uint32_t *next, rt_slot_ *s);
RTI_HIDDEN uint64_t rti_channel_end(uint32_t *next, rt_slot_ *s);
RTI_HIDDEN void rti_file_end(uint64_t id);
RTI_HIDDEN void rti_host_end(uint64_t id);
RTI_HIDDEN void rti_files_stop(void); // waits for what is under way

// ---- Futures, for files and actors ----
// rti_future_promise is rt_future_new(NULL, nil) with a count for whoever completes it. rti_future_done completes it:
// v moves into it, and the count is let go. error: RT_OK, or the reason of a failure, and then v is its value.
RTI_HIDDEN rt_value rti_future_promise(void);
RTI_HIDDEN uint32_t rti_future_runner(rt_value f); // the strand that runs its body, 0: nobody
// rti_future_waiting is that promise before any scope has it: give it away with rti_own.
RTI_HIDDEN rt_value rti_future_waiting(void);
RTI_HIDDEN void rti_future_done(rt_value f, rt_value v, int32_t error);

// ---- The lot's and the scheduler's own ----
RTI_HIDDEN void rti_lot_stop(void);                       // wakes all that waits
RTI_HIDDEN int64_t rti_lot_inside(void);                  // how many wait
RTI_HIDDEN bool rti_sched_stop(int64_t deadline);         // ends the workers; false: bodies are under way past the deadline
RTI_HIDDEN void rti_ready(rti_strand *list);              // coroutines that are to go on, linked
RTI_HIDDEN void rti_strand_gone(thread *t);               // the thread ends
RTI_HIDDEN void rti_timer_fired(rti_waiter *w, rti_strand **ready);
#endif
