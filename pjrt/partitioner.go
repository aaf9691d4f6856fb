package pjrt

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// PartitionOperand is an operand or the result of a custom call that is being partitioned.
type PartitionOperand struct {
	Shape    []byte // a serialised xla.ShapeProto
	Sharding []byte // a serialised xla.OpSharding, see [ParseSharding]; nil where there is none yet
}

// PartitionCall is a custom call that the compiler splits over devices.
type PartitionCall struct {
	Operands []PartitionOperand
	// Result has no sharding where the compiler asks for it.
	Result PartitionOperand
	// Config is the call's backend_config.
	Config []byte
}

// Partition is one device's part of a custom call.
type Partition struct {
	Module         []byte   // the program of the part: StableHLO, text or bytecode
	OperandShards  [][]byte // a serialised xla.OpSharding for each operand
	ResultSharding []byte   // and for the result
}

// PartitionRules say how the compiler splits a custom call. All three may be called on any number of goroutines at
// once. Partition is required.
type PartitionRules struct {
	Partition func(PartitionCall) (Partition, error)
	// InferSharding gives the result's sharding for those of the operands, nil for none.
	InferSharding func(PartitionCall) (sharding []byte, err error)
	// PropagateSharding changes a sharding that the user asked for; nil leaves it as it is.
	PropagateSharding func(PartitionCall) (sharding []byte, err error)
	// ReplicatedSideEffects lets a call with side effects have a replicated sharding.
	ReplicatedSideEffects bool
}

// Partitioner is Go code that splits custom calls of one name. It is safe for concurrent use.
//
// Plugins keep a registration as long as the process lives. After Close a compilation that needs it is an error, until
// the name is registered again.
type Partitioner struct {
	owned ffi.Owned[*partitionEntry]
	name  string
	rules PartitionRules
}

// partitionEntry is what a plugin holds for good, and the partitioner that it stands for at present.
type partitionEntry struct {
	name    string
	current atomic.Pointer[Partitioner]
	block   *mem.Block
}

// partitioners are a plugin's entries.
type partitioners struct {
	mu      sync.Mutex
	entries map[string]*partitionEntry
	class   ffi.Class[*partitionEntry]
}

// RegisterPartitioner makes rules say how the compiler splits custom calls to name. Their errors, and panics in them,
// become errors of the compilation. Calls PJRT_Register_Custom_Partitioner.
//
// The caller closes the partitioner. Errors: [isthmus.ErrUnsupported] where the plugin has no Custom_Partitioner
// extension, [isthmus.ErrBusy] while the name is in use.
func (p *Plugin) RegisterPartitioner(name string, rules PartitionRules) (*Partitioner, error) {
	const op = "register partitioner"
	switch {
	case p == nil || p.table == nil:
		return nil, invalid(op, "no plugin")
	case name == "" || strings.ContainsRune(name, 0):
		return nil, invalid(op, "the name is %q", name)
	case rules.Partition == nil:
		return nil, invalid(op, "%s: no function that partitions", name)
	}
	r := &Partitioner{name: name, rules: rules}
	s := &p.parters
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e != nil && e.current.Load() != nil {
		return nil, fmt.Errorf("pjrt: %s: %q is registered: %w; close it first", op, name, isthmus.ErrBusy)
	}
	if e == nil {
		var err error
		if e, err = p.newPartitionEntry(op, name, rules.ReplicatedSideEffects); err != nil {
			return nil, err
		}
		if s.entries == nil {
			s.entries = map[string]*partitionEntry{}
		}
		s.entries[name] = e
	}
	s.class.Name, s.class.Backstop = "pjrt.Partitioner", ffi.BackstopNone // the entry keeps it reachable
	s.class.Destroy = func(e *partitionEntry) error { e.current.Store(nil); return nil }
	if err := r.owned.Init(&s.class, e); err != nil {
		return nil, err
	}
	e.current.Store(r)
	return r, nil
}

// newPartitionEntry registers a name for good.
func (p *Plugin) newPartitionEntry(op, name string, replicated bool) (*partitionEntry, error) {
	if err := p.needs(op, (*pjrtc.RegisterCustomPartitionerArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	fns, err := partitionFunctions()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	e := &partitionEntry{name: name}
	if e.block, err = mem.Alloc(mem.SizeOf[pjrtc.CustomCallPartitionerCallbacks](), 16); err != nil {
		return nil, err
	}
	c := pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks](mem.AddrOf(e.block.Bytes())).At()
	token := values.add(e)
	c.Version, c.PrivateData, c.Dtor = 1, pjrtc.Addr(token), pjrtc.Func(fns[0])
	c.Partition, c.InferSharding, c.PropagateUserSharding = pjrtc.Func(fns[1]), pjrtc.Func(fns[2]), pjrtc.Func(fns[3])
	c.CanSideEffectingHaveReplicatedSharding = replicated
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.RegisterCustomPartitionerArgs) (err error) {
		a.Name, err = bytesOf(f, name)
		a.NameSize, a.Callbacks = uint64(len(name)), pjrtc.To(c)
		return err
	}, nil)
	if err != nil {
		// Who refuses a registration does not call its destructor.
		if _, ok := values.get(token); ok {
			values.drop(token)
			_ = e.block.Free()
		}
		return nil, err
	}
	return e, nil
}

