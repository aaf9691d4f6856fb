package pjrtserve_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// echo sends its argument to the host and returns what the host sends back.
const echo = `func.func @main(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %t = stablehlo.create_token : !stablehlo.token
  %s = "stablehlo.send"(%a, %t) {channel_handle = #stablehlo.channel_handle<handle = 7, type = 2>, is_host_transfer = true} : (tensor<2x3xf32>, !stablehlo.token) -> !stablehlo.token
  %r:2 = "stablehlo.recv"(%s) {channel_handle = #stablehlo.channel_handle<handle = 8, type = 3>, is_host_transfer = true} : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
  return %r#0 : tensor<2x3xf32>
}`

// A program sends to the host and receives from it: the callbacks see the channels, the chunks and their ends, and an
// error of a callback, or a stream that ends early, is the execution's.
func TestSendAndReceive(t *testing.T) {
	tab := table(t)
	live, end := objects(t, tab)
	x := compile(t, tab, pjrtc.Ptr[pjrtc.Client](live["client"]), echo)
	var sent []float32
	var behaviour string
	send, err := cb.Static(func(chunk, failed, total, done, arg uintptr) uintptr {
		// SAFETY: the test's: a chunk of the plugin, for the call.
		c := *mem.At[pjrtc.Chunk](chunk)
		data, err := mem.Slice[float32](c.Data, int(c.Size)/4)
		if err != nil || total != 24 || done != 1 || arg != 41 {
			t.Errorf("chunk %+v, %d bytes in all, done %d, argument %d: %v", c, total, done, arg, err)
		}
		sent = append(sent[:0], data...)
		call.Call(call.Fn(c.Deleter), uintptr(c.Data), uintptr(c.DeleterArg))
		if behaviour == "refuse" {
			f := call.Get()
			defer f.Put()
			at, _ := f.Text("no thanks")
			// SAFETY: the plugin gives a place that holds its function.
			return call.Call(call.Fn(*mem.At[pjrtc.Func](failed)), uintptr(pjrtc.ErrorCodeRESOURCEEXHAUSTED), uintptr(at), 9)
		}
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	recv, err := cb.Static(func(stream, arg uintptr) uintptr {
		s := pjrtc.Ptr[pjrtc.CopyToDeviceStream](stream)
		if n := must(t, tab, &pjrtc.CopyToDeviceStreamTotalBytesArgs{Stream: s}).TotalBytes; n != 24 || arg != 42 {
			t.Errorf("a stream of %d bytes, argument %d", n, arg)
		}
		if g := must(t, tab, &pjrtc.CopyToDeviceStreamGranuleSizeArgs{Stream: s}).GranuleSizeInBytes; g < 1 || 24%g != 0 {
			t.Errorf("granule %d", g)
		}
		f := call.Get()
		defer f.Put()
		data, _ := call.Slice[float32](f, 6)
		for i, v := range sent {
			data[i] = 10 * v
		}
		chunk, _ := call.New[pjrtc.Chunk](f)
		for i := range 2 {
			if i == 1 && behaviour == "stop" {
				break
			}
			*chunk = pjrtc.Chunk{Data: pjrtc.Addr(mem.AddrOf(data[3*i:])), Size: 12}
			e := must(t, tab, &pjrtc.CopyToDeviceStreamAddChunkArgs{Stream: s, Chunk: pjrtc.To(chunk)}).TransferComplete
			must(t, tab, &pjrtc.EventAwaitArgs{Event: e})
			must(t, tab, &pjrtc.EventDestroyArgs{Event: e})
			if n := must(t, tab, &pjrtc.CopyToDeviceStreamCurrentBytesArgs{Stream: s}).CurrentBytes; n != int64(12*i+12) {
				t.Errorf("%d bytes after part %d", n, i)
			}
		}
		must(t, tab, &pjrtc.CopyToDeviceStreamDestroyArgs{Stream: s})
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	f := call.Get()
	defer f.Put()
	s, _ := call.New[pjrtc.SendCallbackInfo](f)
	*s = pjrtc.SendCallbackInfo{ChannelId: 7, UserArg: 41, SendCallback: pjrtc.Func(send)}
	r, _ := call.New[pjrtc.RecvCallbackInfo](f)
	*r = pjrtc.RecvCallbackInfo{ChannelId: 8, UserArg: 42, RecvCallback: pjrtc.Func(recv)}
	sends, _ := call.Slice[pjrtc.Ptr[pjrtc.SendCallbackInfo]](f, 1)
	recvs, _ := call.Slice[pjrtc.Ptr[pjrtc.RecvCallbackInfo]](f, 1)
	sends[0], recvs[0] = pjrtc.To(s), pjrtc.To(r) // one device with one callback
	h := &host{t: t, tab: tab, f: f, c: pjrtc.Ptr[pjrtc.Client](live["client"]), d: pjrtc.Ptr[pjrtc.Device](live["device"])}
	for _, c := range []struct{ behaviour, says string }{
		{"answer", ""}, {"refuse", "no thanks"}, {"stop", "12 of 24 bytes"}, {"nobody", "channel 7"},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			behaviour = c.behaviour
			in := h.put([]float32{1, 2, 3, 4, 5, 6}, 0)
			must(t, tab, &pjrtc.EventDestroyArgs{Event: in.DoneWithHostBuffer})
			opt, _ := call.New[pjrtc.ExecuteOptions](f)
			opt.SetSize()
			if c.behaviour != "nobody" {
				opt.SendCallbacks, opt.NumSendOps = pjrtc.ToSlice(sends), 1
			}
			opt.RecvCallbacks, opt.NumRecvOps = pjrtc.ToSlice(recvs), 1
			args, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 1)
			outs, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 1)
			lists, _ := call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, 2)
			args[0], lists[0], lists[1] = in.Buffer, pjrtc.ToSlice(args), pjrtc.ToSlice(outs)
			must(t, tab, &pjrtc.LoadedExecutableExecuteArgs{
				Executable: x, Options: pjrtc.To(opt), ArgumentLists: pjrtc.ToSlice(lists),
				NumDevices: 1, NumArgs: 1, OutputLists: pjrtc.ToSlice(lists[1:]),
			})
			ready := must(t, tab, &pjrtc.BufferReadyEventArgs{Buffer: outs[0]}).Event
			_, msg := do(tab, &pjrtc.EventAwaitArgs{Event: ready})
			if c.says == "" && msg != "" || !strings.Contains(msg, c.says) {
				t.Errorf("got %q, want %q", msg, c.says)
			}
			if c.says == "" {
				for i, v := range h.get(outs[0], 0) {
					if v != float32(10*(i+1)) {
						t.Errorf("element %d is %v", i, v)
					}
				}
			}
			must(t, tab, &pjrtc.EventDestroyArgs{Event: ready})
			h.free(outs[0])
			h.free(in.Buffer)
		})
	}
	must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
	end()
	clean(t)
}

