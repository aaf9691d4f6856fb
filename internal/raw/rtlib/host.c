//go:build linux || darwin

// Actors and generators whose bodies are Go. Go may be entered on a thread's own stack alone, and a function of Go's may take
// its time: so a goroutine does the turns of an actor, and takes the messages itself; and who asks a generator for a value in
// C asks Go for a step, which a goroutine does, and waits for it in a future, as for anything else. Who asks in Go does the
// step there. What names the Go function is an object of type host: when it ends, Go lets the function go.

#define RTI_MAY_SWITCH
#include "run.h"

void rtgo_host_step(uint64_t id, rt_value arg, rt_value promise);
void rtgo_host_end(uint64_t id);
int32_t rtgo_host_turn(rt_value actor);

typedef struct question {
  uint64_t id;
  rt_value arg, promise;
  int32_t ok;
} question;

static void step(void *arg) {
  question *q = arg;
  rtgo_host_step(q->id, q->arg, q->promise);
}

static void end(void *arg) { rtgo_host_end(((question *)arg)->id); }

void rti_host_end(uint64_t id) {
  if (off_now() != RT_E_FORKED) rti_on_thread_stack(end, &(question){.id = id});
}

static void turn(void *arg) {
  question *q = arg;
  q->ok = rtgo_host_turn(q->arg);
}

bool rti_host_turn(rt_value actor) {
  if (rti_stopping() != RT_OK) return false;
  question q = {.arg = actor};
  rti_on_thread_stack(turn, &q);
  return q.ok != 0;
}

// asked has the Go function of host do a step: RT_OK and its result (own), or why not.
static int32_t asked(rt_value host, rt_value arg, rt_value *v) {
  *v = RT_NIL;
  rt_slot_ *s = rt_slot_of_(host);
  if (!rt_live_(s, host, RT_T_HOST)) return RT_E_HANDLE;
  question q = {.id = get(&s->aux), .arg = arg, .promise = rti_future_waiting()};
  if (q.promise == RT_NIL) return me()->error;
  rti_on_thread_stack(step, &q);
  int32_t error = rt_future_await_ex(q.promise, -1, v);
  rt_release(q.promise);
  return error;
}

static rt_value body(rt_value gen) {
  rt_value v;
  int32_t error = asked(rt_generator_get_ctx(gen), gen, &v);
  if (error == RT_OK) return rt_generator_yield(gen, v);
  rt_generator_mark_done(gen);
  me()->error = error == RT_E_EMPTY ? RT_OK : error;
  return RT_NIL;
}

// rti_generator_go is rt_generator_next for Go: it tells a nil that is a value. RTI_STEP: the body is Go's; *id is its number,
// and the step has begun, which rti_generator_stepped ends.
int32_t rti_generator_go(rt_value gen, rt_value *v, uint64_t *id) {
  *v = RT_NIL;
  rt_value host;
  int32_t begun = rti_generator_begin(gen, body, &host);
  if (begun == RTI_STEP) {
    rt_slot_ *s = rt_slot_of_(host);
    *id = rt_live_(s, host, RT_T_HOST) ? get(&s->aux) : 0;
  }
  if (begun != RT_OK) return begun;
  me()->error = RT_OK;
  *v = rt_generator_next(gen);
  int32_t error = *v == RT_NIL ? me()->error : RT_OK;
  if (*v == RT_NIL && error == RT_OK && rt_generator_is_done(gen)) error = RT_E_EMPTY;
  return error;
}

static rt_value with_host(uint64_t id) { return made(RT_T_HOST, 0, 0, 0, id); }

rt_value rti_host_actor(uint64_t id, int64_t capacity) {
  rt_value host = with_host(id);
  if (host == RT_NIL) return RT_NIL;
  rt_value a = rti_actor_hosted(host, capacity);
  int32_t error = me()->error;
  rt_release(host);
  me()->error = error;
  return a;
}

rt_value rti_host_generator(uint64_t id) {
  rt_value host = with_host(id);
  if (host == RT_NIL) return RT_NIL;
  rt_value g = rt_generator_new(body, 0, host);
  int32_t error = me()->error;
  rt_release(host);
  me()->error = error;
  return g;
}
