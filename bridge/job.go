package bridge

import (
	"context"
	"sync"

	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

// job is one use of a method: decode, run, encode, free, each once. encode appends the reply to dst where there is room; with
// reuse it may be in memory of the job's, good until free. free is not called when the handler has not returned.
type job interface {
	decode(request []byte) error
	run(ctx context.Context) error
	encode(dst []byte, reuse bool) ([]byte, error)
	free()
}

// pooled has the jobs of a method used again.
func pooled[J job](fresh func(*sync.Pool) J) func() job {
	pool := &sync.Pool{}
	return func() job {
		if j, ok := pool.Get().(J); ok {
			return j
		}
		return fresh(pool)
	}
}

// decoder is a decoder of T that is used again: a generated function, or else the codec.
type decoder[T any] struct {
	codec *schema.Codec
	get   func(*wire.Decoder, *T)
	d     wire.Decoder
}

func reader[T any](c *schema.Codec) decoder[T] {
	_, get := schema.Functions[T](c)
	return decoder[T]{codec: c, get: get}
}

func (d *decoder[T]) decode(msg []byte, v *T) error {
	if d.get == nil {
		return d.codec.DecodeWith(&d.d, msg, v)
	}
	d.d.Reset(msg)
	d.get(&d.d, v)
	return d.d.Finish()
}

// encoder likewise.
type encoder[T any] struct {
	codec *schema.Codec
	put   func(*wire.Encoder, *T)
	e     wire.Encoder
}

func writer[T any](c *schema.Codec) encoder[T] {
	put, _ := schema.Functions[T](c)
	return encoder[T]{codec: c, put: put}
}

func (e *encoder[T]) append(dst []byte, v *T) ([]byte, error) {
	if e.put == nil {
		return e.codec.AppendWith(&e.e, dst, v)
	}
	e.e.Reset(dst)
	e.put(&e.e, v)
	return e.e.Finish()
}

// kept is how much memory a job that waits for its next use has, of each kind.
const kept = 128 << 10

type callJob[Req, Resp any] struct {
	pool    *sync.Pool
	handler func(context.Context, Req) (Resp, error)
	in      decoder[Req]
	out     encoder[Resp]
	req     Req
	resp    Resp
	reply   []byte
	last    int // length of the reply before
	borrow  bool
	message []byte // that the request refers to, if the handler borrows it
}

func (j *callJob[Req, Resp]) decode(request []byte) error {
	if j.borrow {
		j.message = append(j.message[:0], request...)
		request = j.message
	}
	return j.in.decode(request, &j.req)
}

func (j *callJob[Req, Resp]) run(ctx context.Context) (err error) {
	j.resp, err = j.handler(ctx, j.req)
	return err
}

func (j *callJob[Req, Resp]) encode(dst []byte, reuse bool) ([]byte, error) {
	if reuse && cap(dst) < j.last && cap(dst) < cap(j.reply) {
		dst = j.reply[:0]
	}
	room := cap(dst)
	dst, err := j.out.append(dst, &j.resp)
	j.last = len(dst)
	if reuse && cap(dst) > room { // it is in memory that was made for it
		j.reply = dst
	}
	return dst, err
}

func (j *callJob[Req, Resp]) free() {
	var req Req
	var resp Resp
	j.req, j.resp = req, resp
	j.in.d.Reset(nil)
	j.out.e.Reset(nil)
	if cap(j.reply) > kept {
		j.reply = nil
	}
	if cap(j.message) > kept {
		j.message = nil
	}
	j.pool.Put(j)
}

type castJob[Req any] struct {
	pool    *sync.Pool
	handler func(context.Context, Req) error
	in      decoder[Req]
	req     Req
}

func (j *castJob[Req]) decode(request []byte) error { return j.in.decode(request, &j.req) }

func (j *castJob[Req]) run(ctx context.Context) error { return j.handler(ctx, j.req) }

func (j *castJob[Req]) encode(dst []byte, _ bool) ([]byte, error) { return dst, nil }

func (j *castJob[Req]) free() {
	var req Req
	j.req = req
	j.in.d.Reset(nil)
	j.pool.Put(j)
}
