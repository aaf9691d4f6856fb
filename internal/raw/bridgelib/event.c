//go:build linux && (amd64 || arm64)

// Events: a bounded queue for each subscription, in C, so that a host takes from it without entering Go.

#define _GNU_SOURCE
#include "state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIPTIONS 256

typedef struct node {
  br_event pub;
  struct node *next;
  uint64_t charge;
  uint8_t buf[];
} node;

typedef struct subscription {
  uint64_t id; // 0: free
  uint32_t method, capacity, waiting;
  int32_t capability;
  void *token;
  uint64_t lost;
  node *first, **last;
} subscription;

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static subscription all[SUBSCRIPTIONS];
static uint64_t serial;

// Emitters that wait for room say so, and wait for what was read to change.
static uint32_t emitters, reads;

static void read_one(void) {
  if (load32(&emitters) == 0) return;
  __atomic_fetch_add(&reads, 1, __ATOMIC_SEQ_CST);
  bri_futex_wake_all(&reads);
}

// bri_emitter_waits says that from now on reads change; bri_emitter_wait waits until they are not was.
uint32_t bri_emitter_waits(void) {
  store32(&emitters, 1);
  return load32(&reads);
}
void bri_emitter_wait(uint32_t was) {
  while (load32(&reads) == was) bri_futex_wait(&reads, was);
}
void bri_emitter_wake(void) {
  __atomic_fetch_add(&reads, 1, __ATOMIC_SEQ_CST);
  bri_futex_wake_all(&reads);
}

static void drop(node *n) {
  bri_uncharge(n->charge);
  free(n);
}

// find is for holders of mu.
static subscription *find(uint64_t id) {
  subscription *s = &all[id % SUBSCRIPTIONS];
  return id != 0 && s->id == id ? s : NULL;
}

static node *shift(subscription *s) {
  node *n = s->first;
  if (n == NULL) return NULL;
  s->first = n->next;
  if (s->first == NULL) s->last = &s->first;
  s->waiting--;
  return n;
}

// A fork's child must not take the mutex: a thread that is no more may hold it.
static int32_t begin(uint64_t generation) {
  if (bri_forked()) return BR_E_FORKED;
  if (bri_state.ring == NULL) return BR_E_CLOSED;
  enter();
  if (bri_open(generation)) return BR_OK;
  leave();
  return BR_E_CLOSED;
}

int32_t br_subscribe(uint64_t generation, uint32_t method, uint32_t capacity, uint64_t *out) {
  if (out == NULL || capacity == 0) return BR_E_ARGUMENT;
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  rc = BR_E_AGAIN;
  pthread_mutex_lock(&mu);
  for (uint64_t i = 0; i < SUBSCRIPTIONS; i++) {
    subscription *s = &all[i];
    if (s->id != 0) continue;
    memset(s, 0, sizeof *s);
    s->id = ++serial * SUBSCRIPTIONS + i;
    s->method = method;
    s->capacity = capacity;
    s->last = &s->first;
    *out = s->id;
    rc = BR_OK;
    break;
  }
  pthread_mutex_unlock(&mu);
  leave();
  return rc;
}

// finish frees a subscription; its token goes to the waker.
static void finish(subscription *s) {
  for (node *n = shift(s); n != NULL; n = shift(s)) drop(n);
  s->id = 0;
}

int32_t br_unsubscribe(uint64_t generation, uint64_t id) {
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  pthread_mutex_lock(&mu);
  subscription *s = find(id);
  void *token = s != NULL ? s->token : NULL;
  int32_t capability = s != NULL ? s->capability : 0;
  if (s != NULL) finish(s);
  pthread_mutex_unlock(&mu);
  read_one();
  bri_tell(capability, token);
  leave();
  return s != NULL ? BR_OK : BR_E_NONE;
}

int32_t br_event_next(uint64_t generation, uint64_t id, br_event **out) {
  if (out == NULL) return BR_E_ARGUMENT;
  *out = NULL;
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  pthread_mutex_lock(&mu);
  subscription *s = find(id);
  node *n = s != NULL ? shift(s) : NULL;
  if (n != NULL) {
    n->pub.lost = s->lost;
    s->lost = 0;
    *out = &n->pub;
  }
  pthread_mutex_unlock(&mu);
  if (n != NULL) read_one();
  leave();
  return n != NULL ? BR_OK : s == NULL ? BR_E_ARGUMENT : BR_E_NONE;
}

