//! Percent-coding as package URLs use it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Text with everything coded that a package URL does not carry as it is: letters, digits, `.`, `-`, `_`, `~` and `:`
/// stay (purl-spec, "Character encoding").
pub(super) fn encode(text: &str) -> Encoded<'_> {
    Encoded(text)
}

pub(super) struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                    fmt::Write::write_char(f, char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// Coded text as it was.
pub(super) fn decode(text: &str) -> Result<String, &'static str> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|c| char::from(*c).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("a percent sign is not followed by two hexadecimal digits");
        };
        bytes.push((high * 16 + low) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "its percent-coded bytes are no UTF-8")
}
