package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// peer runs programs.
type peer interface {
	name() string
	// prepare compiles a case and puts its arguments where the peer wants them. It returns nil for a case that the peer
	// has no program for.
	prepare(ctx context.Context, b bench) (*task, error)
	close() error
}

// task is a prepared case.
type task struct {
	// times runs the case n times and returns how long that took.
	times   func(n int) (time.Duration, error)
	compile time.Duration // from bytes to executable; 0 where the peer has no such step
	close   func()
}

// repeat times calls of f.
func repeat(f func() error) func(int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

// embedded is the planned executor of this module.
type embedded struct{ pool *kernel.Pool }

func (*embedded) name() string { return "plan" }

func (e *embedded) close() error {
	e.pool.Close()
	return nil
}

func (e *embedded) prepare(ctx context.Context, b bench) (*task, error) {
	start := time.Now()
	m, err := stablehlo.Parse(b.source, stablehlo.Options{})
	if err != nil {
		return nil, err
	}
	p, err := plan.Compile(ctx, m, m.Main(), plan.Options{Workers: e.pool})
	if err != nil {
		return nil, err
	}
	t := &task{compile: time.Since(start), close: func() {}}
	mem := &cache{free: map[int64][][]byte{}}
	args := make([]plan.Arg, len(b.inputs))
	for i, a := range b.inputs {
		args[i].Data, err = mem.Alloc(int64(len(a.Data)))
		if err != nil {
			return nil, err
		}
		copy(args[i].Data, a.Data)
	}
	t.times = repeat(func() error {
		out, err := p.Run(ctx, args, mem)
		for _, o := range out {
			mem.Free(o)
		}
		return err
	})
	return t, nil
}

// cache is memory that is lent again, as the device's is.
type cache struct {
	mu   sync.Mutex
	free map[int64][][]byte
}

func (c *cache) Alloc(n int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.free[n]; len(l) > 0 {
		c.free[n] = l[:len(l)-1]
		return l[len(l)-1], nil
	}
	return plan.Heap{}.Alloc(n)
}

func (c *cache) Free(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free[int64(len(b))] = append(c.free[int64(len(b))], b)
}

// plugin is a device behind a PJRT function table: XLA's CPU, or the embedded device with all that clients pay for.
type plugin struct {
	title  string
	client *pjrt.Client
}

func newPlugin(ctx context.Context, path string) (*plugin, error) {
	p, err := pjrt.Load(path)
	if err != nil {
		return nil, err
	}
	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return nil, err
	}
	return &plugin{"xla", c}, nil
}

func newServed(ctx context.Context) (*plugin, error) {
	table, err := device.Table(device.Options{})
	if err != nil {
		return nil, err
	}
	p, err := pjrt.FromTable("isthmus", table)
	if err != nil {
		return nil, err
	}
	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return nil, err
	}
	return &plugin{"isthmus", c}, nil
}

func (p *plugin) name() string { return p.title }
func (p *plugin) close() error { return p.client.Close() }

func (p *plugin) prepare(ctx context.Context, b bench) (*task, error) {
	start := time.Now()
	x, err := p.client.Compile(ctx, pjrt.MLIR(b.source), pjrt.CompileOptions{})
	if err != nil {
		return nil, err
	}
	t := &task{compile: time.Since(start)}
	args := make([]*pjrt.Buffer, len(b.inputs))
	for i, a := range b.inputs {
		dims := make([]int, len(a.Shape))
		for k, d := range a.Shape {
			dims[k] = int(d)
		}
		if args[i], err = pjrt.PutBytes(ctx, p.client.Device(), pjrt.Type{DType: a.DType, Dims: dims}, a.Data); err != nil {
			return nil, err
		}
	}
	t.times = repeat(func() error {
		out, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
		if err != nil {
			return err
		}
		for _, o := range out {
			if err := o.Wait(ctx); err != nil {
				return err
			}
			if err := o.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	t.close = func() {
		for _, a := range args {
			_ = a.Close()
		}
		_ = x.Close()
	}
	return t, nil
}

//go:embed peer.py
var script string

// numpy is a Python process that times itself on request.
type numpy struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	dir string
}

func newNumpy(python string) (*numpy, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	n := &numpy{cmd: exec.Command(python, "-c", script), dir: dir}
	n.cmd.Stderr = os.Stderr
	// OpenBLAS's threads spin after a product, into the turn of the next peer: let them sleep at once.
	n.cmd.Env = append(os.Environ(), "OPENBLAS_THREAD_TIMEOUT=4")
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.out = bufio.NewScanner(out)
	return n, n.cmd.Start()
}

func (*numpy) name() string { return "numpy" }

func (n *numpy) close() error {
	_ = n.in.Close()
	return os.RemoveAll(n.dir)
}

func (n *numpy) ask(request any) (ns int64, err error) {
	line, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(n.in, "%s\n", line); err != nil {
		return 0, err
	}
	if !n.out.Scan() {
		return 0, fmt.Errorf("numpy: no answer: %w", io.ErrUnexpectedEOF)
	}
	return ns, json.Unmarshal(n.out.Bytes(), &ns)
}

func (n *numpy) prepare(_ context.Context, b bench) (*task, error) {
	var files []string
	for i, a := range b.inputs {
		file := filepath.Join(n.dir, fmt.Sprintf("in%d.npy", i))
		if err := npy.WriteFile(file, a); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	ok, err := n.ask(map[string]any{"load": b.name, "files": files})
	if err != nil || ok == 0 {
		return nil, err
	}
	return &task{close: func() {}, times: func(k int) (time.Duration, error) {
		ns, err := n.ask(map[string]any{"times": k})
		return time.Duration(ns), err
	}}, nil
}
