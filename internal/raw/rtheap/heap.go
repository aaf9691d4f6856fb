package rtheap

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Heap is the reservation and what is free in it. It is made once and never unmapped: a word from before may come at any
// time. Its methods are safe for concurrent use.
type Heap struct {
	// SAFETY: owner: the heap, for ever; bounds: data below and slots above, as the functions that use it say; alignment: a
	// large page's; thread: any, it is set once.
	base unsafe.Pointer // slot 0, which is never used; data ends here
	mask uint64         // of a handle shifted left by 2: the offset of its slot
	seed uint64         // of the hashes

	dataUnits uint32 // blocks that fit below the base, in units
	maxLen    uint64 // the longest object: no stale length, taken for words, leads out of the reservation

	mu       sync.Mutex
	slotNext uint32   // slots from here on were never used
	slotEnd  uint32   //
	slotFree []uint32 //
	dataNext uint32   // units from the base on that were carved
	free     [classes][]uint32
	warm     [classes][]uint32 // free blocks of keepBytes or more that still have their memory
	warmed   uint64            // bytes of those
	fresh    [classes]span     // of a chunk that is being cut up

	used    uint64 // bytes of blocks that were taken
	limit   uint64
	misuses atomic.Int64
	sites   sites

	mags  [shards]shard // of magazines: what Go code allocates from
	spare []*magazine

	end atomic.Pointer[func(t Type, slot uint32) (size uint64)]

	// EndFile ends the file of that number. It must not wait. It is set before the first file is made.
	EndFile func(id uint64)

	endHost atomic.Pointer[func(id uint64)]
}

var process struct {
	sync.Once
	heap atomic.Pointer[Heap]
	err  error
}

// Process is the one heap that the C functions of this process use; it is made by the first call.
func Process() (*Heap, error) { return ProcessWith(Limits{}) }

// Made is the process's heap, nil when nobody asked for it.
func Made() *Heap { return process.heap.Load() }

// span is units [next, end) below the base.
type span struct{ next, end uint32 }

// Limits are what a heap may take. The zero value is the largest that the system gives.
type Limits struct {
	Data  uint64 // bytes of address space for data; default 64 GiB
	Slots uint32 // objects; default and most 2^28
	Bytes uint64 // of blocks in use, magazines included; default three quarters of the machine's memory
}

const (
	defaultData = 64 << 30
	chunkBytes  = 2 << 20
	keepBytes   = 1 << 20  // free blocks of this size or more give their memory back to the system, when
	warmBytes   = 64 << 20 // those that have not are together larger than this
)

// New reserves a heap. Where the system gives less address space than asked for (a limit, a checker), the heap is
// smaller; ErrLimit when it gives next to nothing.
func New(l Limits) (*Heap, error) {
	data, slots := l.Data, uint64(l.Slots)
	if data == 0 || data > defaultData {
		data = defaultData
	}
	if slots == 0 || slots > 1<<indexBits {
		slots = 1 << indexBits
	}
	data, slots = 1<<bits.Len64(max(data, 32*chunkBytes)-1), 1<<bits.Len64(max(slots, 1<<16)-1)
	if most := addressSpace() / 4; most < data+2*slots*slotBytes {
		for data+2*slots*slotBytes > most && data > 32*chunkBytes {
			data, slots = data/2, max(slots/2, 1<<16)
		}
	}
	for {
		above := slots*slotBytes + max(slots*slotBytes, data/8) // slots, and what nothing is written to
		b, err := reserve(data + above + chunkBytes)
		if err != nil {
			if data <= 32*chunkBytes {
				return nil, fmt.Errorf("rtheap: reserve %d bytes of address space: %w: %w", data+above, isthmus.ErrLimit, err)
			}
			data, slots = data/2, max(slots/2, 1<<16)
			continue
		}
		// The base is where a large page begins, so that chunks are large pages.
		// SAFETY: owner: the heap; bounds: skip is at most a chunk above data, and the reservation has a chunk to spare;
		// alignment: a chunk's; thread: nobody else has it yet.
		skip := data + -uint64(mem.AddrOf(b[data:]))&(chunkBytes-1)
		h := &Heap{
			base: unsafe.Pointer(&b[skip]), mask: (slots - 1) * slotBytes, seed: rand.Uint64(), // so nobody can choose keys that collide

			dataUnits: uint32(min(data>>unitShift, 1<<32-1)), maxLen: min(above/8, MaxLen),
			slotNext: 1, slotEnd: uint32(slots), limit: l.Bytes,
		}
		if h.limit == 0 {
			h.limit = machineMemory() / 4 * 3
		}
		if first := uint64(chunkBytes); slots*slotBytes > first { // few objects need few pages
			largePages(b[skip+first : skip+slots*slotBytes])
		}
		return h, nil
	}
}

