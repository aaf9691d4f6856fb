//go:build linux || darwin

// The ways into Go. Go may be entered on a thread's own stack alone (golang/go#62130), and not at all in a fork's child.

#include "run.h"

uint32_t rtgo_take_slots(uint32_t *dst, uint32_t n);
void rtgo_give_slots(uint32_t *src, uint32_t n);
uint32_t rtgo_take_blocks(int32_t c, uint32_t *dst, uint32_t n);
void rtgo_give_blocks(int32_t c, uint32_t *src, uint32_t n);
int32_t rtgo_start(rt_heap_ *heap);
int32_t rtgo_freeze(rt_value v);
int64_t rtgo_collect(void);
int64_t rtgo_objects(void);
int64_t rtgo_clear(void);
int64_t rtgo_census(rt_census_line *lines, int64_t n);
uint32_t rtgo_site(char *file, int32_t line);
char *rtgo_site_text(uint32_t site);
void rtgo_wake(uint64_t token, int32_t why);
void rtgo_check(char *fn, uint64_t *words, int32_t n, char *file, int32_t line, int32_t flags);

typedef struct question {
  int32_t c;
  uint32_t *words, n;
  rt_value v;
  rt_heap_ *heap;
  rt_census_line *lines;
  const char *text;
  int64_t r;
} question;

static int64_t answer(void (*fn)(void *), question *q) {
  if (off_now() == RT_E_FORKED) return 0;
  rti_on_thread_stack(fn, q);
  return q->r;
}

#define TO_GO(name, expr) \
  static void name(void *arg) { \
    question *q = arg; \
    expr; \
  }

TO_GO(take_slots, (rti_give_orphans(), q->r = rtgo_take_slots(q->words, q->n)))
TO_GO(give_slots, rtgo_give_slots(q->words, q->n))
TO_GO(take_blocks, (rti_give_orphans(), q->r = rtgo_take_blocks(q->c, q->words, q->n)))
TO_GO(give_blocks, rtgo_give_blocks(q->c, q->words, q->n))
TO_GO(start, q->r = rtgo_start(q->heap))
TO_GO(freeze, q->r = rtgo_freeze(q->v))
TO_GO(collect, q->r = rtgo_collect())
TO_GO(objects, q->r = rtgo_objects())
TO_GO(clear, q->r = rtgo_clear())
TO_GO(census, q->r = rtgo_census(q->lines, q->r))
TO_GO(site, q->r = rtgo_site((char *)(uintptr_t)q->text, q->c))
TO_GO(site_text, q->text = rtgo_site_text(q->n))
TO_GO(wake, rtgo_wake(q->v, q->c))

uint32_t rti_take_slots(uint32_t *dst, uint32_t n) { return (uint32_t)answer(take_slots, &(question){.words = dst, .n = n}); }
void rti_give_slots(uint32_t *src, uint32_t n) { answer(give_slots, &(question){.words = src, .n = n}); }
uint32_t rti_take_blocks(int32_t c, uint32_t *dst, uint32_t n) {
  return (uint32_t)answer(take_blocks, &(question){.c = c, .words = dst, .n = n});
}
void rti_give_blocks(int32_t c, uint32_t *src, uint32_t n) { answer(give_blocks, &(question){.c = c, .words = src, .n = n}); }
int32_t rti_start(rt_heap_ *heap) { return (int32_t)answer(start, &(question){.heap = heap}); }
int32_t rti_freeze(rt_value v) { return (int32_t)answer(freeze, &(question){.v = v}); }
int64_t rti_collect(void) { return answer(collect, &(question){0}); }
int64_t rti_objects(void) { return answer(objects, &(question){0}); }
int64_t rti_clear(void) { return answer(clear, &(question){0}); }
int64_t rti_census(rt_census_line *lines, int64_t n) { return answer(census, &(question){.lines = lines, .r = n}); }
void rti_wake_go(uint64_t token, int32_t why) { answer(wake, &(question){.v = token, .c = why}); }
uint32_t rti_site(const char *file, int32_t line) { return (uint32_t)answer(site, &(question){.text = file, .c = line}); }
const char *rti_site_text(uint32_t n) {
  question q = {.n = n};
  answer(site_text, &q);
  return q.text;
}

typedef struct checked {
  const char *fn, *file;
  const uint64_t *words;
  int32_t n, line, flags;
} checked;

static void check(void *arg) {
  checked *q = arg;
  rtgo_check((char *)(uintptr_t)q->fn, (uint64_t *)(uintptr_t)q->words, q->n, (char *)(uintptr_t)q->file, q->line, q->flags);
}

// A call that is checked keeps the error of the one before it.
void rt_check_(const char *fn, const uint64_t *words, int32_t n, const char *file, int32_t line, int32_t flags) {
  if (off_now() == RT_E_FORKED) return;
  flags |= (me()->depth > 0 ? 4 : 0) | (off_now() != RT_OK ? 8 : 0);
  rti_on_thread_stack(check, &(checked){fn, file, words, n, line, flags});
}
