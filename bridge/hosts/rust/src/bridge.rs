use crate::call::{block_until, Pending, Reply, Told};
use crate::event::Subscription;
use crate::ffi::{self, lock, Api, Bell};
use crate::room::Room;
use crate::rt::{Call, Cast, Event, Schema};
use crate::wire::{self, Wire};
use crate::Error;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Limits, which a host can lower but not raise; 0 is the library's.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of a request or a cast.
    pub max_request: u64,
    /// Bytes of a reply.
    pub max_reply: u64,
    /// Calls and casts under way.
    pub max_in_flight: u64,
    /// Bytes of all that is under way.
    pub max_bytes: u64,
    /// A name for reports.
    pub name: String,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_request: 0, max_reply: 0, max_in_flight: 0, max_bytes: 0, name: "rust".into() }
    }
}

/// What closing found under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that ended while it waited.
    pub finished: u64,
    /// Calls that got [`Error::Closed`].
    pub closed: u64,
    /// Casts whose handler did not get to run.
    pub casts_dropped: u64,
    /// Handlers that run on.
    pub zombies: u64,
    /// How long it took.
    pub waited: Duration,
    /// The methods of the zombies.
    pub methods: String,
}

/// Numbers of the library, of the process: those of br_stats_t.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Stats {
    pub generation: u64,
    pub calls: u64,
    pub inline_calls: u64,
    pub casts: u64,
    pub events: u64,
    pub ok: u64,
    pub failed: u64,
    pub panics: u64,
    pub decode_errors: u64,
    pub deadlines: u64,
    pub abandoned: u64,
    pub late: u64,
    pub refused: u64,
    pub closed: u64,
    pub events_dropped: u64,
    pub in_flight: u64,
    pub bytes: u64,
    pub peak_in_flight: u64,
    pub peak_bytes: u64,
    pub running: u64,
    pub zombies: u64,
    pub slots: u64,
    pub max_request: u64,
    pub max_reply: u64,
    pub max_in_flight: u64,
    pub max_bytes: u64,
}

/// A generation of a library's bridge.
pub(crate) struct Core {
    pub(crate) api: &'static Api,
    pub(crate) generation: u64,
    pub(crate) room: Arc<Room>,
}

impl Core {
    pub(crate) fn error(&self, status: i32) -> Error {
        Error::new(self.api, status, "")
    }

    pub(crate) fn result(&self, status: i32, reply: Vec<u8>) -> Result<Vec<u8>, Error> {
        match status {
            ffi::OK => Ok(reply),
            _ => Err(Error::new(self.api, status, &String::from_utf8_lossy(&reply))),
        }
    }
}

/// A scope, or the bridge as the outermost.
struct State {
    core: Arc<Core>,
    open: AtomicBool,
    outer: Option<Arc<State>>, // none: the bridge, which br_deinit ends, and which need not know what it holds
    held: Mutex<Held>,
    inside: RwLock<()>, // read while something begins; of the bridge br_deinit waits for that itself
}

#[derive(Default)]
struct Held {
    bells: HashMap<usize, Arc<Bell>>,
    scopes: HashMap<usize, Weak<State>>,
}

fn key<T>(p: &Arc<T>) -> usize {
    Arc::as_ptr(p) as usize
}

impl State {
    fn new(core: Arc<Core>, outer: Option<Arc<State>>) -> Arc<State> {
        Arc::new(State { core, open: AtomicBool::new(true), outer, held: Mutex::default(), inside: RwLock::default() })
    }

    /// Nothing begins any more, in the scopes inside neither. revoke: what is under way is given up.
    fn shut(&self, revoke: bool) {
        let (bells, scopes) = {
            let mut held = lock(&self.held);
            self.open.store(false, Ordering::SeqCst); // under the lock: what looked before is among the held
            let bells = if revoke { std::mem::take(&mut held.bells) } else { HashMap::new() };
            (bells, held.scopes.values().filter_map(Weak::upgrade).collect::<Vec<_>>())
        };
        if self.outer.is_some() {
            drop(self.inside.write()); // until nobody is between the look at the flag and the ring
        }
        scopes.iter().for_each(|s| s.shut(revoke));
        bells.values().for_each(|b| b.revoke());
    }
}

