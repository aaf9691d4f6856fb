package kv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/pjrt/kv"
)

var (
	_ pjrt.KV = (*kv.Memory)(nil)
	_ pjrt.KV = (*kv.Remote)(nil)
)

// TestMain runs a server for tests that kill it.
func TestMain(m *testing.M) {
	if path := os.Getenv("ISTHMUS_TEST_KV_SERVER"); path != "" {
		s, err := kv.Listen(path, kv.ServerOptions{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = s.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(t *testing.T, o kv.ServerOptions) *kv.Server {
	t.Helper()
	s, err := kv.Listen(filepath.Join(t.TempDir(), "kv"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *kv.Server) *kv.Remote {
	t.Helper()
	r, err := kv.Dial(t.Context(), s.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// stores runs a test on each kind of store: what one process puts, the other gets.
func stores(t *testing.T, f func(t *testing.T, put, get pjrt.KV)) {
	t.Run("memory", func(t *testing.T) {
		m := &kv.Memory{}
		f(t, m, m)
	})
	t.Run("remote", func(t *testing.T) {
		s := serve(t, kv.ServerOptions{})
		f(t, dial(t, s), dial(t, s))
	})
	t.Run("server and remote", func(t *testing.T) {
		s := serve(t, kv.ServerOptions{})
		f(t, s.Memory, dial(t, s))
	})
}

// TestP16Bytes puts keys and values that are no text.
func TestP16Bytes(t *testing.T) {
	big := bytes.Repeat([]byte{0xff, 0, 7}, 1<<20)
	stores(t, func(t *testing.T, put, get pjrt.KV) {
		for _, e := range []struct{ key, value []byte }{
			{nil, []byte("of the empty key")},
			{[]byte("empty"), nil},
			{[]byte("a"), []byte("1")},
			{[]byte("a\x00"), []byte("2")},
			{[]byte("a\x00b\xff\xfe"), []byte("\x00\x00\xff")},
			{bytes.Repeat([]byte{0x80}, kv.MaxKey), big},
		} {
			if _, err := get.TryGet(t.Context(), e.key); !errors.Is(err, isthmus.ErrNotFound) {
				t.Fatalf("before put: got %v, want ErrNotFound", err)
			}
			if err := put.Put(t.Context(), e.key, e.value); err != nil {
				t.Fatal(err)
			}
			for name, f := range map[string]func(context.Context, []byte) ([]byte, error){"get": get.Get, "try get": get.TryGet} {
				v, err := f(t.Context(), e.key)
				if err != nil || v == nil || !bytes.Equal(v, e.value) {
					t.Fatalf("%s %.10q: got %d bytes and %v, want %d", name, e.key, len(v), err, len(e.value))
				}
			}
		}
		if v, err := get.Get(t.Context(), []byte("a")); err != nil || string(v) != "1" {
			t.Errorf("a key that begins another: got %q, %v", v, err)
		}
		if err := put.Put(t.Context(), []byte("a"), []byte("again")); err != nil {
			t.Fatal(err)
		}
		if v, err := get.TryGet(t.Context(), []byte("a")); err != nil || string(v) != "again" {
			t.Errorf("put again: got %q, %v", v, err)
		}
	})
}

func TestP16GetWaits(t *testing.T) {
	stores(t, func(t *testing.T, put, get pjrt.KV) {
		const readers = 20
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				v, err := get.Get(t.Context(), fmt.Appendf(nil, "key %d", i%3))
				if err != nil || string(v) != fmt.Sprint(i%3) {
					t.Errorf("got %q, %v", v, err)
				}
			})
		}
		for i := range 3 {
			if err := put.Put(t.Context(), fmt.Appendf(nil, "key %d", i), fmt.Append(nil, i)); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

func TestP16GetGivesUp(t *testing.T) {
	stores(t, func(t *testing.T, put, get pjrt.KV) {
		why := errors.New("no more patience")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() {
			_, err := get.Get(ctx, []byte("never"))
			done <- err
		}()
		cancel(why)
		if err := <-done; !errors.Is(err, why) {
			t.Errorf("got %v, want the context's cause", err)
		}
		ctx2, cancel2 := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel2()
		if _, err := get.Get(ctx2, []byte("never")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		// The store works on.
		if err := put.Put(t.Context(), []byte("k"), nil); err != nil {
			t.Error(err)
		}
		if _, err := get.Get(t.Context(), []byte("k")); err != nil {
			t.Error(err)
		}
	})
}

func TestLimits(t *testing.T) {
	ctx := t.Context()
	check := func(t *testing.T, k pjrt.KV) {
		for i, want := range []error{nil, nil, isthmus.ErrLimit} { // two keys
			if err := k.Put(ctx, []byte{byte(i)}, make([]byte, 40)); !errors.Is(err, want) {
				t.Errorf("key %d: got %v, want %v", i, err, want)
			}
		}
		if err := k.Put(ctx, []byte{0}, make([]byte, 60)); !errors.Is(err, isthmus.ErrLimit) { // 100 bytes
			t.Errorf("a larger value: got %v, want ErrLimit", err)
		}
		if err := k.Put(ctx, []byte{0}, make([]byte, 10)); err != nil {
			t.Errorf("a smaller value: %v", err)
		}
		if err := k.Put(ctx, make([]byte, kv.MaxKey+1), nil); !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("a long key: got %v, want ErrLimit", err)
		}
		if _, err := k.Get(ctx, make([]byte, kv.MaxKey+1)); !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("get a long key: got %v, want ErrLimit", err)
		}
		if err := k.Put(ctx, nil, make([]byte, kv.MaxValue+1)); !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("a long value: got %v, want ErrLimit", err)
		}
	}
	limits := kv.Limits{Keys: 2, Bytes: 90}
	t.Run("memory", func(t *testing.T) { check(t, &kv.Memory{Limits: limits}) })
	t.Run("remote", func(t *testing.T) { check(t, dial(t, serve(t, kv.ServerOptions{Limits: limits}))) })
}

// TestHostilePeers sends a server what no client sends: it answers or hangs up, and serves others on.
func TestHostilePeers(t *testing.T) {
	s := serve(t, kv.ServerOptions{Timeout: 3 * time.Second}) // the good client has to be in time too
	good := dial(t, s)
	head := func(magic string, version, op byte, key, value uint32) []byte {
		b := append([]byte(magic), version, op)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, key), value)
	}
	for name, sent := range map[string][]byte{
		"nothing":               {},
		"one byte":              {'k'},
		"text":                  []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"another version":       head("kv", 9, 1, 0, 0),
		"no operation":          head("kv", 1, 0, 0, 0),
		"an unknown operation":  head("kv", 1, 200, 0, 0),
		"a key of 4 GB":         head("kv", 1, 3, 1<<32-1, 0),
		"a value of 4 GB":       head("kv", 1, 3, 0, 1<<32-1),
		"a value that does not": append(head("kv", 1, 3, 1, 64<<20), 'k', 'v'),
		"get and more":          append(append(head("kv", 1, 1, 1, 0), 'q'), head("kv", 1, 1, 1, 0)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("unix", s.Path())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			if name == "nothing" {
				return
			}
			// The server answers at most once and hangs up: a peer that stops in the middle is not waited for.
			b, err := io.ReadAll(c)
			if err != nil && !errors.Is(err, io.EOF) && len(b) > 0 {
				t.Logf("%d bytes, then %v", len(b), err)
			}
			if len(b) >= 12 && b[3] == 0 && name != "no operation" {
				t.Errorf("the server accepts it: %q", b)
			}
			if err := good.Put(t.Context(), []byte(name), nil); err != nil {
				t.Errorf("another client: %v", err)
			}
		})
	}
}

// TestHostileServer has clients read what no server says.
func TestHostileServer(t *testing.T) {
	for name, answer := range map[string][]byte{
		"nothing":         nil,
		"text":            []byte("not of this protocol"),
		"another version": {'k', 'v', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"unknown status":  {'k', 'v', 1, 99, 0, 0, 0, 0, 0, 0, 0, 0},
		"4 GB":            {'k', 'v', 1, 0, 0, 0, 0, 0, 255, 255, 255, 255},
		"cut":             {'k', 'v', 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 'x'},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 100))
				_, _ = c.Write(answer)
				_ = c.Close()
			}()
			r, err := kv.Dial(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if v, err := r.Get(t.Context(), []byte("k")); err == nil {
				t.Errorf("got %q, want an error", v)
			} else if !errors.Is(err, isthmus.ErrClosed) && !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, isthmus.ErrLimit) && !errors.Is(err, isthmus.ErrVersion) {
				t.Errorf("got %v, want an error with a name", err)
			}
		})
	}
}

