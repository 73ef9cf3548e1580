//! Weekly windows and freezes in UTC (semantics S4).

use crate::time::Timestamp;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const DAY_MILLIS: i64 = 86_400_000;
const WEEK_MILLIS: i64 = 7 * DAY_MILLIS;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// A window that opens each week at a time of day in UTC: half-open, `[start, start + duration)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyWindow {
    /// The day on which it opens, however late it ends.
    pub day: Weekday,
    /// Minute of that day at which it opens, 0 to 1439.
    pub opens_minute: u16,
    /// How long it stays open, in minutes, 1 to 10080.
    pub open_minutes: u16,
}

/// A time in which nothing starts, whatever the windows say: half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// First instant of the freeze.
    pub from: Timestamp,
    /// First instant after it.
    pub until: Timestamp,
}

/// When endpoints may be touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "open", rename_all = "snake_case")]
pub enum Schedule {
    /// At any time that is not frozen; must be said, it is never the default.
    Anytime {
        /// Times in which nothing starts.
        freezes: Vec<Freeze>,
    },
    /// In weekly windows only.
    Weekly {
        /// The windows; overlapping and touching ones merge.
        windows: Vec<WeeklyWindow>,
        /// Times in which nothing starts.
        freezes: Vec<Freeze>,
    },
}

impl Schedule {
    /// Open at all times, no freeze.
    #[must_use]
    pub const fn anytime() -> Self {
        Self::Anytime { freezes: Vec::new() }
    }

    /// Whether an operation of `needed_secs` may start at `at`: the window is open, and closes no earlier than the
    /// operation ends (an exact fit starts).
    #[must_use]
    pub fn is_open(&self, at: Timestamp, needed_secs: u64) -> bool {
        self.closes(at).is_some_and(|closes| at.plus_secs(needed_secs) <= closes)
    }

    /// The first instant at or after `after` at which an operation of `needed_secs` may start; `None` when there is
    /// none within 60 weeks, which means that it can never fit or the freezes leave nothing open.
    #[must_use]
    pub fn next_open(&self, after: Timestamp, needed_secs: u64) -> Option<Timestamp> {
        let mut at = after;
        let horizon = after.plus_secs(60 * 7 * 86_400);
        while at <= horizon {
            if self.is_open(at, needed_secs) {
                return Some(at);
            }
            // At the end of time no edge is later.
            at = self.next_edge(at).filter(|edge| *edge > at)?;
        }
        None
    }

