//! A host in Rust that does what may go wrong. Usage: host LIBRARY CORPUS TEST; exit status 0 means that it passed.

use isthmus_bridge::{block_on, rt, wire, Bridge, Call, Cast, Config, Error, Handle, Reply, Stats};
use sample_bridge::*;
use std::collections::VecDeque;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
    fn raise(signal: i32) -> i32;
    fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;
}

const LONG: Duration = Duration::from_secs(60); // only where something hangs

fn library() -> PathBuf {
    std::env::args().nth(1).unwrap().into()
}

fn open() -> Bridge {
    sample_bridge::open(library(), Config::default()).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn order(how: &str, time: Duration, bytes: u64) -> Order {
    Order { how: how.into(), nanos: time.as_nanos() as i64, bytes }
}

fn obey(how: &str) -> Order {
    order(how, Duration::ZERO, 0)
}

fn ping(b: &Handle) -> Result<Msg, Error> {
    b.call(method::ECHO, &Ping {}.into())
}

fn text(s: &str) -> Msg {
    Text { text: s.into() }.into()
}

/// Waits until a condition holds, for a minute.
fn eventually<T: std::fmt::Debug>(mut get: impl FnMut() -> T, holds: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let v = get();
        if holds(&v) {
            return v;
        }
        assert!(began.elapsed() < LONG, "{:?}", v);
        thread::sleep(ms(1));
    }
}

/// Nothing is left: a handler that a cancellation has reached may be on its way out.
fn none_left(b: &Handle) {
    let idle = |s: &Stats| s.slots == 0 && s.in_flight == 0 && s.bytes == 0;
    eventually(|| b.stats().unwrap(), idle);
}

fn field(name: &str) -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = s.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

// --- an executor: any number of futures on this thread ---------------------------------------------------------------

#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    more: Condvar,
}

struct Task {
    index: usize,
    ready: Arc<Ready>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.ready.queue.lock().unwrap().push_back(self.index);
        self.ready.more.notify_one();
    }
}

fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut tasks: Vec<Option<Pin<Box<F>>>> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    let mut out: Vec<Option<F::Output>> = tasks.iter().map(|_| None).collect();
    let ready = Arc::new(Ready::default());
    ready.queue.lock().unwrap().extend(0..tasks.len());
    let mut left = tasks.len();
    while left > 0 {
        let mut queue = ready.queue.lock().unwrap();
        while queue.is_empty() {
            queue = ready.more.wait(queue).unwrap();
        }
        let index = queue.pop_front().unwrap();
        drop(queue);
        let task = match &mut tasks[index] {
            Some(t) => t,
            None => continue, // woken after it was done
        };
        let waker = Arc::new(Task { index, ready: ready.clone() }).into();
        if let Poll::Ready(v) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            out[index] = Some(v);
            tasks[index] = None;
            left -= 1;
        }
    }
    out.into_iter().map(Option::unwrap).collect()
}

/// Polls a future once.
fn once<F: Future + Unpin>(f: &mut F) -> Option<F::Output> {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    match Pin::new(f).poll(&mut Context::from_waker(&Arc::new(Nobody).into())) {
        Poll::Ready(v) => Some(v),
        Poll::Pending => None,
    }
}

/// A future that was polled once, and that may have been ready by then.
struct Begun<F: Future>(F, Option<F::Output>);

fn begin<F: Future + Unpin>(mut f: F) -> Begun<F> {
    let early = once(&mut f);
    Begun(f, early)
}

impl<F: Future + Unpin> Future for Begun<F>
where
    F::Output: Unpin,
{
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.1.take() {
            Some(v) => Poll::Ready(v),
            None => Pin::new(&mut self.0).poll(cx),
        }
    }
}

/// Bytes that are a message, or none.
#[derive(Debug)]
struct Raw(Vec<u8>);

impl wire::Wire for Raw {
    const MIN: usize = 0;
    fn put(&self, w: &mut wire::Writer) {
        self.0.iter().for_each(|b| b.put(w));
    }
    fn get(r: &mut wire::Reader<'_>) -> Result<Self, wire::Error> {
        let n = r.left();
        Ok(Raw(r.take(n)?.to_vec()))
    }
}

// --- the tests -------------------------------------------------------------------------------------------------------

