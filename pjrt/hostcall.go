package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// SendHandler takes what a program's send operation gives to the host.
type SendHandler struct {
	// Channel is the operation's channel id.
	Channel int64
	// Func is called for each chunk, on a goroutine of its own, while the program runs. Its error, or panic, is the
	// plugin's error of the execution.
	Func func(SentChunk) error
}

// SentChunk is a piece of what a program sends.
type SentChunk struct {
	Device int    // which of the execution's devices sends, from 0
	Data   []byte // the callee's to keep
	Total  int    // bytes that the operation sends in all
	Last   bool
}

// RecvHandler gives what a program's receive operation wants.
type RecvHandler struct {
	// Channel is the operation's channel id.
	Channel int64
	// Func is called once for each device, from 0, on a goroutine of its own. It, or what it starts, writes to the stream
	// and closes it. When it returns an error, or panics, the stream is closed, which ends the transfer, and the error
	// is one of the execution's.
	Func func(device int, s *DeviceStream) error
}

// maxChunk bounds a chunk that a plugin says it sends.
const maxChunk = 1 << 40

// hosts are the callbacks of one execution. They live until it is done.
type hosts struct {
	p      *Plugin
	client *Client
	served []cb.Served

	mu  sync.Mutex
	err error
}

// serve registers a callback.
func (h *hosts) serve(shape cb.Shape, handler cb.Handler) (cb.Served, error) {
	s, err := cb.Serve(shape, handler)
	if err == nil {
		h.served = append(h.served, s)
	}
	return s, err
}

func (h *hosts) release() {
	if h == nil {
		return
	}
	for _, s := range h.served {
		s.Release()
	}
}

func (h *hosts) fail(err error) {
	h.mu.Lock()
	h.err = errors.Join(h.err, err)
	h.mu.Unlock()
}

