package target

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/accelerate"
	"github.com/isthmus-ffi/isthmus/mps/metal"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// MPS is the name of the embedded device with its large products, softmaxes and norms on a Mac's GPU.
const MPS = "mps"

// onMetal makes the plugin. The GPU stays open, as the plugin's function table does.
func onMetal(ctx context.Context) (*pjrt.Plugin, error) {
	dev, err := mps.Open(ctx, mps.Options{Backend: metal.Options{}})
	if err != nil {
		return nil, fmt.Errorf("target: %s is for a Mac's GPU; use %s elsewhere: %w", MPS, Embedded, err)
	}
	p, err := embedded.Plugin(device.Options{Accelerator: accelerate.New(dev, accelerate.Options{})})
	if err != nil {
		_ = dev.Close()
	}
	return p, err
}
