//go:build linux || darwin

// rt_init by name, for hosts that cannot include the header, where it is inline: every other function is exported already.

#define RT_NO_INLINE
#define rt_init rt_init_inline_
#include "isthmus_rt.h"
#undef rt_init

static rt_heap_ none;

__attribute__((visibility("protected"))) int32_t rt_init(void) { return rt_start_(RT_ABI_VERSION, &none); }
