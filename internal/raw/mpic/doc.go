// Package mpic holds MPI as C sees it: the constants, handles and functions of each binary interface, generated from
// pinned headers, and the library itself, found, identified and called at run time.
//
// Three interfaces are in use: Open MPI's, the one that MPICH and its many derivatives share, and that of the MPI
// standard (libmpi_abi). Everything that differs between them is a field of [ABI]; everything that does not is a
// [Func]. Handles are C ints in one of them and pointers in the others: a [Handle] holds either, and arrays of them are
// written through [Library.PutHandles].
package mpic

//go:generate go run ../../gen/mpigen -headers headers -out zmpi.go

// Handle is an MPI object: a communicator, datatype, request and so on. 0 is no object of any interface of ours.
type Handle uintptr

// Addr is a pointer without a type, void*.
type Addr uintptr

// Absent is the value of a number that an interface does not have.
const Absent = -1 << 31
