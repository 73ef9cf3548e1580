//! Ring sizes by exact integer arithmetic (semantics S1).

use crate::gate::Percent;
use alloc::vec::Vec;

/// The sizes of percentage rings over `n` endpoints: differences of the cumulative targets ceil(p*n/100), at least 1
/// when p > 0, at most n-1 when p < 100 and n >= 2; so they always add up. A size of 0 is a ring that is skipped.
///
/// ```
/// use patchflow_core::{gate::Percent, plan::ring_sizes};
/// let sizes = |n, cumulative: &[u32]| ring_sizes(n, cumulative.iter().map(|p| Percent::whole(*p)));
/// assert_eq!(sizes(40, &[5, 25, 50, 100]), [2, 8, 10, 20]);
/// assert_eq!(sizes(3, &[20, 40, 60, 80, 100]), [1, 1, 0, 0, 1]);
/// assert_eq!(sizes(20, &[20, 100]), [4, 16]);
/// assert_eq!(sizes(1, &[5, 100]), [1, 0]);
/// ```
pub fn ring_sizes(n: u32, cumulative: impl IntoIterator<Item = Percent>) -> Vec<u32> {
    let mut before = 0;
    cumulative
        .into_iter()
        .map(|percent| {
            let mut target = percent.of_ceil(n);
            if percent < Percent::FULL && n >= 2 {
                target = target.min(n - 1);
            }
            let target = target.max(before);
            let size = target - before;
            before = target;
            size
        })
        .collect()
}
