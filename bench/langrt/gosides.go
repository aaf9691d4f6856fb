//go:build linux

package main

import (
	"iter"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"golang.org/x/sys/unix"
)

// goSide is a side that this process measures itself.
type goSide struct {
	row, name string
	n         int
	measure   func(n int) float64 // nanoseconds, or bytes, for each of n operations
}

var goSides = []goSide{
	{"channel-send-recv", "go", 300000, chanAlone},
	{"channel-stream", "go", 200000, chanStream},
	{"generator-next", "iter.Pull", 200000, pull},
	{"coroutine-next", "iter.Pull", 200000, pull},
	{"actor-message", "protoactor-go", 100000, protoMessage},
	{"actor-spawn", "protoactor-go", 10000, protoSpawn},
	{"bytes-actor", "protoactor-go", 10000, protoBytes},
}

// cpu is how long f runs on its thread, per operation.
func cpu(n int, f func()) float64 { return clock(unix.CLOCK_THREAD_CPUTIME_ID, n, f) }

// whole is how long the process runs on all its threads, per operation.
func whole(n int, f func()) float64 { return clock(unix.CLOCK_PROCESS_CPUTIME_ID, n, f) }

func clock(which int32, n int, f func()) float64 {
	var from, to unix.Timespec
	if err := unix.ClockGettime(which, &from); err != nil {
		return -1
	}
	f()
	if err := unix.ClockGettime(which, &to); err != nil {
		return -1
	}
	return float64(to.Nano()-from.Nano()) / float64(n)
}

func wall(n int, f func()) float64 {
	t := time.Now()
	f()
	return float64(time.Since(t).Nanoseconds()) / float64(n)
}

const room = 256

func chanAlone(n int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := make(chan uint64, room)
	return cpu(n, func() {
		for i := range n {
			c <- uint64(i)
			<-c
		}
	})
}

func chanStream(n int) float64 {
	return wall(n, func() {
		c := make(chan uint64, room)
		var reader sync.WaitGroup
		reader.Go(func() {
			for range c { //nolint:revive // it only takes them
			}
		})
		for i := range n {
			c <- uint64(i)
		}
		close(c)
		reader.Wait()
	})
}

func pull(n int) float64 {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := 0; yield(i); i++ { //nolint:revive // it only counts
		}
	})
	defer stop()
	return whole(n, func() {
		for range n {
			next()
		}
	})
}

// counter is an actor that says when it has had all its messages.
type counter struct {
	n, want int
	done    chan struct{}
}

func (c *counter) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(int); ok {
		if c.n++; c.n == c.want {
			close(c.done)
		}
	}
}

var system = sync.OnceValue(func() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
})

func protoMessage(n int) float64 {
	root, done := system().Root, make(chan struct{})
	pid := root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &counter{want: n, done: done} }))
	defer root.Stop(pid)
	return wall(n, func() {
		for i := range n {
			root.Send(pid, i)
		}
		<-done
	})
}

// spawn spawns n actors, each of which has handled a message afterwards.
func spawn(n int) []*actor.PID {
	all := make([]*actor.PID, n)
	handled := make(chan struct{}, n)
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(int); ok {
			handled <- struct{}{}
		}
	})
	for i := range all {
		all[i] = system().Root.Spawn(props)
		system().Root.Send(all[i], i)
	}
	for range all {
		<-handled
	}
	return all
}

func stop(all []*actor.PID) {
	for _, pid := range all {
		_ = system().Root.StopFuture(pid).Wait()
	}
}

func protoSpawn(n int) float64 {
	var all []*actor.PID
	ns := wall(n, func() { all = spawn(n) })
	stop(all)
	return ns
}

func protoBytes(n int) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := spawn(n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	stop(all)
	return float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / float64(n)
}
