//go:build !unix

package main

// peakMemory is the most memory that the process has had in use, in bytes; 0 if that is not known.
func peakMemory() int64 { return 0 }
