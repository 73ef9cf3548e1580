//! Input that is bounded: gzip is unpacked, totals and ratios are kept.

use super::Limits;
use flate2::bufread::MultiGzDecoder;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

/// Below this many bytes no ratio is asked: a short text of one letter packs a thousandfold.
const FREE_BYTES: u64 = 1 << 20;

/// A limit that was passed, carried through `io::Error`.
#[derive(Debug)]
pub(super) struct TooMuch(pub(super) String);

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooMuch {}

struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// Lets at most so many bytes through, and at most `ratio` times as many as were packed.
pub(super) struct Bounded<R> {
    inner: R,
    out: u64,
    out_max: u64,
    /// Packed bytes so far, and how many times they may grow.
    packed: Option<(Rc<Cell<u64>>, u64)>,
}

impl<R: Read> Bounded<R> {
    /// Something unpacked from a known number of bytes, as an archive says it.
    pub(super) fn unpacked(inner: R, packed: u64, limits: &Limits, left: u64) -> Self {
        let packed = Some((Rc::new(Cell::new(packed)), limits.ratio_max));
        Self { inner, out: 0, out_max: left, packed }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.out += read as u64;
        if self.out > self.out_max {
            let text = format!("more than {} bytes, which is the limit of a reading", self.out_max);
            return Err(io::Error::other(TooMuch(text)));
        }
        if let Some((packed, ratio_max)) = &self.packed
            && self.out > FREE_BYTES
            && self.out / packed.get().max(1) > *ratio_max
        {
            let text = format!("it unpacks to more than {ratio_max} times its size, as a zip bomb does");
            return Err(io::Error::other(TooMuch(text)));
        }
        Ok(read)
    }
}

/// The input, unpacked when it begins as gzip does; a byte order mark of UTF-8 is passed over.
pub(super) fn open<'a>(input: impl Read + 'a, limits: &Limits) -> io::Result<Box<dyn BufRead + 'a>> {
    let count = Rc::new(Cell::new(0));
    let counted = Counted { inner: input, count: Rc::clone(&count) };
    let mut plain = BufReader::with_capacity(1 << 16, counted);
    let bounded = if starts(&mut plain, &[0x1f, 0x8b])? {
        let packed = Some((count, limits.ratio_max));
        let inner: Box<dyn Read + 'a> = Box::new(MultiGzDecoder::new(plain));
        Bounded { inner, out: 0, out_max: limits.total_bytes_max, packed }
    } else {
        let inner: Box<dyn Read + 'a> = Box::new(plain);
        Bounded { inner, out: 0, out_max: limits.total_bytes_max, packed: None }
    };
    let mut input = BufReader::with_capacity(1 << 16, bounded);
    if starts(&mut input, &[0xef, 0xbb, 0xbf])? {
        input.consume(3);
    }
    Ok(Box::new(input))
}

/// Whether some bytes stand first. Looks into what one read brought, which a file or a socket fills well beyond three.
fn starts(input: &mut impl BufRead, bytes: &[u8]) -> io::Result<bool> {
    Ok(fill(input)?.starts_with(bytes))
}

/// The next bytes; none at the end. A read that was interrupted is tried again.
pub(super) fn fill<R: BufRead + ?Sized>(input: &mut R) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.fill_buf()
}