// RegisterBatchPartitionable says that custom calls to name can be split along their first dimensions, each part like
// the whole. It holds for the process's life. Calls PJRT_Register_Batch_Partitionable.
func (p *Plugin) RegisterBatchPartitionable(name string) error {
	const op = "register batch partitionable"
	if p == nil || p.table == nil || name == "" {
		return invalid(op, "no plugin, or no name")
	}
	return askExt(p, op, func(f *call.Frame, a *pjrtc.RegisterBatchPartitionableArgs) (err error) {
		a.Name, err = bytesOf(f, name)
		a.NameSize = uint64(len(name))
		return err
	}, nil)
}

// partitionFunctions are the C functions of all partitioners: destructor, partition, infer, propagate.
var partitionFunctions = sync.OnceValues(func() (fns [4]call.Fn, err error) {
	for i, f := range []any{
		func(c uintptr) uintptr {
			// SAFETY: owner: the entry, until here; bounds and alignment: the struct that newPartitionEntry made;
			// thread: the plugin calls it once, when nothing else uses the struct.
			token := uintptr(pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks](c).At().PrivateData)
			if v, ok := values.get(token); ok {
				values.drop(token)
				_ = v.(*partitionEntry).block.Free()
			}
			return 0
		},
		func(c, a uintptr) uintptr {
			// SAFETY: owner: the plugin, which keeps both structs for this call; bounds and alignment: the contract of
			// a partitioner; thread: this one, which waits for the Go function.
			servePartition(entryOf(c), pjrtc.Ptr[pjrtc.CustomCallPartitionerPartitionArgs](a).At())
			return 0
		},
		func(c, a uintptr) uintptr {
			// SAFETY: as above.
			serveInfer(entryOf(c), pjrtc.Ptr[pjrtc.CustomCallPartitionerInferShardingFromOperandsArgs](a).At())
			return 0
		},
		func(c, a uintptr) uintptr {
			// SAFETY: as above.
			servePropagate(entryOf(c), pjrtc.Ptr[pjrtc.CustomCallPartitionerPropagateUserShardingArgs](a).At())
			return 0
		},
	} {
		if fns[i], err = cb.Static(f); err != nil {
			return fns, err
		}
	}
	return fns, nil
})

// entryOf finds the entry of a callbacks struct, nil for one that was ended.
func entryOf(c uintptr) *partitionEntry {
	// SAFETY: as in partitionFunctions.
	v, _ := values.get(uintptr(pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks](c).At().PrivateData))
	e, _ := v.(*partitionEntry)
	return e
}

// rule runs f with the entry's rules, behind the barrier, and fills the header.
func (e *partitionEntry) rule(h *pjrtc.CustomCallPartitionerVersionAndError, f func(PartitionRules, *nativeResult) error) {
	h.HasError, h.Data, h.CleanupFn = false, 0, 0
	r := &nativeResult{}
	err := func() error {
		if e == nil {
			return fmt.Errorf("the partitioner %w", isthmus.ErrClosed)
		}
		p := e.current.Load()
		if p == nil {
			return fmt.Errorf("the partitioner %w", isthmus.ErrClosed)
		}
		if _, err := p.owned.Use(); err != nil {
			return err
		}
		defer p.owned.Done()
		_, err := isolated(func() (struct{}, error) { return struct{}{}, f(p.rules, r) })
		return err
	}()
	if err != nil {
		name := "?"
		if e != nil {
			name = e.name
		}
		h.HasError, h.Code = true, pjrtc.ErrorCode(codeOf(err))
		h.ErrorMsg = r.text(fmt.Appendf(nil, "partitioner %q: %v", name, err))
	}
	h.Data, h.CleanupFn = r.give()
}

// text copies b; where there is no memory it is empty.
func (r *nativeResult) text(b []byte) (s pjrtc.CustomCallPartitionerString) {
	p, err := r.bytes(b)
	if err == nil {
		s.Data, s.Size = p, uint64(len(b))
	}
	return s
}

