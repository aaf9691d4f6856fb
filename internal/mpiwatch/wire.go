package mpiwatch

import "time"

// The rules.
const (
	TypeMismatch      = "mpi/type-mismatch"
	Truncated         = "mpi/truncated"
	ShortMessage      = "mpi/short-message"
	Unreceived        = "mpi/unreceived"
	BufferOverlap     = "mpi/buffer-overlap"
	SendChanged       = "mpi/send-buffer-changed"
	LostRequest       = "mpi/lost-request"
	UnfinishedRequest = "mpi/unfinished-request"
	Leak              = "mpi/leak"
	CollectiveOrder   = "mpi/collective-order"
	CollectiveArgs    = "mpi/collective-arguments"
	Deadlock          = "mpi/deadlock"
	LongWait          = "mpi/long-wait"
	NotWatched        = "mpi/not-watched"
)

// Rules lists them.
func Rules() []string {
	return []string{
		TypeMismatch, Truncated, ShortMessage, Unreceived, BufferOverlap, SendChanged, LostRequest, UnfinishedRequest, Leak,
		CollectiveOrder, CollectiveArgs, Deadlock, LongWait, NotWatched,
	}
}

// Dir is what a stream is of.
type Dir uint8

// The kinds of streams.
const (
	Sends Dir = iota + 1
	Receives
	Collectives
)

// Any is any rank, or any tag.
const Any = -1

// Key is a stream of calls of one rank: of messages to or from a peer on a communicator with a tag, or of collective
// operations on a communicator. Peers are ranks of the world.
type Key struct {
	Dir  Dir
	Comm uint64
	Peer int
	Tag  int
}

// Run is N values of one kind.
type Run struct {
	Kind string
	N    int
}

// Sig is what a call is and where it was made. It is sent once, without counts, and named by its number from then on.
type Sig struct {
	Op    string // such as "receive"
	Type  string // of an element
	Runs  []Run  // what an element is made of
	Count int    // of a call: elements that are sent, or that there is room for; -1 where ranks may differ
	Got   int    // of a call: elements that have arrived, -1 for no whole number
	Root  string // of a collective operation, or empty
	Red   string // its reduction, or empty
	Parts string // its blocks, where they are the same for all
	Site  string // file:line (function)
}

// Event is N calls of one kind in a stream, by their numbers.
type Event struct {
	Stream, Sig, N int
	Count, Got     int
}

// Comm says who is in a communicator.
type Comm struct {
	ID      uint64
	Name    string
	Members []int // ranks of the world
}

// Need is one thing that a wait needs.
type Need struct {
	Dir  Dir
	Comm uint64
	Peer int // Any: some member
	Tag  int
	At   int // of a collective operation: its place in the communicator's sequence, from 0
	Call string
	Site string
}

// Wait is a call that has not returned for a while.
type Wait struct {
	ID    uint64
	Beat  uint64 // grows while it waits
	For   time.Duration
	Call  string
	Site  string
	Needs []Need
	Any   bool // one of its needs is enough
	Other bool // it needs something that is not known here
}

// Posted is a receive that has not been matched.
type Posted struct {
	Comm      uint64
	Peer, Tag int
}

// State is what a rank waits for.
type State struct {
	Waits  []Wait
	Posted []Posted
	Busy   bool // another goroutine of it runs
}

// Batch is what a rank has done since the last one.
type Batch struct {
	Hello   *Hello
	Sigs    []Sig // numbered from 1 on, in order
	Streams []Key // the same
	Comms   []Comm
	Events  []Event
	State   *State
	Bye     bool
}

// Hello is the first that a rank says.
type Hello struct {
	Rank, Size int
	Settings   Settings
}

// Settings are those of the checks.
type Settings struct {
	Stuck time.Duration // how long a wait may last; 0 for ever
	Exact bool          // messages fill the buffers that they are received into
	Fail  bool          // waits of a deadlock end with an error
}

// Finding is a rule that was broken, for the rank whose call it is.
type Finding struct {
	ID, Call, Text string
	Sig            int // the call in the numbers of the rank that gets it, 0 for none
	Site           string
}

// Reply is what the hub says. The first, to a Hello, is empty.
type Reply struct {
	Findings []Finding
	Fail     []uint64 // waits that end with the first of the findings
	Ack      bool     // to a Bye
}
