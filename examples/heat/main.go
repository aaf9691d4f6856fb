// Command heat spreads heat over a plate, each rank a strip of rows, and draws it.
//
//	go run ./cmd/isthmus mpi run -n 4 -- go run ./examples/heat
//
// Started alone, it starts itself with four ranks. The plate is the same to the bit on any number of ranks: each point is
// computed from the same four neighbours in the same order, whoever has them.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
	"github.com/isthmus-ffi/isthmus/internal/ranks"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// options say what to compute.
type options struct {
	ranks  int    // to start, where nobody has
	size   int    // points of a side
	steps  int    //
	every  int    // steps from one picture to the next
	folder string // of the pictures; "" draws none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := options{}
	flag.IntVar(&o.ranks, "ranks", 4, "`ranks` to start, where no launcher has started this")
	flag.IntVar(&o.size, "size", 256, "`points` of a side")
	flag.IntVar(&o.steps, "steps", 2000, "`steps`")
	flag.IntVar(&o.every, "every", 500, "`steps` from one picture to the next")
	flag.StringVar(&o.folder, "o", "heat", "`folder` of the pictures; empty for none")
	flag.Parse()
	err := start(ctx, os.Stdout, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "heat:", err)
		os.Exit(1)
	}
}

// start is a rank, or starts the ranks.
func start(ctx context.Context, out io.Writer, o options) (err error) {
	if o.size < 3 || o.steps < 0 || o.every < 1 || o.ranks < 1 {
		return errors.New("want a plate of three points a side, no negative steps, and one rank at least")
	}
	if !ranks.Launched() {
		return ranks.Start(ctx, o.ranks, out, "-size", strconv.Itoa(o.size), "-steps", strconv.Itoa(o.steps), "-every", strconv.Itoa(o.every), "-o", o.folder)
	}
	w, err := ranks.Open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // the others wait for this rank
			fmt.Fprintln(os.Stderr, "heat: rank", w.Comm().Rank(), err)
			w.Abort(1)
		}
		err = w.Close(ctx)
	}()
	return simulate(ctx, w.Comm(), out, o)
}

// plate is a rank's strip: its rows of the plate, and one above and below that belong to the neighbours.
type plate struct {
	size, first, rows int
	now, next         []float64
}

// cut gives rank r of n its strip.
func cut(size, r, n int) plate {
	first, end := size*r/n, size*(r+1)/n
	p := plate{size: size, first: first, rows: end - first}
	p.now, p.next = make([]float64, (p.rows+2)*size), make([]float64, (p.rows+2)*size)
	for i := range p.rows {
		for j := range size {
			p.now[(i+1)*size+j] = begin(size, first+i, j)
		}
	}
	return p
}

// begin is the temperature at the start: two hot discs, and an edge that stays hot on the left.
func begin(size, i, j int) float64 {
	x, y := float64(j)/float64(size-1), float64(i)/float64(size-1)
	switch {
	case j == 0:
		return 1
	case math.Hypot(x-0.6, y-0.3) < 0.15, math.Hypot(x-0.45, y-0.75) < 0.1:
		return 1
	}
	return 0
}

func (p *plate) row(b []float64, i int) []float64 { return b[i*p.size:][:p.size] }

// step computes the strip from itself and the rows beside it. The edge of the plate keeps its temperature.
func (p *plate) step() {
	for i := 1; i <= p.rows; i++ {
		at, to := p.row(p.now, i), p.row(p.next, i)
		copy(to, at)
		if g := p.first + i - 1; g == 0 || g == p.size-1 {
			continue
		}
		above, below := p.row(p.now, i-1), p.row(p.now, i+1)
		for j := 1; j < p.size-1; j++ {
			// Each product is rounded by itself on every machine: an explicit conversion keeps Go from fusing.
			to[j] = at[j] + float64(0.2*(((above[j]+below[j])+(at[j-1]+at[j+1]))-float64(4*at[j])))
		}
	}
	p.now, p.next = p.next, p.now
}

// exchange gives the neighbours this strip's outer rows and takes theirs.
func (p *plate) exchange(ctx context.Context, c *mpi.Comm) error {
	up, down := c.Rank()-1, c.Rank()+1
	if up < 0 {
		up = mpi.ProcNull
	}
	if down == c.Size() {
		down = mpi.ProcNull
	}
	if _, err := mpi.SendRecv(ctx, c, p.row(p.now, 1), up, 0, p.row(p.now, p.rows+1), down, 0); err != nil {
		return err
	}
	_, err := mpi.SendRecv(ctx, c, p.row(p.now, p.rows), down, 1, p.row(p.now, 0), up, 1)
	return err
}

// collect gives rank 0 the whole plate.
func (p *plate) collect(ctx context.Context, c *mpi.Comm) ([]float64, error) {
	own := p.now[p.size : (p.rows+1)*p.size]
	if c.Rank() != 0 {
		return nil, mpi.Send(ctx, c, own, 0, 2)
	}
	all := make([]float64, p.size*p.size)
	copy(all, own)
	for r := 1; r < c.Size(); r++ {
		first, end := p.size*r/c.Size(), p.size*(r+1)/c.Size()
		if _, err := mpi.Recv(ctx, c, all[first*p.size:end*p.size], r, 2); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// simulate runs the steps and reports from rank 0.
func simulate(ctx context.Context, c *mpi.Comm, out io.Writer, o options) error {
	if o.size < c.Size() {
		return fmt.Errorf("%d rows for %d ranks", o.size, c.Size())
	}
	p := cut(o.size, c.Rank(), c.Size())
	begun := time.Now()
	var last []float64
	for s := 0; ; s++ {
		if s%o.every == 0 || s == o.steps {
			all, err := p.collect(ctx, c)
			if err != nil {
				return err
			}
			if last = all; all != nil && o.folder != "" {
				if err := draw(filepath.Join(o.folder, fmt.Sprintf("heat-%05d.png", s)), all, o.size); err != nil {
					return err
				}
			}
		}
		if s == o.steps {
			break
		}
		if err := p.exchange(ctx, c); err != nil {
			return err
		}
		p.step()
	}
	if c.Rank() != 0 {
		return nil
	}
	mean := 0.0
	for _, v := range last {
		mean += v
	}
	mean /= float64(len(last))
	where := ""
	if o.folder != "" {
		where = ", pictures in " + o.folder
	}
	fmt.Fprintf(out, "%d x %d points, %d steps on %d ranks in %v%s\n", o.size, o.size, o.steps, c.Size(), time.Since(begun).Round(time.Millisecond), where)
	_, err := fmt.Fprintf(out, "mean temperature %.6f, plate %.8x\n", mean, digest(last))
	return err
}

// digest tells one plate from another.
func digest(b []float64) []byte {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, b) // never fails
	return h.Sum(nil)
}

// draw writes a picture: black through red and yellow to white.
func draw(path string, b []float64, size int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	shade := func(v float64) uint8 { return uint8(255 * min(1, max(0, v))) }
	for i, v := range b {
		m.SetRGBA(i%size, i/size, color.RGBA{shade(3 * v), shade(3*v - 1), shade(3*v - 2), 255})
	}
	return atomicfile.Write(path, 0o666, func(w io.Writer) error { return png.Encode(w, m) })
}
