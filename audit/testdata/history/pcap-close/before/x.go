// Package before has the shape of the code before a bug was mended.
//
// Bug: a capture is closed twice, and read after that
// Source: github.com/google/gopacket commit eee1ed8
package before

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
	C.pcap_close(p.cptr) // want close-twice:warning
}
