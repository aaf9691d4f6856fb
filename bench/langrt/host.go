//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// side is one that has a row.
type side struct{ row, name string }

// host is the process of testdata/host: a line asks for a figure, a line is the answer.
type host struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// start starts a host, and returns the sides that it has.
func start(ctx context.Context, program string) (*host, []side, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	h := &host{cmd, in, bufio.NewScanner(out)}
	var sides []side
	for h.out.Scan() {
		row, name, ok := strings.Cut(h.out.Text(), " ")
		if !ok {
			return h, sides, nil
		}
		sides = append(sides, side{row, name})
	}
	h.stop()
	return nil, nil, fmt.Errorf("the host does not start: %w", h.out.Err())
}

// ask has the host measure a side of a row, with one in so many of its operations.
func (h *host) ask(row, name string, less int) (float64, error) {
	if _, err := fmt.Fprintln(h.in, row, name, less); err != nil {
		return 0, err
	}
	if !h.out.Scan() {
		return 0, fmt.Errorf("the host is gone: %w", h.cmd.Wait())
	}
	v, err := strconv.ParseFloat(h.out.Text(), 64)
	if err == nil && v < 0 {
		err = fmt.Errorf("it could not be measured")
	}
	return v, err
}

func (h *host) stop() {
	h.in.Close()
	_ = h.cmd.Wait()
}
