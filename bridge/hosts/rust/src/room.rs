//! Those who wait for room, in the order in which they came. They take no thread of their own.

use crate::ffi::{lock, Bell};
use crate::Error;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How many are rung when nobody says that room has become free: what casts and events take becomes free without notice.
const BATCH: usize = 16;

pub(crate) struct Room {
    waiting: AtomicUsize,
    pid: u32,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    bells: VecDeque<(Option<Instant>, Weak<Bell>)>,
    ticking: bool,
}

impl Room {
    pub(crate) fn new() -> Arc<Room> {
        Arc::new(Room { waiting: AtomicUsize::new(0), pid: std::process::id(), queue: Mutex::default() })
    }

    /// Whether somebody waits. In a fork's child it is an error: who waited there is no more.
    pub(crate) fn is_full(&self) -> Result<bool, Error> {
        match self.waiting.load(Ordering::SeqCst) {
            0 => Ok(false),
            _ if std::process::id() != self.pid => Err(Error::Forked),
            _ => Ok(true),
        }
    }

    /// Waits: the bell rings when there may be room, or it is too late. first: it has waited before.
    pub(crate) fn join(self: &Arc<Self>, until: Option<Instant>, bell: &Arc<Bell>, first: bool) -> Result<(), Error> {
        let mut q = lock(&self.queue);
        if !q.ticking {
            let room = self.clone();
            thread::Builder::new().name("isthmus-room".into()).spawn(move || room.tick()).map_err(|_| Error::Memory)?;
            q.ticking = true;
        }
        let who = (until, Arc::downgrade(bell));
        if first {
            q.bells.push_front(who);
        } else {
            q.bells.push_back(who);
        }
        self.waiting.store(q.bells.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Rings the first n.
    pub(crate) fn ring(&self, n: usize) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut rung = Vec::new();
        let mut q = lock(&self.queue);
        while rung.len() < n {
            match q.bells.pop_front() {
                None => break,
                Some((_, bell)) => rung.extend(bell.upgrade()), // or it has been dropped
            }
        }
        self.waiting.store(q.bells.len(), Ordering::SeqCst);
        drop(q);
        rung.iter().for_each(|b| b.ring());
    }

    /// Rings while somebody waits.
    fn tick(&self) {
        loop {
            thread::sleep(Duration::from_millis(1));
            self.ring(BATCH);
            let now = Instant::now();
            let mut late = Vec::new();
            let mut q = lock(&self.queue);
            q.bells.retain(|(until, bell)| {
                let passed = until.map_or(false, |t| t <= now);
                if passed {
                    late.extend(bell.upgrade());
                }
                !passed
            });
            self.waiting.store(q.bells.len(), Ordering::SeqCst);
            let over = q.bells.is_empty();
            q.ticking = !over;
            drop(q);
            late.iter().for_each(|b| b.ring());
            if over {
                return;
            }
        }
    }
}
