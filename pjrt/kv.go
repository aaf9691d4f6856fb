package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// KV is a key-value store that the processes of one job share. A plugin uses it while it makes a client of several
// processes, to tell each of them about the devices of the others, and may use it later. Keys and values are bytes:
// they may hold zeros, need not be text, and an empty value is a value. Package pjrt/kv has stores for one process and
// for the processes of one machine; a store over MPI, or any other, is a type with these three methods.
//
// The methods are called on any number of goroutines at once. What they panic with is the plugin's error. Slices that
// are passed belong to the callee, slices that are returned to the caller.
type KV interface {
	// Get returns the key's value, and waits for one until ctx ends: with the client that gave up being made, at the
	// plugin's own timeout, or when the client is destroyed.
	Get(ctx context.Context, key []byte) ([]byte, error)
	// TryGet is Get that does not wait for a value: its error wraps [isthmus.ErrNotFound] when there is none.
	TryGet(ctx context.Context, key []byte) ([]byte, error)
	// Put sets the key's value.
	Put(ctx context.Context, key, value []byte) error
}

// Bounds of what a plugin may pass to a [KV].
const (
	MaxKVKey   = 64 << 10 // bytes of a key
	MaxKVValue = 64 << 20 // bytes of a value
)

// kvSession is a store that one client's plugin may call. It ends with the client.
type kvSession struct {
	store  KV
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// kvNative is the way from the plugin's callbacks to the sessions: one in a process, like the C functions. The plugin
// holds numbers, so a call that comes too late finds nothing.
var kvNative struct {
	once          sync.Once
	get, try, put call.Fn
	err           error

	mu       sync.Mutex
	last     uint64
	sessions map[uint64]*kvSession
	values   map[mem.Addr]*kvValue
}

// kvValue is a value that a plugin holds and has to delete.
type kvValue struct {
	block *mem.Block
	entry isthmus.Entry
}

// newKV opens a session; o owns it, and the client is to be its child.
func newKV(o *ffi.Owned[uint64], store KV) (uint64, *kvSession, error) {
	n := &kvNative
	n.once.Do(func() {
		n.sessions, n.values = map[uint64]*kvSession{}, map[mem.Addr]*kvValue{}
		del := call.Fn(0)
		del, n.err = cb.Static1(func(a mem.Addr) uintptr { deleteKVValue(a); return 0 }, nil)
		for _, f := range []struct {
			fn    *call.Fn
			serve func(mem.Addr) uintptr
		}{
			{&n.get, func(a mem.Addr) uintptr { return serveKVGet(a, pjrtc.Func(del)) }},
			{&n.try, func(a mem.Addr) uintptr { return serveKVTryGet(a, pjrtc.Func(del)) }},
			{&n.put, serveKVPut},
		} {
			if n.err == nil {
				*f.fn, n.err = cb.Static1(f.serve, nil)
			}
		}
	})
	if n.err != nil {
		return 0, nil, n.err
	}
	s := &kvSession{store: store}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	n.mu.Lock()
	n.last++
	token := n.last
	n.sessions[token] = s
	n.mu.Unlock()
	return token, s, o.Init(&ffi.Class[uint64]{Name: "pjrt.KV session", Destroy: endKV}, token)
}

// endKV ends a session: calls that wait give up, later ones are refused.
func endKV(token uint64) error {
	kvNative.mu.Lock()
	s := kvNative.sessions[token]
	delete(kvNative.sessions, token)
	kvNative.mu.Unlock()
	if s != nil {
		s.cancel(fmt.Errorf("pjrt: key-value store: the client is destroyed: %w", isthmus.ErrClosed))
	}
	return nil
}

func serveKVGet(at mem.Addr, del pjrtc.Func) uintptr {
	a := kvArgs[pjrtc.KeyValueGetCallbackArgs](at, pjrtc.KeyValueGetCallbackArgsSize)
	if a == nil {
		return 0
	}
	return serveKV("get", a.CallbackError, func() error {
		a.Value, a.ValueSize, a.ValueDeleterCallback = 0, 0, del
		key, s, err := kvCall(a.Key, a.KeySize, a.UserArg)
		if err != nil {
			return err
		}
		ctx, late := s.ctx, fmt.Errorf("no value for %s within %d ms: %w", shortKey(key), a.TimeoutInMs, context.DeadlineExceeded)
		ask := func() ([]byte, error) { return s.store.Get(ctx, key) }
		switch {
		case a.TimeoutInMs == 0: // what is there is there in no time
			ask = func() ([]byte, error) {
				v, err := s.store.TryGet(ctx, key)
				if errors.Is(err, isthmus.ErrNotFound) {
					err = late
				}
				return v, err
			}
		case a.TimeoutInMs > 0:
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(a.TimeoutInMs)*time.Millisecond, late)
			defer cancel()
		default: // an endless time does not fit the field and comes as a negative one
		}
		v, err := s.value(ctx, ask)
		if err == nil {
			a.Value, a.ValueSize, err = handOver(v)
		}
		return err
	})
}

func serveKVTryGet(at mem.Addr, del pjrtc.Func) uintptr {
	a := kvArgs[pjrtc.KeyValueTryGetCallbackArgs](at, pjrtc.KeyValueTryGetCallbackArgsSize)
	if a == nil {
		return 0
	}
	return serveKV("try get", a.CallbackError, func() error {
		a.Value, a.ValueSize, a.ValueDeleterCallback = 0, 0, del
		key, s, err := kvCall(a.Key, a.KeySize, a.UserArg)
		if err != nil {
			return err
		}
		v, err := s.value(s.ctx, func() ([]byte, error) { return s.store.TryGet(s.ctx, key) })
		if err == nil {
			a.Value, a.ValueSize, err = handOver(v)
		}
		return err
	})
}

