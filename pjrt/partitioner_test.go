package pjrt_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// partitionerCase registers a partitioner on a fake; kept, where not nil, gets what the plugin keeps of it.
func partitionerCase(kept *pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks]) extCase {
	whole := func(pjrt.PartitionCall) (pjrt.Partition, error) { return pjrt.Partition{}, nil }
	return extCase{
		typ: pjrtc.ExtensionTypeCustomPartitioner,
		fns: func() map[string]pjrtfake.Func {
			return map[string]pjrtfake.Func{
				"register_custom_partitioner": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.RegisterCustomPartitionerArgs) *pjrtfake.Failure {
					if c := a.Callbacks.At(); hostText(a.Name, a.NameSize) != "split" || c.Version != 1 || !c.CanSideEffectingHaveReplicatedSharding {
						f.Violate("a wrong registration")
					}
					if kept != nil {
						*kept = a.Callbacks
					}
					return nil
				}),
				"register_batch_partitionable": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.RegisterBatchPartitionableArgs) *pjrtfake.Failure {
					if hostText(a.Name, a.NameSize) != "batch" {
						return refuse("a wrong name")
					}
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			r, err := w.p.RegisterPartitioner("split", pjrt.PartitionRules{ReplicatedSideEffects: true, Partition: whole})
			if err == nil {
				if _, again := w.p.RegisterPartitioner("split", pjrt.PartitionRules{Partition: whole}); !errors.Is(again, isthmus.ErrBusy) {
					err = fmt.Errorf("the same name again: %w", again)
				}
			}
			return errors.Join(err, w.p.RegisterBatchPartitionable("batch"), r.Close(), r.Close())
		},
	}
}

