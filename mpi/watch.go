package mpi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// ErrDeadlock is the error of operations in a deadlock that was found, where [Checks.FailDeadlock] asks for it.
var ErrDeadlock = errors.New("deadlock")

// Checks are settings of the debug layer, which watches the programs of a job while [isthmus.CheckValidate] is the check
// mode when MPI is opened. What breaks a rule is a report of an [isthmus.Finding]; `isthmus explain` has a page for each.
type Checks struct {
	// Stuck is how long a wait may last before the ranks are looked at: 0 is 30 seconds, negative for ever. Ranks that
	// wait for one another, so that none can go on, are a deadlock; any other long wait is reported as one.
	Stuck time.Duration
	// FailDeadlock ends the waits of a deadlock with an error that wraps [ErrDeadlock]. A goroutine that does something
	// else, such as to sleep, and would have sent the message later is not seen.
	FailDeadlock bool
	// Exact reports messages that are shorter than the buffer that they are received into. The standard allows them.
	Exact bool
	// WholeBuffers sums up all of a buffer that is sent, to see that it does not change; otherwise 64 pieces of 1 KiB.
	WholeBuffers bool
}

// watcher is the debug layer in this process. A nil one watches nothing.
type watcher struct {
	world  *World
	checks Checks
	client *mpiwatch.Client // nil where this process is alone
	seed   maphash.Seed

	mu    sync.Mutex
	types map[reflect.Type][]mpiwatch.Run
	sigs  map[sigKey]int
	sites []isthmus.Site // of the calls, by their numbers
	comms []*watched
	made  map[uint64]uint64 // how many communicators of the same processes were made
	told  map[string]bool   // what was reported when the World was to be closed
	stuck map[*stuck]struct{}
	waits uint64
	calm  bool // the last state that was sent had no waits
	busy  busy
}

// sigKey is what makes a call another one.
type sigKey struct {
	op, root, red, parts string
	typ                  reflect.Type
	site                 isthmus.Site
}

// newWatcher begins to watch, if that is asked for. The communicators of MPI's own exist.
func (w *World) newWatcher(ctx context.Context, o Checks) {
	if isthmus.CurrentCheck() != isthmus.CheckValidate {
		return
	}
	if o.Stuck == 0 {
		o.Stuck = 30 * time.Second
	}
	t := &watcher{
		world: w, checks: o, seed: maphash.MakeSeed(), types: map[reflect.Type][]mpiwatch.Run{}, sigs: map[sigKey]int{},
		sites: []isthmus.Site{{}}, made: map[uint64]uint64{}, told: map[string]bool{}, stuck: map[*stuck]struct{}{},
	}
	w.watch = t
	if !w.spawned() {
		key, size := jobKey(w.comm.size), w.comm.size
		c, err := mpiwatch.Join(ctx, key, mpiwatch.Config{
			Rank: w.comm.rank, Size: size, Report: t.report, State: t.state, Fail: t.fail,
			Settings: mpiwatch.Settings{Stuck: o.Stuck, Exact: o.Exact, Fail: o.FailDeadlock},
		})
		if err != nil {
			t.tell(isthmus.ProblemMisuse, &isthmus.Finding{ID: mpiwatch.NotWatched, Call: "open", Text: fmt.Sprintf("rank %d of %d does not meet the others: %v; its messages are not compared", w.comm.rank, size, err)})
		}
		t.client = c
	}
	t.comm(w.comm, w.lib.ABI.CommWorld, isthmus.Site{})
	t.comm(w.self, w.lib.ABI.CommSelf, isthmus.Site{})
}

