package pjrt

import "github.com/isthmus-ffi/isthmus/internal/raw/call"

// ThroughC writes a layout as C's struct and reads it back.
func ThroughC(l Layout) (Layout, error) {
	f := call.Get()
	defer f.Put()
	n, err := l.toNative(f, "test")
	if err != nil {
		return Layout{}, err
	}
	return fromNativeLayout("test", n.At())
}

// TilesInC are the two lists that C gets of a layout's tiles.
func TilesInC(l Layout) (dims, sizes []int, err error) {
	f := call.Get()
	defer f.Put()
	n, err := l.toNative(f, "test")
	if err != nil {
		return nil, nil, err
	}
	t := n.At().Tiled()
	list, err := t.TileDimSizes.Slice(t.NumTiles)
	if err != nil {
		return nil, nil, err
	}
	total := uint64(0)
	for _, n := range list {
		sizes, total = append(sizes, int(n)), total+n
	}
	dims, err = intsOf("test", t.TileDims, total, maxTiles)
	return dims, sizes, err
}
