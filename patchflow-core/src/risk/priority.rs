//! How urgent a candidate is.

use core::fmt;
use serde::{Deserialize, Serialize};

/// How urgent a candidate is: first in the queue is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// At convenience.
    Low,
    /// By the end of the first cycle after release.
    Moderate,
    /// Within 30 days.
    High,
    /// Within 7 days.
    Critical,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Moderate => "moderate",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}
