//! The wire: a reader that is total, strict and bounded, and a writer. The bytes are those of Go's package `wire`.

/// How deep values may be nested.
pub const MAX_DEPTH: u32 = 64;

/// Which byte of a message is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The offset of the byte.
    pub offset: usize,
    /// Why.
    pub why: &'static str,
}
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wire: byte {}: {}", self.offset, self.why)
    }
}
impl std::error::Error for Error {}

/// Any bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// A message, as far as it is read.
pub struct Reader<'a> {
    b: &'a [u8],
    at: usize,
    end: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub fn new(b: &'a [u8]) -> Self {
        Reader { b, at: 0, end: b.len(), depth: 0 }
    }
    /// An error at this place.
    pub fn fail<T>(&self, why: &'static str) -> Result<T, Error> {
        Err(Error { offset: self.at, why })
    }
    /// How many bytes are left, of the part that is read.
    pub fn left(&self) -> usize {
        self.end - self.at
    }
    /// The next n bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        if self.left() < n {
            return self.fail("the message ends too early");
        }
        let p = &self.b[self.at..self.at + n];
        self.at += n;
        Ok(p)
    }
    /// A count of what takes at least that many bytes each: compared with what is left, before anything is allocated.
    pub fn count(&mut self, size: usize) -> Result<usize, Error> {
        let n = u64::get(self)?;
        if n > (self.left() / size.max(1)) as u64 {
            return self.fail("a count is more than the bytes that are left");
        }
        Ok(n as usize)
    }
    /// One level deeper.
    pub fn enter(&mut self) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return self.fail("nested too deep");
        }
        self.depth += 1;
        Ok(())
    }
    /// One level up.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }
    /// Begins a part that has a length before it; gives where the outer one ends.
    pub fn part(&mut self) -> Result<usize, Error> {
        let n = self.count(1)?;
        let outer = self.end;
        self.end = self.at + n;
        Ok(outer)
    }
    /// Ends it; rest: what follows in it is left out.
    pub fn part_end(&mut self, outer: usize, rest: bool) -> Result<(), Error> {
        if self.at != self.end && !rest {
            return self.fail("bytes follow what has a length");
        }
        self.at = self.end;
        self.end = outer;
        Ok(())
    }
}

/// A message, as far as it is written.
#[derive(Default)]
pub struct Writer {
    b: Vec<u8>,
    depth: u32,
    why: Option<&'static str>,
}

impl Writer {
    /// One level deeper; false: that is too deep, and the value cannot be written.
    pub fn down(&mut self) -> bool {
        if self.why.is_some() || self.depth == MAX_DEPTH {
            self.why.get_or_insert("nested too deep");
            return false;
        }
        self.depth += 1;
        true
    }
    /// One level up.
    pub fn up(&mut self) {
        self.depth -= 1;
    }
    /// Begins a part that has its length before it.
    pub fn part(&mut self) -> usize {
        (0u64).put(self);
        self.b.len()
    }
    /// Ends it.
    pub fn part_end(&mut self, at: usize) {
        let n = (self.b.len() - at) as u64;
        self.b[at - 8..at].copy_from_slice(&n.to_le_bytes());
    }
}

/// What can cross.
pub trait Wire: Sized {
    /// The least number of bytes on the wire.
    const MIN: usize;
    /// Writes it.
    fn put(&self, w: &mut Writer);
    /// Reads one.
    fn get(r: &mut Reader<'_>) -> Result<Self, Error>;
}

/// The message of a value.
pub fn encode<T: Wire>(v: &T) -> Result<Vec<u8>, Error> {
    let mut w = Writer::default();
    v.put(&mut w);
    match w.why {
        None => Ok(w.b),
        Some(why) => Err(Error { offset: w.b.len(), why }),
    }
}

/// The value of a message.
pub fn decode<T: Wire>(b: &[u8]) -> Result<T, Error> {
    let mut r = Reader::new(b);
    let v = T::get(&mut r)?;
    if r.left() != 0 {
        return r.fail("bytes follow the message");
    }
    Ok(v)
}

macro_rules! scalars { ($($t:ty),*) => { $(
    impl Wire for $t {
        const MIN: usize = std::mem::size_of::<$t>();
        fn put(&self, w: &mut Writer) {
            w.b.extend_from_slice(&self.to_le_bytes());
        }
        fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
            Ok(<$t>::from_le_bytes(r.take(std::mem::size_of::<$t>())?.try_into().unwrap()))
        }
    }
)* } }
scalars!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl Wire for bool {
    const MIN: usize = 1;
    fn put(&self, w: &mut Writer) {
        w.b.push(*self as u8);
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        match u8::get(r)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => r.fail("a flag is neither 0 nor 1"),
        }
    }
}

impl Wire for Bytes {
    const MIN: usize = 8;
    fn put(&self, w: &mut Writer) {
        (self.0.len() as u64).put(w);
        w.b.extend_from_slice(&self.0);
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        let n = r.count(1)?;
        Ok(Bytes(r.take(n)?.to_vec()))
    }
}

impl Wire for String {
    const MIN: usize = 8;
    fn put(&self, w: &mut Writer) {
        (self.len() as u64).put(w);
        w.b.extend_from_slice(self.as_bytes());
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        let n = r.count(1)?;
        match std::str::from_utf8(r.take(n)?) {
            Ok(s) => Ok(s.to_owned()),
            Err(_) => r.fail("text is not valid UTF-8"),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    const MIN: usize = 8;
    fn put(&self, w: &mut Writer) {
        (self.len() as u64).put(w);
        if self.is_empty() || !w.down() {
            return;
        }
        self.iter().for_each(|v| v.put(w));
        w.up();
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        let n = r.count(T::MIN)?;
        let mut v = Vec::with_capacity(n.min(256)); // a value may be larger in memory than on the wire
        if n > 0 {
            r.enter()?;
            for _ in 0..n {
                v.push(T::get(r)?);
            }
            r.leave();
        }
        Ok(v)
    }
}

impl<T: Wire> Wire for Option<T> {
    const MIN: usize = 1;
    fn put(&self, w: &mut Writer) {
        self.is_some().put(w);
        if let Some(v) = self {
            if w.down() {
                v.put(w);
                w.up();
            }
        }
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        if !bool::get(r)? {
            return Ok(None);
        }
        r.enter()?;
        let v = T::get(r)?;
        r.leave();
        Ok(Some(v))
    }
}

impl<T: Wire> Wire for Box<T> {
    const MIN: usize = T::MIN;
    fn put(&self, w: &mut Writer) {
        (**self).put(w)
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Box::new(T::get(r)?))
    }
}
