// What a program that takes all there is is told: run with little address space. It takes memory, then handles, to the end,
// is refused, gives some back and goes on. Exits with 0 when each refusal was RT_E_MEMORY and nothing is left.
#include "isthmus_rt.h"

#include <stdio.h>
#include <stdlib.h>

static int refusals;

static int fill(rt_value keep, rt_value (*one)(void)) {
  for (int round = 0; round < 3; round++) {
    int64_t n = 0;
    for (;; n++) {
      rt_value v = one();
      bool ok = v != RT_NIL && rt_array_push(keep, v);
      if (v != RT_NIL) rt_release(v);
      if (ok) continue;
      if (rt_last_error() != RT_E_MEMORY) {
        printf("refused for another reason: %s\n", rt_error_text(rt_last_error()));
        return 1;
      }
      break;
    }
    refusals++;
    if (n == 0) return 2;
    rt_value d = rt_dict_new(0); // other calls are refused, or not, and nothing breaks
    for (int i = 0; i < 1000; i++) rt_dict_set(d, rt_int(i), rt_int(i));
    if (d != RT_NIL) rt_release(d);
    rt_scope_push();
    for (int i = 0; i < 1000; i++) rt_enum_new(1, 1, rt_tuple_new(3));
    rt_scope_pop(RT_NIL);
    rt_value all = rt_future_all(keep);
    if (all != RT_NIL) rt_release(all);
    for (; n > 0 && rt_array_len(keep) > 0; n--) rt_release(rt_array_pop(keep));
    if (!rt_array_clear(keep)) return 3;
  }
  return 0;
}

static rt_value large(void) { return rt_tuple_new(1 << 17); }
static rt_value small(void) { return rt_unique_new(rt_int(1)); }

int main(void) {
  int32_t error = rt_init();
  if (error != RT_OK) {
    printf("no start: %s\n", rt_error_text(error));
    return error == RT_E_MEMORY ? 0 : 4;
  }
  rt_value keep = rt_array_new(0);
  int bad = fill(keep, large);
  if (bad == 0) bad = fill(keep, small);
  rt_release(keep);
  rt_collect();
  int64_t left = rt_shutdown(-1);
  printf("%d refusals, %lld objects left\n", refusals, (long long)left);
  return bad != 0 ? 10 + bad : left != 0;
}
