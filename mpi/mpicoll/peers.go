// Package mpicoll carries the collective operations of StableHLO programs by MPI: the replicas and partitions of one
// program run on the ranks of a communicator, one on each, on the embedded device.
//
//	peers, err := mpicoll.New(ctx, world.Comm())
//	plugin, err := embedded.Plugin(device.Options{Peers: peers})
//	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{}) // as many devices as ranks; this rank's is client.Device()
//	defer peers.Close(ctx)
//
// Results are those of the same program on as many devices of one process, to the bit: reductions are made in the order
// of the processes, and by MPI's own operations only where the order does not matter (integers).
//
// All ranks execute the same programs in the same order. Each collective operation compares what the ranks are about to
// do before it does it: ranks that disagree get [ErrMismatch], which says who is where. A rank whose execution fails tells
// the others, whose executions end with [ErrPeer]. What no rank can know, such as a machine that is gone, ends with the
// context of the execution.
package mpicoll

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/mpi"
)

var (
	// ErrMismatch says that processes are in different collective operations. It is an [isthmus.ErrInvalid].
	ErrMismatch = fmt.Errorf("collective operations differ: %w", isthmus.ErrInvalid)
	// ErrPeer says that another process has failed, or has ended the program early.
	ErrPeer = errors.New("another process")
)

const (
	tagHead = iota + 1
	tagData
	tagNews
)

// Peers are the ranks of a communicator. It is an [eval.Peers], for device.Options, and safe for concurrent use. The
// caller closes it.
type Peers struct {
	comm *mpi.Comm // messages
	base *mpi.Comm // collective operations of MPI's own

	mu     sync.Mutex
	given  uint64                   // runs that have a place in the order
	turn   uint64                   // the run that may go on
	ended  map[uint64]bool          // after turn
	wait   map[uint64]chan struct{} // for their turn
	failed map[uint64]error         // runs that failed elsewhere
	now    *link                    // the run that goes on
	news   *mpi.Request[byte]
	sends  []*mpi.Request[byte] // that nobody waits for any more
	closed bool

	// What follows belongs to the run whose turn it is, and to Close.
	peers  []peer
	groups map[string]*mpi.Comm
}

// peer is another process.
type peer struct {
	head  mpi.Request[byte]    // one is always posted
	send  mpi.Request[byte]    // a head on its way
	frame []byte               // what is sent by it
	busy  bool                 // nobody has waited for it
	early *head                // that came while this process was still in an earlier run
	stale []*mpi.Request[byte] // payloads that nobody waits for

	// Guarded by Peers.mu.
	sent  uint64 // heads to it
	got   uint64 // heads from it
	over  uint64 // the last run that it has ended
	heads uint64 // it had sent by then
	left  bool
}

var _ eval.Peers = (*Peers)(nil)

// New makes peers of the ranks of c. It is collective. The caller closes them, on all ranks, and then c.
func New(ctx context.Context, c *mpi.Comm) (*Peers, error) {
	if c == nil || c.Size() == 0 {
		return nil, fmt.Errorf("mpicoll: no communicator: %w", isthmus.ErrInvalid)
	}
	p := &Peers{
		turn: 1, ended: map[uint64]bool{}, wait: map[uint64]chan struct{}{}, failed: map[uint64]error{},
		peers: make([]peer, c.Size()), groups: map[string]*mpi.Comm{},
	}
	var err error
	if p.comm, err = c.Dup(ctx); err != nil {
		return nil, fmt.Errorf("mpicoll: %w", err)
	}
	if p.base, err = c.Dup(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("mpicoll: %w", err), p.comm.Close())
	}
	err = p.listen()
	for i := range p.peers {
		if i != c.Rank() && err == nil {
			err = p.peers[i].post(p.comm, i)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mpicoll: %w", err)
	}
	return p, nil
}

// Process is this process's rank.
func (p *Peers) Process() int {
	if p == nil || p.comm == nil {
		return 0
	}
	return p.comm.Rank()
}

// Processes is how many ranks there are.
func (p *Peers) Processes() int {
	if p == nil || p.comm == nil {
		return 1
	}
	return p.comm.Size()
}

