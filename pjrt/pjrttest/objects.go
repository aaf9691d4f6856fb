package pjrttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func float32bits(f float32) uint64     { return uint64(math.Float32bits(f)) }
func float32frombits(v uint64) float32 { return math.Float32frombits(uint32(v)) }

// make makes a client.
func (t *probe) make() (pjrtc.Ptr[pjrtc.Client], error) {
	o, n := t.named(t.options)
	a, err := try(t, &pjrtc.ClientCreateArgs{CreateOptions: o, NumOptions: n})
	return a.Client, err
}

// shared is the client that all checks of a process share; the check is skipped where there is none.
func (t *probe) shared() pjrtc.Ptr[pjrtc.Client] {
	if !t.asked {
		t.client, t.clientErr = t.make()
		t.asked = true
	}
	if t.clientErr != nil || t.client == 0 {
		t.skip("no client: %v", t.clientErr)
	}
	return t.client
}

// devices are the shared client's addressable devices.
func (t *probe) devices() []pjrtc.Ptr[pjrtc.Device] {
	a := do(t, &pjrtc.ClientAddressableDevicesArgs{Client: t.shared()})
	d := items(t, "addressable devices", a.AddressableDevices, a.NumAddressableDevices)
	t.want(len(d) > 0, "the client has no addressable device")
	for i, v := range d {
		t.want(v != 0, "addressable device %d is null", i)
	}
	return d
}

func (t *probe) device() pjrtc.Ptr[pjrtc.Device] { return t.devices()[0] }

func (t *probe) description(d pjrtc.Ptr[pjrtc.Device]) pjrtc.Ptr[pjrtc.DeviceDescription] {
	e := do(t, &pjrtc.DeviceGetDescriptionArgs{Device: d}).DeviceDescription
	t.want(e != 0, "a device without a description")
	return e
}

func (t *probe) deviceMemories(d pjrtc.Ptr[pjrtc.Device]) []pjrtc.Ptr[pjrtc.Memory] {
	a := do(t, &pjrtc.DeviceAddressableMemoriesArgs{Device: d})
	return items(t, "memories of a device", a.Memories, a.NumMemories)
}

func (t *probe) defaultMemory() pjrtc.Ptr[pjrtc.Memory] {
	return do(t, &pjrtc.DeviceDefaultMemoryArgs{Device: t.device()}).Memory
}

func (t *probe) topology() pjrtc.Ptr[pjrtc.TopologyDescription] {
	top := do(t, &pjrtc.ClientTopologyDescriptionArgs{Client: t.shared()}).Topology
	t.want(top != 0, "the client gives no topology and no error")
	return top
}

// await waits for an event, not longer than the run allows, destroys it and returns the error that it carries.
func (t *probe) await(e pjrtc.Ptr[pjrtc.Event]) error {
	if e == 0 {
		return nil
	}
	if err := t.fires(e); err != nil {
		return err
	}
	_, err := try(t, &pjrtc.EventAwaitArgs{Event: e})
	if _, derr := try(t, &pjrtc.EventDestroyArgs{Event: e}); derr != nil {
		return derr
	}
	return err
}

// fires waits until the event is ready, by asking: a call that never returns could not be ended.
func (t *probe) fires(e pjrtc.Ptr[pjrtc.Event]) error {
	until, pause := time.Now().Add(t.patient), 10*time.Microsecond
	for {
		a, err := try(t, &pjrtc.EventIsReadyArgs{Event: e})
		if err != nil || a.IsReady {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("an event has not fired after %v", t.patient)
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Millisecond)
	}
}

// tensor is host data with its type.
type tensor struct {
	typ  pjrtc.BufferType
	dims []int64
	data []byte
}

// f32 makes a tensor of float32 with the values of vals, row-major.
func f32(dims []int64, vals ...float32) tensor {
	b := make([]byte, 0, 4*len(vals))
	for _, v := range vals {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return tensor{pjrtc.BufferTypeF32, dims, b}
}

// vec is a vector of float32.
func vec(vals ...float32) tensor { return f32([]int64{int64(len(vals))}, vals...) }

// iota is a float32 tensor of 0, 1, 2…
func iota(dims ...int64) tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	vals := make([]float32, n)
	for i := range vals {
		vals[i] = float32(i)
	}
	return f32(dims, vals...)
}