fn echo() {
    let b = open();
    assert_eq!(ping(&b), Ok(Pong { count: 1 }.into()));
    for s in ["", "grüße \u{1F600}", &"x".repeat(1_000_000)] {
        assert_eq!(b.call(method::ECHO, &text(s)), Ok(text(s)));
        assert_eq!(block_on(b.call_async(method::ECHO, &text(s))), Ok(text(s)));
    }
    assert_eq!(b.call(method::ADD, &Point { x: 40.0, y: 2.0 }), Ok(Count { n: 42 })); // inline
    assert_eq!(block_on(b.call_async(method::ADD, &Point { x: 40.0, y: 2.0 })), Ok(Count { n: 42 }));
    let long = b.call(method::OBEY_INLINE, &order("ok", Duration::ZERO, 100_000)).unwrap(); // longer than the first buffer
    assert_eq!(long.data.0.len(), 100_000);
    let s = b.stats().unwrap();
    assert!(s.generation > 0 && s.inline_calls >= 2 && s.calls >= 8, "{:?}", s);
    let counts: Vec<u64> = thread::scope(|t| {
        let threads: Vec<_> = (0..8).map(|_| t.spawn(|| (0..500).filter(|_| ping(&b).is_ok()).count() as u64)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(counts, [500; 8]);
    let r = b.close(Duration::ZERO).unwrap();
    assert_eq!((r.closed, r.zombies, r.methods.as_str()), (0, 0, ""));
}

fn generations() {
    let missing = sample_bridge::open("/nowhere/lib.so", Config::default()).unwrap_err();
    assert!(matches!(&missing, Error::Load(t) if t.contains("/nowhere/lib.so")), "{:?}", missing);
    let other = sample_bridge::open("libm.so.6", Config::default()).unwrap_err();
    assert!(matches!(&other, Error::Load(t) if t.contains("br_init")), "{:?}", other);

    let b = open();
    let busy = sample_bridge::open(library(), Config::default()).unwrap_err();
    assert!(matches!(&busy, Error::Busy(t) if t.contains("one at a time")), "{:?}", busy);
    let stale = Handle::clone(&b);
    let scope = b.scope().unwrap();
    let mut sub = b.subscribe(method::TICK, 8).unwrap();
    let mut never = b.call_async(method::ECHO, &Ping {}.into()); // not polled before the end
    let mut done = begin(b.call_async(method::ECHO, &Ping {}.into()));
    eventually(|| b.stats().unwrap().ok, |&n| n >= 1);
    drop(b);
    let closed = |why: &str| {
        assert_eq!(ping(&stale), Err(Error::Closed), "{}", why);
        assert_eq!(stale.call(method::ADD, &Point::default()), Err(Error::Closed), "{}", why);
        assert_eq!(stale.cast(method::TELL, &Count { n: 1 }), Err(Error::Closed), "{}", why);
        assert_eq!(block_on(stale.cast_async(method::TELL, &Count { n: 1 })), Err(Error::Closed), "{}", why);
        assert!(matches!(stale.subscribe(method::TICK, 8), Err(Error::Closed)), "{}", why);
        assert!(matches!(stale.scope(), Err(Error::Closed)), "{}", why);
        assert_eq!(ping(&scope), Err(Error::Closed), "{}", why);
        assert!(!stale.is_open() && !scope.is_open());
    };
    closed("after the end");
    assert_eq!(sub.try_next(), Err(Error::Closed));
    assert_eq!(block_on(sub.next()), Err(Error::Closed));
    assert_eq!(block_on(&mut never), Err(Error::Closed));
    assert_eq!(block_on(&mut done), Ok(Pong { count: 1 }.into()), "a reply that was there did not outlive the bridge");
    let b = open();
    closed("while the next one is open");
    assert_eq!(sub.try_next(), Err(Error::Closed));
    assert_eq!(ping(&b), Ok(Pong { count: 1 }.into()));
    drop((sub, never, done));
    none_left(&b);
}

fn reinit() {
    let cycle = || {
        let b = open();
        for _ in 0..3 {
            ping(&b).unwrap();
        }
        b.cast(method::TELL, &Count { n: 1 }).unwrap();
        drop(block_on(async { b.scope().unwrap().call_async(method::ECHO, &Ping {}.into()).await }));
    };
    (0..200).for_each(|_| cycle());
    let (rss, threads) = (field("VmRSS:"), field("Threads:"));
    (0..1000).for_each(|_| cycle());
    let (rss2, threads2) = (field("VmRSS:"), field("Threads:"));
    println!("1,000 times: {} -> {} kB, {} -> {} threads", rss, rss2, threads, threads2);
    assert!(rss2 < rss + 8192 && threads2 < threads + 50); // a loaded machine has Go keep some threads more
}

/// Closing with 500 under way, of which half listen to their context.
fn flight() {
    let b = open();
    let calls: Vec<_> = (0..500).map(|i| begin(b.call_async(method::OBEY, &order(if i % 2 == 0 { "sleep" } else { "ctx" }, ms(30), 10)))).collect();
    let report = b.close(ms(500)).unwrap();
    let mut closed = 0;
    for (i, r) in all(calls).into_iter().enumerate() {
        match r {
            Ok(blob) if i % 2 == 0 => assert_eq!(blob.data.0.len(), 10),
            Err(Error::Cancelled(_)) if i % 2 == 1 => {}
            Err(Error::Closed) => closed += 1, // on a machine that was busy elsewhere
            r => panic!("{}: {:?}", i, r),
        }
    }
    assert_eq!(report.closed, closed, "{:?}", report);
    none_left(&open());
}

/// Eight threads that call, cast and give up, while the bridge is opened and closed.
fn race() {
    let rounds: usize = std::env::var("ROUNDS").map_or(100, |r| r.parse().unwrap());
    let (current, stop, calls) = (Mutex::new(None::<Handle>), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|t| {
        for i in 0..8 {
            let (current, stop, calls) = (&current, &stop, &calls);
            t.spawn(move || {
                while !stop.load(SeqCst) {
                    let b = match current.lock().unwrap().clone() {
                        Some(b) => b,
                        None => continue,
                    };
                    if !b.is_open() {
                        thread::yield_now();
                        continue;
                    }
                    for k in 0..20 {
                        let r = match (i + k) % 5 {
                            0 => ping(&b).map(drop),
                            1 => b.cast(method::TELL, &Count { n: 1 }),
                            2 => b.call(method::ADD, &Point::default()).map(drop),
                            3 => b.scope().and_then(|s| s.call_timeout(method::OBEY, &obey("ctx"), ms(1))).map(drop),
                            _ => {
                                let mut c = b.call_async(method::OBEY, &obey("ctx"));
                                once(&mut c).unwrap_or(Ok(Blob::default())).map(drop)
                            }
                        };
                        match r {
                            Ok(()) => {
                                calls.fetch_add(1, SeqCst);
                            }
                            Err(Error::Closed | Error::Deadline | Error::Again | Error::Cancelled(_)) => {}
                            Err(e) => panic!("{}", e),
                        }
                    }
                }
            });
        }
        for i in 0..rounds {
            let b = open();
            *current.lock().unwrap() = Some(Handle::clone(&b));
            thread::sleep(Duration::from_micros(i as u64 % 5 * 500));
            let r = b.close(LONG).unwrap();
            assert_eq!(r.zombies, 0, "{:?}", r);
        }
        stop.store(true, SeqCst);
    });
    println!("{} calls in {} bridges", calls.into_inner(), rounds);
    none_left(&open());
}

fn child() {
    let b = open();
    let sub = b.subscribe(method::TICK, 8).unwrap();
    let mut under_way = b.call_async(method::OBEY, &obey("ctx"));
    assert!(once(&mut under_way).is_none());
    // SAFETY: the child calls only what is under test, and ends by _exit.
    let pid = unsafe { fork() };
    if pid == 0 {
        let began = Instant::now();
        let ok = ping(&b) == Err(Error::Forked)
            && b.call(method::ADD, &Point::default()) == Err(Error::Forked)
            && b.cast(method::TELL, &Count { n: 1 }) == Err(Error::Forked)
            && block_on(b.call_async(method::ECHO, &Ping {}.into())) == Err(Error::Forked)
            && matches!(b.subscribe(method::TICK, 8), Err(Error::Forked))
            && matches!(sample_bridge::open(library(), Config::default()), Err(Error::Forked));
        drop((under_way, sub));
        let ok = ok && b.close(Duration::ZERO) == Err(Error::Forked) && began.elapsed() < LONG;
        // SAFETY: it ends the child, without what the parent has for its end.
        unsafe { _exit(if ok { 0 } else { 1 }) }
    }
    let mut status = -1;
    // SAFETY: the child is ours.
    assert_eq!(unsafe { waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert!(ping(&b).is_ok());
}

/// main ends while calls are under way, and nobody closes.
fn exit() {
    let b = open();
    for i in 0..200 {
        let b = Handle::clone(&b);
        thread::spawn(move || loop {
            let _ = b.call(method::OBEY, &order("sleep", Duration::from_micros(i), 10));
        });
    }
    eventually(|| b.stats().unwrap().ok, |&n| n > 1000);
    std::mem::forget(b);
}

/// What a scope began ends with it.
fn scopes() {
    let b = open();
    let scope = b.scope().unwrap();
    let inner = scope.scope().unwrap();
    let kept = Handle::clone(&inner);
    let mut calls: Vec<Reply<Blob>> = (0..50).map(|i| if i % 2 == 0 { &scope } else { &inner }.call_async(method::OBEY, &obey("ctx"))).collect();
    assert!(calls.iter_mut().all(|c| once(c).is_none()));
    let mut sub = inner.subscribe(method::TICK, 4).unwrap();
    eventually(|| b.stats().unwrap().running, |&n| n == 50);
    let waiting = Handle::clone(&scope);
    let blocked = thread::spawn(move || waiting.call(method::OBEY, &obey("ctx")));
    eventually(|| b.stats().unwrap().running, |&n| n == 51);
    scope.revoke();
    assert_eq!(blocked.join().unwrap(), Err(Error::Closed)); // it was asleep
    eventually(|| b.stats().unwrap(), |s| s.running == 0 && s.slots == 0); // before anybody polls
    assert!(all(calls).into_iter().all(|r| r == Err(Error::Closed)));
    assert_eq!(sub.try_next(), Err(Error::Closed));
    assert_eq!(block_on(sub.next()), Err(Error::Closed));
    for h in [&*scope, &*inner, &kept] {
        assert_eq!(ping(h), Err(Error::Closed));
        assert_eq!(h.call(method::ADD, &Point::default()), Err(Error::Closed));
        assert_eq!(h.cast(method::TELL, &Count { n: 1 }), Err(Error::Closed));
        assert!(matches!(h.scope(), Err(Error::Closed)));
    }
    assert!(ping(&b).is_ok());
    // one that waits for room, with the room that there is never free
    drop((scope, inner, sub));
    assert_eq!(b.close(Duration::ZERO).unwrap().zombies, 0);
    let b = sample_bridge::open(library(), Config { max_in_flight: 1, ..Config::default() }).unwrap();
    let mut first = b.call_async(method::OBEY, &obey("ctx"));
    assert!(once(&mut first).is_none());
    let scope = b.scope().unwrap();
    let waiting = Handle::clone(&scope);
    let blocked = thread::spawn(move || ping(&waiting));
    eventually(|| b.stats().unwrap().refused, |&n| n > 0);
    drop(scope);
    assert_eq!(blocked.join().unwrap(), Err(Error::Closed));
    drop(first);
    // when a scope has ended nothing begins in it any more, whoever is about to
    for i in 0..200 {
        let scope = b.scope().unwrap();
        let (stop, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|t| {
            for k in 0..2 {
                let (h, stop, begun) = (Handle::clone(&scope), &stop, &begun);
                t.spawn(move || {
                    while !stop.load(SeqCst) {
                        begun.fetch_add(1, SeqCst);
                        let _ = if (i + k) % 2 == 0 { h.cast(method::TELL, &Count { n: 1 }) } else { h.call(method::ECHO, &Ping {}.into()).map(drop) };
                    }
                });
            }
            eventually(|| begun.load(SeqCst), |&n| n > 2);
            scope.revoke();
            let before = b.stats().unwrap();
            let tries = begun.load(SeqCst);
            eventually(|| begun.load(SeqCst), |&n| n > tries + 4);
            let after = b.stats().unwrap();
            stop.store(true, SeqCst);
            assert_eq!((before.calls, before.casts), (after.calls, after.casts));
        });
    }
    // threads that would call for ever
    let ended = AtomicUsize::new(0);
    let value = b.threads(|t, h| {
        for _ in 0..8 {
            let (h, ended) = (h.clone(), &ended);
            t.spawn(move || {
                while h.call(method::OBEY, &obey("ctx")).is_ok() || h.is_open() {}
                ended.fetch_add(1, SeqCst);
            });
        }
        eventually(|| b.stats().unwrap().running, |&n| n > 0);
        7
    });
    assert_eq!((value, ended.load(SeqCst)), (Ok(7), 8));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        b.threads(|t, h| {
            let h = h.clone();
            t.spawn(move || while h.is_open() {});
            panic!("as asked")
        })
    }));
    assert!(panicked.is_err());
    none_left(&b);
}

fn lengths() {
    let b = open();
    let limit = b.stats().unwrap().max_request as usize;
    let long = text(&"x".repeat(limit + 1));
    assert_eq!(b.call(method::ECHO, &long), Err(Error::TooBig));
    assert_eq!(block_on(b.call_async(method::ECHO, &long)), Err(Error::TooBig));
    assert_eq!(b.call(method::OBEY_INLINE, &Order { how: "x".repeat(limit), ..Order::default() }), Err(Error::TooBig));
    assert_eq!(b.cast(method::LOAD, &Blob { data: wire::Bytes(vec![0; limit]), ..Blob::default() }), Err(Error::TooBig));
    for m in [method::OBEY, method::OBEY_INLINE] {
        assert!(matches!(b.call(m, &order("ok", Duration::ZERO, 3 << 20)), Err(Error::ReplyTooBig(t)) if t.contains("2097152")));
    }
    // the edges of what is inside the slot, and of an inline call's buffer
    let before = b.stats().unwrap().inline_calls;
    let edges = [0, 1, 100, 183, 184, 185, 192, 193, 4030, 4031, 4032, 4040, 4096, 5000, 70_000];
    for n in edges {
        for m in [method::OBEY, method::OBEY_INLINE] {
            assert_eq!(b.call(m, &order("ok", Duration::ZERO, n)).unwrap().data.0.len() as u64, n);
        }
        assert_eq!(b.call(method::ECHO, &text(&"y".repeat(n as usize))), Ok(text(&"y".repeat(n as usize))));
    }
    assert_eq!(b.stats().unwrap().inline_calls - before, edges.len() as u64, "a handler ran twice");
    drop(b);
    let b = sample_bridge::open(library(), Config { max_request: 8, max_reply: u64::MAX, ..Config::default() }).unwrap();
    assert_eq!(b.call(method::ECHO, &text("more than that")), Err(Error::TooBig));
    assert!(ping(&b).is_ok());
    let s = b.stats().unwrap();
    assert_eq!((s.max_request, s.max_reply), (8, limit as u64), "a host raised a limit");
    drop(b);
    none_left(&open());
}

fn deadlines() {
    let b = open();
    let began = Instant::now();
    let r = b.call_timeout(method::OBEY, &order("sleep", ms(2000), 0), ms(20));
    let took = began.elapsed();
    assert_eq!(r, Err(Error::Deadline));
    assert!(took >= ms(20), "{:?}", took);
    assert_eq!(block_on(b.call_async_timeout(method::OBEY, &obey("ctx"), ms(5))), Err(Error::Deadline)); // Go keeps it
    assert_eq!(block_on(b.call_async_timeout(method::ECHO, &Ping {}.into(), Duration::ZERO)), Err(Error::Deadline));
    assert_eq!(b.call_timeout(method::ECHO, &Ping {}.into(), LONG), Ok(Pong { count: 1 }.into()));
    assert_eq!(b.call_timeout(method::ECHO, &Ping {}.into(), Duration::MAX), Ok(Pong { count: 1 }.into()));
    assert_eq!(b.call_timeout(method::ADD, &Point { x: 1.0, y: 1.0 }, LONG), Ok(Count { n: 2 }));
    assert_eq!(b.call_timeout(method::OBEY_INLINE, &obey("ctx"), ms(5)), Err(Error::Deadline));
    // the wait for room is part of it
    drop(b);
    let b = sample_bridge::open(library(), Config { max_in_flight: 2, ..Config::default() }).unwrap();
    let mut full: Vec<_> = (0..2).map(|_| b.call_async(method::OBEY, &obey("ctx"))).collect();
    assert!(full.iter_mut().all(|c| once(c).is_none()));
    assert_eq!(b.call_timeout(method::ECHO, &Ping {}.into(), ms(20)), Err(Error::Deadline));
    assert_eq!(block_on(b.call_async_timeout(method::ECHO, &Ping {}.into(), ms(20))), Err(Error::Deadline));
    assert_eq!(b.cast(method::TELL, &Count { n: 1 }), Err(Error::Again));
    let later = {
        let b = Handle::clone(&b);
        thread::spawn(move || (ping(&b), block_on(b.cast_async(method::TELL, &Count { n: 1 }))))
    };
    eventually(|| b.stats().unwrap().refused, |&n| n > 10);
    full.pop(); // given up: there is room
    assert_eq!(later.join().unwrap(), (Ok(Pong { count: 1 }.into()), Ok(())));
    drop(full);
    none_left(&b);
}

/// Calls that are dropped at random points leave nothing, and their handlers learn of it.
fn cancel() {
    let b = sample_bridge::open(library(), Config { max_in_flight: 256, ..Config::default() }).unwrap();
    let mut one = b.call_async(method::OBEY, &obey("ctx"));
    assert!(once(&mut one).is_none());
    eventually(|| b.stats().unwrap().running, |&n| n == 1);
    drop(one);
    eventually(|| b.stats().unwrap(), |s| s.running == 0 && s.slots == 0 && s.abandoned >= 1);
    let mut seed = 1u64;
    let mut random = move |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    for round in 0..20u64 {
        let mut calls: Vec<_> = (0..200)
            .map(|i| {
                let how = ["ok", "sleep", "ctx", "panic"][i % 4];
                Some(b.call_async(method::OBEY, &order(how, Duration::from_micros(random(400)), random(500))))
            })
            .collect();
        let waker = Arc::new(Task { index: 0, ready: Arc::default() }).into();
        let mut cx = Context::from_waker(&waker);
        while calls.iter().any(Option::is_some) {
            let i = random(200) as usize;
            let over = match &mut calls[i] {
                Some(c) => Pin::new(c).poll(&mut cx).is_ready() || random(8) == 0,
                None => false,
            };
            if over || random(200) == 0 {
                calls[i] = None;
            }
        }
        if round % 4 == 3 {
            none_left(&b);
        }
    }
    assert!(ping(&b).is_ok());
    none_left(&b);
    let s = b.stats().unwrap();
    println!("{} calls, {} given up, {} replies came late", s.calls, s.abandoned, s.late);
    assert!(s.abandoned > 100, "{:?}", s);
}

/// A handler that never returns does not hold up its host.
fn hang() {
    let b = open();
    let calls: Vec<_> = ["hang", "ctx", "sleep"].iter().map(|how| begin(b.call_async(method::OBEY, &order(how, ms(50), 0)))).collect();
    b.cast(method::ORDER, &obey("hang")).unwrap();
    b.cast(method::ORDER, &obey("ok")).unwrap(); // behind it
    let r = b.close(ms(3000)).unwrap();
    assert!(r.waited >= ms(3000) && r.waited < LONG, "{:?}", r);
    assert!(r.zombies >= 2 && r.methods.contains("obey x") && r.methods.ends_with("order x1") && r.casts_dropped == 1, "{:?}", r);
    let got = all(calls);
    assert_eq!(got[0], Err(Error::Closed));
    assert!(matches!(got[1], Err(Error::Cancelled(_) | Error::Closed)), "{:?}", got[1]);
    assert!(matches!(got[2], Ok(_) | Err(Error::Closed)), "{:?}", got[2]);
    let b = open(); // the next one lives beside the zombies
    assert!(ping(&b).is_ok());
    assert_eq!(b.close(Duration::ZERO).unwrap().zombies, 0);
}

/// Messages that are none, in both directions. The file is that of sample.Encode.
fn corrupt() {
    let data = std::fs::read(std::env::args().nth(2).unwrap()).unwrap();
    let b = open();
    let echo: Call<Raw, Raw> = Call::new(method::ECHO.number(), false);
    let mirror: Call<Raw, Raw> = Call::new(method::MIRROR.number(), false);
    let mut at = 8;
    let block = |at: &mut usize| {
        let n = u64::from_le_bytes(data[*at..*at + 8].try_into().unwrap()) as usize;
        *at += 8 + n;
        data[*at - n..*at].to_vec()
    };
    let cases = u64::from_le_bytes(data[..8].try_into().unwrap());
    let mut futures = Vec::new();
    let mut wants = Vec::new();
    for i in 0..cases {
        let (is_msg, accepted) = (data[at] == 1, data[at + 1] == 1);
        at += 2;
        let message = block(&mut at);
        let want = if accepted { Some(block(&mut at)) } else { None };
        if is_msg && message.first() == Some(&0) || i % 7 != 0 && !accepted {
            continue; // echo answers a Ping with a Pong; the decoder has seen all of them in Go's own test
        }
        futures.push(b.call_async(if is_msg { echo } else { mirror }, &Raw(message)));
        wants.push(want);
    }
    let n = futures.len();
    for (got, want) in all(futures).into_iter().zip(wants) {
        match (got, want) {
            (Ok(got), Some(want)) => assert_eq!(got.0, want),
            (Err(Error::Decode(t)), None) => assert!(t.contains("wire: byte "), "{}", t),
            (got, want) => panic!("{:?} for {:?}", got, want),
        }
    }
    println!("{} messages", n);
    assert!(n > 3000);
    // replies and events that are not of the type that this side believes in
    let wrong: Call<Msg, Count> = Call::new(method::ECHO.number(), false);
    assert!(matches!(b.call(wrong, &Ping {}.into()), Err(Error::Wire(e)) if e.offset == 8));
    let wrong: Call<Point, Msg> = Call::new(method::ADD.number(), true);
    assert!(matches!(b.call(wrong, &Point { x: 200.0, y: 0.0 }), Err(Error::Wire(_))));
    let mut sub = b.subscribe(isthmus_bridge::Event::<Tree>::new(method::TICK.number()), 4).unwrap();
    b.call(method::EMIT, &Count { n: 1 }).unwrap();
    assert!(matches!(sub.next_timeout(LONG), Err(Error::Wire(_))));
    // what cannot be written
    let mut deep = Tree::default();
    for _ in 0..100 {
        deep = Tree { kids: vec![deep], ..Tree::default() };
    }
    let all = All {
        numbers: Numbers::default(),
        blob: Blob::default(),
        msg: Ping {}.into(),
        shape: Circle { r: 1.0 }.into(),
        tree: deep,
        growing: Growing::default(),
        deep: Vec::new(),
    };
    assert!(matches!(b.call(method::MIRROR, &all), Err(Error::Wire(e)) if e.why == "nested too deep"));
    let mirrored = All { tree: Tree::default(), ..all };
    assert_eq!(b.call(method::MIRROR, &mirrored), Ok(mirrored));
    // methods that are none, or are used in another way
    assert!(matches!(b.call(Call::<Raw, Raw>::new(12345, false), &Raw(Vec::new())), Err(Error::NoMethod(t)) if t.contains("0x3039")));
    assert!(matches!(b.call(Call::<Count, Count>::new(method::TELL.number(), false), &Count { n: 1 }), Err(Error::NoMethod(_))));
    assert!(matches!(b.call(Call::<Msg, Msg>::new(method::ECHO.number(), true), &Ping {}.into()), Err(Error::NoMethod(_))));
    b.cast(Cast::<Raw>::new(method::TELL.number()), &Raw(vec![1])).unwrap(); // nobody is told
    drop(sub);
    eventually(|| b.stats().unwrap().decode_errors, |&n| n > 100);
    none_left(&b);
}

/// What does not fit waits, and takes neither memory nor a thread.
fn flood() {
    let b = open();
    let calls = (0..10_000).map(|i| b.call_async(method::OBEY, &order("sleep", ms(1), i % 50)));
    let replies = all(calls);
    let threads = field("Threads:");
    println!("10,000 calls on {} threads", threads);
    assert!(replies.into_iter().enumerate().all(|(i, r)| r.unwrap().data.0.len() == i % 50) && threads < 64);
    let s = b.stats().unwrap();
    assert!(s.peak_in_flight <= s.max_in_flight, "{:?}", s);
    // threads that block get their turn too
    let done = AtomicUsize::new(0);
    thread::scope(|t| {
        for _ in 0..64 {
            t.spawn(|| done.fetch_add((0..20).filter(|_| ping(&b).is_ok()).count(), SeqCst));
        }
        assert!(all((0..2000).map(|_| b.call_async(method::OBEY, &order("sleep", ms(1), 0)))).iter().all(Result::is_ok));
    });
    assert_eq!(done.load(SeqCst), 64 * 20);
    // bytes
    let big = Blob { data: wire::Bytes(vec![7; 1 << 20]), ..Blob::default() };
    let before = field("VmHWM:");
    let refused = (0..300).filter(|_| b.cast(method::LOAD, &big) == Err(Error::Again)).count();
    assert!((0..100).all(|_| block_on(b.cast_async(method::LOAD, &big)).is_ok()));
    let (s, after) = (b.stats().unwrap(), field("VmHWM:"));
    println!("{} -> {} kB, {} of 64 MiB, {} refused", before, after, s.peak_bytes >> 20, refused);
    assert!(s.peak_bytes <= s.max_bytes, "{:?}", s);
    // 400 MiB were told. Beside what is under way there is what handlers have decoded, until it is collected.
    assert!(after - before < (64 << 10) * 5 / 2, "{} kB", after - before);
    // casts come in their order, and are all counted
    let before = b.call(method::HANDLED, &Ping {}).unwrap().n;
    let mut sent = 0;
    for n in 0..20_000 {
        sent += u64::from(block_on(b.cast_async(method::TELL, &Count { n })).is_ok());
    }
    assert_eq!(sent, 20_000);
    eventually(|| b.call(method::HANDLED, &Ping {}).unwrap().n, |&n| n >= before + sent);
    drop(b.close(LONG).unwrap());
    none_left(&open());
}

fn panics() {
    let b = open();
    for m in [method::OBEY, method::OBEY_INLINE] {
        for (how, says) in [("panic", "handler boom"), ("nil map", "nil map"), ("custom", "a custom error"), ("worse", "PANIC")] {
            let r = b.call(m, &obey(how));
            assert!(matches!(&r, Err(Error::Panic(t)) if t.contains(says)), "{:?}", r);
            assert!(ping(&b).is_ok());
        }
        assert!(matches!(b.call(m, &obey("error")), Err(Error::Handler(t)) if t == "the handler says no"));
        assert!(matches!(b.call(m, &obey("deep")), Err(Error::Handler(t)) if t.contains("UTF-8")));
    }
    assert!(matches!(b.call(method::OBEY, &obey("goexit")), Err(Error::Panic(t)) if t.contains("Goexit")));
    for how in ["panic", "nil map", "custom", "worse", "goexit", "error"] {
        b.cast(method::ORDER, &obey(how)).unwrap();
    }
    b.cast(method::TELL, &Count { n: 1 }).unwrap();
    eventually(|| b.stats().unwrap().in_flight, |&n| n == 0);
    let panics = b.stats().unwrap().panics;
    assert!(panics >= 14, "{}", panics);
    // the other way: a waker that panics, and one that does what a waker must not
    struct Bad(Mutex<Option<Bridge>>, Mutex<Option<Result<Msg, Error>>>);
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            let b = self.0.lock().unwrap().take();
            if let Some(b) = &b {
                *self.1.lock().unwrap() = Some(ping(b));
            }
            drop(b); // closes the bridge on Go's thread
            panic!("a waker's panic, as asked");
        }
    }
    let handle = Handle::clone(&b);
    let bad = Arc::new(Bad(Mutex::new(Some(b)), Mutex::default()));
    let waker = bad.clone().into();
    let call = loop {
        let mut c = handle.call_async(method::OBEY, &order("sleep", ms(20), 0));
        if Pin::new(&mut c).poll(&mut Context::from_waker(&waker)).is_pending() {
            break c; // or it was ready, and nobody was woken
        }
    };
    eventually(|| handle.is_open(), |&open| !open);
    assert!(matches!(block_on(call), Ok(_) | Err(Error::Closed)));
    assert!(matches!(&*bad.1.lock().unwrap(), Some(Err(Error::Argument(t))) if t.contains("waker")));
    let open = || sample_bridge::open(library(), Config::default());
    none_left(&eventually(open, Result::is_ok).unwrap());
}

