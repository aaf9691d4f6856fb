package pjrttest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func clientChecks() []check {
	assignment := func(t *probe, replicas, partitions int32, room int) ([]int32, error) {
		out := list(t, slices.Repeat([]int32{-1}, room)...)
		_, err := try(t, &pjrtc.ClientDefaultDeviceAssignmentArgs{Client: t.shared(), NumReplicas: replicas, NumPartitions: partitions, DefaultAssignment: out, DefaultAssignmentSize: uint64(room)})
		if err != nil {
			return nil, err
		}
		return items(t, "device assignment", out, uint64(room)), nil
	}
	return []check{
		{"client.create", "a client can be made with the given options", func(t *probe) {
			c, err := t.make()
			t.must(err)
			t.want(c != 0, "no client and no error")
			do(t, &pjrtc.ClientDestroyArgs{Client: c})
		}},
		{"client.create-twice", "a second client can be made while the first lives", func(t *probe) {
			t.shared()
			o, n := t.named(t.options)
			c := optional(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n}).Client
			do(t, &pjrtc.ClientDestroyArgs{Client: c})
		}},
		{"client.unknown-option", "an option that the plugin does not know is an error or has no effect", func(t *probe) {
			o, n := t.named(append(slices.Clone(t.options), value{"isthmus_no_such_option", int64(1)}))
			a, err := try(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n})
			if err != nil {
				t.note("%v", err)
				return
			}
			t.note("no effect")
			do(t, &pjrtc.ClientDestroyArgs{Client: a.Client})
		}},
		{"client.platform-name", "the platform has a name, the same each time", func(t *probe) {
			a, b := do(t, &pjrtc.ClientPlatformNameArgs{Client: t.shared()}), do(t, &pjrtc.ClientPlatformNameArgs{Client: t.shared()})
			name := t.str("the platform's name", a.PlatformName, a.PlatformNameSize)
			t.want(name != "" && name == t.str("the platform's name", b.PlatformName, b.PlatformNameSize), "the name is %q", name)
			t.note("%s", name)
		}},
		{"client.platform-version", "the platform has a version", func(t *probe) {
			a := do(t, &pjrtc.ClientPlatformVersionArgs{Client: t.shared()})
			t.note("%s", t.str("the platform's version", a.PlatformVersion, a.PlatformVersionSize))
		}},
		{"client.process-index", "the process has a number", func(t *probe) {
			i := do(t, &pjrtc.ClientProcessIndexArgs{Client: t.shared()}).ProcessIndex
			t.want(i >= 0, "the process index is %d", i)
		}},
		{"client.addressable-devices", "there is a device, none is null, none is there twice", func(t *probe) {
			d := t.devices()
			t.want(len(slices.Compact(slices.Sorted(slices.Values(d)))) == len(d), "a device is listed twice")
			t.note("%d", len(d))
		}},
		{"client.devices", "each addressable device is one of the devices", func(t *probe) {
			a := do(t, &pjrtc.ClientDevicesArgs{Client: t.shared()})
			all := items(t, "devices", a.Devices, a.NumDevices)
			for i, d := range t.devices() {
				t.want(slices.Contains(all, d), "addressable device %d is not among the %d devices", i, len(all))
			}
		}},
		{"client.lookup-device", "each device is found by its id", func(t *probe) {
			for _, d := range t.devices() {
				id := do(t, &pjrtc.DeviceDescriptionIdArgs{DeviceDescription: t.description(d)}).Id
				t.want(do(t, &pjrtc.ClientLookupDeviceArgs{Client: t.shared(), Id: id}).Device == d, "another device is found for id %d", id)
			}
		}},
		{"client.lookup-unknown-device", "an id of no device is an error", func(t *probe) {
			refuse(t, "the id 99999", &pjrtc.ClientLookupDeviceArgs{Client: t.shared(), Id: 99999})
			refuse(t, "the id -7", &pjrtc.ClientLookupDeviceArgs{Client: t.shared(), Id: -7})
		}},
		{"client.lookup-addressable-device", "each addressable device is found by its hardware id", func(t *probe) {
			for _, d := range t.devices() {
				id := do(t, &pjrtc.DeviceLocalHardwareIdArgs{Device: d}).LocalHardwareId
				if id < 0 {
					t.lacks("the device has no hardware id")
				}
				t.want(do(t, &pjrtc.ClientLookupAddressableDeviceArgs{Client: t.shared(), LocalHardwareId: id}).AddressableDevice == d, "another device is found for hardware id %d", id)
			}
		}},
		{"client.lookup-unknown-addressable-device", "a hardware id of no device is an error", func(t *probe) {
			refuse(t, "the hardware id 99999", &pjrtc.ClientLookupAddressableDeviceArgs{Client: t.shared(), LocalHardwareId: 99999})
		}},
		{"client.memories", "each addressable memory is there once", func(t *probe) {
			a := do(t, &pjrtc.ClientAddressableMemoriesArgs{Client: t.shared()})
			m := items(t, "memories", a.AddressableMemories, a.NumAddressableMemories)
			t.want(len(slices.Compact(slices.Sorted(slices.Values(m)))) == len(m), "a memory is listed twice")
			t.want(!slices.Contains(m, 0), "a memory is null")
			t.note("%d", len(m))
		}},
		{"client.default-assignment", "one replica of one partition is given a device", func(t *probe) {
			ids, err := assignment(t, 1, 1, 1)
			t.must(err)
			t.want(ids[0] >= 0, "it is given to device %d", ids[0])
		}},
		{"client.default-assignment-all", "as many replicas as devices are given different devices", func(t *probe) {
			a := do(t, &pjrtc.ClientDevicesArgs{Client: t.shared()})
			n := int(a.NumDevices)
			ids, err := assignment(t, int32(n), 1, n)
			t.must(err)
			slices.Sort(ids)
			t.want(len(slices.Compact(ids)) == n, "%d replicas are given the devices %v", n, ids)
		}},
		{"client.default-assignment-no-room", "an assignment that does not fit is an error", func(t *probe) {
			_, err := assignment(t, 2, 2, 1)
			t.want(err != nil, "four numbers were written where there is room for one")
			t.note("%v", err)
		}},
		{"client.default-assignment-none", "no replicas, and fewer than none, are no crash", func(t *probe) {
			for _, n := range [][2]int32{{0, 1}, {1, 0}, {-1, 1}} {
				_, err := assignment(t, n[0], n[1], 1)
				t.note("%d x %d: %v", n[0], n[1], err)
			}
		}},
		{"client.topology", "the client has a topology, the same each time", func(t *probe) {
			first := t.topology()
			t.want(t.topology() == first, "two calls give two topologies, and the client owns them")
		}},
		{"client.process-infos", "information on the processes is taken", func(t *probe) {
			p := pjrtc.ProcessInfo{}
			p.SetSize()
			p.TaskId, p.State = 0, pjrtc.ProcessStateKConnected
			optional(t, &pjrtc.ClientUpdateGlobalProcessInfoArgs{Client: t.shared(), ProcessInfos: list(t, p), NumProcessInfos: 1})
		}},
	}
}

