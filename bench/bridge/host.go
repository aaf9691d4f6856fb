//go:build linux && cgo && (amd64 || arm64)

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

// host is a process that measures what it is asked for.
type host struct {
	program
	sides map[string][]string // of each row
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
}

// start runs a host, which says what it can do.
func start(ctx context.Context, p program) (*host, error) {
	h := &host{program: p, sides: map[string][]string{}, cmd: exec.CommandContext(ctx, p.args[0], p.args[1:]...)}
	h.cmd.Stderr = os.Stderr
	var err error
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out = bufio.NewScanner(out)
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		line, err := h.line()
		if err != nil {
			h.stop()
			return nil, err
		}
		if line == "ready" {
			return h, nil
		}
		side, row, _ := strings.Cut(line, " ")
		h.sides[row] = append(h.sides[row], side)
	}
}

func (h *host) line() (string, error) {
	if h.out.Scan() {
		return h.out.Text(), nil
	}
	if err := h.out.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("the host in %s has ended", h.name)
}

func (h *host) ask(side, row string, n int) (float64, error) {
	if _, err := fmt.Fprintln(h.in, side, row, n); err != nil {
		return 0, err
	}
	line, err := h.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}

func (h *host) stop() {
	_ = h.in.Close()
	_ = h.cmd.Wait()
}
