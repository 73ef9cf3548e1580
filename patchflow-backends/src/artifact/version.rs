//! The order of artifact versions.

use std::cmp::Ordering;

/// Compares two versions by their dotted parts: numbers as numbers, of any length; a text comes before a number, and
/// the shorter version before the one that goes on, unless that goes on with zeros only.
///
/// ```
/// use patchflow_backends::artifact::compare_versions;
/// use std::cmp::Ordering::*;
/// assert_eq!(compare_versions("1.10.0", "1.9.9"), Greater);
/// assert_eq!(compare_versions("2.0", "2.0.0"), Equal);
/// assert_eq!(compare_versions("2.0.rc1", "2.0"), Less);
/// ```
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => (x.unwrap_or("0"), y.unwrap_or("0")),
        };
        let order = match (digits(x), digits(y)) {
            (Some(x), Some(y)) => x.len().cmp(&y.len()).then_with(|| x.cmp(y)),
            (None, None) => x.cmp(y),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A number without its leading zeros, so that its length tells its size.
fn digits(part: &str) -> Option<&str> {
    (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_and_numeric() {
        let rising = [
            "",
            "0.rc2",
            "1.0.rc1",
            "1",
            "1.2",
            "1.2.0.1",
            "1.9",
            "1.10",
            "01.11",
            "2",
            "99999999999999999999999",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(compare_versions(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
    }
}