// jobKey is where the ranks of this job meet on this machine.
func jobKey(size int) string {
	id := "pid" + strconv.Itoa(os.Getpid())
	if size > 1 {
		id = "parent" + strconv.Itoa(os.Getppid())
		for _, name := range []string{"PMI_JOBID", "PMIX_NAMESPACE", "ISTHMUS_MPI_JOB"} {
			if v := os.Getenv(name); v != "" {
				id = v
			}
		}
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return "job" + hex.EncodeToString(h.Sum(nil))
}

// spawned reports whether another MPI program has started this one.
func (w *World) spawned() bool {
	f := call.Get()
	defer f.Put()
	cell, err := call.New[uint64](f)
	return err == nil && w.lib.Has(mpic.FnCommGetParent) && w.run(f, mpic.FnCommGetParent, uintptr(mem.AddrOfPtr(cell))) == 0 && mpic.Handle(*cell) != w.lib.ABI.CommNull
}

// tell reports a finding.
func (t *watcher) tell(p isthmus.Problem, f *isthmus.Finding) {
	o := f.Object
	if o.Kind == "" {
		o = isthmus.Object{Kind: "mpi." + f.Call, Site: f.Site}
	}
	isthmus.Tell(isthmus.Report{Problem: p, Object: o, Err: f})
}

// report takes a finding of the hub.
func (t *watcher) report(f mpiwatch.Finding) { t.tell(isthmus.ProblemMisuse, t.finding(f)) }

func (t *watcher) finding(f mpiwatch.Finding) *isthmus.Finding {
	out := &isthmus.Finding{ID: f.ID, Call: f.Call, Text: f.Text}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.Sig > 0 && f.Sig < len(t.sites) && t.sites[f.Sig].String() == f.Site {
		out.Site = t.sites[f.Sig]
	} else if f.Site != "" {
		out.Text += "; called at " + f.Site // in another process, which has ended
	}
	return out
}

// watched is a communicator whose messages are watched.
type watched struct {
	t       *watcher
	id      uint64
	own     []int // ranks of the world
	remote  []int // of the other side of an intercommunicator
	comm    *Comm
	mu      sync.Mutex // held while the library is given a message, so that the order of messages is known
	streams map[streamKey]*stream
	made    isthmus.Site
	first   *sight // receives in the order in which they were posted, and not said yet
	last    *sight
	colls   *mpiwatch.Stream
	called  int    // collective operations
	recent  sigKey // the last of them, and its number
	sig     int
}

type streamKey struct {
	recv      bool
	peer, tag int // of the world
}

// stream is the messages to or from a process with a tag.
type stream struct {
	s    *mpiwatch.Stream
	sig  int
	op   string
	dt   *datatype
	site isthmus.Site
}

// comm begins to watch a communicator. One with processes that were not started together with this one is not watched.
func (t *watcher) comm(c *Comm, h mpic.Handle, made isthmus.Site) {
	if c == nil {
		return
	}
	x := &watched{t: t, comm: c, streams: map[streamKey]*stream{}, made: made}
	var ok bool
	if x.own, ok = t.ranks(h, mpic.FnCommGroup, c.size); !ok {
		return
	}
	if c.remote > 0 {
		if x.remote, ok = t.ranks(h, mpic.FnCommRemoteGroup, c.remote); !ok {
			return
		}
	}
	t.mu.Lock()
	// The processes of a communicator make their common communicators in one order: the number of those before it and its
	// processes name it, the same everywhere.
	sum := t.sum(x.own) + t.sum(x.remote)
	n := t.made[sum]
	t.made[sum]++
	x.id = sum ^ (n+1)*0x9e3779b97f4a7c15
	t.comms = append(t.comms, x)
	t.mu.Unlock()
	if t.client != nil {
		t.client.Comm(mpiwatch.Comm{ID: x.id, Name: c.title(), Members: append(slices.Clone(x.own), x.remote...)})
		x.colls = t.client.Stream(mpiwatch.Key{Dir: mpiwatch.Collectives, Comm: x.id})
	}
	c.watched = x
}

// sum is a number for a list of ranks.
func (t *watcher) sum(ranks []int) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, r := range ranks {
		binary.LittleEndian.PutUint64(b[:], uint64(r)+1)
		_, _ = h.Write(b[:])
	}
	return h.Sum64()
}

// ranks are the processes of a communicator's group as ranks of the world. Calls MPI_Group_translate_ranks.
func (t *watcher) ranks(comm mpic.Handle, group mpic.Func, n int) ([]int, bool) {
	w := t.world
	f := call.Get()
	defer f.Put()
	cells, at, err := int64s(f, 2)
	if err != nil {
		return nil, false
	}
	in, inAt, err := int32s(f, n)
	if err != nil {
		return nil, false
	}
	out, outAt, err := int32s(f, n)
	if err != nil {
		return nil, false
	}
	for i := range in {
		in[i] = int32(i)
	}
	if w.run(f, group, uintptr(comm), at) != 0 {
		return nil, false
	}
	defer w.run(f, mpic.FnGroupFree, at)
	if w.run(f, mpic.FnCommGroup, uintptr(w.lib.ABI.CommWorld), at+8) != 0 {
		return nil, false
	}
	defer w.run(f, mpic.FnGroupFree, at+8)
	if w.run(f, mpic.FnGroupTranslateRanks, uintptr(cells[0]), cint(n), inAt, uintptr(cells[1]), outAt) != 0 {
		return nil, false
	}
	ranks := make([]int, n)
	for i, r := range out[:n] {
		if ranks[i] = int(r); ranks[i] == w.lib.ABI.Undefined {
			return nil, false
		}
	}
	return ranks, true
}

// world is a rank of the other side, or of the one side there is, as one of the world.
func (x *watched) world(rank int) int {
	if rank == AnySource {
		return mpiwatch.Any
	}
	side := x.own
	if x.remote != nil {
		side = x.remote
	}
	if rank < 0 || rank >= len(side) {
		return mpiwatch.Any
	}
	return side[rank]
}