/// What calls: of a [`Bridge`] or a [`Scope`], and good for as long as that is open. Any number of threads may use it.
#[derive(Clone)]
pub struct Handle(Arc<State>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("generation", &self.core().generation).field("open", &self.is_open()).finish()
    }
}

impl Handle {
    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    /// Whether calls may begin.
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::SeqCst)
    }

    /// Begins something, if the scope is open: when its end has returned nothing begins any more.
    pub(crate) fn within<R>(&self, begin: impl FnOnce() -> R) -> Result<R, Error> {
        let _inside = self.0.outer.as_ref().map(|_| self.0.inside.read());
        if !self.is_open() {
            return Err(Error::Closed);
        }
        Ok(begin())
    }

    /// Has the scope's end revoke it.
    pub(crate) fn hold(&self, bell: &Arc<Bell>) -> Result<(), Error> {
        if self.0.outer.is_some() {
            let mut held = lock(&self.0.held);
            if !self.is_open() {
                return Err(Error::Closed);
            }
            held.bells.insert(key(bell), bell.clone());
        }
        Ok(())
    }

    pub(crate) fn release(&self, bell: &Arc<Bell>) {
        if self.0.outer.is_some() {
            lock(&self.0.held).bells.remove(&key(bell));
        }
    }

    /// Calls, and waits for the reply; for room before that.
    pub fn call<I: Wire, O: Wire>(&self, m: Call<I, O>, message: &I) -> Result<O, Error> {
        self.call_until(m, message, None)
    }

    /// `call` with a deadline, which covers the wait for room, the way there, the handler, whose context has it too, and the
    /// way back.
    pub fn call_timeout<I: Wire, O: Wire>(&self, m: Call<I, O>, message: &I, limit: Duration) -> Result<O, Error> {
        self.call_until(m, message, Instant::now().checked_add(limit))
    }

    fn call_until<I: Wire, O: Wire>(&self, m: Call<I, O>, message: &I, until: Option<Instant>) -> Result<O, Error> {
        if ffi::in_waker() {
            return Err(Error::Argument("a waker must not block".into()));
        }
        let message = wire::encode(message);
        if m.inline {
            let (core, request) = (self.core(), message.as_ref().map_err(|e| e.clone())?);
            let (status, reply) = self.within(|| core.api.call_inline(core.generation, m.id, request, until))?;
            return Ok(wire::decode(&core.result(status, reply)?)?);
        }
        let mut pending = Reply { pending: Pending::new(self, m.id, false, message, until), out: PhantomData };
        block_until(&mut pending, until).unwrap_or(Err(Error::Deadline)) // and then it is given up
    }

    /// Calls. The future waits for room too; dropping it gives the call up.
    pub fn call_async<I: Wire, O: Wire>(&self, m: Call<I, O>, message: &I) -> Reply<O> {
        Reply { pending: Pending::new(self, m.id, false, wire::encode(message), None), out: PhantomData }
    }

    /// `call_async` with a deadline, which Go keeps.
    pub fn call_async_timeout<I: Wire, O: Wire>(&self, m: Call<I, O>, message: &I, limit: Duration) -> Reply<O> {
        Reply { pending: Pending::new(self, m.id, false, wire::encode(message), Instant::now().checked_add(limit)), out: PhantomData }
    }

    /// Tells. [`Error::Again`] when there is no room.
    pub fn cast<I: Wire>(&self, m: Cast<I>, message: &I) -> Result<(), Error> {
        let (core, message) = (self.core(), wire::encode(message)?);
        match self.within(|| core.api.cast(core.generation, m.id, &message))? {
            ffi::OK => Ok(()),
            status => Err(core.error(status)),
        }
    }

    /// Tells, when there is room.
    pub fn cast_async<I: Wire>(&self, m: Cast<I>, message: &I) -> Told {
        Told(Pending::new(self, m.id, true, wire::encode(message), None))
    }

    /// Hears an event. capacity is how many wait at most.
    pub fn subscribe<T: Wire>(&self, m: Event<T>, capacity: u32) -> Result<Subscription<T>, Error> {
        Subscription::new(self, m.id, capacity)
    }

    /// A scope inside this one.
    pub fn scope(&self) -> Result<Scope, Error> {
        let mut held = lock(&self.0.held);
        if !self.is_open() {
            return Err(Error::Closed);
        }
        let state = State::new(self.0.core.clone(), Some(self.0.clone()));
        held.scopes.insert(key(&state), Arc::downgrade(&state));
        Ok(Scope(Handle(state)))
    }

    /// Threads that do not outlive the action: when it returns or panics its scope is revoked, so that their calls end, and
    /// they are waited for.
    pub fn threads<'env, F, R>(&'env self, action: F) -> Result<R, Error>
    where
        F: for<'s> FnOnce(&'s thread::Scope<'s, 'env>, &Handle) -> R,
    {
        let scope = self.scope()?;
        Ok(thread::scope(move |t| {
            let scope = scope; // dropped before the threads are waited for
            action(t, &scope)
        }))
    }

    /// The numbers now.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.core().api.stats()
    }

    /// Gives signal handlers that were installed after the bridge was opened a stack of their own: that of a goroutine is
    /// small. Gives how many it changed.
    pub fn audit_signals(&self) -> u32 {
        self.core().api.signals_audit()
    }
}

