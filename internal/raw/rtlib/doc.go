// Package rtlib is the C half of the language runtime: the functions of isthmus_rt.h, which a program built with
// -buildmode=c-shared exports when it links this package.
//
// What works on values alone is C (rt.c, values.c, dict.c), over the memory that package rtheap owns: no call of it enters
// Go, but to fetch or return some 32 free slots or blocks at a time (togo.c). isthmus_rt.h holds the short paths inline.
//
// What waits is C too: a parking lot (wait.c), workers and coroutines (sched.c, switch.S), and on them channels (channel.c,
// over ring.h), futures (future.c) and the runtime's start and end (life.c). run.h says how they fit together. wait.go lets
// goroutines wait in the same lot, without a thread each.
package rtlib
