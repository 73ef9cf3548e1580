//! Cutting versions into runs, and comparing numbers of any length.

use core::cmp::Ordering;

/// The longest start of `bytes` whose bytes are all kept, and the rest.
pub(super) fn run(bytes: &[u8], keep: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !keep(*byte)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Digits as a number of any length, leading zeros left out. Nothing counts as 0.
pub(super) fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = run(a, |byte| byte == b'0');
    let (_, b) = run(b, |byte| byte == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// An epoch before a colon, and what follows. Without one the epoch is empty, which counts as 0.
pub(super) fn epoch(text: &str) -> (&str, &str) {
    match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        Some(_) | None => ("", text),
    }
}

/// The rest without its last part after a hyphen, and that part.
pub(super) fn last_part(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('-') {
        Some((before, last)) => (before, Some(last)),
        None => (text, None),
    }
}

/// Whether a version has only what can stand in one: no blanks, no control characters.
pub(super) fn is_clean(text: &str) -> Result<(), &'static str> {
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err("it has blanks or control characters in it");
    }
    Ok(())
}
