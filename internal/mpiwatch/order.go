package mpiwatch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// order is the sequence of the collective operations of a communicator. The first rank at a place says what stands there.
type order struct {
	id    uint64
	base  int   // the place of the first run
	runs  []ref // from base on
	at    map[int]int
	calls map[int]Event // what each rank has called last
	bad   *dispute
	over  bool // it was reported, or cannot be watched
}

// ref is n calls of one kind, as a rank has made them.
type ref struct {
	rank *rank
	call Event
	n    int
}

// dispute is a place where two ranks do different things.
type dispute struct {
	place    int
	id, what string
	calls    map[int]*Sig // by rank
	since    time.Time
	first    *rank // that differed
	sig      int
}

// joinGrace is how long a rank that has not said anything may still come.
const joinGrace = 20 * time.Second

// disputeGrace is how long the others are waited for, to say where they are.
const disputeGrace = 500 * time.Millisecond

func (h *Hub) order(comm uint64) *order {
	o := h.orders[comm]
	if o == nil {
		o = &order{id: comm, at: map[int]int{}, calls: map[int]Event{}}
		h.orders[comm] = o
	}
	return o
}

// add enters N calls of a rank.
func (o *order) add(h *Hub, r *rank, e Event) {
	at := o.at[r.n]
	o.at[r.n] = at + e.N
	o.calls[r.n] = e
	if o.over {
		return
	}
	if o.bad != nil {
		o.bad.enter(r, e, at)
		return
	}
	if at < o.base {
		return // it came too late to be compared
	}
	end := at + e.N
	place := o.base
	for i := range o.runs {
		run := &o.runs[i]
		if at < end && at < place+run.n {
			if id, what := compareCollective(run.rank.call(run.call), r.call(e)); id != "" {
				o.bad = &dispute{place: at, id: id, what: what, calls: map[int]*Sig{}, since: time.Now(), first: r, sig: e.Sig}
				o.agreed(at, r)
				o.bad.enter(r, e, at)
				return
			}
			at = min(end, place+run.n)
		}
		place += run.n
	}
	if at < end {
		o.runs = append(o.runs, ref{r, e, end - at})
	}
	o.trim(h)
}

// agreed enters the ranks that have come to the place before. They have agreed with what stands there.
func (o *order) agreed(at int, but *rank) {
	place := o.base
	for _, run := range o.runs {
		if at < place+run.n {
			for n, p := range o.at {
				if p > at && n != but.n {
					o.bad.calls[n] = run.rank.call(run.call)
				}
			}
			return
		}
		place += run.n
	}
}

// enter says what a rank does at the place.
func (d *dispute) enter(r *rank, e Event, at int) {
	if at <= d.place && d.place < at+e.N {
		d.calls[r.n] = r.call(e)
	}
}

// members are the ranks of a communicator, all of the world where nobody has said.
func (h *Hub) members(id uint64) []int {
	if c := h.comms[id]; c != nil {
		return c.Members
	}
	return nil
}

// trim forgets what all members have come past. Ranks that have not joined are waited for, for a while.
func (o *order) trim(h *Hub) {
	members := h.members(o.id)
	least := math.MaxInt
	for _, n := range members {
		p, ok := o.at[n]
		switch {
		case ok:
			least = min(least, p)
		case h.ranks[n] != nil || time.Since(h.began) < joinGrace:
			least = o.base
		}
	}
	for len(members) > 0 && len(o.runs) > 0 && o.base+o.runs[0].n <= least {
		o.base += o.runs[0].n
		o.runs = o.runs[1:]
	}
	if len(o.runs) > maxQueue {
		o.over, o.runs = true, nil
	}
}

// settle reports the disputes whose other ranks have come, or have had their time.
func (h *Hub) settle(now time.Time) {
	for _, o := range h.orders {
		d := o.bad
		if d == nil || o.over {
			continue
		}
		all := true
		for _, n := range h.members(o.id) {
			all = all && (d.calls[n] != nil || h.ranks[n] == nil)
		}
		if !all && now.Sub(d.since) < disputeGrace {
			continue
		}
		o.over, o.runs = true, nil
		h.tell(d.first, Finding{ID: d.id, Call: d.first.sigs[d.sig-1].Op, Sig: d.sig, Text: fmt.Sprintf("%s at place %d of the collective operations of %s: %s",
			d.what, d.place, h.name(o.id), h.where(o, d))})
	}
}

// where lists who does what.
func (h *Hub) where(o *order, d *dispute) string {
	groups := map[string][]int{}
	for i, n := range h.members(o.id) {
		text := ""
		switch r := h.ranks[n]; {
		case d.calls[n] != nil:
			text = d.calls[n].collective()
		case r == nil:
			continue
		case o.calls[n].Sig == 0:
			text = "has called none"
		default:
			text = "is not there yet, and has called last " + r.call(o.calls[n]).collective()
		}
		groups[text] = append(groups[text], i)
	}
	return listGroups(groups)
}

// listGroups names ranks with what they do, in the order of ranks.
func listGroups(groups map[string][]int) string {
	type group struct {
		ranks []int
		text  string
	}
	var all []group
	for text, ranks := range groups {
		slices.Sort(ranks)
		all = append(all, group{ranks, text})
	}
	slices.SortFunc(all, func(a, b group) int { return a.ranks[0] - b.ranks[0] })
	var out []string
	for _, g := range all {
		out = append(out, rankList(g.ranks)+": "+g.text)
	}
	return strings.Join(out, "; ")
}

// rankList names ranks, such as "ranks 0-3, 7".
func rankList(ranks []int) string {
	var parts []string
	for i := 0; i < len(ranks); {
		j := i
		for j+1 < len(ranks) && ranks[j+1] == ranks[j]+1 {
			j++
		}
		text := strconv.Itoa(ranks[i])
		if j > i {
			text += "-" + strconv.Itoa(ranks[j])
		}
		parts = append(parts, text)
		i = j + 1
	}
	if len(ranks) == 1 {
		return "rank " + parts[0]
	}
	return "ranks " + strings.Join(parts, ", ")
}
