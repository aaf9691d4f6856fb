/* The least that a call of a library can be. */
#include <stdint.h>

uint64_t bare_call(uint64_t x);
__attribute__((noinline)) uint64_t bare_call(uint64_t x) {
  __asm__ volatile("" : "+r"(x));
  return x;
}
