//! The functions of isthmus_bridge.h: the only unsafe code of this crate. What leaves this module is safe, whatever is done
//! with it.
//!
//! SAFETY, of the whole module:
//! * a library is never unloaded (Go cannot be), so that its functions live as long as the process;
//! * a slot has one owner, a [`Slot`], which is given away by br_slot_free or br_abandon and at no other place;
//! * a token is an `Arc<Bell>` as a pointer; the library gives that of a submitted slot, and of an armed subscription, to the
//!   waker exactly once, also when they were given up: there the count is taken back.

use crate::Error;
use std::cell::Cell;
use std::ffi::{c_void, CStr, CString};
use std::mem::MaybeUninit;
use std::os::raw::{c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null_mut, NonNull};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

pub(crate) const OK: i32 = 0;
pub(crate) const AGAIN: i32 = 1;
pub(crate) const CLOSED: i32 = 2;
pub(crate) const ARGUMENT: i32 = 14;
pub(crate) const NONE: i32 = 17;

#[repr(C)]
struct RawSlot {
    token: *mut c_void,
    capability: i32,
    flags: u32,
    deadline_ns: u64,
    request: *mut u8,
    request_len: u64,
    reply: *mut u8,
    reply_len: u64,
    status: i32,
    method: u32,
}

#[repr(C, align(8))]
struct RawError {
    size: u32,
    version: u32,
    status: i32,
    reserved: u32,
    text: [u8; 1024],
}

#[repr(C)]
struct InitArgs {
    size: u32,
    version: u32,
    byte_order: u32,
    flags: u32,
    fingerprint: [u8; 16],
    schema: *const u8,
    schema_len: u64,
    limits: [u64; 4],
    waker: Option<unsafe extern "C" fn(i32, *mut c_void)>,
    host: *const c_char,
}

#[repr(C)]
struct RawReport {
    size: u32,
    version: u32,
    counts: [u64; 5],
    methods: [u8; 512],
}

#[repr(C)]
struct RawEvent {
    data: *mut u8,
    len: u64,
    lost: u64,
}

#[repr(C)]
struct RawStats {
    size: u32,
    version: u32,
    stats: crate::Stats,
}

macro_rules! functions { ($($name:ident = $symbol:literal: fn($($arg:ty),*) -> $out:ty;)*) => {
    /// The functions of one library.
    pub(crate) struct Api { handle: usize, $($name: unsafe extern "C" fn($($arg),*) -> $out),* }
    /// SAFETY: handle is one of dlopen's. The types are those of isthmus_bridge.h; a library that has all these symbols and
    /// another meaning of them is refused by br_init, which compares versions.
    unsafe fn resolve(handle: *mut c_void) -> Result<Api, &'static str> {
        Ok(Api { handle: handle as usize, $($name: {
            // SAFETY: handle is dlopen's, the name ends with a NUL.
            let p = unsafe { dlsym(handle, concat!($symbol, "\0").as_ptr().cast()) };
            if p.is_null() {
                return Err($symbol);
            }
            // SAFETY: as above; a function's address is as large as a pointer.
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) -> $out>(p) }
        }),* })
    }
} }

functions! {
    init = "br_init": fn(*const InitArgs, *mut RawError, *mut u64) -> i32;
    deinit = "br_deinit": fn(u64, u64, *mut RawReport) -> i32;
    slot_new = "br_slot_new": fn(u64, u32, u64, *mut *mut RawSlot) -> i32;
    submit = "br_submit": fn(*mut RawSlot) -> i32;
    abandon = "br_abandon": fn(*mut RawSlot) -> i32;
    slot_free = "br_slot_free": fn(*mut RawSlot) -> i32;
    call_inline = "br_call_inline_more": fn(u64, u32, *const u8, usize, *mut u8, usize, *mut usize, u64, *mut *mut RawSlot) -> i32;
    cast = "br_cast": fn(u64, u32, *const u8, usize) -> i32;
    subscribe = "br_subscribe": fn(u64, u32, u32, *mut u64) -> i32;
    unsubscribe = "br_unsubscribe": fn(u64, u64) -> i32;
    event_next = "br_event_next": fn(u64, u64, *mut *mut RawEvent) -> i32;
    event_free = "br_event_free": fn(*mut RawEvent) -> ();
    event_wake = "br_event_wake": fn(u64, u64, i32, *mut c_void) -> i32;
    stats = "br_stats": fn(*mut RawStats) -> i32;
    status_text = "br_status_text": fn(i32) -> *const c_char;
    signals_audit = "br_signals_audit": fn(i32) -> i32;
}

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
    fn clock_gettime(clock: c_int, t: *mut [i64; 2]) -> c_int;
}
const RTLD_NOW: c_int = 2;
const RTLD_NODELETE: c_int = 0x1000;
const CLOCK_MONOTONIC: c_int = 1;

