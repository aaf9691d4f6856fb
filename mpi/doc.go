// Package mpi passes messages between processes, on every MPI library from one binary, and never loses a buffer.
//
//	w, err := mpi.Open(ctx, mpi.Options{})
//	defer w.Close(ctx)
//	c := w.Comm()
//	err = mpi.Send(ctx, c, []float64{1, 2, 3}, 1, 0)
//	st, err := mpi.Recv(ctx, c, buf, 0, 0)
//
// The library is found when the program runs: Open MPI 4 and 5, MPICH and its derivatives, or the ABI of the MPI
// standard. No C compiler is needed to build, none to run.
//
// # Buffers
//
// A buffer that MPI works on is lent to it. The standard says that nobody may write to it meanwhile, and nobody read
// one that is received into; here a second use that conflicts is an error that names the first one. [Isend] and [Irecv]
// take a slice and their [Request] gives it back from Wait or Test, and only then: whoever forgets the request has lost
// the slice, not the program. What a request holds is neither collected nor reused until the library is done with it,
// whatever becomes of the goroutine, the context or the request.
//
// # Contexts
//
// Calls that wait take a context. When it ends they return its error; a receive is cancelled if it can be, and a buffer
// that the library still has stays lent, kept by the [World] until the library gives it back.
//
// # Goroutines
//
// Any goroutine may call. Waiting does not hold a thread: a call looks for a while, then lets others run, and ends in
// short sleeps. One goroutine after the other may use a Comm; the standard asks that collective operations on one Comm
// are called in the same order in each process, so two of them at once on one Comm are an error.
package mpi
