/* isthmus_bridge.h: call and cast from a host into Go.
 *
 * A program in Go with handlers, built with -buildmode=c-shared, is a library with these functions. A host calls
 * br_describe() and br_init(), then calls, casts and listens to events, then br_deinit(), and may begin again.
 *
 * GENERATIONS. No pointer to a context crosses. br_init() gives a number, and every call takes it: a number of before, of a
 * bridge that is being closed, or a made-up one is BR_E_CLOSED.
 *
 * A CALL is a slot: br_slot_new(), write the request to slot->request, set token and deadline_ns, br_submit(). From then on
 * the slot is Go's, until the host is told that it is done: by the waker of br_init(), by br_wait(), or by br_done_next().
 * Then status and reply are there, and the host ends it with br_slot_free(). A host that does not want to wait any longer
 * calls br_abandon(): the handler's context is cancelled, and the slot is no longer the host's.
 *
 * LIMITS. Slots and casts under way are bounded in number and in bytes. BR_E_AGAIN says that a bound is reached; nothing
 * waits inside the library.
 *
 * STRUCTS begin with their size and version, which the caller sets: BR_SET(x). A smaller one than this header's first
 * version is BR_E_ARGUMENT; of a larger one what this library does not know must be zero.
 *
 * THREADS. Every function may be called from any thread. ENTERS GO: br_describe, br_init, br_deinit, br_call_inline,
 * br_call_inline_more; all others are C, and none but br_wait blocks. A host may import those with its cheapest call.
 *
 * FORK. The child of a fork has no Go: all functions give BR_E_FORKED at once.
 *
 * C11, C++17. Linux, little-endian, 64 bits. */
#ifndef ISTHMUS_BRIDGE_H
#define ISTHMUS_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BR_ABI_VERSION 1u
#define BR_SET(x) ((x).size = (uint32_t)sizeof(x), (x).version = BR_ABI_VERSION)

typedef enum br_status {
  BR_OK = 0,
  BR_E_AGAIN = 1,          /* a limit of calls or bytes under way is reached; try when one has ended */
  BR_E_CLOSED = 2,         /* not initialised, closed, being closed, or of another generation */
  BR_E_TOO_BIG = 3,        /* the request is longer than the limit */
  BR_E_DECODE = 4,         /* the request is no message of the method's type */
  BR_E_PANIC = 5,          /* the handler panicked */
  BR_E_DEADLINE = 6,       /* the deadline passed */
  BR_E_CANCELLED = 7,      /* the handler gave up because its context ended */
  BR_E_FORKED = 8,         /* this process is the child of a fork */
  BR_E_SCHEMA = 9,         /* host and library do not agree on the types */
  BR_E_VERSION = 10,       /* host and library have other versions of this header, or other byte orders */
  BR_E_BUSY = 11,          /* initialised already, or being closed */
  BR_E_HANDLER = 12,       /* the handler returned an error: the reply is its text */
  BR_E_METHOD = 13,        /* there is no such method, or it is used in another way */
  BR_E_ARGUMENT = 14,      /* a pointer, size or state that is wrong */
  BR_E_MEMORY = 15,        /* no memory */
  BR_E_REPLY_TOO_BIG = 16, /* the reply is longer than the limit, or than the caller's buffer */
  BR_E_NONE = 17           /* nothing is there: no event, no call that is done, no bridge in this library */
} br_status;

/* The text of a status, in English, for any number. */
const char *br_status_text(int32_t status);

/* Called when a slot that has a token is done, or an event came: from a thread of Go's, once for each token, and never
 * after br_deinit has returned. It must not block, and must not call a function of this library that enters Go: br_deinit
 * in it is BR_E_BUSY. GHC's hs_try_putmvar is one. */
typedef void (*br_waker)(int32_t capability, void *token);

/* A waker for hosts that wait for file descriptors: adds 1 to the eventfd whose number is the capability. */
void br_waker_eventfd(int32_t capability, void *token);

typedef struct br_error {
  uint32_t size, version;
  int32_t status;
  uint32_t reserved;
  char text[1024]; /* UTF-8, ends with a NUL */
} br_error;

