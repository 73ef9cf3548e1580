//! Priority, the two clocks, and which input decided (semantics S7).

use super::rate::rate_patch;
use super::{Priority, RiskRules};
use crate::catalog::{Category, Patch};
use crate::time::Timestamp;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// How urgent a candidate is, until when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// How urgent.
    pub priority: Priority,
    /// When the exposure clock started: the earliest of disclosure, known exploitation and the vendor's release.
    pub exposed_since: Timestamp,
    /// When the due clock started: the vendor's release of a first fix, else the day it was first seen here.
    pub clock_started: Timestamp,
    /// Until when it should be verified everywhere; `None` at low priority.
    pub due: Option<Timestamp>,
    /// From when on the due date was counted: the start of a due clock, or a new rating.
    pub due_from: Timestamp,
    /// Which input decided, as a sentence.
    pub why: String,
}

const DAY_SECS: u32 = 24 * 60 * 60;

/// How long a patch of each priority may take from the start of its due clock, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueLimits {
    /// Critical.
    pub critical_secs: u32,
    /// High.
    pub high_secs: u32,
    /// Moderate.
    pub moderate_secs: u32,
}

/// When a patch of a priority is due that may take from an instant on: plain limits, or a policy with its cycles.
pub trait DueDates {
    /// The due date that is counted from `from`; `None` at low, which has none.
    fn due(&self, priority: Priority, from: Timestamp) -> Option<Timestamp>;
}

impl DueDates for DueLimits {
    fn due(&self, priority: Priority, from: Timestamp) -> Option<Timestamp> {
        self.of(priority).map(|secs| from.plus_secs(secs.into()))
    }
}

impl Default for DueLimits {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl DueLimits {
    /// The field's: 7 days, 30 days, and 30 days as the end of a monthly cycle.
    pub const STANDARD: Self =
        Self { critical_secs: 7 * DAY_SECS, high_secs: 30 * DAY_SECS, moderate_secs: 30 * DAY_SECS };

    /// The limit of a priority, in seconds; `None` at low, which has none.
    #[must_use]
    pub const fn of(&self, priority: Priority) -> Option<u32> {
        match priority {
            Priority::Critical => Some(self.critical_secs),
            Priority::High => Some(self.high_secs),
            Priority::Moderate => Some(self.moderate_secs),
            Priority::Low => None,
        }
    }
}

/// Rates a patch by the field's rules ([`RiskRules::default`]), from what it says of itself and of what it closes, with
/// no endpoint in view. A severity that nobody
/// stated is rated high for security updates (fail closed: an unknown is not a low) and low for anything else; feature,
/// driver and firmware classes never inherit security rules.
///
/// `first_seen` stands for dates that are unknown or lie in the future.
///
/// ```
/// # use patchflow_core::{doc::patch, time::Timestamp};
/// use patchflow_core::risk::{assess, DueLimits, Priority};
/// let on = |day: &str| -> Timestamp { format!("2026-11-{day}T00:00:00Z").parse().unwrap() };
/// let mut openssl = patch("openssl", "3.0.22");
/// (openssl.disclosed, openssl.released) = (Some(on("01")), Some(on("04")));
/// let rated = assess(&openssl, on("05"), &DueLimits::default());
/// assert_eq!(rated.priority, Priority::Critical);
/// assert_eq!((rated.exposed_since, rated.due), (on("01"), Some(on("11"))));
/// ```
#[must_use]
pub fn assess(patch: &Patch, first_seen: Timestamp, limits: &dyn DueDates) -> Assessment {
    rate_patch(patch, &[], &RiskRules::default(), limits, first_seen).assessment
}

impl Assessment {
    /// This rating of the same patch after an older one, made at `now`: the clocks neither restart nor pause, so the
    /// due date is the earlier of the old one and the new limit counted from the new rating.
    #[must_use]
    pub fn after(self, older: &Self, now: Timestamp, limits: &dyn DueDates) -> Self {
        let anew = limits.due(self.priority, now);
        let sooner = anew.filter(|anew| older.due.is_none_or(|due| *anew < due));
        let (due, due_from) = sooner.map_or((older.due, older.due_from), |due| (Some(due), now));
        Self {
            exposed_since: self.exposed_since.min(older.exposed_since),
            clock_started: self.clock_started.min(older.clock_started),
            due,
            due_from,
            ..self
        }
    }

    /// This rating of a patch of `category` that replaces another one: it takes over the earlier clocks and the earlier
    /// due date. Feature, driver and firmware classes take over nothing, and nothing is taken over from them: what
    /// they bring is no fix. `older` is the category of the other one, and its rating.
    #[must_use]
    pub fn replacing(self, category: Category, older: (Category, &Self)) -> Self {
        if !category.has_security_clocks() || !older.0.has_security_clocks() {
            return self;
        }
        let older = older.1;
        let sooner = older.due.is_some_and(|due| self.due.is_none_or(|own| due <= own));
        let (due, due_from) = if sooner { (older.due, older.due_from) } else { (self.due, self.due_from) };
        Self {
            exposed_since: self.exposed_since.min(older.exposed_since),
            clock_started: self.clock_started.min(older.clock_started),
            due,
            due_from,
            ..self
        }
    }

