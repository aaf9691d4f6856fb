package mpilaunch

import (
	"bytes"
	"crypto/rand"
	"io"
	"regexp"
)

// Tagging is how a launcher is asked to say which rank has written what.
type Tagging struct {
	Args  []string // of the launcher's own
	mark  *regexp.Regexp
	begun *regexp.Regexp // a mark whose end has not come yet
}

// Tag is the launcher's way. Each family marks what it has read of a rank at a time, which may begin and end within a line.
func (l Launcher) Tag() Tagging {
	switch {
	case l.Family == MPICH: // whose mark may be anything: what no program writes
		id := rand.Text()[:8]
		return Tagging{
			Args:  []string{"-prepend-pattern", "\x01" + id + "%r\x02"},
			mark:  regexp.MustCompile("\x01" + id + "([0-9]+)\x02"),
			begun: regexp.MustCompile("\x01[A-Z0-9]*$"),
		}
	case l.Major >= 5:
		return Tagging{
			Args:  []string{"--output", "rank"},
			mark:  regexp.MustCompile(`\[([0-9]+)\]<std(?:out|err|diag)>: `),
			begun: regexp.MustCompile(`\[[0-9]*(?:\](?:<[a-z]*(?:>:?)?)?)?$`),
		}
	}
	return Tagging{
		Args:  []string{"--tag-output"},
		mark:  regexp.MustCompile(`\[[0-9]+,([0-9]+)\]<std(?:out|err|diag)>:`),
		begun: regexp.MustCompile(`\[[0-9]*(?:,[0-9]*(?:\](?:<[a-z]*>?)?)?)?$`),
	}
}

// Prefixer writes whole lines, each with the rank that has written it: "[1] line".
type Prefixer struct {
	w     io.Writer
	tags  Tagging
	rest  []byte            // that may be the beginning of a mark
	rank  string            // who writes; "" is the launcher
	lines map[string][]byte // that are not at their end yet
	order []string          // of ranks that have begun a line
}

// Prefixer makes lines of a stream of the launcher's for w. The caller closes it at the end of the stream.
func (t Tagging) Prefixer(w io.Writer) *Prefixer {
	return &Prefixer{w: w, tags: t, lines: map[string][]byte{}}
}

// Write takes more of the stream.
func (p *Prefixer) Write(b []byte) (int, error) {
	text := append(p.rest, b...)
	var out []byte
	for {
		at := p.tags.mark.FindSubmatchIndex(text)
		if at == nil {
			break
		}
		out = p.take(out, text[:at[0]])
		p.rank = string(text[at[2]:at[3]])
		text = text[at[1]:]
	}
	end := len(text)
	if at := p.tags.begun.FindIndex(text); at != nil {
		end = at[0]
	}
	out = p.take(out, text[:end])
	p.rest = bytes.Clone(text[end:])
	if len(out) > 0 {
		if _, err := p.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// take adds what the rank has written, and its lines that are whole to out.
func (p *Prefixer) take(out, text []byte) []byte {
	for len(text) > 0 {
		line, more, whole := bytes.Cut(text, []byte("\n"))
		if _, begun := p.lines[p.rank]; !begun {
			p.order = append(p.order, p.rank)
		}
		p.lines[p.rank] = append(p.lines[p.rank], line...)
		if !whole {
			return out
		}
		out = p.line(out, p.rank)
		text = more
	}
	return out
}

// line adds the line that a rank has begun to out.
func (p *Prefixer) line(out []byte, rank string) []byte {
	if rank != "" {
		out = append(append(append(out, '['), rank...), "] "...)
	}
	out = append(append(out, p.lines[rank]...), '\n')
	delete(p.lines, rank)
	for i, r := range p.order {
		if r == rank {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	return out
}

// Close writes the lines that have no end.
func (p *Prefixer) Close() error {
	out := p.take(nil, p.rest)
	p.rest = nil
	for len(p.order) > 0 {
		out = p.line(out, p.order[0])
	}
	_, err := p.w.Write(out)
	return err
}
