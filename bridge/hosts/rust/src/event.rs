use crate::bridge::Handle;
use crate::call::block_until;
use crate::ffi::{self, Bell};
use crate::wire::{self, Wire};
use crate::Error;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Events that this host hears, until it is dropped.
pub struct Subscription<T> {
    handle: Handle,
    bell: Arc<Bell>,
    id: u64,
    armed: bool,
    lost: u64,
    types: PhantomData<fn() -> T>,
}

impl<T: Wire> Subscription<T> {
    pub(crate) fn new(handle: &Handle, method: u32, capacity: u32) -> Result<Self, Error> {
        let (core, bell) = (handle.core(), Arc::<Bell>::default());
        let queue = handle.within(|| core.api.subscribe(core.generation, method, capacity))?.map_err(|s| core.error(s))?;
        let id = queue.id;
        bell.lock().queue = Some(queue);
        let s = Subscription { handle: handle.clone(), bell, id, armed: false, lost: 0, types: PhantomData };
        handle.hold(&s.bell)?; // or it is dropped
        Ok(s)
    }

    /// How many events were lost because the queue had no place for them.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Result<Option<T>, Error> {
        let core = self.handle.core();
        if !self.handle.is_open() {
            return Err(Error::Closed);
        }
        match core.api.event_next(core.generation, self.id) {
            Ok((message, lost)) => {
                self.lost += lost;
                Ok(Some(wire::decode(&message)?))
            }
            Err(ffi::NONE) => Ok(None),
            Err(ffi::ARGUMENT) => Err(Error::Closed), // its scope has ended it
            Err(status) => Err(core.error(status)),
        }
    }

    /// The next event. Dropping the future loses nothing.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Next<'_, T> {
        Next(self)
    }

    /// The next event; nothing when there was none in time. It blocks.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<T>, Error> {
        if ffi::in_waker() {
            return Err(Error::Argument("a waker must not block".into()));
        }
        block_until(&mut self.next(), Instant::now().checked_add(limit)).transpose()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        loop {
            if let Some(v) = self.try_next()? {
                return Poll::Ready(Ok(v));
            }
            let mut bell = self.bell.lock();
            if bell.revoked {
                return Poll::Ready(Err(Error::Closed));
            }
            if self.armed && !bell.rung {
                bell.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if self.armed {
                self.armed = false; // it has rung: look again, then arm it anew
                continue;
            }
            bell.rung = false;
            drop(bell);
            let core = self.handle.core();
            match core.api.event_wake(core.generation, self.id, &self.bell) {
                ffi::OK => self.armed = true,
                ffi::NONE => {} // one has come
                ffi::ARGUMENT => return Poll::Ready(Err(Error::Closed)),
                status => return Poll::Ready(Err(core.error(status))),
            }
        }
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        let (queue, waker) = {
            let mut bell = self.bell.lock();
            (bell.queue.take(), bell.waker.take())
        };
        drop((queue, waker));
        self.handle.release(&self.bell);
    }
}

/// The next event of a subscription.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Next<'a, T>(&'a mut Subscription<T>);

impl<T: Wire> Future for Next<'_, T> {
    type Output = Result<T, Error>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next(cx)
    }
}
