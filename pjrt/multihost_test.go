package pjrt_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type (
	fakeFns = map[string]pjrtfake.Func
	failure = pjrtfake.Failure
)

// busy checks that closing a parent is refused, and names the child and the test that made it.
func busy(err error, child string) error {
	if !errors.Is(err, isthmus.ErrBusy) && !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), child) {
		return fmt.Errorf("closed under its %s: %w", child, err)
	}
	if _, site, made := strings.Cut(err.Error(), child+"#"); made {
		if _, site, made = strings.Cut(site, " made at "); made && !strings.Contains(strings.Fields(site)[0], "_test.go:") {
			return fmt.Errorf("where its %s was made is told as in the library: %w", child, err)
		}
	}
	return nil
}

// same checks what came of a call.
func same(what string, got, want any, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Errorf("%s: got %s, want %s", what, g, w)
	}
	return nil
}

func noticeCase() extCase {
	type registered struct{ fn, arg uintptr }
	return extCase{
		typ: pjrtc.ExtensionTypeCallback,
		fns: func() fakeFns {
			known := map[pjrtc.CallbackType][]registered{}
			return fakeFns{
				"register_callback": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CallbackRegisterCallbackArgs) *failure {
					pjrtfake.Get(f, "register", "client", a.Client)
					known[a.Type] = append(known[a.Type], registered{uintptr(a.Callback), uintptr(a.UserArg)})
					return nil
				}),
				"invoke_callback": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CallbackInvokeCallbackArgs) *failure {
					for _, r := range known[a.Type] {
						f.Unlocked(func() { pjrtfake.Invoke(pjrtc.Func(r.fn), uintptr(a.Args), r.arg) })
					}
					return nil
				}),
			}
		},
		use: func(w extWorld) (err error) {
			var got []any
			reported := reports(func() {
				err = func() error {
					a, err := w.c.OnSliceFailure(func(s pjrt.SliceFailure) { got = append(got, s) })
					if err != nil {
						return err
					}
					defer a.Close()
					b, err := w.c.OnFatal(func(e error) { got = append(got, e); panic("oh") })
					if err != nil {
						return err
					}
					defer b.Close()
					if err := busy(w.c.Close(), "pjrt.Notice"); err != nil {
						return err
					}
					err = errors.Join(w.c.NotifySliceFailure(pjrt.SliceFailureFlapping), w.c.NotifyFatal(pjrt.DataLoss, "gone \xff"), a.Close(), a.Close())
					// The plugin cannot forget a: what it still says comes to nothing.
					return errors.Join(err, w.c.NotifySliceFailure(pjrt.SliceFailureInit))
				}()
			})
			if err != nil {
				return err
			}
			if len(reported) != 2 || reported[0].Problem != isthmus.ProblemPanic || reported[1].Problem != isthmus.ProblemStray {
				return fmt.Errorf("reports %v, want a panic and a stray", reported)
			}
			return same("calls", got, "[flapping task pjrt: plugin: data loss: gone \uFFFD]", nil)
		},
	}
}

