package pjrtlayer

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Load opens the plugin at a path and reads its table, without calling any of it but GetPjrtApi.
func Load(path string) (*pjrtc.Table, error) {
	lib, err := dl.Open(path)
	if err != nil {
		return nil, err
	}
	get, err := lib.Symbol("GetPjrtApi")
	if err != nil {
		return nil, err
	}
	api := pjrtc.Ptr[pjrtc.Api](call.Call1(get, 0))
	if api == 0 {
		return nil, fmt.Errorf("%s: GetPjrtApi returned null: %w", path, isthmus.ErrInvalid)
	}
	return pjrtc.NewTable(api)
}
