package pjrtfake

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Fault is one way in which a function misbehaves, for [Fake.Inject].
type Fault int

// The kinds of faults. Two more are made before the table is: [Fake.Null] lacks a function, [Fake.StructSize] ends the
// table before it.
const (
	NoFault Fault = iota

	// The function fails.
	FailInvalid       // INVALID_ARGUMENT
	FailInternal      // INTERNAL
	FailExhausted     // RESOURCE_EXHAUSTED, as out of memory
	FailUnimplemented // UNIMPLEMENTED
	FailUnknownCode   // with a code that nobody knows
	FailCodeOK        // with an error whose code says that all is well
	FailNoMessage     // with an error whose text is null
	FailBadText       // with an error whose text is no UTF-8
	FailHugeText      // with an error whose text says that it has 2^62 bytes
	FailTwice         // with an error whose code cannot be read: that gives another error
	FailSize          // because the argument's size is not the one that this plugin was built with

	// The function succeeds and its results are nonsense.
	NullHandle    // objects are null
	NullArray     // arrays and texts are null, their counts are not
	Misaligned    // arrays are at odd addresses
	HugeCount     // counts and sizes are 2^62
	NegativeCount // counts and sizes are -1
	NullFunction  // deleters and callbacks are null
	BadEnum       // enums are 999
	BadBool       // what is true is 0x5a
	BadText       // texts are no UTF-8 and have NULs in them
	NegativeID    // small numbers are -7

	// The function works, and the events that it gives do not.
	LateEvent   // they fire on another thread after the function returned
	NeverEvent  // they do not fire
	FailedEvent // they carry INTERNAL
	TwiceEvent  // they call back twice
	EarlyEvent  // they call back on another thread before the registering call returns

	Slow // the function takes its time

	NumFaults
)

var faultNames = [NumFaults]string{
	"none", "invalid argument", "internal", "exhausted", "unimplemented", "unknown code", "code says ok", "no message",
	"message is no text", "message is huge", "error of an error", "size refused", "null handle", "null array",
	"misaligned array", "huge count", "negative count", "null function", "unknown enum", "bad bool", "not text",
	"negative id", "late event", "no event", "failed event", "event twice", "event early", "slow",
}

// String names the fault.
func (f Fault) String() string {
	if f < 0 || f >= NumFaults {
		return fmt.Sprintf("Fault(%d)", int(f))
	}
	return faultNames[f]
}

// Fails reports whether the function returns an error.
func (f Fault) Fails() bool { return f >= FailInvalid && f <= FailSize }

// failure is the error of a fault that fails.
func (f Fault) failure(point string) *Failure {
	text := "injected at " + point
	switch f {
	case FailInvalid:
		return invalid(text)
	case FailExhausted:
		return failed(pjrtc.ErrorCodeRESOURCEEXHAUSTED, text)
	case FailUnimplemented:
		return failed(pjrtc.ErrorCodeUNIMPLEMENTED, text)
	case FailUnknownCode:
		return failed(4711, text)
	case FailCodeOK:
		return failed(pjrtc.ErrorCodeOK, text)
	case FailSize:
		// XLA's words.
		return invalid("Unexpected " + point + "_Args size: expected 24, got 32. Check installed software versions. ")
	}
	return failed(pjrtc.ErrorCodeINTERNAL, text)
}

// Inject makes a function misbehave from now on, by its [Point] or the C name of its slot. waited is called once,
// without the fake's lock, when somebody waits for an event that NeverEvent keeps; it may be nil.
func (f *Fake) Inject(point string, how Fault, waited func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[point] = how
	f.waited = waited
}

// Disarm ends all faults and releases what they hold.
func (f *Fake) Disarm() {
	f.mu.Lock()
	clear(f.faults)
	f.waited = nil
	f.mu.Unlock()
	f.Release()
}

// Injected counts how often a fault had something to spoil.
func (f *Fake) Injected() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected
}

// faulty runs a function with a fault. The caller holds mu.
func (f *Fake) faulty(how Fault, point string, h *handler, returns bool, a mem.Addr) (result pjrtc.Ptr[pjrtc.Error], done bool) {
	serve := func() *Failure { return h.serve(f, a) }
	switch {
	case how.Fails() && returns:
		f.injected++
		if strings.Contains(point, "Destroy") || strings.Contains(point, "Decrease") || strings.Contains(point, "Fulfill") || strings.HasSuffix(point, "_destroy") || strings.HasSuffix(point, "_delete") {
			serve() // what fails to end something has ended it
		}
		e := f.objects[uintptr(f.newError(how.failure(point)))]
		e.fault = how
		return pjrtc.Ptr[pjrtc.Error](e.handle), true
	case how == Slow:
		f.injected++
		f.unlocked(func() { time.Sleep(2 * time.Millisecond) })
	case how >= LateEvent && how <= EarlyEvent:
		f.eventFault = how
		hold := f.hold
		f.hold = hold || how == LateEvent || how == NeverEvent
		err := serve()
		f.eventFault, f.hold = NoFault, hold
		if how == LateEvent && !hold {
			held := f.held
			f.held = nil
			f.calling.Go(func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				for _, run := range held {
					run()
				}
			})
		}
		return f.result(err, returns), true
	case how >= NullHandle && how <= NegativeID && h.typ != nil:
		// SAFETY: owner: the caller of the function; bounds: the struct's own size, which the caller states; thread:
		// this one.
		args, err := mem.Slice[byte](a, int(h.typ.Size()))
		if err != nil {
			return 0, false
		}
		before := append([]byte(nil), args...)
		if err := serve(); err != nil {
			return f.result(err, returns), true
		}
		f.spoil(how, h.typ, a, before, args)
		return 0, true
	}
	return 0, false
}