fn agreement() {
    let refused = |schema: rt::Schema| Bridge::open(&library(), &schema, &Config::default()).unwrap_err();
    let host: &'static str = Box::leak(std::env::var("HOST_SCHEMA").unwrap().into_boxed_str());
    let print = std::env::var("HOST_PRINT").unwrap();
    let mut fingerprint = [0; 16];
    for (i, b) in fingerprint.iter_mut().enumerate() {
        *b = u8::from_str_radix(&print[2 * i..2 * i + 2], 16).unwrap();
    }
    match refused(rt::Schema { text: host, fingerprint }) {
        Error::Schema(t) => println!("{}", t),
        e => panic!("{:?}", e),
    }
    assert!(matches!(refused(rt::Schema { text: SCHEMA.text, fingerprint: [7; 16] }), Error::Schema(_)));
    assert!(ping(&open()).is_ok());
}

fn events() {
    let b = open();
    let mut sub = b.subscribe(method::TICK, 100).unwrap();
    assert_eq!(sub.next_timeout(ms(5)), Ok(None));
    thread::scope(|t| {
        let hearing = t.spawn(|| (0..20).map(|_| block_on(sub.next()).unwrap().n).collect::<Vec<_>>());
        b.call(method::EMIT, &Count { n: 20 }).unwrap();
        assert_eq!(hearing.join().unwrap(), (0..20).collect::<Vec<_>>());
    });
    assert_eq!((sub.try_next(), sub.lost()), (Ok(None), 0));
    // a queue that is full loses the oldest, and says so
    let mut short = b.subscribe(method::TICK, 4).unwrap();
    b.call(method::EMIT, &Count { n: 20 }).unwrap();
    assert_eq!((short.try_next(), short.lost()), (Ok(Some(Count { n: 16 })), 16));
    // or refuses the new
    let mut whole = b.subscribe(method::WHOLE, 1).unwrap();
    let blob = Blob { note: "here".into(), data: wire::Bytes(vec![1; 100_000]), ..Blob::default() };
    b.call(method::EMIT_WHOLE, &blob).unwrap();
    assert!(matches!(b.call(method::EMIT_WHOLE, &blob), Err(Error::Handler(t)) if t.contains("full")));
    assert_eq!(whole.try_next(), Ok(Some(blob)));
    // waiting can be given up, and taken up again
    {
        let mut next = whole.next();
        assert!(once(&mut next).is_none());
    }
    b.call(method::EMIT_WHOLE, &Blob::default()).unwrap();
    assert_eq!(block_on(whole.next()), Ok(Blob::default()));
    // or waits for its readers
    let mut flow = b.subscribe(method::FLOW, 2).unwrap();
    let poured = begin(b.call_async(method::POUR, &Count { n: 100 }));
    assert_eq!((0..100).map(|_| block_on(flow.next()).unwrap().n).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert_eq!((block_on(poured), flow.lost()), (Ok(Count { n: 100 }), 0));
    // the end wakes who waits
    thread::scope(|t| {
        let waiting = t.spawn(|| block_on(whole.next()));
        thread::sleep(ms(5));
        b.close(Duration::ZERO).unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Error::Closed));
    });
    none_left(&open());
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);
extern "C" fn count(_: i32) {
    SIGNALS.fetch_add(1, SeqCst);
}

