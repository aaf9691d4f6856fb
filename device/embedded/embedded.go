// Package embedded makes the embedded device a plugin, like any that is loaded from a library:
//
//	plugin, err := embedded.Plugin(device.Options{})
//	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{})
package embedded

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Name is the plugin's name.
const Name = "embedded"

// plugins are those that were made, by their options: a function table lives as long as the process.
var plugins sync.Map // device.Options -> func() (*pjrt.Plugin, error)

// Plugin returns the embedded device as a plugin. Each of its clients is a device of its own with these options; the
// client's options device_count, memory_limit, workers and evaluator go over them. The same options give the same
// plugin, so that asking again costs nothing.
func Plugin(o device.Options) (*pjrt.Plugin, error) {
	if o.Peers != nil && !reflect.TypeOf(o.Peers).Comparable() {
		return nil, fmt.Errorf("embedded: peers of type %T, which is not comparable; give a pointer: %w", o.Peers, isthmus.ErrInvalid)
	}
	if o.Accelerator != nil && !reflect.TypeOf(o.Accelerator).Comparable() {
		return nil, fmt.Errorf("embedded: an accelerator of type %T, which is not comparable; give a pointer: %w", o.Accelerator, isthmus.ErrInvalid)
	}
	once, _ := plugins.LoadOrStore(o, sync.OnceValues(func() (*pjrt.Plugin, error) {
		t, err := device.Table(o)
		if err != nil {
			return nil, err
		}
		return pjrt.FromTable(Name, t)
	}))
	return once.(func() (*pjrt.Plugin, error))()
}
