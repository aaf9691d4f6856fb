package kv

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
)

// Bounds of one entry.
const (
	MaxKey   = 64 << 10 // bytes of a key
	MaxValue = 64 << 20 // bytes of a value
)

// Limits bound a store. Zero means the default.
type Limits struct {
	Keys  int // how many keys it holds; 1 << 16
	Bytes int // what keys and values may take together; 1 << 30
}

// Memory is a store in this process's memory. The zero value is an empty store with the default limits. It is safe for
// concurrent use.
type Memory struct {
	// Limits are set before the first use.
	Limits Limits

	mu     sync.Mutex
	values map[string][]byte
	size   int
	more   chan struct{} // closed by the next Put, nil when nobody waits
}

// Get returns the key's value, and waits for one until ctx ends; its error is then the context's cause.
func (m *Memory) Get(ctx context.Context, key []byte) ([]byte, error) {
	if m == nil || ctx == nil {
		return nil, fmt.Errorf("kv: get: no store, or no context: %w", isthmus.ErrInvalid)
	}
	for {
		v, ok, more, err := m.look(key, true)
		if err != nil || ok {
			return v, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("kv: get %s: %w", short(key), context.Cause(ctx))
		}
	}
}

// TryGet returns the key's value. Errors: [isthmus.ErrNotFound].
func (m *Memory) TryGet(_ context.Context, key []byte) ([]byte, error) {
	if m == nil {
		return nil, fmt.Errorf("kv: try get: no store: %w", isthmus.ErrInvalid)
	}
	v, ok, _, err := m.look(key, false)
	if err == nil && !ok {
		err = fmt.Errorf("kv: try get %s: %w", short(key), isthmus.ErrNotFound)
	}
	return v, err
}

func (m *Memory) look(key []byte, wait bool) (v []byte, ok bool, more <-chan struct{}, err error) {
	if err := check(key, nil); err != nil {
		return nil, false, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok = m.values[string(key)]
	if !ok && wait && m.more == nil {
		m.more = make(chan struct{})
	}
	if ok { // an empty value is not nil
		v = append([]byte{}, v...)
	}
	return v, ok, m.more, nil
}

// Put sets the key's value, over one that is there. Errors: [isthmus.ErrLimit].
func (m *Memory) Put(_ context.Context, key, value []byte) error {
	if m == nil {
		return fmt.Errorf("kv: put: no store: %w", isthmus.ErrInvalid)
	}
	if err := check(key, value); err != nil {
		return err
	}
	keys, most := m.Limits.Keys, m.Limits.Bytes
	if keys <= 0 {
		keys = 1 << 16
	}
	if most <= 0 {
		most = 1 << 30
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, there := m.values[string(key)]
	size := m.size + len(value) - len(old)
	if !there {
		size += len(key)
	}
	switch {
	case !there && len(m.values) >= keys:
		return fmt.Errorf("kv: put %s: the store holds %d keys: %w", short(key), keys, isthmus.ErrLimit)
	case size > most:
		return fmt.Errorf("kv: put %s: the store would hold %d bytes, at most %d: %w", short(key), size, most, isthmus.ErrLimit)
	}
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[string(key)], m.size = bytes.Clone(value), size
	if m.more != nil {
		close(m.more)
		m.more = nil
	}
	return nil
}

// Len is how many keys the store holds.
func (m *Memory) Len() int {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}

func check(key, value []byte) error {
	if len(key) > MaxKey {
		return fmt.Errorf("kv: a key of %d bytes, at most %d can be: %w", len(key), MaxKey, isthmus.ErrLimit)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("kv: %s: a value of %d bytes, at most %d can be: %w", short(key), len(value), MaxValue, isthmus.ErrLimit)
	}
	return nil
}

// short prints a key for messages.
func short(key []byte) string {
	if len(key) > 64 {
		return fmt.Sprintf("%q… (%d bytes)", key[:64], len(key))
	}
	return fmt.Sprintf("%q", key)
}
