package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// KV is a call of the client's key-value store. Result and Err say how it went.
type KV struct {
	Op         string // "put", "get" or "try"
	Key, Value string
	Timeout    int32 // milliseconds, for get
	Must       bool  // an error fails what made the call

	// What a broken plugin does.
	Size    uint64 // what it says of a put's value, 0 is right
	NoError bool   // it gives no way to make an error
	Short   bool   // its arguments are too short
	Twice   bool   // it deletes the value twice
	Keep    bool   // it does not delete it before Delete
	drop    func()

	Result string
	Err    *Failure
	Done   bool
}

type kvCallbacks struct {
	get, put, try          pjrtc.Func
	getArg, putArg, tryArg pjrtc.Addr
}

// CallKV calls the key-value store that the last client was made with.
func (f *Fake) CallKV(k *KV) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kvCall(k)
}

func (f *Fake) kvCall(k *KV) *Failure {
	k.Done = true
	key, makeError := List(f, nil, []byte(k.Key)), f.errorMaker()
	if k.NoError {
		makeError = 0
	}
	var e uintptr
	var value pjrtc.Ptr[byte]
	var size uint64
	var deleter pjrtc.Func
	switch {
	case k.Op == "put" && f.kv.put != 0:
		a := alloc[pjrtc.KeyValuePutCallbackArgs](f)
		a.SetSize()
		a.Key, a.KeySize, a.CallbackError, a.UserArg = key, uint64(len(k.Key)), makeError, f.kv.putArg
		a.Value, a.ValueSize = List(f, nil, []byte(k.Value)), uint64(len(k.Value))
		if k.Size != 0 {
			a.ValueSize = k.Size
		}
		f.unlocked(func() { e = call.Call1(call.Fn(f.kv.put), pointerOf(a)) })
	case k.Op == "get" && f.kv.get != 0:
		a := alloc[pjrtc.KeyValueGetCallbackArgs](f)
		a.SetSize()
		if k.Short {
			a.StructSize -= 8
		}
		a.Key, a.KeySize, a.TimeoutInMs, a.CallbackError, a.UserArg = key, uint64(len(k.Key)), k.Timeout, makeError, f.kv.getArg
		f.unlocked(func() { e = call.Call1(call.Fn(f.kv.get), pointerOf(a)) })
		value, size, deleter = a.Value, a.ValueSize, a.ValueDeleterCallback
	case k.Op == "try" && f.kv.try != 0:
		a := alloc[pjrtc.KeyValueTryGetCallbackArgs](f)
		a.SetSize()
		a.Key, a.KeySize, a.CallbackError, a.UserArg = key, uint64(len(k.Key)), makeError, f.kv.tryArg
		f.unlocked(func() { e = call.Call1(call.Fn(f.kv.try), pointerOf(a)) })
		value, size, deleter = a.Value, a.ValueSize, a.ValueDeleterCallback
	default:
		k.Err = failed(pjrtc.ErrorCodeUNIMPLEMENTED, "the client has no such function")
		return k.Err
	}
	if e != 0 {
		f.unlocked(func() { k.Err = f.takeError(pjrtc.Ptr[pjrtc.Error](e)) })
		return k.Err
	}
	k.Result, k.Err = str(value, size), nil
	if deleter != 0 {
		drop := func() { call.Call(call.Fn(deleter), uintptr(value)) }
		if k.Keep {
			k.drop = drop
			return nil
		}
		f.unlocked(drop)
		if k.Twice {
			f.unlocked(drop)
		}
	} else if k.Short || k.NoError {
		return nil
	} else if k.Op != "put" {
		f.violate("a value of the key-value store has no deleter")
	}
	return nil
}

// Delete deletes the value that was kept.
func (k *KV) Delete() { k.drop() }
