package pjrtlayer

import (
	"bufio"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// tracedOps is how many objects of a call are named in the trace.
const tracedOps = 6

// record is one call in the trace, as it was made. Everything else is worked out when it is written.
type record struct {
	fn         *layer.Func
	start, end time.Duration
	lane       uintptr
	words      [tracedOps]uintptr
	detail     [2]uint64
	failed     bool
	ready      bool
}

const (
	chunkRecords = 1024
	chunksAhead  = 64 // until callers wait for the writer
)

// tracer collects calls in chunks, which one goroutine writes.
type tracer struct {
	began  time.Time
	chunks chan []record
	done   chan struct{}
	free   sync.Pool

	mu     sync.Mutex
	now    []record
	closed bool

	w      *bufio.Writer
	err    error
	spec   *layer.Spec
	ids    map[object]uint64
	lanes  map[uintptr]int
	flows  map[uint64]bool // events whose end is not in the trace yet
	event  layer.Kind
	first  bool
	line   []byte
	counts []uint64 // objects made, by kind

	made, seen []uint64 // events of the call that is written
}

type object struct {
	kind layer.Kind
	addr uintptr
}

func newTracer(w io.Writer, s *layer.Spec) *tracer {
	t := &tracer{
		began: time.Now(), chunks: make(chan []record, chunksAhead), done: make(chan struct{}), now: make([]record, 0, chunkRecords),
		w: bufio.NewWriterSize(w, 1<<16), spec: s, ids: map[object]uint64{}, lanes: map[uintptr]int{}, flows: map[uint64]bool{},
		event: s.Kind("Event"), first: true, counts: make([]uint64, len(s.Kinds)),
	}
	go t.write()
	return t
}

// traced makes a call and enters it in the trace, if there is one.
func (l *Layer) traced(fn *layer.Func, f *call.Frame, a mem.Addr, ext call.Fn) uintptr {
	t := l.tracer
	if t == nil {
		return l.invoke(fn, f, a, ext)
	}
	var r record
	r.fn, r.lane = fn, lane()
	r.take(a, false)
	r.start = time.Since(t.began)
	ret := l.invoke(fn, f, a, ext)
	r.end = time.Since(t.began)
	r.failed = ret != 0 && !fn.Void
	r.take(a, true)
	t.add(&r)
	return ret
}

// take reads the words of the arguments that are objects: those given before the call, those made after it.
func (r *record) take(a mem.Addr, after bool) {
	if a == 0 || a%8 != 0 {
		return
	}
	size := uintptr(1 << 16)
	if r.fn.Size != 0 {
		// SAFETY: owner: the caller, for the call; bounds: the struct begins with its size; alignment: checked.
		size = uintptr(*mem.At[uint64](a))
	}
	for i := range r.fn.Ops {
		op := &r.fn.Ops[i]
		if i == tracedOps || op.Off+8 > size || op.Count != 0 || after != (op.Act == layer.Create || op.Act == layer.Borrow) || op.Act == layer.Nested || op.Act == layer.Seen || after && r.failed {
			continue
		}
		// SAFETY: as above; the offset is inside the size that the struct states.
		r.words[i] = *mem.At[uintptr](uintptr(a) + op.Off)
	}
	if after && size >= r.fn.Size {
		r.details(a)
	}
}

// details reads what is worth knowing of some calls.
func (r *record) details(a mem.Addr) {
	// SAFETY: owner: the caller, for the call; bounds: take has compared the size; alignment: it too; thread: the caller's.
	switch pjrtc.Slot(r.fn.ID) {
	case pjrtc.SlotClientBufferFromHostBuffer:
		v := mem.At[pjrtc.ClientBufferFromHostBufferArgs](a)
		if dims, err := v.Dims.Slice(min(v.NumDims, layer.MaxList)); err == nil {
			r.detail = [2]uint64{dense(v.Type, dims), uint64(v.Type)}
		}
	case pjrtc.SlotBufferToHostBuffer:
		r.detail[0] = mem.At[pjrtc.BufferToHostBufferArgs](a).DstSize
	case pjrtc.SlotLoadedExecutableExecute:
		v := mem.At[pjrtc.LoadedExecutableExecuteArgs](a)
		r.detail = [2]uint64{v.NumArgs, v.NumDevices}
		if v.DeviceCompleteEvents != 0 && v.NumDevices > 0 && !r.failed {
			r.words[tracedOps-1] = uintptr(*v.DeviceCompleteEvents.At())
		}
	case pjrtc.SlotEventIsReady:
		r.ready = mem.At[pjrtc.EventIsReadyArgs](a).IsReady
	case pjrtc.SlotAsyncHostToDeviceTransferManagerTransferData:
		r.detail[0] = uint64(mem.At[pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs](a).TransferSize)
	}
}

func (t *tracer) add(r *record) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.now = append(t.now, *r)
	if len(t.now) < chunkRecords {
		t.mu.Unlock()
		return
	}
	full := t.now
	if c, ok := t.free.Get().(*[]record); ok {
		t.now = *c
	} else {
		t.now = make([]record, 0, chunkRecords)
	}
	t.chunks <- full // in order, so under the lock
	t.mu.Unlock()
}

// close writes what is left and ends the trace.
func (t *tracer) close() error {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		t.chunks <- t.now
		close(t.chunks)
	}
	t.mu.Unlock()
	<-t.done
	return t.err
}

