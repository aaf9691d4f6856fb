// Package bridgelib is the C half of a bridge: the functions of isthmus_bridge.h, which a program built with
// -buildmode=c-shared exports when it links this package, and what carries them to Go and back.
//
// Slots, limits, generations and queues are C (bridge.c, ring.c, event.c), so that a host's calls never enter Go but to
// begin, to end and to run what is inline. One goroutine takes calls and casts out of the ring; package bridge decides what
// they mean.
package bridgelib

import "time"

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
	// Call begins a call. It must not block: it is on the goroutine that takes calls out of the ring. The program ends the
	// call with [Call.Done].
	Call(c *Call)
	// Abandoned says that the host has given a call up. It must not block.
	Abandoned(c *Call)
	// Cast takes a cast, and must not block. The program ends it with [Cast.Done].
	Cast(c *Cast)
	// Inline runs an inline method on the host's thread. The request is the host's memory, good for the call. The reply is
	// written by out, or by its return value when it is not as long as that.
	Inline(method uint32, generation uint64, request, out []byte, deadline time.Time) (reply []byte, status Status)
	// Close ends the generation within about that time. No call of it is under way after that, and no cast. Nothing new comes
	// while it runs. ring waits until all that the host had published before has been handed out.
	Close(drain time.Duration, ring func()) Report
}

// Link is how a program reaches the hosts of a generation.
type Link interface {
	// Event gives a message to all who have subscribed. Where a queue is full, and not oldest, it is Again and nobody gets it.
	Event(method uint32, message []byte, oldest bool) Status
}