/// lock does not know of poison: nothing that is called under a lock of this crate panics.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

/// The time until which, of CLOCK_MONOTONIC, as the library counts it; never 0, which is no deadline.
fn deadline_ns(until: Option<Instant>) -> u64 {
    let until = match until {
        None => return 0,
        Some(t) => t,
    };
    let mut t = [0; 2];
    // SAFETY: a timespec of 64-bit Linux is two i64.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut t) };
    let now = t[0] as u64 * 1_000_000_000 + t[1] as u64;
    let left = until.saturating_duration_since(Instant::now()).as_nanos();
    now.saturating_add(u64::try_from(left).unwrap_or(u64::MAX)).max(1)
}

fn text(b: &[u8]) -> String {
    let end = b.iter().position(|&c| c == 0).unwrap_or(b.len());
    String::from_utf8_lossy(&b[..end]).into_owned()
}

impl Api {
    /// The functions of the library with that path, which stays in this process.
    pub(crate) fn load(path: &Path) -> Result<&'static Api, Error> {
        static LOADED: Mutex<Vec<&'static Api>> = Mutex::new(Vec::new());
        let failed = |why: &str| Error::Load(format!("{}: {}", path.display(), why));
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| failed("its name has a NUL"))?;
        let mut loaded = lock(&LOADED);
        // SAFETY: the name ends with a NUL; the initialisers of a library in Go start its runtime, once in a process.
        let handle = unsafe { dlopen(name.as_ptr(), RTLD_NOW | RTLD_NODELETE) };
        if handle.is_null() {
            // SAFETY: dlerror's text lives until this thread's next call of its kind.
            return Err(failed(&unsafe { CStr::from_ptr(dlerror()) }.to_string_lossy()));
        }
        if let Some(api) = loaded.iter().find(|a| a.handle == handle as usize) {
            return Ok(api);
        }
        // SAFETY: the handle is dlopen's.
        let api = unsafe { resolve(handle) }.map_err(|symbol| failed(&format!("it has no function {}: it is no bridge of isthmus", symbol)))?;
        let api: &'static Api = Box::leak(Box::new(api));
        loaded.push(api);
        Ok(api)
    }

    pub(crate) fn status_text(&self, status: i32) -> String {
        // SAFETY: it takes any number, and its texts live as long as the process.
        unsafe { CStr::from_ptr((self.status_text)(status)) }.to_string_lossy().into_owned()
    }

    pub(crate) fn init(&self, schema: &crate::Schema, c: &crate::Config) -> Result<u64, Error> {
        let host = CString::new(c.name.as_str()).unwrap_or_default();
        let args = InitArgs {
            size: std::mem::size_of::<InitArgs>() as u32,
            version: 1,
            byte_order: 0x01020304,
            flags: 0,
            fingerprint: schema.fingerprint,
            schema: schema.text.as_ptr(),
            schema_len: schema.text.len() as u64,
            limits: [c.max_request, c.max_reply, c.max_in_flight, c.max_bytes],
            waker: Some(ring),
            host: host.as_ptr(),
        };
        let mut err = RawError { size: std::mem::size_of::<RawError>() as u32, version: 1, status: 0, reserved: 0, text: [0; 1024] };
        let mut generation = 0;
        // SAFETY: all three live until it returns, which keeps none of them but the waker.
        match unsafe { (self.init)(&args, &mut err, &mut generation) } {
            OK => Ok(generation),
            rc => Err(Error::new(self, rc, &text(&err.text))),
        }
    }

    pub(crate) fn deinit(&self, generation: u64, drain: Duration) -> Result<crate::Report, i32> {
        let mut r = RawReport { size: std::mem::size_of::<RawReport>() as u32, version: 1, counts: [0; 5], methods: [0; 512] };
        let drain = u64::try_from(drain.as_nanos()).unwrap_or(u64::MAX).min(i64::MAX as u64);
        // SAFETY: it takes any generation; the report lives until it returns.
        match unsafe { (self.deinit)(generation, drain, &mut r) } {
            OK => {
                let [finished, closed, casts_dropped, zombies, waited] = r.counts;
                Ok(crate::Report { finished, closed, casts_dropped, zombies, waited: Duration::from_nanos(waited), methods: text(&r.methods) })
            }
            rc => Err(rc),
        }
    }

    /// Runs an inline method on this thread. A reply that is longer than cap is none, and its length is given.
    pub(crate) fn call_inline(&self, generation: u64, method: u32, request: &[u8], until: Option<Instant>) -> (i32, Vec<u8>) {
        const CAP: usize = 4096;
        let mut out = [MaybeUninit::<u8>::uninit(); CAP];
        let (mut n, mut more) = (0, std::ptr::null_mut::<RawSlot>());
        // SAFETY: the library reads the request's bytes and writes at most CAP bytes, before it returns.
        let rc = unsafe { (self.call_inline)(generation, method, request.as_ptr(), request.len(), out.as_mut_ptr().cast(), CAP, &mut n, deadline_ns(until), &mut more) };
        if more.is_null() {
            // SAFETY: it has written min(n, CAP) bytes; it does not raise n without that.
            let reply = unsafe { std::slice::from_raw_parts(out.as_ptr().cast::<u8>(), n.min(CAP)) };
            return (rc, reply.to_vec());
        }
        // SAFETY: what did not fit is in a slot that is done, which is ours, and is freed here.
        let reply = unsafe { std::slice::from_raw_parts((*more).reply, (*more).reply_len as usize) }.to_vec();
        unsafe { (self.slot_free)(more) };
        (rc, reply)
    }

    pub(crate) fn cast(&self, generation: u64, method: u32, message: &[u8]) -> i32 {
        // SAFETY: the bytes are copied before it returns.
        unsafe { (self.cast)(generation, method, message.as_ptr(), message.len()) }
    }

    pub(crate) fn stats(&self) -> Result<crate::Stats, Error> {
        let mut s = RawStats { size: std::mem::size_of::<RawStats>() as u32, version: 1, stats: crate::Stats::default() };
        // SAFETY: a struct of ours, of the size that it says.
        match unsafe { (self.stats)(&mut s) } {
            OK => Ok(s.stats),
            rc => Err(Error::new(self, rc, "")),
        }
    }

    pub(crate) fn signals_audit(&self) -> u32 {
        // SAFETY: it only adds a flag to handlers that are installed.
        unsafe { (self.signals_audit)(1) }.max(0) as u32
    }

    pub(crate) fn subscribe(&'static self, generation: u64, method: u32, capacity: u32) -> Result<Queue, i32> {
        let mut id = 0;
        // SAFETY: it takes any numbers, and writes the id before it returns.
        match unsafe { (self.subscribe)(generation, method, capacity, &mut id) } {
            OK => Ok(Queue { api: self, generation, id }),
            rc => Err(rc),
        }
    }

    /// The next event of a subscription, and how many were lost before it.
    pub(crate) fn event_next(&self, generation: u64, id: u64) -> Result<(Vec<u8>, u64), i32> {
        let mut e = null_mut();
        // SAFETY: it takes any numbers; the event is ours when it is BR_OK.
        match unsafe { (self.event_next)(generation, id, &mut e) } {
            OK => {
                // SAFETY: the event is ours until it is freed, which is here, once; its data has len bytes, or none.
                unsafe {
                    let got = (bytes((*e).data, (*e).len), (*e).lost);
                    (self.event_free)(e);
                    Ok(got)
                }
            }
            rc => Err(rc),
        }
    }

    /// Has the bell rung when an event is there: NONE when one is there already.
    pub(crate) fn event_wake(&self, generation: u64, id: u64, bell: &Arc<Bell>) -> i32 {
        let token = Arc::into_raw(bell.clone());
        // SAFETY: the count that the token is goes to the library, which gives it to ring, when it is BR_OK.
        let rc = unsafe { (self.event_wake)(generation, id, 0, token as *mut c_void) };
        if rc != OK {
            // SAFETY: the library does not have it; it is the count of above.
            drop(unsafe { Arc::from_raw(token) });
        }
        rc
    }
}