// SetEnd gives the function that ends an object that is more than words: a future, a channel, an actor, a file. It lets go
// what the object held, and returns the size of its block. It is called once for each, by whoever let the last count go.
func (h *Heap) SetEnd(end func(t Type, slot uint32) (size uint64)) { h.end.CompareAndSwap(nil, &end) }

// Geometry is what C needs to find slots and data: the address of slot 0, the mask of a handle shifted left by two, the
// seed of the hashes, and the most elements that an object has.
func (h *Heap) Geometry() (base uintptr, mask, seed, maxLen uint64) {
	return uintptr(h.base), h.mask, h.seed, h.maxLen
}

// slot is where v would be: some slot of the table, whatever v is.
//
// SAFETY: owner: the heap, which is never unmapped; bounds: the mask keeps the offset inside the table; alignment: slots
// are 32 bytes from a large page's start; thread: any, through atomic operations.
func (h *Heap) slot(v Value) *slot { return (*slot)(unsafe.Add(h.base, uint64(v)<<2&h.mask)) }

// slotAt is slot i of the table.
func (h *Heap) slotAt(i uint32) *slot { return h.slot(Value(i) << indexShift) }

// word is word i of the block at blk.
//
// SAFETY: owner: the heap; bounds: i is below a length that was read from a slot, so it is at most maxLen, and the
// reservation goes on for that many words above the base; what is read there is thrown away once the slot turns out to
// have changed. A writer holds the slot's lock and knows the block's size. Thread: any, through atomic operations.
func (h *Heap) word(blk uint32, i uint64) *uint64 {
	return (*uint64)(unsafe.Add(h.base, int64(i<<3)-int64(blk)<<unitShift))
}

// half is number i of 32 bits of the block at blk.
//
// SAFETY: as for word, with i below twice the words.
func (h *Heap) half(blk uint32, i uint64) *uint32 {
	return (*uint32)(unsafe.Add(h.base, int64(i<<2)-int64(blk)<<unitShift))
}

// bytes are n bytes of the block at blk.
//
// SAFETY: as for word; the bytes of a string do not change while it lives.
func (h *Heap) bytes(blk uint32, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(h.base, -int64(blk)<<unitShift)), n)
}

// take moves the last of from to dst, and returns how many.
func take(from *[]uint32, dst []uint32) int {
	n := copy(dst, (*from)[len(*from)-min(len(dst), len(*from)):])
	*from = (*from)[:len(*from)-n]
	return n
}

// TakeSlots fills dst with free slots, each of which holds its next generation, and returns how many there were: fewer
// only when the table is full.
func (h *Heap) TakeSlots(dst []uint32) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := take(&h.slotFree, dst)
	for n < len(dst) && h.slotNext < h.slotEnd {
		dst[n] = h.slotNext
		h.slotNext++
		n++
	}
	return n
}

// GiveSlots takes free slots back.
func (h *Heap) GiveSlots(src []uint32) {
	h.mu.Lock()
	h.slotFree = append(h.slotFree, src...)
	h.mu.Unlock()
}

