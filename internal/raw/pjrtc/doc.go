// Package pjrtc holds the PJRT C API as Go types: its structs, enums, struct sizes, the slots of its function table
// and the tables of its extensions, generated from the pinned headers under headers/ and checked against the C
// compiler. It also calls and walks a table.
//
// It is neutral: package pjrt uses it to drive a plugin, and package pjrtserve to be one. Both see the same memory,
// which belongs to C: every pointer is a plain word, [Ptr], typed by what it points to, so that a client cannot be
// passed for a buffer, and nothing in these structs is ever looked at by Go's garbage collector.
package pjrtc

//go:generate go run ../../gen/pjrtgen -root headers/0.114 -more headers -out .