func errorChecks() []check {
	wrong := func(t *probe) pjrtc.Ptr[pjrtc.Error] {
		o := compileOptions(1, 1)
		a := place(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", "this is no program"), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))})
		if !t.table.Has(a.Slot()) {
			t.lacks("no %v", a.Slot())
		}
		e := pjrtc.Call(t.table, t.frame, a)
		t.want(e != 0, "what is no program compiles")
		return e
	}
	message := func(t *probe, e pjrtc.Ptr[pjrtc.Error]) string {
		a := place(t, &pjrtc.ErrorMessageArgs{Error: e})
		pjrtc.Call(t.table, t.frame, a)
		return t.str("the error's text", a.Message, a.MessageSize)
	}
	return []check{
		{"errors.message", "an error has a text, in UTF-8", func(t *probe) {
			e := wrong(t)
			msg := message(t, e)
			_ = t.take("", e)
			t.want(strings.TrimSpace(msg) != "", "the text is empty")
			t.want(utf8.ValidString(msg), "the text is not UTF-8")
			t.note("%s", msg)
		}},
		{"errors.message-twice", "reading the text twice gives the same", func(t *probe) {
			e := wrong(t)
			a, b := message(t, e), message(t, e)
			_ = t.take("", e)
			t.want(a == b, "%q, then %q", a, b)
		}},
		{"errors.code", "an error has a code of absl's, not OK", func(t *probe) {
			e := wrong(t)
			a := place(t, &pjrtc.ErrorGetCodeArgs{Error: e})
			second := pjrtc.Call(t.table, t.frame, a)
			_ = t.take("", e)
			t.want(second == 0, "reading the code is an error")
			t.want(a.Code > pjrtc.ErrorCodeOK && a.Code <= pjrtc.ErrorCodeUNAUTHENTICATED, "the code is %d", a.Code)
			t.note("%v", a.Code)
		}},
		{"errors.outlives-call", "an error is its own: later calls do not change it", func(t *probe) {
			e := wrong(t)
			msg := message(t, e)
			for range 8 {
				_ = t.take("", wrong(t))
			}
			again := message(t, e)
			_ = t.take("", e)
			t.want(msg == again, "the text %q became %q", msg, again)
		}},
		{"errors.payloads", "the payloads of an error can be visited", func(t *probe) {
			e := wrong(t)
			defer func() { _ = t.take("", e) }()
			n := 0
			s, err := cb.Serve(cb.Shape{Args: 5, User: 4}, cb.Handler{Serve: func(*cb.Args) uintptr { n++; return 0 }})
			if err != nil {
				t.fail("%v", err)
			}
			defer s.Release()
			do(t, &pjrtc.ErrorForEachPayloadArgs{Error: e, Visitor: pjrtc.Func(s.Fn), UserArg: pjrtc.Addr(s.Arg)})
			t.note("%d payloads", n)
		}},
		{"errors.destroy-null", "destroying no error is fine", func(t *probe) {
			f := call.Get()
			defer f.Put()
			a, err := call.New[pjrtc.ErrorDestroyArgs](f)
			t.must(err)
			pjrtc.Call(t.table, f, a)
		}},
	}
}

func deviceChecks() []check {
	each := func(run func(t *probe, d pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription])) func(*probe) {
		return func(t *probe) {
			for _, d := range t.devices() {
				run(t, d, t.description(d))
			}
		}
	}
	return []check{
		{"device.id", "no two devices have one id", func(t *probe) {
			seen := map[int32]bool{}
			a := do(t, &pjrtc.ClientDevicesArgs{Client: t.shared()})
			for _, d := range items(t, "devices", a.Devices, a.NumDevices) {
				id := do(t, &pjrtc.DeviceDescriptionIdArgs{DeviceDescription: t.description(d)}).Id
				t.want(!seen[id], "two devices have the id %d", id)
				seen[id] = true
			}
		}},
		{"device.kind", "a device says what it is", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := do(t, &pjrtc.DeviceDescriptionKindArgs{DeviceDescription: e})
			kind := t.str("the kind", a.DeviceKind, a.DeviceKindSize)
			t.want(kind != "", "the kind is empty")
			t.note("%s", kind)
		})},
		{"device.debug-string", "a device has a text for debugging", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := do(t, &pjrtc.DeviceDescriptionDebugStringArgs{DeviceDescription: e})
			t.want(t.str("the text", a.DebugString, a.DebugStringSize) != "", "it is empty")
		})},
		{"device.to-string", "a device has a text for reading", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := do(t, &pjrtc.DeviceDescriptionToStringArgs{DeviceDescription: e})
			t.want(t.str("the text", a.ToString, a.ToStringSize) != "", "it is empty")
		})},
		{"device.process-index", "an addressable device belongs to this process", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			own := do(t, &pjrtc.ClientProcessIndexArgs{Client: t.shared()}).ProcessIndex
			got := do(t, &pjrtc.DeviceDescriptionProcessIndexArgs{DeviceDescription: e}).ProcessIndex
			t.want(got == own, "it belongs to process %d, this is %d", got, own)
		})},
		{"device.description-attributes", "a device's attributes have names and known kinds", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := do(t, &pjrtc.DeviceDescriptionAttributesArgs{DeviceDescription: e})
			t.note("%d attributes", len(t.values("attributes", a.Attributes, a.NumAttributes)))
		})},
		{"device.coords", "a device says where it stands in a mesh", each(func(t *probe, _ pjrtc.Ptr[pjrtc.Device], e pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := do(t, &pjrtc.DeviceDescriptionAttributesArgs{DeviceDescription: e})
			v, ok := t.values("attributes", a.Attributes, a.NumAttributes)["coords"]
			if !ok {
				t.lacks("no attribute coords")
			}
			_, ok = v.([]int64)
			t.want(ok, "coords is %v", v)
			t.note("%v", v)
		})},
		{"device.is-addressable", "addressable devices say that they are", each(func(t *probe, d pjrtc.Ptr[pjrtc.Device], _ pjrtc.Ptr[pjrtc.DeviceDescription]) {
			t.want(do(t, &pjrtc.DeviceIsAddressableArgs{Device: d}).IsAddressable, "one says that it is not")
		})},
		{"device.hardware-id", "no two addressable devices have one hardware id", func(t *probe) {
			seen := map[int32]bool{}
			for _, d := range t.devices() {
				id := do(t, &pjrtc.DeviceLocalHardwareIdArgs{Device: d}).LocalHardwareId
				t.want(id < 0 || !seen[id], "two devices have the hardware id %d", id)
				seen[id] = true
			}
		}},
		{"device.memories", "a device has memories", each(func(t *probe, d pjrtc.Ptr[pjrtc.Device], _ pjrtc.Ptr[pjrtc.DeviceDescription]) {
			t.want(len(t.deviceMemories(d)) > 0, "a device without memory")
		})},
		{"device.default-memory", "the default memory of a device is one of its memories", each(func(t *probe, d pjrtc.Ptr[pjrtc.Device], _ pjrtc.Ptr[pjrtc.DeviceDescription]) {
			m := do(t, &pjrtc.DeviceDefaultMemoryArgs{Device: d}).Memory
			t.want(slices.Contains(t.deviceMemories(d), m), "it is not")
		})},
		{"device.attributes", "a device's own attributes can be read and freed", each(func(t *probe, d pjrtc.Ptr[pjrtc.Device], _ pjrtc.Ptr[pjrtc.DeviceDescription]) {
			a := optional(t, &pjrtc.DeviceGetAttributesArgs{Device: d})
			t.note("%d attributes", len(t.values("attributes", a.Attributes, a.NumAttributes)))
			if a.AttributesDeleter != 0 {
				t.frame.Call1(call.Fn(a.AttributesDeleter), mem.Addr(a.DeviceAttributes))
			}
		})},
		{"device.memory-stats", "a device tells how much memory is in use", func(t *probe) {
			a := do(t, &pjrtc.DeviceMemoryStatsArgs{Device: t.device()})
			t.want(a.BytesInUse >= 0, "%d bytes are in use", a.BytesInUse)
			t.want(!a.BytesLimitIsSet || a.BytesLimit >= 0, "the limit is %d", a.BytesLimit)
			t.note("%d bytes in use", a.BytesInUse)
		}},
		{"device.memory-stats-move", "a large buffer is seen in the memory in use", func(t *probe) {
			before := do(t, &pjrtc.DeviceMemoryStatsArgs{Device: t.device()}).BytesInUse
			t.put(tensor{pjrtc.BufferTypeU8, []int64{16 << 20}, make([]byte, 16<<20)})
			after := do(t, &pjrtc.DeviceMemoryStatsArgs{Device: t.device()}).BytesInUse
			t.want(after-before >= 16<<20, "16 MiB more, and %d bytes in use became %d", before, after)
		}},
		{"device.clear-memory-stats", "the statistics can be reset", func(t *probe) { do(t, &pjrtc.DeviceClearMemoryStatsArgs{Device: t.device()}) }},
		{"device.async-tracking-event", "work can be announced and ended", func(t *probe) {
			e := optional(t, &pjrtc.DeviceCreateAsyncTrackingEventArgs{Device: t.device(), Description: text(t, "check"), DescriptionSize: 5}).Event
			if e != 0 {
				do(t, &pjrtc.AsyncTrackingEventDestroyArgs{Event: e})
			}
		}},
		{"device.poison-unknown", "poisoning an execution that does not run has no effect", func(t *probe) {
			a := optional(t, &pjrtc.DevicePoisonExecutionArgs{Device: t.device(), LaunchId: 77777, ErrorCode: pjrtc.ErrorCodeINTERNAL, ErrorMessage: text(t, "check"), ErrorMessageSize: 5})
			t.want(!a.Poisoned, "it says that it poisoned it")
		}},
	}
}

