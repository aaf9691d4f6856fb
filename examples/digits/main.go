// Command digits reads handwritten digits: it runs a convolutional network, trained and exported by JAX (train.py),
// over the 1,797 images that scikit-learn ships, prints how many it reads right, and checks that each answer is JAX's.
//
//	go run github.com/isthmus-ffi/isthmus/examples/digits@latest --device embedded
//
// With --train it trains the network anew on MPI ranks, each with a part of every batch, and the sums of gradients made by
// all_reduce in a StableHLO program; the weights are the same to the bit on 1, 2 and 4 ranks.
//
// Program and data are inside the binary. It fails when an answer differs from JAX's.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

var (
	//go:embed digits.mlir
	text []byte
	//go:embed digits.mlir.bc
	bytecode []byte
	//go:embed images.npy
	imagesFile []byte
	//go:embed labels.npy
	labelsFile []byte
	//go:embed logits.npy
	logitsFile []byte
	//go:embed predictions.npy
	predictionsFile []byte
)

func main() {
	device := flag.String("device", target.Embedded, target.Usage)
	form := flag.String("form", "bytecode", "the form of the program: bytecode or text")
	learning := flag.Bool("train", false, "train the network anew, on MPI ranks that share each batch")
	var o lesson
	flag.IntVar(&o.ranks, "ranks", 4, "with -train: 1, 2 or 4 `ranks`, which this starts")
	flag.IntVar(&o.epochs, "epochs", 8, "with -train: how often each image is seen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := func() error { return start(ctx, os.Stdout, *device, *form) }
	if *learning {
		run = func() error { return train(ctx, os.Stdout, o) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "digits:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, w io.Writer, device, form string) (err error) {
	program, ok := map[string][]byte{"bytecode": bytecode, "text": text}[form]
	if !ok {
		return fmt.Errorf("no form %q: use bytecode or text", form)
	}
	client, err := target.Open(ctx, device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return read(ctx, w, client, program)
}

// read runs the program on the client's device, prints what came of it, and compares it with JAX's own answers.
func read(ctx context.Context, w io.Writer, client *pjrt.Client, program []byte) error {
	images, err := values[float32](imagesFile)
	if err != nil {
		return err
	}
	labels, err := values[int32](labelsFile)
	if err != nil {
		return err
	}
	wantLogits, err := values[float32](logitsFile)
	if err != nil {
		return err
	}
	want, err := values[int32](predictionsFile)
	if err != nil {
		return err
	}

	began := time.Now()
	exe, err := client.Compile(ctx, pjrt.MLIR(program), pjrt.CompileOptions{})
	if err != nil {
		return err
	}
	defer exe.Close()
	compiled := time.Since(began)

	began = time.Now()
	x, err := pjrt.Put(ctx, client.Device(), images, len(labels), 8, 8)
	if err != nil {
		return err
	}
	defer x.Close()
	outs, err := exe.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{})
	if err != nil {
		return err
	}
	for _, out := range outs {
		defer out.Close()
	}
	logits, err := pjrt.Get[float32](ctx, outs[0])
	if err != nil {
		return err
	}
	got, err := pjrt.Get[int32](ctx, outs[1])
	if err != nil {
		return err
	}
	ran := time.Since(began)

	right := 0
	var table [10][10]int
	for i, label := range labels {
		if got[i] < 0 || got[i] > 9 {
			return fmt.Errorf("image %d is read as %d, which is no digit", i, got[i])
		}
		table[label][got[i]]++
		if got[i] == label {
			right++
		}
	}
	fmt.Fprintf(w, "device %s, compile %.1f ms, %d images in %.1f ms\n", client.Platform(), ms(compiled), len(labels), ms(ran))
	fmt.Fprintf(w, "accuracy %.2f %% (%d of %d)\n\n", 100*float64(right)/float64(len(labels)), right, len(labels))
	confusion(w, table)

	worst := 0.0
	for i := range wantLogits {
		worst = max(worst, math.Abs(float64(logits[i]-wantLogits[i])))
	}
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("image %d is read as %d, JAX reads %d (largest difference of a score: %.3g)", i, got[i], want[i], worst)
		}
	}
	_, err = fmt.Fprintf(w, "\nall %d answers are JAX's; largest difference of a score %.2g\n", len(want), worst)
	return err
}

// confusion prints the table: a row for what the image shows, a column for what the network read.
func confusion(w io.Writer, table [10][10]int) {
	t := tabwriter.NewWriter(w, 4, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "read as\t")
	for d := range table {
		fmt.Fprintf(t, "%d\t", d)
	}
	fmt.Fprintln(t)
	for d, row := range table {
		fmt.Fprintf(t, "shows %d\t", d)
		for _, n := range row {
			if n == 0 {
				fmt.Fprint(t, ".\t")
			} else {
				fmt.Fprintf(t, "%d\t", n)
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// values returns the elements of an array file.
func values[T npy.Element](file []byte) ([]T, error) {
	a, err := npy.Read(bytes.NewReader(file), npy.Options{})
	if err != nil {
		return nil, err
	}
	return npy.Values[T](a)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
