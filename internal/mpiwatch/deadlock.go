package mpiwatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fresh is how old the state of a rank that waits may be.
const fresh = 4 * tick

// confirm is how long a deadlock has to stand, unchanged, before it is one.
const confirm = time.Second

// suspicion is a deadlock that was seen once.
type suspicion struct {
	beats map[waitKey]uint64
	since time.Time
}

// blocked is what a rank waits for, nil when it does not, or when nobody knows.
func (h *Hub) blocked(r *rank, now time.Time) []Wait {
	if r == nil || r.gone || r.state.Busy || now.Sub(r.at) > fresh {
		return nil
	}
	return r.state.Waits
}

// knot is the ranks that wait for one another, or for what has ended: nothing that goes on can let one of them go on.
func (h *Hub) knot(now time.Time) map[int][]Wait {
	stuck := map[int][]Wait{}
	for n, r := range h.ranks {
		if w := h.blocked(r, now); len(w) > 0 {
			stuck[n] = w
		}
	}
	for again := true; again; {
		again = false
		for n, waits := range stuck {
			if slices.ContainsFunc(waits, func(w Wait) bool { return h.possible(n, &w, stuck) }) {
				delete(stuck, n)
				again = true
			}
		}
	}
	return stuck
}

// possible reports whether a wait of rank n may end while those that are stuck do nothing.
func (h *Hub) possible(n int, w *Wait, stuck map[int][]Wait) bool {
	if w.Other || len(w.Needs) == 0 {
		return true
	}
	for i := range w.Needs {
		if ok := h.comes(n, &w.Needs[i], stuck); ok == w.Any {
			return ok
		}
	}
	return !w.Any
}

// acts reports whether a rank may still do something.
func (h *Hub) acts(n int, stuck map[int][]Wait) bool {
	r := h.ranks[n]
	return r == nil || !r.gone && stuck[n] == nil
}

// comes reports whether what rank n needs may come.
func (h *Hub) comes(n int, d *Need, stuck map[int][]Wait) bool {
	members := h.members(d.Comm)
	if members == nil {
		return true
	}
	switch d.Dir {
	case Receives:
		for k, p := range h.pairs {
			if k.comm == d.Comm && k.to == n && (d.Peer == Any || d.Peer == k.from) && (d.Tag == Any || d.Tag == k.tag) && (len(p.sent.runs) > 0 || p.lost) {
				return true // it is on its way
			}
		}
		if d.Peer != Any {
			return h.acts(d.Peer, stuck)
		}
		return slices.ContainsFunc(members, func(m int) bool { return m != n && h.acts(m, stuck) })
	case Sends:
		if r := h.ranks[d.Peer]; r != nil && !r.gone && slices.ContainsFunc(r.state.Posted, func(p Posted) bool {
			return p.Comm == d.Comm && (p.Peer == n || p.Peer == Any) && (p.Tag == d.Tag || p.Tag == Any)
		}) {
			return true
		}
		return h.acts(d.Peer, stuck)
	case Collectives:
		o := h.order(d.Comm)
		for _, m := range members {
			if m != n && o.at[m] <= d.At && !h.acts(m, stuck) {
				return false
			}
		}
	}
	return true
}

// deadlocks looks for ranks that wait too long. The hub is locked.
func (h *Hub) deadlocks(now time.Time) {
	limit := h.settings.Stuck
	if limit <= 0 {
		return
	}
	late := false
	for n, r := range h.ranks {
		for _, w := range h.blocked(r, now) {
			late = late || w.For >= limit && !h.long[waitKey{n, w.ID}]
		}
	}
	if !late {
		h.suspect = nil
		return
	}
	stuck := h.knot(now)
	if len(stuck) > 0 && !h.stands(stuck, now) {
		return // it is looked at again
	}
	if len(stuck) > 0 {
		h.tellDeadlock(stuck)
	} else {
		h.tellLong(now, limit)
	}
}

// stands reports whether the same waits were seen some time ago and have gone on since.
func (h *Hub) stands(stuck map[int][]Wait, now time.Time) bool {
	beats := map[waitKey]uint64{}
	for n, waits := range stuck {
		for _, w := range waits {
			beats[waitKey{n, w.ID}] = w.Beat
		}
	}
	same := h.suspect != nil && len(h.suspect.beats) == len(beats)
	gone := same
	if same {
		for k, b := range beats {
			old, ok := h.suspect.beats[k]
			same = same && ok
			gone = gone && ok && b > old
		}
	}
	if !same {
		h.suspect = &suspicion{beats, now}
		return false
	}
	return gone && now.Sub(h.suspect.since) >= confirm
}

