// A host in C that calls through the functions that isthmus bridge gen writes. Exit status 0 means that it passed.
#define _GNU_SOURCE
#include "sample_bridge.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#define CHECK(c, ...)                                         \
  do {                                                        \
    if (!(c)) {                                               \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #c); \
      fprintf(stderr, __VA_ARGS__);                           \
      fputc('\n', stderr);                                    \
      exit(1);                                                \
    }                                                         \
  } while (0)
#define IS(got, want)                                                                                                     \
  do {                                                                                                                    \
    int32_t g_ = (got), w_ = (want);                                                                                      \
    CHECK(g_ == w_, "got %d (%s), want %d (%s): %s", g_, br_status_text(g_), w_, br_status_text(w_), c.error.text); \
  } while (0)
#define SAYS(text_) CHECK(strstr(c.error.text, text_) != NULL, "it says %s", c.error.text)
#define MS 1000000ull

static uint64_t in(uint64_t ns) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
}

static br_text text(const char *s) { return (br_text){(char *)(uintptr_t)s, strlen(s)}; }
static sample_Order order(const char *how, int64_t nanos, uint64_t bytes) { return (sample_Order){text(how), nanos, bytes}; }

static void calls(void) {
  br_client c = {0}, other = {0};
  sample_Ping ping = {0};
  sample_Pong pong;
  sample_Msg msg = {SAMPLE_MSG_PING, {.ping = &ping}}, reply;
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_E_CLOSED); // before it is open
  CHECK(c.error.text[0] != 0, "no text");
  IS(sample_open(&c), BR_OK);
  CHECK(sample_open(&other) == BR_E_BUSY && strstr(other.error.text, "one at a time") != NULL, "%s", other.error.text);
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_OK);
  CHECK(reply.tag == SAMPLE_MSG_PONG && reply.is.pong->count == 1, "tag %d", reply.tag);
  sample_Text t = {text("gr\xc3\xbc\xc3\x9f" "e")};
  msg = (sample_Msg){SAMPLE_MSG_TEXT, {.text = &t}};
  IS(sample_echo_call(&c, &msg, &reply, in(60000 * MS)), BR_OK);
  CHECK(reply.tag == SAMPLE_MSG_TEXT && reply.is.text->text.len == t.text.len && memcmp(reply.is.text->text.data, t.text.data, t.text.len) == 0, "another text");
  // what cannot be sent
  t.text = text("\xff");
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_E_ARGUMENT);
  SAYS("text is not valid UTF-8");
  msg = (sample_Msg){SAMPLE_MSG_PONG, {.pong = NULL}};
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_E_ARGUMENT);
  SAYS("without a value");
  msg.tag = 200;
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_E_ARGUMENT);
  t.text = (br_text){calloc(1, 3 << 20), 3 << 20};
  msg = (sample_Msg){SAMPLE_MSG_TEXT, {.text = &t}};
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_E_TOO_BIG);
  free(t.text.data);
  t.text = (br_text){NULL, 0};
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_OK);
  pong.count = 7;
  msg = (sample_Msg){SAMPLE_MSG_PONG, {.pong = &pong}};
  IS(sample_echo_call(&c, &msg, &reply, 0), BR_OK);
  CHECK(reply.is.pong->count == 7, "after a failure another reply");
  // how handlers end
  sample_Blob blob;
  sample_Order o = order("panic", 0, 0);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_PANIC);
  SAYS("handler boom");
  IS(sample_obey_inline_call(&c, &o, &blob, 0), BR_E_PANIC);
  SAYS("handler boom");
  o = order("error", 0, 0);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_HANDLER);
  SAYS("the handler says no");
  IS(sample_obey_inline_call(&c, &o, &blob, 0), BR_E_HANDLER);
  SAYS("the handler says no");
  o = order("ok", 0, 3 << 20);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_REPLY_TOO_BIG);
  IS(sample_obey_inline_call(&c, &o, &blob, 0), BR_E_REPLY_TOO_BIG);
  for (uint64_t n = 0; n < 2000; n += 97) { // longer than the room for an inline reply, and not
    o = order("ok", 0, n);
    IS(sample_obey_call(&c, &o, &blob, 0), BR_OK);
    CHECK(blob.data.len == n, "%zu bytes", blob.data.len);
    IS(sample_obey_inline_call(&c, &o, &blob, 0), BR_OK);
    CHECK(blob.data.len == n, "%zu bytes", blob.data.len);
  }
  char *how = memset(calloc(1, 5001), 'a', 5000); // a text that is cut off, between characters
  for (int i = 999; i < 5000 - 3; i += 2) memcpy(how + i, "\xc3\xbc", 2);
  o = order(how, 0, 0);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_HANDLER);
  CHECK(strlen(c.error.text) >= 1020 && br_valid_utf8((uint8_t *)c.error.text, strlen(c.error.text)), "%zu bytes", strlen(c.error.text));
  free(how);
  sample_Point p = {40, 2};
  sample_Count count;
  IS(sample_add_call(&c, &p, &count, 0), BR_OK);
  CHECK(count.n == 42, "%zu", (size_t)count.n);
  // deadlines: past, almost never, never, and one that comes
  o = order("ok", 0, 1);
  static const uint64_t never[] = {0, 1ull << 62, 1ull << 63, ~0ull - 1, ~0ull};
  for (size_t i = 0; i < sizeof never / 8; i++) {
    IS(sample_obey_call(&c, &o, &blob, never[i]), BR_OK);
    IS(sample_obey_inline_call(&c, &o, &blob, never[i]), BR_OK);
  }
  for (int i = 0; i < 100; i++) IS(sample_obey_call(&c, &o, &blob, 1), BR_E_DEADLINE);
  o = order("sleep", 40 * MS, 0);
  IS(sample_obey_call(&c, &o, &blob, in(MS)), BR_E_DEADLINE);
  CHECK(c.error.status == BR_E_DEADLINE && c.error.text[0] != 0, "%s", c.error.text);
  o = order("ctx", 0, 0);
  IS(sample_obey_inline_call(&c, &o, &blob, in(MS)), BR_E_DEADLINE);
  IS(br_client_close(&c), BR_OK);
  IS(sample_add_call(&c, &p, &count, 0), BR_E_CLOSED);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_CLOSED);
  IS(sample_tell_cast(&c, &count), BR_E_CLOSED);
  uint64_t sub;
  IS(sample_tick_subscribe(&c, 4, &sub), BR_E_CLOSED);
  IS(br_client_close(&c), BR_E_CLOSED);
  br_client_free(&c);
}

