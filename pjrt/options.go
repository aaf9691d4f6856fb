package pjrt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
)

// CompileOptions says how to compile. The zero value compiles for one device, the client's first. What is left at its
// zero value is the plugin's choice.
type CompileOptions struct {
	// Device is the device to compile for, where the program runs on one.
	Device *Device
	// Replicas is how many copies of the whole program run at once, each on data of its own. Partitions is over how
	// many devices the compiler splits the work of one copy. The program runs on Replicas * Partitions devices. 0 is 1.
	Replicas, Partitions int
	// Assignment gives the device of each replica (first index) and partition (second). nil lets the plugin choose
	// where there is more than one device to choose.
	Assignment [][]*Device
	// AssignmentIDs is Assignment by the devices' numbers ([Device.ID]), as compiling without a client needs.
	AssignmentIDs [][]int

	// SPMD lets the compiler split the program over the partitions by its sharding annotations, and Shardy does so
	// with the newer partitioner of that name.
	SPMD, Shardy bool
	// AutoSharding lets the compiler invent the shardings, for a mesh of the shape MeshShape; MeshIDs are its devices
	// in order, nil for 0, 1, 2 and so on.
	AutoSharding       bool
	MeshShape, MeshIDs []int
	// ShardParams and ShardOutputs say for which parameters and outputs the compiler may change the sharding that the
	// program states: one value for each, or one for all. nil is for none.
	ShardParams, ShardOutputs []bool

	// ParamShapes, where not nil, give each parameter's layout, and ResultShape the result's (a [Shape] with Tuple
	// where there are several). nil leaves them to the program and the compiler.
	ParamShapes []Shape
	ResultShape *Shape
	// TupledParams says that an HLO program takes its arguments as one tuple.
	TupledParams bool

	// Portable compiles for any device of the kind: each execution names its own.
	Portable bool
	// Effort is how hard to work at a fast program, FitEffort at one that needs little memory.
	Effort, FitEffort Effort
	// Precision is how exact matrix units are fed, for programs that do not say.
	Precision Precision
	// MemoryLimit is how many bytes of device memory the program is compiled for; 0 is what the device has.
	MemoryLimit int64
	// AliasPassthrough lets a parameter that is returned unchanged share its memory with the result.
	AliasPassthrough bool
	// Deduplicate makes one computation of equal ones. BackendOnly takes an optimised HLO program as it is.
	Deduplicate, BackendOnly bool
	// ProcessIndex and ProcessCount say which of several processes compiles. A count of 0 is 1.
	ProcessIndex, ProcessCount int
	// Profile is feedback of earlier runs, ProfileVersion the version of it that is wanted.
	Profile        []byte
	ProfileVersion int64

	// Overrides are compiler flags by name, such as xla_cpu_enable_fast_math.
	Overrides []Override

	// Target is a serialised GpuTargetConfigProto: the GPU to compile for where none is at hand. Multislice is a
	// serialised configuration of slices, Environments a serialised CompilationEnvironmentsProto.
	Target, Multislice, Environments []byte

	// Params are the types of the program's parameters on each device. Execute checks arguments against them. Where
	// nil, they are read from the compiled program, if the plugin shows it.
	Params []Type
	// Donated marks the parameters whose memory the program may reuse. It is read only where Params is set.
	Donated []bool
	// Serialized, where it is not nil, is a CompileOptionsProto that is sent instead of all but Params and Donated.
	Serialized []byte
}

// Effort is how hard a compiler works.
type Effort int

// The levels. The zero value leaves the choice to the plugin.
const (
	EffortDefault Effort = Effort(xlapb.ExecutionOptions_EFFORT_UNKNOWN)
	EffortO0      Effort = Effort(xlapb.ExecutionOptions_EFFORT_O0)
	EffortO1      Effort = Effort(xlapb.ExecutionOptions_EFFORT_O1)
	EffortO2      Effort = Effort(xlapb.ExecutionOptions_EFFORT_O2)
	EffortO3      Effort = Effort(xlapb.ExecutionOptions_EFFORT_O3)
)

