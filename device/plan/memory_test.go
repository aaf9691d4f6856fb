package plan_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/device/plan"
)

// No two buffers that are alive at one time share memory, and the arena is not larger than all of them together.
func TestPackKeepsLiveBuffersApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lives := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) plan.Lifetime {
			start := rapid.IntRange(0, 60).Draw(rt, "start")
			return plan.Lifetime{
				Start: start,
				End:   start + rapid.IntRange(0, 20).Draw(rt, "length"),
				Size:  rapid.Int64Range(0, 2000).Draw(rt, "size"),
			}
		}), 0, 60).Draw(rt, "lives")
		offsets, arena := plan.PackBuffers(lives)
		sum := int64(0)
		for i, a := range lives {
			sum += (a.Size + 63) / 64 * 64
			if offsets[i]%64 != 0 || offsets[i] < 0 || offsets[i]+a.Size > arena {
				rt.Fatalf("buffer %d of %d bytes is at %d in an arena of %d", i, a.Size, offsets[i], arena)
			}
			for j, b := range lives[:i] {
				together := a.Start <= b.End && b.Start <= a.End
				if together && offsets[i] < offsets[j]+b.Size && offsets[j] < offsets[i]+a.Size {
					rt.Fatalf("buffers %d and %d share memory: %+v at %d, %+v at %d", j, i, b, offsets[j], a, offsets[i])
				}
			}
		}
		if arena > sum {
			rt.Fatalf("the arena has %d bytes, all buffers together %d", arena, sum)
		}
	})
}
