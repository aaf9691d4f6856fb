//! What the modules that `isthmus bridge gen` writes use, by its full name: their own types may have any.

pub use crate::bridge::{Bridge, Config};
pub use crate::error::Error;
pub use crate::wire;
pub use std::boxed::Box;
pub use std::option::Option;
pub use std::path::Path;
pub use std::result::Result;
pub use std::string::String;
pub use std::vec::Vec;

use std::marker::PhantomData;

/// A schema's text and its fingerprint: the library compares both with its own.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The text.
    pub text: &'static str,
    /// What it begins with, hashed.
    pub fingerprint: [u8; 16],
}

/// A method that replies. An inline one runs on the caller's thread.
pub struct Call<I, O> {
    pub(crate) id: u32,
    pub(crate) inline: bool,
    types: PhantomData<fn(I) -> O>,
}

/// A method without a reply.
pub struct Cast<I> {
    pub(crate) id: u32,
    types: PhantomData<fn(I)>,
}

/// What Go tells those who have subscribed.
pub struct Event<T> {
    pub(crate) id: u32,
    types: PhantomData<fn() -> T>,
}

impl<I, O> Call<I, O> {
    /// The method with that number.
    pub const fn new(id: u32, inline: bool) -> Self {
        Call { id, inline, types: PhantomData }
    }

    /// Its number.
    pub const fn number(&self) -> u32 {
        self.id
    }
}

impl<I> Cast<I> {
    /// The method with that number.
    pub const fn new(id: u32) -> Self {
        Cast { id, types: PhantomData }
    }

    /// Its number.
    pub const fn number(&self) -> u32 {
        self.id
    }
}

impl<T> Event<T> {
    /// The method with that number.
    pub const fn new(id: u32) -> Self {
        Event { id, types: PhantomData }
    }

    /// Its number.
    pub const fn number(&self) -> u32 {
        self.id
    }
}

impl<I, O> Clone for Call<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<I, O> Copy for Call<I, O> {}
impl<I> Clone for Cast<I> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<I> Copy for Cast<I> {}
impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Event<T> {}
