//go:build !linux

package rtheap

// machineMemory is not known here: the address space is the limit.
func machineMemory() uint64 { return defaultData }

func largePages([]byte) {}