/// SAFETY: p is NULL or has n bytes that nobody writes meanwhile.
unsafe fn bytes(p: *const u8, n: u64) -> Vec<u8> {
    if p.is_null() || n == 0 {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(p, n as usize) }.to_vec()
}

/// A subscription: it ends when this is dropped.
pub(crate) struct Queue {
    api: &'static Api,
    generation: u64,
    pub(crate) id: u64,
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it takes any numbers. A token that it has goes to ring, on this thread: no lock of a bell is held here.
        unsafe { (self.api.unsubscribe)(self.generation, self.id) };
    }
}

/// A call: not submitted yet, under way, or done. Dropping it gives it up.
pub(crate) struct Slot {
    api: &'static Api,
    raw: NonNull<RawSlot>,
    submitted: bool,
}

// SAFETY: a slot may be used from any thread, by one at a time, and a Slot is no Sync.
unsafe impl Send for Slot {}

impl Slot {
    pub(crate) fn new(api: &'static Api, generation: u64, method: u32, request: &[u8]) -> Result<Slot, i32> {
        let mut raw = null_mut();
        // SAFETY: it takes any numbers, and writes the pointer before it returns.
        let rc = unsafe { (api.slot_new)(generation, method, request.len() as u64, &mut raw) };
        let raw = match NonNull::new(raw) {
            Some(raw) if rc == OK => raw,
            _ => return Err(if rc == OK { ARGUMENT } else { rc }),
        };
        // SAFETY: the slot is ours alone, with room for request.len() bytes, which it has just been made for.
        unsafe { std::ptr::copy_nonoverlapping(request.as_ptr(), (*raw.as_ptr()).request, request.len()) };
        Ok(Slot { api, raw, submitted: false })
    }