func rawBufferCase() extCase {
	type raw = pjrtc.RawBuffer
	memory := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	return extCase{
		typ: pjrtc.ExtensionTypeRawBuffer,
		fns: func() fakeFns {
			var host pjrtc.Ptr[byte]
			check := func(f *pjrtfake.Fake, h pjrtc.Ptr[raw]) *pjrtfake.Object { return pjrtfake.Get(f, "raw", "raw", h) }
			at := func(off, n int64) []byte {
				b, err := host.Slice(8)
				if err != nil || off < 0 || n < 0 || off+n > 8 {
					return nil
				}
				return b[off : off+n]
			}
			return fakeFns{
				"PJRT_RawBuffer_CreateRawAliasOfBuffer": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferCreateRawAliasOfBufferArgs) *failure {
					host = pjrtfake.List(f, nil, memory)
					a.RawBuffer = pjrtfake.Make[raw](f, "raw", pjrtfake.Get(f, "raw", "buffer", a.Buffer), nil)
					return nil
				}),
				"PJRT_RawBuffer_Destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferDestroyArgs) *failure {
					pjrtfake.Destroy(f, "raw", a.Buffer)
					return nil
				}),
				"PJRT_RawBuffer_GetOnDeviceSizeInBytes": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferGetOnDeviceSizeInBytesArgs) *failure {
					check(f, a.Buffer)
					a.OnDeviceSizeInBytes = 8
					return nil
				}),
				"PJRT_RawBuffer_GetMemorySpace": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferGetMemorySpaceArgs) *failure {
					check(f, a.Buffer)
					a.MemorySpace = 64 // none that the client lists
					return nil
				}),
				"PJRT_RawBuffer_GetHostPointer": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferGetHostPointerArgs) *failure {
					check(f, a.Buffer)
					a.HostPointer = pjrtc.Addr(host)
					return nil
				}),
				"PJRT_RawBuffer_CopyRawDeviceToHost": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferCopyRawDeviceToHostArgs) *failure {
					o := check(f, a.Buffer)
					dst, _ := pjrtc.Ptr[byte](a.Dst).Slice(uint64(a.TransferSize))
					copy(dst, at(a.Offset, a.TransferSize))
					a.Event = f.NewEvent(o, nil)
					return nil
				}),
				"PJRT_RawBuffer_CopyRawHostToDevice": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RawBufferCopyRawHostToDeviceArgs) *failure {
					o := check(f, a.Buffer)
					src, _ := pjrtc.Ptr[byte](a.Src).Slice(uint64(a.TransferSize))
					copy(at(a.Offset, a.TransferSize), src)
					a.Event = f.NewEvent(o, nil)
					return nil
				}),
			}
		},
		ends: []string{"PJRT_RawBuffer_Destroy"},
		use: func(w extWorld) error {
			r, err := w.b.Raw()
			if err != nil {
				return err
			}
			var errs []error
			m, err := r.Memory()
			errs = append(errs, busy(w.b.Close(), "pjrt.RawBuffer"), same("memory", m == nil, true, err))
			n, err := r.Size()
			errs = append(errs, same("size", n, 8, err))
			if err == nil {
				for _, off := range []int{-1, 7, 9, 1 << 40} {
					e, err := r.CopyTo(make([]byte, 2), off)
					if !errors.Is(err, isthmus.ErrBounds) {
						errs = append(errs, fmt.Errorf("at %d: %w", off, err), e.Close())
					}
				}
			}
			w.f.Hold()
			e, err := r.CopyFrom([]byte{30, 40}, 2)
			errs = append(errs, err)
			if err == nil {
				errs = append(errs, busy(r.Close(), "pjrt.Event"))
				w.f.Release()
				errs = append(errs, e.Wait(w.t.Context()), e.Close())
			}
			w.f.Release()
			dst := make([]byte, 4)
			e, err = r.CopyTo(dst, 1)
			if err == nil {
				err = errors.Join(e.Wait(w.t.Context()), e.Close())
			}
			errs = append(errs, err)
			if errors.Join(errs...) == nil {
				errs = append(errs, same("copied", dst, []byte{2, 30, 40, 5}, nil))
			}
			errs = append(errs, r.Host(func(b []byte) error { return same("seen", len(b), 8, nil) }), r.Close(), r.Close())
			_, err = r.Size()
			errs = append(errs, closed(err))
			return errors.Join(errs...)
		},
	}
}

func hostMemoryCase() extCase {
	return extCase{
		typ: pjrtc.ExtensionTypeHostMemoryAllocator,
		fns: func() fakeFns {
			return fakeFns{"allocate": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.HostMemoryAllocatorAllocateArgs) *failure {
				c := pjrtfake.Get(f, "allocate", "client", a.Client)
				a.Ptr = pjrtfake.List(f, nil, make([]byte, a.Size))
				a.DeleterArg = pjrtc.Addr(pjrtfake.Make[byte](f, "host memory", c, nil))
				a.Deleter = f.Func("free host memory", 2, func(p []uintptr) uintptr {
					f.Lock()
					defer f.Unlock()
					pjrtfake.Destroy(f, "host memory", pjrtc.Ptr[byte](p[1]))
					return 0
				})
				return nil
			})}
		},
		use: func(w extWorld) error {
			m, err := w.c.AllocateHost(100, 0)
			if err != nil {
				return err
			}
			errs := []error{same("size", m.Len(), 100, nil), busy(w.c.Close(), "pjrt.HostMemory")}
			l, err := m.Write(10, 20)
			if err == nil {
				copy(l.Bytes(), "written")
				_, berr := m.Read(0, 11)
				errs = append(errs, busy(m.Close(), "lent"), busy(berr, ""))
				l.Return()
			}
			errs = append(errs, err)
			l, err = m.Read(10, 7)
			if err == nil {
				errs = append(errs, same("read", string(l.Bytes()), "written", nil))
				l.Return()
			}
			_, oerr := m.Read(90, 11)
			if !errors.Is(oerr, isthmus.ErrBounds) {
				errs = append(errs, fmt.Errorf("past the end: %w", oerr))
			}
			for _, n := range []int{0, -1, 1 << 62} {
				if _, err := w.c.AllocateHost(n, 0); !errors.Is(err, isthmus.ErrBounds) {
					errs = append(errs, fmt.Errorf("%d bytes: %w", n, err))
				}
			}
			errs = append(errs, err, m.Close(), m.Close())
			_, err = m.Read(0, 1)
			return errors.Join(append(errs, closed(err))...)
		},
	}
}