// host copies bytes to memory outside Go's heap that lives until the check ends, and has an address if it is empty too.
func (t *probe) host(data []byte) pjrtc.Addr {
	b, err := mem.Alloc(max(len(data), 1), 64)
	if err != nil {
		t.fail("no memory on the host: %v", err)
	}
	copy(b.Bytes(), data)
	t.after(func() { _ = b.Free() })
	return pjrtc.Addr(mem.AddrOf(b.Bytes()))
}

// bytesAt reads what is at such an address now.
func bytesAt(t *probe, a pjrtc.Addr, n int) []byte {
	s, err := mem.Slice[byte](a, n)
	if err != nil {
		t.fail("reading the host's memory: %v", err)
	}
	return bytes.Clone(s)
}

// put makes a buffer with the content of v on the first device; it is destroyed when the check ends.
func (t *probe) put(v tensor) pjrtc.Ptr[pjrtc.Buffer] { return t.putOn(t.device(), v) }

func (t *probe) putOn(d pjrtc.Ptr[pjrtc.Device], v tensor) pjrtc.Ptr[pjrtc.Buffer] {
	b, done := t.putWith(v, func(a *pjrtc.ClientBufferFromHostBufferArgs) { a.Device = d })
	if err := t.await(done); err != nil {
		t.fail("the transfer of a buffer: %v", err)
	}
	return b
}

// putWith is put with other arguments, and leaves the event to the check.
func (t *probe) putWith(v tensor, change func(*pjrtc.ClientBufferFromHostBufferArgs)) (pjrtc.Ptr[pjrtc.Buffer], pjrtc.Ptr[pjrtc.Event]) {
	a := &pjrtc.ClientBufferFromHostBufferArgs{
		Client: t.shared(), Data: t.host(v.data), Type: v.typ, Dims: list(t, v.dims...), NumDims: uint64(len(v.dims)),
		HostBufferSemantics: pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall,
	}
	change(a)
	r := do(t, a)
	t.want(r.Buffer != 0, "PJRT_Client_BufferFromHostBuffer gives no buffer and no error")
	t.destroyLater(r.Buffer)
	return r.Buffer, r.DoneWithHostBuffer
}

func (t *probe) destroyLater(b pjrtc.Ptr[pjrtc.Buffer]) {
	t.after(func() { quiet(t, &pjrtc.BufferDestroyArgs{Buffer: b}) })
}

// read copies a buffer of n bytes to the host, row-major.
func (t *probe) read(b pjrtc.Ptr[pjrtc.Buffer], n, rank int) ([]byte, error) {
	dst := t.host(bytes.Repeat([]byte{0xa5}, n))
	a, err := try(t, &pjrtc.BufferToHostBufferArgs{Src: b, Dst: dst, DstSize: uint64(n), HostLayout: t.layout(rowMajor(rank)...)})
	if err != nil {
		return nil, err
	}
	if err := t.await(a.Event); err != nil {
		return nil, err
	}
	return bytesAt(t, dst, n), nil
}

// holds fails the check unless the buffer has v's type, dimensions and content.
func (t *probe) holds(b pjrtc.Ptr[pjrtc.Buffer], v tensor) {
	if typ := do(t, &pjrtc.BufferElementTypeArgs{Buffer: b}).Type; typ != v.typ {
		t.fail("the buffer's type is %v, want %v", typ, v.typ)
	}
	a := do(t, &pjrtc.BufferDimensionsArgs{Buffer: b})
	if dims := items(t, "dimensions", a.Dims, a.NumDims); fmt.Sprint(dims) != fmt.Sprint(v.dims) {
		t.fail("the buffer's dimensions are %v, want %v", dims, v.dims)
	}
	if len(v.data) == 0 {
		return
	}
	got, err := t.read(b, len(v.data), len(v.dims))
	t.must(err)
	if !bytes.Equal(got, v.data) {
		i := 0
		for got[i] == v.data[i] {
			i++
		}
		t.fail("the content differs from byte %d on: %x, want %x", i, got[i:min(i+8, len(got))], v.data[i:min(i+8, len(got))])
	}
}

// rowMajor is the order of a dense row-major layout, minor to major.
func rowMajor(rank int) []int64 {
	order := make([]int64, rank)
	for i := range order {
		order[i] = int64(rank - 1 - i)
	}
	return order
}

// layout makes a layout without tiles, null for rank 0.
func (t *probe) layout(minorToMajor ...int64) pjrtc.Ptr[pjrtc.BufferMemoryLayout] {
	if len(minorToMajor) == 0 {
		return 0
	}
	l := place(t, &pjrtc.BufferMemoryLayout{Type: pjrtc.BufferMemoryLayoutTypeTiled})
	l.SetSize()
	tiled := l.Tiled()
	tiled.SetSize()
	tiled.MinorToMajor, tiled.MinorToMajorSize = list(t, minorToMajor...), uint64(len(minorToMajor))
	return pjrtc.To(l)
}

