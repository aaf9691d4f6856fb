package pjrtlayer

import "syscall"

// threadID is the calling thread, which Go code that C called keeps until it returns.
func threadID() int { return syscall.Gettid() }
