package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/internal/ranks"
	"github.com/isthmus-ffi/isthmus/mpi/mpicoll"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// The programs are training.py's, as are these sizes.
var (
	//go:embed gradient.mlir.bc
	gradientProgram []byte
	//go:embed update.mlir.bc
	updateProgram []byte
	//go:embed predict.mlir.bc
	predictProgram []byte
	//go:embed training.npz
	beginning []byte
)

const (
	part  = 16   // images of one gradient
	parts = 4    // gradients of a batch
	known = 1437 // images to train on; the rest are for the test
	pixel = 64   // of an image
)

// lesson says how to train.
type lesson struct{ ranks, epochs int }

// train trains as one rank, or starts the ranks.
func train(ctx context.Context, w io.Writer, o lesson) (err error) {
	if o.ranks != 1 && o.ranks != 2 && o.ranks != 4 || o.epochs < 1 {
		return fmt.Errorf("%d ranks, %d epochs: want 1, 2 or 4 ranks, and an epoch at least", o.ranks, o.epochs)
	}
	if !ranks.Launched() {
		return ranks.Start(ctx, o.ranks, w, "-train", "-ranks", strconv.Itoa(o.ranks), "-epochs", strconv.Itoa(o.epochs))
	}
	world, err := ranks.Open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // the others wait for this rank
			fmt.Fprintln(os.Stderr, "digits: rank", world.Comm().Rank(), err)
			world.Abort(1)
		}
		err = world.Close(ctx)
	}()
	peers, err := mpicoll.New(ctx, world.Comm())
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = peers.Close(ctx)
		}
	}()
	// One worker each: the ranks share the machine.
	plugin, err := embedded.Plugin(device.Options{Peers: peers, Workers: 1})
	if err != nil {
		return err
	}
	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if peers.Process() > 0 {
		w = io.Discard
	}
	return learn(ctx, w, client, peers.Process(), peers.Processes(), o.epochs)
}

// sum is a program that adds the gradients of a batch: this rank's, which are its arguments, and then those of the ranks.
// They are added in the form of one tree, ((0+1)+(2+3)), however many ranks have the leaves: so the sum is the same to the
// bit. size is how many numbers a gradient has.
func sum(n, size int) string {
	t := fmt.Sprintf("tensor<%dxf32>", size)
	var b strings.Builder
	var args, have []string
	for i := range parts / n {
		have = append(have, fmt.Sprintf("%%g%d", i))
		args = append(args, have[i]+": "+t)
	}
	fmt.Fprintf(&b, "func.func @main(%s) -> %s {\n", strings.Join(args, ", "), t)
	made := 0
	for len(have) > 1 {
		var next []string
		for i := 0; i < len(have); i += 2 {
			fmt.Fprintf(&b, "  %%%d = stablehlo.add %s, %s : %s\n", made, have[i], have[i+1], t)
			next = append(next, fmt.Sprintf("%%%d", made))
			made++
		}
		have = next
	}
	for apart := 1; apart < n; apart *= 2 {
		var pairs []string
		for r := range n {
			if r&apart == 0 {
				pairs = append(pairs, fmt.Sprintf("[%d, %d]", r, r+apart))
			}
		}
		fmt.Fprintf(&b, `  %%%d = "stablehlo.all_reduce"(%s) ({
  ^bb0(%%a: tensor<f32>, %%b: tensor<f32>):
    %%s = stablehlo.add %%a, %%b : tensor<f32>
    stablehlo.return %%s : tensor<f32>
  }) {replica_groups = dense<[%s]> : tensor<%dx2xi64>} : (%s) -> %[5]s
`, made, have[0], strings.Join(pairs, ", "), len(pairs), t)
		have[0] = fmt.Sprintf("%%%d", made)
		made++
	}
	fmt.Fprintf(&b, "  return %s : %s\n}\n", have[0], t)
	return b.String()
}

// trainer has the programs and the state of a training.
type trainer struct {
	ctx                            context.Context
	device                         *pjrt.Device
	gradient, sum, update, predict *pjrt.Executable
	state                          []*pjrt.Buffer // weights and the two moments
}