    /// Hands the call over; the bell rings when it is done.
    pub(crate) fn submit(&mut self, until: Option<Instant>, bell: &Arc<Bell>) -> Result<(), i32> {
        let token = Arc::into_raw(bell.clone());
        // SAFETY: the slot is ours until br_submit; the count that the token is goes to the library, which gives it to ring.
        let rc = unsafe {
            let s = self.raw.as_ptr();
            (*s).token = token as *mut c_void;
            (*s).deadline_ns = deadline_ns(until);
            (self.api.submit)(s)
        };
        if rc != OK {
            // SAFETY: the library does not have it; it is the count of above.
            drop(unsafe { Arc::from_raw(token) });
            return Err(rc);
        }
        self.submitted = true;
        Ok(())
    }

    /// The status and the reply of a call whose bell has rung.
    pub(crate) fn reply(mut self) -> (i32, Vec<u8>) {
        // It is looked at through br_abandon, which says whether the call is done: a bell that rang too early must not have
        // us read what Go writes.
        // SAFETY: the slot was submitted, and not given away.
        let rc = unsafe { (self.api.abandon)(self.raw.as_ptr()) };
        self.submitted = rc != NONE;
        if rc != NONE {
            std::mem::forget(self); // it is gone
            return (if rc == OK { ARGUMENT } else { rc }, Vec::new());
        }
        // SAFETY: it is done, so that it is ours again: Go does not write it any more. Drop frees it.
        unsafe {
            let s = self.raw.as_ref();
            (s.status, bytes(s.reply, s.reply_len))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let s = self.raw.as_ptr();
        // SAFETY: the slot is given away here, once: by br_abandon while it is under way (the token goes to ring still), by
        // br_slot_free when it is done or was not submitted. In the child of a fork both leave it alone.
        unsafe {
            if !self.submitted || (self.api.abandon)(s) == NONE {
                (self.api.slot_free)(s);
            }
        }
    }
}

/// What tells a task that a call is done, an event came, or there may be room.
#[derive(Default)]
pub(crate) struct Bell(Mutex<BellState>);

#[derive(Default)]
pub(crate) struct BellState {
    pub(crate) rung: bool,
    pub(crate) revoked: bool,
    pub(crate) waker: Option<Waker>,
    pub(crate) slot: Option<Slot>,
    pub(crate) queue: Option<Queue>,
}

impl Bell {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BellState> {
        lock(&self.0)
    }

    /// Rings: the task looks again.
    pub(crate) fn ring(&self) {
        let waker = {
            let mut b = self.lock();
            b.rung = true;
            b.waker.take()
        };
        if let Some(w) = waker {
            w.wake();
        }
    }

    /// Ends what it is for, at once and for good: the call is abandoned, the subscription is over.
    pub(crate) fn revoke(&self) {
        let (slot, queue) = {
            let mut b = self.lock();
            b.revoked = true;
            (b.slot.take(), b.queue.take())
        };
        drop((slot, queue)); // not under the lock: what the library has of the bell it rings now
        self.ring();
    }
}

thread_local! {
    static IN_WAKER: Cell<bool> = const { Cell::new(false) };
}

/// Says whether this thread is Go's, inside a waker: it must not block, nor enter Go.
pub(crate) fn in_waker() -> bool {
    IN_WAKER.with(Cell::get)
}

/// The waker of br_init.
unsafe extern "C" fn ring(_capability: i32, token: *mut c_void) {
    // A panic must not cross, and that of a waker is not ours; what it says its hook has written.
    let _ = std::panic::catch_unwind(|| {
        let was = IN_WAKER.with(|w| w.replace(true));
        // SAFETY: a token is the count of an Arc<Bell> that submit or event_wake gave the library, and comes here once.
        let bell = unsafe { Arc::from_raw(token as *const Bell) };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            bell.ring();
            drop(bell); // and with it, perhaps, the task
        }));
        IN_WAKER.with(|w| w.set(was));
    });
}

const _: () = {
    assert!(std::mem::size_of::<RawSlot>() == 64);
    assert!(std::mem::size_of::<RawError>() == 1040);
    assert!(std::mem::size_of::<InitArgs>() == 96);
    assert!(std::mem::size_of::<RawReport>() == 560);
    assert!(std::mem::size_of::<RawStats>() == 216);
};
