// Package rtlib is the C half of the language runtime: the functions of isthmus_rt.h, which a program built with
// -buildmode=c-shared exports when it links this package.
//
// What works on values alone is C (rt.c), over the memory that package rtheap owns: no call of it enters Go, but to fetch
// or return some 32 free slots or blocks at a time. isthmus_rt.h holds the short paths inline. Everything that waits, runs
// bodies or opens files is Go.
package rtlib