    /// When the opening that covers `at` closes; `None` when nothing is open. [`Timestamp::MAX`] when it never does.
    #[must_use]
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        if self.freezes().iter().any(|freeze| freeze.from <= at && at < freeze.until) {
            return None;
        }
        let mut closes = match self {
            Self::Anytime { .. } => Timestamp::MAX,
            Self::Weekly { windows, .. } => {
                let mut closes = covering(windows, at)?;
                // Overlapping and touching windows merge; a full week of them never closes.
                while let Some(later) = covering(windows, closes).filter(|later| *later > closes) {
                    closes = later;
                    if closes.as_millis() - at.as_millis() > WEEK_MILLIS {
                        closes = Timestamp::MAX;
                        break;
                    }
                }
                closes
            }
        };
        for freeze in self.freezes().iter().filter(|freeze| freeze.from > at) {
            closes = closes.min(freeze.from);
        }
        Some(closes)
    }

    /// When the opening that covers `at` began; `None` when nothing is open, or when it has been open for more than
    /// five weeks and so has no beginning that would matter.
    #[must_use]
    pub fn opened(&self, at: Timestamp) -> Option<Timestamp> {
        let closes = self.closes(at)?;
        let mut back_secs = 3600;
        while back_secs < 5 * 7 * 86_400 {
            let from = Timestamp::from_millis(at.as_millis().saturating_sub(back_secs * 1000));
            let mut opens = self.next_open(from, 0)?;
            // Openings do not overlap, so that the one that covers `at` is the one that closes with it.
            while let Some(closed) = self.closes(opens).filter(|closed| *closed < closes && opens < at) {
                opens = self.next_open(closed, 0)?;
            }
            if opens > from {
                return Some(opens);
            }
            back_secs *= 2;
        }
        None
    }

    /// The first window that begins after `after`, as an occurrence of its own: from when until when. Neither what it
    /// touches nor a freeze changes it; of several that begin at once it is the longest. `None` without windows.
    ///
    /// ```
    /// use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
    /// let week = WeeklyWindow { day: Weekday::Monday, opens_minute: 0, open_minutes: 7 * 1440 };
    /// let weeks = Schedule::Weekly { windows: vec![week], freezes: vec![] };
    /// let at = |text: &str| text.parse().unwrap();
    /// let next = Some((at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z")));
    /// assert_eq!(weeks.next_occurrence(at("2026-11-18T12:00:00Z")), next);
    /// assert_eq!(weeks.next_occurrence(at("2026-11-16T00:00:00Z")), next, "the one that begins then does not begin after");
    /// ```
    #[must_use]
    pub fn next_occurrence(&self, after: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let windows = match self {
            Self::Anytime { .. } => return None,
            Self::Weekly { windows, .. } => windows,
        };
        let next = windows.iter().map(|window| {
            let opens = window.last_start(after).plus_secs(WEEK_MILLIS as u64 / 1000);
            (opens, opens.plus_secs(u64::from(window.open_minutes) * 60))
        });
        next.min_by_key(|(opens, closes)| (*opens, core::cmp::Reverse(*closes)))
    }

    /// Whether it is open at all times.
    #[must_use]
    pub fn is_always_open(&self) -> bool {
        matches!(self, Self::Anytime { freezes } if freezes.is_empty())
    }

    /// The same without its windows (open at all times), without its freezes, or without both.
    #[must_use]
    pub fn without(&self, windows: bool, freezes: bool) -> Self {
        let kept = if freezes { Vec::new() } else { self.freezes().to_vec() };
        match self {
            Self::Weekly { windows: all, .. } if !windows => {
                Self::Weekly { windows: all.clone(), freezes: kept }
            }
            Self::Weekly { .. } | Self::Anytime { .. } => Self::Anytime { freezes: kept },
        }
    }

    /// The same, with more freezes.
    #[must_use]
    pub fn with_freezes(&self, more: &[Freeze]) -> Self {
        let mut schedule = self.clone();
        match &mut schedule {
            Self::Anytime { freezes } | Self::Weekly { freezes, .. } => freezes.extend_from_slice(more),
        }
        schedule
    }

    /// Until when the freeze that covers `at` lasts, those that follow it at once included; `None` when nothing is
    /// frozen then.
    ///
    /// ```
    /// use patchflow_core::schedule::{Freeze, Schedule};
    /// let at = |text: &str| text.parse().unwrap();
    /// let freeze = Freeze { from: at("2026-12-20T00:00:00Z"), until: at("2027-01-02T00:00:00Z") };
    /// let schedule = Schedule::anytime().with_freezes(&[freeze]);
    /// assert_eq!(schedule.frozen_until(at("2026-12-24T18:00:00Z")), Some(freeze.until));
    /// assert_eq!(schedule.frozen_until(freeze.until), None);
    /// ```
    #[must_use]
    pub fn frozen_until(&self, at: Timestamp) -> Option<Timestamp> {
        let mut end = at;
        while let Some(freeze) = self.freezes().iter().find(|it| it.from <= end && end < it.until) {
            end = freeze.until;
        }
        (end > at).then_some(end)
    }

    /// Times in which nothing starts.
    pub(crate) fn freezes(&self) -> &[Freeze] {
        match self {
            Self::Anytime { freezes } | Self::Weekly { freezes, .. } => freezes,
        }
    }

    /// The next instant after `at` at which something opens: the start of a window or the end of a freeze.
    fn next_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let starts = match self {
            Self::Anytime { .. } => None,
            Self::Weekly { windows, .. } => {
                windows.iter().map(|window| window.last_start(at).as_millis() + WEEK_MILLIS).min()
            }
        };
        let thaws = self
            .freezes()
            .iter()
            .map(|freeze| freeze.until.as_millis())
            .filter(|until| *until > at.as_millis())
            .min();
        starts.into_iter().chain(thaws).min().map(Timestamp::from_millis)
    }
}

impl WeeklyWindow {
    /// The last opening at or before `at`.
    fn last_start(&self, at: Timestamp) -> Timestamp {
        // 1970-01-01 was a Thursday; the week is counted from Monday 1969-12-29.
        let in_week = (at.as_millis() + 3 * DAY_MILLIS).rem_euclid(WEEK_MILLIS);
        let opens = self.day as i64 * DAY_MILLIS + i64::from(self.opens_minute) * 60_000;
        Timestamp::from_millis(at.as_millis() - (in_week - opens).rem_euclid(WEEK_MILLIS))
    }
}

