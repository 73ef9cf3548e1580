//! Small files from outside: read up to a limit, and no further.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// A file as a whole, if it is not longer than so many bytes.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// A signature of 128 hexadecimal digits; white space around them is let pass.
#[cfg(feature = "artifact-signed")]
pub(super) fn signature_from_hex(text: &[u8]) -> Option<ed25519_dalek::Signature> {
    let text = text.trim_ascii();
    let mut bytes = [0; 64];
    if text.len() != 128 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(ed25519_dalek::Signature::from_bytes(&bytes))
}
