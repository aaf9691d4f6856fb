package pjrttest

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// eventually waits until ok says so, not longer than the run allows.
func (t *probe) eventually(ok func() bool, otherwise string, a ...any) {
	for until := time.Now().Add(t.patient); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(until) {
			t.fail(otherwise, a...)
		}
	}
}

// parallel runs f on n goroutines, each with a probe of its own, and ends the check as the first that did not pass.
func (t *probe) parallel(n int, f func(t *probe, i int)) {
	ends := make([]any, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own := newProbe(t.plugin)
			defer own.end()
			defer func() { ends[i] = recover() }()
			f(own, i)
		}()
	}
	wg.Wait()
	for _, e := range ends {
		if e != nil {
			panic(e)
		}
	}
}

func eventChecks() []check {
	create := func(t *probe) pjrtc.Ptr[pjrtc.Event] {
		e := optional(t, &pjrtc.EventCreateArgs{}).Event
		t.want(e != 0, "no event and no error")
		return e
	}
	set := func(t *probe, e pjrtc.Ptr[pjrtc.Event], code pjrtc.ErrorCode, msg string) error {
		_, err := try(t, &pjrtc.EventSetArgs{Event: e, ErrorCode: code, ErrorMessage: text(t, msg), ErrorMessageSize: uint64(len(msg))})
		return err
	}
	// heard registers a callback that counts its calls and the errors that it is given.
	heard := func(t *probe, e pjrtc.Ptr[pjrtc.Event]) (calls, errs *atomic.Int32) {
		calls, errs = new(atomic.Int32), new(atomic.Int32)
		other := newProbe(t.plugin)
		s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr {
			if other.take("", pjrtc.Ptr[pjrtc.Error](a[0])) != nil {
				errs.Add(1)
			}
			calls.Add(1)
			return 0
		}})
		if err != nil {
			t.fail("%v", err)
		}
		t.after(func() { s.Release(); other.end() })
		do(t, &pjrtc.EventOnReadyArgs{Event: e, Callback: pjrtc.Func(s.Fn), UserArg: pjrtc.Addr(s.Arg)})
		return calls, errs
	}
	return []check{
		{"event.transfer", "the event of a transfer fires", func(t *probe) {
			_, done := t.putWith(iota(1<<16), func(a *pjrtc.ClientBufferFromHostBufferArgs) {
				a.Device, a.HostBufferSemantics = t.device(), pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes
			})
			t.must(t.await(done))
		}},
		{"event.ready-stays", "an event that has fired stays so", func(t *probe) {
			e := do(t, &pjrtc.BufferReadyEventArgs{Buffer: t.put(vec(1))}).Event
			t.must(t.fires(e))
			for range 3 {
				t.want(do(t, &pjrtc.EventIsReadyArgs{Event: e}).IsReady, "it is not ready any more")
				do(t, &pjrtc.EventAwaitArgs{Event: e})
			}
			do(t, &pjrtc.EventErrorArgs{Event: e})
			do(t, &pjrtc.EventDestroyArgs{Event: e})
		}},
		{"event.on-ready", "a callback is called once, with no error", func(t *probe) {
			e := do(t, &pjrtc.BufferReadyEventArgs{Buffer: t.put(vec(1))}).Event
			calls, errs := heard(t, e)
			t.eventually(func() bool { return calls.Load() > 0 }, "it is not called")
			do(t, &pjrtc.EventDestroyArgs{Event: e})
			t.want(calls.Load() == 1 && errs.Load() == 0, "it is called %d times, with %d errors", calls.Load(), errs.Load())
		}},
		{"event.on-ready-many", "each of several callbacks is called once", func(t *probe) {
			e := do(t, &pjrtc.BufferReadyEventArgs{Buffer: t.put(vec(1))}).Event
			var all []*atomic.Int32
			for range 16 {
				calls, _ := heard(t, e)
				all = append(all, calls)
			}
			for i, calls := range all {
				t.eventually(func() bool { return calls.Load() > 0 }, "callback %d is not called", i)
				t.want(calls.Load() == 1, "callback %d is called %d times", i, calls.Load())
			}
			do(t, &pjrtc.EventDestroyArgs{Event: e})
		}},
		{"event.on-ready-error", "each of several callbacks is given an error of its own", func(t *probe) {
			e := create(t)
			a, ae := heard(t, e)
			b, be := heard(t, e)
			t.must(set(t, e, pjrtc.ErrorCodeABORTED, "on purpose"))
			t.eventually(func() bool { return a.Load() > 0 && b.Load() > 0 }, "one is not called")
			t.want(ae.Load() == 1 && be.Load() == 1, "one is given no error")
			do(t, &pjrtc.EventDestroyArgs{Event: e})
		}},
		{"event.create", "an event of the caller's is not ready, and ready when it is set", func(t *probe) {
			e := create(t)
			t.want(!do(t, &pjrtc.EventIsReadyArgs{Event: e}).IsReady, "it is ready at once")
			t.must(set(t, e, pjrtc.ErrorCodeOK, ""))
			t.want(do(t, &pjrtc.EventIsReadyArgs{Event: e}).IsReady, "it is not ready")
			t.must(t.await(e))
		}},
		{"event.set-error", "an event that is set to an error carries it", func(t *probe) {
			e := create(t)
			t.must(set(t, e, pjrtc.ErrorCodeDATALOSS, "on purpose"))
			_, err := try(t, &pjrtc.EventErrorArgs{Event: e})
			n, ok := err.(*nativeError)
			t.want(ok && n.code == pjrtc.ErrorCodeDATALOSS, "PJRT_Event_Error gives %v", err)
			err = t.await(e)
			n, ok = err.(*nativeError)
			t.want(ok && n.code == pjrtc.ErrorCodeDATALOSS && strings.Contains(n.msg, "on purpose"), "waiting gives %v", err)
		}},
		{"event.set-later", "who waits is woken by a set on another thread", func(t *probe) {
			e := create(t)
			calls, _ := heard(t, e)
			other := newProbe(t.plugin)
			defer other.end()
			done := make(chan error)
			go func() { done <- set(other, e, pjrtc.ErrorCodeOK, "") }()
			t.must(t.fires(e))
			t.must(<-done)
			t.eventually(func() bool { return calls.Load() == 1 }, "the callback is not called")
			t.must(t.await(e))
		}},
		{"event.await-many", "eight threads wait for one event", func(t *probe) {
			e := create(t)
			var waiting atomic.Int32
			go func() {
				other := newProbe(t.plugin)
				defer other.end()
				for waiting.Load() < 8 {
					time.Sleep(time.Millisecond)
				}
				_ = set(other, e, pjrtc.ErrorCodeOK, "")
			}()
			t.parallel(8, func(t *probe, _ int) {
				waiting.Add(1)
				do(t, &pjrtc.EventAwaitArgs{Event: e})
			})
			do(t, &pjrtc.EventDestroyArgs{Event: e})
		}},
		{"event.destroy-early", "an event can be destroyed before it fires", func(t *probe) {
			_, ev, err := t.start(t.once(matmulProgram), execution{outputs: 1}, t.put(iota(64, 32)), t.put(iota(32, 16)))
			t.must(err)
			do(t, &pjrtc.EventDestroyArgs{Event: ev})
		}},
	}
}

