//! Arch versions: `[epoch:]version[-release]`, as vercmp(8) of pacman orders them.

use super::scan::{epoch, is_clean, last_part, numbers, run};
use core::cmp::Ordering;

/// Whatever vercmp takes, which is nearly everything.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    is_clean(text)
}

/// The release counts only when both have one.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, a), (epoch_b, b)) = (epoch(a), epoch(b));
    let ((a, release_a), (b, release_b)) = (last_part(a), last_part(b));
    numbers(epoch_a.as_bytes(), epoch_b.as_bytes())
        .then_with(|| segments(a.as_bytes(), b.as_bytes()))
        .then_with(|| match (release_a, release_b) {
            (Some(a), Some(b)) => segments(a.as_bytes(), b.as_bytes()),
            (None, _) | (_, None) => Ordering::Equal,
        })
}

fn segments(mut a: &[u8], mut b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    while !a.is_empty() && !b.is_empty() {
        let (between_a, between_b);
        (between_a, a) = run(a, |byte| !byte.is_ascii_alphanumeric());
        (between_b, b) = run(b, |byte| !byte.is_ascii_alphanumeric());
        let (Some(first), Some(second)) = (a.first(), b.first()) else { break };
        if between_a.len() != between_b.len() {
            return between_a.len().cmp(&between_b.len());
        }
        let order = match (first.is_ascii_digit(), second.is_ascii_digit()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (digits, _) => {
                let in_segment =
                    |byte: u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
                let (segment_a, segment_b);
                (segment_a, a) = run(a, in_segment);
                (segment_b, b) = run(b, in_segment);
                if digits { numbers(segment_a, segment_b) } else { segment_a.cmp(segment_b) }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    match (a.first(), b.first()) {
        (None, None) => Ordering::Equal,
        // What remains is newer than nothing, unless it is a word: 1.0rc is older than 1.0.
        (None, Some(rest)) if !rest.is_ascii_alphabetic() => Ordering::Less,
        (Some(rest), _) if rest.is_ascii_alphabetic() => Ordering::Less,
        (None | Some(_), _) => Ordering::Greater,
    }
}
