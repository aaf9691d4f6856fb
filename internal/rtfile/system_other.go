//go:build !unix

package rtfile

const nonblock = 0

func full(error) bool { return false }

func syncDir(string) error { return nil }
