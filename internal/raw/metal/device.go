package metal

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// Device is a MTLDevice.
type Device struct {
	objc.Object
	sys *System
}

// Queue is a MTLCommandQueue. It is safe for concurrent use.
type Queue struct {
	objc.Object
	sys *System
}

// Buffer is a MTLBuffer.
type Buffer struct{ objc.Object }

// Library is a MTLLibrary.
type Library struct{ objc.Object }

// Function is a MTLFunction.
type Function struct{ objc.Object }

// Pipeline is a MTLComputePipelineState.
type Pipeline struct{ objc.Object }

// ResourceOptions are where a buffer lies, and how it is cached.
type ResourceOptions uint

// Where a buffer lies: MTLStorageMode, shifted as MTLResourceOptions has it.
const (
	Shared  ResourceOptions = MTLStorageModeShared << 4
	Managed ResourceOptions = MTLStorageModeManaged << 4
	Private ResourceOptions = MTLStorageModePrivate << 4
)

// DefaultDevice is the system's: MTLCreateSystemDefaultDevice. A machine without one is [objc.ErrNil].
func (s *System) DefaultDevice(p *Pool) (*Device, error) {
	d := &Device{sys: s}
	if err := p.Create(&d.Object, s.table, "MTLDevice", createDevice, s.create); err != nil {
		return nil, err
	}
	return d, nil
}

// System is what the device is of.
func (d *Device) System() *System { return d.sys }

// Name is the GPU's.
func (d *Device) Name(p *Pool) (string, error) { return p.String(&d.Object, rowMTLDeviceName) }

// Unified reports whether CPU and GPU share their memory.
func (d *Device) Unified(p *Pool) (bool, error) {
	n, err := p.Uint(&d.Object, rowMTLDeviceHasUnifiedMemory)
	return n != 0, err
}

// MaxBufferLength is how long a buffer may be, in bytes.
func (d *Device) MaxBufferLength(p *Pool) (uint64, error) {
	return p.Uint(&d.Object, rowMTLDeviceMaxBufferLength)
}

// WorkingSet is how many bytes the GPU can have in use without slowing down.
func (d *Device) WorkingSet(p *Pool) (uint64, error) {
	return p.Uint(&d.Object, rowMTLDeviceRecommendedMaxWorkingSetSize)
}

// RegistryID tells the machine's GPUs apart.
func (d *Device) RegistryID(p *Pool) (uint64, error) {
	return p.Uint(&d.Object, rowMTLDeviceRegistryID)
}

// SupportsFamily reports whether the GPU is of a MTLGPUFamily.
func (d *Device) SupportsFamily(p *Pool, family int) (bool, error) {
	n, err := p.Uint(&d.Object, rowMTLDeviceSupportsFamily, objc.Uint(family))
	return n != 0, err
}

// MaxThreads is how many threads a threadgroup may have in each dimension.
func (d *Device) MaxThreads(p *Pool) ([3]int, error) {
	return p.Size(&d.Object, rowMTLDeviceMaxThreadsPerThreadgroup)
}

// NewQueue makes a queue of at most limit command buffers that are not done; one more blocks its thread.
func (d *Device) NewQueue(p *Pool, limit int) (*Queue, error) {
	q := &Queue{sys: d.sys}
	return result(q, p.Object(&q.Object, "MTLCommandQueue", &d.Object, rowMTLDeviceNewCommandQueueWithMaxCommandBufferCount, objc.Uint(limit)))
}

// NewBuffer makes a buffer of length bytes, zeroed.
func (d *Device) NewBuffer(p *Pool, length int, o ResourceOptions) (*Buffer, error) {
	b := &Buffer{}
	return result(b, p.Object(&b.Object, "MTLBuffer", &d.Object, rowMTLDeviceNewBufferWithLengthOptions, objc.Uint(length), objc.Uint(uint(o))))
}

// NewBufferOf makes a buffer with a copy of data.
func (d *Device) NewBufferOf(p *Pool, data []byte, o ResourceOptions) (*Buffer, error) {
	a, err := p.Bytes(data)
	if err != nil {
		return nil, err
	}
	b := &Buffer{}
	return result(b, p.Object(&b.Object, "MTLBuffer", &d.Object, rowMTLDeviceNewBufferWithBytesLengthOptions, a, objc.Uint(len(data)), objc.Uint(uint(o))))
}

