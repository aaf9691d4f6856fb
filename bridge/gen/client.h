#ifndef ISTHMUS_BRIDGE_CLIENT
#define ISTHMUS_BRIDGE_CLIENT
/* What the calls of one thread need: all zero at first. A further thread has one of its own, with the same generation. */
typedef struct br_client {
  uint64_t generation; /* that br_init gave */
  br_arena arena;      /* has what replies and events point to, until br_arena_free */
  br_writer writer;    /* the message, in memory that the next call uses again */
  br_error error;      /* of the last call that failed */
} br_client;

/* Frees its memory, with what replies and events point to. The bridge stays open. */
static inline void br_client_free(br_client *c) {
  br_arena_free(&c->arena);
  free(c->writer.data);
  memset(&c->writer, 0, sizeof c->writer);
}
static inline int32_t br_client_fail(br_client *c, int32_t status, const void *text, size_t n) { /* text may be NULL */
  if (text == NULL || n == 0) {
    text = br_status_text(status);
    n = strlen((const char *)text);
  }
  if (n >= sizeof c->error.text)
    for (n = sizeof c->error.text - 1; n > 0 && (((const char *)text)[n] & 0xc0) == 0x80;) n--; /* between characters */
  c->error.status = status;
  memcpy(c->error.text, text, n);
  c->error.text[n] = 0;
  return status;
}
static inline int32_t br_client_close(br_client *c) { /* ends the bridge: other threads make no more calls */
  int32_t rc = br_deinit(c->generation, 0, NULL);
  br_client_free(c);
  return rc == BR_OK ? rc : br_client_fail(c, rc, NULL, 0);
}
static inline br_writer *br_client_write(br_client *c) { /* begins a message */
  c->writer.len = 0;
  c->writer.why = NULL;
  c->writer.depth = 0;
  return &c->writer;
}
static inline int32_t br_client_written(br_client *c) {
  return c->writer.why == NULL ? BR_OK : br_client_fail(c, BR_E_ARGUMENT, c->writer.why, strlen(c->writer.why));
}
static inline int32_t br_client_done(br_client *c, br_slot *s, br_slot **out) { /* a slot whose call is done, and failed or not */
  int32_t rc = s->status;
  if (rc == BR_OK) {
    *out = s;
    return rc;
  }
  br_client_fail(c, rc, s->reply, s->reply_len);
  br_slot_free(s);
  return rc;
}
static inline int32_t br_client_call(br_client *c, uint32_t method, uint64_t deadline_ns, br_slot **out) {
  br_slot *s = NULL;
  int32_t rc = br_client_written(c);
  if (rc != BR_OK) return rc;
  rc = br_slot_new(c->generation, method, c->writer.len, &s);
  if (rc != BR_OK) return br_client_fail(c, rc, NULL, 0);
  if (c->writer.len > 0) memcpy(s->request, c->writer.data, c->writer.len);
  s->deadline_ns = deadline_ns;
  rc = br_submit(s);
  if (rc != BR_OK) {
    br_slot_free(s);
    return br_client_fail(c, rc, NULL, 0);
  }
  rc = br_wait(s, deadline_ns);
  if (rc != BR_OK && br_abandon(s) != BR_E_NONE) return br_client_fail(c, rc, NULL, 0);
  return br_client_done(c, s, out);
}
static inline int32_t br_client_inline(br_client *c, uint32_t method, uint64_t deadline_ns, void *room, size_t *len, br_slot **more) {
  int32_t rc = br_client_written(c);
  if (rc != BR_OK) return rc;
  size_t cap = *len;
  *len = 0; /* it stays where the status has no text */
  rc = br_call_inline_more(c->generation, method, c->writer.data, c->writer.len, room, cap, len, deadline_ns, more);
  if (*more != NULL) return br_client_done(c, *more, more);
  return rc == BR_OK ? rc : br_client_fail(c, rc, room, *len);
}
static inline int32_t br_client_read(br_client *c, br_reader *r, br_slot *s) { /* ends a slot whose reply was read */
  const char *why = br_finish(r);
  br_slot_free(s);
  return why == NULL ? BR_OK : br_client_fail(c, BR_E_DECODE, why, strlen(why));
}
static inline int32_t br_client_cast(br_client *c, uint32_t method) {
  int32_t rc = br_client_written(c);
  if (rc == BR_OK && (rc = br_cast(c->generation, method, c->writer.data, c->writer.len)) != BR_OK) br_client_fail(c, rc, NULL, 0);
  return rc;
}
static inline int32_t br_client_subscribe(br_client *c, uint32_t method, uint32_t capacity, uint64_t *subscription) {
  int32_t rc = br_subscribe(c->generation, method, capacity, subscription);
  return rc == BR_OK ? rc : br_client_fail(c, rc, NULL, 0);
}
static inline int32_t br_client_next(br_client *c, uint64_t subscription, br_event **event) {
  int32_t rc = br_event_next(c->generation, subscription, event);
  return rc == BR_OK || rc == BR_E_NONE ? rc : br_client_fail(c, rc, NULL, 0);
}
#endif
