// Package bridge lets hosts in C, Haskell, Python and Rust call into Go: a program in Go with handlers becomes a shared
// library, and each host a typed client of it.
//
//	func New() *bridge.Bridge {
//		b := bridge.New(bridge.Options{Name: "demo"})
//		bridge.Call(b, "echo", func(ctx context.Context, m Msg) (Msg, error) { return m, nil })
//		bridge.Cast(b, "log", func(ctx context.Context, l Line) error { ... })
//		return b
//	}
//
// and the library's program, built with go build -buildmode=c-shared:
//
//	var b = demo.New()
//	var _ = bridge.Serve(b) // when a host loads the library; main does not run there
//
//	func main() { bridge.Main(b) } // go run . schema: the types, for isthmus bridge gen
//
// Go types are the schema (package schema says which can cross), and hosts are generated from it. At init both sides compare,
// and a host that does not fit is refused with the names of what differs.
//
// A handler gets a context that ends at the host's deadline, when the host gives the call up, and when the bridge closes. A
// panic or runtime.Goexit in it is that call's error. What is under way is bounded in number and bytes.
//
// # Hosts
//
// The library is built, and a host's half of it written, by
//
//	go build -buildmode=c-shared -o libdemo.so .
//	isthmus bridge gen . --lang c
//
// What is written builds on files of this module, which are in the folder that go list -m -f '{{.Dir}}' prints for it: for C
// include/isthmus_bridge.h (compile with -I), which says how calls are made; for Haskell, Python and Rust what is in
// bridge/hosts. In examples/bridge/hosts is a host in each language.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/raw/bridgelib"
)

// Options are the limits of a bridge. A host can lower them at init, not raise them. Zero is the default.
type Options struct {
	Name        string        // a lower-case identifier, also of the modules that are generated; no default
	Version     uint32        // of the schema: count it up with a change that breaks hosts
	MaxRequest  uint64        // bytes of a request or a cast; default 16 MiB
	MaxReply    uint64        // bytes of a reply or an event; default 16 MiB
	MaxInFlight int           // calls and casts that are under way, and handlers that run; default 4096
	MaxBytes    uint64        // of all that is under way, with what the bridge adds to each; default 256 MiB
	Drain       time.Duration // how long closing waits for handlers, unless the host says; default 1 s
}

// Bridge is a set of methods. Register them, then give it to [Serve]. Mistakes in registering are kept for [Bridge.Err].
type Bridge struct {
	o Options

	mu      sync.Mutex
	types   schema.Builder
	methods []*method
	byID    map[uint32]*method
	errs    []error
	schema  *schema.Schema

	stats bridgelib.Counters
	open  atomic.Pointer[generation]
}

// method is what is registered under a name.
type method struct {
	schema.Method
	id     uint32
	in     reflect.Type
	out    reflect.Type // of a call
	borrow bool

	inCodec, outCodec *schema.Codec
	job               func() job
}

// New makes a bridge without methods.
func New(o Options) *Bridge {
	def := func(p *uint64, v uint64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.MaxRequest, 16<<20)
	def(&o.MaxReply, 16<<20)
	def(&o.MaxBytes, 256<<20)
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 4096
	}
	if o.Drain == 0 {
		o.Drain = time.Second
	}
	b := &Bridge{o: o, stats: bridgelib.Stats()}
	if o.MaxInFlight < 0 || o.MaxInFlight > 1<<20 || o.MaxRequest > 1<<40 || o.MaxReply > 1<<40 || o.MaxBytes > 1<<40 || o.Drain < 0 {
		b.errs = append(b.errs, fmt.Errorf("bridge: options: %w: at most 2^20 calls, 2^40 bytes, and no negative time", isthmus.ErrInvalid))
	}
	return b
}

// fail keeps a mistake of registering.
func (b *Bridge) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("bridge: "+format, args...))
}

func (b *Bridge) add(m *method, handler bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.schema != nil {
		b.fail("%s %s: %w: the bridge is served already", m.Kind, m.Name, isthmus.ErrClosed)
		return
	}
	if !handler {
		b.fail("%s %s: %w: it has no handler", m.Kind, m.Name, isthmus.ErrInvalid)
		return
	}
	b.methods = append(b.methods, m)
}

// CallOption changes how a call is run.
type CallOption func(*method)

// Inline has the handler run on the thread of the host that calls it: no hop to another thread, some 100 ns. It is for what
// is short and does not wait. A host may call it the other way too. A panic in it is contained as in all handlers;
// runtime.Goexit is not, because the thread is the host's: it ends the process, with a text that says so.
func Inline() CallOption { return func(m *method) { m.Inline = true } }

// Borrow has the handler borrow the bytes of its request, the []byte in it, until it returns: they are in memory that the next
// call uses again, in place of memory of their own, which for long ones is most of what a call costs. The handler may write to
// them and reply with them, and copies what it keeps. Text, lists and all else are its own as always. What it keeps without a
// copy stays safe memory, with bytes of another call in it. After a panic the memory is not used again.
func Borrow() CallOption { return func(m *method) { m.borrow = true } }