func readText(s pjrtc.CustomCallPartitionerString) ([]byte, error) {
	b, err := mem.Copy(s.Data, s.Size, maxProgram)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func readOperand(a *pjrtc.CustomCallPartitionerAval) (o PartitionOperand, err error) {
	if o.Shape, err = readText(a.Shape); err == nil && a.HasSharding {
		o.Sharding, err = readText(a.Sharding)
	}
	return o, err
}

func readOperands(p pjrtc.Ptr[pjrtc.CustomCallPartitionerAval], n uint64) ([]PartitionOperand, error) {
	if n > maxValues {
		return nil, fmt.Errorf("%d operands: %w", n, isthmus.ErrBounds)
	}
	in, err := p.Slice(n)
	if err != nil {
		return nil, err
	}
	out := make([]PartitionOperand, len(in))
	for i := range in {
		if out[i], err = readOperand(&in[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func servePartition(e *partitionEntry, a *pjrtc.CustomCallPartitionerPartitionArgs) {
	e.rule(&a.Header, func(rules PartitionRules, r *nativeResult) (err error) {
		var c PartitionCall
		if c.Operands, err = readOperands(a.OpArgs, a.NumArgs); err != nil {
			return err
		}
		if c.Result, err = readOperand(&a.OpResult); err != nil {
			return err
		}
		if c.Config, err = readText(a.BackendConfig); err != nil {
			return err
		}
		out, err := rules.Partition(c)
		if err != nil {
			return err
		}
		if len(out.OperandShards) != len(c.Operands) {
			return fmt.Errorf("shardings of %d operands, there are %d: %w", len(out.OperandShards), len(c.Operands), isthmus.ErrInvalid)
		}
		b, err := r.alloc(len(out.OperandShards) * mem.SizeOf[pjrtc.CustomCallPartitionerString]())
		if err != nil {
			return err
		}
		list, err := mem.Slice[pjrtc.CustomCallPartitionerString](mem.AddrOf(b), len(out.OperandShards))
		if err != nil {
			return err
		}
		for i, s := range out.OperandShards {
			list[i] = r.text(s)
		}
		a.ArgsSharding, a.MlirModule, a.ResultSharding = pjrtc.ToSlice(list), r.text(out.Module), r.text(out.ResultSharding)
		return nil
	})
}

func serveInfer(e *partitionEntry, a *pjrtc.CustomCallPartitionerInferShardingFromOperandsArgs) {
	a.HasResultSharding = false
	e.rule(&a.Header, func(rules PartitionRules, r *nativeResult) (err error) {
		var c PartitionCall
		if rules.InferSharding == nil {
			return nil
		}
		if c.Operands, err = readOperands(a.OpArgs, a.NumArgs); err != nil {
			return err
		}
		if c.Result.Shape, err = readText(a.ResultShape); err != nil {
			return err
		}
		if c.Config, err = readText(a.BackendConfig); err != nil {
			return err
		}
		s, err := rules.InferSharding(c)
		if err == nil && s != nil {
			a.HasResultSharding, a.ResultSharding = true, r.text(s)
		}
		return err
	})
}

func servePropagate(e *partitionEntry, a *pjrtc.CustomCallPartitionerPropagateUserShardingArgs) {
	e.rule(&a.Header, func(rules PartitionRules, r *nativeResult) (err error) {
		var c PartitionCall
		if rules.PropagateSharding == nil {
			return nil
		}
		if c.Result.Shape, err = readText(a.ResultShape); err != nil {
			return err
		}
		if c.Result.Sharding, err = readText(a.ResultSharding); err != nil {
			return err
		}
		if c.Config, err = readText(a.BackendConfig); err != nil {
			return err
		}
		s, err := rules.PropagateSharding(c)
		if err == nil && s != nil {
			a.ResultSharding = r.text(s)
		}
		return err
	})
}

// Name is the custom call's name.
func (r *Partitioner) Name() string { return orZeroPartitioner(r).name }

func orZeroPartitioner(r *Partitioner) *Partitioner {
	if r == nil {
		return &Partitioner{}
	}
	return r
}

// String returns the name.
func (r *Partitioner) String() string {
	if r == nil || r.name == "" {
		return "pjrt.Partitioner(none)"
	}
	state := ""
	if !r.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Partitioner(%s%s)", r.name, state)
}

// Close ends the partitioner. While it runs, the error wraps [isthmus.ErrBusy]. Close is idempotent and nil-safe.
func (r *Partitioner) Close() error {
	if r == nil {
		return nil
	}
	return r.owned.Close()
}

// CloseWait is Close that waits for calls in progress; when ctx ends first, its cause is the error.
func (r *Partitioner) CloseWait(ctx context.Context) error {
	if r == nil {
		return nil
	}
	return r.owned.CloseWait(ctx)
}