void br_event_free(br_event *event) {
  if (event == NULL) return;
  drop((node *)event);
  read_one();
}

int32_t br_event_wake(uint64_t generation, uint64_t id, int32_t capability, void *token) {
  if (token == NULL) return BR_E_ARGUMENT;
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  pthread_mutex_lock(&mu);
  subscription *s = find(id);
  if (s == NULL) {
    rc = BR_E_ARGUMENT;
  } else if (s->first != NULL) {
    rc = BR_E_NONE;
  } else if (s->token != NULL) {
    rc = BR_E_BUSY;
  } else {
    s->token = token;
    s->capability = capability;
  }
  pthread_mutex_unlock(&mu);
  leave();
  return rc;
}

int32_t br_event_unwake(uint64_t generation, uint64_t id, void *token) {
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  rc = BR_E_NONE;
  pthread_mutex_lock(&mu);
  subscription *s = find(id);
  if (s != NULL && token != NULL && s->token == token) {
    s->token = NULL;
    rc = BR_OK;
  }
  pthread_mutex_unlock(&mu);
  leave();
  return rc;
}

// bri_event_push gives a message to every subscription of the event. oldest not 0: where the queue is full the oldest goes,
// and where there is no memory this one; else nobody gets the message, and it is BR_E_AGAIN. BR_E_NONE: nobody listens.
int32_t bri_event_push(uint64_t generation, uint32_t method, const uint8_t *data, uint64_t n, int32_t oldest) {
  int32_t rc = begin(generation);
  if (rc != BR_OK) return rc;
  struct { int32_t capability; void *token; } told[SUBSCRIPTIONS];
  int tells = 0, listeners = 0;
  pthread_mutex_lock(&mu);
  uint64_t charge = sizeof(node) + n, whole = 0;
  for (subscription *s = all; s < all + SUBSCRIPTIONS && oldest == 0; s++) {
    if (s->id == 0 || s->method != method) continue;
    if (s->waiting >= s->capacity) rc = BR_E_AGAIN;
    whole += charge;
  }
  if (whole > load64(&bri_state.max_bytes)) rc = BR_E_TOO_BIG;
  if (rc == BR_OK && whole > 0 && !bri_charge(whole)) rc = BR_E_AGAIN;
  for (subscription *s = all; s < all + SUBSCRIPTIONS && rc == BR_OK; s++) {
    if (s->id == 0 || s->method != method) continue;
    listeners++;
    while (s->waiting >= s->capacity) {
      drop(shift(s));
      s->lost++;
      count(&bri_stats.events_dropped);
    }
    bool charged = oldest == 0 || bri_charge(charge);
    node *e = charged ? malloc(sizeof *e + n) : NULL;
    if (e == NULL) { // no memory, or over the limit: this one loses it
      if (charged) bri_uncharge(charge);
      s->lost++;
      count(&bri_stats.events_dropped);
      continue;
    }
    *e = (node){.pub = {.data = e->buf, .len = n}, .charge = charge};
    if (n > 0) memcpy(e->buf, data, n);
    *s->last = e;
    s->last = &e->next;
    s->waiting++;
    if (s->token != NULL) {
      told[tells].capability = s->capability;
      told[tells++].token = s->token;
      s->token = NULL;
    }
  }
  pthread_mutex_unlock(&mu);
  if (listeners > 0) {
    count(&bri_stats.events);
    bri_ring_bell();
  }
  for (int i = 0; i < tells; i++) bri_tell(told[i].capability, told[i].token);
  leave();
  return rc != BR_OK ? rc : listeners > 0 ? BR_OK : BR_E_NONE;
}

void bri_events_close(void) {
  struct { int32_t capability; void *token; } told[SUBSCRIPTIONS];
  int tells = 0;
  pthread_mutex_lock(&mu);
  for (subscription *s = all; s < all + SUBSCRIPTIONS; s++) {
    if (s->id == 0) continue;
    if (s->token != NULL) {
      told[tells].capability = s->capability;
      told[tells++].token = s->token;
    }
    finish(s);
  }
  pthread_mutex_unlock(&mu);
  for (int i = 0; i < tells; i++) bri_tell(told[i].capability, told[i].token);
}