// Precision is how exact the operands of matrix units are.
type Precision int

// The levels, from fast to exact.
const (
	PrecisionDefault Precision = Precision(xlapb.PrecisionConfig_DEFAULT)
	PrecisionHigh    Precision = Precision(xlapb.PrecisionConfig_HIGH)
	PrecisionHighest Precision = Precision(xlapb.PrecisionConfig_HIGHEST)
)

// Override sets one compiler flag.
type Override struct {
	// Name is a field of XLA's DebugOptions. A name that the schema of this module does not have is refused.
	Name string
	// Value is a string, bool, int64 or float64, as the flag is; an enumeration takes one of its names. A string that
	// says a value of the flag's own type, such as "true", is taken for it.
	Value any
	// Unlisted sends a flag of the plugin's own, such as xla_tpu_…, without a check.
	Unlisted bool
}

// maxGrid bounds replicas and partitions.
const maxGrid = 1 << 20

// encode writes CompileOptionsProto as jaxlib does, without the compiler's debug options: the plugin then uses its
// own defaults, while a message here would replace them all.
func (o CompileOptions) encode(c *Client) ([]byte, error) {
	if o.Serialized != nil {
		return o.Serialized, checkSerialized(o.Serialized)
	}
	m, err := o.message(c)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// checkSerialized refuses options that XLA ends the process at. The rest is the plugin's to judge.
func checkSerialized(b []byte) error {
	const op = "compile options"
	var m xlapb.CompileOptionsProto
	if err := proto.Unmarshal(b, &m); err != nil {
		return invalid(op, "they are no CompileOptionsProto: %v", err)
	}
	build := m.GetExecutableBuildOptions()
	replicas, partitions := build.GetNumReplicas(), build.GetNumPartitions()
	if replicas < 1 || partitions < 1 || replicas > maxGrid || partitions > maxGrid {
		return invalid(op, "%d replicas, %d partitions", replicas, partitions)
	}
	if a := build.GetDeviceAssignment(); a != nil {
		if int64(a.GetReplicaCount()) != replicas || int64(a.GetComputationCount()) != partitions || int64(len(a.GetComputationDevices())) != partitions {
			return invalid(op, "devices are assigned to %d replicas of %d partitions, there are %d of %d", a.GetReplicaCount(), a.GetComputationCount(), replicas, partitions)
		}
		for p, column := range a.GetComputationDevices() {
			if ids := column.GetReplicaDeviceIds(); int64(len(ids)) != replicas || slices.Min(ids) < 0 {
				return invalid(op, "the devices of partition %d are %v, there are %d replicas", p, ids, replicas)
			}
		}
	}
	shapes := m.GetArgumentLayouts()
	if r := build.GetResultLayout(); r != nil {
		shapes = append(slices.Clone(shapes), r)
	}
	for _, p := range shapes {
		s, err := shapeOf(p)
		if err == nil && (s.DType.Valid() || s.Tuple != nil) { // a token is nothing that could be wrong
			err = s.check()
		}
		if err != nil {
			return invalid(op, "%v", err)
		}
	}
	return CompileOptions{
		Effort: Effort(build.GetOptimizationLevel()), FitEffort: Effort(build.GetMemoryFittingLevel()),
		Precision: Precision(m.GetMatrixUnitOperandPrecision()), MemoryLimit: build.GetDeviceMemorySize(),
	}.enums()
}

func (o CompileOptions) message(c *Client) (*xlapb.CompileOptionsProto, error) {
	const op = "compile options"
	replicas, partitions := max(o.Replicas, 1), max(o.Partitions, 1)
	if o.Replicas < 0 || o.Partitions < 0 || replicas > maxGrid || partitions > maxGrid {
		return nil, invalid(op, "%d replicas, %d partitions", o.Replicas, o.Partitions)
	}
	if o.ProcessIndex < 0 || o.ProcessCount < 0 || o.ProcessIndex >= max(o.ProcessCount, 1) {
		return nil, invalid(op, "process %d of %d", o.ProcessIndex, o.ProcessCount)
	}
	assign, err := o.assignment(c, replicas, partitions)
	if err != nil {
		return nil, err
	}
	build := &xlapb.ExecutableBuildOptionsProto{
		DeviceOrdinal: -1, // by the assignment
		NumReplicas:   int64(replicas), NumPartitions: int64(partitions), DeviceAssignment: assign,
		UseSpmdPartitioning: o.SPMD, UseShardyPartitioner: o.Shardy, UseAutoSpmdPartitioning: o.AutoSharding,
		AutoSpmdPartitioningMeshShape: widen(o.MeshShape), AutoSpmdPartitioningMeshIds: widen(o.MeshIDs),
		AllowSpmdShardingPropagationToParameters: orNone(o.ShardParams), AllowSpmdShardingPropagationToOutput: orNone(o.ShardOutputs),
		OptimizationLevel: xlapb.ExecutionOptions_EffortLevel(o.Effort), MemoryFittingLevel: xlapb.ExecutionOptions_EffortLevel(o.FitEffort),
		DeduplicateHlo: o.Deduplicate, AliasPassthroughParams: o.AliasPassthrough, RunBackendOnly: o.BackendOnly,
		FdoProfile: o.Profile, DeviceMemorySize: o.MemoryLimit,
		ProcessIndex: int64(o.ProcessIndex), ProcessCount: int64(max(o.ProcessCount, 1)),
	}
	m := &xlapb.CompileOptionsProto{
		ParameterIsTupledArguments: o.TupledParams, ExecutableBuildOptions: build, CompilePortableExecutable: o.Portable,
		ProfileVersion: o.ProfileVersion, SerializedMultiSliceConfig: o.Multislice,
		MatrixUnitOperandPrecision: xlapb.PrecisionConfig_Precision(o.Precision),
	}
	if err := o.enums(); err != nil {
		return nil, err
	}
	for i, s := range o.ParamShapes {
		p, err := s.message()
		if err != nil {
			return nil, fmt.Errorf("pjrt: %s: parameter %d: %w", op, i, err)
		}
		m.ArgumentLayouts = append(m.ArgumentLayouts, p)
	}
	if o.ResultShape != nil {
		if build.ResultLayout, err = o.ResultShape.message(); err != nil {
			return nil, fmt.Errorf("pjrt: %s: result: %w", op, err)
		}
	}
	if o.Target != nil {
		m.TargetConfig = &xlapb.GpuTargetConfigProto{}
		if err := proto.Unmarshal(o.Target, m.TargetConfig); err != nil {
			return nil, invalid(op, "the target is no GpuTargetConfigProto: %v", err)
		}
	}
	if o.Environments != nil {
		build.CompEnvs = &xlapb.CompilationEnvironmentsProto{}
		if err := proto.Unmarshal(o.Environments, build.CompEnvs); err != nil {
			return nil, invalid(op, "the environments are no CompilationEnvironmentsProto: %v", err)
		}
	}
	for _, v := range o.Overrides {
		e, err := v.encode()
		if err != nil {
			return nil, err
		}
		if _, twice := m.EnvOptionOverrides[v.Name]; twice {
			return nil, invalid(op, "override %q is given twice", v.Name)
		}
		if m.EnvOptionOverrides == nil {
			m.EnvOptionOverrides = map[string]*xlapb.OptionOverrideProto{}
		}
		m.EnvOptionOverrides[v.Name] = e
	}
	return m, nil
}

// enums refuses levels that are none: a plugin may end the process at them.
func (o CompileOptions) enums() error {
	const op = "compile options"
	for _, e := range []Effort{o.Effort, o.FitEffort} {
		if _, ok := xlapb.ExecutionOptions_EffortLevel_name[int32(e)]; !ok {
			return invalid(op, "effort %d", int(e))
		}
	}
	if _, ok := xlapb.PrecisionConfig_Precision_name[int32(o.Precision)]; !ok {
		return invalid(op, "precision %d", int(o.Precision))
	}
	if o.MemoryLimit < 0 {
		return invalid(op, "a memory limit of %d bytes", o.MemoryLimit)
	}
	return nil
}

// orNone is what jaxlib sends for nothing: one false for all.
func orNone(b []bool) []bool {
	if b == nil {
		return []bool{false}
	}
	return b
}

func widen(s []int) []int64 {
	var out []int64
	for _, v := range s {
		out = append(out, int64(v))
	}
	return out
}

// assignment writes DeviceAssignmentProto, nil where the plugin chooses: for each partition, the devices of its
// replicas.
func (o CompileOptions) assignment(c *Client, replicas, partitions int) (*xlapb.DeviceAssignmentProto, error) {
	const op = "compile options"
	given := 0
	for _, is := range []bool{o.Device != nil, o.Assignment != nil, o.AssignmentIDs != nil} {
		if is {
			given++
		}
	}
	if given > 1 || o.Device != nil && replicas*partitions != 1 {
		return nil, invalid(op, "a device, an assignment and assigned numbers exclude each other, and one device is for one replica and partition")
	}
	ids := o.AssignmentIDs
	devices := o.Assignment
	if o.Device != nil {
		devices = [][]*Device{{o.Device}}
	}
	for r, row := range devices {
		numbers := make([]int, len(row))
		for p, d := range row {
			if d == nil || c == nil || d.client != c {
				return nil, invalid(op, "the device of replica %d, partition %d is not one of this client's", r, p)
			}
			numbers[p] = d.id
		}
		ids = append(ids, numbers)
	}
	if given == 0 {
		return nil, nil
	}
	if len(ids) != replicas {
		return nil, invalid(op, "devices are assigned to %d replicas, there are %d", len(ids), replicas)
	}
	out := &xlapb.DeviceAssignmentProto{ReplicaCount: int32(replicas), ComputationCount: int32(partitions)}
	for p := range partitions {
		column := &xlapb.DeviceAssignmentProto_ComputationDevice{}
		for r := range replicas {
			if len(ids[r]) != partitions {
				return nil, invalid(op, "replica %d has %d devices assigned, want %d", r, len(ids[r]), partitions)
			}
			if ids[r][p] < 0 {
				return nil, invalid(op, "the device of replica %d, partition %d is %d", r, p, ids[r][p])
			}
			column.ReplicaDeviceIds = append(column.ReplicaDeviceIds, int64(ids[r][p]))
		}
		out.ComputationDevices = append(out.ComputationDevices, column)
	}
	return out, nil
}

// encode checks a flag against the schema. The retired names of the schema pass too: older plugins have them.
func (v Override) encode() (*xlapb.OptionOverrideProto, error) {
	const op = "compile options"
	flags := (&xlapb.DebugOptions{}).ProtoReflect().Descriptor()
	var field protoreflect.FieldDescriptor
	if !v.Unlisted && !flags.ReservedNames().Has(protoreflect.Name(v.Name)) {
		if field = flags.Fields().ByName(protoreflect.Name(v.Name)); field == nil {
			return nil, invalid(op, "XLA has no flag %q; the nearest is %s; for a flag of the plugin's own set Unlisted", v.Name, nearest(v.Name, flags.Fields()))
		}
	}
	kind := protoreflect.BytesKind
	if field != nil {
		kind = field.Kind()
	}
	wrong := func(want string) error {
		return invalid(op, "override %q is the %T %v; it takes a %s", v.Name, v.Value, v.Value, want)
	}
	value := v.Value
	if text, is := value.(string); is && field != nil && !field.IsList() {
		if value = typed(text, kind); value == nil {
			return nil, wrong(kindName(field))
		}
	}
	switch x := value.(type) {
	case string:
		if kind == protoreflect.EnumKind && !field.IsList() && field.Enum().Values().ByName(protoreflect.Name(x)) == nil {
			return nil, invalid(op, "override %q is %q; it takes one of %s", v.Name, x, strings.Join(valueNames(field.Enum()), ", "))
		}
		return &xlapb.OptionOverrideProto{Value: &xlapb.OptionOverrideProto_StringField{StringField: x}}, nil
	case bool:
		if field != nil && (kind != protoreflect.BoolKind || field.IsList()) {
			return nil, wrong(kindName(field))
		}
		return &xlapb.OptionOverrideProto{Value: &xlapb.OptionOverrideProto_BoolField{BoolField: x}}, nil
	case int64:
		if field != nil && (kind != protoreflect.Int32Kind && kind != protoreflect.Int64Kind || field.IsList()) {
			return nil, wrong(kindName(field))
		}
		if kind == protoreflect.Int32Kind && int64(int32(x)) != x {
			return nil, invalid(op, "override %q is %d, which does not fit 32 bits", v.Name, x)
		}
		return &xlapb.OptionOverrideProto{Value: &xlapb.OptionOverrideProto_IntField{IntField: x}}, nil
	case float64:
		if field != nil && (kind != protoreflect.FloatKind && kind != protoreflect.DoubleKind || field.IsList()) {
			return nil, wrong(kindName(field))
		}
		return &xlapb.OptionOverrideProto{Value: &xlapb.OptionOverrideProto_DoubleField{DoubleField: x}}, nil
	}
	return nil, invalid(op, "override %q is a %T; use a string, bool, int64 or float64", v.Name, v.Value)
}

// typed reads a text as a value of a flag's type, nil where it is none.
func typed(text string, kind protoreflect.Kind) any {
	var v any
	var err error
	switch kind {
	case protoreflect.BoolKind:
		v, err = strconv.ParseBool(text)
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		v, err = strconv.ParseInt(text, 10, 64)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		v, err = strconv.ParseFloat(text, 64)
	default:
		return text
	}
	if err != nil {
		return nil
	}
	return v
}

// kindName is what a flag takes, in Go's words.
func kindName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsList() || f.IsMap():
		return "string with its values, separated by commas"
	case f.Kind() == protoreflect.BoolKind:
		return "bool"
	case f.Kind() == protoreflect.Int32Kind, f.Kind() == protoreflect.Int64Kind:
		return "int64"
	case f.Kind() == protoreflect.FloatKind, f.Kind() == protoreflect.DoubleKind:
		return "float64"
	case f.Kind() == protoreflect.EnumKind:
		return "string, one of " + strings.Join(valueNames(f.Enum()), ", ")
	}
	return "string"
}