// tellDeadlock reports a knot, to its lowest rank, and ends its waits if that is asked for.
func (h *Hub) tellDeadlock(stuck map[int][]Wait) {
	ranks := slices.Sorted(maps.Keys(stuck))
	text := h.circle(stuck, ranks[0]) + ". " + h.all()
	lead := h.ranks[ranks[0]]
	first := stuck[ranks[0]][0]
	f := Finding{ID: Deadlock, Call: first.Call, Site: first.Site, Text: text}
	h.tell(lead, f)
	for _, n := range ranks {
		var ids []uint64
		for _, w := range stuck[n] {
			h.long[waitKey{n, w.ID}] = true
			ids = append(ids, w.ID)
		}
		if h.settings.Fail {
			r := h.ranks[n]
			mine := f
			mine.Call, mine.Site = stuck[n][0].Call, stuck[n][0].Site
			h.send(r, Reply{Findings: []Finding{mine}, Fail: ids})
		}
	}
}

// circle follows what a rank waits for until it comes back.
func (h *Hub) circle(stuck map[int][]Wait, from int) string {
	var path []int
	var links []string
	for n := from; ; {
		if i := slices.Index(path, n); i >= 0 {
			return "ranks wait in a circle: " + strings.Join(links[i:], ", ")
		}
		if stuck[n] == nil {
			return "ranks wait for what will not come: " + strings.Join(links, ", ") + ", which has closed MPI"
		}
		path = append(path, n)
		next, need := h.next(n, stuck)
		if need == nil {
			return "ranks wait for one another"
		}
		links = append(links, fmt.Sprintf("rank %d waits in %s for rank %d", n, need.Call, next))
		n = next
	}
}

// next is a rank that rank n waits for, and why.
func (h *Hub) next(n int, stuck map[int][]Wait) (int, *Need) {
	for i := range stuck[n] {
		for j := range stuck[n][i].Needs {
			d := &stuck[n][i].Needs[j]
			if h.comes(n, d, stuck) {
				continue
			}
			if d.Peer != Any && d.Dir != Collectives {
				return d.Peer, d
			}
			o := h.order(d.Comm)
			for _, m := range h.members(d.Comm) {
				if m != n && (d.Dir != Collectives || o.at[m] <= d.At) && !h.acts(m, stuck) {
					return m, d
				}
			}
		}
	}
	return 0, nil
}

// all lists what each rank does.
func (h *Hub) all() string {
	groups := map[string][]int{}
	for n := range h.size {
		r, text := h.ranks[n], ""
		switch {
		case r == nil:
			text = "is not watched"
		case r.gone && r.clean:
			text = "has closed MPI"
		case r.gone:
			text = "has ended"
		case len(r.state.Waits) == 0:
			text = "does not wait in MPI"
		default:
			var parts []string
			for _, w := range r.state.Waits {
				parts = append(parts, h.pending(&w))
			}
			text = strings.Join(parts, " and ")
		}
		groups[text] = append(groups[text], n)
	}
	return listGroups(groups)
}

// pending describes a wait.
func (h *Hub) pending(w *Wait) string {
	var parts []string
	for _, d := range w.Needs {
		s := d.Call
		switch {
		case d.Dir == Collectives:
			s += fmt.Sprintf(", collective operation %d", d.At)
		case d.Dir == Sends:
			s += " to rank " + anyText(h.localOf(d.Comm, d.Peer)) + ", tag " + anyText(d.Tag)
		default:
			s += " from rank " + anyText(h.localOf(d.Comm, d.Peer)) + ", tag " + anyText(d.Tag)
		}
		s += " on " + h.name(d.Comm)
		if d.Site != "" && d.Site != w.Site {
			s += " (" + d.Site + ")"
		}
		parts = append(parts, s)
	}
	joint := ", "
	if w.Any {
		joint = " or "
	}
	text := strings.Join(parts, joint)
	if text == "" {
		text = w.Call
	}
	if w.Site != "" {
		text += " at " + w.Site
	}
	return fmt.Sprintf("%s for %v", text, w.For.Round(time.Second))
}

func (h *Hub) localOf(comm uint64, world int) int {
	if world == Any {
		return Any
	}
	return h.local(comm, world)
}

func anyText(n int) string {
	if n == Any {
		return "any"
	}
	return strconv.Itoa(n)
}

// tellLong reports waits that are long and may end.
func (h *Hub) tellLong(now time.Time, limit time.Duration) {
	var lead *rank
	var first *Wait
	for _, n := range slices.Sorted(maps.Keys(h.ranks)) {
		waits := h.blocked(h.ranks[n], now)
		for i := range waits {
			k := waitKey{n, waits[i].ID}
			if waits[i].For < limit+confirm || h.long[k] { // a deadlock would have been told
				continue
			}
			h.long[k] = true
			if lead == nil {
				lead, first = h.ranks[n], &waits[i]
			}
		}
	}
	if lead != nil {
		h.tell(lead, Finding{ID: LongWait, Call: first.Call, Site: first.Site, Text: fmt.Sprintf("rank %d has waited for %v, and may go on when others do. %s",
			lead.n, first.For.Round(time.Second), h.all())})
	}
}
