package main

import (
	"fmt"
	"sync"
	"time"
)

// progress says on a terminal what takes long. It draws nothing in the first half second of a phase, nothing at all
// where the output is no terminal, and leaves no line behind.
type progress struct {
	s       *streams
	verbose bool // print each phase as a line instead of drawing it

	mu     sync.Mutex
	what   string
	began  time.Time
	drawn  bool
	done   chan struct{}
	once   sync.Once
	exited sync.WaitGroup
}

func newProgress(s *streams) *progress {
	p := &progress{s: s, began: time.Now(), done: make(chan struct{})}
	if s.terminal {
		p.exited.Go(p.draw)
	}
	return p
}

// phase names what happens from now on.
func (p *progress) phase(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what = what
	if p.verbose {
		fmt.Fprintf(p.s.err, "isthmus: %s\n", printable(what))
	}
	if !p.drawn {
		p.began = time.Now()
	}
}

// now is the phase that runs.
func (p *progress) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.what
}

func (p *progress) draw() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			if p.drawn {
				fmt.Fprint(p.s.err, "\r\x1b[K")
			}
			return
		case <-tick.C:
		}
		p.mu.Lock()
		if t := time.Since(p.began); t > 500*time.Millisecond && !p.verbose {
			fmt.Fprintf(p.s.err, "\r\x1b[K%s … %.1f s", printable(p.what), t.Seconds())
			p.drawn = true
		}
		p.mu.Unlock()
	}
}

// stop ends the drawing; it may be called again.
func (p *progress) stop() {
	p.once.Do(func() { close(p.done) })
	p.exited.Wait()
}
