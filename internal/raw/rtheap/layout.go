// Package rtheap is the heap of a language runtime: values that C and Go read and write in the same words.
//
// The memory is one reservation of address space outside the Go heap. Slots grow upwards from its base, data grows
// downwards from it, so one base pointer finds both:
//
//	      data blocks               base                  slots               slack, never written
//	... [block n] ... [block 1] [block 0] | [slot 0] [slot 1] [slot 2] ...  | ........................
//
// A value is a word of 64 bits; a handle is a value that names a slot. A slot holds the generation and the type of what
// lives in it, so one comparison tells whether a handle is alive and of the type that an operation wants: a stale, forged
// or mistyped word is an error value, never a fault. Nothing is unmapped while the heap lives, and no block holds a
// pointer, so a reader that races with a writer or with a free reads some mapped word, sees that the slot has changed, and
// gives the answer of an object that is gone.
//
// Reads take no lock and look at the slot again afterwards. Writes take the slot's lock, whose upper bits count them:
// what reads more than a word at a time (a dictionary's look-up) is done again when they have changed.
//
// An object lives while something counts it: the one who made it, each container that holds it, each rt_retain. A get
// lends without counting. When a count reaches zero the slot gets its next generation, what it held is released, and it
// may be used again; after 2^28 generations it never is, so no handle is ever mistaken for a later one.
//
// The C half of this file's layout is isthmus_rt.h, which a test compares with it. Every operation here has a twin there;
// a differential test drives both with the same random calls.
package rtheap

import (
	"math/bits"
	"strings"
	"unsafe"
)

// Value is a word that C and Go share: a number, a float, nil, a bool, a symbol, or a handle.
//
//	bits  63          36 35   31 30          3 2   0
//	int   [           61 bits, signed        ] 0 0 0
//	handle[ generation ] [type ] [   slot    ] 0 0 1
//	float [  62 bits of an IEEE 754 double: rotated ] 1 0
//	other [           number                 ] 0 1 1     0 is nil, 1 true, 2 false, more are symbols
//
// The tags 4, 5 and 7 are no values.
type Value uint64

// The values that are one word each.
const (
	Nil   Value = 3
	True  Value = 11
	False Value = 19

	// hole is the key of a dictionary's entry that was removed; no value.
	hole Value = 7
)

const (
	tagMask   = 7
	tagInt    = 0
	tagHandle = 1
	tagOther  = 3

	indexShift = 3
	indexBits  = 28
	typeShift  = 31
	typeBits   = 5
	typeMask   = (1<<typeBits - 1) << typeShift
	genShift   = 36
	genBits    = 64 - genShift
	countMask  = 1<<typeShift - 1 // a slot's word has the count where a handle has slot and tag
	maxCount   = countMask        // a count that arrives here stays: the object is never freed
)

// Type is what a handle names. The numbers are the original runtime's where it had one.
type Type uint8

// The types.
const (
	String    Type = 0x01
	Array     Type = 0x02
	Dict      Type = 0x03
	Tuple     Type = 0x04
	Object    Type = 0x05
	Closure   Type = 0x06
	Enum      Type = 0x07
	Future    Type = 0x08
	Generator Type = 0x09
	Actor     Type = 0x0a
	Unique    Type = 0x0b
	Channel   Type = 0x0e
	File      Type = 0x10
	Host      Type = 0x11 // a function of the host's
	Float     Type = 0x1c
)

var typeNames = map[Type]string{
	String: "string", Array: "array", Dict: "dict", Tuple: "tuple", Object: "object", Closure: "closure", Enum: "enum",
	Future: "future", Generator: "generator", Actor: "actor", Unique: "unique", Channel: "channel", File: "file", Host: "host", Float: "float",
}

func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "unknown"
}

// slot is where an object lives. 32 bytes; rt_slot in C.
type slot struct {
	word uint64 // generation, type, count; type 0 in a free slot, and then the count links what is being freed
	blk  uint32 // its data: units of 16 bytes below the base; 0 is none
	len  uint32 // elements, bytes, entries
	lock uint32 // 1: a writer is at it; the rest counts writes
	meta uint32 // flags, and above them the number of the site that made it
	aux  uint64 // array: capacity. dict: see there. string: hash or 0. object: class. closure: function. enum: payload. unique: value. float: bits
}

const (
	slotBytes = 32
	unit      = 16 // bytes of data that a block offset counts
	unitShift = 4

	frozen    = 1 << 0 // meta: no writes
	siteShift = 8
	maxSite   = 1<<(32-siteShift) - 1
)

