package kv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// ServerOptions bound a server. The zero value is the default.
type ServerOptions struct {
	Limits Limits
	// Connections is how many there may be at one time; one more waits in the socket's queue until another ends.
	// 0 is 1,024.
	Connections int
	// Timeout is how long a peer may take for one message that it has begun, either way. 0 is 30 seconds.
	Timeout time.Duration
}

// Server serves a store to the processes of this machine and of this user, on a Unix domain socket that no other user
// can open. The values live in the server: when its process ends, they are gone, and who waits gets an error that
// wraps [isthmus.ErrClosed]. It is safe for concurrent use.
type Server struct {
	Memory *Memory // the store itself: the server's own process uses it without a socket

	path    string
	timeout time.Duration
	l       *net.UnixListener
	slots   chan struct{}
	ctx     context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Listen makes a server at path, where nothing may be yet. The directory should be the user's own: who can write to it
// can put another socket there. The caller closes the server, which removes the socket.
//
// Errors: [isthmus.ErrBusy] when something is at path, live or left by a process that crashed; [isthmus.ErrInvalid] for
// an empty path.
func Listen(path string, o ServerOptions) (*Server, error) {
	if path == "" {
		return nil, fmt.Errorf("kv: listen: no path: %w", isthmus.ErrInvalid)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("kv: listen: %q exists; remove it if no server uses it: %w", path, isthmus.ErrBusy)
	}
	// The socket is made where nobody else looks, and appears under its name when only its user can open it.
	dir, err := os.MkdirTemp(parent(path), ".kv")
	if err != nil {
		return nil, fmt.Errorf("kv: listen: %w", err)
	}
	defer os.RemoveAll(dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: dir + "/s"})
	if err != nil {
		return nil, fmt.Errorf("kv: listen: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(dir+"/s", 0o600); err == nil {
		// A link fails where something is; a file system without links for sockets has only the check above.
		if err = os.Link(dir+"/s", path); err != nil && !errors.Is(err, os.ErrExist) {
			err = os.Rename(dir+"/s", path)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("kv: listen: %w: %w", isthmus.ErrBusy, err), l.Close())
	}
	if o.Connections <= 0 {
		o.Connections = 1024
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	s := &Server{Memory: &Memory{Limits: o.Limits}, path: path, timeout: o.Timeout, l: l, slots: make(chan struct{}, o.Connections), conns: map[net.Conn]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.work.Add(1)
	go s.accept()
	return s, nil
}

func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i+1]
		}
	}
	return "."
}

// Path is where the server listens.
func (s *Server) Path() string {
	if s == nil {
		return ""
	}
	return s.path
}

// Close ends all connections and removes the socket. It is idempotent and nil-safe.
func (s *Server) Close() error {
	if s == nil || s.l == nil {
		return nil
	}
	s.mu.Lock()
	first := s.ctx.Err() == nil
	s.stop()
	var err error
	if first {
		err = errors.Join(os.Remove(s.path), s.l.Close())
	}
	for c := range s.conns {
		_ = c.Close() // what it interrupts is over
	}
	s.mu.Unlock()
	s.work.Wait()
	return err
}

func (s *Server) accept() {
	defer s.work.Done()
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		c, err := s.l.AcceptUnix()
		if err != nil {
			<-s.slots
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// A peer that went away, or no descriptors left: the next may do, a moment later.
			select {
			case <-time.After(10 * time.Millisecond):
			case <-s.ctx.Done():
			}
			continue
		}
		s.mu.Lock()
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			_ = c.Close()
			<-s.slots
			return
		}
		s.conns[c] = true
		s.work.Add(1)
		s.mu.Unlock()
		go s.serve(c)
	}
}

func (s *Server) serve(c *net.UnixConn) {
	defer s.work.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close()
		<-s.slots
	}()
	for {
		_ = c.SetReadDeadline(time.Time{}) // an idle connection may stay
		req, err := readFrame(&patient{c, s.timeout}, opPut)
		if err != nil {
			if errors.Is(err, isthmus.ErrInvalid) || errors.Is(err, isthmus.ErrLimit) || errors.Is(err, isthmus.ErrVersion) {
				_ = s.answer(c, nil, err)
			}
			return
		}
		v, err := s.do(c, req)
		if errors.Is(err, errGone) || s.answer(c, v, err) != nil || errors.Is(err, isthmus.ErrInvalid) {
			return // a peer that asks for what there is not gets no second question
		}
	}
}

// patient waits for the first byte for ever, and for the rest as long as the timeout says.
type patient struct {
	*net.UnixConn
	timeout time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.UnixConn.Read(b)
	if n > 0 && p.timeout > 0 {
		_ = p.SetReadDeadline(time.Now().Add(p.timeout))
		p.timeout = 0
	}
	return n, err
}

var errGone = errors.New("the peer is gone")

func (s *Server) do(c *net.UnixConn, req frame) ([]byte, error) {
	switch req.kind {
	case opGet:
		// The value first: most gets find one, and need no watcher.
		if v, err := s.Memory.TryGet(s.ctx, req.key); !errors.Is(err, isthmus.ErrNotFound) {
			return v, err
		}
		return s.wait(c, req.key)
	case opTryGet:
		return s.Memory.TryGet(s.ctx, req.key)
	case opPut:
		return nil, s.Memory.Put(s.ctx, req.key, req.value)
	}
	return nil, fmt.Errorf("kv: operation %d: %w", req.kind, isthmus.ErrInvalid)
}

// wait waits for a value while the peer is there: it sends nothing meanwhile, so reading tells when it has gone.
func (s *Server) wait(c *net.UnixConn, key []byte) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	watching := make(chan struct{})
	_ = c.SetReadDeadline(time.Time{})
	go func() {
		defer close(watching)
		var b [1]byte
		n, err := c.Read(b[:])
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(errGone)
		}
	}()
	v, err := s.Memory.Get(ctx, key)
	gone := context.Cause(ctx) == errGone
	_ = c.SetReadDeadline(time.Unix(1, 0)) // the watcher gives the connection back
	<-watching
	cancel(nil)
	switch {
	case gone || context.Cause(ctx) == errGone:
		return nil, errGone
	case s.ctx.Err() != nil:
		return nil, fmt.Errorf("kv: the server is closed: %w", isthmus.ErrClosed)
	}
	return v, err
}

func (s *Server) answer(c net.Conn, v []byte, err error) error {
	f := frame{value: v}
	if err != nil {
		f.kind, f.value = statusOther, []byte(err.Error())
		for st, e := range statusErrors {
			if e != nil && errors.Is(err, e) {
				f.kind = byte(st)
			}
		}
	}
	_ = c.SetWriteDeadline(time.Now().Add(s.timeout)) // a peer that does not read holds nobody up
	return writeFrame(c, f)
}
