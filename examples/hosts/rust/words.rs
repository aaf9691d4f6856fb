// Counts the words of files, as words.c does: files, a channel, actors and dictionaries are the runtime's. Value counts for
// Rust: what is made is let go when it goes out of scope.
use std::ffi::CStr;

type Word = u64;
const NIL: Word = 3;
const COUNTERS: i64 = 4;
const LONGEST: usize = 64;

#[link(name = "isthmus")]
extern "C" {
    fn rt_init() -> i32;
    fn rt_shutdown(timeout_ns: i64) -> i64;
    fn rt_last_error() -> i32;
    fn rt_error_text(error: i32) -> *const std::os::raw::c_char;
    fn rt_release(v: Word) -> bool;
    fn rt_array_new(cap: i64) -> Word;
    fn rt_array_get(a: Word, i: i64) -> Word;
    fn rt_array_push(a: Word, v: Word) -> bool;
    fn rt_tuple_new(n: u64) -> Word;
    fn rt_tuple_get(t: Word, i: u64) -> Word;
    fn rt_tuple_set(t: Word, i: u64, v: Word) -> bool;
    fn rt_string_new(p: *const u8, n: u64) -> Word;
    fn rt_string_len(s: Word) -> i64;
    fn rt_string_data(s: Word) -> *const u8;
    fn rt_dict_new(cap: i64) -> Word;
    fn rt_dict_get(d: Word, k: Word) -> Word;
    fn rt_dict_set(d: Word, k: Word, v: Word) -> bool;
    fn rt_dict_next(d: Word, cursor: *mut u64, k: *mut Word, v: *mut Word) -> bool;
    fn rt_future_await(f: Word) -> Word;
    fn rt_future_all(array: Word) -> Word;
    fn rt_channel_new() -> Word;
    fn rt_channel_send(ch: Word, v: Word) -> i64;
    fn rt_channel_recv_ex(ch: Word, timeout_ns: i64, out: *mut Word) -> i32;
    fn rt_channel_close(ch: Word) -> bool;
    fn rt_actor_spawn(body: extern "C" fn(Word), ctx: Word) -> Word;
    fn rt_actor_spawn_handler(handler: extern "C" fn(Word, Word), state: Word) -> Word;
    fn rt_actor_send(actor: Word, msg: Word) -> i64;
    fn rt_actor_stop(actor: Word) -> i64;
    fn rt_actor_join(actor: Word) -> i64;
    fn rt_async_file_create(path: Word, mode: i32, prefault: i32) -> Word;
    fn rt_async_file_size(file: Word) -> Word;
    fn rt_async_file_read(file: Word, offset: i64, n: i64) -> Word;
}

/// A count of an object.
struct Value(Word);

impl Drop for Value {
    fn drop(&mut self) {
        unsafe { rt_release(self.0) };
    }
}

fn string(b: &[u8]) -> Value {
    Value(unsafe { rt_string_new(b.as_ptr(), b.len() as u64) })
}

/// The bytes of a string that somebody counts for as long as they are used; None of what is no string.
fn bytes<'a>(s: Word) -> Option<&'a [u8]> {
    let n = unsafe { rt_string_len(s) };
    (n >= 0).then(|| unsafe { std::slice::from_raw_parts(rt_string_data(s), n as usize) })
}

fn number(v: Word) -> Option<i64> {
    (v & 7 == 0).then_some(v as i64 >> 3)
}

fn fail(what: &str) -> ! {
    let why = unsafe { CStr::from_ptr(rt_error_text(rt_last_error())) };
    eprintln!("words: {what}: {}", why.to_string_lossy());
    std::process::exit(1)
}

extern "C" fn count(state: Word, word: Word) {
    unsafe {
        let n = number(rt_dict_get(state, word)).unwrap_or(0) + 1;
        rt_dict_set(state, word, (n << 3) as Word);
    }
}

extern "C" fn split(ctx: Word) {
    let (texts, counters) = unsafe { (rt_tuple_get(ctx, 0), rt_tuple_get(ctx, 1)) };
    let mut text = NIL;
    while unsafe { rt_channel_recv_ex(texts, -1, &mut text) } == 0 {
        let text = Value(text);
        for run in bytes(text.0).unwrap_or(&[]).split(|b| !b.is_ascii_alphabetic()) {
            for part in run.chunks(LONGEST) {
                let word = part.to_ascii_lowercase();
                let sum: i64 = word.iter().map(|&b| b as i64).sum();
                let w = string(&word);
                unsafe { rt_actor_send(rt_array_get(counters, sum % COUNTERS), w.0) };
            }
        }
    }
}

fn run(paths: &[String]) {
    unsafe {
        let (sizes, reads) = (Value(rt_array_new(0)), Value(rt_array_new(0)));
        let mut files = Vec::new();
        for p in paths {
            let file = Value(rt_async_file_create(string(p.as_bytes()).0, 0, 1));
            rt_array_push(sizes.0, Value(rt_async_file_size(file.0)).0);
            files.push(file);
        }
        for (i, file) in files.iter().enumerate() {
            let size = Value(rt_future_await(rt_array_get(sizes.0, i as i64)));
            let n = number(size.0).unwrap_or_else(|| fail(&paths[i]));
            rt_array_push(reads.0, Value(rt_async_file_read(file.0, 0, n)).0);
        }

        let counters = Value(rt_array_new(COUNTERS));
        let mut states = Vec::new();
        for _ in 0..COUNTERS {
            let state = Value(rt_dict_new(0));
            rt_array_push(counters.0, Value(rt_actor_spawn_handler(count, state.0)).0);
            states.push(state);
        }
        let (texts, ctx) = (Value(rt_channel_new()), Value(rt_tuple_new(2)));
        rt_tuple_set(ctx.0, 0, texts.0);
        rt_tuple_set(ctx.0, 1, counters.0);
        let splitter = Value(rt_actor_spawn(split, ctx.0));

        let all = Value(rt_future_all(reads.0));
        for (i, p) in paths.iter().enumerate() {
            let text = rt_array_get(all.0, i as i64);
            if bytes(text).is_none() {
                fail(p);
            }
            rt_channel_send(texts.0, text);
        }
        rt_channel_close(texts.0);
        rt_actor_join(splitter.0);
        for i in 0..COUNTERS {
            rt_actor_stop(rt_array_get(counters.0, i));
            rt_actor_join(rt_array_get(counters.0, i));
        }

        let mut found = Vec::new();
        for state in &states {
            let (mut cursor, mut k, mut v) = (0, NIL, NIL);
            while rt_dict_next(state.0, &mut cursor, &mut k, &mut v) {
                found.push((-number(v).unwrap(), String::from_utf8_lossy(bytes(k).unwrap()).into_owned()));
            }
        }
        found.sort();
        println!("{} words, {} different", -found.iter().map(|f| f.0).sum::<i64>(), found.len());
        for (n, word) in found.iter().take(10) {
            println!("{:7} {word}", -n);
        }
    }
}

fn main() {
    if unsafe { rt_init() } != 0 {
        fail("start");
    }
    run(&std::env::args().skip(1).collect::<Vec<_>>());
    let left = unsafe { rt_shutdown(-1) };
    if left != 0 {
        eprintln!("words: {left} objects were forgotten");
        std::process::exit(1);
    }
}
