//go:build (linux || darwin) && (amd64 || arm64) && !isthmus_portable

package call

import (
	"encoding/binary"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// The barrier. An exception that native code throws unwinds its stack down to our trampoline. The unwinder asks for what
// a compiler would have written down about that function, finds nothing, since Go's linker writes nothing of the kind,
// and C++ ends the process. So we write it down at run time, as a C++ compiler would for
//
//	try { fn(arg); } catch (std::exception &e) { … } catch (...) { … }
//
// and register it with the unwinder: where the registers are saved, and a table of two handlers for C++'s own
// personality routine, which so does all the matching. The handler is in assembly. It notes type and text, destroys the
// exception on the thread that threw it, and returns from the trampoline as if the call had.

// cxx is what the handler calls: of the first C++ that a library brought. The assembly knows the offsets.
var cxx struct {
	calloc, strndup         Fn
	begin, end, currentType Fn     // __cxa_begin_catch, __cxa_end_catch, __cxa_current_exception_type
	class                   uint64 // the mark of its exceptions, without the low byte
	personality             Fn
	spare                   mem.Addr // the note for when there is no memory for one
	send                    uintptr  // objc_msgSend, or 0: no Objective-C runtime is open
	retain                  uintptr  // the selector retain
	objects                 uintptr  // what marks the type of an exception as Apple's Objective-C runtime's, or 0

	free, demangle Fn
}

// The addresses of the barrier's code, set by the linker from the assembly files.
var personalityAddr, landedAddr, landedChainAddr, landedStepsAddr, landedWideAddr unsafe.Pointer

// guard is the barrier of the process.
var guard struct {
	sync.Mutex
	up bool
}

// note is what the handler writes down.
type note struct {
	name, what mem.Addr // C strings of ours, or 0
	class      uint64
	before     mem.Addr // the note of an exception that nobody asked for
	object     mem.Addr // the Objective-C object that was thrown, retained, or 0
}

// noteLimit bounds the texts of a note.
const noteLimit = 4096

// Guarded reports whether exceptions of C++ that a call throws become an [isthmus.Exception].
func Guarded() bool {
	guard.Lock()
	defer guard.Unlock()
	return guard.up
}

// Guard puts the barrier up, once in a process: for the unwinder and the C++ that symbol finds, which is asked for
// functions by name as the loader would for a library that was just opened, and answers 0 for those that are not there.
// It reports whether the barrier is up. When either is missing there is none, and nothing changes.
//
// Preconditions: what symbol returns stays loaded for ever.
func Guard(symbol func(name string) Fn) bool {
	guard.Lock()
	defer guard.Unlock()
	if guard.up {
		return true
	}
	register, personality := symbol("__register_frame"), symbol("__gxx_personality_v0")
	std := symbol("_ZTISt9exception")
	if register == 0 || personality == 0 || std == 0 || !together(symbol, register, symbol("_Unwind_RaiseException")) {
		return false
	}
	c := &cxx
	for name, to := range map[string]*Fn{
		"calloc": &c.calloc, "strndup": &c.strndup, "free": &c.free, "__cxa_begin_catch": &c.begin,
		"__cxa_end_catch": &c.end, "__cxa_current_exception_type": &c.currentType,
	} {
		if *to = symbol(name); *to == 0 {
			return false
		}
	}
	c.personality, c.demangle = personality, symbol("__cxa_demangle")
	c.class = classOf("GNUCC++")
	if symbol("__cxa_init_primary_exception") == 0 && symbol("__cxa_decrement_exception_refcount") != 0 {
		c.class = classOf("CLNGC++") // libc++abi
	}
	page, err := mem.Pages(FrameBytes)
	if err != nil {
		return false
	}
	// SAFETY: owner: the process, for ever; bounds: the page; alignment: bytes; thread: this one, under the lock, until
	// the unwinder gets it.
	b, err := mem.Slice[byte](page, FrameBytes)
	if err != nil {
		return false
	}
	c.spare = page // a note of zeros
	used := mem.SizeOf[note]()
	frames, fdes := describe(page, b, used, std)
	// One unwinder takes what a compiler writes for a file, LLVM's takes each function's record.
	if runtime.GOOS == "darwin" || together(symbol, register, symbol("__unw_add_dynamic_fde")) {
		for _, fde := range fdes {
			Call1(register, fde)
		}
	} else {
		Call1(register, frames)
	}
	guard.up = true
	return true
}

func classOf(s string) uint64 {
	var b [8]byte
	copy(b[1:], s)
	return binary.BigEndian.Uint64(b[:])
}

// together reports whether two functions are of one library: an unwinder that is not the one that throws is no use.
func together(symbol func(string) Fn, a, b Fn) bool {
	dladdr := symbol("dladdr")
	if a == 0 || b == 0 || dladdr == 0 {
		return false
	}
	f := Get()
	defer f.Put()
	base := func(fn Fn) uintptr {
		info, err := Slice[uintptr](f, 4) // Dl_info: the library's name and address, the symbol's
		if err != nil || f.Call(dladdr, uintptr(fn), uintptr(mem.AddrOf(info))) == 0 {
			return 0
		}
		return info[1]
	}
	at := base(a)
	return at != 0 && at == base(b)
}

// describe writes the tables of handlers and the call frame information of the trampolines into b, which lies at page,
// from at on. It returns where the latter begins, and each function's record.
func describe(page mem.Addr, b []byte, at int, std Fn) (frames mem.Addr, fdes []mem.Addr) {
	w := b[at:at]
	here := func() mem.Addr { return page + mem.Addr(at+len(w)) }
	word := func(v uint64) { w = binary.LittleEndian.AppendUint64(w, v) }
	pad := func() {
		for here()%8 != 0 {
			w = append(w, 0)
		}
	}
	type code struct {
		fn, landing, size, handlers uint64
		rules                       []byte
	}
	// SAFETY: owner: the program's code, for ever; bounds, alignment and thread: only the addresses are used.
	all := []code{{rules: cfiCall}, {rules: cfiCall}, {rules: cfiChain}, {rules: cfiSteps}, {rules: cfiWide}, {rules: cfiLookup}, {rules: cfiLookup}}
	for i, a := range [...][2]unsafe.Pointer{
		{call1Addr, landedAddr},
		{callNAddr, landedAddr},
		{chainAddr, landedChainAddr},
		{stepsAddr, landedStepsAddr},
		{wideAddr, landedWideAddr},
		{lookupAddr, nil},
		{lookupStretAddr, nil},
	} {
		c := &all[i]
		c.fn, c.landing, c.size = uint64(uintptr(a[0])), uint64(uintptr(a[1])), sizeOf(uintptr(a[0]))
		if c.landing == 0 {
			continue // exceptions pass
		}
		c.handlers = uint64(here())
		// Landing places count from the function; types are addresses, and their table ends after these bytes.
		w = append(w, 0xff, 0x00, 2+3*8+1+4+2*8, 0x00, 3*8+1)
		word(0)
		word(c.size)
		word(c.landing - c.fn)
		w = append(w, 1)          // the first action
		w = append(w, 1, 1, 2, 0) // type 1, then the next one; type 2, no next one
		word(0)                   // type 2: everything
		word(uint64(std))         // type 1
		pad()
	}
	frames = here()
	cie := here()
	record := func(body func()) {
		start := len(w)
		w = append(w, 0, 0, 0, 0)
		body()
		for (len(w)-start)%8 != 0 {
			w = append(w, 0) // DW_CFA_nop
		}
		binary.LittleEndian.PutUint32(w[start:], uint32(len(w)-start-4))
	}
	record(func() {
		w = append(w, 0, 0, 0, 0, 1)
		w = append(w, "zPLR\x00"...)
		w = append(w, 1, 0x78, cfiReturn, 11, 0x00) // code by 1, data by -8; what follows are whole addresses
		word(uint64(uintptr(personalityAddr)))
		w = append(w, 0x00, 0x00)
	})
	for i := range all {
		c := &all[i]
		fdes = append(fdes, here())
		record(func() {
			w = binary.LittleEndian.AppendUint32(w, uint32(here()-cie))
			word(c.fn)
			word(c.size)
			w = append(w, 8)
			word(c.handlers)
			w = append(w, c.rules...)
		})
	}
	word(0) // the end
	if &w[0] != &b[at] {
		panic("call: the unwinder's tables are larger than a page") // they have a fixed size
	}
	return frames, fdes
}

// sizeOf is the size of the function at pc.
func sizeOf(pc uintptr) uint64 {
	n := uintptr(1)
	for f := runtime.FuncForPC(pc); f != nil && n < FrameBytes; n++ {
		if g := runtime.FuncForPC(pc + n); g == nil || g.Entry() != f.Entry() {
			break
		}
	}
	return uint64(n)
}

// take makes a note into what Go knows, and returns the note before it.
func take(at mem.Addr) (x *isthmus.Exception, before mem.Addr) {
	if at == cxx.spare {
		return &isthmus.Exception{What: "no memory was left to say which"}, 0
	}
	// SAFETY: owner: this call, which ends it; lifetime: until drop below; bounds and alignment: the handler allocated
	// it with a note's size; thread: the frame's user.
	n := mem.At[note](at)
	x = &isthmus.Exception{Class: className(n.class)}
	if name := cString(n.name); name != "" {
		x.Name = demangled(strings.TrimPrefix(name, "*"))
	}
	x.What = cString(n.what)
	object := n.object
	before = drop(at)
	if object != 0 {
		x.Name, x.What = describeObject(object)
	}
	return x, before
}

// drop ends a note, and returns the one before it.
func drop(at mem.Addr) (before mem.Addr) {
	if at == cxx.spare {
		return 0
	}
	// SAFETY: as in take.
	n := *mem.At[note](at)
	for _, p := range []mem.Addr{n.name, n.what, at} {
		if p != 0 {
			Call1(cxx.free, p)
		}
	}
	return n.before
}

// describeObject says what an Objective-C exception is, and releases it. It is set before any is kept.
var describeObject func(object mem.Addr) (name, what string)

// GuardObjects has the barrier keep Objective-C objects that are thrown: send is objc_msgSend or has its contract, retain the
// selector of that name, objects what the first word of the type of an exception is where the runtime throws as C++ does (Apple's),
// or 0. describe is given each object, on any thread, and releases it. It is called once, before calls that throw objects.
func GuardObjects(send Fn, retain, objects uintptr, describe func(object mem.Addr) (name, what string)) {
	guard.Lock()
	defer guard.Unlock()
	describeObject = describe
	cxx.retain, cxx.objects = retain, objects
	atomic.StoreUintptr(&cxx.send, uintptr(send))
}

func cString(a mem.Addr) string {
	if a == 0 {
		return ""
	}
	// SAFETY: owner: the note; lifetime: until it is freed; bounds: strndup's own terminator, and the limit that it was
	// given; thread: the note's user.
	return mem.CString(a, noteLimit+1)
}

// demangled is the type's name as in the source, or plain.
func demangled(plain string) string {
	if cxx.demangle == 0 {
		return plain
	}
	f := Get()
	defer f.Put()
	s, err := f.Text(plain)
	if err != nil {
		return plain
	}
	out := mem.Addr(f.Call(cxx.demangle, uintptr(s), 0, 0, 0))
	if out == 0 || f.exc != 0 {
		return plain
	}
	defer Call1(cxx.free, out)
	return cString(out)
}

// className is the mark of an exception: eight bytes, the last of which tells whether it was thrown again.
func className(class uint64) string {
	b := binary.BigEndian.AppendUint64(nil, class)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b[:8]))
}