// learn trains for some epochs and prints how well that goes.
func learn(ctx context.Context, w io.Writer, client *pjrt.Client, rank, n, epochs int) (err error) {
	images, err := values[float32](imagesFile)
	if err != nil {
		return err
	}
	labels, err := values[int32](labelsFile)
	if err != nil {
		return err
	}
	weights, order, err := begin()
	if err != nil {
		return err
	}
	t := &trainer{ctx: ctx, device: client.Device()}
	defer func() { err = errors.Join(err, t.close()) }()
	for _, p := range []struct {
		x    **pjrt.Executable
		code []byte
		n    int
	}{{&t.gradient, gradientProgram, 1}, {&t.sum, []byte(sum(n, len(weights)+1)), n}, {&t.update, updateProgram, 1}, {&t.predict, predictProgram, 1}} {
		if *p.x, err = client.Compile(ctx, pjrt.MLIR(p.code), pjrt.CompileOptions{Replicas: p.n}); err != nil {
			return err
		}
	}
	zeros := make([]float32, len(weights))
	for _, v := range [][]float32{weights, zeros, zeros} {
		b, err := pjrt.Put(ctx, t.device, v, len(v))
		if err != nil {
			return err
		}
		t.state = append(t.state, b)
	}
	began, step := time.Now(), 0
	for epoch := range epochs {
		loss, seen := 0.0, 0
		shuffled := append([]int32(nil), order[:known]...)
		rand.New(rand.NewPCG(1, uint64(epoch))).Shuffle(known, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for len(shuffled) >= part*parts {
			step++
			mine := shuffled[part*parts/n*rank : part*parts/n*(rank+1)]
			l, err := t.step(images, labels, mine, step)
			if err != nil {
				return err
			}
			loss, seen, shuffled = loss+float64(l), seen+part*parts, shuffled[part*parts:]
		}
		fmt.Fprintf(w, "epoch %d: loss %.6f\n", epoch+1, loss/float64(seen))
	}
	right, err := t.test(images, labels, order)
	if err != nil {
		return err
	}
	final, err := pjrt.Get[float32](ctx, t.state[0])
	if err != nil {
		return err
	}
	tests := len(labels) - known
	fmt.Fprintf(w, "%.2f %% (%d of %d) of the images that it was not trained on; weights %x\n", 100*float64(right)/float64(tests), right, tests, digest(final))
	fmt.Fprintf(w, "%d ranks, %.1f s\n", n, time.Since(began).Seconds())
	return nil
}

// begin is what training begins with.
func begin() (weights []float32, order []int32, err error) {
	z, err := npy.NewArchive(bytes.NewReader(beginning), int64(len(beginning)), npy.Options{})
	if err != nil {
		return nil, nil, err
	}
	w, err := z.Read("weights")
	if err != nil {
		return nil, nil, err
	}
	o, err := z.Read("order")
	if err != nil {
		return nil, nil, err
	}
	if weights, err = npy.Values[float32](w); err != nil {
		return nil, nil, err
	}
	order, err = npy.Values[int32](o)
	return weights, order, err
}

// step takes one step with this rank's images of a batch, and returns the loss of the whole batch.
func (t *trainer) step(images []float32, labels, mine []int32, number int) (loss float32, err error) {
	var made []*pjrt.Buffer
	defer func() {
		for _, b := range made {
			err = errors.Join(err, b.Close())
		}
	}()
	var gradients []*pjrt.Buffer
	for ; len(mine) > 0; mine = mine[part:] {
		var x []float32
		var y []int32
		for _, i := range mine[:part] {
			x, y = append(x, images[int(i)*pixel:int(i+1)*pixel]...), append(y, labels[i])
		}
		xs, err := pjrt.Put(t.ctx, t.device, x, part, 8, 8)
		if err != nil {
			return 0, err
		}
		made = append(made, xs)
		ys, err := pjrt.Put(t.ctx, t.device, y, part)
		if err != nil {
			return 0, err
		}
		made = append(made, ys)
		g, err := t.gradient.Execute(t.ctx, []*pjrt.Buffer{t.state[0], xs, ys}, pjrt.ExecuteOptions{})
		if err != nil {
			return 0, err
		}
		made, gradients = append(made, g...), append(gradients, g...)
	}
	total, err := t.sum.ExecuteAll(t.ctx, [][]*pjrt.Buffer{gradients}, pjrt.ExecuteOptions{})
	if err != nil {
		return 0, err
	}
	made = append(made, total[0]...)
	n, err := pjrt.Put(t.ctx, t.device, []float32{float32(number)})
	if err != nil {
		return 0, err
	}
	made = append(made, n)
	next, err := t.update.Execute(t.ctx, append(append([]*pjrt.Buffer(nil), t.state...), total[0][0], n), pjrt.ExecuteOptions{})
	if err != nil {
		return 0, err
	}
	made, t.state = append(made, t.state...), next
	sums, err := pjrt.Get[float32](t.ctx, total[0][0])
	if err != nil {
		return 0, err
	}
	return sums[len(sums)-1], nil
}

// test counts the right answers among the images that were not trained on.
func (t *trainer) test(images []float32, labels, order []int32) (right int, err error) {
	x, err := pjrt.Put(t.ctx, t.device, images, len(labels), 8, 8)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	outs, err := t.predict.Execute(t.ctx, []*pjrt.Buffer{t.state[0], x}, pjrt.ExecuteOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, outs[0].Close()) }()
	got, err := pjrt.Get[int32](t.ctx, outs[0])
	if err != nil {
		return 0, err
	}
	for _, i := range order[known:] {
		if got[i] == labels[i] {
			right++
		}
	}
	return right, nil
}

func (t *trainer) close() error {
	var errs []error
	for _, b := range t.state {
		errs = append(errs, b.Close())
	}
	for _, x := range []*pjrt.Executable{t.gradient, t.sum, t.update, t.predict} {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}

// digest tells weights apart that differ in a bit.
func digest(w []float32) []byte {
	h := sha256.New()
	for _, v := range w {
		fmt.Fprintf(h, "%x ", v)
	}
	return h.Sum(nil)[:8]
}
