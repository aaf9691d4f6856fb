//go:build !linux && !darwin

package rtheap

import "github.com/isthmus-ffi/isthmus"

// This system's way to reserve address space without memory is not used yet.
func reserve(uint64) ([]byte, error) { return nil, isthmus.ErrUnsupported }

func forget([]byte) {}

func addressSpace() uint64 { return 1 << 62 }
