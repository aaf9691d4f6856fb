// Package pjrtserve is a PJRT function table that a Go implementation serves: the other side of package pjrtc. Whatever
// C hands in is checked before it is believed: argument structs by their size, handles by a table that knows kind and
// generation of each, texts and lists by length. What is wrong is an error that names the function; a panic, or a fault
// at an address that C gave, is an error too.
//
// Memory that C sees (texts, lists, tensors) is outside Go's heap and lives as long as the object that it belongs to.
// Handles are numbers that lead to no memory, except those of errors and memories, which by the API begin with a
// pointer.
package pjrtserve