// Casts by the thousand from several threads, where few fit at once, and events.
static uint64_t generation;

static void *tells(void *n) {
  br_client c = {.generation = generation};
  for (uint64_t i = 0; i < *(uint64_t *)n; i++) {
    sample_Count one = {i};
    int32_t rc;
    while ((rc = sample_tell_cast(&c, &one)) == BR_E_AGAIN) sched_yield();
    IS(rc, BR_OK);
  }
  br_client_free(&c);
  return NULL;
}

static void casts(void) {
  br_init_args a = sample_init_args();
  a.max_in_flight = 8;
  br_client c = {0};
  BR_SET(c.error);
  IS(br_init(&a, &c.error, &c.generation), BR_OK);
  generation = c.generation;
  uint64_t each = 4000;
  sample_Ping ping = {0};
  sample_Count before, now;
  IS(sample_handled_call(&c, &ping, &before, 0), BR_OK);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, tells, &each) == 0, "no thread");
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  int32_t rc;
  do {
    rc = sample_handled_call(&c, &ping, &now, 0);
    sched_yield();
  } while (rc == BR_E_AGAIN || (rc == BR_OK && now.n - before.n < 4 * each));
  IS(rc, BR_OK);
  CHECK(now.n - before.n == 4 * each, "%zu casts", (size_t)(now.n - before.n));
  uint64_t sub, lost = 0, heard = 0;
  IS(sample_tick_subscribe(&c, 4, &sub), BR_OK);
  sample_Count n = {20}, event;
  IS(sample_tick_next(&c, sub, &event, NULL), BR_E_NONE);
  while ((rc = sample_emit_call(&c, &n, &now, 0)) == BR_E_AGAIN) sched_yield();
  IS(rc, BR_OK);
  for (uint64_t more; (rc = sample_tick_next(&c, sub, &event, &more)) == BR_OK; heard++) lost += more;
  IS(rc, BR_E_NONE);
  CHECK(heard + lost == 20 && heard > 0 && event.n == 19, "%zu heard, %zu lost", (size_t)heard, (size_t)lost);
  IS(br_unsubscribe(c.generation, sub), BR_OK);
  IS(sample_tick_next(&c, sub, &event, NULL), BR_E_ARGUMENT);
  IS(br_client_close(&c), BR_OK);
}

