// Counts the words of files: every file is read at once by the library's threads, their texts go through a channel to an
// actor that splits them, and each word goes to one of four actors that count. Prints the ten most frequent.
#include "isthmus_rt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTERS = 4, LONGEST = 64 };

static void fail(const char *what) {
  fprintf(stderr, "words: %s: %s\n", what, rt_error_text(rt_last_error()));
  exit(1);
}

// A counter's handler: its state is a dictionary, a message is a word.
static void count(rt_value state, rt_value word) {
  rt_value n = rt_dict_get(state, word);
  rt_dict_set(state, word, rt_int(rt_is_int(n) ? rt_as_int(n) + 1 : 1));
}

// The splitter's body: it waits for texts, and while it does, no thread does.
static void split(rt_value ctx) {
  rt_value texts = rt_tuple_get(ctx, 0), counters = rt_tuple_get(ctx, 1), text;
  while (rt_channel_recv_ex(texts, -1, &text) == RT_OK) {
    const uint8_t *p = rt_string_data(text), *end = p + rt_string_len(text);
    uint8_t word[LONGEST];
    for (uint64_t n = 0, sum = 0; p <= end; p++) {
      int letter = p < end && isalpha(*p);
      if (n == LONGEST || (n > 0 && !letter)) {
        rt_value w = rt_string_new(word, n);
        rt_actor_send(rt_array_get(counters, (int64_t)(sum % COUNTERS)), w);
        rt_release(w);
        n = sum = 0;
      }
      if (letter) sum += word[n++] = (uint8_t)tolower(*p);
    }
    rt_release(text);
  }
}

typedef struct entry {
  const char *word;
  int64_t n;
} entry;

static int more(const void *a, const void *b) {
  const entry *x = a, *y = b;
  return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->word, y->word);
}

int main(int argc, char **argv) {
  if (rt_init() != RT_OK) fail("start");

  rt_value files = rt_array_new(0), sizes = rt_array_new(0), reads = rt_array_new(0);
  for (int i = 1; i < argc; i++) {
    rt_value path = rt_string_new((const uint8_t *)argv[i], strlen(argv[i]));
    rt_value file = rt_async_file_create(path, RT_FILE_READ, 1), size = rt_async_file_size(file);
    rt_array_push(files, file);
    rt_array_push(sizes, size);
    rt_release(path);
    rt_release(file);
    rt_release(size);
  }
  for (int i = 1; i < argc; i++) {
    rt_value size = rt_future_await(rt_array_get(sizes, i - 1));
    if (!rt_is_int(size)) fail(argv[i]);
    rt_value read = rt_async_file_read(rt_array_get(files, i - 1), 0, rt_as_int(size));
    rt_array_push(reads, read);
    rt_release(read);
  }

  rt_value states = rt_array_new(COUNTERS), counters = rt_array_new(COUNTERS);
  for (int i = 0; i < COUNTERS; i++) {
    rt_value state = rt_dict_new(0), counter = rt_actor_spawn_handler(count, state);
    rt_array_push(states, state);
    rt_array_push(counters, counter);
    rt_release(state);
    rt_release(counter);
  }
  rt_value texts = rt_channel_new(), ctx = rt_tuple_new(2);
  rt_tuple_set(ctx, 0, texts);
  rt_tuple_set(ctx, 1, counters);
  rt_value splitter = rt_actor_spawn(split, ctx);

  rt_value all = rt_future_all(reads);
  for (int i = 1; i < argc; i++) {
    rt_value text = rt_array_get(all, i - 1);
    if (rt_string_len(text) < 0) fail(argv[i]);
    rt_channel_send(texts, text);
  }
  rt_channel_close(texts);
  rt_actor_join(splitter);
  for (int i = 0; i < COUNTERS; i++) {
    rt_actor_stop(rt_array_get(counters, i)); // after what is in its mailbox
    rt_actor_join(rt_array_get(counters, i));
  }

  size_t n = 0, total = 0;
  for (int i = 0; i < COUNTERS; i++) n += (size_t)rt_dict_len(rt_array_get(states, i));
  entry *found = calloc(n + 1, sizeof *found);
  n = 0;
  for (int i = 0; i < COUNTERS; i++) {
    rt_value k, v;
    for (uint64_t cursor = 0; rt_dict_next(rt_array_get(states, i), &cursor, &k, &v); n++) {
      found[n] = (entry){(const char *)rt_string_data(k), rt_as_int(v)};
      total += (size_t)rt_as_int(v);
    }
  }
  qsort(found, n, sizeof *found, more);
  printf("%zu words, %zu different\n", total, n);
  for (size_t i = 0; i < n && i < 10; i++) printf("%7lld %s\n", (long long)found[i].n, found[i].word);
  free(found);

  rt_value mine[] = {files, sizes, reads, states, counters, texts, ctx, splitter, all};
  for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) rt_release(mine[i]);
  int64_t left = rt_shutdown(-1);
  if (left != 0) fprintf(stderr, "words: %lld objects were forgotten\n", (long long)left);
  return left != 0;
}
