package mpiwatch

import (
	"fmt"
	"slices"
)

// describe is what a call moves, such as "4 float64".
func (s *Sig) describe() string {
	if s.Count < 0 {
		return s.Type
	}
	return fmt.Sprintf("%d %s", s.Count, s.Type)
}

// flat joins the runs of n elements where an element is of one kind; otherwise it repeats them up to limit.
func flat(runs []Run, n, limit int) []Run {
	if len(runs) == 1 {
		return []Run{{runs[0].Kind, runs[0].N * n}}
	}
	var out []Run
	for range n {
		for _, r := range runs {
			if k := len(out); k > 0 && out[k-1].Kind == r.Kind {
				out[k-1].N += r.N
			} else {
				out = append(out, r)
			}
		}
		if len(out) > limit {
			break
		}
	}
	return out
}

// values counts the values of n elements.
func values(runs []Run, n int) int {
	sum := 0
	for _, r := range runs {
		sum += r.N
	}
	return sum * n
}

// flatLimit bounds how much of two different structures is compared.
const flatLimit = 4096

// sameTypes reports whether what is sent may be received as it is (MPI-4.1, 3.3.1): the same values in the same order, as
// far as both go.
func sameTypes(send, recv *Sig) bool {
	if slices.Equal(send.Runs, recv.Runs) {
		return true
	}
	a, b := flat(send.Runs, send.Count, flatLimit), flat(recv.Runs, recv.Count, flatLimit)
	for len(a) > 0 && len(b) > 0 {
		if a[0].Kind != b[0].Kind {
			return false
		}
		n := min(a[0].N, b[0].N)
		for _, l := range []*[]Run{&a, &b} {
			if (*l)[0].N -= n; (*l)[0].N == 0 {
				*l = (*l)[1:]
			}
		}
	}
	return true
}

// compare says which rule a pair of a send and a receive breaks, "" for none, and how.
func compare(send, recv *Sig, exact bool) (id, text string) {
	n, m := values(send.Runs, send.Count), values(recv.Runs, recv.Count)
	switch {
	case n > 0 && m > 0 && !sameTypes(send, recv):
		return TypeMismatch, fmt.Sprintf("%s are received as %s", send.describe(), recv.describe())
	case n > m:
		return Truncated, fmt.Sprintf("%s are received into room for %s", send.describe(), recv.describe())
	case exact && n < m:
		return ShortMessage, fmt.Sprintf("%s are received into room for %s", send.describe(), recv.describe())
	case recv.Got < 0 && n%max(1, values(recv.Runs, 1)) != 0:
		return TypeMismatch, fmt.Sprintf("%s are no whole number of %s", send.describe(), recv.Type)
	}
	return "", ""
}

// compareCollective says which rule two calls break that stand at the same place in the sequences of their ranks.
func compareCollective(a, b *Sig) (id, what string) {
	switch {
	case a.Op != b.Op:
		return CollectiveOrder, "different operations"
	case a.Root != b.Root:
		return CollectiveArgs, "different roots"
	case a.Red != b.Red:
		return CollectiveArgs, "different reductions"
	case a.Count >= 0 && b.Count >= 0 && values(a.Runs, a.Count) != values(b.Runs, b.Count):
		return CollectiveArgs, "different counts"
	case !slices.Equal(a.Runs, b.Runs) && !sameTypes(&Sig{Runs: a.Runs, Count: max(1, a.Count)}, &Sig{Runs: b.Runs, Count: max(1, b.Count)}):
		return CollectiveArgs, "different types"
	case a.Parts != b.Parts:
		return CollectiveArgs, "different blocks"
	}
	return "", ""
}

// collective is a call of a collective operation as messages name it.
func (s *Sig) collective() string {
	text := s.Op
	if s.Root != "" {
		text += " root " + s.Root
	}
	if s.Red != "" {
		text += " " + s.Red
	}
	if s.Type != "" {
		text += " of " + s.describe()
	}
	if s.Parts != "" {
		text += " in blocks " + s.Parts
	}
	return text + " at " + s.Site
}
