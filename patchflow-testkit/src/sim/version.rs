//! An order of versions that is good enough for made-up packages.

use core::cmp::Ordering;

/// Compares dotted numbers part by part; parts that are no numbers compare as text.
///
/// ```
/// use patchflow_testkit::sim::compare_versions;
/// assert!(compare_versions("1.10", "1.9").is_gt() && compare_versions("2", "2.0").is_lt());
/// ```
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => {
                let by_number = x.parse::<u64>().ok().zip(y.parse::<u64>().ok()).map(|(x, y)| x.cmp(&y));
                match by_number.unwrap_or_else(|| x.cmp(y)) {
                    Ordering::Equal => {}
                    other => return other,
                }
            }
        }
    }
}