func (f *Fake) result(err *Failure, returns bool) pjrtc.Ptr[pjrtc.Error] {
	if err == nil || !returns {
		return 0
	}
	return f.newError(err)
}

// spoil changes the results of a function: the fields of its argument that it has changed.
func (f *Fake) spoil(how Fault, t reflect.Type, a mem.Addr, before, after []byte) {
	if t == reflect.TypeFor[pjrtc.LoadedExecutableExecuteArgs]() && how == NullHandle {
		f.spoilExecute(mem.At[pjrtc.LoadedExecutableExecuteArgs](a))
	}
	for i := range t.NumField() {
		field := t.Field(i)
		at, size := field.Offset, field.Type.Size()
		if string(before[at:at+size]) == string(after[at:at+size]) || field.Name == "StructSize" {
			continue
		}
		p := a + mem.Addr(at)
		name := field.Type.Name()
		elem := element(field.Type)
		switch {
		case name == "Func":
			if how == NullFunction {
				f.set(p, 0)
				f.hide(before, after) // what they would have ended
			}
		case elem != nil && isHandle(elem):
			if how == NullHandle {
				f.kill(*mem.At[uintptr](p))
				f.set(p, 0)
			}
		case elem != nil && elem.Kind() == reflect.Uint8:
			if how == NullArray || how == HugeCount || how == NegativeCount || how == BadText {
				f.kill(*mem.At[uintptr](p)) // bytes that are ended by their address
			}
			switch how {
			case NullArray:
				f.set(p, 0)
			case HugeCount, NegativeCount: // there must be as much as a careful client reads
				*mem.At[mem.Addr](p) = mem.AddrOf(f.huge())
			case BadText:
				f.bad = f.garbage()
				*mem.At[mem.Addr](p) = mem.AddrOf(f.bad)
				f.injected++
			}
		case elem != nil:
			switch {
			case how == NullArray:
				f.set(p, 0)
			case how == Misaligned && elem.Align() > 1:
				f.set(p, *mem.At[uintptr](p)+1)
			case how == BadEnum && elem.Kind() == reflect.Int32 && elem.Name() != "int32":
				*mem.At[int32](*mem.At[mem.Addr](p)) = 999
				f.injected++
			}
		case name == "Addr":
			if how == NullArray && field.Name != "CallbackData" { // which means something to the plugin only
				f.set(p, 0)
			}
		case field.Type.Kind() == reflect.Uint64 || field.Type.Kind() == reflect.Int64:
			switch how {
			case HugeCount:
				f.set(p, 1<<62)
			case NegativeCount:
				f.set(p, ^uintptr(0))
			}
		case field.Type.Kind() == reflect.Int32:
			switch {
			case how == BadEnum && name != "int32":
				*mem.At[int32](p) = 999
				f.injected++
			case how == NegativeID && name == "int32":
				*mem.At[int32](p) = -7
				f.injected++
			}
		case field.Type.Kind() == reflect.Bool:
			if how == BadBool {
				*mem.At[byte](p) = 0x5a
				f.injected++
			}
		}
	}
}

// spoilExecute takes the last output of each device away: results that are in lists of the caller's.
func (f *Fake) spoilExecute(a *pjrtc.LoadedExecutableExecuteArgs) {
	n := len(f.objects[uintptr(a.Executable)].prog.Outputs)
	for _, list := range array(a.OutputLists, a.NumDevices) {
		if n > 0 {
			out := array(list, uint64(n))
			f.kill(uintptr(out[n-1]))
			out[n-1] = 0
			f.injected++
		}
	}
}

func (f *Fake) set(p mem.Addr, v uintptr) {
	*mem.At[uintptr](p) = v
	f.injected++
}

// kill ends an object that no client will know.
func (f *Fake) kill(handle uintptr) {
	o := f.objects[handle]
	if o == nil || o.owned {
		return
	}
	o.dead = true
	for _, c := range f.objects {
		if c.parent == o && c.owned {
			c.dead = true
		}
	}
	if o.kind == "buffer" {
		f.gone(o)
	}
}

// hide ends the objects whose handles are in results that cannot be ended by a client.
func (f *Fake) hide(before, after []byte) {
	for at := 16; at+8 <= len(after); at += 8 {
		if string(before[at:at+8]) != string(after[at:at+8]) {
			h := uintptr(0)
			for i := 7; i >= 0; i-- {
				h = h<<8 | uintptr(after[at+i])
			}
			switch o := f.objects[h]; {
			case o == nil:
			case o.kind == "buffer" || o.kind == "event": // which the client ends itself
			default:
				f.kill(h)
			}
		}
	}
}

// element is what a pjrtc.Ptr points to, nil for other types.
func element(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Uintptr || !strings.HasPrefix(t.Name(), "Ptr[") {
		return nil
	}
	at, ok := t.MethodByName("At")
	if !ok {
		return nil
	}
	return at.Type.Out(0).Elem()
}

// isHandle reports whether only the plugin knows the insides of t.
func isHandle(t reflect.Type) bool {
	if t == reflect.TypeFor[pjrtc.Error]() || t == reflect.TypeFor[pjrtc.Memory]() {
		return true
	}
	return t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Type.Name() == "opaque"
}

// huge is a MiB of text.
func (f *Fake) huge() []byte {
	if f.big == nil {
		f.big = f.block(1 << 20)
		for i := range f.big {
			f.big[i] = 'x'
		}
	}
	return f.big
}

// garbage is text that is none.
func (f *Fake) garbage() []byte {
	b := f.block(1 << 12)
	for i := range b {
		b[i] = "\xff\x00\xc0\x80"[i%4]
	}
	return b
}
