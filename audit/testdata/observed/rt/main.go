// Command rt breaks rules of the language runtime that only a run shows: who has a count depends on what a map holds.
package main

// #cgo CFLAGS: -DRT_CHECK -I${SRCDIR}/../../../../include
// #cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
// #include "isthmus_rt.h"
//
// static rt_value name_of(rt_value person) {
//   return rt_object_field_get(person, 0); // want rt/use-after-destroy
// }
// static int start(void) { return rt_init(); }
import "C"

import (
	"fmt"
	"os"

	_ "github.com/isthmus-ffi/isthmus/langrt" // has the runtime's functions
)

type registry struct {
	people map[string]C.rt_value
}

func (r *registry) add(name string) {
	p := C.rt_object_new(1, 1)
	r.people[name] = p
}

func (r *registry) drop(name string) {
	C.rt_release(r.people[name]) // want rt/double-destroy
}

func (r *registry) first(list C.rt_value) {
	v := C.rt_array_get(list, 0)
	r.people["first"] = v
}

func main() {
	if C.start() != 0 {
		os.Exit(2)
	}
	r := &registry{people: map[string]C.rt_value{}}
	r.add("ada")
	r.drop("ada")
	C.name_of(r.people["ada"])
	r.drop("ada")
	list := C.rt_array_new(1) // want rt/leak
	r.add("eva")
	C.rt_array_push(list, r.people["eva"])
	C.rt_release(r.people["eva"])
	r.first(list)
	free := r.people["first"]
	C.rt_release(free)   // want rt/destroy-of-lent
	C.rt_array_len(list) // the list is not let go
	C.rt_dict_len(list)  // want rt/wrong-kind
	fmt.Println(C.rt_shutdown(-1))
}
