// Package atomicfile writes files that are there completely or not at all.
//
// The bytes go to a file beside the target, which takes the target's name when everything has been written. A process
// that is killed leaves the target as it was, and at most a file whose name begins with a dot and ends in ".part".
// Nothing is synced to the disk: a machine that loses power may lose the file.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
)

// WriteBytes creates or replaces the file at path with b, as [Write] does.
func WriteBytes(path string, perm os.FileMode, b []byte) error {
	return Write(path, perm, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// Write creates or replaces the file at path with what write produces, with the given permissions less the umask.
// When write returns an error, that error comes back and the file is as it was. The folder must exist.
func Write(path string, perm os.FileMode, write func(io.Writer) error) (err error) {
	part := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".part")
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(part)
		}
	}()
	b := bufio.NewWriterSize(f, 1<<16)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}
