package pjrt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP15OlderPlugins drives plugins of older versions, with the tables that these had: what they have works, and the
// rest says which version it needs.
func TestP15OlderPlugins(t *testing.T) {
	for _, minor := range []int{54, 58, 67, 75, 83, 95, 104, 106, 114} {
		t.Run(fmt.Sprint("0.", minor), func(t *testing.T) {
			end := pjrtc.Slot(pjrtc.NumSlots)
			for s := range pjrtc.Slot(pjrtc.NumSlots) {
				if s.Since() > minor && s != pjrtc.SlotClientUpdateGlobalProcessInfo {
					end = s
					break
				}
			}
			works, lacks := 0, 0
			for name, j := range allJourneys() {
				err, closing, _, _ := travel(t, j, "", pjrtfake.NoFault, func(f *pjrtfake.Fake) {
					f.Minor, f.StructSize = minor, uint64(end.Offset())
				})
				switch {
				case err == nil:
					works++
				case errors.Is(err, isthmus.ErrUnsupported) && strings.Contains(err.Error(), "needs API 0."):
					lacks++
				default:
					t.Errorf("%s: %v", name, err)
				}
				if closing != nil {
					t.Errorf("%s: closing: %v", name, closing)
				}
			}
			if minor == 114 && lacks != 0 {
				t.Errorf("%d journeys lack something", lacks)
			}
			t.Logf("%d of %d functions, %d journeys work, %d need a newer plugin", end, pjrtc.NumSlots, works, lacks)
		})
	}
}

// TestP15NewerPlugin drives a plugin from the future: a larger table, extensions that nobody knows, known ones that grew.
func TestP15NewerPlugin(t *testing.T) {
	for name, j := range allJourneys() {
		err, closing, _, _ := travel(t, j, "", pjrtfake.NoFault, func(f *pjrtfake.Fake) {
			f.Minor, f.StructSize = 200, 2048
			f.Links = append(f.Links, pjrtfake.Link{Type: 77, Fns: 9}, pjrtfake.Link{Type: 10, Fns: 40})
		})
		if err != nil || closing != nil {
			t.Errorf("%s: %v, %v", name, err, closing)
		}
	}
}

// TestP15UnknownOrders loads plugins whose tables are in an order that this module does not know, and one whose structs
// have another layout.
func TestP15UnknownOrders(t *testing.T) {
	for _, minor := range []int{1, 40, 53, 56} {
		f := pjrtfake.New()
		f.Minor = minor
		if _, err := f.Table(); !errors.Is(err, isthmus.ErrVersion) {
			t.Errorf("0.%d: got %v", minor, err)
		}
		f.Close()
	}
	p, f := fake(t, func(f *pjrtfake.Fake) { f.Minor = 81 })
	missing := p.Missing()
	if len(missing) != 1 || missing[0] != "PJRT_Client_UpdateGlobalProcessInfo" {
		t.Errorf("0.81 lacks %v", missing)
	}
	f.Fail(pjrtc.SlotClientCreate, &pjrtfake.Failure{Code: pjrtc.ErrorCodeINVALIDARGUMENT, Msg: "Unexpected PJRT_Client_Create_Args size: expected 88, got 72. Check installed software versions."})
	_, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if !errors.Is(err, isthmus.ErrVersion) || !strings.Contains(err.Error(), "expected 88, got 72") {
		t.Errorf("got %v", err)
	}
}
