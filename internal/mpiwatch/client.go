package mpiwatch

import (
	"context"
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// flushEvery is how often a rank says what it has done.
const flushEvery = 50 * time.Millisecond

// maxPending is how many events are kept before the rank waits until they are sent.
const maxPending = 1 << 16

// Client is one rank. It is safe for concurrent use. A nil Client does nothing.
type Client struct {
	conn   net.Conn
	hub    *Hub // when this process has it
	report func(Finding)
	state  func() *State // what the rank waits for, nil for the same as before
	fail   func(ids []uint64, f Finding)

	mu      sync.Mutex
	streams int
	sigs    int
	batch   Batch
	dirty   []*Stream
	dead    atomic.Bool // the hub is gone

	out    sync.Mutex // of the connection
	enc    *gob.Encoder
	known  chan struct{} // closed when the hub knows the rank, or has gone
	stop   chan struct{}
	served chan struct{} // closed when serve has ended
	ended  sync.WaitGroup
	once   sync.Once
}

// Stream is a stream of calls. Its owner calls Add on one goroutine at a time, or under a lock.
type Stream struct {
	c    *Client
	last Event // not sent yet; N is 0 when there is none
}

// Config says who takes part.
type Config struct {
	Rank, Size int
	Settings   Settings
	Report     func(Finding)                 // on any goroutine; Finding.Sig is a number that Sig has given
	State      func() *State                 // what the rank waits for, asked a few times a second
	Fail       func(ids []uint64, f Finding) // ends waits
}

// Join takes part at the meeting place key. The first process that comes has the hub.
func Join(ctx context.Context, key string, cfg Config) (*Client, error) {
	conn, hub, err := meet(ctx, key, cfg.Report)
	if err != nil {
		return nil, err
	}
	c := &Client{
		conn: conn, hub: hub, report: cfg.Report, state: cfg.State, fail: cfg.Fail, enc: gob.NewEncoder(conn),
		known: make(chan struct{}), stop: make(chan struct{}), served: make(chan struct{}),
	}
	c.batch.Hello = &Hello{Rank: cfg.Rank, Size: cfg.Size, Settings: cfg.Settings}
	if err := c.flush(false, false); err != nil {
		return nil, err
	}
	c.ended.Add(1)
	go c.read()
	select {
	case <-c.known:
	case <-time.After(5 * time.Second):
		_ = conn.Close()
		return nil, fmt.Errorf("the hub does not answer: %w", os.ErrDeadlineExceeded)
	}
	if c.dead.Load() {
		return nil, fmt.Errorf("the hub has refused rank %d of %d: %w", cfg.Rank, cfg.Size, isthmus.ErrBusy)
	}
	go c.serve()
	return c, nil
}

// Sig gives a call its number.
func (c *Client) Sig(s Sig) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sigs++
	c.batch.Sigs = append(c.batch.Sigs, s)
	return c.sigs
}

// Comm says who is in a communicator.
func (c *Client) Comm(m Comm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batch.Comms = append(c.batch.Comms, m)
}

// Stream begins a stream.
func (c *Client) Stream(k Key) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams++
	c.batch.Streams = append(c.batch.Streams, k)
	return &Stream{c: c, last: Event{Stream: c.streams}}
}

// Add enters a call with the number of elements that it is about, and that have arrived. It waits only when very much was
// not sent yet.
func (s *Stream) Add(sig, count, got int) {
	c := s.c
	c.mu.Lock()
	l := &s.last
	if l.N > 0 && l.Sig == sig && l.Count == count && l.Got == got {
		l.N++
		c.mu.Unlock()
		return
	}
	if l.N == 0 {
		c.dirty = append(c.dirty, s)
	} else {
		c.batch.Events = append(c.batch.Events, *l)
	}
	l.Sig, l.Count, l.Got, l.N = sig, count, got, 1
	full := len(c.batch.Events) >= maxPending
	c.mu.Unlock()
	if full {
		_ = c.flush(false, true)
	}
}

// flush sends what there is.
func (c *Client) flush(bye, full bool) error {
	var state *State
	if c.state != nil && !full { // it takes locks that who calls Add may have
		state = c.state()
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.dead.Load() {
		c.mu.Lock()
		c.batch, c.dirty = Batch{}, clearDirty(c.dirty)
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.mu.Lock()
	b := c.batch
	for _, s := range c.dirty {
		b.Events = append(b.Events, s.last)
	}
	c.dirty = clearDirty(c.dirty)
	c.batch = Batch{}
	c.mu.Unlock()
	b.State, b.Bye = state, bye
	if b.Hello == nil && b.State == nil && !bye && len(b.Events)+len(b.Comms)+len(b.Sigs)+len(b.Streams) == 0 {
		return nil
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	err := c.enc.Encode(b)
	if err != nil {
		c.dead.Store(true)
	}
	return err
}

func clearDirty(d []*Stream) []*Stream {
	for _, s := range d {
		s.last.N = 0
	}
	return d[:0]
}

func (c *Client) serve() {
	defer close(c.served)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-t.C:
			_ = c.flush(false, false)
		}
	}
}

// read takes what the hub says.
func (c *Client) read() {
	defer c.ended.Done()
	dec := gob.NewDecoder(c.conn)
	known := sync.OnceFunc(func() { close(c.known) })
	defer known()
	for {
		var r Reply
		if err := dec.Decode(&r); err != nil {
			c.dead.Store(true)
			return
		}
		known()
		if len(r.Fail) > 0 && len(r.Findings) > 0 {
			c.fail(r.Fail, r.Findings[0])
			continue
		}
		for _, f := range r.Findings {
			c.report(f)
		}
		if r.Ack {
			return
		}
	}
}

// Leave says that the rank has done all, and waits until the hub has taken note, not longer than limit.
func (c *Client) Leave(limit time.Duration) {
	if c == nil {
		return
	}
	c.once.Do(func() {
		close(c.stop)
		<-c.served // one goroutine at a time asks for the state
		if c.flush(true, false) == nil {
			done := make(chan struct{})
			go func() { c.ended.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(limit):
			}
		}
		c.dead.Store(true)
		_ = c.conn.Close()
	})
}

// Close ends the hub, if this process has it, when all ranks have left or limit has passed.
func (c *Client) Close(limit time.Duration) {
	if c == nil || c.hub == nil {
		return
	}
	for end := time.Now().Add(limit); time.Now().Before(end) && !c.hub.alone(); {
		time.Sleep(10 * time.Millisecond)
	}
	c.hub.Close()
}

// alone reports whether all ranks that have come have left.
func (h *Hub) alone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.ranks {
		if !r.gone {
			return false
		}
	}
	return true
}
