package eval

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// process is one of the processes of a grid.
type process struct{ replica, partition int }

// grid lets the processes of a program meet.
type grid struct {
	replicas, partitions int

	mu       sync.Mutex
	meetings map[string]*meeting
	channels map[int64]chan []Value
	feed     []*stablehlo.Func    // what infeed runs, in order
	probes   map[string][]*Tensor // what passed each interpreter.probe
	link     Link                 // to the other processes, where they are not in this one; nil otherwise
	ranks    []int                // their numbers for the link; nil: the same
}

// meeting is one rendezvous: it is complete when every member has brought its values.
type meeting struct {
	values map[process][]Value
	done   chan struct{}
}

func newGrid(replicas, partitions int) *grid {
	return &grid{
		replicas: replicas, partitions: partitions,
		meetings: map[string]*meeting{}, channels: map[int64]chan []Value{},
		probes: map[string][]*Tensor{},
	}
}

// Program is what one process of [RunParallel] runs.
type Program struct {
	Func *stablehlo.Func
	Args []Value
}

// RunParallel runs a grid of processes, programs[replica][partition], each in a goroutine of its own, and returns each
// one's results. Infeed operations run the functions of feed, in order, each once. When one process fails the others
// are stopped, and the first error is returned.
func RunParallel(
	ctx context.Context, m *stablehlo.Module, programs [][]Program, feed []*stablehlo.Func, opts Options,
) ([][][]Value, error) {
	mem := &memory{limit: opts.MemoryLimit}
	results, err := runGrid(ctx, m, programs, feed, &opts, mem)
	if opts.Stats != nil {
		opts.Stats.PeakBytes = mem.peak.Load()
	}
	return results, err
}