func crossHostCase() extCase {
	return extCase{
		typ:  pjrtc.ExtensionTypeCrossHostTransfers,
		void: []string{"copy_to_remote_device"},
		fns: func() fakeFns {
			made := func(f *pjrtfake.Fake, d pjrtc.Ptr[pjrtc.Device], n uint64, types pjrtc.Ptr[pjrtc.BufferType], ranks pjrtc.Ptr[uint64], dims pjrtc.Ptr[pjrtc.Ptr[int64]], out pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]) {
				o := pjrtfake.Get(f, "receive", "device", d)
				to, _ := out.Slice(n)
				typ, _ := types.Slice(n)
				rank, _ := ranks.Slice(n)
				dim, _ := dims.Slice(n)
				for i := range to {
					sizes, _ := dim[i].Slice(rank[i])
					to[i] = f.NewBuffer(o, pjrtfake.Type{Type: typ[i], Dims: slices.Clone(sizes)}, make([]byte, 16))
				}
			}
			return fakeFns{
				"cross_host_receive_buffers": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TransfersCrossHostReceiveBuffersArgs) *failure {
					made(f, a.Device, a.NumShapes, a.ElementTypes, a.ShapeNumDims, a.NumDims, a.Buffers)
					ids, _ := a.SrcGlobalDeviceIds.Slice(a.NumShapes)
					keys, _ := a.TransferKeys.Slice(a.NumShapes)
					if fmt.Sprint(ids, keys) != "[3 4] [100 200]" {
						return refuse("ids %v keys %v", ids, keys)
					}
					return nil
				}),
				"cross_host_send_buffers": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TransfersCrossHostSendBuffersArgs) *failure {
					in, _ := a.Buffers.Slice(a.NumBuffers)
					out, _ := a.SendEvents.Slice(a.NumBuffers)
					for i := range in {
						out[i] = f.NewEvent(pjrtfake.Get(f, "send", "buffer", in[i]), nil)
					}
					return nil
				}),
				"make_cross_host_receive_buffers": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TransfersMakeCrossHostReceiveBuffersArgs) *failure {
					made(f, a.Device, a.NumShapes, a.ElementTypes, a.ShapeNumDims, a.NumDims, a.Buffers)
					a.NumBuffers = a.NumShapes
					p, s, n := lists(f, "to here \x00\xff")
					fn, arg := a.Notifier.Notifier, a.Notifier.UserArg
					f.Go(func() { pjrtfake.Invoke(fn, 0, uintptr(p), uintptr(s), uintptr(n), uintptr(arg)) })
					return nil
				}),
				"copy_to_remote_device": pjrtfake.Void(pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TransfersCopyToRemoteDeviceArgs) *failure {
					pjrtfake.Get(f, "copy", "buffer", a.Buffer)
					text := strings.Clone(hostText(*a.SerializedDescriptor.At(), *a.SerializedDescriptorSize.At()))
					d, n, free, done, arg := a.SerializedDescriptor, a.SerializedDescriptorSize, a.DescriptorDestructor, a.OnDone.OnDone, a.OnDone.UserArg
					f.Go(func() {
						pjrtfake.Invoke(free, uintptr(d), uintptr(n))
						// XLA passes an error that says ok, and deletes it itself.
						code := pjrtc.ErrorCodeOK
						if text != "to here \x00\xff" {
							code = pjrtc.ErrorCodeDATALOSS
						}
						f.Lock()
						e := f.NewError(&failure{Code: code, Msg: text})
						f.Unlock()
						pjrtfake.Invoke(done, uintptr(e), 1, uintptr(arg))
						f.Lock()
						pjrtfake.Destroy(f, "error", e)
						f.Unlock()
					})
					return nil
				})),
			}
		},
		use: func(w extWorld) error {
			ctx, d := w.t.Context(), w.c.Device()
			types := []pjrt.Type{{DType: dtype.F32, Dims: []int{4}}, {DType: dtype.I64, Dims: []int{2}}}
			bufs, err := w.c.ReceiveBuffers(d, types, []pjrt.Transfer{{Device: 3, Key: 100}, {Device: 4, Key: 200}})
			if err != nil {
				return err
			}
			var errs []error
			for i, b := range bufs {
				errs = append(errs, same("type", b.Type(), types[i], nil), b.Close())
			}
			w.f.Hold()
			events, err := w.c.SendBuffers([]*pjrt.Buffer{w.b}, []pjrt.Transfer{{Device: 3, Key: 100}})
			errs = append(errs, err)
			for _, e := range events {
				errs = append(errs, busy(w.b.Close(), "pjrt.Event"))
				w.f.Release()
				errs = append(errs, e.Wait(ctx), e.Close())
			}
			w.f.Release()
			r, err := w.c.NewReceive(d, types[:1])
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			list, err := r.Descriptors(ctx)
			errs = append(errs, same("descriptors", fmt.Sprintf("%q", list), `["to here \x00\xff"]`, err), r.Buffers[0].Close())
			defer r.Close()
			if err == nil {
				var k *pjrt.RemoteCopy
				if k, err = w.b.CopyToRemote(list[0]); err == nil {
					ok, err := k.Wait(ctx)
					w.f.Quiet()
					errs = append(errs, same("enqueued", ok, true, err), k.Close(), k.Close())
				}
				errs = append(errs, err)
			}
			if err == nil {
				k, err := w.b.CopyToRemote([]byte("elsewhere"))
				if err == nil {
					_, werr := k.Wait(ctx)
					w.f.Quiet()
					if !errors.Is(werr, pjrt.DataLoss) {
						errs = append(errs, fmt.Errorf("a copy that fails: %w", werr))
					}
					err = k.Close()
				}
				errs = append(errs, err)
			}
			for what, f := range map[string]func() error{
				"no types":     func() error { _, err := w.c.ReceiveBuffers(d, nil, nil); return err },
				"no transfers": func() error { _, err := w.c.ReceiveBuffers(d, types, nil); return err },
				"no device":    func() error { _, err := w.c.NewReceive(nil, types); return err },
				"no buffer":    func() error { _, err := w.c.SendBuffers([]*pjrt.Buffer{nil}, make([]pjrt.Transfer, 1)); return err },
			} {
				if err := f(); !errors.Is(err, isthmus.ErrInvalid) {
					errs = append(errs, fmt.Errorf("%s: %w", what, err))
				}
			}
			w.f.Quiet()
			return errors.Join(append(errs, r.Close())...)
		},
	}
}

