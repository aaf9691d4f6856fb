package pjrt

import (
	"fmt"
)

// Program is code to compile.
type Program struct {
	Format string // "mlir" for StableHLO as text, bytecode or portable bytecode; "hlo" for a serialised HLO module
	Code   []byte
}

// MLIR is a StableHLO program, as text or as bytecode.
func MLIR[S ~string | ~[]byte](code S) Program { return Program{Format: "mlir", Code: []byte(code)} }

// CompileOptions says how to compile. The zero value compiles for one device, the client's first.
type CompileOptions struct {
	// Device is the device to compile for, where the program runs on one.
	Device *Device
	// Replicas is how many copies of the program run at once on different data, Partitions how many devices share
	// the work of each copy. 0 is 1.
	Replicas, Partitions int
	// Assignment gives the device of each replica (first index) and partition (second). nil lets the plugin choose
	// where there is more than one device to choose.
	Assignment [][]*Device
	// SPMD lets the compiler split the program over the partitions by its sharding annotations.
	SPMD bool
	// Portable compiles for any device of the kind: each execution names its own.
	Portable bool
	// Overrides are compiler flags by name, such as xla_cpu_enable_fast_math. Values: string, bool, int64, float64.
	Overrides []Override
	// Params are the types of the program's parameters on each device. Execute checks arguments against them. Where
	// nil, they are read from the compiled program, if the plugin shows it.
	Params []Type
	// Donated marks the parameters whose memory the program may reuse. It is read only where Params is set.
	Donated []bool
	// Serialized, where it is not nil, is a CompileOptionsProto that is sent instead of all but Params and Donated.
	Serialized []byte
}

// Override sets one compiler flag.
type Override struct {
	Name  string
	Value any
}

// encode writes CompileOptionsProto as jaxlib does, without the compiler's debug options: the plugin then uses its
// own.
func (o CompileOptions) encode(c *Client) ([]byte, error) {
	if o.Serialized != nil {
		return o.Serialized, nil
	}
	const op = "compile options"
	replicas, partitions := max(o.Replicas, 1), max(o.Partitions, 1)
	if o.Replicas < 0 || o.Partitions < 0 || replicas > 1<<20 || partitions > 1<<20 {
		return nil, invalid(op, "%d replicas, %d partitions", o.Replicas, o.Partitions)
	}
	assign := o.Assignment
	if o.Device != nil {
		if replicas != 1 || partitions != 1 || assign != nil {
			return nil, invalid(op, "one device for %d replicas, %d partitions and an assignment of %d", replicas, partitions, len(assign))
		}
		assign = [][]*Device{{o.Device}}
	}
	if assign != nil && len(assign) != replicas {
		return nil, invalid(op, "devices are assigned to %d replicas, there are %d", len(assign), replicas)
	}
	var build message
	build.varint(1, -1) // device_ordinal: by the assignment
	build.varint(4, int64(replicas))
	build.varint(5, int64(partitions))
	if o.SPMD {
		build.flag(6, true)
	}
	if assign != nil {
		a, err := encodeAssignment(c, assign, replicas, partitions)
		if err != nil {
			return nil, err
		}
		build.bytes(9, a)
	}
	build.packed(12, 0) // allow_spmd_sharding_propagation_to_output: no
	build.packed(18, 0) // allow_spmd_sharding_propagation_to_parameters: no
	build.varint(23, 1) // process_count
	var m message
	m.bytes(3, build)
	if o.Portable {
		m.flag(4, true)
	}
	for _, v := range o.Overrides {
		e, err := v.encode()
		if err != nil {
			return nil, err
		}
		m.bytes(7, e)
	}
	return m, nil
}

// encodeAssignment writes DeviceAssignmentProto: for each partition, the devices of its replicas.
func encodeAssignment(c *Client, assign [][]*Device, replicas, partitions int) ([]byte, error) {
	const op = "compile options"
	var a message
	a.varint(1, int64(replicas))
	a.varint(2, int64(partitions))
	for p := range partitions {
		ids := make([]int64, replicas)
		for r := range replicas {
			if len(assign[r]) != partitions {
				return nil, invalid(op, "replica %d has %d devices assigned, want %d", r, len(assign[r]), partitions)
			}
			d := assign[r][p]
			if d == nil || d.client != c {
				return nil, invalid(op, "the device of replica %d, partition %d is not one of this client's", r, p)
			}
			ids[r] = int64(d.id)
		}
		var one message
		one.packed(1, ids...)
		a.bytes(3, one)
	}
	return a, nil
}

func (v Override) encode() ([]byte, error) {
	var o, e message
	switch x := v.Value.(type) {
	case string:
		o.bytes(1, []byte(x))
	case bool:
		o.flag(2, x)
	case int64:
		o.varint(3, x)
	case float64:
		o.double(4, x)
	default:
		return nil, invalid("compile options", "override %q is a %T; use a string, bool, int64 or float64", v.Name, v.Value)
	}
	e.bytes(1, []byte(v.Name))
	e.bytes(2, o)
	return e, nil
}

// check refuses a signature that cannot be one.
func (o CompileOptions) check() error {
	for i, t := range o.Params {
		if _, err := t.Size(); err != nil {
			return fmt.Errorf("pjrt: compile: parameter %d: %w", i, err)
		}
	}
	if o.Donated != nil && len(o.Donated) != len(o.Params) {
		return invalid("compile", "%d donation marks for %d parameters", len(o.Donated), len(o.Params))
	}
	return nil
}
