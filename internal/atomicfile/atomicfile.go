// Package atomicfile writes files that are there completely or not at all.
//
// The bytes go to a file beside the target, which takes the target's name when everything has been written. A process
// that is killed leaves the target as it was, and at most a file whose name begins with a dot and ends in ".part".
// Nothing is synced to the disk: a machine that loses power may lose the file.
//
// A file that is there keeps its permissions, and a symbolic link to it stays one. A name that has two (hard links) is
// taken from the old file. What is no file, such as a device, a pipe or this process's standard output, is written to
// as it comes.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// WriteBytes creates or replaces the file at path with b, as [Write] does.
func WriteBytes(path string, perm os.FileMode, b []byte) error {
	return Write(path, perm, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// Write creates or replaces the file at path with what write produces, with the given permissions less the umask, or those
// that the file has. When write returns an error, that error comes back and the file is as it was. The folder must exist.
func Write(path string, perm os.FileMode, write func(io.Writer) error) (err error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || descriptor(path)) {
		return direct(path, info, write)
	}
	path, err = resolve(path)
	if err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".part")
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return named(err, part, path)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(part)
			err = named(err, part, path)
		}
	}()
	if err := buffered(f, write); err != nil {
		return err
	}
	if info != nil {
		if err := f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// named has the error of the file part say the name that was asked for.
func named(err error, part, path string) error {
	var p *os.PathError
	if errors.As(err, &p) && p.Path == part {
		p.Path = path
	}
	return err
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// direct writes to what no file could take the place of.
func direct(path string, info os.FileInfo, write func(io.Writer) error) error {
	for _, std := range []*os.File{os.Stdout, os.Stderr} {
		if own, err := std.Stat(); err == nil && os.SameFile(own, info) {
			return buffered(std, write) // in order with what is printed, which a second descriptor would write over
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if err := buffered(f, write); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// descriptor reports whether path names a descriptor of a process, such as /dev/stdout or /dev/fd/3: whoever opened it
// wants the bytes there, also where it is a file.
func descriptor(path string) bool {
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return false
		}
		if dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/") && strings.HasSuffix(dir, "/fd") {
			return true
		}
		to, err := os.Readlink(path)
		if err != nil {
			return false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return false
}

const maxLinks = 40 // as the kernel has it

// resolve follows symbolic links to the name that a file is to have, also where there is none yet.
func resolve(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // no link: this is the name
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // ".." is seen from where the link lies
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", &os.PathError{Op: "open", Path: path, Err: os.ErrInvalid}
}
