// Package kv holds key-value stores for clients of PJRT plugins that span several processes: [Memory] for clients of
// one process, and [Server] with [Remote] for the processes of one machine, over a Unix domain socket. Both satisfy
// the interface pjrt.KV. Package mpi/mpikv has one over MPI; one over a network is a type with the same three methods.
//
// Keys and values are bytes, bounded by [MaxKey] and [MaxValue]; a store holds at most what its limits say, and says
// [isthmus.ErrLimit] before it takes more.
package kv
