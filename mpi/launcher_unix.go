//go:build unix

package mpi

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// launcher is the connection to a PMI-1 launcher, such as MPICH's, that it left to this process in PMI_FD.
type launcher struct {
	fd    int
	inode uint64
}

// findLauncher looks for the connection before MPI is finalised.
func findLauncher() (l launcher, ok bool) {
	fd, err := strconv.Atoi(os.Getenv("PMI_FD"))
	if err != nil || fd < 3 {
		return launcher{}, false
	}
	var s unix.Stat_t
	if unix.Fstat(fd, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return launcher{}, false
	}
	return launcher{fd, s.Ino}, true
}

// goodbye tells the launcher that this process is done, where the library has not. MPICH 5 does so in an exit handler of
// C's, which a Go program does not run: the launcher would take the process for crashed and kill the others. The
// connection is the same socket as before only if the library has left it open.
func (l launcher) goodbye() {
	var s unix.Stat_t
	if unix.Fstat(l.fd, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFSOCK || s.Ino != l.inode {
		return
	}
	if _, err := unix.Write(l.fd, []byte("cmd=finalize\n")); err != nil {
		return
	}
	// The launcher answers at once; who does not wait for the answer may be gone before it was read.
	answer := make([]byte, 256)
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); {
		p := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(p, 100); err != nil && err != unix.EINTR {
			return
		} else if n <= 0 {
			continue
		}
		if n, err := unix.Read(l.fd, answer); err != nil || n == 0 || bytes.IndexByte(answer[:n], '\n') >= 0 {
			return
		}
	}
}