func multiSliceFns() fakeFns {
	get := func(f *pjrtfake.Fake, h pjrtc.Ptr[pjrtc.MultiSliceConfig]) *pjrtfake.Object {
		return pjrtfake.Get(f, "slices", "slices", h)
	}
	return fakeFns{
		"config_destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MultiSliceConfigDestroyArgs) *failure {
			pjrtfake.Destroy(f, "slices", a.Config)
			return nil
		}),
		"config_num_slices": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MultiSliceConfigNumSlicesArgs) *failure {
			a.NumSlices, _ = get(f, a.Config).Value().(int32)
			return nil
		}),
		"config_slice_id": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MultiSliceConfigSliceIdArgs) *failure {
			get(f, a.Config)
			a.SliceId = 1
			return nil
		}),
		"config_num_devices_per_slice": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MultiSliceConfigNumDevicesPerSliceArgs) *failure {
			o := get(f, a.Config)
			a.NumDevicesPerSliceMap, a.SliceIds, a.NumDevices = 2, pjrtfake.List(f, nil, []int32{0, 1}), pjrtfake.List(f, nil, []int32{4, 8})
			a.DevicesPerSliceMap = pjrtfake.Make[pjrtc.MultiSliceNumDevicesPerSlice](f, "map", o, nil)
			a.DevicesPerSliceMapDeleter = f.Deleter("map")
			return nil
		}),
		"config_serialize": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MultiSliceConfigSerializeArgs) *failure {
			get(f, a.Config)
			a.SerializedConfig, a.Serialized, a.Size = pjrtfake.Bytes[pjrtc.MultiSliceSerializedConfig](f, "config", "\x00slices")
			a.SerializedConfigDeleter = f.Deleter("config")
			return nil
		}),
	}
}

func multiSliceCase() extCase {
	return extCase{
		typ:  pjrtc.ExtensionTypeMultiSlice,
		also: map[pjrtc.ExtensionType]func() fakeFns{pjrtc.ExtensionTypeMegascale: megascaleFns},
		fns:  multiSliceFns,
		ends: []string{"config_destroy"},
		use: func(w extWorld) error {
			top, err := w.c.Topology()
			if err != nil {
				return err
			}
			m, err := top.NewMultiSlice(2)
			if err != nil {
				return err
			}
			errs := []error{busy(w.c.Close(), "pjrt.MultiSlice")}
			n, err := m.Slices()
			errs = append(errs, same("slices", n, 2, err))
			n, err = m.SliceID()
			errs = append(errs, same("slice", n, 1, err))
			d, err := m.DevicesPerSlice()
			errs = append(errs, same("devices", d, map[int]int{0: 4, 1: 8}, err))
			b, err := m.Serialize()
			errs = append(errs, same("bytes", string(b), "\x00slices", err), m.Close(), m.Close())
			_, err = m.Slices()
			for _, n := range []int{0, -1, 1 << 40} {
				if _, err := top.NewMultiSlice(n); !errors.Is(err, isthmus.ErrInvalid) {
					errs = append(errs, fmt.Errorf("%d slices: %w", n, err))
				}
			}
			return errors.Join(append(errs, closed(err))...)
		},
	}
}

