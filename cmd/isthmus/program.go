package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// maxProgram bounds a program: its constants are in it.
const maxProgram = 8 << 30

// readProgram reads a file, or standard input for "-". A pipe may be silent for ever, so ctx ends the wait for it.
func readProgram(ctx context.Context, path string) ([]byte, error) {
	var r io.Reader = os.Stdin
	if path != "-" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		switch {
		case info.IsDir():
			return nil, fmt.Errorf("%s is a folder; name a StableHLO program", path)
		case info.Size() > maxProgram:
			return nil, fmt.Errorf("%s has %d bytes, more than the %d that a program may have", path, info.Size(), int64(maxProgram))
		case info.Mode().IsRegular():
			return os.ReadFile(path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() // also ends a read that nobody waits for any more
		r = f
	}
	type result struct {
		code []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		code, err := io.ReadAll(io.LimitReader(r, maxProgram+1))
		read <- result{code, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-read:
		if got.err == nil && len(got.code) > maxProgram {
			got.err = fmt.Errorf("%s has more than %d bytes", called(path), int64(maxProgram))
		}
		return got.code, got.err
	}
}

// called is what errors call a program.
func called(path string) string {
	if path == "-" {
		return "<stdin>"
	}
	return path
}

// signature reads the types of the program's arguments, and which of them it may use up.
func signature(code []byte, file string) (params []pjrt.Type, donated []bool, name string, err error) {
	if len(code) == 0 {
		return nil, nil, "", fmt.Errorf("%s is empty", file)
	}
	m, err := stablehlo.Parse(code, stablehlo.Options{File: file})
	if err != nil {
		return nil, nil, "", mistaken(err, code)
	}
	fn := m.Main()
	if fn == nil {
		return nil, nil, "", fmt.Errorf("%s: no function to run: it has neither @main nor a single public function", file)
	}
	params, donated = []pjrt.Type{}, []bool{}
	for i, a := range fn.Args() {
		if a.Type.Kind != stablehlo.Tensor || !a.Type.Static() || a.Type.Quant != nil {
			return nil, nil, fn.Name, fmt.Errorf("%s: argument %d of @%s is %v; only tensors of static shape can be given", at(fn.Pos, file), i, fn.Name, a.Type)
		}
		t := pjrt.Type{DType: a.Type.Elem}
		for _, d := range a.Type.Dims {
			t.Dims = append(t.Dims, int(d))
		}
		params = append(params, t)
		donated = append(donated, fn.Donated(i))
	}
	return params, donated, fn.Name, nil
}

// mistaken adds to the reader's error what the file seems to be instead.
func mistaken(err error, code []byte) error {
	const export = "from JAX, jax.jit(f).lower(*args).as_text() is a program"
	for begin, is := range map[string]string{
		"\x93NUMPY":  "it is an array; give that with --input",
		"PK\x03\x04": "it is a zip archive, as .npz is; give arrays with --input",
		"HloModule":  "it is HLO, and StableHLO is wanted; " + export,
		"{ lambda":   "it is a jaxpr, and StableHLO is wanted; " + export,
	} {
		if bytes.HasPrefix(code, []byte(begin)) {
			return fmt.Errorf("%w; %s", err, is)
		}
	}
	return err
}

// at is a position with the name of its file.
func at(pos stablehlo.Pos, file string) string {
	if pos.File == "" {
		pos.File = file
	}
	return pos.String()
}
