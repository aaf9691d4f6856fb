package never

/*
#include <stdint.h>
static void register_visitor(uintptr_t h) {}
*/
import "C"

import "runtime/cgo"

func register(v any) { C.register_visitor(C.uintptr_t(cgo.NewHandle(v))) } // want handle-leak:warning