// sig is the number of a call. The watcher is not locked.
func (t *watcher) sig(k sigKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.sigs[k]; ok {
		return n
	}
	s := mpiwatch.Sig{Op: k.op, Root: k.root, Red: k.red, Parts: k.parts, Site: k.site.String()}
	if k.typ != nil {
		s.Type, s.Runs = k.typ.String(), t.runs(k.typ)
	}
	n := t.client.Sig(s)
	t.sigs[k] = n
	t.sites = append(t.sites, k.site)
	return n
}

// runs is what a type is made of. The watcher is locked.
func (t *watcher) runs(typ reflect.Type) []mpiwatch.Run {
	if r, ok := t.types[typ]; ok {
		return r
	}
	var all []part
	_ = parts(typ, 0, "", &all) // it has a datatype
	var out []mpiwatch.Run
	for _, p := range all {
		k := p.kind.String()
		if size, _ := kindSize(p.kind); k == "int" || k == "uint" {
			k += strconv.Itoa(8 * int(size)) // the same to the library
		}
		if n := len(out); n > 0 && out[n-1].Kind == k {
			out[n-1].N += p.count
		} else {
			out = append(out, mpiwatch.Run{Kind: k, N: p.count})
		}
	}
	t.types[typ] = out
	return out
}

// overlap reports a buffer that was in use, and is err otherwise unchanged.
func (w *World) overlap(op string, err error) error {
	if w.watch == nil {
		return err
	}
	var b *ffi.BorrowedError
	if errors.As(err, &b) {
		w.watch.tell(isthmus.ProblemMisuse, &isthmus.Finding{
			ID: mpiwatch.BufferOverlap, Call: op, Object: b.By, Site: isthmus.Here(),
			Text: fmt.Sprintf("rank %d: a buffer of %d bytes for %s use overlaps one that is lent for %s use", w.comm.rank, b.Bytes, b.Want, b.Have),
		})
	}
	return err
}

// lost is the finding of a request that was forgotten while it was under way, nil when nobody watches.
func (t *watcher) lost(o *operation) error {
	if t == nil {
		return nil
	}
	return &isthmus.Finding{
		ID: mpiwatch.LostRequest, Call: o.op, Object: o.Object(),
		Text: fmt.Sprintf("rank %d: a request was forgotten while the library works on its buffer", t.world.comm.rank),
	}
}

// unfinished reports what a scope could not wait for.
func (t *watcher) unfinished(s *Ops) {
	if t == nil {
		return
	}
	for i := range s.n {
		p := &s.posted[i]
		if p.ended {
			continue
		}
		f := &isthmus.Finding{ID: mpiwatch.UnfinishedRequest, Call: p.op, Text: fmt.Sprintf("rank %d leaves a scope while the library has a buffer of %d bytes", t.world.comm.rank, len(p.held))}
		if p.seen != nil {
			f.Site = p.seen.site
		}
		t.tell(isthmus.ProblemLate, f)
	}
}

// leaks reports what is open when the World is to be closed.
func (t *watcher) leaks() {
	if t == nil {
		return
	}
	rank := t.world.comm.rank
	tell := func(id, what string, o isthmus.Object) {
		name := o.String()
		t.mu.Lock()
		old := t.told[name]
		t.told[name] = true
		t.mu.Unlock()
		if !old {
			t.tell(isthmus.ProblemMisuse, &isthmus.Finding{ID: id, Call: "close", Text: fmt.Sprintf("rank %d closes MPI while %s", rank, what), Object: o})
		}
	}
	for _, o := range t.world.reaper.objects() {
		tell(mpiwatch.UnfinishedRequest, "a request is under way", o)
	}
	for _, o := range isthmus.Live() {
		switch {
		case strings.HasPrefix(o.Kind, "mpi.Request("):
			tell(mpiwatch.UnfinishedRequest, "a request is under way", o)
		case o.Kind == "mpi.Comm": // below, with where it was made
		case slices.Contains([]string{"mpi.File", "mpi.Group", "mpi.Hints", "mpi.Layout", "mpi.Message", "mpi.Partitioned", "mpi.Persistent", "mpi.Repeat", "mpi.Session", "mpi.UserOp", "mpi.Win"}, o.Kind):
			tell(mpiwatch.Leak, "something is open", o)
		}
	}
	t.mu.Lock()
	comms := slices.Clone(t.comms)
	t.mu.Unlock()
	for _, x := range comms {
		if x.comm.owned.Live() && !x.comm.predefined {
			tell(mpiwatch.Leak, x.comm.title()+" is open", isthmus.Object{Kind: "mpi.Comm", ID: x.id, Site: x.made})
		}
	}
}

// leave says that this rank has done all, before it ends MPI.
func (t *watcher) leave() {
	if t != nil {
		t.client.Leave(5 * time.Second)
	}
}

// end ends the hub, when this process has it and MPI has ended in all.
func (t *watcher) end() {
	if t != nil {
		t.client.Close(2 * time.Second)
	}
}
