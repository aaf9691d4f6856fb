package target

import (
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func inProcess() (*pjrt.Plugin, error) { return embedded.Plugin(device.Options{}) }
