// Package bridgelib is the C half of a bridge: the functions of isthmus_bridge.h, which a program built with
// -buildmode=c-shared exports when it links this package, and what carries them to Go and back.
//
// Slots, limits, generations and queues are C (bridge.c, ring.c, event.c), so that a host's calls never enter Go but to
// begin, to end and to run what is inline. Workers take calls and casts out of the ring, and run them; package bridge decides
// what they mean.
package bridgelib

import (
	"sync"
	"sync/atomic"
	"time"
)

// Status is what a call ends with: the numbers of br_status.
type Status int32

// The statuses.
const (
	OK Status = iota
	Again
	Closed
	TooBig
	Decode
	Panic
	Deadline
	Cancelled
	Forked
	Schema
	Version
	Busy
	Handler
	Method
	Argument
	Memory
	ReplyTooBig
	None
)

// Desc is what br_describe says.
type Desc struct {
	Name        string
	Version     uint32
	Fingerprint [16]byte
	Schema      string
	MaxRequest  uint64
	MaxReply    uint64
	MaxInFlight uint64
	MaxBytes    uint64
}

// Opening is what a host asks for at br_init.
type Opening struct {
	Host        string
	Generation  uint64
	Fingerprint [16]byte
	Schema      string
	MaxRequest  uint64 // in force
	MaxReply    uint64
}

// Report is what br_deinit says.
type Report struct {
	Finished, Closed, CastsDropped, Zombies uint64
	Waited                                  time.Duration
	Methods                                 string // of the zombies
}

// Program is what a bridge does; package bridge implements it. One generation at a time is open.
type Program interface {
	// Open begins a generation, or says why not.
	Open(o Opening, out Link) (Status, error)
	// Lane finds the method of a call or a cast; nil when there is none. Lanes are of one generation.
	Lane(method uint32, cast bool) *Lane
	// Call runs a call, whose Lane may be nil, to its end: [Call.Done].
	Call(c *Call)
	// Cast runs a cast, whose Lane may be nil. Those of a lane run one by one.
	Cast(c *Cast)
	// Inline runs an inline method on the host's thread. The request is the host's memory, good for the call. The reply is
	// written by out, or by its return value when it is not as long as that.
	Inline(method uint32, generation uint64, request, out []byte, deadline time.Time) (reply []byte, status Status)
	// Close ends the generation within about that time. No call of it is under way after that, and no cast. Nothing new comes
	// while it runs.
	Close(drain time.Duration) Report
}

// Watcher is told that the host does not wait for a call any more.
type Watcher interface{ End(err error) }

// Link is how a program reaches the hosts of a generation, and what is under way in it.
type Link interface {
	// Event gives a message to all who have subscribed. Where a queue is full, and not oldest, it is Again and nobody gets it.
	Event(method uint32, message []byte, oldest bool) Status
	// Room is closed when a host has read an event since, so that one that was Again may fit.
	Room() <-chan struct{}
	// Settle waits until what hosts had published before has been taken.
	Settle()
	// Quiet is told, from now on, when a lane has nothing left that is under way.
	Quiet() <-chan struct{}
	// Leave counts out what Inline has counted in.
	Leave(l *Lane, n int64)
	// Watchers are those of all calls that are under way.
	Watchers() []Watcher
	// Finish ends all calls that are under way, and says how many.
	Finish(s Status, text string) uint64
	// Drop ends the casts of a lane that wait for their turn, and says how many.
	Drop(l *Lane) uint64
}

// Lane is a method as the workers see it.
type Lane struct {
	Value  any          // the program's
	Active atomic.Int64 // calls and casts that were taken and have not ended; less Zombie when the generation has

	trust atomic.Int32 // how often in a row its handler was quick, up to a bound

	mu      sync.Mutex
	busy    bool // a cast runs
	first   int
	waiting []Cast // from first on: they run after it
}

// Zombie is more than can be under way.
const Zombie = 1 << 40

// ran notes how long a handler took.
func (l *Lane) ran(took time.Duration) {
	if l == nil {
		return
	}
	switch t := l.trust.Load(); {
	case took >= time.Millisecond:
		l.trust.Store(0)
	case took >= quick:
		l.trust.Store(max(t-trusted/2, 0))
	case t < 2*trusted:
		l.trust.Store(t + 1)
	}
}

// enter says whether a cast may run now; else a copy of it waits for its turn.
func (l *Lane) enter(c *Cast) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		l.waiting = append(l.waiting, *c)
		return false
	}
	l.busy = true
	return true
}

// next gives the cast whose turn it is, in place of the one that has ended.
func (l *Lane) next(c *Cast) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == len(l.waiting) {
		l.busy, l.first, l.waiting = false, 0, l.waiting[:0]
		return false
	}
	w := c.w
	*c = l.waiting[l.first]
	c.w = w
	l.waiting[l.first] = Cast{}
	l.first++
	return true
}

const (
	quick   = 20 * time.Microsecond // a handler that takes as long is better run beside others
	trusted = 8                     // handlers of a method that were quick
)
