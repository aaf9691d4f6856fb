// Nearest finds what somebody meant by a misspelt word, with matrices: on the GPU of a Mac, on the processor of every other machine.
//
//	go run ./examples/nearest
//	go run ./examples/nearest Lichtenstain Arhus
//
// Each word becomes a row of numbers, one for each three letters in a row that it may contain. Rows that point in the same direction are
// words that share letters. So one product of the questions with all words compares everything with everything, and top-k reads off the best.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"os"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

//go:embed words.txt
var text string

const (
	width = 512 // columns that groups of letters are spread over
	best  = 3   // answers to a question
)

func main() {
	processor := flag.Bool("cpu", false, "use the processor even where there is a GPU")
	flag.Parse()
	questions := flag.Args()
	if len(questions) == 0 {
		questions = []string{"Lichtenstain", "Philipines", "Kazachstan", "Moritania", "Switserland", "Columbia"}
	}
	if err := run(context.Background(), os.Stdout, questions, *processor); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, questions []string, processor bool) (err error) {
	words := strings.Split(strings.TrimSpace(text), "\n")
	opt := mps.Options{} // the best device of the machine
	if processor {
		opt.Backend = cpu.Options{}
	}
	dev, err := mps.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()

	all, err := mps.MatrixOf(dev, len(words), width, rows(words))
	if err != nil {
		return err
	}
	defer all.Close()
	asked, err := mps.MatrixOf(dev, len(questions), width, rows(questions))
	if err != nil {
		return err
	}
	defer asked.Close()
	scores, err := dev.NewMatrix(len(questions), len(words), dtype.F32)
	if err != nil {
		return err
	}
	defer scores.Close()
	which, err := dev.NewMatrix(len(questions), best, dtype.U32)
	if err != nil {
		return err
	}
	defer which.Close()
	how, err := dev.NewMatrix(len(questions), best, dtype.F32)
	if err != nil {
		return err
	}
	defer how.Close()

	// One batch: rows of one length, so that a product is a cosine; every question with every word; the best of each row.
	err = dev.Do(ctx, func(b *mps.Batch) error {
		b.RMSNorm(all, all, nil, 0)
		b.RMSNorm(asked, asked, nil, 0)
		b.MatMul(scores, asked, all, mps.MatMulOptions{TransposeRight: true, Alpha: 1.0 / width})
		b.TopK(which, how, scores, best)
		return nil
	})
	if err != nil {
		return err
	}
	index, err := mps.Values[uint32](which)
	if err != nil {
		return err
	}
	cosine, err := how.Floats()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d questions, %d words, on %s (%s)\n", len(questions), len(words), dev.Backend(), dev.Name())
	for i, q := range questions {
		fmt.Fprintf(out, "%-14s", q)
		for j := range best {
			fmt.Fprintf(out, "  %3.0f%% %-14s", 100*cosine[i*best+j], words[index[i*best+j]])
		}
		fmt.Fprintln(out)
	}
	return nil
}

// rows counts the groups of three letters of each word; where a word begins and ends is part of them.
func rows(words []string) []float32 {
	m := make([]float32, len(words)*width)
	for i, w := range words {
		letters := []rune("^" + strings.ToLower(w) + "$")
		for size := 2; size <= 3; size++ {
			for j := 0; j+size <= len(letters); j++ {
				h := fnv.New32a()
				_, _ = h.Write([]byte(string(letters[j : j+size])))
				m[i*width+int(h.Sum32()%width)]++
			}
		}
	}
	return m
}