func serveKVPut(at mem.Addr) uintptr {
	a := kvArgs[pjrtc.KeyValuePutCallbackArgs](at, pjrtc.KeyValuePutCallbackArgsSize)
	if a == nil {
		return 0
	}
	return serveKV("put", a.CallbackError, func() error {
		key, s, err := kvCall(a.Key, a.KeySize, a.UserArg)
		if err != nil {
			return err
		}
		value, err := mem.Copy(a.Value, a.ValueSize, MaxKVValue)
		if err != nil {
			return fmt.Errorf("the value: %w", err)
		}
		_, err = s.value(s.ctx, func() ([]byte, error) { return nil, s.store.Put(s.ctx, key, value) })
		return err
	})
}

// kvArgs is a callback's argument struct, nil where it is not all there.
//
// Preconditions: at is 0, or a struct of as many bytes as its first field says.
func kvArgs[A any](at mem.Addr, size uint64) *A {
	if at == 0 || *mem.At[uint64](at) < size {
		strayKV(fmt.Errorf("the plugin passes less than the %d bytes of the callback's arguments: %w", size, isthmus.ErrBounds))
		return nil
	}
	return mem.At[A](at)
}

func strayKV(err error) {
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt.KV session"}, Err: err})
}

// serveKV runs one call of a plugin's and turns what goes wrong into an error that the plugin makes and owns.
func serveKV(op string, makeError pjrtc.Ptr[pjrtc.Func], serve func() error) uintptr {
	var err error
	func() {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
			}
		}()
		err = serve()
	}()
	if err == nil {
		return 0
	}
	if makeError == 0 || *makeError.At() == 0 {
		strayKV(fmt.Errorf("%s: the plugin cannot be told: %w", op, err))
		return 0
	}
	msg := []byte("key-value store: " + op + ": " + err.Error())
	if len(msg) > maxText {
		msg = msg[:maxText]
	}
	var pin mem.Pin
	defer pin.Unpin()
	return call.Call(call.Fn(*makeError.At()), uintptr(codeOf(err)), uintptr(mem.PinSlice(&pin, msg)), uintptr(len(msg)))
}

// kvCall reads what all calls have: the key, and the number that leads to the session.
func kvCall(key pjrtc.Ptr[byte], n uint64, user pjrtc.Addr) ([]byte, *kvSession, error) {
	kvNative.mu.Lock()
	s := kvNative.sessions[uint64(user)]
	kvNative.mu.Unlock()
	if s == nil {
		return nil, nil, fmt.Errorf("the client is destroyed: %w", isthmus.ErrClosed)
	}
	k, err := mem.Copy(key, n, MaxKVKey)
	if err != nil {
		return nil, nil, fmt.Errorf("the key: %w", err)
	}
	return k, s, nil
}

// value calls the store on a goroutine of its own: a store that panics, ends its goroutine or does not look at ctx
// must not keep the plugin's thread.
func (s *kvSession) value(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	type result struct {
		v   []byte
		err error
	}
	ch := make(chan result, 1)
	go func() {
		r := result{err: fmt.Errorf("the store ended its goroutine: %w", isthmus.ErrPanic)}
		defer func() {
			if v := recover(); v != nil {
				r = result{err: fmt.Errorf("the store: %w: %v", isthmus.ErrPanic, v)}
			}
			ch <- r
		}()
		v, err := f()
		r = result{v, err}
	}()
	select {
	case r := <-ch:
		if r.err != nil && ctx.Err() != nil {
			r.err = context.Cause(ctx)
		}
		if r.err == nil && len(r.v) > MaxKVValue {
			r.err = fmt.Errorf("the store's value has %d bytes, at most %d can be: %w", len(r.v), MaxKVValue, isthmus.ErrLimit)
		}
		return r.v, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// handOver copies v to memory that the plugin holds until it calls the deleter. It never is null.
func handOver(v []byte) (pjrtc.Ptr[byte], uint64, error) {
	b, err := mem.Alloc(max(len(v), 1), 0)
	if err != nil {
		return 0, 0, err
	}
	copy(b.Bytes(), v)
	h := &kvValue{block: b}
	h.entry.Enter("pjrt.KV value")
	at := mem.AddrOf(b.Bytes())
	kvNative.mu.Lock()
	kvNative.values[at] = h
	kvNative.mu.Unlock()
	return pjrtc.Ptr[byte](at), uint64(len(v)), nil
}

// deleteKVValue frees a value, once: what is no value, or was deleted, is reported and left alone.
func deleteKVValue(at mem.Addr) {
	if at == 0 { // nothing, as for free
		return
	}
	kvNative.mu.Lock()
	h := kvNative.values[at]
	delete(kvNative.values, at)
	kvNative.mu.Unlock()
	if h == nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt.KV value"}, Err: fmt.Errorf("the plugin deletes a value that it does not hold: %w", isthmus.ErrClosed)})
		return
	}
	h.entry.Leave()
	_ = h.block.Free() // cannot fail: the block was in the table once
}

// shortKey prints a key for messages.
func shortKey(key []byte) string {
	if len(key) > 64 {
		return fmt.Sprintf("%q… (%d bytes)", key[:64], len(key))
	}
	return fmt.Sprintf("%q", key)
}