// failure is what callbacks failed with that could not tell the plugin.
func (h *hosts) failure() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// options writes the options of an execution into the frame.
func (r *run) options(opt *pjrtc.ExecuteOptions, params int, o *ExecuteOptions) (err error) {
	const op = "execute"
	f := r.f
	opt.SetSize()
	for _, field := range [...]struct {
		name string
		set  bool
	}{
		{"context", o.Context != nil},
		{"call_location", o.CallLocation != ""},
		{"num_tasks", len(o.Tasks) > 0},
		{"use_major_to_minor_data_layout_for_callbacks", o.RowMajor},
	} {
		if !field.set {
			continue
		}
		if err := r.x.client.plugin.lacksField("PJRT_ExecuteOptions." + field.name); err != nil {
			return fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	opt.LaunchId, opt.UseMajorToMinorDataLayoutForCallbacks = o.LaunchID, o.RowMajor
	if len(o.Keep) > 0 {
		keep, err := call.Slice[int64](f, len(o.Keep))
		if err != nil {
			return err
		}
		for i, k := range o.Keep {
			if k < 0 || k >= params {
				return invalid(op, "argument %d to keep, there are %d", k, params)
			}
			keep[i] = int64(k)
		}
		opt.NonDonatableInputIndices, opt.NumNonDonatableInputIndices = pjrtc.ToSlice(keep), uint64(len(keep))
	}
	if o.CallLocation != "" {
		a, err := f.Text(o.CallLocation)
		if err != nil {
			return err
		}
		opt.CallLocation = pjrtc.Ptr[byte](a)
	}
	if n := len(o.Tasks); n > 0 {
		ids, err := call.Slice[int32](f, n)
		if err != nil {
			return err
		}
		incarnations, err := call.Slice[int64](f, n)
		if err != nil {
			return err
		}
		for i, t := range o.Tasks {
			ids[i], incarnations[i] = t.ID, t.Incarnation
		}
		opt.TaskIds, opt.IncarnationIds, opt.NumTasks = pjrtc.ToSlice(ids), pjrtc.ToSlice(incarnations), uint64(n)
	}
	if len(o.Send)+len(o.Recv) > 0 {
		if err := r.callbacks(opt, o); err != nil {
			return fmt.Errorf("pjrt: %s: callbacks: %w", op, err)
		}
	}
	opt.Context = pjrtc.Ptr[pjrtc.ExecuteContext](r.x.client.plugin.handlers.noData.Load())
	if o.Context != nil {
		if o.Context.plugin != r.x.client.plugin {
			return invalid(op, "the context belongs to another plugin")
		}
		if opt.Context, err = o.Context.owned.Use(); err != nil {
			return fmt.Errorf("pjrt: %s: %w", op, err)
		}
		r.ctx = o.Context // used until the end
	}
	return nil
}

// callbacks registers the handlers, once for each device, so that each call knows its device.
func (r *run) callbacks(opt *pjrtc.ExecuteOptions, o *ExecuteOptions) error {
	p := r.x.client.plugin
	h := &hosts{p: p, client: r.x.client}
	r.hosts = h
	if len(o.Recv) > 0 && !p.table.Has(pjrtc.SlotCopyToDeviceStreamDestroy) {
		return p.lacks(pjrtc.SlotCopyToDeviceStreamDestroy)
	}
	sends, err := call.Slice[pjrtc.Ptr[pjrtc.SendCallbackInfo]](r.f, len(r.args))
	if err != nil {
		return err
	}
	recvs, err := call.Slice[pjrtc.Ptr[pjrtc.RecvCallbackInfo]](r.f, len(r.args))
	if err != nil {
		return err
	}
	for d := range r.args {
		send, err := call.Slice[pjrtc.SendCallbackInfo](r.f, len(o.Send))
		if err != nil {
			return err
		}
		for i, s := range o.Send {
			if s.Func == nil {
				return fmt.Errorf("send handler %d has no function: %w", i, isthmus.ErrInvalid)
			}
			c, err := h.send(d, s)
			if err != nil {
				return err
			}
			send[i].ChannelId, send[i].UserArg, send[i].SendCallback = s.Channel, pjrtc.Addr(c.Arg), pjrtc.Func(c.Fn)
		}
		recv, err := call.Slice[pjrtc.RecvCallbackInfo](r.f, len(o.Recv))
		if err != nil {
			return err
		}
		for i, s := range o.Recv {
			if s.Func == nil {
				return fmt.Errorf("receive handler %d has no function: %w", i, isthmus.ErrInvalid)
			}
			c, err := h.recv(d, s)
			if err != nil {
				return err
			}
			recv[i].ChannelId, recv[i].UserArg, recv[i].RecvCallback = s.Channel, pjrtc.Addr(c.Arg), pjrtc.Func(c.Fn)
		}
		sends[d], recvs[d] = pjrtc.ToSlice(send), pjrtc.ToSlice(recv)
	}
	opt.NumSendOps, opt.NumRecvOps = uint64(len(o.Send)), uint64(len(o.Recv))
	if len(o.Send) > 0 {
		opt.SendCallbacks = pjrtc.ToSlice(sends)
	}
	if len(o.Recv) > 0 {
		opt.RecvCallbacks = pjrtc.ToSlice(recvs)
	}
	return nil
}

// send serves PJRT_SendCallback(chunk, callback_error, total, done, user). The chunk is copied and given back at once:
// its memory is the plugin's, and what a handler keeps must not be.
func (h *hosts) send(device int, s SendHandler) (cb.Served, error) {
	return h.serve(cb.Shape{Args: 5, User: 4}, cb.Handler{Serve: func(a *cb.Args) uintptr {
		err := guarded(func() error {
			data, err := takeChunk(pjrtc.Ptr[pjrtc.Chunk](a[0]))
			if err != nil {
				return err
			}
			// The C bool takes the lowest byte of its word.
			return s.Func(SentChunk{Device: device, Data: data, Total: int(a[2]), Last: a[3]&0xff != 0})
		})
		if err == nil {
			return 0
		}
		return callbackError(pjrtc.Ptr[pjrtc.Func](a[1]), fmt.Errorf("send handler of channel %d: %w", s.Channel, err), h.fail)
	}})
}

// takeChunk copies a chunk and gives its memory back to the plugin.
func takeChunk(p pjrtc.Ptr[pjrtc.Chunk]) ([]byte, error) {
	if p == 0 {
		return nil, fmt.Errorf("the plugin gave no chunk: %w", isthmus.ErrInvalid)
	}
	// SAFETY: owner: the plugin, which keeps the struct for the call; the data are ours until the deleter is called,
	// which is once, here; bounds: the size that the plugin states, with a limit; thread: the callback's.
	c := *p.At()
	data, err := mem.Copy(c.Data, c.Size, maxChunk)
	if c.Deleter != 0 {
		call.Call(call.Fn(c.Deleter), uintptr(c.Data), uintptr(c.DeleterArg))
	}
	return data, err
}

// guarded calls a user's function on a goroutine of its own, and makes an error of a panic and of an end of it.
func guarded(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%w: it ended its goroutine", isthmus.ErrPanic)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}

// callbackError makes the plugin's error of err, by the function that it gave for that. What the plugin cannot be told
// goes to untold.
func callbackError(makeError pjrtc.Ptr[pjrtc.Func], err error, untold func(error)) uintptr {
	if makeError == 0 || *makeError.At() == 0 {
		untold(err)
		return 0
	}
	f := call.Get()
	defer f.Put()
	msg, n, terr := status(f, err.Error())
	if terr != nil {
		untold(err)
		return 0
	}
	e := f.Call(call.Fn(*makeError.At()), uintptr(codeOf(err)), uintptr(msg), uintptr(n))
	if x := f.Thrown(); x != nil {
		untold(errors.Join(err, x))
		return 0
	}
	return e
}

// recv serves PJRT_RecvCallback(stream, user), which has no result: a handler that fails closes the stream.
func (h *hosts) recv(device int, s RecvHandler) (cb.Served, error) {
	return h.serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr {
		stream := &DeviceStream{client: h.client}
		err := stream.owned.Init(&h.p.streams, pjrtc.Ptr[pjrtc.CopyToDeviceStream](a[0]), &h.client.owned)
		if err == nil {
			if err = guarded(func() error { return s.Func(device, stream) }); err != nil {
				err = errors.Join(err, stream.owned.CloseLater())
			}
		}
		if err != nil {
			h.fail(fmt.Errorf("pjrt: execute: receive handler of channel %d: %w", s.Channel, err))
		}
		return 0
	}})
}

// DeviceStream is what a program's receive operation reads from. Who has it closes it; closing it before all is written
// ends the transfer with an error. It is safe for concurrent use. The zero value is closed.
type DeviceStream struct {
	owned  ffi.Owned[pjrtc.Ptr[pjrtc.CopyToDeviceStream]]
	client *Client
}

func (p *Plugin) destroyStream(h pjrtc.Ptr[pjrtc.CopyToDeviceStream]) error {
	return ask(p, "destroy device stream", func(_ *call.Frame, a *pjrtc.CopyToDeviceStreamDestroyArgs) error { a.Stream = h; return nil }, nil)
}

// use enters the stream; the caller calls s.owned.Done.
func (s *DeviceStream) use(op string) (pjrtc.Ptr[pjrtc.CopyToDeviceStream], error) {
	if s == nil {
		return 0, invalid(op, "no stream")
	}
	h, err := s.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return h, nil
}

// AddChunk starts the transfer of a copy of data. The event fires when it is done, with an error when data is not a
// multiple of the granule, or more than is left. The caller closes the event. Calls PJRT_CopyToDeviceStream_AddChunk.
func (s *DeviceStream) AddChunk(data []byte) (*Event, error) {
	const op = "add chunk"
	h, err := s.use(op)
	if err != nil {
		return nil, err
	}
	defer s.owned.Done()
	// The plugin owns the copy until it calls the deleter, whenever and wherever that is.
	loan, err := ffi.Lend(append([]byte(nil), data...), ffi.Shared)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	end, err := lendUntilDeleted(loan)
	if err != nil {
		loan.Return()
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	var e pjrtc.Ptr[pjrtc.Event]
	err = ask(s.client.plugin, op, func(f *call.Frame, a *pjrtc.CopyToDeviceStreamAddChunkArgs) error {
		c, err := call.New[pjrtc.Chunk](f)
		if err != nil {
			return err
		}
		c.Data, c.Size, c.Deleter, c.DeleterArg = pjrtc.Addr(mem.AddrOf(loan.Bytes())), uint64(len(data)), pjrtc.Func(end.served.Fn), pjrtc.Addr(end.served.Arg)
		a.Stream, a.Chunk = h, pjrtc.To(c)
		return nil
	}, func(a *pjrtc.CopyToDeviceStreamAddChunkArgs) error {
		if e = a.TransferComplete; e == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no event: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		if !suspect(err) { // else the plugin may still have the chunk, and call the deleter
			end.now()
		}
		return nil, err
	}
	return s.client.newEvent(op, e)
}

// chunkEnd is the way back of a loan: a deleter that the plugin calls once, on any thread.
type chunkEnd struct {
	mu     sync.Mutex
	served cb.Served
	loan   *ffi.Loan
}

func lendUntilDeleted(loan *ffi.Loan) (*chunkEnd, error) {
	c := &chunkEnd{loan: loan}
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(*cb.Args) uintptr { c.now(); return 0 }})
	c.mu.Lock()
	c.served = s
	c.mu.Unlock()
	return c, err
}

// now returns the loan. A deleter that is called again, or after an error, is a stray.
func (c *chunkEnd) now() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.served.Release() {
		c.loan.Return()
	}
}