// Call registers a method that replies. The handler runs on a goroutine of the bridge's, at most [Options.MaxInFlight] at once.
// Its error reaches the host as a text; that of its context as the deadline's or the cancellation's status.
func Call[Req, Resp any](b *Bridge, name string, handler func(context.Context, Req) (Resp, error), options ...CallOption) {
	m := &method{Method: schema.Method{Name: name, Kind: schema.Call}, in: reflect.TypeFor[Req](), out: reflect.TypeFor[Resp]()}
	for _, o := range options {
		if o != nil {
			o(m)
		}
	}
	m.job = pooled(func(pool *sync.Pool) *callJob[Req, Resp] {
		j := &callJob[Req, Resp]{pool: pool, handler: handler, in: reader[Req](m.inCodec), out: writer[Resp](m.outCodec), borrow: m.borrow}
		if m.borrow {
			j.in.d.Lend()
		}
		return j
	})
	b.add(m, handler != nil)
}

// Cast registers a method without a reply. Casts of one method run one after the other, in the order in which they came. An
// error or a panic is counted and reported ([isthmus.SetReporter]); no host is told.
func Cast[Req any](b *Bridge, name string, handler func(context.Context, Req) error) {
	m := &method{Method: schema.Method{Name: name, Kind: schema.Cast}, in: reflect.TypeFor[Req]()}
	m.job = pooled(func(pool *sync.Pool) *castJob[Req] {
		return &castJob[Req]{pool: pool, handler: handler, in: reader[Req](m.inCodec)}
	})
	b.add(m, handler != nil)
}

// Policy is what happens to an event when a subscriber's queue is full. The zero value is DropOldest.
type Policy uint8

const (
	// DropOldest makes room by dropping the oldest event; the subscriber learns how many it lost.
	DropOldest Policy = iota
	// Refuse gives the event to nobody, and [Topic.Emit] an error that wraps [isthmus.ErrLimit].
	Refuse
	// Block has [Topic.Send] wait until the event fits. For [Topic.Emit], which does not wait, it is Refuse.
	Block
)

// Topic is an event that hosts subscribe to.
type Topic[T any] struct {
	b      *Bridge
	m      *method
	policy Policy
}

// Event registers an event.
func Event[T any](b *Bridge, name string, p Policy) *Topic[T] {
	m := &method{Method: schema.Method{Name: name, Kind: schema.Event}, in: reflect.TypeFor[T]()}
	b.add(m, true)
	return &Topic[T]{b, m, p}
}

// Emit sends an event to all who have subscribed; that nobody has is no error. It does not wait. Before a host has
// initialised the bridge, and after, it is [isthmus.ErrClosed].
func (t *Topic[T]) Emit(v T) error {
	g, msg, err := t.message(v)
	if err != nil {
		return err
	}
	_, err = t.push(g, msg)
	return err
}

// Send is [Topic.Emit], but of an event with the policy [Block] it waits while a subscriber's queue is full, or the bytes under
// way are at their limit: until a host has read, ctx ends, or the bridge closes. Nobody gets the event before all do.
func (t *Topic[T]) Send(ctx context.Context, v T) error {
	g, msg, err := t.message(v)
	if err != nil {
		return err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	full, err := t.push(g, msg)
	for full && t.policy == Block {
		room := g.out.Room() // tells what is read from now on
		if full, err = t.push(g, msg); !full {
			break
		}
		retry := time.NewTimer(grace) // a call that ends gives back bytes, and tells nobody
		select {
		case <-room:
		case <-retry.C:
		case <-g.closing:
			full, err = false, fmt.Errorf("bridge: send %s: %w", t.m.Name, isthmus.ErrClosed)
		case <-ctx.Done():
			full, err = false, fmt.Errorf("bridge: send %s: %w", t.m.Name, ctx.Err())
		}
		retry.Stop()
	}
	return err
}

func (t *Topic[T]) message(v T) (*generation, []byte, error) {
	if t == nil || t.b == nil {
		return nil, nil, fmt.Errorf("bridge: emit: %w", isthmus.ErrClosed)
	}
	g := t.b.open.Load()
	if g == nil {
		return nil, nil, fmt.Errorf("bridge: emit %s: %w: no host has the bridge open", t.m.Name, isthmus.ErrClosed)
	}
	msg, err := t.m.inCodec.Append(nil, &v)
	if err == nil && uint64(len(msg)) > g.maxReply {
		err = fmt.Errorf("bridge: emit %s: %w: %d bytes, at most %d", t.m.Name, isthmus.ErrLimit, len(msg), g.maxReply)
	}
	return g, msg, err
}

// push gives an event to all, or says that it does not fit now.
func (t *Topic[T]) push(g *generation, msg []byte) (full bool, err error) {
	switch g.out.Event(t.m.id, msg, t.policy == DropOldest) {
	case bridgelib.OK, bridgelib.None:
		return false, nil
	case bridgelib.Again:
		return true, fmt.Errorf("bridge: emit %s: %w: a subscriber's queue is full", t.m.Name, isthmus.ErrLimit)
	case bridgelib.TooBig:
		return false, fmt.Errorf("bridge: emit %s: %w: %d bytes for each subscriber are more than may be under way", t.m.Name, isthmus.ErrLimit, len(msg))
	}
	return false, fmt.Errorf("bridge: emit %s: %w", t.m.Name, isthmus.ErrClosed)
}

// Sum says that values of the interface type T are those of the given struct types, in this order, which is part of the
// wire. Register it before the methods that use it.
func Sum[T any](b *Bridge, alternatives ...any) { OpenSum[T](b, nil, alternatives...) }

// OpenSum is a [Sum] that may get more alternatives while older hosts are in use. What this side does not know is a value of
// the type of unknown, which is declared with [schema.Unknown] as its underlying type.
func OpenSum[T any](b *Bridge, unknown any, alternatives ...any) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.types.Sum(reflect.TypeFor[T](), unknown, alternatives...); err != nil {
		b.errs = append(b.errs, err)
	}
}

