//! Shares and times to patch, exact until they are printed.

use crate::time::Timestamp;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A part of a whole; printed as a percentage with one decimal place, rounded down so that 99.96 % is never 100 %.
///
/// ```
/// use patchflow_core::report::Share;
/// assert_eq!(Share { part: 2, whole: 3 }.to_string(), "66.6 %");
/// assert_eq!(Share { part: 0, whole: 0 }.to_string(), "-");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The part.
    pub part: u32,
    /// The whole; 0 when there is nothing to take a share of.
    pub whole: u32,
}

impl Share {
    /// In thousandths, rounded down; `None` of nothing.
    #[must_use]
    pub fn thousandths(self) -> Option<u32> {
        let whole = u64::from(self.whole);
        u32::try_from((u64::from(self.part) * 1000).checked_div(whole)?).ok()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.thousandths() {
            None => f.write_str("-"),
            Some(n) if n % 10 == 0 => write!(f, "{} %", n / 10),
            Some(n) => write!(f, "{}.{} %", n / 10, n % 10),
        }
    }
}

/// How long it took from the day an endpoint's clock started to verification (semantics S7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeToPatch {
    /// Half of them took at most so many seconds.
    pub median_secs: u64,
    /// Nine of ten took at most so many seconds.
    pub p90_secs: u64,
    /// Verified before their due date, of all that have one and are verified or past it: what is late and still open
    /// counts as late.
    pub in_time: Share,
}

impl TimeToPatch {
    /// From pairs of (clock started, verified, due), and so many that are past their due date and not verified; `None`
    /// while nothing is verified.
    pub(super) fn of(times: &[(Timestamp, Timestamp, Option<Timestamp>)], overdue: u32) -> Option<Self> {
        let mut secs: Vec<u64> = times.iter().map(|(from, until, _)| until.since(*from).as_secs()).collect();
        secs.sort_unstable();
        let dated = times.iter().filter_map(|(_, until, due)| due.map(|due| *until <= due));
        let late = Share { part: 0, whole: overdue };
        let in_time = dated.fold(late, |share, in_time| Share {
            part: share.part + u32::from(in_time),
            whole: share.whole + 1,
        });
        Some(Self {
            median_secs: percentile_secs(&secs, 50)?,
            p90_secs: percentile_secs(&secs, 90)?,
            in_time,
        })
    }
}

/// The percentile of sorted values by nearest rank: the least value that at least so many percent do not exceed.
///
/// ```
/// use patchflow_core::report::percentile_secs;
/// assert_eq!(percentile_secs(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 100], 90), Some(9));
/// assert_eq!(percentile_secs(&[], 50), None);
/// ```
#[must_use]
pub fn percentile_secs(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent.min(100)).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