// A launch that waits for the host is poisoned by its number, on its device; one with another number is not there.
func TestPoison(t *testing.T) {
	tab := table(t)
	live, end := objects(t, tab)
	x := compile(t, tab, pjrtc.Ptr[pjrtc.Client](live["client"]), `func.func @main() -> tensor<2x3xf32> {
  %t = stablehlo.create_token : !stablehlo.token
  %r:2 = "stablehlo.recv"(%t) {channel_handle = #stablehlo.channel_handle<handle = 8, type = 3>, is_host_transfer = true} : (!stablehlo.token) -> (tensor<2x3xf32>, !stablehlo.token)
  return %r#0 : tensor<2x3xf32>
}`)
	streams := make(chan uintptr, 1)
	recv, err := cb.Static(func(stream, _ uintptr) uintptr { streams <- stream; return 0 })
	if err != nil {
		t.Fatal(err)
	}
	f := call.Get()
	defer f.Put()
	r, _ := call.New[pjrtc.RecvCallbackInfo](f)
	*r = pjrtc.RecvCallbackInfo{ChannelId: 8, RecvCallback: pjrtc.Func(recv)}
	recvs, _ := call.Slice[pjrtc.Ptr[pjrtc.RecvCallbackInfo]](f, 1)
	recvs[0] = pjrtc.To(r)
	opt, _ := call.New[pjrtc.ExecuteOptions](f)
	opt.SetSize()
	opt.RecvCallbacks, opt.NumRecvOps, opt.LaunchId = pjrtc.ToSlice(recvs), 1, 5
	outs, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 1)
	lists, _ := call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, 1)
	lists[0] = pjrtc.ToSlice(outs)
	must(t, tab, &pjrtc.LoadedExecutableExecuteArgs{Executable: x, Options: pjrtc.To(opt), NumDevices: 1, OutputLists: pjrtc.ToSlice(lists)})
	stream := <-streams
	why, _ := f.Text("the other half failed")
	poison := pjrtc.DevicePoisonExecutionArgs{
		Device: pjrtc.Ptr[pjrtc.Device](live["device"]), ErrorCode: pjrtc.ErrorCodeABORTED, ErrorMessage: pjrtc.Ptr[byte](why), ErrorMessageSize: 21,
	}
	for launch, want := range map[int32]bool{4: false, 5: true} {
		a := poison
		a.LaunchId = launch
		if got := must(t, tab, &a).Poisoned; got != want {
			t.Errorf("launch %d: poisoned %v, want %v", launch, got, want)
		}
	}
	ready := must(t, tab, &pjrtc.BufferReadyEventArgs{Buffer: outs[0]}).Event
	if code, msg := do(tab, &pjrtc.EventAwaitArgs{Event: ready}); code != pjrtc.ErrorCodeABORTED || !strings.Contains(msg, "the other half failed") {
		t.Errorf("%v: %s", code, msg)
	}
	must(t, tab, &pjrtc.EventDestroyArgs{Event: ready})
	must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: outs[0]})
	must(t, tab, &pjrtc.CopyToDeviceStreamDestroyArgs{Stream: pjrtc.Ptr[pjrtc.CopyToDeviceStream](stream)})
	must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
	end()
	clean(t)
}
