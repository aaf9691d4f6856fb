package mpi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// FileError is an error of an operation on a file.
type FileError struct {
	Path string // the name that the file was opened by
	Err  error
}

// Error returns the error, and the name.
func (e *FileError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%v (file %q)", e.Err, e.Path)
}

// Unwrap gives the error.
func (e *FileError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether the error is one of package fs.
func (e *FileError) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target {
	case fs.ErrNotExist:
		return errors.Is(e.Err, ErrNoSuchFile)
	case fs.ErrExist:
		return errors.Is(e.Err, ErrFileExists)
	case fs.ErrPermission:
		return errors.Is(e.Err, ErrAccess) || errors.Is(e.Err, ErrReadOnly)
	}
	return false
}

// fail says which file an error is about.
func (f *File) fail(err error) error {
	if err == nil || f == nil {
		return err
	}
	var known *FileError
	if errors.As(err, &known) {
		return err
	}
	return &FileError{Path: f.name, Err: err}
}

// blame gives an error of opening or deleting a better class, where the library says only that something is wrong: the
// system is asked what.
func (f *File) blame(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Class {
	case ErrNoSuchFile, ErrFileExists, ErrAccess, ErrReadOnly, ErrBadFile, ErrNoSpace, ErrFileInUse, ErrAmode:
		return err
	}
	if class := f.reason(); class != "" {
		e.Class = class
	}
	return err
}

// reason is what the system says of the name; "" when it sees nothing wrong.
func (f *File) reason() Class {
	info, err := os.Stat(f.name)
	switch {
	case err == nil && info.IsDir():
		return ErrBadFile
	case err == nil && f.mode&Exclusive != 0:
		return ErrFileExists
	case err == nil:
		how := os.O_RDWR
		switch {
		case f.mode&ReadOnly != 0:
			how = os.O_RDONLY
		case f.mode&WriteOnly != 0:
			how = os.O_WRONLY
		case f.mode == 0: // to be deleted
			return ErrAccess
		}
		var x *os.File
		if x, err = os.OpenFile(f.name, how, 0); err == nil {
			_ = x.Close()
			return ""
		}
	}
	return systemClass(err)
}

// systemClass is the class of an error of the system's.
func systemClass(err error) Class {
	switch {
	case errors.Is(err, syscall.EROFS):
		return ErrReadOnly
	case errors.Is(err, fs.ErrNotExist):
		return ErrNoSuchFile
	case errors.Is(err, fs.ErrPermission):
		return ErrAccess
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP):
		return ErrBadFile
	}
	return ""
}

// full gives the error of a write of n bytes a better class: libraries tell a full disk as any other error, in words at most.
func (f *File) full(err error, n int) error {
	var e *Error
	if !errors.As(err, &e) || e.Class == ErrNoSpace || e.Class == ErrQuota {
		return err
	}
	free, known := freeBytes(f.name)
	switch {
	case strings.Contains(e.Msg, syscall.ENOSPC.Error()), strings.Contains(strings.ToLower(e.Msg), "no space left"), known && free < int64(n):
		e.Class = ErrNoSpace
	case strings.Contains(strings.ToLower(e.Msg), "quota exceeded"):
		e.Class = ErrQuota
	}
	return err
}

// denied is the error of what the file's mode does not allow.
func (f *File) denied(op string) error {
	class := ErrAccess
	if f.mode&ReadOnly != 0 {
		class = ErrReadOnly
	}
	return f.fail(&Error{Op: op, Class: class, Msg: fmt.Sprintf("the file was opened as %v", f.mode)})
}