func memoryChecks() []check {
	each := func(run func(t *probe, m pjrtc.Ptr[pjrtc.Memory])) func(*probe) {
		return func(t *probe) {
			a := do(t, &pjrtc.ClientAddressableMemoriesArgs{Client: t.shared()})
			all := items(t, "memories", a.AddressableMemories, a.NumAddressableMemories)
			if len(all) == 0 {
				t.lacks("the client has no memories")
			}
			for _, m := range all {
				run(t, m)
			}
		}
	}
	return []check{
		{"memory.id", "no two memories have one id", func(t *probe) {
			seen := map[int32]bool{}
			each(func(t *probe, m pjrtc.Ptr[pjrtc.Memory]) {
				id := do(t, &pjrtc.MemoryIdArgs{Memory: m}).Id
				t.want(!seen[id], "two memories have the id %d", id)
				seen[id] = true
			})(t)
		}},
		{"memory.kind", "a memory says what it is, and memories of one kind have one kind id", func(t *probe) {
			ids := map[string]int32{}
			each(func(t *probe, m pjrtc.Ptr[pjrtc.Memory]) {
				a := do(t, &pjrtc.MemoryKindArgs{Memory: m})
				kind := t.str("the kind", a.Kind, a.KindSize)
				t.want(kind != "", "the kind is empty")
				id := do(t, &pjrtc.MemoryKindIdArgs{Memory: m}).KindId
				old, ok := ids[kind]
				t.want(!ok || old == id, "%s has the ids %d and %d", kind, old, id)
				ids[kind] = id
			})(t)
			t.note("%v", ids)
		}},
		{"memory.debug-string", "a memory has a text for debugging", each(func(t *probe, m pjrtc.Ptr[pjrtc.Memory]) {
			a := do(t, &pjrtc.MemoryDebugStringArgs{Memory: m})
			t.want(t.str("the text", a.DebugString, a.DebugStringSize) != "", "it is empty")
		})},
		{"memory.to-string", "a memory has a text for reading", each(func(t *probe, m pjrtc.Ptr[pjrtc.Memory]) {
			a := do(t, &pjrtc.MemoryToStringArgs{Memory: m})
			t.want(t.str("the text", a.ToString, a.ToStringSize) != "", "it is empty")
		})},
		{"memory.devices", "a memory of a device is addressable by that device", func(t *probe) {
			for _, d := range t.devices() {
				for _, m := range t.deviceMemories(d) {
					a := do(t, &pjrtc.MemoryAddressableByDevicesArgs{Memory: m})
					t.want(slices.Contains(items(t, "devices of a memory", a.Devices, a.NumDevices), d), "one is not")
				}
			}
		}},
		{"memory.put", "a buffer can be made in each memory of the first device", func(t *probe) {
			for i, m := range t.deviceMemories(t.device()) {
				b, done := t.putWith(vec(1, 2, 3), func(a *pjrtc.ClientBufferFromHostBufferArgs) { a.Memory = m })
				t.must(t.await(done))
				t.want(do(t, &pjrtc.BufferMemoryArgs{Buffer: b}).Memory == m, "the buffer says that it is in another memory than %d", i)
				t.holds(b, vec(1, 2, 3))
			}
		}},
		{"memory.copy", "a buffer can be copied to each memory of the first device", func(t *probe) {
			b := t.put(vec(1, 2, 3))
			for _, m := range t.deviceMemories(t.device()) {
				c := do(t, &pjrtc.BufferCopyToMemoryArgs{Buffer: b, DstMemory: m}).DstBuffer
				t.destroyLater(c)
				t.holds(c, vec(1, 2, 3))
			}
		}},
	}
}