// Thrown returns the exception that the last call of the frame ended with, and nil if it returned. It is told once; what
// nobody asks for is reported when the frame goes.
func (f *Frame) Thrown() *isthmus.Exception {
	if f.exc == 0 {
		return nil
	}
	x, before := take(f.exc)
	f.exc = before
	return x
}

// Threw reports whether the last call of the frame ended with an exception that nobody has asked for.
func (f *Frame) Threw() bool { return f.exc != 0 }

// Thrown returns the exception that stopped s or a step after it, and nil if there was none. It is told once.
func (s *Step) Thrown() *isthmus.Exception {
	// SAFETY: owner: the caller of Run, by its contract, for all steps; bounds and alignment: Steps; thread: the caller's.
	for t := s; t != nil; t = mem.At[Step](t.Next) {
		if t.exc != 0 {
			var x *isthmus.Exception
			x, t.exc = take(t.exc)
			return x
		}
	}
	return nil
}

// Thrown returns the exception that the call ended with, and nil if it returned. It is told once.
func (w *Wide) Thrown() (x *isthmus.Exception) {
	if w.exc != 0 {
		x, w.exc = take(w.exc)
	}
	return x
}

// Drop forgets the exception that the call ended with, and reports whether there was one. An object that was thrown is not released:
// it is for those who ask such an object what it is, and get another.
func (w *Wide) Drop() bool {
	threw := w.exc != 0
	for w.exc != 0 {
		w.exc = drop(w.exc)
	}
	return threw
}