// MaxLen is the largest number of elements or bytes of one object.
const MaxLen = 1<<31 - 1

// Blocks are powers of two of at least a unit: class c has unit<<c bytes.
const (
	classes   = 31 // the largest is 16 GiB
	magazines = 13 // classes that come in magazines: up to 64 KiB
)

// classOf is the smallest class that holds n bytes.
func classOf(n uint64) int {
	if n <= unit {
		return 0
	}
	return bits.Len64(n-1) - unitShift
}

// Code says why an operation was refused. The numbers are rt_error's in C.
type Code int32

// The codes.
const (
	OK         Code = iota
	BadHandle       // no live object: nil, a number, forged, or freed
	BadType         // a live object of another type
	BadValue        // a word that is no value, or a handle of a freed object where a value is stored
	BadIndex        // outside the object
	BadSize         // negative, or more than the limit
	BadKey          // nil, or no value
	IsFrozen        // the object is frozen
	NoMemory        // no memory, or no slot, is left
	IsEmpty         // nothing to take
	Changed         // the dictionary was rebuilt while it was walked
	NotStarted      // the runtime is not running: rt_init was not called, or rt_shutdown was
	Forked          // this process is a fork's child: the runtime did not come along
	IsClosed
	TimedOut
	IsCancelled
	HasFailed // the body ended without a result
	OnItself  // it would wait for itself
	BadState  // not now
	IOFailed
	NotFound
	NotPermitted
	DiskFull
	Panicked // a defect of this library, contained
	IsDirectory
)

var codeTexts = [...]string{
	OK:           "no error",
	BadHandle:    "not a live object",
	BadType:      "an object of another type",
	BadValue:     "not a value",
	BadIndex:     "index out of range",
	BadSize:      "size out of range",
	BadKey:       "not a key",
	IsFrozen:     "the object is frozen",
	NoMemory:     "out of memory",
	IsEmpty:      "nothing there",
	Changed:      "the dictionary changed while it was walked",
	NotStarted:   "the runtime is not running",
	Forked:       "the process was forked after rt_init",
	IsClosed:     "closed",
	TimedOut:     "timed out",
	IsCancelled:  "cancelled",
	HasFailed:    "failed",
	OnItself:     "it would wait for itself",
	BadState:     "not possible in this state",
	IOFailed:     "input or output failed",
	NotFound:     "not found",
	NotPermitted: "permission denied",
	DiskFull:     "no space left on the device",
	Panicked:     "defect in the runtime",
	IsDirectory:  "a directory",
}

func (c Code) String() string {
	if c >= 0 && int(c) < len(codeTexts) {
		return codeTexts[c]
	}
	return "unknown error"
}

// Layout is what C must have alike: expressions of isthmus_rt.h, and their values here.
//
// SAFETY: sizes and offsets only; nothing is accessed.
func Layout() map[string]int64 {
	m := map[string]int64{
		"sizeof(rt_slot_)":         int64(unsafe.Sizeof(slot{})),
		"offsetof(rt_slot_, word)": int64(unsafe.Offsetof(slot{}.word)),
		"offsetof(rt_slot_, blk)":  int64(unsafe.Offsetof(slot{}.blk)),
		"offsetof(rt_slot_, len)":  int64(unsafe.Offsetof(slot{}.len)),
		"offsetof(rt_slot_, lock)": int64(unsafe.Offsetof(slot{}.lock)),
		"offsetof(rt_slot_, meta)": int64(unsafe.Offsetof(slot{}.meta)),
		"offsetof(rt_slot_, aux)":  int64(unsafe.Offsetof(slot{}.aux)),
		"RT_NIL":                   int64(Nil), "RT_TRUE": int64(True), "RT_FALSE": int64(False),
		"RT_TYPE_(1)": 1 << typeShift, "RT_COUNT_MASK_": countMask,
	}
	for t, s := range typeNames {
		m["RT_T_"+strings.ToUpper(s)] = int64(t)
	}
	for c, s := range []string{
		"OK", "E_HANDLE", "E_TYPE", "E_VALUE", "E_INDEX", "E_SIZE", "E_KEY", "E_FROZEN", "E_MEMORY", "E_EMPTY", "E_CHANGED", "E_STOPPED",
		"E_FORKED", "E_CLOSED", "E_TIMEOUT", "E_CANCELLED", "E_FAILED", "E_SELF", "E_STATE", "E_IO", "E_NOT_FOUND", "E_PERMISSION",
		"E_DISK_FULL", "E_DEFECT", "E_DIRECTORY",
	} {
		m["RT_"+s] = int64(c)
	}
	return m
}
