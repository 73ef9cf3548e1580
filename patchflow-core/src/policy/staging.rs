//! What must lie on an endpoint before its window (semantics S4).

use super::defaults::HOUR;
use super::{Amount, Policy, Say, ScopeBudget, StartsMax};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Content is brought to an endpoint and hashed there before its window opens. Not staged is not started.
///
/// What bounds the bringing (`in_flight_max`, `scopes`, `starts_max`) belongs to the fleet: the policy that is adopted
/// now decides. The rest is the rollout's. Failures are tried again by [`RetryPolicy`](super::RetryPolicy), but are
/// counted apart: what could not be staged is no failed install.
///
/// ```
/// use patchflow_core::policy::{Policy, StagingPolicy};
/// let mut policy = Policy::standard("offices");
/// policy.staging = StagingPolicy { required: true, lead_secs: 12 * 3600, ..StagingPolicy::default() };
/// assert_eq!(policy.findings(), []);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StagingPolicy {
    /// Whether nothing starts whose content has not been staged, with the digest that was approved.
    pub required: bool,
    /// How long before the next opening of an endpoint's window its content is staged, in seconds; at once where no
    /// window is waited for. Not 0 where there are windows.
    pub lead_secs: u32,
    /// Whether the ring after the open one is staged as well, once the open one has settled and bakes.
    pub next_ring: bool,
    /// The greatest number of endpoints that are staged at once; a share is of the fleet's endpoints. `None` sets no
    /// bound.
    pub in_flight_max: Option<Amount>,
    /// The same for parts of the fleet, such as sites behind one line.
    pub scopes: Vec<ScopeBudget>,
    /// The greatest number of stagings that begin in a time. `None` sets no bound.
    pub starts_max: Option<StartsMax>,
    /// A staging that is not answered within so many seconds has failed; not 0.
    pub within_secs: u32,
    /// The greatest number of attempts for one opening, the first included; not 0.
    pub attempts_max: u8,
    /// How long staged content stays good, in seconds: older content is thrown away and staged anew. More than
    /// `lead_secs` where there are windows, otherwise it would be gone when they open; and not less than `within_secs`,
    /// so that a line does not bring the same over and over. `lead_secs` and the length of a window together let it last
    /// until the window closes.
    pub keep_secs: u32,
}

impl Default for StagingPolicy {
    /// Not required. Where it is: a day ahead, a thousand at once, two hours for each, three attempts, good for a week.
    fn default() -> Self {
        Self {
            required: false,
            lead_secs: 24 * HOUR,
            next_ring: false,
            in_flight_max: Some(Amount::Count { n: 1000 }),
            scopes: Vec::new(),
            starts_max: None,
            within_secs: 2 * HOUR,
            attempts_max: 3,
            keep_secs: 7 * 24 * HOUR,
        }
    }
}

impl StagingPolicy {
    pub(super) fn check(&self, policy: &Policy, say: &mut Say<'_>) {
        if let Some(amount) = self.in_flight_max {
            amount.check("staging.in_flight_max".into(), say);
        }
        super::budgets::check_scopes("staging.scopes", &self.scopes, say);
        if let Some(starts) = self.starts_max {
            starts.check("staging.starts_max", say);
        }
        if self.within_secs == 0 {
            say("staging.within_secs".into(), "0 lets no staging be in time; 1 is the least");
        }
        if self.attempts_max == 0 {
            say("staging.attempts_max".into(), "0 attempts stage nothing; 1 is the least");
        }
        if self.keep_secs == 0 {
            say(
                "staging.keep_secs".into(),
                "content that is thrown away at once is never used; 1 is the least",
            );
        }
        if !self.required {
            return;
        }
        let has_windows = policy.has_windows();
        if has_windows && self.lead_secs == 0 {
            say("staging.lead_secs".into(), "0 stages nothing before a window opens; 1 is the least");
        }
        if self.keep_secs == 0 {
            return;
        }
        if has_windows && self.keep_secs <= self.lead_secs {
            say(
                "staging.keep_secs".into(),
                "not more than lead_secs: content would be thrown away before the window opens",
            );
        } else if self.keep_secs < self.within_secs {
            say(
                "staging.keep_secs".into(),
                "less than within_secs: content that takes that long to bring would be brought over and over; \
                 lead_secs and the length of a window together let it last until the window closes",
            );
        }
    }
}
