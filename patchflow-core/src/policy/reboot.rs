//! Reboots (semantics S6).

use super::Say;
use serde::{Deserialize, Serialize};

/// How many reboots are remembered for each endpoint, and so the most that a policy may allow in 24 hours.
pub(crate) const REBOOTS_MAX: u8 = 8;

/// Reboots (semantics S6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebootPolicy {
    /// Whether an endpoint that waits for a reboot of its own is rebooted first, in its window, instead of being left
    /// alone until somebody else has rebooted it.
    pub preflight: bool,
    /// The most reboots of one endpoint that are ordered within any 24 hours, by all rollouts together: 1 to 8. One
    /// more trips its breaker, and a person must allow reboots again.
    pub max_reboots: u8,
    /// How often the people at an endpoint may put a reboot off.
    pub deferrals_max: u8,
    /// An endpoint that does not confirm within so many seconds that a cancelled reboot will not happen is an alert.
    pub cancel_within_secs: u32,
}

impl Default for RebootPolicy {
    /// No preflight reboots, three in 24 hours, put off three times, five minutes to confirm.
    fn default() -> Self {
        Self { preflight: false, max_reboots: 3, deferrals_max: 3, cancel_within_secs: 300 }
    }
}

impl RebootPolicy {
    pub(super) fn check(&self, say: &mut Say<'_>) {
        if !(1..=REBOOTS_MAX).contains(&self.max_reboots) {
            say("reboot.max_reboots".into(), "an endpoint may be rebooted 1 to 8 times in 24 hours");
        }
        if self.cancel_within_secs == 0 {
            say("reboot.cancel_within_secs".into(), "0 leaves no time to confirm; 1 is the least");
        }
    }
}
