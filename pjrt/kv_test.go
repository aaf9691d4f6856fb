package pjrt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/pjrt/kv"
)

// kvUser is a plugin's side of a store.
type kvUser struct{ f *pjrtfake.Fake }

type kvError struct{ *pjrtfake.Failure }

func (e kvError) Error() string { return fmt.Sprint(e.Code, ": ", e.Msg) }

func (u kvUser) call(k *pjrtfake.KV) ([]byte, error) {
	u.f.CallKV(k)
	if k.Err != nil {
		return nil, kvError{k.Err}
	}
	return []byte(k.Result), nil
}

func (u kvUser) Get(key []byte, ms int) ([]byte, error) {
	return u.call(&pjrtfake.KV{Op: "get", Key: string(key), Timeout: int32(ms)})
}

func (u kvUser) TryGet(key []byte) ([]byte, error) {
	return u.call(&pjrtfake.KV{Op: "try", Key: string(key)})
}

func (u kvUser) Put(key, value []byte) error {
	_, err := u.call(&pjrtfake.KV{Op: "put", Key: string(key), Value: string(value)})
	return err
}

// kvClient makes a client with a store; use, if it is not nil, is what the plugin does with it while it makes the
// client.
func kvClient(t *testing.T, store pjrt.KV, use func(kvUser) error) (*pjrt.Client, kvUser) {
	t.Helper()
	p, f := fake(t, func(f *pjrtfake.Fake) {
		if use != nil {
			f.OnKV = func(f *pjrtfake.Fake) error { return use(kvUser{f}) }
		}
	})
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{KV: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, c) })
	return c, kvUser{f}
}

// wantCode checks the error that a plugin got.
func wantCode(t *testing.T, what string, err error, code pjrtc.ErrorCode) {
	t.Helper()
	if e := (kvError{}); !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

// reports collects what is reported while f runs.
func reports(f func()) []isthmus.Report {
	var mu sync.Mutex
	var got []isthmus.Report
	before := isthmus.SetReporter(func(r isthmus.Report) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r)
	})
	defer func() { isthmus.SetReporter(before) }()
	f()
	mu.Lock()
	defer mu.Unlock()
	return got
}

// TestP16KVCallbacks has a plugin use a store while the client is made, while it lives, and after its end.
func TestP16KVCallbacks(t *testing.T) {
	keys := [][]byte{nil, []byte("a"), []byte("a\x00b"), []byte("\xff\xfe\x00"), bytes.Repeat([]byte{0x80}, pjrt.MaxKVKey)}
	use := func(k kvUser) error {
		for i, key := range keys {
			_, err := k.TryGet(key)
			if e := (kvError{}); !errors.As(err, &e) || e.Code != pjrtc.ErrorCodeNOTFOUND {
				return fmt.Errorf("try get of nothing: %w", err)
			}
			value := bytes.Repeat([]byte{0, 0xff, byte(i)}, i*1000) // the first is empty
			if err := k.Put(key, value); err != nil {
				return fmt.Errorf("put: %w", err)
			}
			for range 2 {
				if got, err := k.Get(key, 10000); err != nil || !bytes.Equal(got, value) {
					return fmt.Errorf("get: %d bytes, want %d; %w", len(got), len(value), err)
				}
				if got, err := k.TryGet(key); err != nil || !bytes.Equal(got, value) {
					return fmt.Errorf("try get: %d bytes, want %d; %w", len(got), len(value), err)
				}
			}
		}
		return nil
	}
	store := &kv.Memory{}
	c, k := kvClient(t, store, use)
	if store.Len() != len(keys) {
		t.Errorf("the store has %d keys, want %d", store.Len(), len(keys))
	}
	if _, err := k.Get(keys[1], -1); err != nil {
		t.Errorf("get later: %v", err)
	}
	_, err := k.Get([]byte("never"), 1)
	wantCode(t, "get with a timeout", err, pjrtc.ErrorCodeDEADLINEEXCEEDED)
	// Waiting while the client ends.
	waiting := make(chan error)
	go func() {
		_, err := k.Get([]byte("never"), -1)
		waiting <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "get while the client ends", <-waiting, pjrtc.ErrorCodeFAILEDPRECONDITION)
	_, err = k.Get(keys[1], 1)
	wantCode(t, "get after the client's end", err, pjrtc.ErrorCodeFAILEDPRECONDITION)
	_, err = k.TryGet(keys[1])
	wantCode(t, "try get after the client's end", err, pjrtc.ErrorCodeFAILEDPRECONDITION)
	wantCode(t, "put after the client's end", k.Put(keys[1], nil), pjrtc.ErrorCodeFAILEDPRECONDITION)
}

