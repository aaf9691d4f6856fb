package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"

	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

// peer runs a case once.
type peer struct {
	name string
	once func() (time.Duration, error)
}

// bench is a case; the first peer is package mps.
type bench struct {
	name  string
	flops float64
	peers []peer
}

type setup struct {
	dev    *mps.Device
	cases  []bench
	closes []func() error
}

func (s *setup) close() {
	for i := len(s.closes) - 1; i >= 0; i-- {
		if err := s.closes[i](); err != nil {
			fmt.Fprintln(os.Stderr, "bench/mps:", err)
		}
	}
}

func newSetup(ctx context.Context) (s *setup, err error) {
	s = &setup{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dev, err = mps.Open(ctx, mps.Options{Backend: cpu.Options{Workers: 1}}); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.dev.Close)
	var blas *numpy
	if path := os.Getenv("ISTHMUS_PYTHON"); path != "" {
		if blas, err = newNumpy(path); err != nil {
			return s, err
		}
		s.closes = append(s.closes, blas.close)
	}
	for _, n := range []int{512, 1024} {
		c, err := s.product(ctx, n, blas)
		if err != nil {
			return s, err
		}
		s.cases = append(s.cases, c)
	}
	rows, err := s.rows(ctx, 512, 4096)
	if err != nil {
		return s, err
	}
	s.cases = append(s.cases, rows...)
	for _, n := range []int{512, 4096} {
		c, err := s.attention(ctx, n, 64, blas)
		if err != nil {
			return s, err
		}
		s.cases = append(s.cases, c)
	}
	for _, n := range []int{256, 1024} {
		c, err := s.factors(ctx, n)
		if err != nil {
			return s, err
		}
		s.cases = append(s.cases, c...)
	}
	return s, nil
}

func numbers(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, n)
	for i := range v {
		v[i] = r.Float32()
	}
	return v
}

func (s *setup) matrix(rows, columns int, v []float32) (*mps.Matrix, error) {
	m, err := mps.MatrixOf(s.dev, rows, columns, v)
	if err == nil {
		s.closes = append(s.closes, m.Close)
	}
	return m, err
}

func (s *setup) product(ctx context.Context, n int, openblas *numpy) (bench, error) {
	c := bench{name: fmt.Sprintf("matmul %d", n), flops: 2 * math.Pow(float64(n), 3)}
	a, b := numbers(n*n), numbers(n*n)
	x, err := s.matrix(n, n, a)
	if err != nil {
		return c, err
	}
	y, err := s.matrix(n, n, b)
	if err != nil {
		return c, err
	}
	z, err := s.dev.NewMatrix(n, n, dtype.F32)
	if err != nil {
		return c, err
	}
	s.closes = append(s.closes, z.Close)
	c.peers = append(c.peers, timed("mps", func() error {
		return s.dev.Do(ctx, func(b *mps.Batch) error { b.MatMul(z, x, y, mps.MatMulOptions{}); return nil })
	}))
	if openblas != nil {
		c.peers = append(c.peers, peer{"openblas", func() (time.Duration, error) { return openblas.once("product", n, n) }})
	}
	general := func(v []float32) blas32.General { return blas32.General{Rows: n, Cols: n, Stride: n, Data: v} }
	out := general(make([]float32, n*n))
	c.peers = append(c.peers, timed("gonum", func() error {
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, general(a), general(b), 0, out)
		return nil
	}))
	backend, err := simplego.New("parallelism=1")
	if err != nil {
		return c, err
	}
	e, err := graph.NewExec(backend, func(p, q *graph.Node) *graph.Node { return graph.Dot(p, q) })
	if err != nil {
		return c, err
	}
	ta, tb := tensors.FromFlatDataAndDimensions(a, n, n), tensors.FromFlatDataAndDimensions(b, n, n)
	c.peers = append(c.peers, timed("gomlx", func() error {
		r, err := e.Exec1(ta, tb)
		if err == nil {
			r.FinalizeAll()
		}
		return err
	}))
	return c, nil
}

func (s *setup) rows(ctx context.Context, rows, columns int) ([]bench, error) {
	in, out, weight := numbers(rows*columns), make([]float32, rows*columns), numbers(columns)
	x, err := s.matrix(rows, columns, in)
	if err != nil {
		return nil, err
	}
	z, err := s.matrix(rows, columns, in)
	if err != nil {
		return nil, err
	}
	w, err := mps.VectorOf(s.dev, weight)
	if err != nil {
		return nil, err
	}
	s.closes = append(s.closes, w.Close)
	return []bench{
		{name: fmt.Sprintf("softmax %dx%d", rows, columns), peers: []peer{
			timed("mps", func() error { return s.dev.Do(ctx, func(b *mps.Batch) error { b.Softmax(z, x); return nil }) }),
			timed("plain Go", func() error { softmax(out, in, columns); return nil }),
		}},
		{name: fmt.Sprintf("rms norm %dx%d", rows, columns), peers: []peer{
			timed("mps", func() error { return s.dev.Do(ctx, func(b *mps.Batch) error { b.RMSNorm(z, x, w, 1e-5); return nil }) }),
			timed("plain Go", func() error { rmsNorm(out, in, weight, 1e-5); return nil }),
		}},
	}, nil
}

// softmax is as one writes it.
func softmax(out, in []float32, columns int) {
	for p := 0; p < len(in); p += columns {
		x, y := in[p:p+columns], out[p:p+columns]
		high, sum := x[0], float32(0)
		for _, v := range x {
			high = max(high, v)
		}
		for i, v := range x {
			y[i] = float32(math.Exp(float64(v - high)))
			sum += y[i]
		}
		for i := range y {
			y[i] /= sum
		}
	}
}

// rmsNorm is as one writes it.
func rmsNorm(out, in, weight []float32, epsilon float64) {
	columns := len(weight)
	for p := 0; p < len(in); p += columns {
		x, y := in[p:p+columns], out[p:p+columns]
		sum := float32(0)
		for _, v := range x {
			sum += v * v
		}
		k := float32(1 / math.Sqrt(float64(sum)/float64(columns)+epsilon))
		for i, v := range x {
			y[i] = v * k * weight[i]
		}
	}
}

//go:embed peer.py
var script string

// numpy is OpenBLAS, in a process that times itself.
type numpy struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newNumpy(python string) (*numpy, error) {
	cmd := exec.Command(python, "-c", script)
	cmd.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &numpy{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (p *numpy) once(what string, n, m int) (time.Duration, error) {
	if _, err := fmt.Fprintln(p.in, what, n, m); err != nil {
		return 0, err
	}
	var ns int64
	_, err := fmt.Fscanln(p.out, &ns)
	return time.Duration(ns), err
}

func (p *numpy) close() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}
