package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

const (
	counters = 4
	longest  = 64
)

// words counts the words of files, as words.c does: files, channels and dictionaries are the runtime's, goroutines are the
// actors.
func words(ctx context.Context, out io.Writer, paths []string) error {
	return langrt.Do(func(s *langrt.Scope) error {
		texts, err := langrt.NewChannel(s, 0)
		if err != nil {
			return err
		}
		var (
			boxes  [counters]langrt.Channel
			states [counters]langrt.Dict
			work   sync.WaitGroup
		)
		ctx, cancel := context.WithCancelCause(ctx) // by the first that fails, so that nobody waits for it
		defer cancel(nil)
		stop := func(err error) {
			if err != nil {
				cancel(err)
			}
		}
		for i := range counters {
			if boxes[i], err = langrt.NewChannel(s, 0); err != nil {
				return err
			}
			if states[i], err = langrt.NewDict(s, 0); err != nil {
				return err
			}
			work.Go(func() { stop(count(ctx, boxes[i], states[i])) })
		}
		work.Go(func() { stop(split(ctx, texts, boxes[:])) })
		stop(read(ctx, texts, paths))
		texts.Close()
		work.Wait()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return tell(out, states[:])
	})
}

// read reads all files at once.
func read(ctx context.Context, texts langrt.Channel, paths []string) error {
	all := make([]error, len(paths))
	var reads sync.WaitGroup
	for i, path := range paths {
		reads.Go(func() {
			all[i] = langrt.Do(func(s *langrt.Scope) error {
				file, err := langrt.OpenFile(ctx, s, path, langrt.FileRead)
				if err != nil {
					return err
				}
				size, err := file.Size(ctx)
				if err != nil {
					return err
				}
				text, err := file.Read(ctx, s, 0, size)
				if err != nil {
					return err
				}
				return texts.Send(ctx, text.Value)
			})
		})
	}
	reads.Wait()
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func split(ctx context.Context, texts langrt.Channel, boxes []langrt.Channel) error {
	defer func() {
		for _, b := range boxes {
			b.Close()
		}
	}()
	for v := range texts.All(ctx) {
		text, err := langrt.As[string](v)
		if err != nil {
			return err
		}
		for _, run := range strings.FieldsFunc(text, func(r rune) bool { return r|32 < 'a' || r|32 > 'z' }) {
			for part := range slices.Chunk([]byte(strings.ToLower(run)), longest) {
				sum := 0
				for _, b := range part {
					sum += int(b)
				}
				err := langrt.Do(func(s *langrt.Scope) error {
					word, err := langrt.NewBytes(s, part)
					if err != nil {
						return err
					}
					return boxes[sum%counters].Send(ctx, word.Value)
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return ctx.Err()
}

func count(ctx context.Context, words langrt.Channel, state langrt.Dict) error {
	for word := range words.All(ctx) {
		n := int64(0)
		if v, err := state.Get(word); err == nil {
			n, err = langrt.As[int64](v)
			if err != nil {
				return err
			}
		} else if !errors.Is(err, isthmus.ErrNotFound) {
			return err
		}
		if err := state.Set(word, langrt.Int(n+1)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func tell(out io.Writer, states []langrt.Dict) error {
	type entry struct {
		word string
		n    int64
	}
	var found []entry
	total := int64(0)
	for _, state := range states {
		for k, v := range state.All() {
			word, err := langrt.As[string](k)
			if err != nil {
				return err
			}
			n, err := langrt.As[int64](v)
			if err != nil {
				return err
			}
			found, total = append(found, entry{word, n}), total+n
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.word, b.word)) })
	fmt.Fprintf(out, "%d words, %d different\n", total, len(found))
	for _, e := range found[:min(10, len(found))] {
		fmt.Fprintf(out, "%7d %s\n", e.n, e.word)
	}
	return nil
}
