package pjrt_test

import (
	"context"
	"errors"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func init4() pjrt.Shape { return pjrt.ShapeOf(dtype.F32, 4) }

// told is a journey that asks a value for things, each of which the plugin may be unable to tell.
func told(prepare func(*world) []func() error) func(*world) error {
	return func(w *world) error {
		ask := prepare(w)
		w.arm()
		var err error
		for _, f := range ask {
			err = errors.Join(err, f())
		}
		return err
	}
}

// asked makes a question of a method.
func asked[T any](f func() (T, error)) func() error {
	return func() error {
		_, err := f()
		return err
	}
}

// bufferJourneys are about buffers and how they come and go.
var bufferJourneys = map[string]func(*world) error{
	"buffer told": told(func(w *world) []func() error {
		b := w.buffer()
		return []func() error{asked(b.DynamicDims), asked(b.UnpaddedDims), asked(b.Layout), asked(b.Memory), asked(b.Where), asked(b.OnHost)}
	}),
	"copy to memory": func(w *world) error {
		b := w.buffer()
		w.arm()
		n, err := b.CopyToMemory(w.c.Memories()[1])
		if err != nil {
			return err
		}
		return n.Close()
	},
	"bitcast": func(w *world) error {
		b := w.buffer()
		w.arm()
		n, err := b.Bitcast(pjrt.ShapeOf(dtype.I32, 2, 2))
		if err != nil {
			return err
		}
		return n.Close()
	},
	"raw": func(w *world) error {
		b := w.buffer()
		w.arm()
		return b.GetRaw(w.ctx, make([]byte, 8), 4)
	},
	"raw later": func(w *world) error {
		b := w.buffer()
		w.arm()
		e, p, err := b.GetRawLater(0, 16)
		if err != nil {
			return err
		}
		w.later(e.Close)
		err = p.Fulfill(make([]byte, 16))
		if err == nil {
			err = e.Wait(w.ctx)
		}
		return errors.Join(err, p.Close())
	},
	"donate after": func(w *world) error {
		b := w.buffer()
		w.arm()
		n, p, err := b.DonateAfter()
		if err != nil {
			return err
		}
		w.later(n.Close)
		err = p.Fulfill(struct{}{})
		if err == nil {
			err = n.Wait(w.ctx)
		}
		return errors.Join(err, p.Close())
	},
	"alias": func(w *world) error {
		b := w.buffer()
		m := w.c.Device().Memory()
		w.arm()
		n, p, err := m.Alias(init4())
		if err != nil {
			return err
		}
		w.later(n.Close)
		err = p.Fulfill(b)
		if err == nil {
			err = n.Wait(w.ctx)
		}
		return errors.Join(err, p.Close())
	},
	"failed": func(w *world) error {
		m := w.client().Device().Memory()
		w.arm()
		b, err := m.Failed(init4(), errors.New("on purpose"))
		if err != nil {
			return err
		}
		return b.Close()
	},
	"uninitialized": func(w *world) error {
		m := w.client().Device().Memory()
		w.arm()
		b, err := m.Uninitialized(init4())
		if err != nil {
			return err
		}
		return b.Close()
	},
	"view": func(w *world) error {
		m := w.client().Device().Memory()
		r, err := ffi.Alloc(64, 64)
		w.must(err)
		w.later(r.Close)
		l, err := r.Write(0, 16)
		w.must(err)
		w.later(func() error { l.Return(); return nil })
		w.arm()
		b, e, err := m.View(init4(), l)
		if err != nil {
			return err
		}
		w.later(e.Close)
		err = b.Close()
		return errors.Join(err, e.Wait(w.ctx))
	},
	"map": func(w *world) error {
		c := w.client()
		r, err := ffi.Alloc(4096, 4096)
		w.must(err)
		w.later(r.Close)
		w.arm()
		m, err := c.Map(r)
		if err != nil {
			return err
		}
		return m.Close()
	},
	"upload": func(w *world) error {
		m := w.client().Device().Memory()
		w.arm()
		u, err := m.NewUpload(init4(), init4())
		if err != nil {
			return err
		}
		w.later(u.Close)
		_, err = u.Count()
		_, err2 := u.Size(0)
		_, err3 := u.Device()
		if err = errors.Join(err, err2, err3, u.Annotate(pjrt.NamedValue{Name: "n", Value: "v"})); err != nil {
			return err
		}
		b, err := u.Buffer(0)
		if err != nil {
			return err
		}
		w.later(b.Close)
		e, err := u.Write(0, 0, make([]byte, 16), true)
		if err != nil {
			return err
		}
		w.later(e.Close)
		if err := errors.Join(e.Wait(w.ctx), u.Fail(1, errors.New("on purpose"))); err != nil {
			return err
		}
		return errors.Join(b.Wait(w.ctx), u.Close())
	},
	"upload whole": func(w *world) error {
		m := w.client().Device().Memory()
		w.arm()
		u, err := m.NewUpload(init4())
		if err != nil {
			return err
		}
		w.later(u.Close)
		e, err := u.WriteAll(0, make([]byte, 16), nil)
		if err != nil {
			return err
		}
		w.later(e.Close)
		return e.Wait(w.ctx)
	},
	"own event": func(w *world) error {
		c := w.client()
		w.arm()
		e, p, err := c.NewEvent()
		if err != nil {
			return err
		}
		w.later(e.Close)
		err = p.Fulfill(struct{}{})
		if err == nil {
			err = e.Wait(w.ctx)
		}
		return errors.Join(err, p.Close())
	},
	"put with layouts": func(w *world) error {
		d := w.client().Device()
		column := pjrt.ColumnMajor(2)
		w.arm()
		b, e, err := pjrt.PutWith(w.ctx, d, []float32{1, 2, 3, 4}, pjrt.PutOptions{Lend: pjrt.UntilTransferred, Memory: w.c.Memories()[0], Device: &column}, 2, 2)
		if err != nil {
			return err
		}
		w.later(b.Close)
		w.later(e.Close)
		return errors.Join(e.Wait(w.ctx), b.GetBytesWith(w.ctx, make([]byte, 16), column))
	},
	"read": func(w *world) error {
		b := w.buffer()
		w.arm()
		return pjrt.Read(w.ctx, b, func(*pjrt.Values[float32]) error { return nil })
	},
}

// programJourneys are about programs, topologies and devices.
var programJourneys = map[string]func(*world) error{
	"executable told": told(func(w *world) []func() error {
		x := w.executable("add")
		return []func() error{
			asked(x.AssignmentIDs), asked(x.CompileOptions), asked(x.CompiledMemory), asked(x.CostAnalysis), asked(x.LoadedFingerprint),
			asked(x.LogicalIDs), asked(x.OutputMemories), asked(x.ParamMemories), asked(x.Serialize), asked(x.Unloaded),
		}
	}),
	"unload": func(w *world) error {
		x := w.executable("add")
		w.arm()
		return x.Unload()
	},
	"compiled": func(w *world) error {
		x := w.executable("add")
		w.arm()
		c, err := x.Compiled()
		if err != nil {
			return err
		}
		return c.Close()
	},
	"deserialize": func(w *world) error {
		x := w.executable("add")
		kept, err := x.Serialize()
		w.must(err)
		w.arm()
		y, err := w.c.Deserialize(w.ctx, kept, pjrt.LoadOptions{})
		if err != nil {
			return err
		}
		return y.Close()
	},
	"topology": func(w *world) error {
		p, err := w.plugin()
		w.must(err)
		w.arm()
		t, err := p.NewTopology(w.ctx, "fake:2x2", []pjrt.NamedValue{{Name: "devices", Value: int64(4)}})
		if err != nil {
			return err
		}
		return t.Close()
	},
	"topology told": told(func(w *world) []func() error {
		p, err := w.plugin()
		w.must(err)
		t, err := p.NewTopology(context.Background(), "fake:2x2", nil)
		w.must(err)
		w.later(t.Close)
		return []func() error{asked(t.Fingerprint), asked(t.MemoryKindIDs), asked(t.Serialize), func() error {
			_, err := t.CanonicalShape(0, init4())
			return err
		}}
	}),
	"topology kept": func(w *world) error {
		p, err := w.plugin()
		w.must(err)
		t, err := p.NewTopology(context.Background(), "fake:2x2", nil)
		w.must(err)
		w.later(t.Close)
		kept, err := t.Serialize()
		w.must(err)
		w.arm()
		t2, err := p.DeserializeTopology(kept)
		if err != nil {
			return err
		}
		return t2.Close()
	},
	"client's topology": func(w *world) error {
		c := w.client()
		w.arm()
		t, err := c.Topology()
		if err != nil {
			return err
		}
		return t.Close()
	},
	"compile ahead": func(w *world) error {
		c := w.client()
		t, err := w.p.NewTopology(context.Background(), "fake:2x2", nil)
		w.must(err)
		w.later(t.Close)
		w.arm()
		x, err := t.Compile(w.ctx, pjrt.MLIR("add"), pjrt.CompileOptions{})
		if err != nil {
			return err
		}
		w.later(x.Close)
		l, err := c.Load(w.ctx, x, pjrt.LoadOptions{})
		if err != nil {
			return err
		}
		return l.Close()
	},
	"devices": told(func(w *world) []func() error {
		c := w.client()
		d := c.Device()
		return []func() error{
			func() error { _, err := c.LookupDevice(1); return err },
			func() error { _, err := c.LookupLocalDevice(1); return err },
			func() error { _, err := c.DefaultAssignment(2, 1); return err },
			func() error { _, err := d.Poison(7, errors.New("on purpose")); return err },
			func() error {
				return c.UpdateProcesses([]pjrt.ProcessInfo{{Task: 0, Incarnation: 7, State: pjrt.ProcessConnected}})
			},
			asked(d.State), d.ClearMemoryStats, asked(c.Memories()[0].AddressableBy),
		}
	}),
	"track": func(w *world) error {
		d := w.client().Device()
		w.arm()
		t, err := d.Track("something")
		if err != nil {
			return err
		}
		return t.Close()
	},
}

// runJourneys are executions with all that they take.
var runJourneys = map[string]func(*world) error{
	"execute context": func(w *world) error {
		x, a, b := w.executable("add"), w.buffer(), w.buffer()
		w.arm()
		c, err := w.p.NewExecuteContext()
		if err != nil {
			return err
		}
		w.later(c.Close)
		outs, err := x.Execute(w.ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{Context: c, CallLocation: "here.py:1", Tasks: []pjrt.Task{{ID: 1, Incarnation: 2}}})
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return errors.Join(err, c.Close())
	},
	"start": func(w *world) error {
		x, a, b := w.executable("add"), w.buffer(), w.buffer()
		w.arm()
		e, err := x.Start(w.ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		if err != nil {
			return err
		}
		w.later(e.Close)
		outs, err := e.Outputs(w.ctx) // which may come before the end
		err = errors.Join(err, e.Wait(w.ctx))
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return err
	},
	"send and receive": func(w *world) error {
		x := w.executable("talk")
		w.arm()
		outs, err := x.Execute(w.ctx, nil, pjrt.ExecuteOptions{
			Send: []pjrt.SendHandler{{Channel: 1, Func: func(pjrt.SentChunk) error { return nil }}},
			Recv: []pjrt.RecvHandler{{Channel: 2, Func: func(_ int, s *pjrt.DeviceStream) error {
				_, err1 := s.TotalBytes()
				_, err2 := s.GranuleSize()
				_, err3 := s.CurrentBytes()
				return errors.Join(err1, err2, err3, s.Write(w.ctx, make([]byte, 8)), s.Close())
			}}},
		})
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return err
	},
}
