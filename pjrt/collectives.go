package pjrt

import (
	"errors"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Collectives makes communicators. It comes from [Megascale.NewCollectives], keeps that alive and is to be closed before
// it. It is safe for concurrent use.
type Collectives struct {
	extObject[pjrtc.Collectives]
}

// Close destroys it. While a communicator is open it does nothing and returns an error that wraps [isthmus.ErrBusy]. It
// is idempotent and nil-safe. Calls PJRT_Collectives_Destroy.
func (c *Collectives) Close() error {
	if c == nil {
		return nil
	}
	return c.owned.Close()
}

// NewCommunicators makes a communicator for each of ranks, which are numbers of devices. ids are what the plugin tells
// groups apart by; nil is none. The caller closes all of them. Calls PJRT_Collectives_CreateCommunicators.
func (c *Collectives) NewCommunicators(devices []int64, ids [][]byte, ranks []int64) (out []*Communicator, err error) {
	const op = "new communicators"
	c = orZero(c)
	if len(ranks) == 0 || len(devices) > maxValues || len(ids) > maxValues || len(ranks) > maxValues {
		return nil, invalid(op, "%d devices, %d ids, %d ranks", len(devices), len(ids), len(ranks))
	}
	if err := c.plugin.needs(op, (*pjrtc.CollectivesCommunicatorDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askOf(&c.extObject, op, func(f *call.Frame, a *pjrtc.CollectivesCreateCommunicatorsArgs, h pjrtc.Ptr[pjrtc.Collectives]) (err error) {
		a.Collectives, a.NumDeviceIds, a.NumCliqueIds, a.NumDeviceRanks = h, uint64(len(devices)), uint64(len(ids)), uint64(len(ranks))
		if a.DeviceIds, err = array[int64](f, op, devices); err != nil {
			return err
		}
		if a.RankIds, err = array[int64](f, op, ranks); err != nil {
			return err
		}
		if ids != nil {
			a.CliqueIds, a.CliqueIdSizes, err = lendList(f, &pin, ids)
		}
		return err
	}, func(a *pjrtc.CollectivesCreateCommunicatorsArgs) error {
		defer release(a.CommunicatorsHolderDeleter, mem.Addr(a.CommunicatorsHolder))
		made, err := numbers(op, a.Communicators, a.NumCommunicators, maxValues)
		if err != nil {
			return err
		}
		for _, h := range made { // take over all, so that each is destroyed whatever comes of the others
			k := &Communicator{}
			if e := own(&k.extObject, c.plugin, "pjrt.Communicator", h, func(a *pjrtc.CollectivesCommunicatorDestroyArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator]) {
				a.Communicator = h
			}, &c.owned); e != nil {
				err = errors.Join(err, e)
				continue
			}
			out = append(out, k)
		}
		if err == nil && len(out) != len(ranks) {
			err = fmt.Errorf("pjrt: %s: the plugin made %d for %d ranks: %w", op, len(out), len(ranks), isthmus.ErrInvalid)
		}
		return err
	})
	if err != nil {
		for _, k := range out {
			err = errors.Join(err, k.Close())
		}
		return nil, err
	}
	return out, nil
}

// Communicator is one participant of collective operations. Its operations are asynchronous: the memory that they use
// is lent until their event fires, whoever closes or forgets what, and the caller closes the event. It is safe for
// concurrent use, but all participants must begin their operations in the same order.
//
// Errors of all operations: [isthmus.ErrBounds] for memory that is too small, [isthmus.ErrBorrowed] for memory that is
// in use, [isthmus.ErrUnsupported].
type Communicator struct {
	extObject[pjrtc.CollectivesCommunicator]
}

// Close destroys the communicator. While an event of it is open it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. It is idempotent and nil-safe. Calls PJRT_Collectives_Communicator_Destroy.
func (k *Communicator) Close() error {
	if k == nil {
		return nil
	}
	return k.owned.Close()
}

// Describe is the plugin's text about the communicator. Calls PJRT_Collectives_Communicator_ToString.
func (k *Communicator) Describe() (s string, err error) {
	err = askOf(&orZero(k).extObject, "describe communicator", func(_ *call.Frame, a *pjrtc.CollectivesCommunicatorToStringArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator]) error {
		a.Communicator = h
		return nil
	}, func(a *pjrtc.CollectivesCommunicatorToStringArgs) error {
		s = text(a.Str, a.StrSize)
		release(a.StrHolderDeleter, mem.Addr(a.StrHolder))
		return nil
	})
	return s, err
}

// Reduction is how values of several participants become one.
type Reduction int

// The reductions.
const (
	ReduceSum     Reduction = 0
	ReduceProduct Reduction = 1
	ReduceMin     Reduction = 2
	ReduceMax     Reduction = 3
)

// String returns the name.
func (r Reduction) String() string {
	if r < ReduceSum || r > ReduceMax {
		return fmt.Sprintf("Reduction(%d)", int(r))
	}
	return [...]string{"sum", "product", "min", "max"}[r]
}

// Rendezvous tells the participants of one operation from those of others. All participants give the same.
type Rendezvous struct {
	RunID        int64
	Devices      []int64 // of all participants
	Local        int     // how many participants are in this process
	CrossReplica bool    // an operation between replicas; otherwise one between programs
	OpID         int64
	Timeout      time.Duration
}

func (r Rendezvous) encode(f *call.Frame, op string) (pjrtc.Ptr[pjrtc.CollectivesCpuExecutor], error) {
	e, err := call.New[pjrtc.CollectivesCpuExecutor](f)
	if err != nil {
		return 0, err
	}
	if r.Local < 0 || int(int32(r.Local)) != r.Local || r.Timeout < 0 || len(r.Devices) > maxValues {
		return 0, invalid(op, "%d local participants, timeout %v", r.Local, r.Timeout)
	}
	e.RunId, e.OpId, e.NumLocalParticipants, e.TimeoutInNs, e.NumGlobalDeviceIds = r.RunID, r.OpID, int32(r.Local), int64(r.Timeout), uint64(len(r.Devices))
	if r.CrossReplica {
		e.CollectiveOpKind = pjrtc.COLLECTIVESCOLLECTIVEOPKINDCROSSREPLICA
	}
	e.GlobalDeviceIds, err = array[int64](f, op, r.Devices)
	return pjrtc.To(e), err
}

// exchange is what all operations share: types and sizes are checked, memory is lent, and an event comes of it.
func exchange[A any, P interface {
	*A
	pjrtc.ExtArgs
}](k *Communicator, op string, t dtype.Type, count int, send, recv [][]byte, sendOf, recvOf int, r Rendezvous,
	fill func(f *call.Frame, a P, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) error,
	event func(P) pjrtc.Ptr[pjrtc.Event],
) (*Event, error) {
	k = orZero(k)
	h, err := k.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer k.owned.Done()
	typ, err := k.plugin.toBufferType(op, t)
	if err != nil {
		return nil, err
	}
	size, err := Type{t, []int{count}}.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	var loans []*ffi.Loan
	back := func(err error) (*Event, error) {
		for _, l := range loans {
			returnAfter(l, err)
		}
		return nil, err
	}
	for _, side := range []struct {
		bufs   [][]byte
		times  int
		access ffi.Access
	}{{send, sendOf, ffi.Shared}, {recv, recvOf, ffi.Exclusive}} {
		need, err := mem.Mul(size, side.times)
		if err != nil {
			return back(fmt.Errorf("pjrt: %s: %w", op, err))
		}
		for _, b := range side.bufs {
			if len(b) < need {
				return back(fmt.Errorf("pjrt: %s: %d bytes for %d of %s: %w", op, len(b), side.times*count, t, isthmus.ErrBounds))
			}
			l, err := ffi.Lend(b, side.access)
			if err != nil {
				return back(fmt.Errorf("pjrt: %s: %w", op, err))
			}
			k.plugin.lentTo(l)
			loans = append(loans, l)
		}
	}
	var e pjrtc.Ptr[pjrtc.Event]
	err = askExt(k.plugin, op, func(f *call.Frame, a P) error {
		x, err := r.encode(f, op)
		if err != nil {
			return err
		}
		return fill(f, a, h, typ, x)
	}, func(a P) error { e = event(a); return nil })
	if err != nil {
		return back(err)
	}
	return k.plugin.workEvent(op, e, loans, &k.owned)
}

func addr(b []byte) pjrtc.Addr { return pjrtc.Addr(mem.AddrOf(b)) }

// AllReduce reduces count elements of send from all participants to recv of each. Calls
// PJRT_Collectives_Communicator_AllReduce.
func (k *Communicator) AllReduce(send, recv []byte, t dtype.Type, count int, by Reduction, r Rendezvous) (*Event, error) {
	const op = "all-reduce"
	if by < ReduceSum || by > ReduceMax {
		return nil, invalid(op, "%v", by)
	}
	return exchange(k, op, t, count, [][]byte{send}, [][]byte{recv}, 1, 1, r,
		func(_ *call.Frame, a *pjrtc.CollectivesCommunicatorAllReduceArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) error {
			a.Communicator, a.PrimitiveType, a.Count, a.CpuExecutor, a.ReductionKind = h, typ, uint64(count), x, pjrtc.CollectivesReductionKind(by)
			a.SendBufferPtr, a.SendBufferSize, a.RecvBufferPtr, a.RecvBufferSize = addr(send), uint64(len(send)), addr(recv), uint64(len(recv))
			return nil
		}, func(a *pjrtc.CollectivesCommunicatorAllReduceArgs) pjrtc.Ptr[pjrtc.Event] { return a.Event })
}

// ReduceScatter reduces send, of count elements for each participant, and gives each participant count of the result in
// recv. Calls PJRT_Collectives_Communicator_ReduceScatter.
func (k *Communicator) ReduceScatter(send, recv []byte, t dtype.Type, count int, by Reduction, r Rendezvous) (*Event, error) {
	const op = "reduce-scatter"
	if by < ReduceSum || by > ReduceMax {
		return nil, invalid(op, "%v", by)
	}
	return exchange(k, op, t, count, [][]byte{send}, [][]byte{recv}, max(len(r.Devices), 1), 1, r,
		func(_ *call.Frame, a *pjrtc.CollectivesCommunicatorReduceScatterArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) error {
			a.Communicator, a.PrimitiveType, a.Count, a.CpuExecutor, a.ReductionKind = h, typ, uint64(count), x, pjrtc.CollectivesReductionKind(by)
			a.SendBufferPtr, a.SendBufferSize, a.RecvBufferPtr, a.RecvBufferSize = addr(send), uint64(len(send)), addr(recv), uint64(len(recv))
			return nil
		}, func(a *pjrtc.CollectivesCommunicatorReduceScatterArgs) pjrtc.Ptr[pjrtc.Event] { return a.Event })
}

// AllGather gathers count elements of send from each participant in recv, one participant after the other. Calls
// PJRT_Collectives_Communicator_AllGather.
func (k *Communicator) AllGather(send, recv []byte, t dtype.Type, count int, r Rendezvous) (*Event, error) {
	return exchange(k, "all-gather", t, count, [][]byte{send}, [][]byte{recv}, 1, max(len(r.Devices), 1), r,
		func(_ *call.Frame, a *pjrtc.CollectivesCommunicatorAllGatherArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) error {
			a.Communicator, a.PrimitiveType, a.Count, a.CpuExecutor = h, typ, uint64(count), x
			a.SendBufferPtr, a.SendBufferSize, a.RecvBufferPtr, a.RecvBufferSize = addr(send), uint64(len(send)), addr(recv), uint64(len(recv))
			return nil
		}, func(a *pjrtc.CollectivesCommunicatorAllGatherArgs) pjrtc.Ptr[pjrtc.Event] { return a.Event })
}

// Permute sends count elements of send to the target ranks, and receives as many in recv from the source; a negative
// source is none. Calls PJRT_Collectives_Communicator_CollectivePermute.
func (k *Communicator) Permute(send, recv []byte, t dtype.Type, count, source int, targets []int64, r Rendezvous) (*Event, error) {
	const op = "permute"
	if len(targets) > maxValues {
		return nil, invalid(op, "%d targets", len(targets))
	}
	return exchange(k, op, t, count, [][]byte{send}, [][]byte{recv}, 1, 1, r,
		func(f *call.Frame, a *pjrtc.CollectivesCommunicatorCollectivePermuteArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) (err error) {
			a.Communicator, a.PrimitiveType, a.Count, a.CpuExecutor = h, typ, uint64(count), x
			a.SendBufferPtr, a.SendBufferSize, a.RecvBufferPtr, a.RecvBufferSize = addr(send), uint64(len(send)), addr(recv), uint64(len(recv))
			if source >= 0 {
				a.HasSourceRank, a.SourceRank = true, int64(source)
			}
			a.NumTargetRanks = uint64(len(targets))
			a.TargetRanks, err = array[int64](f, op, targets)
			return err
		}, func(a *pjrtc.CollectivesCommunicatorCollectivePermuteArgs) pjrtc.Ptr[pjrtc.Event] { return a.Event })
}

// AllToAll sends count elements of each of send to one participant each, and receives as many from each in recv. Calls
// PJRT_Collectives_Communicator_AllToAll.
func (k *Communicator) AllToAll(send, recv [][]byte, t dtype.Type, count int, r Rendezvous) (*Event, error) {
	const op = "all-to-all"
	if len(send) != len(recv) || len(send) == 0 || len(send) > maxValues {
		return nil, invalid(op, "%d to send, %d to receive", len(send), len(recv))
	}
	return exchange(k, op, t, count, send, recv, 1, 1, r,
		func(f *call.Frame, a *pjrtc.CollectivesCommunicatorAllToAllArgs, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], typ pjrtc.BufferType, x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor]) (err error) {
			a.Communicator, a.PrimitiveType, a.Count, a.CpuExecutor = h, typ, uint64(count), x
			a.NumSendBuffers, a.NumRecvBuffers = uint64(len(send)), uint64(len(recv))
			if a.SendBuffersPtrs, a.SendBuffersSizes, err = addresses(f, send); err != nil {
				return err
			}
			a.RecvBuffersPtrs, a.RecvBuffersSizes, err = addresses(f, recv)
			return err
		}, func(a *pjrtc.CollectivesCommunicatorAllToAllArgs) pjrtc.Ptr[pjrtc.Event] { return a.Event })
}

// addresses lists memory that is lent.
func addresses(f *call.Frame, list [][]byte) (pjrtc.Ptr[pjrtc.Addr], pjrtc.Ptr[uint64], error) {
	at, err := call.Slice[pjrtc.Addr](f, len(list))
	if err != nil {
		return 0, 0, err
	}
	sizes, err := call.Slice[uint64](f, len(list))
	if err != nil {
		return 0, 0, err
	}
	for i, b := range list {
		at[i], sizes[i] = addr(b), uint64(len(b))
	}
	return pjrtc.ToSlice(at), pjrtc.ToSlice(sizes), nil
}
