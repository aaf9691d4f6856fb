#include "words_bridge.h"

#include <stdio.h>
#include <time.h>

static uint64_t in_ms(uint64_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ms * 1000000u;
}

int main(void) {
  br_client c = {0};
  if (words_open(&c) != BR_OK) {
    fprintf(stderr, "%s\n", c.error.text);
    return 1;
  }
  words_Text text = {{"the isthmus is the narrow way between the seas", 46}};
  if (words_read_cast(&c, &text) != BR_OK) return 1;
  words_Total none = {0}, count;
  words_Words top;
  do { /* a cast is not waited for */
    if (words_top_call(&c, &none, &top, 0) != BR_OK) return 1;
  } while (top.words.len == 0);
  for (size_t i = 0; i < top.words.len; i++)
    printf("C: %.*s x%u\n", (int)top.words.items[i].word.len, top.words.items[i].word.data, top.words.items[i].count);

  words_Pause pause = {10000};
  int32_t rc = words_pause_call(&c, &pause, &count, in_ms(20));
  printf("C: a pause of 10 s with a deadline of 20 ms: %s\n", br_status_text(rc));
  rc = words_fail_call(&c, &text, &count, 0);
  printf("C: %s: %s\n", br_status_text(rc), c.error.text);
  return br_client_close(&c);
}
