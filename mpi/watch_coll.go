package mpi

import (
	"fmt"
	"strconv"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// call enters a collective operation of the communicator and gives its place.
func (x *watched) call(k sigKey, count int) int {
	if x.t.client == nil {
		return 0
	}
	k.site = isthmus.Here()
	x.mu.Lock()
	defer x.mu.Unlock()
	if k != x.recent {
		x.recent, x.sig = k, x.t.sig(k)
	}
	x.colls.Add(x.sig, count, 0)
	x.called++
	return x.called - 1
}

// watchCall sees a collective operation that is about to begin.
func (k *collective) watchCall(verb string) {
	key := sigKey{op: verb + k.op}
	count := -1
	if k.dt != nil && k.op != "barrier" {
		key.typ = k.dt.typ
	}
	if k.c.remote == 0 {
		if k.rooted {
			key.root = strconv.Itoa(k.root)
		}
		switch k.now {
		case mpic.FnIbcast, mpic.FnIreduce, mpic.FnIallreduce, mpic.FnIgather, mpic.FnIscatter, mpic.FnIallgather, mpic.FnIalltoall,
			mpic.FnIreduceScatterBlock, mpic.FnIscan, mpic.FnIexscan:
			count = k.each
		case mpic.FnIallgatherv, mpic.FnIreduceScatter:
			key.parts = fmt.Sprint(k.counts)
		}
	}
	switch op := k.reduction.(type) {
	case nil:
	case Op:
		key.red = op.String()
	default:
		key.red = "a function"
	}
	k.o.place, k.o.site = k.c.watched.call(key, count), isthmus.Here()
	k.o.env.dir = mpiwatch.Collectives
}

// watchCall sees a collective operation that makes something.
func (c *Comm) watchCall(op string) {
	if c.watched != nil {
		c.watched.call(sigKey{op: op}, -1)
	}
}

// watchMaking sees a call that makes a communicator, and is in the library until the result is called.
func (c *Comm) watchMaking(m making) func() {
	x := c.watched
	if x == nil || m.fn == mpic.FnCommCreateGroup { // that is collective over the group alone
		return c.world.inside(m.op)
	}
	return x.insideCall(m.op, x.call(sigKey{op: m.op}, -1))
}