// NewLibrary compiles Metal source, by the rules of IEEE 754: what the compiler does without options (fast math) leaves NaN and
// infinities undefined. What the compiler says is in the *[objc.NSError].
func (d *Device) NewLibrary(p *Pool, source string) (*Library, error) {
	text, err := p.Text(source)
	if err != nil {
		return nil, err
	}
	var exact objc.Object // a MTLCompileOptions
	if err := d.sys.make(p, &exact, compileOptions, rowMTLCompileOptionsInit); err != nil {
		return nil, err
	}
	l := &Library{}
	if err = keepIEEE(p, &exact); err == nil {
		err = p.Object(&l.Object, "MTLLibrary", &d.Object, rowMTLDeviceNewLibraryWithSourceOptionsError, text, objc.Obj(&exact))
	}
	if e := exact.Close(); err == nil && e != nil {
		err = errors.Join(e, l.Close())
	}
	return result(l, err)
}

const compileOptions = "MTLCompileOptions"

// keepIEEE has a compiler keep to IEEE 754, in the way of macOS 15 or in that of the systems before.
func keepIEEE(p *Pool, options *objc.Object) error {
	if options.Supports(rowMTLCompileOptionsSetMathMode) == nil {
		return p.Do(options, rowMTLCompileOptionsSetMathMode, objc.Uint(MTLMathModeSafe))
	}
	return p.Do(options, rowMTLCompileOptionsSetFastMathEnabled, objc.Bool(false))
}

// NewPipeline makes a kernel of a library ready to run.
func (d *Device) NewPipeline(p *Pool, f *Function) (*Pipeline, error) {
	s := &Pipeline{}
	return result(s, p.Object(&s.Object, "MTLComputePipelineState", &d.Object, rowMTLDeviceNewComputePipelineStateWithFunctionError, objc.Obj(f.object())))
}

// NewFunction finds a kernel by name. One that is not there is [objc.ErrNil].
func (l *Library) NewFunction(p *Pool, name string) (*Function, error) {
	text, err := p.Text(name)
	if err != nil {
		return nil, err
	}
	f := &Function{}
	return result(f, p.Object(&f.Object, "MTLFunction", l.object(), rowMTLLibraryNewFunctionWithName, text))
}

// Name is the kernel's.
func (f *Function) Name(p *Pool) (string, error) { return p.String(f.object(), rowMTLFunctionName) }

// MaxThreads is how many threads a threadgroup of the kernel may have.
func (s *Pipeline) MaxThreads(p *Pool) (int, error) {
	return length(p.Uint(s.object(), rowMTLComputePipelineStateMaxTotalThreadsPerThreadgroup))
}

// Width is how many threads run together.
func (s *Pipeline) Width(p *Pool) (int, error) {
	return length(p.Uint(s.object(), rowMTLComputePipelineStateThreadExecutionWidth))
}

// Len is the buffer's length.
func (b *Buffer) Len(p *Pool) (int, error) { return length(p.Uint(b.object(), rowMTLBufferLength)) }

// Bytes is the buffer's memory: nothing else may be done with it while the GPU has it, and nothing at all after Close. A buffer that
// the CPU cannot see is [objc.ErrNil].
func (b *Buffer) Bytes(p *Pool) ([]byte, error) {
	n, err := b.Len(p)
	if err != nil {
		return nil, err
	}
	return p.Memory(b.object(), n, rowMTLBufferContents)
}

// DidModify says that the CPU wrote a part of a managed buffer.
func (b *Buffer) DidModify(p *Pool, at, n int) error {
	return p.Do(b.object(), rowMTLBufferDidModifyRange, objc.Range(at, n))
}

// result is v, or the error alone.
func result[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// length checks a length that came from native code.
func length(n uint64, err error) (int, error) {
	if err == nil && n > uint64(^uint(0)>>1) {
		err = fmt.Errorf("metal: a length of %d: %w", n, isthmus.ErrBounds)
	}
	return int(n), err
}
