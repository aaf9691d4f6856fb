package mpiwatch_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
)

// job is ranks in one process.
type job struct {
	t     *testing.T
	mu    sync.Mutex
	found []string
	state map[int]*mpiwatch.State
	fails map[int][]uint64
	ranks []*mpiwatch.Client
}

func start(t *testing.T, n int, s mpiwatch.Settings) *job {
	j := &job{t: t, state: map[int]*mpiwatch.State{}, fails: map[int][]uint64{}}
	t.Setenv("TMPDIR", t.TempDir())
	for i := range n {
		c, err := mpiwatch.Join(t.Context(), "job", mpiwatch.Config{
			Rank: i, Size: n, Settings: s,
			Report: func(f mpiwatch.Finding) {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.found = append(j.found, fmt.Sprintf("%d: %s: %s: %s; %s", i, f.ID, f.Call, f.Text, f.Site))
			},
			State: func() *mpiwatch.State {
				j.mu.Lock()
				defer j.mu.Unlock()
				s := j.state[i]
				if s != nil {
					c := mpiwatch.State{Posted: s.Posted, Busy: s.Busy}
					for _, w := range s.Waits {
						w.Beat = uint64(time.Now().UnixNano())
						c.Waits = append(c.Waits, w)
					}
					s = &c
				}
				return s
			},
			Fail: func(ids []uint64, _ mpiwatch.Finding) {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.fails[i] = append(j.fails[i], ids...)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []int
		for m := range n {
			all = append(all, m)
		}
		c.Comm(mpiwatch.Comm{ID: 1, Name: "world", Members: all})
		j.ranks = append(j.ranks, c)
	}
	return j
}

// end closes the job and gives what was found.
func (j *job) end() []string {
	var all sync.WaitGroup
	for _, c := range j.ranks {
		all.Go(func() { c.Leave(5 * time.Second) })
	}
	all.Wait()
	for _, c := range j.ranks {
		c.Close(5 * time.Second)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.found
}

// wait waits until something was found.
func (j *job) wait(n int) {
	for {
		j.mu.Lock()
		k := len(j.found)
		j.mu.Unlock()
		if k >= n {
			return
		}
		select {
		case <-j.t.Context().Done():
			j.t.Fatal("nothing was found")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func f64(op, site string, n int) mpiwatch.Sig {
	return mpiwatch.Sig{Op: op, Type: "float64", Runs: []mpiwatch.Run{{Kind: "float64", N: 1}}, Count: n, Got: n, Site: site}
}

func i64(op, site string, n int) mpiwatch.Sig {
	return mpiwatch.Sig{Op: op, Type: "int64", Runs: []mpiwatch.Run{{Kind: "int64", N: 1}}, Count: n, Got: n, Site: site}
}

func vec(op, site string, n int) mpiwatch.Sig {
	return mpiwatch.Sig{Op: op, Type: "vec", Runs: []mpiwatch.Run{{Kind: "float64", N: 3}}, Count: n, Got: n, Site: site}
}

func TestMessagesArePaired(t *testing.T) {
	for _, c := range []struct {
		name       string
		send, recv []mpiwatch.Sig
		exact      bool
		want       []string
	}{
		{"equal", []mpiwatch.Sig{f64("send", "a:1", 3), f64("send", "a:1", 3)}, []mpiwatch.Sig{f64("receive", "b:1", 3), f64("receive", "b:1", 3)}, false, nil},
		{"shorter", []mpiwatch.Sig{f64("send", "a:1", 2)}, []mpiwatch.Sig{f64("receive", "b:1", 3)}, false, nil},
		{"shorter, exact", []mpiwatch.Sig{f64("send", "a:1", 2)}, []mpiwatch.Sig{f64("receive", "b:1", 3)}, true, []string{mpiwatch.ShortMessage, "2 float64", "3 float64", "a:1", "b:1"}},
		{"longer", []mpiwatch.Sig{f64("send", "a:1", 4)}, []mpiwatch.Sig{f64("receive", "b:1", 3)}, false, []string{mpiwatch.Truncated, "4 float64", "3 float64", "a:1", "b:1"}},
		{"type", []mpiwatch.Sig{f64("send", "a:1", 3)}, []mpiwatch.Sig{i64("receive", "b:1", 3)}, false, []string{mpiwatch.TypeMismatch, "3 float64", "3 int64", "a:1", "b:1"}},
		{"structure", []mpiwatch.Sig{f64("send", "a:1", 6)}, []mpiwatch.Sig{vec("receive", "b:1", 2)}, false, nil},
		{"the second", []mpiwatch.Sig{f64("send", "a:1", 3), f64("send", "a:2", 5)}, []mpiwatch.Sig{f64("receive", "b:1", 3), f64("receive", "b:2", 4)}, false, []string{mpiwatch.Truncated, "a:2", "b:2"}},
		{"not received", []mpiwatch.Sig{f64("send", "a:1", 3)}, nil, false, []string{mpiwatch.Unreceived, "a:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := start(t, 2, mpiwatch.Settings{Exact: c.exact})
			out := j.ranks[0].Stream(mpiwatch.Key{Dir: mpiwatch.Sends, Comm: 1, Peer: 1, Tag: 7})
			for _, s := range c.send {
				out.Add(j.ranks[0].Sig(s), s.Count, s.Got)
			}
			in := j.ranks[1].Stream(mpiwatch.Key{Dir: mpiwatch.Receives, Comm: 1, Peer: 0, Tag: 7})
			for _, s := range c.recv {
				in.Add(j.ranks[1].Sig(s), s.Count, s.Got)
			}
			check(t, j.end(), c.want)
		})
	}
}

// check compares what was found with one finding that has all the words, or none.
func check(t *testing.T, found, want []string) {
	t.Helper()
	if len(want) == 0 {
		if len(found) > 0 {
			t.Errorf("found %q", found)
		}
		return
	}
	if len(found) != 1 {
		t.Fatalf("found %d: %q", len(found), found)
	}
	for _, w := range want {
		if !strings.Contains(found[0], w) {
			t.Errorf("%q lacks %q", found[0], w)
		}
	}
}

func coll(op, root, site string, n int) mpiwatch.Sig {
	s := f64(op, site, n)
	s.Root = root
	return s
}

func TestCollectivesAreInOneOrder(t *testing.T) {
	a, b := coll("broadcast", "0", "x:1", 4), coll("allreduce", "", "x:2", 4)
	for _, c := range []struct {
		name string
		a, b []mpiwatch.Sig
		want []string
	}{
		{"same", []mpiwatch.Sig{a, b, b, b, a}, []mpiwatch.Sig{a, b, b, b, a}, nil},
		{"one is behind", []mpiwatch.Sig{a, b, b, b, a}, []mpiwatch.Sig{a, b, b}, nil},
		{"order", []mpiwatch.Sig{a, b, b, a}, []mpiwatch.Sig{a, b, a, b}, []string{mpiwatch.CollectiveOrder, "rank 0: allreduce", "ranks 1-2: broadcast root 0", "x:1", "x:2", "place 2"}},
		{"root", []mpiwatch.Sig{a}, []mpiwatch.Sig{coll("broadcast", "1", "y:1", 4)}, []string{mpiwatch.CollectiveArgs, "different roots", "x:1", "y:1"}},
		{"count", []mpiwatch.Sig{a, b}, []mpiwatch.Sig{a, coll("allreduce", "", "y:1", 5)}, []string{mpiwatch.CollectiveArgs, "different counts", "5 float64", "y:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := start(t, 3, mpiwatch.Settings{})
			for i, calls := range [][]mpiwatch.Sig{c.a, c.b, c.b} {
				s := j.ranks[i].Stream(mpiwatch.Key{Dir: mpiwatch.Collectives, Comm: 1})
				for _, sig := range calls {
					s.Add(j.ranks[i].Sig(sig), sig.Count, sig.Got)
				}
			}
			check(t, j.end(), c.want)
		})
	}
}

// receives is a rank that waits for a message.
func receives(id uint64, from int, for_ time.Duration) *mpiwatch.State {
	return &mpiwatch.State{Waits: []mpiwatch.Wait{{ID: id, For: for_, Call: "receive", Site: "z:1", Needs: []mpiwatch.Need{{Dir: mpiwatch.Receives, Comm: 1, Peer: from, Tag: 3, Call: "receive"}}}}}
}

func TestDeadlock(t *testing.T) {
	const long = time.Minute
	t.Run("circle", func(t *testing.T) {
		j := start(t, 3, mpiwatch.Settings{Stuck: 30 * time.Second, Fail: true})
		j.mu.Lock()
		j.state[0], j.state[1], j.state[2] = receives(1, 1, long), receives(2, 2, 0), receives(3, 0, 0)
		j.mu.Unlock()
		j.wait(1)
		check(t, j.end(), []string{"0: mpi/deadlock", "rank 0 waits in receive for rank 1, rank 1 waits in receive for rank 2, rank 2 waits in receive for rank 0", "tag 3", "z:1"})
		if fmt.Sprint(j.fails) != "map[0:[1] 1:[2] 2:[3]]" {
			t.Error(j.fails)
		}
	})
	t.Run("a message is on its way", func(t *testing.T) {
		j := start(t, 2, mpiwatch.Settings{Stuck: 30 * time.Second})
		j.ranks[1].Stream(mpiwatch.Key{Dir: mpiwatch.Sends, Comm: 1, Peer: 0, Tag: 3}).Add(j.ranks[1].Sig(f64("send", "a:1", 1)), 1, 1)
		j.mu.Lock()
		j.state[0], j.state[1] = receives(1, 1, long), receives(2, 0, long)
		j.mu.Unlock()
		j.wait(1)
		j.ranks[0].Stream(mpiwatch.Key{Dir: mpiwatch.Receives, Comm: 1, Peer: 1, Tag: 3}).Add(j.ranks[0].Sig(f64("receive", "a:1", 1)), 1, 1)
		check(t, j.end(), []string{"mpi/long-wait", "rank 0 has waited for 1m0s"})
	})
	t.Run("the other computes", func(t *testing.T) {
		j := start(t, 2, mpiwatch.Settings{Stuck: 30 * time.Second})
		j.mu.Lock()
		j.state[0], j.state[1] = receives(1, 1, long), &mpiwatch.State{}
		j.mu.Unlock()
		j.wait(1)
		check(t, j.end(), []string{"mpi/long-wait", "rank 1: does not wait in MPI"})
	})
	t.Run("the other has closed", func(t *testing.T) {
		j := start(t, 2, mpiwatch.Settings{Stuck: 30 * time.Second})
		j.ranks[1].Leave(time.Minute)
		j.mu.Lock()
		j.state[0] = receives(1, 1, long)
		j.mu.Unlock()
		j.wait(1)
		check(t, j.end(), []string{"mpi/deadlock", "rank 1, which has closed MPI"})
	})
}