// Codecs has a bridge use codecs that isthmus bridge gen --lang go has written, in place of reflection: the function wireCodecs
// of that file gives them.
func Codecs(b *Bridge, codecs ...schema.Generated) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.types.Use(codecs...)
}

// Err is what went wrong in registering; nil when nothing did.
func (b *Bridge) Err() error {
	_, err := b.Schema()
	return err
}

// Schema is what crosses this bridge. No method can be registered after it.
func (b *Bridge) Schema() (*schema.Schema, error) {
	if b == nil {
		return nil, fmt.Errorf("bridge: schema: %w", isthmus.ErrClosed)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.schema != nil || len(b.errs) > 0 {
		return b.schema, errors.Join(b.errs...)
	}
	b.byID = map[uint32]*method{}
	var ms []schema.Method
	codec := func(m *method, t reflect.Type) (*schema.Codec, schema.Type) {
		c, err := b.types.Codec(t)
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("bridge: %s %s: %w", m.Kind, m.Name, err))
			return nil, schema.Type{}
		}
		typ, _ := b.types.Type(t)
		return c, typ
	}
	for _, m := range b.methods {
		m.id = m.ID()
		b.byID[m.id] = m
		if m.inCodec, m.In = codec(m, m.in); m.out != nil {
			m.outCodec, m.Out = codec(m, m.out)
		}
		ms = append(ms, m.Method)
	}
	if len(b.errs) == 0 {
		s, err := b.types.Schema(b.o.Name, b.o.Version, ms)
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("bridge: %w", err))
		}
		b.schema = s
	}
	return b.schema, errors.Join(b.errs...)
}

// Stats are the numbers of br_stats: what hosts did, what is under way, what went wrong. They are of the process.
func (b *Bridge) Stats() map[string]uint64 { return bridgelib.Snapshot() }

// Serve makes b what hosts of this library find. The error is also what br_init says, so that a program may drop it:
//
//	var _ = bridge.Serve(b)
func Serve(b *Bridge) error {
	s, err := b.Schema()
	if err == nil {
		err = bridgelib.Serve(program{b}, bridgelib.Desc{
			Name: s.Name, Version: s.Version, Fingerprint: s.Fingerprint(), Schema: s.Text(),
			MaxRequest: b.o.MaxRequest, MaxReply: b.o.MaxReply, MaxInFlight: uint64(b.o.MaxInFlight), MaxBytes: b.o.MaxBytes,
		})
	}
	if err != nil {
		bridgelib.Refuse(err)
	}
	return err
}

// Main is the main function of a library's program, which no host runs: with the argument schema it prints the schema, with
// the argument codec a file in Go with codecs of its types, and that is how isthmus bridge gen gets them.
func Main(b *Bridge) {
	if len(os.Args) != 2 || os.Args[1] != "schema" && os.Args[1] != "codec" {
		fmt.Fprintln(os.Stderr, "this program is a library; build it: go build -buildmode=c-shared -o libNAME.so . (go run . schema prints what crosses)")
		os.Exit(2)
	}
	var text string
	var err error
	if os.Args[1] == "codec" {
		text, err = b.CodecSource()
	} else if s, why := b.Schema(); why != nil {
		err = why
	} else {
		text = s.Text()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// CodecSource is a file in Go with the codecs of all that methods carry, for [Codecs]. It is not formatted.
func (b *Bridge) CodecSource() (string, error) {
	if b == nil {
		return "", fmt.Errorf("bridge: codec: %w", isthmus.ErrClosed)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var roots []reflect.Type
	for _, m := range b.methods {
		if roots = append(roots, m.in); m.out != nil {
			roots = append(roots, m.out)
		}
	}
	return b.types.Source(roots...)
}
