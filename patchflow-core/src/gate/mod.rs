//! May the next ring open? Counts against limits give a verdict with its evidence.
//!
//! A gate only looks: it never promotes on missing data and never uncounts anything.

mod counts;
mod limits;
mod verdict;

pub use counts::{Class, Counts};
pub use limits::{BadPercent, LimitScope, Limits, OnMaxHold, Percent, ShareOf};
pub use verdict::{Decision, Rule, Standing, Verdict, judge};