func valueNames(e protoreflect.EnumDescriptor) []string {
	var out []string
	for i := range e.Values().Len() {
		out = append(out, string(e.Values().Get(i).Name()))
	}
	return out
}

// nearest is the flag whose name takes the fewest changes.
func nearest(name string, fields protoreflect.FieldDescriptors) string {
	best, least := "", 1<<30
	if len(name) > 200 { // no flag is near, and the comparison is quadratic
		name = name[:200]
	}
	for i := range fields.Len() {
		f := string(fields.Get(i).Name())
		if d := distance(name, f); d < least {
			best, least = f, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Flags lists the names that [Override] knows, sorted.
func Flags() []string {
	fields := (&xlapb.DebugOptions{}).ProtoReflect().Descriptor().Fields()
	var out []string
	for i := range fields.Len() {
		out = append(out, string(fields.Get(i).Name()))
	}
	slices.Sort(out)
	return out
}

// CompileOptionsText shows a serialised CompileOptionsProto, such as that of [Executable.CompileOptions], for a
// reader. Its exact form may change. Errors: [isthmus.ErrInvalid] for bytes that are none.
func CompileOptionsText(b []byte) (string, error) {
	var m xlapb.CompileOptionsProto
	if err := proto.Unmarshal(b, &m); err != nil {
		return "", invalid("compile options", "%v", err)
	}
	return prototext.MarshalOptions{Multiline: true}.Format(&m), nil
}

// check refuses a signature that cannot be one.
func (o CompileOptions) check(op string) error {
	for i, t := range o.Params {
		if _, err := t.Size(); err != nil {
			return fmt.Errorf("pjrt: %s: parameter %d: %w", op, i, err)
		}
	}
	if o.Donated != nil && len(o.Donated) != len(o.Params) {
		return invalid(op, "%d donation marks for %d parameters", len(o.Donated), len(o.Params))
	}
	return nil
}
