//go:build !amd64 && !arm64

package pjrtlayer

// lane is the calling thread here, which several goroutines share.
func lane() uintptr { return uintptr(threadID()) }