// Write is AddChunk that waits: for the transfer, or for ctx.
func (s *DeviceStream) Write(ctx context.Context, data []byte) error {
	e, err := s.AddChunk(data)
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Wait(ctx)
}

// TotalBytes is how much the program wants. Calls PJRT_CopyToDeviceStream_TotalBytes.
func (s *DeviceStream) TotalBytes() (int64, error) {
	return askStream(s, "total bytes", func(a *pjrtc.CopyToDeviceStreamTotalBytesArgs, h pjrtc.Ptr[pjrtc.CopyToDeviceStream]) { a.Stream = h },
		func(a *pjrtc.CopyToDeviceStreamTotalBytesArgs) int64 { return a.TotalBytes })
}

// GranuleSize is what the size of every chunk must be a multiple of, in bytes. Calls
// PJRT_CopyToDeviceStream_GranuleSize.
func (s *DeviceStream) GranuleSize() (int64, error) {
	return askStream(s, "granule size", func(a *pjrtc.CopyToDeviceStreamGranuleSizeArgs, h pjrtc.Ptr[pjrtc.CopyToDeviceStream]) { a.Stream = h },
		func(a *pjrtc.CopyToDeviceStreamGranuleSizeArgs) int64 { return a.GranuleSizeInBytes })
}

// CurrentBytes is how much has been added. Calls PJRT_CopyToDeviceStream_CurrentBytes.
func (s *DeviceStream) CurrentBytes() (int64, error) {
	return askStream(s, "current bytes", func(a *pjrtc.CopyToDeviceStreamCurrentBytesArgs, h pjrtc.Ptr[pjrtc.CopyToDeviceStream]) { a.Stream = h },
		func(a *pjrtc.CopyToDeviceStreamCurrentBytesArgs) int64 { return a.CurrentBytes })
}

func askStream[A any, P interface {
	*A
	pjrtc.Args
}](s *DeviceStream, op string, set func(P, pjrtc.Ptr[pjrtc.CopyToDeviceStream]), get func(P) int64) (n int64, err error) {
	h, err := s.use(op)
	if err != nil {
		return 0, err
	}
	defer s.owned.Done()
	err = ask(s.client.plugin, op, func(_ *call.Frame, a P) error { set(a, h); return nil }, func(a P) error { n = get(a); return nil })
	return n, err
}

// Close gives the stream back. While a call uses it, it does nothing and returns an error that wraps [isthmus.ErrBusy].
// Close is idempotent and nil-safe. Calls PJRT_CopyToDeviceStream_Destroy.
func (s *DeviceStream) Close() error {
	if s == nil {
		return nil
	}
	return s.owned.Close()
}

// String describes the stream without touching native memory.
func (s *DeviceStream) String() string {
	if s == nil || s.client == nil {
		return "pjrt.DeviceStream(none)"
	}
	if !s.owned.Live() {
		return "pjrt.DeviceStream(closed)"
	}
	return "pjrt.DeviceStream"
}
