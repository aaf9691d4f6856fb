package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus/npy"
)

// writeOutputs writes each result to a file of its own in a folder, or all into one archive. Either all of them appear
// or none: they are written beside their places first, and a folder that was made for them goes again.
func writeOutputs(ctx context.Context, to string, outs []npy.Array) (files []string, err error) {
	files = make([]string, len(outs))
	if strings.HasSuffix(to, ".npz") {
		entries := make([]npy.Entry, len(outs))
		for i, a := range outs {
			entries[i] = npy.Entry{Name: fmt.Sprintf("out%d", i), Array: a}
			files[i] = to + ":" + entries[i].Name
		}
		return files, npy.WriteArchiveFile(to, entries, false)
	}
	_, missing := os.Stat(to)
	if err := os.MkdirAll(to, 0o777); err != nil {
		return nil, err
	}
	part, err := os.MkdirTemp(to, ".isthmus-*.part")
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(part))
		if err != nil && missing != nil {
			os.Remove(to) // only if it is empty, so nothing of anybody else is lost
		}
	}()
	for i, a := range outs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := npy.WriteFile(filepath.Join(part, fmt.Sprintf("out%d.npy", i)), a); err != nil {
			return nil, err
		}
	}
	for i := range outs {
		name := fmt.Sprintf("out%d.npy", i)
		files[i] = filepath.Join(to, name)
		if err := os.Rename(filepath.Join(part, name), files[i]); err != nil {
			return nil, err
		}
	}
	return files, nil
}
