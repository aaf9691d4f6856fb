// A host of two libraries, each with a bridge of its own.
#define _GNU_SOURCE
#include "isthmus_bridge.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(c)                                        \
  do {                                                  \
    if (!(c)) {                                         \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
      exit(1);                                          \
    }                                                   \
  } while (0)

typedef struct lib {
  void *handle;
  uint64_t generation;
  __typeof__(br_describe) *describe;
  __typeof__(br_init) *init;
  __typeof__(br_deinit) *deinit;
  __typeof__(br_slot_new) *slot_new;
  __typeof__(br_submit) *submit;
  __typeof__(br_wait) *wait;
  __typeof__(br_slot_free) *slot_free;
  __typeof__(br_call_inline) *call_inline;
  __typeof__(br_stats) *stats;
} lib;

static uint32_t add;

static void load(lib *l, const char *path) {
  CHECK((l->handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL)) != NULL);
#define FIND(f) CHECK((*(void **)&l->f = dlsym(l->handle, "br_" #f)) != NULL)
  FIND(describe);
  FIND(init);
  FIND(deinit);
  FIND(slot_new);
  FIND(submit);
  FIND(wait);
  FIND(slot_free);
  FIND(call_inline);
  FIND(stats);
}

static void init(lib *l, uint64_t in_flight) {
  br_desc d;
  BR_SET(d);
  CHECK(l->describe(&d) == BR_OK);
  br_init_args a;
  memset(&a, 0, sizeof a);
  BR_SET(a);
  a.byte_order = BR_BYTE_ORDER;
  memcpy(a.fingerprint, d.fingerprint, 16);
  a.max_in_flight = in_flight;
  CHECK(l->init(&a, NULL, &l->generation) == BR_OK);
}

static br_stats_t stats(lib *l) {
  br_stats_t s;
  BR_SET(s);
  CHECK(l->stats(&s) == BR_OK);
  return s;
}

static void *caller(void *p) {
  lib *l = p;
  for (int i = 0; i < 2000; i++) {
    double xy[2] = {40, i};
    uint64_t sum;
    size_t n;
    if (i % 2) {
      CHECK(l->call_inline(l->generation, add, xy, 16, &sum, 8, &n, 0) == BR_OK);
    } else {
      br_slot *s;
      CHECK(l->slot_new(l->generation, add, 16, &s) == BR_OK);
      memcpy(s->request, xy, 16);
      CHECK(l->submit(s) == BR_OK && l->wait(s, 0) == BR_OK && s->status == BR_OK);
      memcpy(&sum, s->reply, 8);
      CHECK(l->slot_free(s) == BR_OK);
    }
    CHECK(sum == 40 + (uint64_t)i);
  }
  return NULL;
}

int main(int argc, char **argv) { // the number of add, and two libraries
  CHECK(argc == 4);
  add = (uint32_t)strtoul(argv[1], NULL, 10);
  lib l[2];
  for (int i = 0; i < 2; i++) load(&l[i], argv[2 + i]);
  init(&l[0], 100);
  CHECK(stats(&l[1]).generation == 0); // the other is not initialised
  init(&l[1], 200);
  CHECK(stats(&l[0]).max_in_flight == 100 && stats(&l[1]).max_in_flight == 200);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, caller, &l[i % 2]) == 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 2; i++) CHECK(stats(&l[i]).calls == 2000 && stats(&l[i]).inline_calls == 2000);
  // a slot of one is not the other's
  CHECK(l[1].deinit(l[1].generation, 0, NULL) == BR_OK);
  uint64_t old = l[1].generation;
  init(&l[1], 0);
  CHECK(l[1].generation == old + 1 && l[0].generation == 1);
  CHECK(l[0].deinit(l[0].generation, 0, NULL) == BR_OK);
  caller(&l[1]);
  // dlclose cannot unload a library of Go: all goes on
  for (int i = 0; i < 2; i++) {
    dlclose(l[i].handle);
    CHECK(dlopen(argv[2 + i], RTLD_NOW | RTLD_NOLOAD) != NULL);
  }
  caller(&l[1]);
  CHECK(l[1].deinit(l[1].generation, 0, NULL) == BR_OK);
  init(&l[0], 0);
  caller(&l[0]);
  CHECK(l[0].deinit(l[0].generation, 0, NULL) == BR_OK);
  return 0;
}
