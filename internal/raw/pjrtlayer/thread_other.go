//go:build !linux

package pjrtlayer

// threadID is 0: the thread is not known here, and nothing is said of it.
func threadID() int { return 0 }
