//! Calls and casts as futures: one state machine for all.

use crate::bridge::Handle;
use crate::ffi::{self, Bell, Slot};
use crate::wire::{self, Wire};
use crate::Error;
use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

enum Phase {
    New(Vec<u8>),
    Queued(Vec<u8>), // its bell rings when there may be room
    Sent,            // its bell has the slot, and rings when it is done
    Failed(Error),   // before it began
    Over,
}

/// A call, or a cast that waits for room.
pub(crate) struct Pending {
    handle: Handle,
    bell: Arc<Bell>,
    method: u32,
    cast: bool,
    until: Option<Instant>,
    phase: Phase,
}

impl Pending {
    pub(crate) fn new(handle: &Handle, method: u32, cast: bool, message: Result<Vec<u8>, wire::Error>, until: Option<Instant>) -> Pending {
        let phase = match message {
            Ok(m) => Phase::New(m),
            Err(e) => Phase::Failed(e.into()),
        };
        Pending { handle: handle.clone(), bell: Arc::default(), method, cast, until, phase }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Error>> {
        match self.step(cx) {
            Ok(None) => Poll::Pending,
            Ok(Some(reply)) => {
                self.end();
                Poll::Ready(Ok(reply))
            }
            Err(e) => {
                self.end();
                Poll::Ready(Err(e))
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<Option<Vec<u8>>, Error> {
        let handle = self.handle.clone();
        let core = handle.core();
        loop {
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => return Err(Error::Argument("this future has given its result already".into())),
                Phase::Failed(e) => return Err(e),
                Phase::Sent => {
                    let slot = {
                        let mut bell = self.bell.lock();
                        if bell.revoked {
                            return Err(Error::Closed);
                        }
                        if !bell.rung {
                            bell.waker = Some(cx.waker().clone());
                            self.phase = Phase::Sent;
                            return Ok(None);
                        }
                        bell.slot.take()
                    };
                    let (status, reply) = slot.ok_or(Error::Closed)?.reply();
                    core.room.ring(1);
                    return core.result(status, reply).map(Some);
                }
                phase @ (Phase::New(_) | Phase::Queued(_)) => {
                    let (message, queued) = match phase {
                        Phase::Queued(m) => (m, true),
                        Phase::New(m) => (m, false),
                        _ => return Err(Error::Closed),
                    };
                    if !queued {
                        handle.hold(&self.bell)?;
                    }
                    if !handle.is_open() {
                        return Err(Error::Closed);
                    }
                    if self.until.map_or(false, |t| t <= Instant::now()) {
                        return Err(Error::Deadline);
                    }
                    if queued {
                        let mut bell = self.bell.lock();
                        if !bell.rung {
                            bell.waker = Some(cx.waker().clone());
                            self.phase = Phase::Queued(message);
                            return Ok(None);
                        }
                        bell.rung = false;
                    }
                    if !queued && core.room.is_full()? {
                        core.room.join(self.until, &self.bell, false)?;
                        self.phase = Phase::Queued(message);
                        continue;
                    }
                    match self.send(&message) {
                        Ok(()) if self.cast => return Ok(Some(Vec::new())),
                        Ok(()) => self.phase = Phase::Sent,
                        Err(ffi::AGAIN) => {
                            core.room.join(self.until, &self.bell, queued)?;
                            self.phase = Phase::Queued(message);
                        }
                        Err(status) => return Err(core.error(status)),
                    }
                }
            }
        }
    }

    fn send(&self, message: &[u8]) -> Result<(), i32> {
        self.handle.within(|| self.send_now(message)).unwrap_or(Err(ffi::CLOSED))
    }

    fn send_now(&self, message: &[u8]) -> Result<(), i32> {
        let core = self.handle.core();
        if self.cast {
            return match core.api.cast(core.generation, self.method, message) {
                ffi::OK => Ok(()),
                status => Err(status),
            };
        }
        let mut slot = Slot::new(core.api, core.generation, self.method, message)?;
        slot.submit(self.until, &self.bell)?;
        let mut bell = self.bell.lock();
        if bell.revoked {
            drop(bell);
            return Err(ffi::CLOSED); // the slot is dropped: given up
        }
        bell.slot = Some(slot);
        Ok(())
    }

    /// Gives up what is under way. The bell may live on as a token, without this task.
    fn end(&mut self) {
        let was_queued = matches!(std::mem::replace(&mut self.phase, Phase::Over), Phase::Queued(_));
        let (slot, waker, rung) = {
            let mut bell = self.bell.lock();
            (bell.slot.take(), bell.waker.take(), bell.rung)
        };
        if slot.is_some() || (was_queued && rung) {
            drop(slot);
            self.handle.core().room.ring(1); // the room that it had, or was rung for
        }
        drop(waker);
        self.handle.release(&self.bell);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !matches!(self.phase, Phase::Over) {
            self.end();
        }
    }
}

/// The reply of a call: it begins when it is polled, and is given up when it is dropped.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Reply<O> {
    pub(crate) pending: Pending,
    pub(crate) out: PhantomData<fn() -> O>,
}

impl<O: Wire> Future for Reply<O> {
    type Output = Result<O, Error>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.pending.poll(cx).map(|r| Ok(wire::decode(&r?)?))
    }
}

/// A cast that waits for room: done when the library has taken it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Told(pub(crate) Pending);

impl Future for Told {
    type Output = Result<(), Error>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|r| r.map(|_| ()))
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Runs a future on this thread, which sleeps while it waits.
pub fn block_on<F: Future>(f: F) -> F::Output {
    let mut f = Box::pin(f);
    loop {
        if let Some(v) = block_until(&mut f, None) {
            return v;
        }
    }
}

/// block_on until a time.
pub(crate) fn block_until<F: Future + Unpin>(f: &mut F, until: Option<Instant>) -> Option<F::Output> {
    let waker = WAKER.with(|w| w.borrow_mut().get_or_insert_with(|| Arc::new(Parked(thread::current())).into()).clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(v) = Pin::new(&mut *f).poll(&mut cx) {
            return Some(v);
        }
        match until {
            None => thread::park(),
            Some(t) => match t.checked_duration_since(Instant::now()) {
                None => return None,
                Some(left) => thread::park_timeout(left),
            },
        }
    }
}
