// Package before has the shape of the code before a bug was mended.
//
// Bug: an image may be finalized while a helper in Go has C look at it
// Source: github.com/davidbyttow/govips pull request 494, commit f804afe
package before

/*
typedef struct VipsImage VipsImage;
int has_icc_profile(VipsImage *in);
void g_object_unref(void *p);
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Image is freed by the collector.
type Image struct{ image *C.VipsImage }

func newImage(in *C.VipsImage) *Image {
	r := &Image{in}
	runtime.SetFinalizer(r, (*Image).finalize)
	return r
}

func (r *Image) finalize() { C.g_object_unref(unsafe.Pointer(r.image)) }

func hasProfile(in *C.VipsImage) bool { return C.has_icc_profile(in) != 0 }

func (r *Image) HasProfile() bool {
	return hasProfile(r.image) // want missing-keepalive:warning
}
