// Package after has the shape of the code after a bug was mended.
//
// Bug: a capture is closed twice, and read after that
// Source: github.com/google/gopacket commit eee1ed8
package after

/*
typedef struct pcap pcap_t;
void pcap_close(pcap_t *p);
*/
import "C"

import (
	"sync"
)

// Handle is a capture.
type Handle struct {
	mu   sync.Mutex
	cptr *C.pcap_t
}

func (p *Handle) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cptr == nil {
		return
	}
	C.pcap_close(p.cptr)
	p.cptr = nil
}
