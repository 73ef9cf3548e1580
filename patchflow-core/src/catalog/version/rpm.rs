//! RPM versions: `[epoch:]version[-release]`, segment by segment, a tilde below the end and a caret above it
//! (rpm-version(7)).

use super::scan::{epoch, is_clean, last_part, numbers, run};
use core::cmp::Ordering;

/// Whatever rpm takes, which is nearly everything.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    is_clean(text)
}

/// A missing release is older than any.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, a), (epoch_b, b)) = (epoch(a), epoch(b));
    let ((a, release_a), (b, release_b)) = (last_part(a), last_part(b));
    numbers(epoch_a.as_bytes(), epoch_b.as_bytes())
        .then_with(|| segments(a.as_bytes(), b.as_bytes()))
        .then_with(|| match (release_a, release_b) {
            (Some(a), Some(b)) => segments(a.as_bytes(), b.as_bytes()),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
}

fn segments(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let separates = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
    loop {
        (a, b) = (run(a, separates).1, run(b, separates).1);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            // A caret is newer than the end, and older than anything that goes on.
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(first), Some(second)) => {
                let order = match (first.is_ascii_digit(), second.is_ascii_digit()) {
                    (true, false) => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    (digits, _) => {
                        let in_segment = |byte: u8| {
                            if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() }
                        };
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
        }
    }
}
