// Package after has the shape of the code after a bug was mended.
//
// Bug: a program that a deferred call frees is freed by hand where it cannot be set
// Source: github.com/google/gopacket commit 5a957b5
package after

/*
typedef struct pcap pcap_t;
struct bpf_program { unsigned int n; void *insns; };
int pcap_compile(pcap_t *p, struct bpf_program *b, const char *expr);
int pcap_setfilter(pcap_t *p, struct bpf_program *b);
void pcap_freecode(struct bpf_program *b);
*/
import "C"

import (
	"errors"
)

var errBad = errors.New("bad")

type handle struct{ p *C.pcap_t }

func (h *handle) compile(expr *C.char) (C.struct_bpf_program, error) {
	var bpf C.struct_bpf_program
	if C.pcap_compile(h.p, &bpf, expr) < 0 {
		return bpf, errBad
	}
	return bpf, nil
}

func (h *handle) set(expr *C.char) error {
	bpf, err := h.compile(expr)
	defer C.pcap_freecode(&bpf)
	if err != nil {
		return err
	}
	if C.pcap_setfilter(h.p, &bpf) == -1 {
		return errBad
	}
	return nil
}