func megascaleFns() fakeFns {
	handlers := map[string][2]uintptr{}
	context := func(f *pjrtfake.Fake, h pjrtc.Ptr[pjrtc.MegascaleClientContext]) *pjrtfake.Object {
		return pjrtfake.Get(f, "megascale", "megascale", h)
	}
	gatherer := func(f *pjrtfake.Fake, h pjrtc.Ptr[pjrtc.MegascaleErrorAggregator]) *pjrtfake.Object {
		return pjrtfake.Get(f, "errors", "errors", h)
	}
	return fakeFns{
		"create_client_context_from_pjrt_client": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleCreateClientContextFromPjRtClientArgs) *failure {
			a.ClientContext = pjrtfake.Make[pjrtc.MegascaleClientContext](f, "megascale", pjrtfake.Get(f, "megascale", "client", a.Client), nil)
			return nil
		}),
		"create_default_client_context": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleCreateDefaultClientContextArgs) *failure {
			a.ClientContext = pjrtfake.Make[pjrtc.MegascaleClientContext](f, "megascale", nil, nil)
			return nil
		}),
		"delete_client_context": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleDeleteClientContextArgs) *failure {
			pjrtfake.Destroy(f, "megascale", a.ClientContext)
			return nil
		}),
		"create_aot_config": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleCreateAoTConfigArgs) *failure {
			pjrtfake.Get(f, "aot", "topology", a.Topology)
			a.MultiSliceConfig = pjrtfake.Make[pjrtc.MultiSliceConfig](f, "slices", nil, a.NumSlices)
			return nil
		}),
		"create_multi_slice_config": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleCreateMultiSliceConfigArgs) *failure {
			pjrtfake.Get(f, "slices", "topology", a.Topology)
			if s := fmt.Sprint(a.NumSlices, a.LocalSliceId, a.LocalHostId, hostText(a.EndpointAddresses, uint64(a.EndpointAddressesSize)), hostText(a.DcnTopology, uint64(a.DcnTopologySize))); s != "3 1 2endsnet" {
				return refuse("%s", s)
			}
			a.MultiSliceConfig = pjrtfake.Make[pjrtc.MultiSliceConfig](f, "slices", context(f, a.ClientContext), a.NumSlices)
			return nil
		}),
		"client_context_initialize": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleClientContextInitializeArgs) *failure {
			context(f, a.ClientContext)
			return nil
		}),
		"client_context_unblock_pending_work": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleClientContextUnblockPendingWorkArgs) *failure {
			context(f, a.ClientContext)
			if a.LaunchId != 7 || a.ExpireAfterMs != 1500 {
				return refuse("launch %d, %d ms", a.LaunchId, a.ExpireAfterMs)
			}
			return nil
		}),
		"client_context_megascale_port": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleClientContextMegascalePortArgs) *failure {
			context(f, a.ClientContext)
			a.Port = 8080
			return nil
		}),
		"create_megascale_collectives": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleCreateMegascaleCollectivesArgs) *failure {
			i := a.ProcessesInfo.At()
			at, _ := i.Addresses.Slice(i.NumAddresses)
			n, _ := i.AddressSizes.Slice(i.NumAddresses)
			s, _ := i.SliceIndexes.Slice(i.NumSliceIndexes)
			if hostText(at[1], n[1]) != "b:2" || fmt.Sprint(s) != "[0 1]" || i.PerSliceIndexes != 0 || i.NumDevicesPerProcess != 4 || a.DcnTopology != 0 {
				return refuse("wrong processes")
			}
			a.Collectives = pjrtfake.Make[pjrtc.Collectives](f, "collectives", context(f, a.ClientContext), nil)
			return nil
		}),
		"device_id_to_megascale_id": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.MegascaleDeviceIdToMegascaleIdArgs) *failure {
			a.MegascaleId = int64(a.SliceId)<<32 | int64(a.PerSliceDeviceId)
			return nil
		}),
		"megascale_id_to_device_id": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.MegascaleMegascaleIdToDeviceIdArgs) *failure {
			a.SliceId, a.PerSliceDeviceId = int32(a.MegascaleId>>32), int32(a.MegascaleId)
			return nil
		}),
		"register_megascale_error_handler": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.MegascaleRegisterErrorHandlerArgs) *failure {
			handlers[strings.Clone(hostText(a.HandlerName, a.HandlerNameSize))] = [2]uintptr{uintptr(a.Handler), uintptr(a.UserData)}
			return nil
		}),
		"unregister_megascale_error_handler": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.MegascaleUnregisterErrorHandlerArgs) *failure {
			delete(handlers, hostText(a.HandlerName, a.HandlerNameSize))
			return nil
		}),
		"error_aggregator_create": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorCreateArgs) *failure {
			a.Aggregator = pjrtfake.Make[pjrtc.MegascaleErrorAggregator](f, "errors", nil, uint64(0))
			return nil
		}),
		"error_aggregator_delete": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorDeleteArgs) *failure {
			pjrtfake.Destroy(f, "errors", a.Aggregator)
			return nil
		}),
		"error_digest_delete": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorDigestDeleteArgs) *failure {
			pjrtfake.Destroy(f, "digest", a.Digest)
			return nil
		}),
		"error_aggregator_add_error": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorAddErrorArgs) *failure {
			if o := gatherer(f, a.Aggregator); o != nil {
				o.SetValue(o.Value().(uint64) + 1)
			}
			for _, h := range handlers {
				f.Unlocked(func() {
					pjrtfake.Invoke(pjrtc.Func(h[0]), uintptr(a.SerializedError), uintptr(a.SerializedErrorSize), h[1])
				})
			}
			return nil
		}),
		"error_aggregator_process_and_shutdown": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorProcessAndShutdownArgs) *failure {
			a.Digest = pjrtfake.Make[pjrtc.MegascaleErrorDigest](f, "digest", gatherer(f, a.Aggregator), nil)
			return nil
		}),
		"error_aggregator_log_error_digest": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorLogErrorDigestArgs) *failure {
			gatherer(f, a.Aggregator)
			pjrtfake.Get(f, "log", "digest", a.Digest)
			return nil
		}),
		"error_aggregator_size": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorSizeArgs) *failure {
			a.Size, _ = gatherer(f, a.Aggregator).Value().(uint64)
			return nil
		}),
		"error_aggregator_active": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleErrorAggregatorActiveArgs) *failure {
			gatherer(f, a.Aggregator)
			a.Active = true
			return nil
		}),
		"get_interface_addresses_helper": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleGetInterfaceAddressesHelperArgs) *failure {
			a.SerializedAddresses, a.SerializedAddressesSizes, a.NumAddresses = lists(f, "one", "two\x00")
			a.Addresses = pjrtfake.Make[pjrtc.MegascaleSerializedAddresses](f, "addresses", nil, nil)
			a.AddressesDeleter = f.Deleter("addresses")
			return nil
		}),
		"get_or_create_runtime_error": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.MegascaleGetOrCreateRuntimeErrorArgs) *failure {
			a.Error, a.SerializedError, a.SerializedErrorSize = pjrtfake.Bytes[pjrtc.MegascaleSerializedError](f, "runtime error",
				fmt.Sprint(a.ErrorType, a.StatusCode, a.LaunchId, a.HasUnrecoverableErrorType, hostText(a.StatusMessage, a.StatusMessageSize)))
			a.IsNewError, a.ErrorDeleter = true, f.Deleter("runtime error")
			return nil
		}),
	}
}

