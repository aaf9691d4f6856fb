package rtheap

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// sites are the places that make objects, numbered from 1 on. They are few, and stay.
type sites struct {
	mu     sync.RWMutex
	number map[place]uint32
	texts  []string
}

type place struct {
	file string
	line int
}

const maxSites = 1 << 20

// Site is the number of a line that makes objects, 0 when there are too many.
func (h *Heap) Site(file string, line int) uint32 {
	s, p := &h.sites, place{file, line}
	s.mu.RLock()
	n := s.number[p]
	s.mu.RUnlock()
	if n != 0 {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.number[p]; n != 0 {
		return n
	}
	if len(s.texts) == maxSites {
		return 0
	}
	if s.number == nil {
		s.number = map[place]uint32{}
	}
	p.file = strings.Clone(file)
	s.texts = append(s.texts, fmt.Sprintf("%s:%d", file, line))
	n = uint32(len(s.texts))
	s.number[p] = n
	return n
}

// SiteText is the file and the line of a site, empty for what is none.
func (h *Heap) SiteText(n uint32) string {
	h.sites.mu.RLock()
	defer h.sites.mu.RUnlock()
	if n == 0 || int(n) > len(h.sites.texts) {
		return ""
	}
	return h.sites.texts[n-1]
}

// MadeAt says that v was made at a site.
func (h *Heap) MadeAt(v Value, site uint32) {
	s := h.slot(v)
	for m := atomic.LoadUint32(&s.meta); h.Live(v) && site <= maxSite; m = atomic.LoadUint32(&s.meta) {
		// The low bits stay as they were found: a type that bury looks for, or a flag.
		if atomic.CompareAndSwapUint32(&s.meta, m, m&(1<<siteShift-1)|site<<siteShift) {
			return
		}
	}
}

// Report is the census as text, for what is left when nothing should be: a line for each type and site.
func (h *Heap) Report() string {
	var b strings.Builder
	for _, c := range h.Census() {
		fmt.Fprintf(&b, "%9d %-9s %12d bytes", c.Objects, c.Type, c.Bytes)
		if s := h.SiteText(c.Site); s != "" {
			b.WriteString("  made at " + s)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