func (t *tracer) write() {
	defer close(t.done)
	t.put(`{"displayTimeUnit":"ns","traceEvents":[`)
	t.open(0, "M", "process_name")
	t.line = append(t.line, `,"args":{"name":"isthmus"}}`...)
	for chunk := range t.chunks {
		for i := range chunk {
			t.record(&chunk[i])
		}
		t.flush()
		chunk = chunk[:0]
		t.free.Put(&chunk)
	}
	t.put("\n]}\n")
	t.flush()
	if err := t.w.Flush(); t.err == nil {
		t.err = err
	}
}

func (t *tracer) put(s string) { t.line = append(t.line, s...) }

func (t *tracer) flush() {
	if _, err := t.w.Write(t.line); t.err == nil {
		t.err = err
	}
	t.line = t.line[:0]
}

// open begins an event.
func (t *tracer) open(tid int, phase, name string) {
	if !t.first {
		t.put(",")
	}
	t.first = false
	t.line = append(append(append(t.line, "\n{\"ph\":\""...), phase...), "\",\"pid\":1,\"tid\":"...)
	t.line = strconv.AppendInt(t.line, int64(tid), 10)
	t.line = append(append(append(t.line, `,"name":"`...), name...), '"')
}

func (t *tracer) time(key string, d time.Duration) {
	t.line = append(append(append(t.line, `,"`...), key...), `":`...)
	t.line = strconv.AppendInt(t.line, int64(d/1000), 10)
	ns := int(d % 1000)
	t.line = append(t.line, '.', byte('0'+ns/100), byte('0'+ns/10%10), byte('0'+ns%10))
}

// record writes one call, and the flows that begin or end in it.
func (t *tracer) record(r *record) {
	lane := t.lane(r.lane)
	t.open(lane, "X", r.fn.Name)
	t.put(`,"cat":"pjrt"`)
	t.time("ts", r.start)
	t.time("dur", r.end-r.start)
	t.put(`,"args":{`)
	made, seen := t.made[:0], t.seen[:0]
	n := 0
	for i := range r.fn.Ops {
		op := &r.fn.Ops[i]
		if i == tracedOps || r.words[i] == 0 || op.Act == layer.Nested || op.Act == layer.Seen || op.Count != 0 {
			continue
		}
		id := t.id(op, r.words[i])
		if op.Kind == t.event {
			if op.Act == layer.Create {
				made = append(made, id)
			} else {
				seen = append(seen, id)
			}
		}
		if n++; n > 1 {
			t.put(",")
		}
		t.line = append(append(append(t.line, '"'), op.Field...), `":"`...)
		t.line = append(append(t.line, t.spec.Kinds[op.Kind]...), '#')
		t.line = strconv.AppendUint(t.line, id, 10)
		t.put(`"`)
	}
	number := func(name string, v uint64) {
		if n++; n > 1 {
			t.put(",")
		}
		t.put(`"` + name + `":`)
		t.line = strconv.AppendUint(t.line, v, 10)
	}
	ends := false
	switch pjrtc.Slot(r.fn.ID) {
	case pjrtc.SlotClientBufferFromHostBuffer:
		number("bytes", r.detail[0])
		t.put(`,"type":"` + pjrtc.BufferType(r.detail[1]).String() + `"`)
	case pjrtc.SlotBufferToHostBuffer, pjrtc.SlotAsyncHostToDeviceTransferManagerTransferData:
		number("bytes", r.detail[0])
	case pjrtc.SlotLoadedExecutableExecute:
		number("arguments", r.detail[0])
		number("devices", r.detail[1])
		if w := r.words[tracedOps-1]; w != 0 {
			made = append(made, t.id(&layer.Op{Act: layer.Create, Kind: t.event}, w))
		}
	case pjrtc.SlotEventAwait, pjrtc.SlotEventDestroy:
		ends = true
	case pjrtc.SlotEventIsReady:
		ends = r.ready
	}
	if r.failed {
		if n > 0 {
			t.put(",")
		}
		t.put(`"failed":true`)
	}
	t.put("}}")
	t.made, t.seen = made, seen
	for _, id := range made {
		t.flows[id] = true
		t.flow(lane, "s", id, r.start)
	}
	for _, id := range seen {
		if ends && t.flows[id] {
			delete(t.flows, id)
			t.flow(lane, "f", id, (r.start+r.end)/2)
		}
	}
}

func (t *tracer) flow(lane int, phase string, id uint64, at time.Duration) {
	t.open(lane, phase, "until done")
	t.put(`,"cat":"pjrt","bp":"e"`)
	t.time("ts", at)
	t.put(`,"id":`)
	t.line = strconv.AppendUint(t.line, id, 10)
	t.put("}")
}

// id numbers the objects of a kind by their making. The address of one that is gone may be another's.
func (t *tracer) id(op *layer.Op, a uintptr) uint64 {
	o := object{op.Kind, a}
	id, ok := t.ids[o]
	if !ok || op.Act == layer.Create {
		t.counts[op.Kind]++
		id = t.counts[op.Kind]
		t.ids[o] = id
	}
	if op.Act == layer.Destroy {
		delete(t.ids, o)
	}
	return id
}

// lane numbers what ran calls one after the other: a goroutine, until it ends and another takes its place.
func (t *tracer) lane(g uintptr) int {
	n, ok := t.lanes[g]
	if !ok {
		n = len(t.lanes) + 1
		t.lanes[g] = n
		t.open(n, "M", "thread_name")
		t.put(`,"args":{"name":"goroutine lane `)
		t.line = strconv.AppendInt(t.line, int64(n), 10)
		t.put(`"}}`)
	}
	return n
}
