//! S4: windows, by writing down every opening around now.

use super::state::Model;
use super::Mutation;
use patchflow_core::schedule::{Schedule, Weekday};
use patchflow_core::time::Timestamp;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// How many weeks are written down before and after the question.
const WEEKS: i64 = 9;

/// One opening, half-open, in seconds since 1970.
type Opening = (i64, i64);

impl Model {
    /// The opening that holds an instant, freezes cut out and neighbours merged.
    fn opening(&self, schedule: &Schedule, at: Timestamp) -> Option<Opening> {
        let at = at.as_secs();
        self.openings(schedule, at).into_iter().find(|(from, until)| *from <= at && at < *until)
    }

    /// All openings around an instant, in their order.
    fn openings(&self, schedule: &Schedule, around: i64) -> Vec<Opening> {
        let (mut openings, freezes) = match schedule {
            Schedule::Anytime { freezes } => (vec![(i64::MIN / 4, i64::MAX / 4)], freezes),
            Schedule::Weekly { windows, freezes } => {
                let mut openings = Vec::new();
                // 1970-01-05 was a Monday.
                let monday = 4 * DAY + (around - 4 * DAY).div_euclid(WEEK) * WEEK;
                for week in -WEEKS..=WEEKS {
                    for window in windows {
                        let opens = monday + week * WEEK + day(window.day) * DAY + i64::from(window.opens_minute) * 60;
                        openings.push((opens, opens + i64::from(window.open_minutes) * 60));
                    }
                }
                (openings, freezes)
            }
        };
        openings.sort_unstable();
        let mut merged: Vec<Opening> = Vec::new();
        for (from, until) in openings {
            match merged.last_mut() {
                Some(last) if from < last.1 || from == last.1 && !self.bent(Mutation::TouchingWindowsStayTwo) => {
                    last.1 = last.1.max(until);
                }
                Some(_) | None => merged.push((from, until)),
            }
        }
        if !self.bent(Mutation::IgnoresFreezes) {
            for freeze in freezes {
                let (from, until) = (freeze.from.as_secs(), freeze.until.as_secs());
                merged = merged
                    .into_iter()
                    .flat_map(|(opens, closes)| [(opens, closes.min(from)), (opens.max(until), closes)])
                    .filter(|(opens, closes)| opens < closes)
                    .collect();
                merged.sort_unstable();
            }
        }
        merged
    }

    /// Whether what needs so many seconds may start now; an exact fit starts.
    pub(super) fn is_open(&self, schedule: &Schedule, at: Timestamp, needed: u64) -> bool {
        let needed = self.asked(needed);
        self.opening(schedule, at).is_some_and(|(_, closes)| at.as_secs() + needed as i64 <= closes)
    }

    fn asked(&self, needed: u64) -> u64 {
        match self.mutation {
            Some(Mutation::StartsWhatDoesNotFit) => 0,
            Some(Mutation::AnExactFitIsTooLong) => needed + 1,
            _ => needed,
        }
    }

    /// When the window that is open now closes; far away when it never does.
    pub(super) fn closes(&self, schedule: &Schedule, at: Timestamp) -> Option<i64> {
        self.opening(schedule, at).map(|(_, closes)| closes)
    }

    /// The first instant from `at` on at which it may start.
    pub(super) fn next_open(&self, schedule: &Schedule, at: Timestamp, needed: u64) -> Option<Timestamp> {
        let needed = self.asked(needed) as i64;
        self.openings(schedule, at.as_secs())
            .into_iter()
            .map(|(opens, closes)| (opens.max(at.as_secs()), closes))
            .find(|(opens, closes)| opens < closes && opens + needed <= *closes)
            .map(|(opens, _)| Timestamp::from_secs(opens))
    }
}

fn day(day: Weekday) -> i64 {
    match day {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// Whether a merged opening goes on to the end of what was written down, and so never closes.
pub(super) fn never_closes(closes: i64, at: Timestamp) -> bool {
    closes - at.as_secs() > (WEEKS - 2) * WEEK
}
