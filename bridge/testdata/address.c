// The waker of the library, through its address, does what a call of it does.
#include "isthmus_bridge.h"

#include <sys/eventfd.h>

int main(void) {
  static void (*const mute)(void *) = br_mute;
  static const br_waker waker = br_waker_eventfd;
  int fd = eventfd(0, EFD_NONBLOCK);
  eventfd_t n = 0;
  waker(fd, NULL);
  br_waker_eventfd(fd, NULL);
  mute(NULL);
  return eventfd_read(fd, &n) == 0 && n == 2 ? 0 : 1;
}
