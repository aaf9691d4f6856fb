/* A program whose main is not Haskell's: it ends the runtime while calls are under way, and goes on until Go has completed
 * them. A waker that were called still would be in a runtime that is not there any more. */
#include "HsFFI.h"
#include "isthmus_bridge.h"

#include <stdio.h>
#include <time.h>

extern void begin(void);

int main(int argc, char **argv) {
  hs_init(&argc, &argv);
  begin();
  hs_exit();
  br_stats_t s;
  BR_SET(s);
  for (int i = 0; i < 60000; i++) {
    if (br_stats(&s) != BR_OK) return 2;
    if (s.running == 0 && s.ok >= 100) {
      printf("%llu calls have ended after the runtime\n", (unsigned long long)s.ok);
      return 0;
    }
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  fprintf(stderr, "%llu handlers run still, %llu calls have ended\n", (unsigned long long)s.running, (unsigned long long)s.ok);
  return 1;
}
