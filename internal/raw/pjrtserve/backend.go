package pjrtserve

import (
	"context"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
)

// Backend is a kind of device that a table serves. It is safe for concurrent use.
type Backend interface {
	// Platform is the platform's name and the text about its version.
	Platform() (name, version string)
	// Attributes are what the plugin says of itself, such as the versions of StableHLO that it reads.
	Attributes() []Value
	// NewClient makes a client. Options are the caller's, by name.
	NewClient(options []Value) (Client, error)
	// Normalize checks a program and writes it as a plain program in the format "mlir".
	Normalize(p Program) ([]byte, error)
	// Memories are the kinds of memory that every device has one of; the first is its default.
	Memories() []MemoryInfo
	// Topology describes the devices that a client made with these options would have.
	Topology(options []Value) ([]DeviceInfo, error)
}

// Value is a named value: string, int64, []int64, float32 or bool.
type Value struct {
	Name  string
	Value any
}

// DeviceInfo describes a device.
type DeviceInfo struct {
	Kind       string
	Short      string
	Long       string
	Attributes []Value
	Process    int // that has it
}

// MemoryInfo describes a kind of memory.
type MemoryInfo struct {
	Kind  string
	Short string // the prefix of its description
}

// Type is the type of a tensor: dense, row-major, little-endian, one element to a whole number of bytes.
type Type struct {
	DType dtype.Type
	Dims  []int64 // -1 where known only after a run
}

// Client makes buffers and executables. Devices and memories are named by their numbers.
type Client interface {
	// Devices are those of all processes.
	Devices() []DeviceInfo
	// Process is this process's number: it can use those devices that have it.
	Process() int
	Compile(ctx context.Context, p Program, o CompileOptions) (Executable, error)
	// NewBuffer makes a buffer without content. The caller fills data, then calls done, once.
	NewBuffer(device, memory int, t Type) (b Buffer, data []byte, done func(error), err error)
	// Adopt makes a buffer of memory that belongs to somebody else, see device.Adopt. It may refuse with ErrCopy.
	Adopt(device, memory int, t Type, data []byte, mutable bool, gone func()) (Buffer, error)
	MemoryStats(device int) MemoryStats
	ClearMemoryStats(device int)
	// Close ends what runs and frees everything but the memory of buffers that are alive.
	Close() error
}

// MemoryStats is what the allocator tells.
type MemoryStats struct{ InUse, Peak, Allocations, Largest, Limit, Pool int64 }

// Program is code to compile.
type Program struct {
	Format string
	Code   []byte // must not be kept
}

// CompileOptions are what the server reads of CompileOptionsProto.
type CompileOptions struct {
	Replicas, Partitions int
	Assignment           [][]int // by replica and partition; nil: choose
	Portable             bool
	SPMD                 bool // the program is to be split by its sharding annotations
	Raw                  []byte
}

// Executable is a compiled program. It is immutable and safe for concurrent use.
type Executable interface {
	Name() string
	Fingerprint() string
	Params() []Type
	Results() []Type
	Donated() []bool
	// Devices are those of this process that it runs on, replica by replica; none for a portable one.
	Devices() []int
	// Assigned are those of all processes.
	Assigned() []int
	Replicas() int
	Partitions() int
	Stats() ExecutableStats
	// Code is the program in the format "mlir".
	Code() []byte
	Execute(args [][]Buffer, o ExecuteOptions) (*Execution, error)
	// Close is called once, when nobody can execute it any more. Executions may go on.
	Close()
}

// ExecutableStats are figures about an executable, in bytes and counts.
type ExecutableStats struct {
	Code, Arguments, Results, Aliased, Temporary int64
	Properties                                   []Value // of the cost analysis
}

// ExecuteOptions say how to execute.
type ExecuteOptions struct {
	Keep   []int // arguments that must not be taken
	Device int   // of a portable program

	Hosts   *HostTransfers  // nil without
	Launch  int32           // 0 without
	Context *executeContext // what a client gave to handlers; nil without
}

// Execution is a run in progress: outputs by device, and an event that completes after they are ready.
type Execution struct {
	Outputs [][]Buffer
	Done    *ffi.Event
	Cancel  func(cause error) // may be nil
}

// Buffer is a tensor. It is safe for concurrent use.
type Buffer interface {
	Type() Type
	Device() int
	Memory() int
	Size() int64
	// Ready completes when the buffer has its content, or carries why it never will.
	Ready() *ffi.Event
	// Hold keeps the memory where it is until release is called. It does not wait for the content.
	Hold() (data []byte, release func(), err error)
	// Read calls f once with the content, or with the reason why there is none, now or when that is known; until then
	// the memory stays. With an error f is not called.
	Read(f func(data []byte, err error)) error
	Delete()
	Deleted() bool
}
