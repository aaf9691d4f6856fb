//go:build !linux

package mpitest

import (
	"context"
	"fmt"
	"io"

	"github.com/isthmus-ffi/isthmus"
)

// Hosts are two machines; there are none here.
type Hosts struct{}

// NewHosts fails: only Linux has network namespaces.
func NewHosts(string) (*Hosts, error) {
	return nil, fmt.Errorf("mpitest: two hosts need Linux's namespaces: %w", isthmus.ErrUnsupported)
}

// Close does nothing.
func (h *Hosts) Close() {}

// Cut fails: there is no cable.
func Cut() error { return isthmus.ErrUnsupported }

func (h *Hosts) agent() string { return "" }

func (h *Hosts) clear() {}

func (h *Hosts) run(context.Context, int, []string, []string, io.Writer) error {
	return isthmus.ErrUnsupported
}

func playHost() bool { return false }