func TestSocketIsPrivate(t *testing.T) {
	s := serve(t, kv.ServerOptions{})
	info, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the socket's mode is %o, want 600", got)
	}
	left, err := os.ReadDir(filepath.Dir(s.Path()))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the socket: %v, %v", left, err)
	}
	if _, err := kv.Listen(s.Path(), kv.ServerOptions{}); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("a second server: got %v, want ErrBusy", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(s.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after close: %v", err)
	}
}

// TestServerCloses ends a server under a waiting client.
func TestServerCloses(t *testing.T) {
	s := serve(t, kv.ServerOptions{})
	r := dial(t, s)
	done := make(chan error)
	go func() {
		_, err := r.Get(t.Context(), []byte("never"))
		done <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if err := r.Put(t.Context(), []byte("k"), nil); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("put: got %v, want ErrClosed", err)
	}
}

// TestServerCrashes kills the server's process under a waiting client.
func TestServerCrashes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "ISTHMUS_TEST_KV_SERVER="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := kv.Dial(t.Context(), path) // waits for the server
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Put(t.Context(), []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := r.Get(t.Context(), []byte("never"))
		done <- err
	}()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := <-done; !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := kv.Listen(path, kv.ServerOptions{}); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("listen at what a crash left: got %v, want ErrBusy", err)
	}
}

// TestClientGoesAway ends a waiting client: the server forgets it, so that its place is free.
func TestClientGoesAway(t *testing.T) {
	s := serve(t, kv.ServerOptions{Connections: 1})
	for range 3 {
		r, err := kv.Dial(t.Context(), s.Path())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := r.Get(ctx, []byte("never"))
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	// With one place, this works only when the others are gone.
	if err := dial(t, s).Put(t.Context(), []byte("k"), nil); err != nil {
		t.Error(err)
	}
}

func TestDialGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := kv.Dial(ctx, filepath.Join(t.TempDir(), "none")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
}

func TestHammer(t *testing.T) {
	stores(t, func(t *testing.T, put, get pjrt.KV) {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 50 {
					key := fmt.Appendf(nil, "%d of %d", i, g)
					if err := put.Put(t.Context(), key, key); err != nil {
						t.Error(err)
						return
					}
					other := fmt.Appendf(nil, "%d of %d", i, (g+1)%8)
					if v, err := get.Get(t.Context(), other); err != nil || !bytes.Equal(v, other) {
						t.Errorf("got %q, %v, want %q", v, err, other)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestNil(t *testing.T) {
	niltest.Methods(t, &kv.Memory{}, &kv.Server{}, &kv.Remote{})
}