func megascaleCase() extCase {
	return extCase{
		typ:  pjrtc.ExtensionTypeMegascale,
		also: map[pjrtc.ExtensionType]func() fakeFns{pjrtc.ExtensionTypeMultiSlice: multiSliceFns, pjrtc.ExtensionTypeCollectives: collectivesFns},
		fns:  megascaleFns,
		ends: []string{"delete_client_context", "error_aggregator_delete", "error_digest_delete", "unregister_megascale_error_handler"},
		use: func(w extWorld) (err error) {
			errs := []error{useMegascale(w), useMegascaleErrors(w)}
			id, err := w.p.MegascaleID(3, 5)
			errs = append(errs, same("id", id, 3<<32|5, err))
			if err == nil {
				slice, device, err := w.p.MegascaleDevice(id)
				errs = append(errs, same("device", []int{slice, device}, []int{3, 5}, err))
			}
			list, err := w.p.MegascaleAddresses(pjrt.InterfaceOptions{PortName: "p", Port: 1, Prefixes: []string{"eth", ""}})
			errs = append(errs, same("addresses", fmt.Sprintf("%q", list), `["one" "two\x00"]`, err))
			return errors.Join(errs...)
		},
	}
}

func useMegascale(w extWorld) error {
	d, err := w.p.NewMegascale()
	if err != nil {
		return err
	}
	errs := []error{d.Close()}
	m, err := w.c.NewMegascale()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer m.Close()
	port, err := m.Port()
	errs = append(errs, busy(w.c.Close(), "pjrt.Megascale"), m.Initialize(), m.Unblock(7, 1500*time.Millisecond), same("port", port, 8080, err))
	top, err := w.c.Topology()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	aot, err := top.NewMultiSlice(2)
	errs = append(errs, err, aot.Close())
	s, err := m.NewMultiSlice(top, pjrt.MultiSliceOptions{Slices: 3, SliceID: 1, HostID: 2, Endpoints: []byte("ends"), Network: []byte("net")})
	if err == nil {
		errs = append(errs, busy(m.Close(), "pjrt.MultiSlice"), s.Close())
	}
	errs = append(errs, err)
	c, err := m.NewCollectives(pjrt.MegascaleProcesses{Addresses: []string{"a:1", "b:2"}, Slices: []int{0, 1}, DevicesPerProcess: 4})
	if err == nil {
		errs = append(errs, busy(m.Close(), "pjrt.Collectives"), c.Close())
	}
	errs = append(errs, err)
	if _, err := m.NewCollectives(pjrt.MegascaleProcesses{}); !errors.Is(err, isthmus.ErrInvalid) {
		errs = append(errs, fmt.Errorf("no processes: %w", err))
	}
	if _, err := m.NewMultiSlice(top, pjrt.MultiSliceOptions{Slices: 1, SliceID: 1}); !errors.Is(err, isthmus.ErrInvalid) {
		errs = append(errs, fmt.Errorf("slice 1 of 1: %w", err))
	}
	errs = append(errs, m.Close(), m.Close())
	return errors.Join(append(errs, closed(m.Initialize()))...)
}