// TestP16HostileKV has a plugin pass nonsense: it is told, and nothing outside what it passes is read.
func TestP16HostileKV(t *testing.T) {
	_, k := kvClient(t, &kv.Memory{}, nil)
	wantCode(t, "a long key", k.Put(make([]byte, pjrt.MaxKVKey+1), nil), pjrtc.ErrorCodeOUTOFRANGE)
	_, err := k.call(&pjrtfake.KV{Op: "put", Key: "k", Value: "v", Size: 1 << 62})
	wantCode(t, "a value of impossible size", err, pjrtc.ErrorCodeOUTOFRANGE)
	if err := k.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call   pjrtfake.KV
		result string
		report error
	}{
		"no way to make an error": {pjrtfake.KV{Op: "get", Key: "nothing", Timeout: 1, NoError: true}, "", context.DeadlineExceeded},
		"short arguments":         {pjrtfake.KV{Op: "get", Key: "k", Short: true}, "", isthmus.ErrBounds},
		"deleted twice":           {pjrtfake.KV{Op: "get", Key: "k", Twice: true}, "v", isthmus.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			got := reports(func() {
				if v, err := k.call(&c.call); string(v) != c.result || err != nil {
					t.Errorf("got %q, %v, want %q", v, err, c.result)
				}
			})
			if len(got) != 1 || got[0].Problem != isthmus.ProblemStray || !errors.Is(got[0].Err, c.report) {
				t.Errorf("reports: %v, want one stray: %v", got, c.report)
			}
		})
	}
}

// TestP16ValuesAreCounted shows that a value is alive until the plugin deletes it, and is its own memory.
func TestP16ValuesAreCounted(t *testing.T) {
	c, k := kvClient(t, &kv.Memory{}, nil)
	if err := k.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	alive := func() int { return isthmus.Live().Count()["pjrt.KV value"] }
	var kept [3]pjrtfake.KV
	for i := range kept {
		kept[i] = pjrtfake.KV{Op: "get", Key: "k", Keep: true}
		if _, err := k.call(&kept[i]); err != nil {
			t.Fatal(err)
		}
		if alive() != i+1 {
			t.Errorf("%d values are alive, want %d", alive(), i+1)
		}
	}
	if err := c.Close(); err != nil { // the plugin may delete them later
		t.Fatal(err)
	}
	for i := range kept {
		kept[i].Delete()
	}
	if alive() != 0 {
		t.Errorf("%d values are alive after they were deleted", alive())
	}
}

// oddKV is a store of a caller's own.
type oddKV struct {
	get func(context.Context) ([]byte, error)
}

func (k oddKV) Get(ctx context.Context, _ []byte) ([]byte, error)    { return k.get(ctx) }
func (k oddKV) TryGet(ctx context.Context, _ []byte) ([]byte, error) { return k.get(ctx) }
func (k oddKV) Put(ctx context.Context, _, _ []byte) error           { _, err := k.get(ctx); return err }

