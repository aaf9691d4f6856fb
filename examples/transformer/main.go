// Command transformer writes text: it runs a small decoder, trained and exported by JAX (train.py), that generates
// character after character inside one program, and checks that what it writes is what JAX writes.
//
//	go run github.com/isthmus-ffi/isthmus/examples/transformer@latest --prompt "In the evening "
//
// Program and vocabulary are inside the binary. The model knows text.txt, which is short, by heart.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

var (
	//go:embed transformer.mlir
	text []byte
	//go:embed transformer.mlir.bc
	bytecode []byte
	//go:embed vocabulary.json
	vocabularyFile []byte
	//go:embed prompt.npy
	promptFile []byte
	//go:embed length.npy
	lengthFile []byte
	//go:embed tokens.npy
	tokensFile []byte
)

func main() {
	device := flag.String("device", target.Embedded, target.Usage)
	form := flag.String("form", "bytecode", "the form of the program: bytecode or text")
	prompt := flag.String("prompt", "", "how the text begins; empty: JAX's own prompt, whose answer is checked")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, os.Stdout, *device, *form, *prompt); err != nil {
		fmt.Fprintln(os.Stderr, "transformer:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, w io.Writer, device, form, prompt string) (err error) {
	program, ok := map[string][]byte{"bytecode": bytecode, "text": text}[form]
	if !ok {
		return fmt.Errorf("no form %q: use bytecode or text", form)
	}
	client, err := target.Open(ctx, device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return write(ctx, w, client, program, prompt)
}

// write runs the program on the client's device and prints the text; for JAX's own prompt it compares it with JAX's.
func write(ctx context.Context, w io.Writer, client *pjrt.Client, program []byte, prompt string) error {
	var vocabulary []string
	if err := json.Unmarshal(vocabularyFile, &vocabulary); err != nil {
		return err
	}
	slots, err := values[int32](promptFile)
	if err != nil {
		return err
	}
	length, err := values[int32](lengthFile)
	if err != nil {
		return err
	}
	if prompt != "" {
		if length[0], err = encode(slots, vocabulary, prompt); err != nil {
			return err
		}
	}

	began := time.Now()
	exe, err := client.Compile(ctx, pjrt.MLIR(program), pjrt.CompileOptions{})
	if err != nil {
		return err
	}
	defer exe.Close()
	compiled := time.Since(began)

	began = time.Now()
	p, err := pjrt.Put(ctx, client.Device(), slots, len(slots))
	if err != nil {
		return err
	}
	defer p.Close()
	n, err := pjrt.Put(ctx, client.Device(), length)
	if err != nil {
		return err
	}
	defer n.Close()
	outs, err := exe.Execute(ctx, []*pjrt.Buffer{p, n}, pjrt.ExecuteOptions{})
	if err != nil {
		return err
	}
	defer outs[0].Close()
	tokens, err := pjrt.Get[int32](ctx, outs[0])
	if err != nil {
		return err
	}
	ran := time.Since(began)

	begin, err := decode(slots[:length[0]], vocabulary)
	if err != nil {
		return err
	}
	rest, err := decode(tokens, vocabulary)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "device %s, compile %.1f ms, %d characters in %.1f ms\n\n%s|%s\n", client.Platform(), ms(compiled), len(tokens), ms(ran), begin, rest)
	if prompt != "" {
		return nil
	}
	want, err := values[int32](tokensFile)
	if err != nil {
		return err
	}
	if !slices.Equal(tokens, want) {
		theirs, _ := decode(want, vocabulary)
		return fmt.Errorf("JAX writes something else: %s", theirs)
	}
	_, err = fmt.Fprintf(w, "\nall %d characters are JAX's\n", len(want))
	return err
}

// encode puts the numbers of the prompt's characters into slots and returns how many there are.
func encode(slots []int32, vocabulary []string, prompt string) (int32, error) {
	characters := []rune(prompt)
	if len(characters) > len(slots) {
		return 0, fmt.Errorf("prompt of %d characters: the model takes at most %d", len(characters), len(slots))
	}
	clear(slots)
	for i, c := range characters {
		n := slices.Index(vocabulary, string(c))
		if n < 0 {
			return 0, fmt.Errorf("the model does not know the character %q; it knows %q", c, strings.Join(vocabulary, ""))
		}
		slots[i] = int32(n)
	}
	return int32(len(characters)), nil
}

func decode(tokens []int32, vocabulary []string) (string, error) {
	var b strings.Builder
	for i, t := range tokens {
		if t < 0 || int(t) >= len(vocabulary) {
			return "", fmt.Errorf("character %d has the number %d, the vocabulary has %d", i, t, len(vocabulary))
		}
		b.WriteString(vocabulary[t])
	}
	return b.String(), nil
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