fn signals() {
    let b = open();
    // SAFETY: the handler is one atomic addition.
    unsafe { signal(10, count) };
    assert_eq!(b.audit_signals(), 1);
    assert_eq!(b.audit_signals(), 0);
    thread::scope(|t| {
        t.spawn(|| (0..500).for_each(|_| drop(b.call(method::ECHO, &text(&"x".repeat(500))))));
        for _ in 0..5000 {
            // SAFETY: it has a handler.
            unsafe { raise(10) };
        }
    });
    assert_eq!(SIGNALS.load(SeqCst), 5000);
}

fn main() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Handle>();
    shared::<Bridge>();
    sent::<Reply<Msg>>();
    sent::<isthmus_bridge::Subscription<Count>>();
    assert!(Path::new(&library()).exists());
    match std::env::args().nth(3).unwrap().as_str() {
        "echo" => echo(),
        "use" => generations(),
        "reinit" => reinit(),
        "flight" => flight(),
        "race" => race(),
        "fork" => child(),
        "exit" => exit(),
        "scopes" => scopes(),
        "lengths" => lengths(),
        "deadlines" => deadlines(),
        "cancel" => cancel(),
        "hang" => hang(),
        "corrupt" => corrupt(),
        "flood" => flood(),
        "panics" => panics(),
        "agreement" => agreement(),
        "events" => events(),
        "signals" => signals(),
        name => panic!("no test {}", name),
    }
    println!("fine");
}
