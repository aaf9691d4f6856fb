// Package mpiwatch compares what the ranks of an MPI job do, beside MPI: no message of its own is on any communicator.
//
// Each rank is a [Client]: it writes down which messages it has sent and received and which collective operations it has
// entered, equal ones in a row once with their number, and what it waits for. A [Hub], which is in the first rank that
// comes, gets this over a socket a few times a second, pairs what belongs together, and says what does not fit. The k-th
// message from one process to another on a communicator with a tag is the k-th that is received there, since MPI keeps
// the order; so no message has to carry anything.
//
// Ranks that do not take part are unknown, and nothing is said about their messages. The package knows no MPI: ranks,
// communicators and types are numbers and names that its callers give.
package mpiwatch