/// A part of a bridge that can be revoked as a whole, and is when it is dropped: its calls and subscriptions end at once with
/// [`Error::Closed`], the handlers' contexts too, and nothing begins in it any more. What has begun on a thread of the host's is
/// waited for: the submitting of a call, and an inline call.
#[derive(Debug)]
pub struct Scope(Handle);

impl Scope {
    /// Ends it.
    pub fn revoke(&self) {
        let state = &self.0 .0;
        state.shut(true);
        if let Some(outer) = &state.outer {
            lock(&outer.held).scopes.remove(&key(state));
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.revoke();
    }
}

impl Deref for Scope {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.0
    }
}

/// An open bridge: one at a time in a process. It is closed when it is dropped.
#[derive(Debug)]
pub struct Bridge {
    handle: Handle,
    closed: bool,
}

impl Bridge {
    /// Loads a library, which stays in this process, and opens its bridge, if it fits the schema that the host was made from.
    pub fn open(library: &Path, schema: &Schema, config: &Config) -> Result<Bridge, Error> {
        let api = Api::load(library)?;
        let generation = api.init(schema, config)?;
        let core = Arc::new(Core { api, generation, room: Room::new() });
        Ok(Bridge { handle: Handle(State::new(core, None)), closed: false })
    }

    /// Ends it: waits at most that long for what is under way (zero: the library's time), cancels it, and says what it found.
    /// It blocks.
    pub fn close(mut self, drain: Duration) -> Result<Report, Error> {
        if ffi::in_waker() {
            return Err(Error::Argument("a waker must not block".into()));
        }
        self.closed = true;
        end(&self.handle.0, drain).map_err(|status| self.core().error(status))
    }
}

fn end(state: &State, drain: Duration) -> Result<Report, i32> {
    state.shut(false);
    state.core.room.ring(usize::MAX);
    state.core.api.deinit(state.core.generation, drain)
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if !ffi::in_waker() {
            let _ = end(&self.handle.0, Duration::ZERO); // who wants to know calls close
            return;
        }
        // This thread is Go's, and closing waits for it.
        self.handle.0.shut(false);
        let state = self.handle.0.clone();
        let _ = thread::Builder::new().name("isthmus-close".into()).spawn(move || end(&state, Duration::ZERO));
    }
}

impl Deref for Bridge {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.handle
    }
}