func lifetimeChecks() []check {
	two := func(t *probe) (a, b pjrtc.Ptr[pjrtc.Buffer]) {
		make4 := func(v tensor) pjrtc.Ptr[pjrtc.Buffer] {
			r := do(t, &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: t.host(v.data), Type: v.typ, Dims: list(t, v.dims...), NumDims: 1, Device: t.device()})
			t.must(t.await(r.DoneWithHostBuffer))
			return r.Buffer
		}
		return make4(vec(1, 2, 3, 4)), make4(vec(10, 20, 30, 40))
	}
	sum := vec(11, 22, 33, 44)
	return []check{
		{"lifetime.arguments-first", "arguments may be destroyed as soon as the execution has begun", func(t *probe) {
			a, b := two(t)
			out, ev, err := t.start(t.once(addProgram), execution{outputs: 1}, a, b)
			t.must(err)
			do(t, &pjrtc.BufferDestroyArgs{Buffer: a})
			do(t, &pjrtc.BufferDestroyArgs{Buffer: b})
			t.must(t.await(ev))
			t.holds(out[0], sum)
		}},
		{"lifetime.executable-first", "an executable may be destroyed as soon as the execution has begun", func(t *probe) {
			o := compileOptions(1, 1)
			e := do(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", addProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			out, ev, err := t.start(e, execution{outputs: 1}, t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40)))
			t.must(err)
			do(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: e})
			t.must(t.await(ev))
			t.holds(out[0], sum)
		}},
		{"lifetime.output-first", "an output may be destroyed before the execution is done", func(t *probe) {
			for range 20 {
				a, b := two(t)
				t.after(func() { quiet(t, &pjrtc.BufferDestroyArgs{Buffer: a}); quiet(t, &pjrtc.BufferDestroyArgs{Buffer: b}) })
				o := place(t, &pjrtc.ExecuteOptions{})
				o.SetSize()
				outs, events := list[pjrtc.Ptr[pjrtc.Buffer]](t), list[pjrtc.Ptr[pjrtc.Event]](t)
				do(t, &pjrtc.LoadedExecutableExecuteArgs{
					Executable: t.once(addProgram), Options: pjrtc.To(o), NumDevices: 1, NumArgs: 2,
					ArgumentLists: list(t, list(t, a, b)), OutputLists: list(t, outs), DeviceCompleteEvents: events,
				})
				do(t, &pjrtc.BufferDestroyArgs{Buffer: items(t, "outputs", outs, 1)[0]})
				t.must(t.await(items(t, "events", events, 1)[0]))
			}
		}},
		{"lifetime.buffer-before-event", "a buffer may be destroyed before its ready event", func(t *probe) {
			a, b := two(t)
			e := do(t, &pjrtc.BufferReadyEventArgs{Buffer: a}).Event
			do(t, &pjrtc.BufferDestroyArgs{Buffer: a})
			do(t, &pjrtc.BufferDestroyArgs{Buffer: b})
			t.note("%v", t.await(e))
		}},
		{"lifetime.event-before-buffer", "an event may be destroyed before what it is of", func(t *probe) {
			b := t.put(vec(1))
			do(t, &pjrtc.EventDestroyArgs{Event: do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event})
			t.holds(b, vec(1))
		}},
		{"lifetime.delete-while-reading", "a buffer may be deleted while it is read", func(t *probe) {
			v := iota(1 << 18)
			for range 5 {
				b := t.put(v)
				dst := t.host(make([]byte, len(v.data)))
				a := do(t, &pjrtc.BufferToHostBufferArgs{Src: b, Dst: dst, DstSize: uint64(len(v.data))})
				_, _ = try(t, &pjrtc.BufferDeleteArgs{Buffer: b})
				t.must(t.await(a.Event))
			}
		}},
		{"lifetime.error-after-client", "an error lives on when its client is destroyed", func(t *probe) {
			o, n := t.named(t.options)
			c := optional(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n}).Client
			a := place(t, &pjrtc.ClientLookupDeviceArgs{Client: c, Id: 99999})
			e := pjrtc.Call(t.table, t.frame, a)
			do(t, &pjrtc.ClientDestroyArgs{Client: c})
			t.want(e != 0, "a device of no client is found")
			t.note("%v", t.take("lookup", e))
		}},
		{"lifetime.clients", "ten clients come and go, with work", func(t *probe) {
			for range 10 {
				o, n := t.named(t.options)
				c := optional(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n}).Client
				d := do(t, &pjrtc.ClientAddressableDevicesArgs{Client: c})
				first := items(t, "devices", d.AddressableDevices, d.NumAddressableDevices)[0]
				b := do(t, &pjrtc.ClientBufferFromHostBufferArgs{Client: c, Data: t.host(vec(1, 2).data), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 2), NumDims: 1, Device: first})
				t.must(t.await(b.DoneWithHostBuffer))
				do(t, &pjrtc.BufferDestroyArgs{Buffer: b.Buffer})
				do(t, &pjrtc.ClientDestroyArgs{Client: c})
			}
		}},
		{"lifetime.buffers", "ten thousand buffers come and go", func(t *probe) {
			c, d, host := t.shared(), t.device(), t.host(iota(256).data)
			for range 10_000 {
				own := newProbe(t.plugin)
				b := do(own, &pjrtc.ClientBufferFromHostBufferArgs{Client: c, Data: host, Type: pjrtc.BufferTypeF32, Dims: list[int64](own, 256), NumDims: 1, Device: d})
				own.must(own.await(b.DoneWithHostBuffer))
				do(own, &pjrtc.BufferDestroyArgs{Buffer: b.Buffer})
				own.end()
			}
		}},
		{"lifetime.memory-is-freed", "the memory in use is what it was when the buffers are gone", func(t *probe) {
			stats := func() int64 { return do(t, &pjrtc.DeviceMemoryStatsArgs{Device: t.device()}).BytesInUse }
			before := stats()
			for range 8 {
				own := newProbe(t.plugin)
				own.put(tensor{pjrtc.BufferTypeU8, []int64{4 << 20}, make([]byte, 4<<20)})
				own.end()
			}
			t.eventually(func() bool { return stats() <= before }, "%d bytes were in use, now %d", before, stats())
		}},
	}
}

