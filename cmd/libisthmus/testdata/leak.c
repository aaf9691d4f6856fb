// Forgets three arrays, made in line 7, and a string of an unknown place.
#include "isthmus_rt.h"

int main(void) {
  if (rt_init() != RT_OK) return 1;
  for (int i = 0; i < 3; i++)
    RT_SITE(rt_array_new(4));
  rt_string_new((const uint8_t *)"lost", 4);
  return rt_shutdown(-1) != 4;
}
