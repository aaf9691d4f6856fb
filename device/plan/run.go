package plan

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// Memory lends memory to a run, from any of its goroutines. Blocks are aligned to 64 bytes, or to what [AlignedHeap] gives. Free takes back what
// Alloc gave.
type Memory interface {
	Alloc(n int64) ([]byte, error)
	Free(b []byte)
}

// Heap is a [Memory] of the Go heap without a limit.
type Heap struct{}

// Alloc makes a block.
func (Heap) Alloc(n int64) ([]byte, error) { return alignedBytes(n), nil }

// Free leaves the block to the collector.
func (Heap) Free([]byte) {}

// Arg is an argument of a run: dense little-endian elements, aligned for their type. If Donated is set the run may
// write over it and may give the same memory back as a result.
type Arg struct {
	Data    []byte
	Donated bool
}

// run is one execution.
type run struct {
	ctx     context.Context
	kernels *kernel.Table
	pool    Pool
	par     kernel.Par
	watch   kernel.Par // par for steps that take long
	memory  Memory
	bufs    [][]byte
	halt    atomic.Bool
	failure atomic.Pointer[error]
	prog    *Program
}

// bytes is the memory of a value.
func (r *run) bytes(v *value) []byte {
	if v.lit != nil {
		return v.lit.Data
	}
	return r.bufs[v.buf.slot][:v.size]
}

// stopped says whether the run has been cancelled or has failed; tasks look before they begin.
func (r *run) stopped() bool {
	if r.halt.Load() {
		return true
	}
	if r.ctx.Err() != nil {
		r.halt.Store(true)
		return true
	}
	return false
}

// watched is the workers for a long step: tasks that have not begun when the run is stopped are left out.
func (r *run) watched(n int, f func(i int)) {
	r.pool.Run(n, func(i int) {
		if !r.stopped() {
			f(i)
		}
	})
}

func (r *run) err() error {
	if p := r.failure.Load(); p != nil {
		return *p
	}
	return r.ctx.Err()
}

func (r *run) block(p *planned) error {
	for _, u := range p.units {
		if err := u.step(r); err != nil {
			return err
		}
	}
	for i := range p.moves {
		p.moves[i].run(r)
	}
	return r.ctx.Err()
}

// fail makes the run end with err.
func (r *run) fail(err error) {
	r.failure.CompareAndSwap(nil, &err)
	r.halt.Store(true)
}

// smallScratch is the size up to which a step's own memory is not asked of the run's [Memory].
const smallScratch = 1 << 16

// borrow lends n bytes of unspecified content, like scratch; many come from the run's memory and its limit.
func (r *run) borrow(n int64) (*scratchMem, error) {
	if n <= smallScratch {
		return r.scratch(n), nil
	}
	b, err := r.memory.Alloc(n)
	if err != nil {
		return nil, fmt.Errorf("plan: run: %d bytes to work in: %w", n, err)
	}
	return &scratchMem{b: b, whole: b}, nil
}

// giveBack ends what borrow began.
func (r *run) giveBack(s *scratchMem) {
	if s.whole != nil {
		r.memory.Free(s.whole)
		return
	}
	r.release(s)
}

// scratchMem is memory that a step borrows while it runs.
type scratchMem struct {
	words []uint64
	b     []byte
	whole []byte // of the run's memory, if it is
}

// scratch lends n bytes of unspecified content, aligned for every element type.
func (r *run) scratch(n int64) *scratchMem {
	s, _ := r.prog.scratches.Get().(*scratchMem)
	if s == nil {
		s = &scratchMem{}
	}
	if need := int((n + 7) / 8); cap(s.words) < need {
		s.words = make([]uint64, need)
	}
	s.b = bytesOf(s.words[:cap(s.words)])[:n]
	return s
}

func (r *run) release(s *scratchMem) { r.prog.scratches.Put(s) }

// Run executes the program. Args are borrowed until Run returns. The results come from mem, one block each, and belong
// to the caller, except that a result may be the memory of a donated argument: then that argument is gone.
//
// When ctx is done, Run stops at the next step or task and returns its error. On any error all memory that Run took
// has been given back, and donated arguments hold unspecified values.
func (p *Program) Run(ctx context.Context, args []Arg, memory Memory) (results [][]byte, err error) {
	if len(args) != len(p.args) {
		return nil, fmt.Errorf("plan: run: %d arguments, the program has %d", len(args), len(p.args))
	}
	for i, a := range args {
		if want := p.args[i].Size(); int64(len(a.Data)) != want {
			return nil, fmt.Errorf("plan: run: argument %d has %d bytes, %v has %d", i, len(a.Data), p.args[i], want)
		}
	}
	if memory == nil {
		memory = Heap{}
	}
	r := &run{ctx: ctx, kernels: p.kernels, pool: p.pool, memory: memory, prog: p}
	r.par, r.watch = p.pool.Run, r.watched
	r.bufs = make([][]byte, len(p.slots))
	var taken [][]byte
	defer func() {
		if err != nil {
			for _, b := range taken {
				memory.Free(b)
			}
		}
	}()
	arena, err := memory.Alloc(p.arenaSize)
	if err != nil {
		return nil, fmt.Errorf("plan: run: %d bytes of temporary memory: %w", p.arenaSize, err)
	}
	defer memory.Free(arena)
	for i, a := range args {
		r.bufs[p.argSlot[i]] = a.Data
	}
	results = make([][]byte, len(p.results))
	for i := range p.results {
		if d := p.outDonor[i]; d >= 0 && args[d].Donated {
			results[i] = args[d].Data
		} else {
			if results[i], err = memory.Alloc(p.results[i].Size()); err != nil {
				return nil, fmt.Errorf("plan: run: result %d, %v: %w", i, p.results[i], err)
			}
			taken = append(taken, results[i])
		}
		r.bufs[p.outSlot[i]] = results[i]
	}
	for i, s := range p.slots {
		if s.arena {
			r.bufs[i] = arena[s.offset : s.offset+s.size : s.offset+s.size]
		}
	}
	if err := r.block(p.block); err != nil {
		return nil, err
	}
	return results, nil
}
