//! The peers in Rust, behind `extern "C"`. A pointer or a key is the caller's own; nothing here checks it, but for
//! slotmap, which does.
#![allow(clippy::missing_safety_doc)]

mod conc;

use rustc_hash::FxHashMap;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::cell::UnsafeCell;
use std::collections::HashMap;

const NIL: u64 = 3;

fn own<T>(v: T) -> *mut T {
    Box::into_raw(Box::new(v))
}

// ---- Vec by pointer ----
#[no_mangle]
pub extern "C" fn vec_new() -> *mut Vec<u64> {
    own(Vec::new())
}
#[no_mangle]
pub unsafe extern "C" fn vec_get(v: &Vec<u64>, i: i64) -> u64 {
    v.get(i as usize).copied().unwrap_or(NIL)
}
#[no_mangle]
pub unsafe extern "C" fn vec_set(v: &mut Vec<u64>, i: i64, x: u64) -> bool {
    v.get_mut(i as usize).map(|e| *e = x).is_some()
}
#[no_mangle]
pub unsafe extern "C" fn vec_push(v: &mut Vec<u64>, x: u64) {
    v.push(x)
}
#[no_mangle]
pub unsafe extern "C" fn vec_free(v: *mut Vec<u64>) {
    drop(Box::from_raw(v))
}

// ---- Vec behind slotmap's checked keys, for one thread ----
thread_local! {
    static SLOTS: UnsafeCell<SlotMap<DefaultKey, Vec<u64>>> = UnsafeCell::new(SlotMap::new());
}
fn slots<T>(f: impl FnOnce(&mut SlotMap<DefaultKey, Vec<u64>>) -> T) -> T {
    // SAFETY: no function that is given to it calls slots.
    SLOTS.with(|s| f(unsafe { &mut *s.get() }))
}
fn key(h: u64) -> DefaultKey {
    KeyData::from_ffi(h).into()
}
#[no_mangle]
pub extern "C" fn slot_new() -> u64 {
    slots(|s| s.insert(Vec::new()).data().as_ffi())
}
#[no_mangle]
pub extern "C" fn slot_get(h: u64, i: i64) -> u64 {
    slots(|s| {
        s.get(key(h))
            .and_then(|v| v.get(i as usize))
            .copied()
            .unwrap_or(NIL)
    })
}
#[no_mangle]
pub extern "C" fn slot_set(h: u64, i: i64, x: u64) -> bool {
    slots(|s| {
        s.get_mut(key(h))
            .and_then(|v| v.get_mut(i as usize))
            .map(|e| *e = x)
            .is_some()
    })
}
#[no_mangle]
pub extern "C" fn slot_push(h: u64, x: u64) -> bool {
    slots(|s| s.get_mut(key(h)).map(|v| v.push(x)).is_some())
}
#[no_mangle]
pub extern "C" fn slot_free(h: u64) -> bool {
    slots(|s| s.remove(key(h)).is_some())
}

// ---- Maps: std's, keyed against attackers as ours is, and rustc's, which is not ----
macro_rules! map {
    ($t:ty, $new:ident, $set:ident, $get:ident, $free:ident) => {
        #[no_mangle]
        pub extern "C" fn $new() -> *mut $t {
            own(<$t>::default())
        }
        #[no_mangle]
        pub unsafe extern "C" fn $set(m: &mut $t, k: u64, v: u64) {
            m.insert(k, v);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $get(m: &$t, k: u64) -> u64 {
            m.get(&k).copied().unwrap_or(NIL)
        }
        #[no_mangle]
        pub unsafe extern "C" fn $free(m: *mut $t) {
            drop(Box::from_raw(m))
        }
    };
}
type Map = HashMap<u64, u64>;
type Fx = FxHashMap<u64, u64>;
map!(Map, map_new, map_set, map_get, map_free);
map!(Fx, fx_new, fx_set, fx_get, fx_free);

type Words = FxHashMap<Box<[u8]>, u64>;
unsafe fn text<'a>(p: *const u8, n: usize) -> &'a [u8] {
    std::slice::from_raw_parts(p, n)
}
#[no_mangle]
pub extern "C" fn words_new() -> *mut Words {
    own(Words::default())
}
#[no_mangle]
pub unsafe extern "C" fn words_set(m: &mut Words, p: *const u8, n: usize, v: u64) {
    m.insert(text(p, n).into(), v);
}
#[no_mangle]
pub unsafe extern "C" fn words_get(m: &Words, p: *const u8, n: usize) -> u64 {
    m.get(text(p, n)).copied().unwrap_or(NIL)
}
#[no_mangle]
pub unsafe extern "C" fn words_free(m: *mut Words) {
    drop(Box::from_raw(m))
}

// ---- Strings ----
#[no_mangle]
pub unsafe extern "C" fn bytes_new(p: *const u8, n: usize) -> *mut Box<[u8]> {
    own(text(p, n).into())
}
#[no_mangle]
pub unsafe extern "C" fn bytes_concat(a: &Box<[u8]>, b: &Box<[u8]>) -> *mut Box<[u8]> {
    own([&a[..], &b[..]].concat().into_boxed_slice())
}
#[no_mangle]
pub unsafe extern "C" fn bytes_len(a: &Box<[u8]>) -> usize {
    a.len()
}
#[no_mangle]
pub unsafe extern "C" fn bytes_free(a: *mut Box<[u8]>) {
    drop(Box::from_raw(a))
}