/// The latest end among the windows open at `at`.
fn covering(windows: &[WeeklyWindow], at: Timestamp) -> Option<Timestamp> {
    windows
        .iter()
        .map(|window| window.last_start(at).plus_secs(u64::from(window.open_minutes) * 60))
        .filter(|closes| *closes > at)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn t(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn weekly(windows: &[(Weekday, u16, u16)]) -> Schedule {
        let windows = windows
            .iter()
            .map(|&(day, opens_minute, open_minutes)| WeeklyWindow { day, opens_minute, open_minutes })
            .collect();
        Schedule::Weekly { windows, freezes: vec![] }
    }

    #[test]
    fn a_weekly_window_is_half_open() {
        let monday = weekly(&[(Weekday::Monday, 14 * 60 + 30, 120)]);
        for (at, open) in [
            ("2026-11-23T14:29:59Z", false),
            ("2026-11-23T14:30:00Z", true),
            ("2026-11-23T16:29:59Z", true),
            ("2026-11-23T16:30:00Z", false),
            ("2026-11-24T14:30:00Z", false),
        ] {
            assert_eq!(monday.is_open(t(at), 0), open, "{at}");
        }
    }

    #[test]
    fn next_open_counts_from_the_question() {
        let monday = weekly(&[(Weekday::Monday, 90, 15)]);
        assert_eq!(monday.next_open(t("2020-11-23T00:15:00Z"), 0), Some(t("2020-11-23T01:30:00Z")));
        assert_eq!(monday.next_open(t("2020-11-23T01:31:00Z"), 14 * 60), Some(t("2020-11-23T01:31:00Z")));
        assert_eq!(monday.next_open(t("2020-11-23T01:31:01Z"), 14 * 60), Some(t("2020-11-30T01:30:00Z")));
        assert_eq!(monday.next_open(t("2020-11-23T00:15:00Z"), 16 * 60), None, "can never fit");
    }

    #[test]
    fn an_opening_knows_when_it_began() {
        let nights =
            weekly(&[(Weekday::Sunday, 23 * 60, 120), (Weekday::Monday, 60, 30), (Weekday::Monday, 180, 30)]);
        assert_eq!(
            nights.opened(t("2026-11-23T01:15:00Z")),
            Some(t("2026-11-22T23:00:00Z")),
            "touching ones are one"
        );
        assert_eq!(nights.opened(t("2026-11-23T03:00:00Z")), Some(t("2026-11-23T03:00:00Z")));
        assert_eq!(nights.opened(t("2026-11-23T02:00:00Z")), None);
        assert_eq!(Schedule::anytime().opened(t("2026-11-23T02:00:00Z")), None);
        let freezes = vec![Freeze { from: t("2026-11-23T01:00:00Z"), until: t("2026-11-23T01:10:00Z") }];
        let thawed = Schedule::Anytime { freezes };
        assert_eq!(thawed.opened(t("2026-11-25T00:00:00Z")), Some(t("2026-11-23T01:10:00Z")));
    }

    #[test]
    fn overlapping_and_touching_windows_merge() {
        let two =
            weekly(&[(Weekday::Monday, 360, 60), (Weekday::Monday, 390, 60), (Weekday::Monday, 450, 30)]);
        assert_eq!(two.closes(t("2026-11-23T06:00:00Z")), Some(t("2026-11-23T08:00:00Z")));
        assert!(two.is_open(t("2026-11-23T06:00:00Z"), 120 * 60), "an exact fit starts");
        let always = weekly(&[(Weekday::Monday, 0, 10_080)]);
        assert_eq!(always.next_open(Timestamp::MAX, 60), None, "and the search ends at the end of time");
        assert_eq!(always.closes(t("2026-11-23T06:00:00Z")), Some(Timestamp::MAX));
    }

    #[test]
    fn a_window_over_midnight_on_sunday_belongs_to_the_day_it_began() {
        let sunday = weekly(&[(Weekday::Sunday, 23 * 60, 120)]);
        assert!(sunday.is_open(t("2026-11-23T00:59:59Z"), 0), "Monday, still Sunday's window");
        assert!(!sunday.is_open(t("2026-11-23T01:00:00Z"), 0));
    }

    #[test]
    fn a_freeze_cuts_and_beats_a_window() {
        let freezes = vec![Freeze { from: t("2026-11-23T15:00:00Z"), until: t("2026-11-23T15:30:00Z") }];
        let windows = vec![WeeklyWindow { day: Weekday::Monday, opens_minute: 14 * 60, open_minutes: 120 }];
        let frozen = Schedule::Weekly { windows, freezes: freezes.clone() };
        assert_eq!(frozen.closes(t("2026-11-23T14:00:00Z")), Some(t("2026-11-23T15:00:00Z")));
        assert_eq!(
            frozen.next_open(t("2026-11-23T14:30:00Z"), 1801),
            None.or(Some(t("2026-11-30T14:00:00Z")))
        );
        assert_eq!(frozen.next_open(t("2026-11-23T15:10:00Z"), 1800), Some(t("2026-11-23T15:30:00Z")));
        let anytime = Schedule::Anytime { freezes };
        assert_eq!(anytime.next_open(t("2026-11-23T15:10:00Z"), 0), Some(t("2026-11-23T15:30:00Z")));
    }
}
