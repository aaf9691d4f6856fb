package metal

import (
	"encoding/binary"

	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Program is what one operation is by our own kernels, as testdata/shim/driver.cc reads it: the memory, then the calls. It gives the
// memory in the order of the answer.
func Program(o op.Op, threads int) (program []byte, memory []op.Storage, calls int, err error) {
	p := planner{threads: threads, has: func(class) bool { return false }}
	if err := p.plan(o); err != nil {
		return nil, nil, 0, err
	}
	number := map[op.Storage]uint32{}
	le := binary.LittleEndian
	var text []byte
	for _, s := range p.steps {
		d := s.(dispatch)
		text = le.AppendUint32(text, uint32(len(d.kernel)))
		text = append(text, d.kernel...)
		text = le.AppendUint32(text, uint32(1+len(d.buffers)))
		text = le.AppendUint32(text, 1<<32-1)
		text = le.AppendUint64(text, uint64(len(d.args)))
		text = append(text, d.args...)
		for _, b := range d.buffers {
			if _, ok := number[b]; !ok {
				number[b] = uint32(len(memory))
				memory = append(memory, b)
			}
			text = le.AppendUint32(text, number[b])
		}
		for _, n := range append(d.groups[:], d.threads[:]...) {
			text = le.AppendUint64(text, uint64(n))
		}
	}
	program = le.AppendUint32(nil, uint32(len(memory)))
	for _, m := range memory {
		b := m.Bytes()
		if t, ok := m.(*temp); ok {
			b = make([]byte, t.size)
			copy(b, t.data)
		}
		program = le.AppendUint64(program, uint64(len(b)))
		program = append(program, b...)
	}
	program = le.AppendUint32(program, uint32(len(p.steps)))
	return append(program, text...), memory, len(p.steps), nil
}

// TempSize is the size of memory that the plan made, 0 of a caller's.
func TempSize(s op.Storage) int {
	if t, ok := s.(*temp); ok {
		return t.size
	}
	return 0
}

// With opens the device on libraries that take the place of Apple's frameworks, with groups of at most so many threads.
func With(threads int, libraries ...string) Options {
	return Options{libraries: libraries, threads: threads}
}
