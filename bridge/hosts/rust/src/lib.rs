//! Hosts of a bridge into Go.
//!
//! ```ignore
//! let bridge = sample_bridge::open("libsample.so", Config::default())?;
//! let reply = bridge.call(method::ECHO, &Msg::Ping(Default::default()))?;
//! let later = bridge.call_async(method::ECHO, &Msg::Ping(Default::default())).await?;
//! ```
//!
//! What holds, whatever a program does:
//!
//! * A [`Handle`] that is used after its [`Bridge`] or its [`Scope`] gives [`Error::Closed`], also when another bridge is open
//!   by then. No pointer is in a user's hands.
//! * Dropping a call's future gives the call up: its handler's context in Go ends, and nothing is left behind. So does the
//!   end of the scope that it was made in.
//! * A future is woken by Go itself. It needs no runtime: any executor polls it, [`block_on`] too. One that waits, also for
//!   room, takes no thread.
//! * A message that is none is [`Error::Wire`] here, and [`Error::Decode`] there. A panic in Go is [`Error::Panic`].
//!
//! Only the module `ffi` has unsafe code. Linux, 64 bits, std alone.
#![deny(unsafe_op_in_unsafe_fn, unsafe_code)]
#![warn(missing_docs)]

mod bridge;
mod call;
mod error;
mod event;
#[allow(unsafe_code)]
mod ffi;
mod room;
pub mod rt;
pub mod wire;

pub use bridge::{Bridge, Config, Handle, Report, Scope, Stats};
pub use call::{block_on, Reply, Told};
pub use error::Error;
pub use event::{Next, Subscription};
pub use rt::{Call, Cast, Event, Schema};
