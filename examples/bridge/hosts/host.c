#include "words_bridge.h"

#include <stdio.h>
#include <time.h>

static uint64_t in_ms(uint64_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ms * 1000000u;
}

/* call sends a message that was written and waits; the caller frees the slot. */
static br_slot *call(uint64_t gen, uint32_t method, br_writer *w, uint64_t deadline) {
  br_slot *s = NULL;
  if (w->why != NULL || br_slot_new(gen, method, w->len, &s) != BR_OK) exit(1);
  if (w->len > 0) memcpy(s->request, w->data, w->len);
  s->deadline_ns = deadline;
  if (br_submit(s) != BR_OK || br_wait(s, 0) != BR_OK) exit(1);
  free(w->data);
  memset(w, 0, sizeof *w);
  return s;
}

int main(void) {
  br_init_args args = words_init_args();
  br_error err;
  BR_SET(err);
  uint64_t gen;
  if (br_init(&args, &err, &gen) != BR_OK) {
    fprintf(stderr, "%s\n", err.text);
    return 1;
  }
  br_writer w = {0};
  br_arena arena = {0};
  words_Text text = {{"the isthmus is the narrow way between the seas", 46}};
  words_write_Text(&w, &text);
  br_cast(gen, WORDS_READ, w.data, w.len);
  w.len = 0;

  words_Total none = {0};
  words_Words top;
  do { /* a cast is not waited for */
    words_write_Total(&w, &none);
    br_slot *s = call(gen, WORDS_TOP, &w, 0);
    br_reader r = br_read(s->reply, s->reply_len, &arena);
    words_read_Words(&r, &top);
    if (br_finish(&r) != NULL) return 1;
    br_slot_free(s);
  } while (top.words.len == 0);
  for (size_t i = 0; i < top.words.len; i++)
    printf("C: %.*s x%u\n", (int)top.words.items[i].word.len, top.words.items[i].word.data, top.words.items[i].count);

  words_Pause pause = {10000};
  words_write_Pause(&w, &pause);
  br_slot *s = call(gen, WORDS_PAUSE, &w, in_ms(20));
  printf("C: a pause of 10 s with a deadline of 20 ms: %s\n", br_status_text(s->status));
  br_slot_free(s);

  words_write_Text(&w, &text);
  s = call(gen, WORDS_FAIL, &w, 0);
  printf("C: %s: %.*s\n", br_status_text(s->status), (int)s->reply_len, s->reply);
  br_slot_free(s);
  br_arena_free(&arena);
  return br_deinit(gen, 0, NULL);
}
