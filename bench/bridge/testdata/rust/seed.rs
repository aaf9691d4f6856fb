//! A library of the shape that the requirement describes: senders in a static, bounded channels of 256 for calls, casts and
//! responses, a worker thread that takes calls and casts, a dispatch thread that writes the response and calls the host back.
//! With the feature flume-channels (cargo) the channels are flume's, and the worker selects between two; without it (rustc
//! alone) they are std's, and the worker has one for both, as std has no select.
//!
//! The codec is written by hand for these three messages, and checks what it must: it is faster than serde's.
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread::{self, JoinHandle};

#[cfg(feature = "flume-channels")]
use flume::{bounded, Sender};
#[cfg(not(feature = "flume-channels"))]
use std::sync::mpsc::{sync_channel as bounded, SyncSender as Sender};

macro_rules! exported { ($($plain:literal $flume:literal fn $name:ident($($a:ident: $t:ty),*) $(-> $r:ty)? $body:block)*) => { $(
    /// SAFETY: pointers are of the host's, with as many bytes as it says, for as long as the call takes.
    #[cfg_attr(feature = "flume-channels", export_name = $flume)]
    #[cfg_attr(not(feature = "flume-channels"), export_name = $plain)]
    pub unsafe extern "C" fn $name($($a: $t),*) $(-> $r)? {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| $body)) {
            Ok(r) => r,
            Err(_) => std::process::abort(),
        }
    }
)* } }

pub enum Msg {
    Ping,
    Pong,
    Blob(Vec<u8>),
}

fn decode(b: &[u8]) -> Option<Msg> {
    match b {
        [0] => Some(Msg::Ping),
        [1] => Some(Msg::Pong),
        [2, rest @ ..] if rest.len() >= 8 => {
            let (n, data) = rest.split_at(8);
            if u64::from_le_bytes(n.try_into().unwrap()) == data.len() as u64 { Some(Msg::Blob(data.to_vec())) } else { None }
        }
        _ => None,
    }
}

fn encode(m: &Msg) -> Vec<u8> {
    match m {
        Msg::Ping => vec![0],
        Msg::Pong => vec![1],
        Msg::Blob(data) => {
            let mut b = Vec::with_capacity(9 + data.len());
            b.push(2);
            b.extend_from_slice(&(data.len() as u64).to_le_bytes());
            b.extend_from_slice(data);
            b
        }
    }
}

fn handle(m: Msg) -> Msg {
    match m {
        Msg::Blob(b) => Msg::Blob(b),
        _ => Msg::Pong,
    }
}

type Callback = unsafe extern "C" fn(*mut c_void, *const u8, usize);
struct Token(*mut c_void);
// SAFETY: it is only given back to the host.
unsafe impl Send for Token {}

enum Work {
    Call(Token, Msg),
    #[cfg_attr(feature = "flume-channels", allow(dead_code))]
    Cast(Msg),
}

struct Senders {
    call: Sender<Work>,
    #[cfg(feature = "flume-channels")]
    cast: Sender<Msg>,
    longest: usize,
}

static SENDERS: RwLock<Option<Senders>> = RwLock::new(None);
static THREADS: Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>> = Mutex::new(None);
static TOLD: AtomicU64 = AtomicU64::new(0);

fn told(_: Msg) {
    TOLD.fetch_add(1, Ordering::Relaxed);
}

/// SAFETY: p has n bytes.
unsafe fn message(p: *const u8, n: usize, longest: usize) -> Msg {
    assert!(n <= longest);
    decode(unsafe { std::slice::from_raw_parts(p, n) }).expect("a message that is none")
}

exported! {
    "rs_init" "fl_init" fn init(callback: Callback, longest: usize) {
        let (call, calls) = bounded::<Work>(256);
        #[cfg(feature = "flume-channels")]
        let (cast, casts) = bounded::<Msg>(256);
        let (done, responses) = bounded::<(Token, Msg)>(256);
        let work = move |w| match w {
            Work::Call(token, m) => done.send((token, handle(m))).unwrap(),
            Work::Cast(m) => told(m),
        };
        #[cfg(not(feature = "flume-channels"))]
        let worker = thread::spawn(move || calls.into_iter().for_each(work));
        #[cfg(feature = "flume-channels")]
        let worker = thread::spawn(move || {
            let (mut a, mut b) = (true, true);
            while a || b {
                let mut select = flume::Selector::new();
                if a {
                    select = select.recv(&calls, |r| r.map(&work).unwrap_or_else(|_| a = false));
                }
                if b {
                    select = select.recv(&casts, |r| r.map(told).unwrap_or_else(|_| b = false));
                }
                select.wait();
            }
        });
        let dispatch = thread::spawn(move || {
            for (token, m) in responses {
                let b = encode(&m);
                // SAFETY: the host's function, and a token of its own.
                unsafe { callback(token.0, b.as_ptr(), b.len()) }
            }
        });
        *SENDERS.write().unwrap() = Some(Senders { call, #[cfg(feature = "flume-channels")] cast, longest });
        *THREADS.lock().unwrap() = Some((worker, dispatch));
    }
    "rs_deinit" "fl_deinit" fn deinit() {
        *SENDERS.write().unwrap() = None;
        if let Some((worker, dispatch)) = THREADS.lock().unwrap().take() {
            worker.join().unwrap();
            dispatch.join().unwrap();
        }
    }
    "rs_call" "fl_call" fn call(token: *mut c_void, p: *const u8, n: usize) {
        let s = SENDERS.read().unwrap();
        let s = s.as_ref().expect("not initialised");
        s.call.send(Work::Call(Token(token), message(p, n, s.longest))).unwrap();
    }
    "rs_cast" "fl_cast" fn cast(p: *const u8, n: usize) {
        let s = SENDERS.read().unwrap();
        let s = s.as_ref().expect("not initialised");
        let m = message(p, n, s.longest);
        #[cfg(feature = "flume-channels")]
        s.cast.send(m).unwrap();
        #[cfg(not(feature = "flume-channels"))]
        s.call.send(Work::Cast(m)).unwrap();
    }
    "rs_told" "fl_told" fn count() -> u64 { TOLD.load(Ordering::Relaxed) }
    "rs_inline" "fl_inline" fn inline(p: *const u8, n: usize, out: *mut u8, cap: usize) -> i64 {
        let b = encode(&handle(message(p, n, 1 << 20)));
        assert!(b.len() <= cap);
        std::ptr::copy_nonoverlapping(b.as_ptr(), out, b.len());
        b.len() as i64
    }
}