// TakeBlocks fills dst with free blocks of class c, and returns how many there were.
func (h *Heap) TakeBlocks(c int, dst []uint32) int {
	if c < 0 || c >= classes {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := (h.limit - min(h.used, h.limit)) >> unitShift >> c; left < uint64(len(dst)) {
		dst = dst[:left]
	}
	n := take(&h.warm[c], dst)
	h.warmed -= uint64(n) * unit << c
	n += take(&h.free[c], dst[n:])
	h.used += uint64(n) * unit << c
	for ; n < len(dst); n++ {
		s := &h.fresh[c]
		if s.next == s.end && !h.carve(c) {
			break
		}
		s.next += 1 << c
		h.used += unit << c
		dst[n] = s.next // a block begins at its lower end, which is the further from the base
	}
	return n
}

// carve gives class c a chunk: of large pages, but for the first one of small blocks, of which there may be few.
func (h *Heap) carve(c int) bool {
	size := uint32(max(chunkBytes, uint64(unit)<<c) >> unitShift)
	if size > h.dataUnits-h.dataNext {
		return false
	}
	if uint64(unit)<<c >= keepBytes || h.fresh[c].end != 0 {
		largePages(h.bytes(h.dataNext+size, uint64(size)<<unitShift))
	}
	h.fresh[c] = span{h.dataNext, h.dataNext + size}
	h.dataNext += size
	return true
}

// GiveBlocks takes free blocks of class c back. They stay mapped. Large ones keep their memory while there are few of
// them: to get it back from the system costs more than to fill it.
func (h *Heap) GiveBlocks(c int, src []uint32) {
	size := uint64(unit) << c
	h.mu.Lock()
	defer h.mu.Unlock()
	h.used -= uint64(len(src)) * size
	if size < keepBytes {
		h.free[c] = append(h.free[c], src...)
		return
	}
	for _, blk := range src {
		if h.warmed+size <= warmBytes {
			h.warmed += size
			h.warm[c] = append(h.warm[c], blk)
			continue
		}
		forget(h.bytes(blk, size))
		h.free[c] = append(h.free[c], blk)
	}
}

// magazine is what Go code takes slots and blocks from without the heap's lock.
type magazine struct {
	slots  [64]uint32
	nslots int
	blocks [magazines][64]uint32
	nblock [magazines]int
}

// shards spread goroutines over magazines.
const shards = 32

type shard struct {
	m atomic.Pointer[magazine]
	_ [56]byte // a cache line each
}

// magazine takes a magazine out, for the caller alone.
func (h *Heap) magazine() *magazine {
	if m := h.mags[mem.Spot()%shards].m.Swap(nil); m != nil {
		return m
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.spare); n > 0 {
		m := h.spare[n-1]
		h.spare = h.spare[:n-1]
		return m
	}
	return new(magazine)
}

func (h *Heap) putBack(m *magazine) {
	if h.mags[mem.Spot()%shards].m.CompareAndSwap(nil, m) {
		return
	}
	h.mu.Lock()
	h.spare = append(h.spare, m)
	h.mu.Unlock()
}

// perFill is how many blocks of class c a magazine is filled with.
func perFill(c int) int { return max(1, min(32, 1<<15>>c)) }

// takeSlot returns a free slot, 0 when there is none.
func (h *Heap) takeSlot() uint32 {
	m := h.magazine()
	defer h.putBack(m)
	if m.nslots == 0 {
		if m.nslots = h.TakeSlots(m.slots[:32]); m.nslots == 0 {
			return 0
		}
	}
	m.nslots--
	return m.slots[m.nslots]
}

func (h *Heap) giveSlot(i uint32) {
	m := h.magazine()
	if m.nslots == len(m.slots) {
		h.GiveSlots(m.slots[32:])
		m.nslots = 32
	}
	m.slots[m.nslots] = i
	m.nslots++
	h.putBack(m)
}

// takeBlock returns a block of at least n bytes, 0 when there is none.
func (h *Heap) takeBlock(n uint64) uint32 {
	c := classOf(n)
	if c >= magazines {
		var one [1]uint32
		h.TakeBlocks(c, one[:])
		return one[0]
	}
	m := h.magazine()
	defer h.putBack(m)
	if m.nblock[c] == 0 {
		if m.nblock[c] = h.TakeBlocks(c, m.blocks[c][:perFill(c)]); m.nblock[c] == 0 {
			return 0
		}
	}
	m.nblock[c]--
	return m.blocks[c][m.nblock[c]]
}

// giveBlock takes back a block of n bytes.
func (h *Heap) giveBlock(blk uint32, n uint64) {
	if blk == 0 {
		return
	}
	c := classOf(n)
	if c >= magazines {
		h.GiveBlocks(c, []uint32{blk})
		return
	}
	m := h.magazine()
	if k := perFill(c); m.nblock[c] == 2*k {
		h.GiveBlocks(c, m.blocks[c][k:2*k])
		m.nblock[c] = k
	}
	m.blocks[c][m.nblock[c]] = blk
	m.nblock[c]++
	h.putBack(m)
}
