package pjrtserve

import (
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// copyStream is a PJRT_CopyToDeviceStream: what a program receives from the host comes in by it, in parts.
type copyStream struct {
	mu   sync.Mutex
	data []byte
	at   int
	done ffi.Event
}

// add copies a part. The event of the part is the stream's answer.
func (c *copyStream) add(part []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done.Completed() {
		return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the stream is complete")
	}
	if len(part) > len(c.data)-c.at {
		return invalid("%d bytes for a stream that has %d of %d", len(part), c.at, len(c.data))
	}
	c.at += copy(c.data[c.at:], part)
	if c.at == len(c.data) {
		c.done.Complete(nil)
	}
	return nil
}

// end says that no more comes.
func (c *copyStream) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Complete(fmt.Errorf("pjrtserve: the stream was destroyed after %d of %d bytes: %w", c.at, len(c.data), isthmus.ErrClosed))
}

// sender and receiver are what the client of an execution does for send and recv.
type (
	sender struct {
		fn  call.Fn
		arg uintptr
	}
	receiver sender
	channel  struct {
		process int
		id      int64
	}
)

// HostTransfers are the ends of a program's channels on the host, by the process of the program that uses them.
type HostTransfers struct {
	send map[channel]sender
	recv map[channel]receiver
}

// chunkDeleter frees what a send callback was given.
func chunkDeleter() (pjrtc.Func, error) {
	fn, err := cb.Static(func(_, arg uintptr) uintptr {
		if h, err := take[*heap](kindBytes, arg); err == nil {
			h.free()
		}
		return 0
	})
	return pjrtc.Func(fn), err
}

// callbackError is the C function that makes errors for callbacks.
func callbackError() (pjrtc.Func, error) {
	fn, err := cb.Static(func(code, message, size uintptr) uintptr {
		var made error
		err := guard(func() error {
			text, err := readText(pjrtc.Ptr[byte](message), uint64(size))
			made = &Error{Code: pjrtc.ErrorCode(int32(code)), Msg: text}
			return err
		})
		if err != nil {
			made = err
		}
		return uintptr(world().raise(made))
	})
	return pjrtc.Func(fn), err
}

// errorOf takes an error that C hands back.
func (s *shared) errorOf(h uintptr) error {
	if h == 0 {
		return nil
	}
	f := s.failures.get(mem.Addr(h))
	if f == nil {
		return invalid("a callback returned %#x, which is no PJRT_Error of this plugin", h)
	}
	at, n := f.text.get()
	e := &Error{Code: f.code, Msg: mem.String(at, n, maxMessage), Payload: f.payload}
	s.failures.drop(mem.Addr(h))
	return e
}

// Send hands data to the host: total bytes in all, done with the last part.
func (t *HostTransfers) Send(process int, id int64, data []byte, total int, done bool) error {
	to, ok := t.send[channel{process, id}]
	if !ok {
		return unimplemented("the program sends on channel %d, for which the execution has no callback", id)
	}
	w := world()
	deleter, err := w.chunkDeleter.get(chunkDeleter)
	if err != nil {
		return err
	}
	failed, err := w.callbackError.get(callbackError)
	if err != nil {
		return err
	}
	h := &heap{}
	at, n, err := h.bytes("chunk", data)
	if err != nil {
		return err
	}
	holder, err := give[pjrtc.Addr](kindBytes, h)
	if err != nil {
		h.free()
		return err
	}
	f := call.Get()
	defer f.Put()
	chunk, err := call.New[pjrtc.Chunk](f)
	if err != nil {
		return err
	}
	onError, err := call.New[pjrtc.Func](f)
	if err != nil {
		return err
	}
	*chunk = pjrtc.Chunk{Data: pjrtc.Addr(at), Size: n, Deleter: deleter, DeleterArg: holder}
	*onError = failed
	last := uintptr(0)
	if done {
		last = 1
	}
	return w.errorOf(f.Call(to.fn, uintptr(mem.AddrOfPtr(chunk)), uintptr(mem.AddrOfPtr(onError)), uintptr(total), last, to.arg))
}

// Recv has the host fill data.
func (t *HostTransfers) Recv(ctx context.Context, process int, id int64, data []byte) error {
	from, ok := t.recv[channel{process, id}]
	if !ok {
		return unimplemented("the program receives on channel %d, for which the execution has no callback", id)
	}
	// The stream is the callback's, which may keep it longer than this run waits: it fills memory of its own.
	s := &copyStream{data: make([]byte, len(data))}
	h, err := give[uintptr](kindStream, s)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		s.done.Complete(nil)
	}
	call.Call(from.fn, h, from.arg)
	if err := s.done.Wait(ctx); err != nil {
		return err
	}
	copy(data, s.data)
	return nil
}