func useMegascaleErrors(w extWorld) (err error) {
	var heard []string
	h, err := w.p.OnMegascaleError("mine", func(b []byte) {
		heard = append(heard, string(b))
		panic("oh")
	})
	if err != nil {
		return err
	}
	defer h.Close()
	one := 1
	b, isNew, err := w.p.MegascaleError(pjrt.MegascaleError{Kind: 2, Code: pjrt.Internal, Launch: 9, Message: "m", Unrecoverable: &one})
	errs := []error{same("error", fmt.Sprintf("%s %v", b, isNew), "2 13 9 truem true", err)}
	e, err := w.p.NewMegascaleErrors("app")
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer e.Close()
	reported := reports(func() { errs = append(errs, e.Add("worker", []byte("bad\x00"))) })
	if errors.Join(errs...) == nil {
		errs = append(errs, same("heard", fmt.Sprintf("%q %d", heard, len(reported)), `["bad\x00"] 1`, nil))
		n, err := e.Len()
		errs = append(errs, same("errors", n, 1, err))
	} else if _, err := e.Len(); err != nil {
		errs = append(errs, err)
	}
	is, err := e.Active()
	errs = append(errs, same("active", is, true, err))
	d, err := e.Process()
	if err == nil {
		errs = append(errs, busy(e.Close(), "pjrt.MegascaleDigest"), d.Log(), d.Close(), closed(d.Log()))
	}
	errs = append(errs, err, e.Close(), closed(e.Add("", nil)), h.Close(), h.Close())
	return errors.Join(errs...)
}

func collectivesFns() fakeFns {
	done := func(f *pjrtfake.Fake, h pjrtc.Ptr[pjrtc.CollectivesCommunicator], x pjrtc.Ptr[pjrtc.CollectivesCpuExecutor], send, recv pjrtc.Addr, n uint64) pjrtc.Ptr[pjrtc.Event] {
		o := pjrtfake.Get(f, "collective", "communicator", h)
		if x.At().RunId != 5 || x.At().NumGlobalDeviceIds != 2 || x.At().TimeoutInNs != int64(time.Second) {
			return 0
		}
		from, _ := pjrtc.Ptr[byte](send).Slice(n)
		to, _ := pjrtc.Ptr[byte](recv).Slice(n)
		copy(to, from)
		return f.NewEvent(o, nil)
	}
	return fakeFns{
		"collectives_destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesDestroyArgs) *failure {
			pjrtfake.Destroy(f, "collectives", a.Collectives)
			return nil
		}),
		"collectives_create_communicators": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCreateCommunicatorsArgs) *failure {
			o := pjrtfake.Get(f, "communicators", "collectives", a.Collectives)
			var made []pjrtc.Ptr[pjrtc.CollectivesCommunicator]
			for range a.NumDeviceRanks {
				made = append(made, pjrtfake.Make[pjrtc.CollectivesCommunicator](f, "communicator", o, nil))
			}
			a.Communicators, a.NumCommunicators = pjrtfake.List(f, nil, made), uint64(len(made))
			a.CommunicatorsHolder = pjrtfake.Make[pjrtc.CollectivesCommunicators](f, "holder", nil, nil)
			a.CommunicatorsHolderDeleter = f.Deleter("holder")
			return nil
		}),
		"communicator_destroy": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorDestroyArgs) *failure {
			pjrtfake.Destroy(f, "communicator", a.Communicator)
			return nil
		}),
		"communicator_all_reduce": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorAllReduceArgs) *failure {
			a.Event = done(f, a.Communicator, a.CpuExecutor, a.SendBufferPtr, a.RecvBufferPtr, 8)
			return nil
		}),
		"communicator_reduce_scatter": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorReduceScatterArgs) *failure {
			a.Event = done(f, a.Communicator, a.CpuExecutor, a.SendBufferPtr, a.RecvBufferPtr, 8)
			return nil
		}),
		"communicator_all_gather": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorAllGatherArgs) *failure {
			a.Event = done(f, a.Communicator, a.CpuExecutor, a.SendBufferPtr, a.RecvBufferPtr, 8)
			return nil
		}),
		"communicator_collective_permute": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorCollectivePermuteArgs) *failure {
			t, _ := a.TargetRanks.Slice(a.NumTargetRanks)
			if !a.HasSourceRank || a.SourceRank != 1 || fmt.Sprint(t) != "[1]" {
				return refuse("ranks %v", t)
			}
			a.Event = done(f, a.Communicator, a.CpuExecutor, a.SendBufferPtr, a.RecvBufferPtr, 8)
			return nil
		}),
		"communicator_all_to_all": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorAllToAllArgs) *failure {
			s, _ := a.SendBuffersPtrs.Slice(a.NumSendBuffers)
			r, _ := a.RecvBuffersPtrs.Slice(a.NumRecvBuffers)
			a.Event = done(f, a.Communicator, a.CpuExecutor, s[1], r[1], 8)
			return nil
		}),
		"communicator_to_string": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.CollectivesCommunicatorToStringArgs) *failure {
			pjrtfake.Get(f, "text", "communicator", a.Communicator)
			a.StrHolder, a.Str, a.StrSize = pjrtfake.Bytes[pjrtc.CollectivesToStringHolder](f, "text", "of two")
			a.StrHolderDeleter = f.Deleter("text")
			return nil
		}),
	}
}