func topologyChecks() []check {
	serialize := func(t *probe, top pjrtc.Ptr[pjrtc.TopologyDescription]) string {
		a := optional(t, &pjrtc.TopologyDescriptionSerializeArgs{Topology: top})
		s := t.str("the topology's bytes", a.SerializedBytes, a.SerializedBytesSize)
		b, err := mem.Copy(a.SerializedBytes, a.SerializedBytesSize, 1<<26)
		t.must(err)
		if a.SerializedTopologyDeleter != 0 {
			t.frame.Call1(call.Fn(a.SerializedTopologyDeleter), mem.Addr(a.SerializedTopology))
		}
		_ = s
		return string(b)
	}
	deserialize := func(t *probe, blob string) (pjrtc.Ptr[pjrtc.TopologyDescription], error) {
		a, err := try(t, &pjrtc.TopologyDescriptionDeserializeArgs{SerializedTopology: text(t, blob), SerializedTopologySize: uint64(len(blob))})
		if err == nil {
			t.after(func() { quiet(t, &pjrtc.TopologyDescriptionDestroyArgs{Topology: a.Topology}) })
		}
		return a.Topology, err
	}
	describe := func(t *probe, top pjrtc.Ptr[pjrtc.TopologyDescription]) []int32 {
		a := do(t, &pjrtc.TopologyDescriptionGetDeviceDescriptionsArgs{Topology: top})
		var ids []int32
		for _, d := range items(t, "device descriptions", a.Descriptions, a.NumDescriptions) {
			t.want(d != 0, "a description is null")
			ids = append(ids, do(t, &pjrtc.DeviceDescriptionIdArgs{DeviceDescription: d}).Id)
		}
		slices.Sort(ids)
		return ids
	}
	return []check{
		{"topology.platform", "the topology's platform is the client's", func(t *probe) {
			a, c := do(t, &pjrtc.TopologyDescriptionPlatformNameArgs{Topology: t.topology()}), do(t, &pjrtc.ClientPlatformNameArgs{Client: t.shared()})
			x, y := t.str("the platform", a.PlatformName, a.PlatformNameSize), t.str("the platform", c.PlatformName, c.PlatformNameSize)
			t.want(x == y, "%q, the client's is %q", x, y)
		}},
		{"topology.version", "the topology has a platform version", func(t *probe) {
			a := do(t, &pjrtc.TopologyDescriptionPlatformVersionArgs{Topology: t.topology()})
			t.str("the version", a.PlatformVersion, a.PlatformVersionSize)
		}},
		{"topology.devices", "the topology describes each of the client's devices", func(t *probe) {
			ids := describe(t, t.topology())
			for _, d := range t.devices() {
				id := do(t, &pjrtc.DeviceDescriptionIdArgs{DeviceDescription: t.description(d)}).Id
				t.want(slices.Contains(ids, id), "device %d is not among %v", id, ids)
			}
		}},
		{"topology.attributes", "the topology's attributes have names and known kinds", func(t *probe) {
			a := do(t, &pjrtc.TopologyDescriptionAttributesArgs{Topology: t.topology()})
			t.note("%d attributes", len(t.values("attributes", a.Attributes, a.NumAttributes)))
		}},
		{"topology.fingerprint", "the fingerprint is the same each time", func(t *probe) {
			a, b := optional(t, &pjrtc.TopologyDescriptionFingerprintArgs{Topology: t.topology()}), optional(t, &pjrtc.TopologyDescriptionFingerprintArgs{Topology: t.topology()})
			t.want(a.Fingerprint == b.Fingerprint, "%x, then %x", a.Fingerprint, b.Fingerprint)
		}},
		{"topology.memory-kinds", "the kinds of memory spaces have ids", func(t *probe) {
			a := optional(t, &pjrtc.TopologyDescriptionGetMemorySpaceKindIdsArgs{Topology: t.topology()})
			t.note("%v", items(t, "kind ids", a.MemorySpaceKindIds, a.NumMemorySpaceKindIds))
		}},
		{"topology.canonical-shape", "a shape is given a layout for a memory", func(t *probe) {
			kind := do(t, &pjrtc.MemoryKindIdArgs{Memory: t.defaultMemory()}).KindId
			a := optional(t, &pjrtc.TopologyDescriptionMakeCanonicalShapeForMemorySpaceArgs{Topology: t.topology(), MemorySpaceKindId: kind, Dims: list[int64](t, 8, 128), NumDims: 2, ElementType: pjrtc.BufferTypeF32})
			t.want(a.SerializedShapeSize > 0, "it has no bytes")
			if a.SerializedShapeDeleter != 0 {
				t.frame.Call1(call.Fn(a.SerializedShapeDeleter), mem.Addr(a.SerializedShape))
			}
		}},
		{"topology.serialize", "the topology can be written", func(t *probe) {
			t.note("%d bytes", len(serialize(t, t.topology())))
		}},
		{"topology.deserialize", "what was written can be read, and describes the same devices", func(t *probe) {
			top, err := deserialize(t, serialize(t, t.topology()))
			if err != nil {
				t.lacks("%v", err)
			}
			a, b := describe(t, t.topology()), describe(t, top)
			t.want(slices.Equal(a, b), "devices %v, then %v", a, b)
		}},
		{"topology.deserialize-garbage", "bytes that are no topology are an error", func(t *probe) {
			if _, err := try(t, &pjrtc.TopologyDescriptionSerializeArgs{Topology: t.topology()}); err != nil {
				t.lacks("%v", err)
			}
			top, err := deserialize(t, "\xff\xfe no topology")
			t.want(err != nil, "a topology %x is made of them", uintptr(top))
			t.must(notMissing(t, err))
		}},
		{"topology.create-unknown", "a topology by a name that nobody knows is an error or the local one", func(t *probe) {
			a, err := try(t, &pjrtc.TopologyDescriptionCreateArgs{TopologyName: text(t, "isthmus:9x9"), TopologyNameSize: 11})
			if err != nil {
				t.must(notMissing(t, err))
				t.note("%v", err)
				return
			}
			t.want(a.Topology != 0, "no topology and no error")
			do(t, &pjrtc.TopologyDescriptionDestroyArgs{Topology: a.Topology})
			t.note("the local topology")
		}},
		{"topology.compile", "a program compiles for a topology, without a client", func(t *probe) {
			o := compileOptions(1, 1)
			x := optional(t, &pjrtc.CompileArgs{Topology: t.topology(), Program: t.program("mlir", addProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			t.want(x != 0, "no executable and no error")
			t.after(func() { quiet(t, &pjrtc.ExecutableDestroyArgs{Executable: x}) })
			t.want(do(t, &pjrtc.ExecutableNumOutputsArgs{Executable: x}).NumOutputs == 1, "it has another number of outputs")
		}},
		{"topology.compile-and-load", "what was compiled without a client can be loaded and runs", func(t *probe) {
			o := compileOptions(1, 1)
			x := optional(t, &pjrtc.CompileArgs{Topology: t.topology(), Program: t.program("mlir", addProgram), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
			t.after(func() { quiet(t, &pjrtc.ExecutableDestroyArgs{Executable: x}) })
			l := optional(t, &pjrtc.ClientLoadArgs{Client: t.shared(), Executable: x, CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).LoadedExecutable
			t.want(l != 0, "no executable and no error")
			t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: l}) })
			t.holds(t.run(l, t.put(vec(1, 2, 3, 4)), t.put(vec(10, 20, 30, 40))), vec(11, 22, 33, 44))
		}},
	}
}

// notMissing passes an error on that says that the plugin does not offer something, and forgets others.
func notMissing(_ *probe, err error) error {
	if m, ok := err.(*missing); ok {
		return m
	}
	if e, ok := err.(*nativeError); ok && e.code == pjrtc.ErrorCodeUNIMPLEMENTED {
		return e
	}
	return nil
}
