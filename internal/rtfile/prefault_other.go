//go:build !linux

package rtfile

// prefault is not known here: reading brings the pages in.
func (f *file) prefault(int64, int64) (bool, error) { return false, nil }