// Begin takes the next place in the order of runs.
func (p *Peers) Begin(program string) eval.Link {
	if p == nil || p.comm == nil {
		return &link{err: fmt.Errorf("mpicoll: no communicator: %w", isthmus.ErrClosed)}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given++
	l := &link{peers: p, number: p.given, program: hash(program), waiting: -1}
	if p.closed {
		l.err = fmt.Errorf("mpicoll: closed: %w", isthmus.ErrClosed)
	}
	return l
}

// news is what a process tells the others when its run has ended.
type news struct {
	kind  byte
	from  int
	run   uint64
	heads uint64 // that it has sent to the receiver so far
	text  string
}

const (
	newsDone byte = iota + 1
	newsFailed
	newsLeft
)

// maxNews bounds the text of an error that other processes are told.
const maxNews = 1000

const newsHead = 17

// listen posts the receive of the next news.
func (p *Peers) listen() (err error) {
	p.news, err = mpi.Irecv(p.comm, make([]byte, newsHead+maxNews), mpi.AnySource, tagNews)
	return err
}

// tell sends news to all others.
func (p *Peers) tell(kind byte, run uint64, text string) error {
	text = text[:min(len(text), maxNews)]
	var errs []error
	for i := range p.peers {
		if i == p.comm.Rank() {
			continue
		}
		b := binary.LittleEndian.AppendUint64([]byte{kind}, run)
		b = append(binary.LittleEndian.AppendUint64(b, p.peers[i].sent), text...)
		r, err := mpi.Isend(p.comm, b, i, tagNews)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.sends = append(p.sends, r)
	}
	return errors.Join(errs...)
}

// hear takes what news there are. The lock is held.
func (p *Peers) hear() error {
	for {
		b, st, done, err := p.news.Test()
		if err != nil || !done {
			return err
		}
		if st.Count >= newsHead && !st.Cancelled {
			p.note(news{
				kind: b[0], from: st.Source, run: binary.LittleEndian.Uint64(b[1:]), heads: binary.LittleEndian.Uint64(b[9:]),
				text: string(b[newsHead:st.Count]),
			})
		}
		if err := p.listen(); err != nil {
			return err
		}
	}
}

// note acts on news. The lock is held.
func (p *Peers) note(n news) {
	if n.from < 0 || n.from >= len(p.peers) {
		return
	}
	o := &p.peers[n.from]
	o.over, o.heads, o.left = max(o.over, n.run), n.heads, o.left || n.kind == newsLeft
	if n.kind == newsFailed && p.failed[n.run] == nil && n.run >= p.turn {
		p.failed[n.run] = fmt.Errorf("mpicoll: %w failed: process %d: %s", ErrPeer, n.from, n.text)
	}
	if l := p.now; l != nil {
		if err := p.failed[l.number]; err != nil {
			l.cancel(err)
		} else if l.waiting >= 0 && p.gone(l) {
			l.cancel(l.left())
		}
	}
}

// gone reports whether the process that l waits for will send nothing more in this run. The lock is held.
func (p *Peers) gone(l *link) bool {
	o := &p.peers[l.waiting]
	return (o.left || o.over >= l.number) && o.got >= o.heads
}

// sweep forgets sends that are over.
func (p *Peers) sweep() {
	p.sends = slices.DeleteFunc(p.sends, func(r *mpi.Request[byte]) bool {
		_, _, done, err := r.Test()
		return done || err != nil
	})
}

// Close tells the other ranks that this one is done and waits for them, until ctx ends. All ranks call it, after their
// executions. It is nil-safe and idempotent.
func (p *Peers) Close(ctx context.Context) error {
	if p == nil || p.comm == nil {
		return nil
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	if p.turn <= p.given {
		p.mu.Unlock()
		return fmt.Errorf("mpicoll: close: an execution goes on: %w", isthmus.ErrBusy)
	}
	p.closed = true
	err := p.tell(newsLeft, p.given, "")
	p.mu.Unlock()
	return errors.Join(err, p.part(ctx), p.end(ctx))
}

// part takes what the others have sent until each has left.
func (p *Peers) part(ctx context.Context) error {
	for i := range p.peers {
		o := &p.peers[i]
		if i == p.comm.Rank() {
			continue
		}
		for {
			p.mu.Lock()
			err := p.hear()
			left, rest := o.left, o.heads-o.got
			p.mu.Unlock()
			if err != nil {
				return fmt.Errorf("mpicoll: close: %w", err)
			}
			if !left {
				if err := pause(ctx); err != nil {
					return fmt.Errorf("mpicoll: close: process %d has not closed: %w", i, err)
				}
				continue
			}
			if rest == 0 {
				break
			}
			h, err := p.head(ctx, i)
			if err == nil {
				err = p.drop(ctx, i, h)
			}
			if err != nil {
				return fmt.Errorf("mpicoll: close: %w", err)
			}
		}
	}
	return nil
}

// end gives everything up.
func (p *Peers) end(ctx context.Context) error {
	var errs []error
	cancel := func(r *mpi.Request[byte]) {
		r.Cancel()
		if _, _, err := r.Wait(ctx); err != nil && !errors.Is(err, isthmus.ErrClosed) {
			errs = append(errs, err)
		}
	}
	cancel(p.news)
	for i := range p.peers {
		if i == p.comm.Rank() {
			continue
		}
		cancel(&p.peers[i].head)
		errs = append(errs, p.peers[i].free(ctx))
		for _, r := range p.peers[i].stale {
			cancel(r)
		}
	}
	for _, r := range p.sends {
		if _, _, err := r.Wait(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	for _, c := range p.groups {
		errs = append(errs, c.Close())
	}
	errs = append(errs, p.base.Close(), p.comm.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("mpicoll: close: %w", err)
	}
	return nil
}
