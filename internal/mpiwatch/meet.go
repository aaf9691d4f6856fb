package mpiwatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// meet connects to the hub of a job, or makes it. The place is a socket in a folder of the user's own.
func meet(ctx context.Context, key string, report func(Finding)) (net.Conn, *Hub, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("isthmus-mpi-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if err := mine(dir); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, key)
	var d net.Dialer
	for end := time.Now().Add(5 * time.Second); ; {
		c, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return c, nil, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, nil, fmt.Errorf("meet at %s: %w", path, err)
		}
		// Nobody is there: who makes the lock makes the hub. One that was left behind by a killed process is taken over.
		lock, lerr := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
		if lerr != nil {
			return nil, nil, lerr
		}
		if flock(lock) {
			if c, err := d.DialContext(ctx, "unix", path); err == nil {
				_ = lock.Close()
				return c, nil, nil
			}
			_ = os.Remove(path)
			l, err := net.Listen("unix", path)
			if err != nil {
				_ = lock.Close()
				return nil, nil, err
			}
			_ = lock.Close()
			h := NewHub(&cleaning{l, path + ".lock"}, report)
			c, err := d.DialContext(ctx, "unix", path)
			return c, h, err
		}
		_ = lock.Close()
		time.Sleep(5 * time.Millisecond)
	}
}

// cleaning removes the lock with the socket.
type cleaning struct {
	net.Listener
	lock string
}

func (c *cleaning) Close() error { return errors.Join(c.Listener.Close(), os.Remove(c.lock)) }
