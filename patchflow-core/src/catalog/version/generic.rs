//! The order for versions whose scheme nobody told: what people expect of most of them.
//!
//! A version is cut where digits and letters meet and at every other character. Part by part: a word of a pre-release
//! is below the end, zeros count like the end, any other word is above the end, a number above 0 is above every word.

use super::scan::{is_clean, numbers, run};
use core::cmp::Ordering;

const PRE_RELEASE: [&str; 7] = ["alpha", "beta", "dev", "milestone", "pre", "rc", "snapshot"];
/// Before a digit only: 1.0b2 is a beta, 1.0b is a letter release.
const PRE_RELEASE_BEFORE_DIGIT: [&str; 3] = ["a", "b", "m"];

pub(super) fn check(text: &str) -> Result<(), &'static str> {
    is_clean(text)?;
    if text.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err("it has no letter and no digit")
    }
}

/// One part. The order of the variants is the order of the kinds.
#[derive(Clone, Copy)]
enum Part<'a> {
    PreRelease(&'a [u8]),
    EndOrZero,
    Word(&'a [u8]),
    Number(&'a [u8]),
}

impl Part<'_> {
    const fn rank(self) -> u8 {
        match self {
            Self::PreRelease(_) => 0,
            Self::EndOrZero => 1,
            Self::Word(_) => 2,
            Self::Number(_) => 3,
        }
    }

    fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::PreRelease(a), Self::PreRelease(b)) | (Self::Word(a), Self::Word(b)) => {
                a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase))
            }
            (Self::Number(a), Self::Number(b)) => numbers(a, b),
            (Self::EndOrZero | Self::PreRelease(_) | Self::Word(_) | Self::Number(_), _) => {
                self.rank().cmp(&other.rank())
            }
        }
    }
}

fn next(bytes: &[u8]) -> (Part<'_>, &[u8]) {
    let (_, bytes) = run(bytes, |byte| !byte.is_ascii_alphanumeric());
    match bytes.first() {
        None => (Part::EndOrZero, bytes),
        Some(byte) if byte.is_ascii_digit() => {
            let (number, rest) = run(bytes, |byte| byte.is_ascii_digit());
            let part = if number.iter().all(|digit| *digit == b'0') {
                Part::EndOrZero
            } else {
                Part::Number(number)
            };
            (part, rest)
        }
        Some(_) => {
            let (word, rest) = run(bytes, |byte| byte.is_ascii_alphabetic());
            let among =
                |known: &[&str]| known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word));
            let digit_follows = rest.first().is_some_and(u8::is_ascii_digit);
            let early = among(&PRE_RELEASE) || digit_follows && among(&PRE_RELEASE_BEFORE_DIGIT);
            (if early { Part::PreRelease(word) } else { Part::Word(word) }, rest)
        }
    }
}

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    // A leading v is no word of the version.
    for text in [&mut a, &mut b] {
        if matches!(text, [b'v' | b'V', digit, ..] if digit.is_ascii_digit()) {
            *text = &text[1..];
        }
    }
    while !a.is_empty() || !b.is_empty() {
        let (part_a, part_b);
        (part_a, a) = next(a);
        (part_b, b) = next(b);
        let order = part_a.order(part_b);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