func runGrid(
	ctx context.Context, m *stablehlo.Module, programs [][]Program, feed []*stablehlo.Func, opts *Options, mem *memory,
) ([][][]Value, error) {
	if len(programs) == 0 || len(programs[0]) == 0 {
		return nil, errors.New("eval: a grid of no processes")
	}
	for _, row := range programs {
		if len(row) != len(programs[0]) {
			return nil, errors.New("eval: replicas with different numbers of partitions")
		}
		for _, p := range row {
			if p.Func == nil {
				return nil, errors.New("eval: a process without a function")
			}
		}
	}
	g := newGrid(len(programs), len(programs[0]))
	g.feed = feed
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([][][]Value, len(programs))
	var wg sync.WaitGroup
	for i, row := range programs {
		results[i] = make([][]Value, len(row))
		for j, p := range row {
			wg.Go(func() {
				r := newRunner(ctx, m, opts, mem, g, process{i, j})
				if err := r.finish(p, &results[i][j]); err != nil {
					cancel(fmt.Errorf("eval: replica %d, partition %d: %w", i, j, err))
				}
			})
		}
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return results, nil
}

// finish runs one process of a grid to its end.
func (r *runner) finish(p Program, results *[]Value) (err error) {
	defer guard(&err)
	*results, err = r.call(p.Func, p.Args)
	if r.opts.Stats != nil {
		r.grid.mu.Lock()
		r.opts.Stats.Operations += int64(r.ops)
		r.grid.mu.Unlock()
	}
	return err
}

// grouping is one of the specification's four ways to form groups of processes from replica_groups.
type grouping uint8

const (
	crossReplica grouping = iota + 1
	crossPartition
	crossReplicaAndPartition
	flattenedIDs
)

// groups forms the groups of processes; without lists there is one group of all.
func (g *grid) groups(how grouping, lists [][]int64) ([][]process, error) {
	var out [][]process
	add := func(list []int64, to func(id int) process) error {
		var group []process
		for _, id := range list {
			if id < 0 {
				continue
			}
			p := to(int(id))
			if p.replica >= g.replicas || p.partition >= g.partitions {
				return fmt.Errorf("process %d is not in a grid of %d by %d", id, g.replicas, g.partitions)
			}
			group = append(group, p)
		}
		out = append(out, group)
		return nil
	}
	if len(lists) == 0 { // one group of all
		n := map[grouping]int{
			crossReplica: g.replicas, crossPartition: g.partitions,
			crossReplicaAndPartition: g.replicas, flattenedIDs: g.replicas * g.partitions,
		}[how]
		all := make([]int64, n)
		for i := range all {
			all[i] = int64(i)
		}
		lists = [][]int64{all}
	}
	for _, list := range lists {
		var err error
		switch how {
		case crossReplica:
			for p := range g.partitions {
				if err = add(list, func(id int) process { return process{id, p} }); err != nil {
					return nil, err
				}
			}
		case crossPartition:
			for r := range g.replicas {
				if err = add(list, func(id int) process { return process{r, id} }); err != nil {
					return nil, err
				}
			}
		case crossReplicaAndPartition:
			var group []process
			for p := range g.partitions {
				for _, id := range list {
					if id >= 0 && int(id) < g.replicas {
						group = append(group, process{int(id), p})
					}
				}
			}
			out = append(out, group)
		default:
			err = add(list, func(id int) process { return process{id / g.partitions, id % g.partitions} })
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rendezvous waits until every member of group has come with its values, and returns them all. Each meeting of the
// same operation and group is a new one, because its members all come before any of them can come again.
func (r *runner) rendezvous(op *stablehlo.Op, group []process, values []Value) (map[process][]Value, error) {
	g := r.grid
	key := fmt.Sprintf("%p %v", op, group)
	if len(group) == 1 {
		return map[process][]Value{r.id: values}, nil
	}
	if c, ok := op.Attr.(*stablehlo.CollectiveAttr); ok {
		key = fmt.Sprintf("%v %d %v %d", op.Kind, c.ChannelID, group, len(values))
	}
	g.mu.Lock()
	m := g.meetings[key]
	if m == nil {
		m = &meeting{values: map[process][]Value{}, done: make(chan struct{})}
		g.meetings[key] = m
	}
	m.values[r.id] = values
	if len(m.values) == len(group) {
		delete(g.meetings, key)
		close(m.done)
	}
	g.mu.Unlock()
	select {
	case <-m.done:
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
	return m.values, nil
}

// errChannel says what no link carries.
var errChannel = fmt.Errorf("a channel between processes of the operating system: %w; use collective_permute", ErrUnsupported)

// channel is where send and recv of one channel id meet.
func (r *runner) channel(id int64) chan []Value {
	g := r.grid
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.channels[id]
	if c == nil {
		c = make(chan []Value)
		g.channels[id] = c
	}
	return c
}

func send(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, ok := op.Attr.(*stablehlo.ChannelAttr)
	if !ok || len(in) == 0 {
		return nil, fmt.Errorf("has no attributes or no token")
	}
	if a.IsHostTransfer && r.opts.Send != nil {
		if err := r.opts.Send(r.ctx, r.place(), a.ChannelID, in[:len(in)-1]); err != nil {
			return nil, err
		}
		return []Value{Token{}}, nil
	}
	if r.grid.link != nil {
		return nil, errChannel
	}
	for _, v := range in {
		retain(v)
	}
	select {
	case r.channel(a.ChannelID) <- in[:len(in)-1]:
		return []Value{Token{}}, nil
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
}

// place counts the processes of the grid.
func (r *runner) place() int { return r.id.replica*r.grid.partitions + r.id.partition }

func recv(r *runner, op *stablehlo.Op, _ []Value, _ *frame) ([]Value, error) {
	a, ok := op.Attr.(*stablehlo.ChannelAttr)
	if !ok || len(op.Results) == 0 {
		return nil, fmt.Errorf("has no attributes or no token")
	}
	if a.IsHostTransfer && r.opts.Recv != nil {
		var types []stablehlo.Type
		for _, v := range op.Results[:len(op.Results)-1] {
			types = append(types, v.Type)
		}
		values, err := r.opts.Recv(r.ctx, r.place(), a.ChannelID, types)
		if err != nil {
			return nil, err
		}
		return append(values, Token{}), nil
	}
	if r.grid.link != nil {
		return nil, errChannel
	}
	select {
	case values := <-r.channel(a.ChannelID):
		return append(append([]Value(nil), values...), Token{}), nil
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
}

func infeed(r *runner, _ *stablehlo.Op, _ []Value, _ *frame) ([]Value, error) {
	g := r.grid
	g.mu.Lock()
	var fn *stablehlo.Func
	if len(g.feed) > 0 {
		fn, g.feed = g.feed[0], g.feed[1:]
	}
	g.mu.Unlock()
	var values []Value
	var err error
	switch {
	case fn != nil:
		values, err = r.call(fn, nil)
	case r.opts.Infeed != nil:
		values, err = r.opts.Infeed(r.ctx)
	default:
		return nil, fmt.Errorf("there is nothing to read: %w", ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	return append(append([]Value(nil), values...), Token{}), nil
}

func outfeed(r *runner, _ *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	switch {
	case len(in) == 0:
		return nil, fmt.Errorf("has no token")
	case r.opts.Outfeed != nil:
		if err := r.opts.Outfeed(r.ctx, in[:len(in)-1]); err != nil {
			return nil, err
		}
	case r.grid.replicas*r.grid.partitions == 1:
		return nil, fmt.Errorf("there is nowhere to write: %w", ErrUnsupported)
	}
	return []Value{Token{}}, nil
}
