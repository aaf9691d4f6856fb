#ifndef ISTHMUS_BRIDGE_WIRE
#define ISTHMUS_BRIDGE_WIRE
/* The wire in C. A reader never reads outside of its message, and what it allocates is of an arena. After the first error
 * all reads give zeros, and why says what it was. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bridges are for little-endian machines"
#endif

#define BR_MAX_DEPTH 64

typedef struct br_bytes { uint8_t *data; size_t len; } br_bytes; /* any bytes */
typedef struct br_text { char *data; size_t len; } br_text;      /* UTF-8, no NUL at the end */

typedef struct br_block { struct br_block *next; size_t used, room; } br_block;
typedef struct br_arena { br_block *first; } br_arena;

static inline void *br_arena_alloc(br_arena *a, size_t n) { /* zeroed; NULL: no memory */
  if (n > SIZE_MAX / 2) return NULL;
  n = (n + 15) & ~(size_t)15;
  br_block *b = a->first;
  if (b == NULL || b->room - b->used < n) {
    size_t room = n < 4000 ? 4000 : n;
    b = (br_block *)calloc(1, 32 + room);
    if (b == NULL) return NULL;
    b->room = room;
    b->next = a->first;
    a->first = b;
  }
  void *p = (char *)b + 32 + b->used;
  b->used += n;
  return p;
}
static inline void br_arena_free(br_arena *a) {
  for (br_block *b = a->first; b != NULL;) {
    br_block *next = b->next;
    free(b);
    b = next;
  }
  a->first = NULL;
}

typedef struct br_reader {
  const uint8_t *start, *at, *end;
  br_arena *arena;
  const char *why; /* NULL: no error */
  size_t where;    /* of the error */
  int depth;
} br_reader;

static inline br_reader br_read(const void *p, size_t n, br_arena *arena) {
  static const uint8_t none[1] = {0};
  br_reader r;
  memset(&r, 0, sizeof r);
  r.start = r.at = n > 0 ? (const uint8_t *)p : none;
  r.end = r.at + n;
  r.arena = arena;
  return r;
}
static inline void br_bad(br_reader *r, const uint8_t *at, const char *why) {
  if (r->why == NULL) {
    r->why = why;
    r->where = (size_t)(at - r->start);
  }
  r->at = r->end;
}
static inline const char *br_finish(br_reader *r) { /* NULL, or the error */
  if (r->why == NULL && r->at != r->end) br_bad(r, r->at, "bytes follow the message");
  return r->why;
}
static inline void br_take(br_reader *r, void *to, size_t n) {
  if ((size_t)(r->end - r->at) < n) {
    br_bad(r, r->at, "the message ends too early");
    memset(to, 0, n);
    return;
  }
  memcpy(to, r->at, n);
  r->at += n;
}
#define BR_SCALAR(name, type)                                                                   \
  static inline void br_read_##name(br_reader *r, type *v) { br_take(r, v, sizeof *v); }