/* What the library is. The pointers are good for as long as the process lives. */
typedef struct br_desc {
  uint32_t size, version;
  uint32_t abi;
  uint32_t little_endian;   /* 1 */
  uint32_t bridge_version;  /* of the schema */
  uint32_t reserved;
  uint8_t fingerprint[16];
  const char *name;
  const char *schema;       /* its text */
  uint64_t schema_len;
  uint64_t max_request, max_reply, max_in_flight, max_bytes;
} br_desc;

#define BR_BYTE_ORDER 0x01020304u /* as the host's machine stores it */
#define BR_KEEP_SIGNALS 1u        /* br_init does not do what br_signals_audit(1) does */

typedef struct br_init_args {
  uint32_t size, version;
  uint32_t byte_order;     /* BR_BYTE_ORDER */
  uint32_t flags;
  uint8_t fingerprint[16]; /* of the schema that the host was made from */
  const char *schema;      /* that schema: where fingerprints differ, it says whether that matters, and what differs */
  uint64_t schema_len;
  uint64_t max_request, max_reply, max_in_flight, max_bytes; /* 0: the library's. A host can lower them, not raise them */
  br_waker waker;          /* may be NULL */
  const char *host;        /* a name for reports, may be NULL */
} br_init_args;

/* One call. The host may write token, capability, deadline_ns, flags and the bytes of request, before br_submit; all else
 * is read only. */
typedef struct br_slot {
  void *token;           /* for the waker; NULL: it is not called */
  int32_t capability;    /* for the waker */
  uint32_t flags;        /* BR_SLOT_DONE_LIST */
  uint64_t deadline_ns;  /* of CLOCK_MONOTONIC, 0: none. When it passes the call is done, with BR_E_DEADLINE */
  uint8_t *request;
  uint64_t request_len;
  uint8_t *reply;        /* a message; for a status that is not BR_OK, a text in UTF-8 */
  uint64_t reply_len;
  int32_t status;
  uint32_t method;
} br_slot;

#define BR_SLOT_DONE_LIST 1u /* when it is done, br_done_next gives it and br_doorbell_fd becomes readable */

typedef struct br_report {
  uint32_t size, version;
  uint64_t finished;      /* calls that ended while it waited */
  uint64_t closed;        /* calls that were under way still, and got BR_E_CLOSED */
  uint64_t casts_dropped; /* casts whose handler did not get to run */
  uint64_t zombies;       /* handlers that run on */
  uint64_t waited_ns;
  char methods[512];      /* of the zombies: hang x2, slow x1 */
} br_report;

typedef struct br_stats_t {
  uint32_t size, version;
  uint64_t generation;    /* 0: not initialised */
  uint64_t calls, inline_calls, casts, events;    /* accepted, since the library was loaded */
  uint64_t ok, failed;                            /* calls and casts that ended */
  uint64_t panics, decode_errors, deadlines, abandoned, late, refused, closed;
  uint64_t events_dropped;
  uint64_t in_flight, bytes, peak_in_flight, peak_bytes;
  uint64_t running, zombies;                      /* handlers now; those left behind by br_deinit */
  uint64_t slots;                                 /* that exist now, those that the host has not freed too */
  uint64_t max_request, max_reply, max_in_flight, max_bytes;
} br_stats_t;

/* ENTERS GO. What this library is, before or after br_init. BR_E_NONE: its program serves no bridge. */
int32_t br_describe(br_desc *out);

/* ENTERS GO. Starts the bridge and gives its generation. One at a time: BR_E_BUSY. err may be NULL. */
int32_t br_init(const br_init_args *args, br_error *err, uint64_t *generation);

/* ENTERS GO. Refuses new work, waits at most drain_ns for what is under way (0: the library's time), then cancels it, ends
 * all calls with BR_E_CLOSED, and returns. When it has returned the waker is not called any more. report may be NULL. */
int32_t br_deinit(uint64_t generation, uint64_t drain_ns, br_report *report);

/* For a host whose runtime ends while the bridge is open, as a finalizer of that runtime: the waker of that generation is not
 * called any more when this has returned. generation is the number, not a pointer. */
void br_mute(void *generation);

/* A slot with room for a request of that length. */
int32_t br_slot_new(uint64_t generation, uint32_t method, uint64_t request_len, br_slot **out);

/* Hands the slot over. When it fails the slot is still the host's. */
int32_t br_submit(br_slot *slot);

