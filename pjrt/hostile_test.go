package pjrt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
)

// tamper changes an argument struct after its function has filled it.
func tamper[A any](change func(*A)) func(mem.Addr) {
	return func(a mem.Addr) { change(mem.At[A](a)) }
}

// TestP06HostileResults has a plugin return nonsense: null where something must be, counts that cannot be, addresses
// that are no arrays, handles of others. Each is an error, and nothing is read that the plugin did not promise.
func TestP06HostileResults(t *testing.T) {
	for name, c := range map[string]struct {
		slot   pjrtc.Slot
		change func(mem.Addr)
		fine   bool // the call does without it
	}{
		"no client":           {pjrtc.SlotClientCreate, tamper(func(a *pjrtc.ClientCreateArgs) { a.Client = 0 }), false},
		"many devices":        {pjrtc.SlotClientDevices, tamper(func(a *pjrtc.ClientDevicesArgs) { a.NumDevices = 1 << 60 }), false},
		"negative devices":    {pjrtc.SlotClientAddressableDevices, tamper(func(a *pjrtc.ClientAddressableDevicesArgs) { a.NumAddressableDevices = 1<<64 - 1 }), false},
		"null devices":        {pjrtc.SlotClientAddressableDevices, tamper(func(a *pjrtc.ClientAddressableDevicesArgs) { a.AddressableDevices = 0 }), false},
		"misaligned devices":  {pjrtc.SlotClientDevices, tamper(func(a *pjrtc.ClientDevicesArgs) { a.Devices++ }), false},
		"null name":           {pjrtc.SlotClientPlatformName, tamper(func(a *pjrtc.ClientPlatformNameArgs) { a.PlatformName = 0 }), true},
		"long name":           {pjrtc.SlotClientPlatformName, tamper(func(a *pjrtc.ClientPlatformNameArgs) { a.PlatformName, a.PlatformNameSize = 0, 1<<63 }), true},
		"null attributes":     {pjrtc.SlotPluginAttributes, tamper(func(a *pjrtc.PluginAttributesArgs) { a.Attributes, a.NumAttributes = 0, 7 }), false},
		"many attributes":     {pjrtc.SlotPluginAttributes, tamper(func(a *pjrtc.PluginAttributesArgs) { a.NumAttributes = 1 << 50 }), false},
		"no executable":       {pjrtc.SlotClientCompile, tamper(func(a *pjrtc.ClientCompileArgs) { a.Executable = 0 }), false},
		"no description":      {pjrtc.SlotLoadedExecutableGetExecutable, tamper(func(a *pjrtc.LoadedExecutableGetExecutableArgs) { a.Executable = 0 }), false},
		"many outputs":        {pjrtc.SlotExecutableNumOutputs, tamper(func(a *pjrtc.ExecutableNumOutputsArgs) { a.NumOutputs = 1 << 40 }), false},
		"other outputs":       {pjrtc.SlotExecutableNumOutputs, tamper(func(a *pjrtc.ExecutableNumOutputsArgs) { a.NumOutputs = 2 }), false},
		"null types":          {pjrtc.SlotExecutableOutputElementTypes, tamper(func(a *pjrtc.ExecutableOutputElementTypesArgs) { a.OutputTypes = 0 }), false},
		"unknown type":        {pjrtc.SlotExecutableOutputElementTypes, tamper(func(a *pjrtc.ExecutableOutputElementTypesArgs) { *a.OutputTypes.At() = 999 }), true},
		"negative type":       {pjrtc.SlotExecutableOutputElementTypes, tamper(func(a *pjrtc.ExecutableOutputElementTypesArgs) { *a.OutputTypes.At() = -5 }), true},
		"huge rank":           {pjrtc.SlotExecutableOutputDimensions, tamper(func(a *pjrtc.ExecutableOutputDimensionsArgs) { *a.DimSizes.At() = 1 << 62 }), false},
		"negative dimension":  {pjrtc.SlotExecutableOutputDimensions, tamper(func(a *pjrtc.ExecutableOutputDimensionsArgs) { *a.Dims.At() = -4 }), false},
		"null dimensions":     {pjrtc.SlotExecutableOutputDimensions, tamper(func(a *pjrtc.ExecutableOutputDimensionsArgs) { a.Dims = 0 }), false},
		"foreign device":      {pjrtc.SlotLoadedExecutableAddressableDevices, tamper(func(a *pjrtc.LoadedExecutableAddressableDevicesArgs) { *a.AddressableDevices.At() = 0x1234 }), false},
		"no buffer":           {pjrtc.SlotClientBufferFromHostBuffer, tamper(func(a *pjrtc.ClientBufferFromHostBufferArgs) { a.Buffer = 0 }), false},
		"no transfer event":   {pjrtc.SlotClientBufferFromHostBuffer, tamper(func(a *pjrtc.ClientBufferFromHostBufferArgs) { a.DoneWithHostBuffer = 0 }), true},
		"no output":           {pjrtc.SlotLoadedExecutableExecute, tamper(func(a *pjrtc.LoadedExecutableExecuteArgs) { **at2(a.OutputLists) = 0 }), false},
		"no completion event": {pjrtc.SlotLoadedExecutableExecute, tamper(func(a *pjrtc.LoadedExecutableExecuteArgs) { *a.DeviceCompleteEvents.At() = 0 }), true},
		"no ready event":      {pjrtc.SlotBufferReadyEvent, tamper(func(a *pjrtc.BufferReadyEventArgs) { a.Event = 0 }), false},
		"no read event":       {pjrtc.SlotBufferToHostBuffer, tamper(func(a *pjrtc.BufferToHostBufferArgs) { a.Event = 0 }), true},
		"no copy":             {pjrtc.SlotBufferCopyToDevice, tamper(func(a *pjrtc.BufferCopyToDeviceArgs) { a.DstBuffer = 0 }), false},
		"null pointer":        {pjrtc.SlotBufferOpaqueDeviceMemoryDataPointer, tamper(func(a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) { a.DeviceMemoryPtr = 0 }), true},
		"strange layout":      {pjrtc.SlotBufferGetMemoryLayout, tamper(func(a *pjrtc.BufferGetMemoryLayoutArgs) { a.Layout.Type = 7 }), true},
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Capture(t)
			f := pjrtfake.New()
			f.Programs, f.OnCPU = programs(), true
			f.Tamper = map[pjrtc.Slot]func(mem.Addr){c.slot: c.change}
			table, err := f.Table()
			if err != nil {
				t.Fatal(err)
			}
			err = everything(t.Context(), table)
			if c.fine && err != nil {
				t.Errorf("got %v", err)
			}
			if !c.fine && !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, isthmus.ErrBounds) {
				t.Errorf("got %v, want an error", err)
			}
			for _, v := range f.Violations() {
				if strings.Contains(v, "destroyed before") {
					continue // what the plugin hid from us is its own to lose
				}
				t.Errorf("the plugin saw: %s", v)
			}
			f.Close()
		})
	}
}

// at2 is the first element of the first list.
func at2[T any](p pjrtc.Ptr[pjrtc.Ptr[T]]) **T {
	v := p.At().At()
	return &v
}
