package pjrt

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
)

// claim is what an execution does with its arguments while the plugin takes them: nobody else may use those whose
// memory it takes, and nobody may take the memory of those that it uses.
//
// XLA takes a hold of one argument after the other. One that is given away waits until all who use it let go, and
// who wants to use it waits until it is given: two executions that each have what the other waits for wait for ever. One
// that uses a buffer twice and one that takes it are enough. So the claims wait for each other here, for all of their
// buffers at once. What has one hold only, like a read, holds nothing while it waits, and needs no claim.
type claim struct {
	takes []*Buffer // each once, and none of uses
	uses  []*Buffer // perhaps several times
}

// claim lists the arguments.
func (r *run) claim() claim {
	sig := r.x.sig
	if sig != nil && !sig.donates {
		if len(r.args) == 1 {
			return claim{uses: r.args[0]}
		}
		return claim{uses: slices.Concat(r.args...)}
	}
	var c claim
	taken := map[*Buffer]bool{}
	for _, args := range r.args {
		for i, b := range args {
			if (sig == nil || sig.donated[i]) && !slices.Contains(r.keep, i) && !taken[b] {
				taken[b], c.takes = true, append(c.takes, b)
			}
		}
	}
	for _, args := range r.args {
		for _, b := range args {
			if !taken[b] {
				c.uses = append(c.uses, b)
			}
		}
	}
	return c
}

// at returns buffer i of all of them.
func (c *claim) at(i int) (b *Buffer, takes bool) {
	if i < len(c.takes) {
		return c.takes[i], true
	}
	return c.uses[i-len(c.takes)], false
}

// lock waits until all are free. It waits for one at a time, and while it waits it holds none.
func (c *claim) lock() {
	n := len(c.takes) + len(c.uses)
	for first := 0; n > 0; {
		if b, takes := c.at(first); takes {
			b.turn.Lock()
		} else {
			b.turn.RLock()
		}
		k := 1
		for k < n && c.try((first+k)%n) {
			k++
		}
		if k == n {
			return
		}
		for i := range k {
			c.free((first + i) % n)
		}
		first = (first + k) % n
	}
}

func (c *claim) try(i int) bool {
	b, takes := c.at(i)
	if takes {
		return b.turn.TryLock()
	}
	return b.turn.TryRLock()
}

func (c *claim) free(i int) {
	if b, takes := c.at(i); takes {
		b.turn.Unlock()
	} else {
		b.turn.RUnlock()
	}
}

func (c *claim) unlock() {
	for i := range len(c.takes) + len(c.uses) {
		c.free(i)
	}
}

// lockMemory has the caller alone take b's memory until unlockMemory. It does not wait for executions: what they wait
// for may be the caller's to do.
func (b *Buffer) lockMemory(op string) error {
	if !b.turn.TryLock() {
		return fmt.Errorf("pjrt: %s: an execution takes the buffer: %w; wait until it has", op, isthmus.ErrBusy)
	}
	b.viewing.Lock()
	return nil
}

func (b *Buffer) unlockMemory() {
	b.viewing.Unlock()
	b.turn.Unlock()
}