    /// Until when it should be verified on an endpoint on which it was first needed at `applicable`: an endpoint's
    /// clock starts at the later of that day and what the due date was counted from. Under the limits that gave it the
    /// due date is what they give anew, so that the end of a cycle stays one; otherwise it is as much later.
    ///
    /// ```
    /// # use patchflow_core::{doc::patch, time::Timestamp};
    /// use patchflow_core::risk::{assess, DueLimits};
    /// let on = |day: &str| -> Timestamp { format!("2026-11-{day}T00:00:00Z").parse().unwrap() };
    /// let (mut openssl, limits) = (patch("openssl", "3.0.22"), DueLimits::default());
    /// openssl.released = Some(on("01"));
    /// openssl.severity = patchflow_core::catalog::Severity::Low;
    /// let low = assess(&openssl, on("01"), &limits);
    /// openssl.severity = patchflow_core::catalog::Severity::Critical;
    /// let raised = assess(&openssl, on("10"), &limits).after(&low, on("10"), &limits);
    /// assert_eq!(raised.due, Some(on("17")), "seven days from the new rating");
    /// assert_eq!(raised.due_there(on("08"), &limits), raised.due, "also where it was needed before that");
    /// assert_eq!(raised.due_there(on("12"), &limits), Some(on("19")));
    /// ```
    #[must_use]
    pub fn due_there(&self, applicable: Timestamp, limits: &dyn DueDates) -> Option<Timestamp> {
        let due = self.due?;
        if limits.due(self.priority, self.due_from) == Some(due) {
            return limits.due(self.priority, self.due_from.max(applicable));
        }
        Some(due.plus(applicable.since(self.due_from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Severity;
    use crate::doc::patch;

    fn on(day: u32) -> Timestamp {
        Timestamp::from_secs(i64::from(day * DAY_SECS))
    }

    #[test]
    fn the_exposure_clock_starts_with_the_earliest_and_the_due_clock_with_the_fix() {
        let mut update = patch("openssl", "3.0.22");
        (update.disclosed, update.exploited, update.released) = (Some(on(3)), Some(on(2)), Some(on(4)));
        let rated = assess(&update, on(5), &DueLimits::default());
        assert_eq!((rated.exposed_since, rated.clock_started, rated.due), (on(2), on(4), Some(on(11))));
        (update.disclosed, update.exploited, update.released) = (Some(on(9)), None, Some(on(8)));
        let rated = assess(&update, on(5), &DueLimits::default());
        assert_eq!((rated.exposed_since, rated.clock_started), (on(5), on(5)), "the future starts no clock");
    }

    #[test]
    fn a_new_rating_never_moves_the_due_date_back() {
        let mut update = patch("openssl", "3.0.22");
        update.released = Some(on(4));
        let limits = DueLimits::default();
        let critical = assess(&update, on(5), &limits);
        update.severity = Severity::High;
        let high = assess(&update, on(6), &limits).after(&critical, on(6), &limits);
        assert_eq!((high.priority, high.due), (Priority::High, Some(on(11))), "still the 11th");
        update.severity = Severity::Critical;
        let was_high = Assessment { due: Some(on(34)), ..high };
        let again = assess(&update, on(20), &limits).after(&was_high, on(20), &limits);
        assert_eq!(again.due, Some(on(27)), "seven days from the new rating, not from the release");
        let was_low = Assessment { due: None, ..again };
        let raised = assess(&update, on(20), &limits).after(&was_low, on(20), &limits);
        assert_eq!(raised.due, Some(on(27)));
    }

    #[test]
    fn a_successor_takes_over_the_clock_and_a_feature_takes_over_none() {
        let limits = DueLimits::default();
        let mut older = patch("openssl", "3.0.22");
        older.released = Some(on(4));
        let older = assess(&older, on(5), &limits);
        let mut newer = patch("openssl", "3.0.23");
        newer.released = Some(on(9));
        let own = assess(&newer, on(9), &limits);
        let rated = own.clone().replacing(Category::Security, (Category::Security, &older));
        assert_eq!((rated.clock_started, rated.due), (on(4), Some(on(11))));
        assert_eq!(own.clone().replacing(Category::Firmware, (Category::Security, &older)), own);
        assert_eq!(own.clone().replacing(Category::Security, (Category::Feature, &older)), own);
    }

    #[test]
    fn an_endpoints_clock_starts_at_the_later_day() {
        let mut update = patch("openssl", "3.0.22");
        update.released = Some(on(4));
        let rated = assess(&update, on(5), &DueLimits::default());
        assert_eq!(rated.due_there(on(1), &DueLimits::default()), Some(on(11)));
        assert_eq!(rated.due_there(on(8), &DueLimits::default()), Some(on(15)));
    }

    #[test]
    fn an_endpoint_that_came_before_a_new_rating_is_due_when_the_rating_says() {
        let limits = DueLimits::default();
        let mut update = patch("openssl", "3.0.22");
        (update.released, update.severity) = (Some(on(4)), Severity::Low);
        let low = assess(&update, on(5), &limits);
        update.severity = Severity::Critical;
        let raised = assess(&update, on(25), &limits).after(&low, on(25), &limits);
        assert_eq!(raised.due, Some(on(32)));
        let there = |day| raised.due_there(on(day), &limits);
        assert_eq!([there(4), there(20), there(30)], [Some(on(32)), Some(on(32)), Some(on(37))]);
        update.severity = Severity::High;
        let lowered = assess(&update, on(26), &limits).after(&raised, on(26), &limits);
        let there = |day| lowered.due_there(on(day), &limits);
        assert_eq!([there(4), there(20), there(30)], [Some(on(32)), Some(on(32)), Some(on(37))], "no later");
    }
}
