//go:build !linux

package mpic

import "syscall"

// Handlers are what the process does on each signal; only Linux tells.
type Handlers struct{}

// Signals reads what the process does on each signal.
func Signals() *Handlers { return nil }

// Restore mends nothing here.
func (h *Handlers) Restore() []syscall.Signal { return nil }