BR_SCALAR(u8, uint8_t) BR_SCALAR(u16, uint16_t) BR_SCALAR(u32, uint32_t) BR_SCALAR(u64, uint64_t)
BR_SCALAR(i8, int8_t) BR_SCALAR(i16, int16_t) BR_SCALAR(i32, int32_t) BR_SCALAR(i64, int64_t)
BR_SCALAR(f32, float) BR_SCALAR(f64, double)
#undef BR_SCALAR
static inline void br_read_bool(br_reader *r, bool *v) {
  const uint8_t *at = r->at;
  uint8_t b;
  br_read_u8(r, &b);
  if (b > 1) br_bad(r, at, "a flag is neither 0 nor 1");
  *v = b == 1;
}
static inline size_t br_read_count(br_reader *r, size_t size) { /* of elements of at least size bytes */
  const uint8_t *at = r->at;
  uint64_t n;
  br_read_u64(r, &n);
  if (n > (uint64_t)(r->end - r->at) / size) {
    br_bad(r, at, "a count is more than the bytes that are left");
    return 0;
  }
  return (size_t)n;
}
static inline void *br_read_room(br_reader *r, size_t n, size_t size) {
  void *p = n > SIZE_MAX / size ? NULL : br_arena_alloc(r->arena, n * size);
  if (p == NULL) br_bad(r, r->at, "no memory");
  return p;
}
static inline void br_read_bytes(br_reader *r, br_bytes *v) {
  v->len = br_read_count(r, 1);
  v->data = NULL;
  if (v->len == 0) return;
  v->data = (uint8_t *)br_read_room(r, v->len, 1);
  if (v->data == NULL) v->len = 0;
  else br_take(r, v->data, v->len);
}
static inline bool br_valid_utf8(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n;) {
    uint8_t c = p[i];
    size_t more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 4;
    if (more == 4 || n - i <= more) return false;
    for (size_t k = 1; k <= more; k++)
      if ((p[i + k] & 0xc0) != 0x80) return false;
    if ((c == 0xe0 && p[i + 1] < 0xa0) || (c == 0xed && p[i + 1] > 0x9f) || (c == 0xf0 && p[i + 1] < 0x90) || (c == 0xf4 && p[i + 1] > 0x8f))
      return false;
    i += more + 1;
  }
  return true;
}
static inline void br_read_utf8(br_reader *r, br_text *v) {
  const uint8_t *at = r->at;
  br_bytes b;
  br_read_bytes(r, &b);
  if (!br_valid_utf8(b.data, b.len)) {
    br_bad(r, at, "text is not valid UTF-8");
    b.data = NULL;
    b.len = 0;
  }
  v->data = (char *)b.data;
  v->len = b.len;
}
static inline bool br_enter(br_reader *r) {
  if (r->why != NULL) return false;
  if (r->depth == BR_MAX_DEPTH) {
    br_bad(r, r->at, "nested too deep");
    return false;
  }
  r->depth++;
  return true;
}
static inline void br_leave(br_reader *r) { r->depth--; }
static inline const uint8_t *br_part(br_reader *r) { /* confines r to what has a length */
  size_t n = br_read_count(r, 1);
  const uint8_t *outer = r->end;
  r->end = r->at + n;
  return outer;
}
static inline void br_part_end(br_reader *r, const uint8_t *outer, bool rest) {
  if (r->at != r->end && !rest) br_bad(r, r->at, "bytes follow what has a length");
  r->at = r->end;
  if (r->why == NULL) r->end = outer;
}

typedef struct br_writer {
  uint8_t *data; /* the caller frees it */
  size_t len, room;
  const char *why;
  int depth;
} br_writer;

static inline void br_fail(br_writer *w, const char *why) {
  if (w->why == NULL) w->why = why;
}
static inline void br_give(br_writer *w, const void *p, size_t n) {
  if (w->why != NULL || n == 0) return;
  if (w->room - w->len < n) {
    size_t room = w->room * 2 > w->len + n ? w->room * 2 : w->len + n + 64;
    uint8_t *q = room < n ? NULL : (uint8_t *)realloc(w->data, room);
    if (q == NULL) {
      br_fail(w, "no memory");
      return;
    }
    w->data = q;
    w->room = room;
  }
  memcpy(w->data + w->len, p, n);
  w->len += n;
}
#define BR_SCALAR(name, type) \
  static inline void br_write_##name(br_writer *w, const type *v) { br_give(w, v, sizeof *v); }
BR_SCALAR(u8, uint8_t) BR_SCALAR(u16, uint16_t) BR_SCALAR(u32, uint32_t) BR_SCALAR(u64, uint64_t)
BR_SCALAR(i8, int8_t) BR_SCALAR(i16, int16_t) BR_SCALAR(i32, int32_t) BR_SCALAR(i64, int64_t)
BR_SCALAR(f32, float) BR_SCALAR(f64, double)
#undef BR_SCALAR
static inline void br_write_bool(br_writer *w, const bool *v) {
  uint8_t b = *v ? 1 : 0;
  br_write_u8(w, &b);
}
static inline void br_write_count(br_writer *w, size_t n) {
  uint64_t v = n;
  br_write_u64(w, &v);
}
static inline void br_write_bytes(br_writer *w, const br_bytes *v) {
  br_write_count(w, v->len);
  br_give(w, v->data, v->len);
}
static inline void br_write_utf8(br_writer *w, const br_text *v) {
  if (!br_valid_utf8((const uint8_t *)v->data, v->len)) br_fail(w, "text is not valid UTF-8");
  br_write_count(w, v->len);
  br_give(w, v->data, v->len);
}
static inline bool br_down(br_writer *w) {
  if (w->why != NULL) return false;
  if (w->depth == BR_MAX_DEPTH) {
    br_fail(w, "nested too deep");
    return false;
  }
  w->depth++;
  return true;
}
static inline void br_up(br_writer *w) { w->depth--; }
static inline size_t br_open_part(br_writer *w) {
  size_t at = w->len;
  br_write_count(w, 0);
  return at;
}
static inline void br_close_part(br_writer *w, size_t at) {
  uint64_t n = w->len - at - 8;
  if (w->why == NULL) memcpy(w->data + at, &n, 8);
}
#endif
