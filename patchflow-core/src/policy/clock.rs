//! Due dates, and what happens when they come near (semantics S7).

use super::defaults::HOUR;
use super::{CalendarPolicy, Policy, Say};
use crate::risk::{DueDates, DueLimits, Priority};
use crate::schedule::Schedule;
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Due dates, and what happens when they come near (semantics S7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPolicy {
    /// How long a patch of each priority may take from the day a fix was available; none of them 0.
    pub limits: DueLimits,
    /// A calendar of the policy whose windows are cycles: what is of moderate priority is due at the end of the first
    /// one that begins after its release. `None` counts `limits.moderate_secs` from the release instead.
    pub moderate_cycle: Option<String>,
    /// How long a critical patch that needs a trial may take until its first install on a non-production endpoint, in
    /// seconds from its disclosure, or from the fix if that came later; not 0. People are warned at the half, or
    /// `warn_before_secs` before it when that is later.
    pub first_install_within_secs: u32,
    /// So long before a due date people are warned, in seconds; 0 warns nobody.
    pub warn_before_secs: u32,
    /// Whether a passed due date opens a window of its own. A freeze still holds.
    pub enforce_at_deadline: bool,
}

impl Default for ClockPolicy {
    fn default() -> Self {
        Self {
            limits: DueLimits::default(),
            moderate_cycle: None,
            first_install_within_secs: 24 * HOUR,
            warn_before_secs: 48 * HOUR,
            enforce_at_deadline: false,
        }
    }
}

impl DueDates for Policy {
    fn due(&self, priority: Priority, from: Timestamp) -> Option<Timestamp> {
        let cycle = match priority {
            Priority::Moderate => self.cycle(),
            Priority::Critical | Priority::High | Priority::Low => None,
        };
        let ends = cycle.and_then(|cycle| cycle.next_occurrence(from)).map(|(_, ends)| ends);
        ends.or_else(|| self.clock.limits.due(priority, from))
    }
}

impl Policy {
    /// The calendar whose windows are the cycles that moderate patches are due in.
    fn cycle(&self) -> Option<&Schedule> {
        self.calendars.named.get(self.clock.moderate_cycle.as_ref()?)
    }
}

impl ClockPolicy {
    /// How long before the end of its time people are warned of a first install that is missing, in seconds; 0 never.
    pub(crate) fn first_install_warned_secs(&self) -> u32 {
        self.warn_before_secs.min(self.first_install_within_secs / 2)
    }

    pub(super) fn check(&self, calendars: &CalendarPolicy, say: &mut Say<'_>) {
        if self.first_install_within_secs == 0 {
            say("clock.first_install_within_secs".into(), "0 is no deadline; a day is 86400");
        }
        if let Some(name) = &self.moderate_cycle {
            match calendars.named.get(name) {
                None => say(
                    "clock.moderate_cycle".into(),
                    &format!("there is no calendar `{name}` in `calendars.named`"),
                ),
                Some(Schedule::Anytime { .. }) => say(
                    "clock.moderate_cycle".into(),
                    &format!("the calendar `{name}` has no windows, and so no cycle that ends"),
                ),
                Some(Schedule::Weekly { .. }) => {}
            }
        }
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
