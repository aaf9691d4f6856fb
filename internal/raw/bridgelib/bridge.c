//go:build linux && (amd64 || arm64)

// The life of a bridge: generations, init and deinit, and what guards every call. No lock is held over a call of the
// host's code, and no call of a host's ends the process.

#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

LINE br_stats_t bri_stats;
LINE br_stats_t bri_stats_go;
LINE state bri_state = {.doorbell = -1, .lent = -1};

static br_desc served;
static char refusal[900] = "the library's program serves no bridge: var _ = bridge.Serve(b)";
static uint32_t forked;

static void child(void) { store32(&forked, 1); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, child); }

bool bri_forked(void) { return load32(&forked) != 0; }

uint64_t bri_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char *const texts[] = {
    "ok", "a limit of calls or bytes under way is reached", "closed, or of another generation", "the request is too long",
    "the request is no message of the method's type", "the handler panicked", "the deadline passed",
    "cancelled", "this process is the child of a fork", "host and library do not agree on the types",
    "host and library are of other versions", "initialised already, or being closed", "the handler returned an error",
    "no such method", "an argument is wrong", "no memory", "the reply is too long", "nothing is there"};

const char *br_status_text(int32_t status) {
  if (status < 0 || (size_t)status >= sizeof texts / sizeof *texts) return "an unknown status";
  return texts[status];
}

// good_struct looks at a struct of the caller's: at least as large as version 1's, and of what is larger nothing is set.
static int32_t good_struct(const void *p, size_t ours) {
  if (p == NULL || (uintptr_t)p % _Alignof(uint64_t) != 0) return BR_E_ARGUMENT;
  uint32_t size, version;
  memcpy(&size, p, 4);
  memcpy(&version, (const char *)p + 4, 4);
  if (size < ours) return BR_E_ARGUMENT;
  if (version == 0) return BR_E_ARGUMENT;
  if (version != BR_ABI_VERSION) return BR_E_VERSION;
  if (size > ours + 65536) return BR_E_ARGUMENT;
  for (size_t i = ours; i < size; i++)
    if (((const unsigned char *)p)[i] != 0) return BR_E_VERSION;
  return BR_OK;
}

// fill copies what this library has into a struct of the caller's, whose size and version stay.
static void fill(void *to, const void *from, size_t ours) { memcpy((char *)to + 8, (const char *)from + 8, ours - 8); }

