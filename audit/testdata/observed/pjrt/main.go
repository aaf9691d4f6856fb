// Command pjrt forgets buffers where only a run shows it: whether one is closed depends on a map.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type cache struct {
	client  *pjrt.Client
	buffers map[string]*pjrt.Buffer
}

func (c *cache) put(ctx context.Context, name string) error {
	b, err := pjrt.Put(ctx, c.client.Device(), []float32{1, 2, 3}, 3) // want pjrt/leak
	if err != nil {
		return err
	}
	c.buffers[name] = b // the one that was there is forgotten
	return nil
}

func run(ctx context.Context) error {
	plugin, err := embedded.Plugin(device.Options{})
	if err != nil {
		return err
	}
	plugin, layer, err := pjrt.Validate(plugin)
	if err != nil {
		return err
	}
	c := &cache{buffers: map[string]*pjrt.Buffer{}}
	if c.client, err = plugin.NewClient(ctx, pjrt.ClientOptions{}); err != nil { // want pjrt/leak
		return err
	}
	for _, name := range []string{"weights", "input", "input"} {
		if err := c.put(ctx, name); err != nil {
			return err
		}
	}
	for _, b := range c.buffers {
		if err := b.Close(); err != nil {
			return err
		}
	}
	layer.Leaks()
	return nil
}

func main() {
	f, err := os.Create(os.Getenv("ISTHMUS_REPORT"))
	if err == nil {
		isthmus.SetReporter(isthmus.JSONReporter(f))
		err = run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
