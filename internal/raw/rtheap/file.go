package rtheap

// A file's slot has a number, by which whoever owns its resources knows it; EndFile is told when it ends.

// NewFile makes a file object of that number.
func (h *Heap) NewFile(id uint64) (Value, Code) { return h.newObject(File, 0, 0, id, nil) }

// FileID is the number of a file object.
func (h *Heap) FileID(f Value) (uint64, Code) { return h.aux(f, File) }

// NewStringWith makes a string of at most n bytes: fill writes them, which may take its time, and says how many there are.
func (h *Heap) NewStringWith(n uint64, fill func([]byte) int) (Value, Code) {
	if n >= h.maxLen {
		return Nil, BadSize
	}
	blk := h.takeBlock(n + 1)
	if blk == 0 {
		return Nil, NoMemory
	}
	b := h.bytes(blk, n+1)
	k := min(max(fill(b[:n:n]), 0), int(n))
	if classOf(uint64(k)+1) != classOf(n+1) { // a block is known by the length of what is in it
		v, code := h.NewString(b[:k])
		h.giveBlock(blk, n+1)
		return v, code
	}
	b[k] = 0
	i := h.takeSlot()
	if i == 0 {
		h.giveBlock(blk, n+1)
		return Nil, NoMemory
	}
	return h.made(i, String, blk, uint32(k), 0), OK
}

// Lend is the bytes of a string, which the caller counts for as long as it uses them.
func (h *Heap) Lend(v Value) ([]byte, Code) { return h.lend(v) }

// SetEndHost sets what is told of the end of a host object: an object that stands for a function of the host's. The first
// call counts. It must not wait.
func (h *Heap) SetEndHost(end func(id uint64)) { h.endHost.CompareAndSwap(nil, &end) }
