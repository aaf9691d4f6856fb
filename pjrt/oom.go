package pjrt

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Native memory is invisible to Go's garbage collector: a program that forgets buffers runs out of the device's memory
// long before Go sees a reason to collect. So when a plugin has no memory left, the collector runs, the forgotten
// buffers are reported and destroyed, and what failed is tried once more.

// collectFor bounds the wait for cleanups after a collection.
const collectFor = 2 * time.Second

// errRelieved marks an error after which all of this has been done: an operation may be made of others.
var errRelieved = errors.New("the garbage collector ran and found no forgotten buffers that help; close what is not needed")

// relieved calls f, and calls it again after a garbage collection when the plugin says that memory is exhausted. An
// error that stays says what the device's allocator knows.
func relieved(d *Device, f func() error) error { return relieve(d, f(), f) }

// relieve is relieved after the first call, which gave err.
func relieve(d *Device, err error, again func() error) error {
	stays := func() bool { return errors.Is(err, ResourceExhausted) && !errors.Is(err, errRelieved) }
	if !stays() {
		return err
	}
	collect()
	if err = again(); !stays() {
		return err
	}
	if stats := d.usage(); stats != "" {
		err = fmt.Errorf("%w; %s", err, stats)
	}
	return fmt.Errorf("%w; %w", err, errRelieved)
}

// collect runs the garbage collector and waits until the cleanups that it found have run.
func collect() {
	// The first collection empties the nurseries of young owners, the next finds what is forgotten, and each one after
	// that what only the one before kept alive.
	for range 4 {
		done := make(chan struct{})
		mark := new([16]byte)
		runtime.AddCleanup(mark, func(c chan struct{}) { close(c) }, done)
		mark = nil
		runtime.GC()
		select {
		case <-done:
		case <-time.After(collectFor):
			return
		}
	}
}

// usage is what the device's allocator tells, or nothing.
func (d *Device) usage() string {
	s, err := d.MemoryStats()
	if err != nil {
		return ""
	}
	parts := []string{fmt.Sprintf("%d bytes in use", s.InUse)}
	for _, v := range []struct {
		n    int64
		text string
	}{{s.Limit, "of %d"}, {s.PeakInUse, "%d at most so far"}, {s.LargestFree, "%d free in one piece"}, {s.Allocations, "%d allocations"}} {
		if v.n >= 0 {
			parts = append(parts, fmt.Sprintf(v.text, v.n))
		}
	}
	return fmt.Sprintf("the allocator of %s: %s", d, strings.Join(parts, ", "))
}
