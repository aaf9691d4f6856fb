package kv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// Remote is a store that a [Server] of this machine holds. Each call that is under way has a connection of its own, and
// connections are kept for later calls. It is safe for concurrent use.
type Remote struct {
	path   string
	mu     sync.Mutex
	closed bool
	idle   []*net.UnixConn
	busy   map[*net.UnixConn]bool
}

// maxIdle is how many connections are kept.
const maxIdle = 8

// Dial connects to the server at path, and waits until ctx ends for one to be there: processes of one job start in any
// order. The caller closes the Remote.
func Dial(ctx context.Context, path string) (*Remote, error) {
	if path == "" || ctx == nil {
		return nil, fmt.Errorf("kv: dial: no path, or no context: %w", isthmus.ErrInvalid)
	}
	r := &Remote{path: path, busy: map[*net.UnixConn]bool{}}
	for wait := time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		c, err := r.connect(ctx)
		if err == nil {
			r.keep(c)
			return r, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("kv: dial %q: %w: %w", path, context.Cause(ctx), err)
		}
	}
}

func (r *Remote) connect(ctx context.Context) (*net.UnixConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", r.path)
	if err != nil {
		return nil, err
	}
	u := c.(*net.UnixConn)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.Join(fmt.Errorf("kv: %q: %w", r.path, isthmus.ErrClosed), u.Close())
	}
	r.busy[u] = true
	return u, nil
}

// Get returns the key's value, and waits for one until ctx ends. Errors: the context's cause; [isthmus.ErrClosed] when
// the server ends first.
func (r *Remote) Get(ctx context.Context, key []byte) ([]byte, error) {
	return r.call(ctx, "get", frame{kind: opGet, key: key})
}

// TryGet returns the key's value. Errors: [isthmus.ErrNotFound], and as for Get.
func (r *Remote) TryGet(ctx context.Context, key []byte) ([]byte, error) {
	return r.call(ctx, "try get", frame{kind: opTryGet, key: key})
}

// Put sets the key's value, over one that is there. Errors: [isthmus.ErrLimit], and as for Get. When ctx ends first the
// value may be set or not.
func (r *Remote) Put(ctx context.Context, key, value []byte) error {
	_, err := r.call(ctx, "put", frame{kind: opPut, key: key, value: value})
	return err
}

func (r *Remote) call(ctx context.Context, op string, req frame) ([]byte, error) {
	if r == nil || ctx == nil || r.path == "" {
		return nil, fmt.Errorf("kv: %s: no store, or no context: %w", op, isthmus.ErrInvalid)
	}
	if err := check(req.key, req.value); err != nil {
		return nil, err
	}
	fail := func(err error) error {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("kv: %s %s: %w", op, short(req.key), err)
	}
	c, err := r.take(ctx)
	if err != nil {
		return nil, fail(err)
	}
	// When ctx ends, the connection does: the server sees that nobody waits any more.
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	err = writeFrame(c, req)
	var ans frame
	if err == nil {
		ans, err = readFrame(c, statusOther)
	}
	if !stop() || err != nil {
		r.drop(c)
		if ctx.Err() == nil && !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, isthmus.ErrLimit) && !errors.Is(err, isthmus.ErrVersion) {
			err = fmt.Errorf("the server at %q is gone: %w: %w", r.path, isthmus.ErrClosed, err)
		}
		return nil, fail(err)
	}
	r.keep(c)
	if ans.kind == statusOK {
		return ans.value, nil
	}
	if e := statusErrors[ans.kind]; e != nil {
		return nil, fail(fmt.Errorf("%w (the server: %q)", e, ans.value))
	}
	return nil, fail(fmt.Errorf("the server: %q", ans.value))
}

// take gives a connection: one that was kept, or a new one.
func (r *Remote) take(ctx context.Context) (*net.UnixConn, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, isthmus.ErrClosed
	}
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.busy[c] = true
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	c, err := r.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("the server at %q does not answer: %w: %w", r.path, isthmus.ErrClosed, err)
	}
	return c, nil
}

func (r *Remote) keep(c *net.UnixConn) {
	r.mu.Lock()
	delete(r.busy, c)
	keep := !r.closed && len(r.idle) < maxIdle
	if keep {
		r.idle = append(r.idle, c)
	}
	r.mu.Unlock()
	if !keep {
		_ = c.Close()
	}
}

func (r *Remote) drop(c *net.UnixConn) {
	r.mu.Lock()
	delete(r.busy, c)
	r.mu.Unlock()
	_ = c.Close()
}

// Close ends all connections; calls under way fail with [isthmus.ErrClosed]. It is idempotent and nil-safe.
func (r *Remote) Close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.idle {
		_ = c.Close()
	}
	for c := range r.busy {
		_ = c.Close()
	}
	r.idle = nil
	return nil
}