// The plugin's questions reach the Go functions and their answers the plugin; errors, panics and a partitioner that is
// closed become errors with a text; all memory of the answers is given back.
func TestP07Partitioner(t *testing.T) {
	var kept pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks]
	w, end := extFake(t, partitionerCase(&kept), "", "")
	defer end()
	before := pjrt.LiveValues()
	var problem func() error
	var got pjrt.PartitionCall
	r, err := w.p.RegisterPartitioner("split", pjrt.PartitionRules{
		ReplicatedSideEffects: true,
		Partition: func(c pjrt.PartitionCall) (pjrt.Partition, error) {
			got = c
			return pjrt.Partition{Module: []byte("module"), OperandShards: [][]byte{[]byte("one"), []byte("two")}, ResultSharding: []byte("result")}, problem()
		},
		InferSharding: func(c pjrt.PartitionCall) ([]byte, error) { return append([]byte("of "), c.Config...), problem() },
		PropagateSharding: func(c pjrt.PartitionCall) ([]byte, error) {
			return append([]byte("was "), c.Result.Sharding...), problem()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() (string, string){
		"partition": func() (string, string) { return callPartition(t, w.f, kept) },
		"infer":     func() (string, string) { return callInfer(t, w.f, kept) },
		"propagate": func() (string, string) { return callPropagate(t, w.f, kept) },
	}
	want := map[string]string{"partition": "module one two result", "infer": "of config", "propagate": "was asked"}
	for name, f := range map[string]func() error{
		"":                    func() error { return nil },
		"no luck":             func() error { return errors.New("no luck") },
		"boom":                func() error { panic("boom") },
		"ended its goroutine": func() error { runtime.Goexit(); return nil },
	} {
		problem = f
		for c, do := range calls {
			answer, text := do()
			if name == "" && (answer != want[c] || text != "") || name != "" && !strings.Contains(text, name) {
				t.Errorf("%s, %q: got %q, error %q", c, name, answer, text)
			}
		}
	}
	if d := cmp.Diff(pjrt.PartitionCall{
		Operands: []pjrt.PartitionOperand{{Shape: []byte("s1"), Sharding: []byte("h1")}, {Shape: []byte("s2")}},
		Result:   pjrt.PartitionOperand{Shape: []byte("s3")}, Config: []byte("config"),
	}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, text := callInfer(t, w.f, kept); !strings.Contains(text, "closed") {
		t.Errorf("after Close: %q", text)
	}
	if n := pjrt.LiveValues() - before; n != 1 {
		t.Errorf("%d values are held, want the registration alone", n)
	}
	pjrtfake.Invoke(kept.At().Dtor, uintptr(kept))
	if n := pjrt.LiveValues() - before; n != 0 {
		t.Errorf("%d values are held after the plugin dropped the registration", n)
	}
}

func partText(f *pjrtfake.Fake, s string) pjrtc.CustomCallPartitionerString {
	return pjrtc.CustomCallPartitionerString{Data: f.Text(s), Size: uint64(len(s))}
}

// ask calls one of the client's functions and cleans up as a plugin does.
func askPartitioner(fn pjrtc.Func, kept pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks], a mem.Addr, h *pjrtc.CustomCallPartitionerVersionAndError, read func() string) (answer, problem string) {
	h.ApiVersion = 1
	pjrtfake.Invoke(fn, uintptr(kept), uintptr(a))
	if h.HasError {
		problem = hostText(h.ErrorMsg.Data, h.ErrorMsg.Size)
	} else {
		answer = read()
	}
	if h.CleanupFn != 0 {
		pjrtfake.Invoke(h.CleanupFn, uintptr(h.Data))
	}
	return answer, problem
}

func operands(f *pjrtfake.Fake) pjrtc.Ptr[pjrtc.CustomCallPartitionerAval] {
	return pjrtfake.List(f, nil, []pjrtc.CustomCallPartitionerAval{
		{Shape: partText(f, "s1"), HasSharding: true, Sharding: partText(f, "h1")},
		{Shape: partText(f, "s2"), Sharding: partText(f, "not there")},
	})
}

func callPartition(t *testing.T, f *pjrtfake.Fake, kept pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks]) (string, string) {
	a, done := frameOf[pjrtc.CustomCallPartitionerPartitionArgs](t)
	defer done()
	a.NumArgs, a.OpArgs = 2, operands(f)
	a.OpResult, a.BackendConfig = pjrtc.CustomCallPartitionerAval{Shape: partText(f, "s3")}, partText(f, "config")
	return askPartitioner(kept.At().Partition, kept, mem.AddrOfPtr(a), &a.Header, func() string {
		l, err := a.ArgsSharding.Slice(2)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, s := range []pjrtc.CustomCallPartitionerString{a.MlirModule, l[0], l[1], a.ResultSharding} {
			all = append(all, hostText(s.Data, s.Size))
		}
		return strings.Join(all, " ")
	})
}

func callInfer(t *testing.T, f *pjrtfake.Fake, kept pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks]) (string, string) {
	a, done := frameOf[pjrtc.CustomCallPartitionerInferShardingFromOperandsArgs](t)
	defer done()
	a.NumArgs, a.OpArgs, a.ResultShape, a.BackendConfig = 2, operands(f), partText(f, "s3"), partText(f, "config")
	return askPartitioner(kept.At().InferSharding, kept, mem.AddrOfPtr(a), &a.Header, func() string {
		if !a.HasResultSharding {
			return "none"
		}
		return hostText(a.ResultSharding.Data, a.ResultSharding.Size)
	})
}

func callPropagate(t *testing.T, f *pjrtfake.Fake, kept pjrtc.Ptr[pjrtc.CustomCallPartitionerCallbacks]) (string, string) {
	a, done := frameOf[pjrtc.CustomCallPartitionerPropagateUserShardingArgs](t)
	defer done()
	a.ResultShape, a.ResultSharding, a.BackendConfig = partText(f, "s3"), partText(f, "asked"), partText(f, "config")
	return askPartitioner(kept.At().PropagateUserSharding, kept, mem.AddrOfPtr(a), &a.Header, func() string {
		return hostText(a.ResultSharding.Data, a.ResultSharding.Size)
	})
}

// frameOf is a zeroed struct outside Go's heap.
func frameOf[T any](t *testing.T) (*T, func()) {
	t.Helper()
	f := call.Get()
	a, err := call.New[T](f)
	if err != nil {
		t.Fatal(err)
	}
	return a, f.Put
}
