// The C half alone, with workers in C that take from the ring as Go's do, for the thread and address sanitizers, which do not know
// Go's atomics. Hosts submit, wait, abandon, cast and listen while the bridge opens and closes.
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>
static void between(void) { // sometimes longer than a bridge is open
  static unsigned n;
  struct timespec t = {0, 20000000};
  if (__atomic_add_fetch(&n, 1, __ATOMIC_SEQ_CST) % 64 == 0) nanosleep(&t, NULL);
}
#define BETWEEN between

#include "../bridge.c"
#include "../event.c"
#include "../ring.c"

#include <stdio.h>
#include <sys/prctl.h>

static int stopping, consumer_stop, completers_stop;
static uint64_t generation_now, tail_, parked_; // tail_ is of who has the watch
static pthread_t consumers[3], completers[2];
static slot *queue_[4096];
static uint64_t queue_head, queue_tail;
static pthread_mutex_t queue_mu = PTHREAD_MUTEX_INITIALIZER;
static uint64_t closed_; // the last generation whose br_deinit has returned
static uint64_t left_; // calls that nobody has completed

int32_t brgo_ready(void) { return 1; }
int32_t brgo_inline(uint64_t g, uint32_t m, uint8_t *r, size_t n, uint8_t *o, size_t c, size_t *l, uint64_t d, slot **more) {
  (void)more, (void)g, (void)m, (void)r, (void)n, (void)o, (void)c, (void)d;
  *l = 0;
  return BR_OK;
}

static void *complete(void *p) {
  (void)p;
  for (;;) {
    slot *s = NULL;
    pthread_mutex_lock(&queue_mu);
    if (queue_tail < queue_head) s = queue_[queue_tail++ % 4096];
    pthread_mutex_unlock(&queue_mu);
    if (s == NULL) {
      if (load_int(&completers_stop)) return NULL;
      sched_yield();
      continue;
    }
    // Go holds the call's mutex here, and reap takes it: the mark is that.
    uint8_t reply[300] = {7};
    bri_complete(s, BR_OK, reply, s->pub.request_len % 2 ? 300 : 10);
    __atomic_sub_fetch(&left_, 1, __ATOMIC_SEQ_CST);
  }
}

static slot *left_over; // abandoned and taken: freed when all completers are done with what they have

static bool pending(void) {
  ring *r = bri_state.ring;
  uint64_t at = load64(&tail_);
  return load64(&r->cells[at & r->mask].seq) == at + 1 || __atomic_load_n(&r->abandoned, __ATOMIC_SEQ_CST) != NULL;
}

// take takes one thing from the ring, if there is one, and what was abandoned.
static bool take(void) {
  ring *r = bri_state.ring;
  for (slot *s = __atomic_exchange_n(&r->abandoned, (slot *)NULL, __ATOMIC_SEQ_CST); s != NULL;) {
    slot *next = s->next;
    if (swap32(&s->stage, IN_RING, REAPED)) {
    } else if (!s->call) {
      bri_reap(s);
    } else { // a completer may look at it: Go has a mutex
      s->next = left_over;
      left_over = s;
    }
    s = next;
  }
  uint64_t at = load64(&tail_);
  cell *c = &r->cells[at & r->mask];
  if (load64(&c->seq) != at + 1) return false;
  slot *s = c->u.slot;
  if (c->kind == CELL_CAST) {
    bri_cast_done(NULL);
  } else if (s->cast) {
    bri_cast_done(s);
  } else if (load32(&s->state) == ABANDONED) {
    if (!swap32(&s->stage, IN_RING, TAKEN)) bri_reap(s);
  } else {
    s->call = 1;
    if (swap32(&s->stage, IN_RING, TAKEN)) {
      __atomic_add_fetch(&left_, 1, __ATOMIC_SEQ_CST);
      pthread_mutex_lock(&queue_mu);
      queue_[queue_head++ % 4096] = s;
      pthread_mutex_unlock(&queue_mu);
    } else {
      bri_reap(s);
    }
  }
  store64(&c->seq, at + r->mask + 1);
  store64(&tail_, at + 1);
  return true;
}

static bool claim(uint64_t *ticket) {
  ring *r = bri_state.ring;
  *ticket += 2;
  return swap64(&r->watch, WATCH_NONE, *ticket) || swap64(&r->watch, WATCH_RUNG, *ticket);
}

static void *consume(void *p) {
  ring *r = bri_state.ring;
  uint64_t ticket = (uint64_t)(uintptr_t)p << 32;
  bool watching = ticket == load64(&r->watch);
  for (unsigned n = 0;; n++) {
    if (watching && take()) {
      if (n % 3 != 0 || load64(&parked_) == 0) continue;
      store64(&r->watch, WATCH_NONE); // as before a slow handler
      if (pending()) bri_wake();
      watching = false;
    }
    __atomic_add_fetch(&parked_, 1, __ATOMIC_SEQ_CST);
    if (watching) {
      store64(&r->watch, WATCH_NONE);
      watching = pending() && claim(&ticket);
    }
    while (!watching) {
      uint32_t bell = load32(&r->bell);
      if (load_int(&consumer_stop)) break;
      if (load64(&r->watch) == WATCH_RUNG && claim(&ticket)) {
        watching = true;
        break;
      }
      bri_bell_wait(bell);
    }
    __atomic_sub_fetch(&parked_, 1, __ATOMIC_SEQ_CST);
    if (!watching) return NULL;
  }
}