func collectivesCase() extCase {
	return extCase{
		typ:  pjrtc.ExtensionTypeCollectives,
		also: map[pjrtc.ExtensionType]func() fakeFns{pjrtc.ExtensionTypeMegascale: megascaleFns},
		fns:  collectivesFns,
		ends: []string{"collectives_destroy", "communicator_destroy"},
		use: func(w extWorld) error {
			m, err := w.p.NewMegascale()
			if err != nil {
				return err
			}
			defer m.Close()
			c, err := m.NewCollectives(pjrt.MegascaleProcesses{Addresses: []string{"a:1", "b:2"}, Slices: []int{0, 1}, DevicesPerProcess: 4})
			if err != nil {
				return err
			}
			ks, err := c.NewCommunicators([]int64{0, 1}, [][]byte{[]byte("clique")}, []int64{0, 1})
			if err != nil {
				return errors.Join(err, c.Close())
			}
			k := ks[0]
			text, err := k.Describe()
			errs := []error{busy(c.Close(), "pjrt.Communicator"), same("text", text, "of two", err)}
			r := pjrt.Rendezvous{RunID: 5, Devices: []int64{0, 1}, Local: 2, Timeout: time.Second}
			send, recv := bytes.Repeat([]byte{9}, 16), make([]byte, 16)
			for what, f := range map[string]func(s, d []byte) (*pjrt.Event, error){
				"all-reduce":     func(s, d []byte) (*pjrt.Event, error) { return k.AllReduce(s, d, dtype.F32, 2, pjrt.ReduceSum, r) },
				"reduce-scatter": func(s, d []byte) (*pjrt.Event, error) { return k.ReduceScatter(s, d, dtype.F32, 2, pjrt.ReduceMax, r) },
				"all-gather":     func(s, d []byte) (*pjrt.Event, error) { return k.AllGather(s, d, dtype.F32, 2, r) },
				"permute":        func(s, d []byte) (*pjrt.Event, error) { return k.Permute(s, d, dtype.F32, 2, 1, []int64{1}, r) },
				"all-to-all": func(s, d []byte) (*pjrt.Event, error) {
					return k.AllToAll([][]byte{send, s}, [][]byte{make([]byte, 16), d}, dtype.F32, 2, r)
				},
			} {
				w.f.Hold()
				clear(recv)
				e, err := f(send, recv)
				if err != nil {
					w.f.Release()
					errs = append(errs, err)
					continue
				}
				_, lent := f(send, recv)
				errs = append(errs, busy(lent, ""), busy(k.Close(), "pjrt.Event"))
				w.f.Release()
				errs = append(errs, e.Wait(w.t.Context()), e.Close(), same(what, recv[:8], send[:8], nil))
				for _, short := range [][2][]byte{{send[:4], recv}, {send, recv[:4]}, {nil, recv}} {
					if _, err := f(short[0], short[1]); !errors.Is(err, isthmus.ErrBounds) {
						errs = append(errs, fmt.Errorf("%s with short memory: %w", what, err))
					}
				}
			}
			for _, k := range ks {
				errs = append(errs, k.Close(), k.Close())
			}
			_, err = k.Describe()
			return errors.Join(append(errs, closed(err), c.Close(), m.Close())...)
		},
	}
}
