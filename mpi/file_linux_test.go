package mpi_test

import (
	"os"
	"runtime"
	"syscall"
)

// fullDisk puts a file system of some kilobytes at the folder. Only root can.
func fullDisk(dir string) (done func() error, ok bool) {
	if err := syscall.Mount("isthmus", dir, "tmpfs", 0, "size=64k"); err != nil {
		return nil, false
	}
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, true
}

// asNobody runs f on a thread that may do what everybody may.
func asNobody(f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	set := func(uid uintptr) error {
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uid, ^uintptr(0)); e != 0 {
			return e
		}
		return nil
	}
	if err := set(nobody); err != nil {
		return err
	}
	err := f()
	if rerr := set(0); err == nil {
		err = rerr
	}
	return err
}
