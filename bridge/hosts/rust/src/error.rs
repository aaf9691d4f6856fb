use crate::{ffi, wire};
use std::fmt;

/// What a call ended with, if not with its reply. A text is what the other side says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A limit of calls or bytes under way is reached. Calls wait for room; casts do so with `cast_async`.
    Again,
    /// The bridge or the scope has ended.
    Closed,
    /// The request is longer than the limit.
    TooBig,
    /// The library could not decode the request.
    Decode(String),
    /// The handler panicked, or ended its goroutine.
    Panic(String),
    /// The deadline passed.
    Deadline,
    /// The handler gave up because its context ended.
    Cancelled(String),
    /// This process is the child of a fork, which has no Go.
    Forked,
    /// Host and library do not agree on the types; the text names what differs.
    Schema(String),
    /// Host and library are of other versions.
    Version(String),
    /// The bridge is open already, or as many handlers run as may.
    Busy(String),
    /// The handler returned an error.
    Handler(String),
    /// There is no such method, or it is used in another way.
    NoMethod(String),
    /// A mistake of the host's.
    Argument(String),
    /// No memory, or no thread.
    Memory,
    /// The reply is longer than the limit.
    ReplyTooBig(String),
    /// There is none: the library's program serves no bridge.
    Nothing(String),
    /// A value that cannot be written, or a reply or event that is none of its type.
    Wire(wire::Error),
    /// The library cannot be loaded.
    Load(String),
    /// A status of a newer library.
    Other(i32, String),
}

impl Error {
    pub(crate) fn new(api: &ffi::Api, status: i32, text: &str) -> Error {
        let text = if text.is_empty() { api.status_text(status) } else { text.to_owned() };
        match status {
            1 => Error::Again,
            2 => Error::Closed,
            3 => Error::TooBig,
            4 => Error::Decode(text),
            5 => Error::Panic(text),
            6 => Error::Deadline,
            7 => Error::Cancelled(text),
            8 => Error::Forked,
            9 => Error::Schema(text),
            10 => Error::Version(text),
            11 => Error::Busy(text),
            12 => Error::Handler(text),
            13 => Error::NoMethod(text),
            14 => Error::Argument(text),
            15 => Error::Memory,
            16 => Error::ReplyTooBig(text),
            17 => Error::Nothing(text),
            _ => Error::Other(status, text),
        }
    }
}

impl From<wire::Error> for Error {
    fn from(e: wire::Error) -> Self {
        Error::Wire(e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, text) = match self {
            Error::Again => ("a limit of calls or bytes under way is reached", ""),
            Error::Closed => ("the bridge or the scope has ended", ""),
            Error::TooBig => ("the request is too long", ""),
            Error::Decode(t) => ("the library could not decode the request", t.as_str()),
            Error::Panic(t) => ("the handler panicked", t.as_str()),
            Error::Deadline => ("the deadline passed", ""),
            Error::Cancelled(t) => ("cancelled", t.as_str()),
            Error::Forked => ("this process is the child of a fork", ""),
            Error::Schema(t) => ("host and library do not agree", t.as_str()),
            Error::Version(t) => ("host and library are of other versions", t.as_str()),
            Error::Busy(t) => ("busy", t.as_str()),
            Error::Handler(t) => ("the handler returned an error", t.as_str()),
            Error::NoMethod(t) => ("no such method", t.as_str()),
            Error::Argument(t) => ("a mistake of the host's", t.as_str()),
            Error::Memory => ("no memory", ""),
            Error::ReplyTooBig(t) => ("the reply is too long", t.as_str()),
            Error::Nothing(t) => ("there is none", t.as_str()),
            Error::Wire(e) => return e.fmt(f),
            Error::Load(t) => ("the library cannot be loaded", t.as_str()),
            Error::Other(n, t) => return write!(f, "status {}: {}", n, t),
        };
        f.write_str(what)?;
        if text.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", text)
    }
}

impl std::error::Error for Error {}
