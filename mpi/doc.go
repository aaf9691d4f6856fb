// Package mpi passes messages between processes, on every MPI library from one binary, and never loses a buffer.
//
// The library is found when the program runs: Open MPI 4 and 5, MPICH and its derivatives, or the ABI of the MPI
// standard. No C compiler is needed to build, none to run. What was found, and where it was looked for, tells
//
//	isthmus mpi info
//
// # A program
//
// Every process runs the same program and has a rank. A [World] is MPI in the process; a [Comm] is a group of processes that
// talk to each other; the first one, World.Comm, has them all.
//
//	w, err := mpi.Open(ctx, mpi.Options{})
//	c := w.Comm()
//	if c.Rank() == 0 {
//		err = mpi.Send(ctx, c, []float64{1, 2, 3}, 1, 0) // to rank 1, with tag 0
//	} else {
//		st, err := mpi.Recv(ctx, c, b, 0, mpi.AnyTag) // st.Count elements of b
//	}
//	err = w.Close(ctx)
//
// It is started by a launcher, which "isthmus mpi run -n 2 PROGRAM" finds for the library; alone it is one of one.
//
// Elements are numbers, bools, arrays and structs of them: anything of a fixed size without pointers. Their type is the
// slice's, and what arrives is checked where Go demands it: a bool that is neither true nor false is an error.
//
// # Who has a buffer
//
// What MPI works on is lent to it. Nobody may write to it meanwhile, and nobody read what is received into. Here a second
// use that conflicts is an error that wraps [isthmus.ErrBorrowed] and names both with their lines, and under "go test -race" a
// plain Go access that conflicts is a data race, with the stack of the access and that of the call that lent the memory.
// There are three ways to lend:
//
//   - A blocking call has the slice until it returns: [Send], [Recv], [SendRecv], [Allreduce] and its kin.
//   - A [Request] owns it: [Isend] and [Irecv] take the slice, and Wait or Test gives it back, once. The Request may go
//     anywhere, to another goroutine or into a struct, and starts its next operation without an allocation
//     ([Request.Send], [Request.Recv]). Forget it, and the slice is lost, not the program: the World keeps it until the
//     library is done, reports the line that started it, and is not closed before.
//   - A [Scope] borrows it: [PostSend] and [PostRecv] lend parts of the caller's own slices, which are all back when Scope
//     returns, whether its function returned, failed, panicked or ended its goroutine. It is the fastest, since all that is
//     posted starts in one crossing into the library.
//
// Neither copies, and neither lets the collector move, free or reuse what the library has.
//
// A [Section] is for Go's own side of one large slice: a part that is checked out by one writer or by any number of readers.
// The table that keeps sections apart is the one that lent buffers are in, so sections of goroutines and messages of
// others never overlap unnoticed. The slice of a section may be given to every operation here.
//
//	var top mpi.Section[float64]
//	row, err := top.Write(u[:width])
//	r, err := mpi.Irecv(c, row, up, 0) // top.Slice is an error until r is done
//
// [Alloc] gives a [Buf], memory outside Go's heap in large pages, which is faster from about 1 MiB.
//
// # Waiting for several
//
// [WaitAny], [WaitSome], [WaitAll] and their Test forms take requests of any types at once. [Request.Done] is a channel, for
// select. [Probe] and [Mprobe] look at a message before it is received. [SendInit] and [RecvInit] prepare a message that
// is sent again and again: [Repeat.Start], [Repeat.Wait].
//
// # All at once
//
// Collective operations are called by every process of a Comm in the same order: [Barrier], [Bcast], [Gather], [Scatter],
// [Alltoall], [Reduce], [Allreduce], [Scan] and more. Each has an immediate form ([Iallreduce]), which gives a Request, and
// a prepared one ([AllreduceInit]). The same slice as what is sent and what is received is the standard's MPI_IN_PLACE.
// Reductions are [Sum], [Max] and the others of the standard, or Go functions ([NewOp]).
//
// # Memory that others reach
//
// A [Win] is memory of each process that the others read and write by themselves: [Allocate], [AllocateShared], [CreateWin].
// It is used in epochs, which are functions and cannot be left open: [Win.Fence], [Win.Lock], [Win.LockAll], [Win.Access] with
// [Win.Expose]. In an [Epoch] there are Put, Get, Accumulate, FetchAndOp and CompareAndSwap; [Win.View] is the memory
// itself, as a slice. A slice that somebody keeps past its View is memory still, whatever becomes of the window.
//
// # Contexts
//
// Calls that wait take a context. When it ends they return its error; a receive is cancelled if it can be, and a buffer
// that the library still has stays lent, kept by the World until the library gives it back. A context that cannot end
// costs nothing. Libraries do not notice a cut link or a process that hangs: deadlines are how a program does.
//
// # Errors
//
// What can be known before the library is called is an error of this module: [isthmus.ErrBounds] for a rank, tag, length or
// place that does not exist, [isthmus.ErrBorrowed] and [isthmus.ErrBusy] for what somebody else has, [isthmus.ErrClosed] after
// Close, [isthmus.ErrUnsupported] for a function that this library lacks. What the library finds is an [*Error] with its code and
// text, and wraps a class: [ErrTruncate], [ErrRank], [ErrTag], [ErrOther] and so on, the same on every library. Nothing ends
// the process but World.Abort.
//
// # Goroutines and threads
//
// Any goroutine may call, at any time, whatever the library takes: where it takes calls of one thread only, they are passed
// on to that thread. Waiting does not hold a thread: a call looks for a while, then lets others run, and ends in short
// sleeps, so many goroutines may wait at once, with more ranks than processors too. Two collective operations at once on
// one Comm have no order and are an error: use a [Comm.Dup] for each.
//
// # Closing
//
// Comms, windows, layouts, repeats and buffers are closed by whoever made them, in any order; a Close that something depends
// on is refused with [isthmus.ErrBusy] and names it. Close of the World is MPI_Finalize. It names the requests that are under
// way, with the lines that started them, waits for those that were given up, and has a time limit.
//
// # Checks
//
// While [isthmus.CheckValidate] is the check mode when MPI is opened, the ranks compare what they do: types and lengths of
// messages, the order and arguments of collective operations, buffers that change while they are sent, what is not waited
// for or not closed, and who waits for whom. `isthmus explain` lists the rules; [Checks] has the settings.
package mpi
