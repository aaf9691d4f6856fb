package mem

import "sync"

// Held is native memory that stays where it is until Release.
type Held struct {
	mu   sync.Mutex
	data []byte
	drop func()
}

// Hold makes a Held of data; drop is called once, by Release.
//
// Preconditions: data is readable until drop is called.
func Hold(data []byte, drop func()) *Held { return &Held{data: data, drop: drop} }

// Bytes is the memory, nil after Release.
//
// Preconditions: the result is not used after Release.
func (h *Held) Bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.data
}

// Release lets the memory go. It is idempotent.
func (h *Held) Release() {
	h.mu.Lock()
	drop := h.drop
	h.data, h.drop = nil, nil
	h.mu.Unlock()
	if drop != nil {
		drop()
	}
}