// compileOptions is a CompileOptionsProto with executable_build_options {device_ordinal: -1, num_replicas,
// num_partitions}, all that a program needs.
func compileOptions(replicas, partitions byte) string {
	build := "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + "\x20" + string([]byte{replicas}) + "\x28" + string([]byte{partitions})
	return "\x1a" + string([]byte{byte(len(build))}) + build
}

// program makes the description of a program.
func (t *probe) program(format, code string) pjrtc.Ptr[pjrtc.Program] {
	p := place(t, &pjrtc.Program{Code: text(t, code), CodeSize: uint64(len(code)), Format: text(t, format), FormatSize: uint64(len(format))})
	p.SetSize()
	return pjrtc.To(p)
}

// compile compiles a program for one device; it is destroyed when the check ends.
func (t *probe) compile(code string) pjrtc.Ptr[pjrtc.LoadedExecutable] {
	o := compileOptions(1, 1)
	e := do(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", code), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))}).Executable
	t.want(e != 0, "PJRT_Client_Compile gives no executable and no error")
	t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: e}) })
	return e
}

// once is compile for programs that many checks use and none changes.
func (t *probe) once(code string) pjrtc.Ptr[pjrtc.LoadedExecutable] {
	l, ok := t.executable[code]
	if !ok {
		o := compileOptions(1, 1)
		a, err := try(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", code), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))})
		l = loaded{a.Executable, err}
		t.executable[code] = l
	}
	if l.err != nil || l.exe == 0 {
		t.skip("the program does not compile: %v", l.err)
	}
	return l.exe
}

// describe gives the description of a loaded executable.
func (t *probe) describe(e pjrtc.Ptr[pjrtc.LoadedExecutable]) pjrtc.Ptr[pjrtc.Executable] {
	x := do(t, &pjrtc.LoadedExecutableGetExecutableArgs{LoadedExecutable: e}).Executable
	t.want(x != 0, "PJRT_LoadedExecutable_GetExecutable gives none")
	t.after(func() { quiet(t, &pjrtc.ExecutableDestroyArgs{Executable: x}) })
	return x
}

// execution says how to execute.
type execution struct {
	outputs int
	options pjrtc.ExecuteOptions
	change  func(*pjrtc.LoadedExecutableExecuteArgs)
	silent  bool // no events
}

// start executes on one device and returns the outputs, which are destroyed when the check ends, and the event.
func (t *probe) start(e pjrtc.Ptr[pjrtc.LoadedExecutable], x execution, in ...pjrtc.Ptr[pjrtc.Buffer]) ([]pjrtc.Ptr[pjrtc.Buffer], pjrtc.Ptr[pjrtc.Event], error) {
	o := place(t, &x.options)
	o.SetSize()
	outs, events := list(t, make([]pjrtc.Ptr[pjrtc.Buffer], x.outputs)...), list[pjrtc.Ptr[pjrtc.Event]](t)
	a := &pjrtc.LoadedExecutableExecuteArgs{
		Executable: e, Options: pjrtc.To(o), NumDevices: 1, NumArgs: uint64(len(in)),
		ArgumentLists: list(t, list(t, in...)), OutputLists: list(t, outs), DeviceCompleteEvents: events,
	}
	if x.silent {
		a.DeviceCompleteEvents = 0
	}
	if x.change != nil {
		x.change(a)
	}
	if _, err := try(t, a); err != nil {
		return nil, 0, err
	}
	got := items(t, "outputs", outs, uint64(x.outputs))
	for i, b := range got {
		t.want(b != 0, "output %d is null", i)
		t.destroyLater(b)
	}
	if x.silent {
		return got, 0, nil
	}
	return got, items(t, "events", events, 1)[0], nil
}

// run executes a program of one output and waits.
func (t *probe) run(e pjrtc.Ptr[pjrtc.LoadedExecutable], in ...pjrtc.Ptr[pjrtc.Buffer]) pjrtc.Ptr[pjrtc.Buffer] {
	out, ev, err := t.start(e, execution{outputs: 1}, in...)
	t.must(err)
	if err := t.await(ev); err != nil {
		t.fail("the execution: %v", err)
	}
	return out[0]
}
