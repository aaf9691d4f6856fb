// Package pjrtlib makes a program built with -buildmode=c-shared a PJRT plugin: it exports GetPjrtApi, and one C
// function for each slot of the table, all of which lead to the one Go function that [Serve] sets.
//
// The C side is small on purpose: a stub passes its slot's number and its argument struct on. What runs in Go runs
// behind the barrier of package pjrtserve. A process that was forked after the library was loaded has no Go threads,
// so there every function answers, in C, with an error that says so.
package pjrtlib
