//! Due dates, and what happens when they come near (semantics S7).

use super::Say;
use crate::risk::DueLimits;
use alloc::format;
use serde::{Deserialize, Serialize};

/// Due dates, and what happens when they come near (semantics S7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPolicy {
    /// How long a patch of each priority may take from the day a fix was available; none of them 0.
    pub limits: DueLimits,
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