// readTransfers reads the callbacks of an execution.
func (x *loaded) readTransfers(opt *pjrtc.ExecuteOptions) (*HostTransfers, error) {
	if opt.NumSendOps == 0 && opt.NumRecvOps == 0 {
		return nil, nil
	}
	if opt.NumSendOps > maxItems || opt.NumRecvOps > maxItems {
		return nil, invalid("%d send and %d receive callbacks", opt.NumSendOps, opt.NumRecvOps)
	}
	t := &HostTransfers{map[channel]sender{}, map[channel]receiver{}}
	n := uint64(max(len(x.b.Devices()), 1))
	if opt.NumSendOps > 0 {
		rows, err := opt.SendCallbacks.Slice(n)
		if err != nil {
			return nil, err
		}
		for p, row := range rows {
			list, err := row.Slice(opt.NumSendOps)
			if err != nil {
				return nil, err
			}
			for _, c := range list {
				if c.SendCallback == 0 {
					return nil, invalid("the callback of channel %d is null", c.ChannelId)
				}
				t.send[channel{p, c.ChannelId}] = sender{call.Fn(c.SendCallback), uintptr(c.UserArg)}
			}
		}
	}
	if opt.NumRecvOps > 0 {
		rows, err := opt.RecvCallbacks.Slice(n)
		if err != nil {
			return nil, err
		}
		for p, row := range rows {
			list, err := row.Slice(opt.NumRecvOps)
			if err != nil {
				return nil, err
			}
			for _, c := range list {
				if c.RecvCallback == 0 {
					return nil, invalid("the callback of channel %d is null", c.ChannelId)
				}
				t.recv[channel{p, c.ChannelId}] = receiver{call.Fn(c.RecvCallback), uintptr(c.UserArg)}
			}
		}
	}
	return t, nil
}

func (s *shared) streamSlots() {
	on(s, func(_ *Server, a *pjrtc.CopyToDeviceStreamDestroyArgs) error {
		if a.Stream == 0 {
			return nil
		}
		c, err := take[*copyStream](kindStream, a.Stream)
		if err != nil {
			return err
		}
		c.end()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.CopyToDeviceStreamAddChunkArgs) error {
		c, err := get[*copyStream](kindStream, a.Stream)
		if err != nil {
			return err
		}
		given, err := at(a.Chunk)
		if err != nil {
			return err
		}
		chunk := *given
		// The chunk is the stream's now, whatever comes.
		defer func() {
			if chunk.Deleter != 0 {
				call.Call(call.Fn(chunk.Deleter), uintptr(chunk.Data), uintptr(chunk.DeleterArg))
			}
		}()
		part, err := mem.Slice[byte](chunk.Data, chunk.Size)
		if err != nil {
			return err
		}
		a.TransferComplete, err = giveEvent(fired(c.add(part)))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.CopyToDeviceStreamTotalBytesArgs) error {
		c, err := get[*copyStream](kindStream, a.Stream)
		if err == nil {
			a.TotalBytes = int64(len(c.data))
		}
		return err
	})
	on(s, func(_ *Server, a *pjrtc.CopyToDeviceStreamGranuleSizeArgs) error {
		_, err := get[*copyStream](kindStream, a.Stream)
		a.GranuleSizeInBytes = 1
		return err
	})
	on(s, func(_ *Server, a *pjrtc.CopyToDeviceStreamCurrentBytesArgs) error {
		c, err := get[*copyStream](kindStream, a.Stream)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		a.CurrentBytes = int64(c.at)
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.DevicePoisonExecutionArgs) error {
		d, err := getDevice(a.Device)
		if err != nil {
			return err
		}
		cause, err := readStatus(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if err != nil {
			return err
		}
		if cause == nil {
			return invalid("the error is OK")
		}
		a.Poisoned = d.client.poison(d.id, a.LaunchId, cause)
		return nil
	})
}

// launch is an execution that can be poisoned: one with a launch id.
type launch struct {
	id      int32
	devices []int
	stop    func(error)
}

// poison stops the executions of a launch on a device.
func (c *client) poison(device int, id int32, cause error) bool {
	c.launches.mu.Lock()
	var stop []func(error)
	for l := range c.launches.live {
		for _, d := range l.devices {
			if l.id == id && d == device {
				stop = append(stop, l.stop)
			}
		}
	}
	c.launches.mu.Unlock()
	for _, f := range stop {
		f(cause)
	}
	return len(stop) > 0
}

// watch remembers an execution until it is over.
func (c *client) watch(id int32, devices []int, e *Execution) {
	if id == 0 || e.Cancel == nil {
		return
	}
	l := &launch{id, devices, e.Cancel}
	c.launches.mu.Lock()
	if c.launches.live == nil {
		c.launches.live = map[*launch]bool{}
	}
	c.launches.live[l] = true
	c.launches.mu.Unlock()
	e.Done.OnDone(func(error) {
		c.launches.mu.Lock()
		delete(c.launches.live, l)
		c.launches.mu.Unlock()
	})
}