// TestP18AnyKV gives a client stores that are not ours and do not behave.
func TestP18AnyKV(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, s := range []struct {
		name string
		get  func(context.Context) ([]byte, error)
		code pjrtc.ErrorCode
	}{
		{"fails", func(context.Context) ([]byte, error) { return nil, errors.New("no luck") }, pjrtc.ErrorCodeUNKNOWN},
		{"has no room", func(context.Context) ([]byte, error) { return nil, isthmus.ErrLimit }, pjrtc.ErrorCodeRESOURCEEXHAUSTED},
		{"panics", func(context.Context) ([]byte, error) { panic("oh") }, pjrtc.ErrorCodeINTERNAL},
		{"panics with nil", func(context.Context) ([]byte, error) { panic(nil) }, pjrtc.ErrorCodeINTERNAL},
		{"ends its goroutine", func(context.Context) ([]byte, error) { runtime.Goexit(); return nil, nil }, pjrtc.ErrorCodeINTERNAL},
		{"does not look at the context", func(context.Context) ([]byte, error) { <-release; return nil, nil }, pjrtc.ErrorCodeDEADLINEEXCEEDED},
	} {
		t.Run(s.name, func(t *testing.T) {
			_, k := kvClient(t, oddKV{s.get}, nil)
			wait := -1
			if s.code == pjrtc.ErrorCodeDEADLINEEXCEEDED {
				wait = 1 // the store never answers, so any time is up some time
			}
			_, err := k.Get([]byte("k"), wait)
			wantCode(t, "get", err, s.code)
			if s.code != pjrtc.ErrorCodeDEADLINEEXCEEDED {
				_, err = k.TryGet([]byte("k"))
				wantCode(t, "try get", err, s.code)
				wantCode(t, "put", k.Put([]byte("k"), nil), s.code)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		_, f := fakeClient(t, nil)
		_, err := kvUser{f}.TryGet(nil)
		wantCode(t, "the plugin's callbacks without a store", err, pjrtc.ErrorCodeUNIMPLEMENTED)
	})
	t.Run("on a real plugin", func(t *testing.T) {
		// XLA's CPU plugin takes a store and does not need one: its clients are of one process.
		both(t, func(t *testing.T, p *pjrt.Plugin) {
			c, err := p.NewClient(t.Context(), pjrt.ClientOptions{KV: &kv.Memory{}})
			if err != nil {
				t.Fatal(err)
			}
			closeClient(t, c)
		})
	})
}

// TestP18GivingUp ends the context under a client that waits for another process's key: the plugin's thread is let go.
func TestP18GivingUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error, 1)
	p, f := fake(t, func(f *pjrtfake.Fake) {
		f.OnKV = func(f *pjrtfake.Fake) error {
			cancel()
			_, err := kvUser{f}.Get([]byte("of a process that never comes"), -1)
			told <- err
			return err
		}
	})
	_, err := p.NewClient(ctx, pjrt.ClientOptions{KV: &kv.Memory{}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	wantCode(t, "the waiting get", <-told, pjrtc.ErrorCodeCANCELLED)
	for f.Destroyed("error") < 2 { // the store's, and that of the call which was given up, in its own time
		runtime.Gosched()
	}
}

// TestP18TwoProcesses has two processes exchange what they have through a socket while they make their clients, as
// plugins exchange topologies.
func TestP18TwoProcesses(t *testing.T) {
	const env = "ISTHMUS_TEST_KV_NODE"
	exchange := func(node string) func(kvUser) error {
		return func(k kvUser) error {
			mine, theirs := "topology:"+node, "topology:"+map[string]string{"0": "1", "1": "0"}[node]
			if err := k.Put([]byte(mine), []byte("devices of "+node+"\x00\xff")); err != nil {
				return err
			}
			got, err := k.Get([]byte(theirs), 60000)
			if err == nil && !strings.HasPrefix(string(got), "devices of ") {
				err = fmt.Errorf("got %q", got)
			}
			return err
		}
	}
	connect := func(t *testing.T, path, node string) {
		r, err := kv.Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, _ := kvClient(t, r, exchange(node))
		closeClient(t, c)
	}
	if v := os.Getenv(env); v != "" {
		connect(t, v, "1")
		fmt.Println("node 1 has a client")
		return
	}
	s, err := kv.Listen(filepath.Join(t.TempDir(), "kv"), kv.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestP18TwoProcesses$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+s.Path())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	connect(t, s.Path(), "0")
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "node 1 has a client") {
		t.Errorf("the other process: %v\n%s", err, out.String())
	}
}