int32_t brgo_open(uint64_t g, br_init_args *a, br_error *e) {
  (void)a, (void)e;
  store_int(&consumer_stop, 0);
  store_int(&completers_stop, 0);
  for (int i = 0; i < 2; i++) pthread_create(&completers[i], NULL, complete, NULL);
  store64(&bri_state.ring->watch, (uint64_t)1 << 32);
  for (uintptr_t i = 0; i < 3; i++) pthread_create(&consumers[i], NULL, consume, (void *)(i + 1));
  store64(&generation_now, g);
  return BR_OK;
}

void brgo_close(uint64_t g, uint64_t d, br_report *rep) {
  (void)g, (void)d, (void)rep;
  while (load64(&tail_) != load64(&bri_state.ring->head) || load64(&left_) != 0 || load64(&parked_) != 3) {
    struct timespec t = {0, 100000};
    nanosleep(&t, NULL); // nobody rings: what was published was rung for
  }
  store_int(&consumer_stop, 1);
  bri_bell_all();
  for (int i = 0; i < 3; i++) pthread_join(consumers[i], NULL);
  while (left_over != NULL) {
    slot *next = left_over->next;
    bri_reap(left_over);
    left_over = next;
  }
  store_int(&completers_stop, 1);
  for (int i = 0; i < 2; i++) pthread_join(completers[i], NULL);
}

static uint64_t done_, woken_, tokens_;
static void waker(int32_t c, void *t) {
  (void)c;
  __atomic_add_fetch((uint64_t *)t, 1, __ATOMIC_SEQ_CST);
}

static void *host(void *p) {
  unsigned n = (unsigned)(uintptr_t)p;
  uint8_t b[500] = {1};
  while (!load_int(&stopping)) {
    uint64_t g = load64(&generation_now), sub;
    br_slot *s;
    br_event *e;
    n = n * 1103515245u + 12345;
    switch (n >> 16 & 7) {
    case 0:
      br_cast(g, 1, b, n >> 20 & 127);
      break;
    case 1:
      if (br_subscribe(g, 5, 3, &sub) != BR_OK) break;
      bri_event_push(g, 5, b, 100, 1);
      if (br_event_next(g, sub, &e) == BR_OK) br_event_free(e);
      br_unsubscribe(g, sub);
      break;
    default:
      if (br_slot_new(g, 2, n >> 18 & 255, &s) != BR_OK) {
        sched_yield();
        break;
      }
      memset(s->request, 3, s->request_len);
      bool later = (n >> 27 & 1) == 0 && (n >> 29 & 1) == 0; // the token comes by br_slot_wake, if it is not done before
      if (!later) s->token = &woken_;
      if (n & 1u << 27) s->flags = BR_SLOT_DONE_LIST;
      if (br_submit(s) != BR_OK) {
        br_slot_free(s);
        break;
      }
      bool asleep = later && br_look(s) == BR_E_NONE && br_slot_wake(s, 0, &woken_) == BR_OK;
      if (asleep || !later) __atomic_add_fetch(&tokens_, 1, __ATOMIC_SEQ_CST);
      if ((n & 1u << 27) == 0 && load64(&closed_) >= g && load32(&((slot *)s)->state) != DONE) {
        fprintf(stderr, "a call of a bridge that is closed is under way\n");
        exit(1);
      }
      if (n & 1u << 27) break; // whoever finds it in the list
      if ((n & 1u << 28) && br_abandon(s) == BR_OK) break;
      while (asleep && br_look(s) == BR_E_NONE) sched_yield();
      if (br_wait(s, 0) != BR_OK) abort();
      if (s->status != BR_OK || s->reply[0] != 7) abort();
      if (br_slot_free(s) != BR_OK) abort();
      __atomic_add_fetch(&done_, 1, __ATOMIC_SEQ_CST);
    }
    while ((s = br_done_next(g)) != NULL) br_slot_free(s);
  }
  return NULL;
}

int main(int argc, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); // whoever kills the test
  alarm(240);
  br_desc d = {.name = "ring", .schema = "", .max_request = 4096, .max_reply = 4096, .max_in_flight = 60, .max_bytes = 1 << 20};
  if (bri_serve(&d) != BR_OK) return 1;
  int rounds = argc > 1 ? atoi(argv[1]) : 50;
  pthread_t t[6];
  br_init_args a = {.size = sizeof a, .version = BR_ABI_VERSION, .byte_order = BR_BYTE_ORDER, .waker = waker};
  uint64_t g;
  for (int i = 0; i < 6; i++) pthread_create(&t[i], NULL, host, (void *)(uintptr_t)(i + 1));
  for (int i = 0; i < rounds; i++) {
    if (br_init(&a, NULL, &g) != BR_OK) abort();
    struct timespec ns = {0, 10000000};
    nanosleep(&ns, NULL);
    if (br_deinit(g, 0, NULL) != BR_OK) abort();
    store64(&closed_, g);
    for (int k = 0; load64(&woken_) != load64(&tokens_); k++) { // submitters may be between br_submit and the count
      nanosleep(&ns, NULL);
      if (k == 6000) {
        fprintf(stderr, "%zu tokens, %zu woken\n", (size_t)tokens_, (size_t)woken_);
        return 1;
      }
    }
  }
  store_int(&stopping, 1);
  for (int i = 0; i < 6; i++) pthread_join(t[i], NULL);
  for (br_slot *s; (s = br_done_next(g)) != NULL;) br_slot_free(s);
  br_stats_t st = {.size = sizeof st, .version = BR_ABI_VERSION};
  br_stats(&st);
  printf("%zu calls, %zu casts, %zu abandoned, %zu late; %zu slots and %zu bytes left\n", (size_t)st.calls, (size_t)st.casts,
         (size_t)st.abandoned, (size_t)st.late, (size_t)st.slots, (size_t)st.bytes);
  return st.slots != 0 || st.bytes != 0 || st.in_flight != 0;
}
