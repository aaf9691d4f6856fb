// Package ffi holds the ownership primitives that every boundary of this module is built from. Its API is safe:
// no call order, race or forgotten value of a caller's can touch freed memory or free twice.
//
//   - [Owned]: one native object, destroyed exactly once, never while in use, never before its children
//   - [Lend], [Loan], [Lease], [Region]: memory that native code uses, many readers or one writer
//   - [Section]: a part of a slice that Go code has checked out, by the same rule
//   - [Scope]: nothing lent in it outlives it
//   - [Event], [Reaper]: something that completes once, any number of waiters
//   - [Callback]: Go code that native code calls, behind a barrier
//   - [Arena]: short-lived memory for native arguments
//   - [Library]: a dynamic library
//
// The safety argument of each, by type, initialisation, lifetime, bounds and thread, is in docs/core-safety.md.
package ffi