static int32_t fail(br_error *err, int32_t status, const char *text) {
  if (good_struct(err, sizeof *err) == BR_OK) {
    err->status = status;
    strncpy(err->text, text, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = 0;
  }
  return status;
}

int32_t bri_serve(const br_desc *desc) {
  served = *desc;
  uint64_t cells = 64;
  while (cells < desc->max_in_flight) cells *= 2;
  ring *r = aligned_alloc(64, sizeof *r + cells * sizeof(cell));
  if (r == NULL) return BR_E_MEMORY;
  memset(r, 0, sizeof *r);
  r->mask = cells - 1;
  for (uint64_t i = 0; i < cells; i++) r->cells[i].seq = i;
  bri_state.ring = r;
  return BR_OK;
}

void bri_refuse(const char *why) { strncpy(refusal, why, sizeof refusal - 1); }

ring *bri_ring(void) { return bri_state.ring; }

int32_t br_describe(br_desc *out) {
  if (bri_forked()) return BR_E_FORKED;
  int32_t rc = good_struct(out, sizeof *out);
  if (rc != BR_OK) return rc;
  if (brgo_ready() == 0) return BR_E_NONE;
  fill(out, &served, sizeof served);
  return BR_OK;
}

static uint64_t lower(uint64_t hosts, uint64_t ours) { return hosts != 0 && hosts < ours ? hosts : ours; }

int32_t br_init(const br_init_args *args, br_error *err, uint64_t *generation) {
  if (bri_forked()) return fail(err, BR_E_FORKED, "this process is the child of a fork: start the bridge in a process of its own, by exec");
  int32_t rc = good_struct(args, sizeof *args);
  if (rc == BR_E_VERSION) return fail(err, rc, "the host's isthmus_bridge.h is newer than the library: build the library again");
  if (rc != BR_OK || generation == NULL) return fail(err, BR_E_ARGUMENT, "br_init needs args with size and version set, and a place for the generation");
  if (args->byte_order != BR_BYTE_ORDER) return fail(err, BR_E_VERSION, "the host has another byte order than the library");
  if ((args->flags & ~BR_KEEP_SIGNALS) != 0) return fail(err, BR_E_VERSION, "args.flags has a flag that this library does not know");
  if (args->schema == NULL && args->schema_len != 0) return fail(err, BR_E_ARGUMENT, "args.schema is NULL and its length is not 0");
  if (args->schema_len > 1 << 20) return fail(err, BR_E_ARGUMENT, "args.schema is longer than 1 MiB");
  if (brgo_ready() == 0) return fail(err, BR_E_NONE, refusal);
  uint64_t was = load64(&bri_state.word);
  if (was % 4 != CLOSED || !swap64(&bri_state.word, was, (was / 4 + 1) * 4 + STARTING))
    return fail(err, BR_E_BUSY, "the bridge is initialised already, or is being closed: one at a time in a process");
  uint64_t gen = was / 4 + 1;
  if (bri_state.doorbell < 0) store_int(&bri_state.doorbell, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (bri_state.lent < 0) store_int(&bri_state.lent, fcntl(bri_state.doorbell, F_DUPFD_CLOEXEC, 0));
  store64(&bri_state.max_request, lower(args->max_request, served.max_request));
  store64(&bri_state.max_reply, lower(args->max_reply, served.max_reply));
  store64(&bri_state.max_in_flight, lower(args->max_in_flight, served.max_in_flight));
  store64(&bri_state.max_bytes, lower(args->max_bytes, served.max_bytes));
  __atomic_store_n(&bri_state.waker, args->waker, __ATOMIC_SEQ_CST);
  if ((args->flags & BR_KEEP_SIGNALS) == 0) br_signals_audit(1);
  br_error text = {.size = sizeof text, .version = BR_ABI_VERSION};
  rc = brgo_open(gen, (br_init_args *)args, &text);
  if (rc != BR_OK) {
    store64(&bri_state.word, gen * 4 + CLOSED);
    return fail(err, rc, text.text);
  }
  store64(&bri_state.word, gen * 4 + OPEN);
  if (__atomic_load_n(&bri_state.done, __ATOMIC_SEQ_CST) != NULL) bri_ring_bell(); // calls of before that nobody has taken
  *generation = gen;
  return BR_OK;
}

// quiet waits until no thread of a host's is between the look at the generation and the end of what it does: that is short.
static void quiet(void) {
  for (int i = 0; (load64(&bri_state.ring->inside) | load64(&bri_state.ring->inside_go)) != 0; i++) {
    if (i < 1000) {
      sched_yield();
    } else {
      struct timespec t = {0, 50000};
      nanosleep(&t, NULL);
    }
  }
}

int32_t br_deinit(uint64_t generation, uint64_t drain_ns, br_report *report) {
  if (bri_forked()) return BR_E_FORKED;
  int32_t rc = report == NULL ? BR_OK : good_struct(report, sizeof *report);
  if (rc != BR_OK) return rc;
  uint64_t was = load64(&bri_state.word);
  if (generation == 0 || generation != was / 4) return BR_E_CLOSED;
  if (bri_telling()) return BR_E_BUSY; // it would wait for the waker that calls it
  if (was % 4 != OPEN || !swap64(&bri_state.word, generation * 4 + OPEN, generation * 4 + CLOSING))
    return was % 4 == CLOSED ? BR_E_CLOSED : BR_E_BUSY;
  quiet(); // nothing is published after this
  br_report r = {0};
  brgo_close(generation, drain_ns, &r);
  bri_events_close();
  quiet();        // nobody abandons after this: all calls are done
  bri_reap_all(); // those that the consumer did not see any more
  __atomic_store_n(&bri_state.waker, (br_waker)NULL, __ATOMIC_SEQ_CST);
  if (report != NULL) fill(report, &r, sizeof r);
  store64(&bri_state.word, generation * 4 + CLOSED);
  return BR_OK;
}

void br_mute(void *generation) {
  uint64_t word = load64(&bri_state.word);
  if (bri_forked() || word == 0 || word / 4 != (uint64_t)(uintptr_t)generation || word % 4 == CLOSED) return;
  __atomic_store_n(&bri_state.waker, (br_waker)NULL, __ATOMIC_SEQ_CST);
  if (!bri_telling()) quiet(); // a waker is called by threads that are inside
}

int32_t br_call_inline_more(uint64_t generation, uint32_t method, const void *request, size_t n, void *out, size_t cap,
                            size_t *out_len, uint64_t deadline_ns, br_slot **more) {
  if (more != NULL) *more = NULL;
  if (bri_forked()) return BR_E_FORKED;
  if ((request == NULL && n != 0) || (out == NULL && cap != 0) || out_len == NULL) return BR_E_ARGUMENT;
  if (!bri_open(generation)) return BR_E_CLOSED;
  if (n > load64(&bri_state.max_request)) return BR_E_TOO_BIG;
  if (cap > (size_t)1 << 40) cap = (size_t)1 << 40;
  return brgo_inline(generation, method, (uint8_t *)request, n, out, cap, out_len, deadline_ns, (slot **)more);
}

int32_t br_call_inline(uint64_t generation, uint32_t method, const void *request, size_t n, void *out, size_t cap, size_t *out_len,
                       uint64_t deadline_ns) {
  return br_call_inline_more(generation, method, request, n, out, cap, out_len, deadline_ns, NULL);
}

int br_doorbell_fd(uint64_t generation) {
  (void)generation;
  return load_int(&bri_state.lent);
}

void bri_ring_bell(void) {
  // When the counter is full nobody has read it for 2^64 bells, and it is readable.
  if (load_int(&bri_state.doorbell) >= 0) (void)!eventfd_write(load_int(&bri_state.doorbell), 1);
}

void br_waker_eventfd(int32_t capability, void *token) {
  (void)token;
  (void)!eventfd_write(capability, 1);
}

int32_t br_stats(br_stats_t *out) {
  int32_t rc = good_struct(out, sizeof *out);
  if (rc != BR_OK) return rc;
  br_stats_t s;
  const uint64_t *from = (const uint64_t *)&bri_stats, *go = (const uint64_t *)&bri_stats_go;
  uint64_t *to = (uint64_t *)&s;
  for (size_t i = 0; i < sizeof s / 8; i++) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED) + __atomic_load_n(go + i, __ATOMIC_RELAXED);
  uint64_t word = load64(&bri_state.word);
  s.generation = word % 4 == OPEN ? word / 4 : 0;
  s.in_flight = load64(&bri_state.in_flight);
  s.bytes = load64(&bri_state.bytes);
  s.max_request = load64(&bri_state.max_request);
  s.max_reply = load64(&bri_state.max_reply);
  s.max_in_flight = load64(&bri_state.max_in_flight);
  s.max_bytes = load64(&bri_state.max_bytes);
  fill(out, &s, sizeof s);
  return BR_OK;
}

int32_t br_signals_audit(int32_t fix) {
  int32_t lacked = 0;
  for (int i = 1; i < NSIG; i++) {
    struct sigaction a;
    if (sigaction(i, NULL, &a) != 0 || (a.sa_flags & SA_ONSTACK) != 0) continue;
    if ((a.sa_flags & SA_SIGINFO) == 0 && (a.sa_handler == SIG_DFL || a.sa_handler == SIG_IGN)) continue;
    a.sa_flags |= SA_ONSTACK;
    lacked++;
    if (fix != 0) sigaction(i, &a, NULL);
  }
  return lacked;
}
