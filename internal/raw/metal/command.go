package metal

import (
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// CommandBuffer is a MTLCommandBuffer. It is for one goroutine at a time.
type CommandBuffer struct {
	objc.Object
	sys        *System
	committed  atomic.Bool
	completion *objc.Completion
}

// Encoder is a MTLComputeCommandEncoder. It is for the command buffer's goroutine.
type Encoder struct{ objc.Object }

// CommandBuffer makes a command buffer, which retains what is encoded into it. Where the queue's limit is reached it blocks.
func (q *Queue) CommandBuffer(p *Pool) (*CommandBuffer, error) {
	c := &CommandBuffer{sys: q.sys}
	return result(c, p.Object(&c.Object, "MTLCommandBuffer", q.object(), rowMTLCommandQueueCommandBuffer))
}

// OnCompleted has done called when the GPU is done with the buffer, however it ended: once, on the goroutine of all signals, so that it
// must not block. It comes before Commit, and once. A buffer that is closed and was not committed never calls it.
func (c *CommandBuffer) OnCompleted(p *Pool, done func()) error {
	h, err := c.sys.rt.Arm(done)
	if err != nil {
		return err
	}
	err = p.Do(&c.Object, rowMTLCommandBufferAddCompletedHandler, h.Arg())
	c.completion = h // after an exception too: the buffer may have it
	return err
}

// Commit starts the buffer. Where that throws, the buffer's status says whether it was committed; if it does not say, it was.
func (c *CommandBuffer) Commit(p *Pool) error {
	c.committed.Store(true)
	err := p.Do(&c.Object, rowMTLCommandBufferCommit)
	if err != nil {
		if status, e := c.Status(p); e == nil && status < MTLCommandBufferStatusCommitted {
			c.committed.Store(false)
		}
	}
	return err
}

// Committed reports whether the buffer was committed, as far as is known: its handler is called.
func (c *CommandBuffer) Committed() bool { return c.committed.Load() }

// Close releases the buffer. One that was committed goes on.
func (c *CommandBuffer) Close() error {
	if c == nil {
		return nil
	}
	err := c.Object.Close()
	if err == nil && !c.committed.Load() && c.completion != nil {
		c.completion.Disarm()
	}
	return err
}

// Wait blocks its thread until the buffer is completed.
func (c *CommandBuffer) Wait(p *Pool) error {
	return p.Do(c.object(), rowMTLCommandBufferWaitUntilCompleted)
}

// Status is one of MTLCommandBufferStatus.
func (c *CommandBuffer) Status(p *Pool) (int, error) {
	return length(p.Uint(c.object(), rowMTLCommandBufferStatus))
}

// NSError is why the buffer failed, nil if it did not or is not done. Its code is one of MTLCommandBufferError.
func (c *CommandBuffer) NSError(p *Pool) (*objc.NSError, error) {
	return p.NSError(c.object(), rowMTLCommandBufferError)
}

// Times are when the GPU began and ended, in seconds of its clock; 0 before.
func (c *CommandBuffer) Times(p *Pool) (begin, end float64, err error) {
	if begin, err = p.Float(c.object(), rowMTLCommandBufferGPUStartTime); err == nil {
		end, err = p.Float(c.object(), rowMTLCommandBufferGPUEndTime)
	}
	return begin, end, err
}

// Encoder begins compute commands; only one encoder of a buffer is open at a time.
func (c *CommandBuffer) Encoder(p *Pool) (*Encoder, error) {
	e := &Encoder{}
	return result(e, p.Object(&e.Object, "MTLComputeCommandEncoder", c.object(), rowMTLCommandBufferComputeCommandEncoder))
}

// SetPipeline chooses the kernel.
func (e *Encoder) SetPipeline(p *Pool, s *Pipeline) error {
	return p.Do(e.object(), rowMTLComputeCommandEncoderSetComputePipelineState, objc.Obj(s.object()))
}

// SetBuffer gives the kernel a buffer as argument index, from offset on.
func (e *Encoder) SetBuffer(p *Pool, b *Buffer, offset, index int) error {
	return p.Do(e.object(), rowMTLComputeCommandEncoderSetBufferOffsetAtIndex, objc.Obj(b.object()), objc.Uint(offset), objc.Uint(index))
}

// SetBytes gives the kernel a copy of at most 4096 bytes as argument index.
func (e *Encoder) SetBytes(p *Pool, b []byte, index int) error {
	a, err := p.Bytes(b)
	if err != nil {
		return err
	}
	return p.Do(e.object(), rowMTLComputeCommandEncoderSetBytesLengthAtIndex, a, objc.Uint(len(b)), objc.Uint(index))
}

// SetThreadgroupMemory gives the kernel memory of a threadgroup as argument index.
func (e *Encoder) SetThreadgroupMemory(p *Pool, n, index int) error {
	return p.Do(e.object(), rowMTLComputeCommandEncoderSetThreadgroupMemoryLengthAtIndex, objc.Uint(n), objc.Uint(index))
}

// Dispatch runs the kernel on a grid of groups, of threads each.
func (e *Encoder) Dispatch(p *Pool, groups, threads [3]int) error {
	return p.Do(e.object(), rowMTLComputeCommandEncoderDispatchThreadgroupsThreadsPerThreadgroup,
		objc.Size(groups[0], groups[1], groups[2]), objc.Size(threads[0], threads[1], threads[2]))
}

// End ends the encoder, without which the buffer cannot be committed.
func (e *Encoder) End(p *Pool) error {
	return p.Do(e.object(), rowMTLComputeCommandEncoderEndEncoding)
}
