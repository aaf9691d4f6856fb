// Package after has the shape of the code after a bug was mended.
//
// Bug: an object is freed each time that Free is called
// Source: github.com/libvirt/libvirt-go-module commit c861e33
package after

/*
typedef struct virDomain virDomain;
int virDomainFree(virDomain *d);
*/
import "C"

import (
	"errors"
)

var errBad = errors.New("bad")

// Domain is a machine.
type Domain struct{ ptr *C.virDomain }

func (d *Domain) Free() error {
	if C.virDomainFree(d.ptr) != 0 {
		return errBad
	}
	d.ptr = nil
	return nil
}
