// The address of every function, taken by a program that is no position-independent code; and the waker of the library, through
// its address, does what a call of it does.
#include "isthmus_bridge.h"

#include <sys/eventfd.h>

typedef void (*any)(void);
static const any all[] = {
    (any)br_abandon, (any)br_call_inline, (any)br_call_inline_more, (any)br_cast, (any)br_deinit, (any)br_describe,
    (any)br_done_next, (any)br_doorbell_fd, (any)br_event_free, (any)br_event_next, (any)br_event_unwake,
    (any)br_event_wake, (any)br_init, (any)br_look, (any)br_mute, (any)br_signals_audit,
    (any)br_slot_free, (any)br_slot_new, (any)br_slot_wake, (any)br_stats, (any)br_status_text, (any)br_submit,
    (any)br_subscribe, (any)br_unsubscribe, (any)br_wait, (any)br_waker_eventfd,
};

int main(void) {
  static void (*const mute)(void *) = br_mute;
  static const br_waker waker = br_waker_eventfd;
  int fd = eventfd(0, EFD_NONBLOCK);
  eventfd_t n = 0;
  waker(fd, (void *)0);
  br_waker_eventfd(fd, (void *)0);
  mute((void *)0);
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] == (any)0) return 2;
  return eventfd_read(fd, &n) == 0 && n == 2 ? 0 : 1;
}
