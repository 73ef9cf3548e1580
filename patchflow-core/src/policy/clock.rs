//! Due dates, and what happens when they come near (semantics S7).

use super::Say;
use super::defaults::HOUR;
use crate::risk::DueLimits;
use alloc::format;
use serde::{Deserialize, Serialize};

/// Due dates, and what happens when they come near (semantics S7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPolicy {
    /// How long a patch of each priority may take from the day a fix was available; none of them 0.
    pub limits: DueLimits,
    /// So long before a due date people are warned, in seconds; 0 warns nobody.
    pub warn_before_secs: u32,
    /// Whether a passed due date opens a window of its own. A freeze still holds.
    pub enforce_at_deadline: bool,
}

impl Default for ClockPolicy {
    fn default() -> Self {
        Self { limits: DueLimits::default(), warn_before_secs: 48 * HOUR, enforce_at_deadline: false }
    }
}

impl ClockPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        let DueLimits { critical_secs, high_secs, moderate_secs } = self.limits;
        let limits =
            [("critical_secs", critical_secs), ("high_secs", high_secs), ("moderate_secs", moderate_secs)];
        for (name, secs) in limits {
            if secs == 0 {
                say(format!("clock.limits.{name}"), "0 is no deadline; say how many seconds it may take");
            }
        }
        let rising = limits.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        if !rising {
            say("clock.limits".into(), "what is more urgent must not be given more time");
        }
    }
}
