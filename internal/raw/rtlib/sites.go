//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
import "C"

import (
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// texts are the texts of sites that C has asked for: they stay.
var texts struct {
	sync.Mutex
	c   map[C.uint32_t]*C.char
	pin mem.Pin
}

//export rtgo_site
func rtgo_site(file *C.char, line C.int32_t) C.uint32_t {
	return guard("rtgo_site", 0, func() C.uint32_t { return C.uint32_t(process().Site(C.GoString(file), int(line))) })
}

//export rtgo_site_text
func rtgo_site_text(site C.uint32_t) *C.char {
	return guard("rtgo_site_text", nil, func() *C.char { return siteText(site) })
}

func siteText(site C.uint32_t) *C.char {
	texts.Lock()
	defer texts.Unlock()
	if c, ok := texts.c[site]; ok {
		return c
	}
	s := process().SiteText(uint32(site))
	if s == "" {
		return nil
	}
	if texts.c == nil {
		texts.c = map[C.uint32_t]*C.char{}
	}
	// SAFETY: owner: texts, which pins the memory and never unpins it; bounds: it ends with a NUL; thread: any, it is only
	// read.
	c := mem.At[C.char](mem.PinSlice(&texts.pin, append([]byte(s), 0)))
	texts.c[site] = c
	return c
}