func threadChecks() []check {
	sum := vec(11, 22, 33, 44)
	return []check{
		{"thread.put-get", "eight threads put and read buffers", func(t *probe) {
			t.shared()
			t.parallel(8, func(t *probe, i int) {
				v := f32([]int64{4}, float32(i), 1, 2, 3)
				for range 200 {
					own := newProbe(t.plugin)
					own.holds(own.put(v), v)
					own.end()
				}
			})
		}},
		{"thread.read-one", "eight threads read one buffer", func(t *probe) {
			b := t.put(iota(1024))
			t.parallel(8, func(t *probe, _ int) {
				for range 100 {
					own := newProbe(t.plugin)
					own.holds(b, iota(1024))
					own.end()
				}
			})
		}},
		{"thread.execute", "eight threads execute one program", func(t *probe) {
			e := t.once(addProgram)
			t.parallel(8, func(t *probe, _ int) {
				for range 200 {
					own := newProbe(t.plugin)
					own.holds(own.run(e, own.put(vec(1, 2, 3, 4)), own.put(vec(10, 20, 30, 40))), sum)
					own.end()
				}
			})
		}},
		{"thread.compile", "four threads compile", func(t *probe) {
			t.shared()
			t.parallel(4, func(t *probe, _ int) {
				for range 3 {
					t.holds(t.run(t.compile(addProgram), t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))), sum)
				}
			})
		}},
		{"thread.delete-execute", "one thread deletes an argument while another executes: a result or an error", func(t *probe) {
			e := t.once(addProgram)
			for range 100 {
				a, b := t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))
				t.parallel(2, func(t *probe, i int) {
					if i == 0 {
						quiet(t, &pjrtc.BufferDeleteArgs{Buffer: a})
						return
					}
					out, ev, err := t.start(e, execution{outputs: 1}, a, b)
					if err == nil && t.await(ev) == nil {
						if got, err := t.read(out[0], 16, 1); err == nil {
							t.want(string(got) == string(sum.data), "neither: the sum is %x", got)
						}
					}
				})
			}
		}},
		{"thread.clients", "four threads make clients", func(t *probe) {
			t.parallel(4, func(t *probe, _ int) {
				o, n := t.named(t.options)
				c := optional(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n}).Client
				do(t, &pjrtc.ClientDestroyArgs{Client: c})
			})
		}},
		{"thread.errors", "eight threads make errors, each with its own text", func(t *probe) {
			t.shared()
			t.parallel(8, func(t *probe, i int) {
				for range 50 {
					own := newProbe(t.plugin)
					refuse(own, "an unknown id", &pjrtc.ClientLookupDeviceArgs{Client: t.client, Id: int32(90000 + i)})
					own.end()
				}
			})
		}},
		{"thread.mixed", "eight threads put, copy, execute, read and delete at once", func(t *probe) {
			e := t.once(addProgram)
			t.parallel(8, func(t *probe, i int) {
				for j := range 100 {
					own := newProbe(t.plugin)
					a, b := own.put(vec(1, 2, 3, 4)), own.put(vec(10, 20, 30, 40))
					switch (i + j) % 4 {
					case 0:
						own.holds(own.run(e, a, b), sum)
					case 1:
						c := do(own, &pjrtc.BufferCopyToMemoryArgs{Buffer: a, DstMemory: own.defaultMemory()}).DstBuffer
						own.destroyLater(c)
						own.holds(own.run(e, c, b), sum)
					case 2:
						quiet(own, &pjrtc.BufferDeleteArgs{Buffer: a})
						own.holds(b, vec(10, 20, 30, 40))
					case 3:
						own.holds(own.run(e, own.run(e, a, b), a), vec(12, 24, 36, 48))
					}
					own.end()
				}
			})
		}},
	}
}