// Callers of their own whose handlers borrow, each with bytes of its own, until the bridge closes under them.
static int32_t ended;

static void *mirrors(void *k) {
  br_client c = {.generation = generation};
  unsigned seed = (unsigned)(uintptr_t)k;
  for (int32_t round = 0;; round++) {
    uint8_t data[5000];
    size_t n = rand_r(&seed) % sizeof data;
    memset(data, rand_r(&seed), sizeof data);
    sample_Ping ping = {0};
    sample_Circle circle = {1};
    sample_All all, reply;
    memset(&all, 0, sizeof all);
    all.numbers.of = 0x510; // sample.Slow
    all.blob.data = (br_bytes){data, n};
    all.msg = (sample_Msg){SAMPLE_MSG_PING, {.ping = &ping}};
    all.shape = (sample_Shape){SAMPLE_SHAPE_CIRCLE, {.circle = &circle}};
    int32_t rc = sample_mirror_call(&c, &all, &reply, 0);
    if (rc == BR_E_CLOSED || rc == BR_E_CANCELLED) break;
    IS(rc, BR_OK);
    CHECK(reply.blob.data.len == n && memcmp(reply.blob.data.data, data, n) == 0, "round %d: another's bytes", round);
    br_arena_free(&c.arena);
    if (round == 20) __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
  }
  sample_Blob blob;
  sample_Order o = order("ok", 0, 0);
  IS(sample_obey_call(&c, &o, &blob, 0), BR_E_CLOSED);
  br_client_free(&c);
  return NULL;
}

static void *waits(void *unused) { // for a handler that ends with its context
  (void)unused;
  br_client c = {.generation = generation};
  sample_Order o = order("ctx", 0, 0);
  sample_Blob blob;
  int32_t rc = sample_obey_call(&c, &o, &blob, 0);
  CHECK(rc == BR_E_CLOSED || rc == BR_E_CANCELLED, "%s", br_status_text(rc));
  br_client_free(&c);
  return NULL;
}

static void closes(void) {
  br_client c = {0};
  IS(sample_open(&c), BR_OK);
  generation = c.generation;
  pthread_t t[12];
  for (uintptr_t i = 0; i < 12; i++) CHECK(pthread_create(&t[i], NULL, i % 3 == 0 ? waits : mirrors, (void *)(i + 1)) == 0, "no thread");
  while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < 8) sched_yield();
  IS(br_deinit(c.generation, MS, NULL), BR_OK);
  for (int i = 0; i < 12; i++) pthread_join(t[i], NULL);
  br_stats_t s;
  BR_SET(s);
  IS(br_stats(&s), BR_OK);
  CHECK(s.slots == 0 && s.in_flight == 0 && s.bytes == 0, "slots %zu, in flight %zu, bytes %zu", (size_t)s.slots, (size_t)s.in_flight, (size_t)s.bytes);
}

int main(void) {
  calls();
  casts();
  closes();
  return 0;
}
