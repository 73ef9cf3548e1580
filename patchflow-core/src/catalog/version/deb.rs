//! Debian versions: `[epoch:]upstream[-revision]` (deb-version(7); Debian Policy 5.6.12).

use super::scan::{epoch, last_part, numbers, run};
use core::cmp::Ordering;

pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let rest = match text.split_once(':') {
        Some((epoch, rest)) => {
            // dpkg keeps the epoch in an int.
            if !epoch.bytes().all(|byte| byte.is_ascii_digit()) || epoch.parse::<i32>().is_err() {
                return Err("its epoch, before the colon, is not a number below 2147483648");
            }
            rest
        }
        None => text,
    };
    let (upstream, revision) = last_part(rest);
    if upstream.is_empty() {
        return Err("nothing stands between epoch and revision");
    }
    if revision == Some("") {
        return Err("its revision, after the last hyphen, is empty");
    }
    let takes = |byte: u8| byte.is_ascii_alphanumeric() || b".+~".contains(&byte);
    if !upstream.bytes().all(|byte| takes(byte) || byte == b'-' || byte == b':') {
        return Err("a version has letters, digits, and . + ~ - : only");
    }
    if !revision.unwrap_or_default().bytes().all(takes) {
        return Err("a revision has letters, digits, and . + ~ only");
    }
    Ok(())
}

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, a), (epoch_b, b)) = (epoch(a), epoch(b));
    let ((a, revision_a), (b, revision_b)) = (last_part(a), last_part(b));
    numbers(epoch_a.as_bytes(), epoch_b.as_bytes()).then_with(|| parts(a.as_bytes(), b.as_bytes())).then_with(
        || parts(revision_a.unwrap_or_default().as_bytes(), revision_b.unwrap_or_default().as_bytes()),
    )
}

/// What a byte of a run of other than digits weighs: a tilde less than the end, letters less than everything else.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

fn parts(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (word_a, rest_a) = run(a, |byte| !byte.is_ascii_digit());
        let (word_b, rest_b) = run(b, |byte| !byte.is_ascii_digit());
        for i in 0..word_a.len().max(word_b.len()) {
            let order = weight(word_a.get(i)).cmp(&weight(word_b.get(i)));
            if order.is_ne() {
                return order;
            }
        }
        let (number_a, number_b);
        (number_a, a) = run(rest_a, |byte| byte.is_ascii_digit());
        (number_b, b) = run(rest_b, |byte| byte.is_ascii_digit());
        let order = numbers(number_a, number_b);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
