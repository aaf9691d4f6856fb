package pjrt_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// journeys are short uses of the API that together reach every function that the package calls.
var journeys = map[string]func(*world) error{
	"open": func(w *world) error {
		w.arm()
		_, err := w.plugin()
		return err
	},
	"error": func(w *world) error {
		c := w.client()
		w.arm()
		_, err := c.Compile(w.ctx, pjrt.MLIR("no such program"), pjrt.CompileOptions{})
		if err != nil && strings.HasSuffix(err.Error(), "invalid argument: no program no such program") {
			return nil
		}
		return err
	},
	"client": func(w *world) error {
		p, err := w.plugin()
		w.must(err)
		w.arm()
		c, err := p.NewClient(w.ctx, pjrt.ClientOptions{Options: []pjrt.NamedValue{{Name: "n", Value: int64(1)}}})
		if err != nil {
			return err
		}
		return c.Close()
	},
	"memory stats": func(w *world) error {
		d := w.client().Device()
		w.arm()
		_, err := d.MemoryStats()
		return err
	},
	"compile": func(w *world) error {
		c := w.client()
		w.arm()
		x, err := c.Compile(w.ctx, pjrt.MLIR("many"), pjrt.CompileOptions{})
		if err != nil {
			return err
		}
		return x.Close()
	},
	"optimized": func(w *world) error {
		x := w.executable("shown")
		w.arm()
		_, err := x.Optimized()
		return err
	},
	"execute": func(w *world) error {
		x, a, b := w.executable("add"), w.buffer(), w.buffer()
		w.arm()
		outs, err := x.Execute(w.ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return err
	},
	"execute without a context": func(w *world) error {
		if w.kind == pjrtfake.NeverEvent {
			return nil // nothing to give up with
		}
		x, a, b := w.executable("add"), w.buffer(), w.buffer()
		w.arm()
		outs, err := x.Execute(context.Background(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return err
	},
	"execute with options": func(w *world) error {
		x, a, b := w.executable("donate"), w.buffer(), w.buffer()
		w.arm()
		outs, err := x.Execute(w.ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{Keep: []int{0}, LaunchID: 7})
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return err
	},
	"execute on two devices": func(w *world) error {
		c := w.client()
		x, err := c.Compile(context.Background(), pjrt.MLIR("noargs"), pjrt.CompileOptions{Replicas: 2})
		w.must(err)
		w.later(x.Close)
		w.arm()
		outs, err := x.ExecuteAll(w.ctx, [][]*pjrt.Buffer{{}, {}}, pjrt.ExecuteOptions{})
		for _, list := range outs {
			for _, o := range list {
				err = errors.Join(err, o.Close())
			}
		}
		return err
	},
	"put": func(w *world) error {
		d := w.client().Device()
		w.arm()
		b, err := pjrt.Put(w.ctx, d, []float32{1, 2, 3, 4}, 2, 2)
		if err != nil {
			return err
		}
		return b.Close()
	},
	"put lent": func(w *world) error {
		d := w.client().Device()
		w.arm()
		b, e, err := pjrt.PutLent(d, []float32{1, 2, 3, 4}, pjrt.UntilTransferred, 4)
		if err != nil {
			return err
		}
		err = errors.Join(e.Wait(w.ctx), b.Wait(w.ctx))
		return errors.Join(err, e.Close(), b.Close())
	},
	"event": func(w *world) error {
		b := w.buffer()
		w.arm()
		e, err := b.Ready()
		if err != nil {
			return err
		}
		w.later(e.Close)
		if _, err := e.Ready(); err != nil {
			return err
		}
		return errors.Join(e.Wait(w.ctx), e.Close())
	},
	"get": func(w *world) error {
		w.f.OnCPU = false
		b := w.buffer()
		w.arm()
		_, err := b.Bytes(w.ctx)
		return err
	},
	"get in place": func(w *world) error {
		b, err := pjrt.Put(context.Background(), w.client().Device(), []float32{1, 2, 3, 4}, 2, 2)
		w.must(err)
		w.later(b.Close)
		w.arm()
		_, err = b.Bytes(w.ctx)
		return err
	},
	"copy": func(w *world) error {
		b := w.buffer()
		w.arm()
		n, err := b.CopyTo(w.c.Devices()[1])
		if err != nil {
			return err
		}
		_, err = n.SizeOnDevice()
		return errors.Join(err, n.Close())
	},
	"delete": func(w *world) error {
		b := w.buffer()
		w.arm()
		_, err := b.Deleted()
		return errors.Join(err, b.Delete())
	},
}

// allJourneys are those of all files.
func allJourneys() map[string]func(*world) error {
	all := map[string]func(*world) error{}
	for _, m := range []map[string]func(*world) error{journeys, bufferJourneys, programJourneys, runJourneys} {
		maps.Copy(all, m)
	}
	return all
}

// endless are the waits that nobody can give up, as their functions say.
var endless = map[string]bool{
	"execute without a context PJRT_LoadedExecutable_Execute": true,
}

// kept are functions whose failure leaves memory with the plugin for ever, as they say: the tests' end would miss it.
var kept = set("map PJRT_Client_DmaUnmap")

// forgiven reports whether an operation does without what a fault spoils.
func forgiven(journey, point string, kind pjrtfake.Fault) bool {
	short := strings.TrimPrefix(point, "PJRT_")
	strict := about[short] == journey
	switch kind {
	case pjrtfake.FailUnimplemented:
		// What only tells something is left out where the plugin does not have it, and waiting for what a buffer has
		// is left to the operation that reads it.
		if descriptive[short] && !strings.HasSuffix(journey, "told") || short == "Buffer_ReadyEvent" && reads[journey] {
			return true
		}
	case pjrtfake.NullHandle:
		// No default memory, no description, an event that is null is one that has fired, and bytes that nothing backs
		// live for ever.
		return slices.Contains([]string{
			"Buffer_ToHostBuffer", "Buffer_CopyRawToHost", "Device_DefaultMemory", "Device_GetDescription",
			"AsyncHostToDeviceTransferManager_TransferData", "AsyncHostToDeviceTransferManager_TransferLiteral",
		}, short) || backed[short] || optional[short] && !strict
	case pjrtfake.NullFunction:
		return backed[short] // bytes that nobody has to free
	case pjrtfake.NullArray, pjrtfake.Misaligned:
		return texts[short] || optional[short] && !strict || short == "Buffer_DynamicDimensionIndices" // there are none
	case pjrtfake.HugeCount, pjrtfake.NegativeCount:
		return texts[short] || optional[short] && !strict || // texts are cut and repaired
			short == "Executable_GetCompiledMemoryStats" || strings.HasPrefix(short, "CopyToDeviceStream_") || short == "TopologyDescription_Fingerprint" // a number is a number
	case pjrtfake.NegativeID:
		return true // a number is a number
	case pjrtfake.BadEnum:
		return short == "Executable_OutputElementTypes" || short == "Buffer_GetMemoryLayout"
	}
	switch short {
	case "Event_Destroy":
		// Of an event that was made to wait for a buffer. Nothing depends on it.
		return slices.Contains([]string{"alias", "read", "donate after", "upload", "upload whole"}, journey)
	case "Buffer_Destroy":
		return journey == "donate after" // of what is left of the donated one
	}
	return kind.Fails() && optional[short] && !strict
}

// reads are journeys that read a buffer.
var reads = set("get", "get in place", "raw", "read", "put with layouts")

// descriptive are functions that tell what only people read, or what callers may know.
var descriptive = func() map[string]bool {
	m := set("Plugin_Attributes", "Client_ProcessIndex", "Client_Devices", "TopologyDescription_Attributes", "TopologyDescription_GetDeviceDescriptions",
		"TopologyDescription_PlatformName", "TopologyDescription_PlatformVersion", "LoadedExecutable_AddressableDevices",
		"LoadedExecutable_GetExecutable", "Executable_OutputElementTypes", "Executable_OutputDimensions", "Executable_NumOutputs")
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		name := strings.TrimPrefix(s.String(), "PJRT_")
		if texts[name] || strings.HasPrefix(name, "DeviceDescription_") || strings.HasPrefix(name, "Device_") && name != "Device_MemoryStats" || strings.HasPrefix(name, "Memory_") {
			m[name] = true
		}
	}
	return m
}()

// backed are functions whose bytes come with an object that backs them.
var backed = set("Executable_Serialize", "Executable_GetCompileOptions", "LoadedExecutable_GetDeviceAssignment", "Device_GetAttributes",
	"TopologyDescription_Serialize", "TopologyDescription_MakeCanonicalShapeForMemorySpace")

// about are the journeys that are about a function that others do without.
var about = map[string]string{
	"Event_IsReady":               "event",
	"Buffer_IsDeleted":            "delete",
	"Buffer_OnDeviceSizeInBytes":  "copy",
	"Executable_OptimizedProgram": "optimized",

	"Executable_GetCompileOptions":                "executable told",
	"Buffer_Memory":                               "buffer told",
	"Buffer_IsOnCpu":                              "buffer told",
	"Buffer_GetMemoryLayout":                      "buffer told",
	"AsyncHostToDeviceTransferManager_BufferSize": "upload",
}

// texts are functions that give text.
var texts = set("Client_PlatformName", "Client_PlatformVersion", "DeviceDescription_DebugString", "DeviceDescription_Kind",
	"DeviceDescription_ToString", "Error_Message", "Executable_Name", "Memory_DebugString", "Memory_Kind", "Memory_ToString", "Executable_Fingerprint", "LoadedExecutable_Fingerprint",
	"TopologyDescription_PlatformName", "TopologyDescription_PlatformVersion")

// optional are functions that operations do without: reading in place falls back to a transfer, being called back to
// waiting, the code of an error to "unknown", and the program's types to what the caller says.
var optional = set("Buffer_IsOnCpu", "Buffer_IncreaseExternalReferenceCount", "Buffer_DecreaseExternalReferenceCount", "Buffer_IsDeleted",
	"Buffer_OpaqueDeviceMemoryDataPointer", "Buffer_OnDeviceSizeInBytes", "Buffer_GetMemoryLayout", "Event_IsReady", "Event_OnReady",
	"Error_GetCode", "Executable_OptimizedProgram", "Executable_GetCompileOptions", "Buffer_Memory", "AsyncHostToDeviceTransferManager_BufferSize",
	"Executable_SizeOfGeneratedCodeInBytes", "Executable_NumReplicas", "Executable_NumPartitions")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// notYet are the functions that no journey reaches. The list shrinks as the API grows.
var notYet = set(
	"PJRT_Event_Error", "PJRT_Client_AddressableMemories", "PJRT_Device_IsAddressable", "PJRT_Buffer_ElementType",
	"PJRT_Buffer_Dimensions", "PJRT_Buffer_UnsafePointer",
)
