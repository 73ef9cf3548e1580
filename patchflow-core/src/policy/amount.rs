//! A number of endpoints: counted, or as a share of those concerned.

use super::Say;
use crate::gate::Percent;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// So many endpoints, or such a share of those concerned.
///
/// ```
/// use patchflow_core::{gate::Percent, policy::Amount};
/// assert_eq!(Amount::Count { n: 3 }.of(2), 3);
/// let tenth = Amount::Percent { percent: Percent::whole(10) };
/// assert_eq!((tenth.of(59), tenth.of(4)), (5, 1), "rounded down, but at least 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Amount {
    /// So many; not 0.
    Count {
        /// How many.
        n: u32,
    },
    /// A share, rounded down but at least 1; not 0 %.
    Percent {
        /// The share.
        percent: Percent,
    },
}

impl Amount {
    /// How many of `n` endpoints it is (semantics S12).
    #[must_use]
    pub const fn of(self, n: u32) -> u32 {
        match self {
            Self::Count { n } => n,
            Self::Percent { percent } => {
                let share = (percent.thousandths() as u64 * n as u64 / 100_000) as u32;
                if share == 0 { 1 } else { share }
            }
        }
    }

    pub(super) fn check(self, path: String, say: &mut Say<'_>) {
        let zero = match self {
            Self::Count { n } => n == 0,
            Self::Percent { percent } => percent.thousandths() == 0,
        };
        if zero {
            say(path, "0 lets nothing happen; 1 is the least");
        }
    }
}