/* Waits until the slot is done or CLOCK_MONOTONIC is at deadline_ns (0: no end): BR_OK or BR_E_DEADLINE. Blocks. */
int32_t br_wait(br_slot *slot, uint64_t deadline_ns);

/* For a host whose runtime waits in a way of its own: looks for a few microseconds, or not at all when that has not helped of late,
 * and lets other threads run. BR_OK: it is done. BR_E_NONE: not yet. */
int32_t br_look(br_slot *slot);

/* For a slot that was submitted without a token: calls the waker with this one when it is done. BR_OK: it will be called (or
 * was), and br_wait is BR_E_BUSY. BR_E_NONE: it is done already, and it will not be called. One token for each slot: BR_E_BUSY.
 * For the thread whose slot it is, or one at a time. */
int32_t br_slot_wake(br_slot *slot, int32_t capability, void *token);

/* Gives the slot up. BR_OK: it was under way, its handler's context is cancelled, and the slot is gone for the host; its
 * waker may be called still, once. BR_E_NONE: it is done, and the host reads and frees it as always. */
int32_t br_abandon(br_slot *slot);

/* Ends a slot that is done, or was never submitted. NULL is nothing. BR_E_ARGUMENT: it is under way; nothing was done. */
int32_t br_slot_free(br_slot *slot);

/* ENTERS GO. Runs the handler of an inline method on this thread. *out_len is the length of the reply, or of the text when
 * the status is one with a text. What does not fit in out is kept: *more is a slot that is done, with the status and all of
 * it, which counts for the limits until the host ends it with br_slot_free; else NULL. With more NULL a text is cut off and a
 * longer reply is lost, BR_E_REPLY_TOO_BIG, though the handler has run. deadline_ns as in a slot. */
int32_t br_call_inline_more(uint64_t generation, uint32_t method, const void *request, size_t n, void *out, size_t cap,
                            size_t *out_len, uint64_t deadline_ns, br_slot **more);

/* br_call_inline_more with more NULL. */
int32_t br_call_inline(uint64_t generation, uint32_t method, const void *request, size_t n, void *out, size_t cap,
                       size_t *out_len, uint64_t deadline_ns);

/* Tells. The message is copied. Casts of one method are handled one by one, in the order in which they came. */
int32_t br_cast(uint64_t generation, uint32_t method, const void *message, size_t n);

/* A message that Go has sent to a subscriber, who frees it. */
typedef struct br_event {
  uint8_t *data;
  uint64_t len;
  uint64_t lost; /* events that this subscription lost before this one */
} br_event;

/* Listens to an event. capacity is how many wait at most; what happens then is the library's choice. */
int32_t br_subscribe(uint64_t generation, uint32_t method, uint32_t capacity, uint64_t *subscription);
int32_t br_unsubscribe(uint64_t generation, uint64_t subscription);

/* The next event, or BR_E_NONE. */
int32_t br_event_next(uint64_t generation, uint64_t subscription, br_event **out);
void br_event_free(br_event *event);

/* Calls the waker with the token when an event is there, once. BR_OK: it will be called (or was). BR_E_NONE: an event is
 * there already, and it will not be called. One token at a time: BR_E_BUSY. When the bridge is closed it is called. */
int32_t br_event_wake(uint64_t generation, uint64_t subscription, int32_t capability, void *token);

/* Takes that back. BR_OK: it will not be called. BR_E_NONE: it was called, or is being called. */
int32_t br_event_unwake(uint64_t generation, uint64_t subscription, void *token);

/* An eventfd that becomes readable when a slot with BR_SLOT_DONE_LIST is done or an event came; -1 before the first br_init.
 * It stays when the bridge is closed. A host that closes it hears no bell any more. Read it before br_done_next. */
int br_doorbell_fd(uint64_t generation);

/* The next slot with BR_SLOT_DONE_LIST that is done; NULL: none. The bell is not rung again while some are there: a host that
 * was woken takes them until it is NULL. */
br_slot *br_done_next(uint64_t generation);

int32_t br_stats(br_stats_t *out);

/* Looks for signal handlers without SA_ONSTACK: the kernel would run them on the small stack of a goroutine. fix not 0: adds
 * it to each. Gives how many lacked it. Call it after a host has installed a handler. */
int32_t br_signals_audit(int32_t fix);

#ifdef __cplusplus
}
#endif
#endif
