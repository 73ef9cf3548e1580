//! S4: windows, by writing down every opening around now.

use super::Mutation;
use super::state::Model;
use patchflow_core::policy::Policy;
use patchflow_core::rollout::Phase;
use patchflow_core::schedule::{Freeze, Schedule, Weekday};
use patchflow_core::time::Timestamp;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// How many weeks are written down before and after the question.
const WEEKS: i64 = 9;

/// What a window says to a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Window {
    Open {
        last_start: i64,
        spread_until: Timestamp,
    },
    /// When the member will have started, if it can start at all.
    Shut {
        opens: Option<Timestamp>,
    },
}

/// One opening, half-open, in seconds since 1970.
type Opening = (i64, i64);

impl Model {
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
                        let opens = monday
                            + week * WEEK
                            + day(window.day) * DAY
                            + i64::from(window.opens_minute) * 60;
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
                Some(last)
                    if from < last.1 || from == last.1 && !self.bent(Mutation::TouchingWindowsStayTwo) =>
                {
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

    fn asked(&self, needed: u64) -> u64 {
        match self.mutation {
            Some(Mutation::StartsWhatDoesNotFit) => 0,
            Some(Mutation::AnExactFitIsTooLong) => needed + 1,
            _ => needed,
        }
    }

    /// The schedule that an endpoint goes by in a rollout; none when it names a calendar that the policy lacks.
    pub(super) fn schedule(&self, r: usize, endpoint: usize) -> Option<Schedule> {
        let calendar = &self.endpoints[endpoint].seen.calendar;
        let of = |policy: &Policy| match calendar {
            None => Some(policy.schedule.clone()),
            Some(name) => policy.calendars.named.get(&**name).cloned(),
        };
        let mut own = of(&self.rollouts[r].policy)?;
        // S8: freezes of a policy that is adopted act at once.
        let adopted = self.policy.as_ref().filter(|_| !self.bent(Mutation::AdoptedFreezesWait)).and_then(of);
        let more = adopted.map_or(vec![], |adopted| freezes_of(&adopted).clone());
        match &mut own {
            Schedule::Anytime { freezes } | Schedule::Weekly { freezes, .. } => freezes.extend(more),
        }
        Some(own)
    }

    /// S8: other freezes were adopted: what has not begun is recalled where it is frozen now, or where it could be under
    /// way still when a freeze begins.
    pub(super) fn freeze(&mut self, (r, m): (usize, usize)) -> bool {
        let rollout = &self.rollouts[r];
        if rollout.emergency && rollout.policy.emergency.overrides_freeze {
            return false;
        }
        let Some(schedule) = self.schedule(r, rollout.members[m].endpoint) else { return false };
        let hooks = &rollout.policy.deploy.hooks;
        let drained = hooks.pre.as_ref().map_or(0, |_| u64::from(hooks.pre_secs_max));
        let latest = rollout.members[m].due.unwrap_or(self.now).as_secs() - 1;
        let ends = (latest + (self.needed(r) - drained) as i64).max(self.now.as_secs() + 1);
        let now = self.now.as_secs();
        let cut = |from: i64, until: i64| match rollout.members[m].phase {
            Phase::Ordered => now < until && from < ends,
            Phase::Running => from <= now && now < until,
            _ => false,
        };
        let cut = freezes_of(&schedule).iter().any(|it| cut(it.from.as_secs(), it.until.as_secs()));
        if cut && !self.bent(Mutation::AdoptedFreezesRecallNothing) {
            self.recall((r, m));
        }
        cut
    }

    /// What the window says to a member that needs so many seconds. S7: an emergency may pass windows and freezes, as
    /// its policy says; where nobody knows the calendar, it passes nothing.
    pub(super) fn window(&self, r: usize, endpoint: usize, needed: u64) -> Window {
        let Some(schedule) = self.schedule(r, endpoint) else { return Window::Shut { opens: None } };
        let schedule = &schedule;
        let usual = self.window_of(r, schedule, needed);
        let may = &self.rollouts[r].policy.emergency;
        let (passes, thaws) = (may.passes_windows, may.overrides_freeze);
        let waits = match usual {
            Window::Open { spread_until, .. } => spread_until > self.now,
            Window::Shut { .. } => true,
        };
        let hurries = self.rollouts[r].emergency && !self.bent(Mutation::EmergenciesWait);
        if !waits || !hurries || !passes && !thaws {
            return usual;
        }
        let (windows, freezes) = match schedule {
            Schedule::Anytime { freezes } => (None, freezes),
            Schedule::Weekly { windows, freezes } => (Some(windows).filter(|_| !passes), freezes),
        };
        let freezes = if thaws { vec![] } else { freezes.clone() };
        let other = match windows {
            Some(windows) => Schedule::Weekly { windows: windows.clone(), freezes },
            None => Schedule::Anytime { freezes },
        };
        match (self.unspread(&other, needed), usual) {
            (Window::Shut { opens }, Window::Shut { opens: usual }) => {
                Window::Shut { opens: opens.into_iter().chain(usual).min() }
            }
            (Window::Shut { .. }, open @ Window::Open { .. }) | (open @ Window::Open { .. }, _) => open,
        }
    }

    /// What a schedule says when starts are not spread.
    fn unspread(&self, schedule: &Schedule, needed: u64) -> Window {
        match self.next_opening(schedule, needed) {
            None => Window::Shut { opens: None },
            Some((opens, _)) if opens > self.now.as_secs() => {
                Window::Shut { opens: Some(Timestamp::from_secs(opens)) }
            }
            Some((_, last_start)) => Window::Open { last_start, spread_until: Timestamp::MIN },
        }
    }

    /// The first opening, from now on, in which so many seconds fit, and its last start; an exact fit starts.
    fn next_opening(&self, schedule: &Schedule, needed: u64) -> Option<(i64, i64)> {
        let (now, needed) = (self.now.as_secs(), self.asked(needed) as i64);
        let all = self.openings(schedule, now);
        let fits = |(opens, closes): &&Opening| (*opens).max(now) + needed <= *closes && *opens < *closes;
        let (opens, closes) = all.iter().filter(|(_, closes)| *closes > now).find(fits)?;
        Some((*opens, closes - needed))
    }

    /// When the next opening opens in which so many seconds fit, whatever the spread; past where it is open.
    pub(super) fn opens_next(&self, r: usize, endpoint: usize, needed: u64) -> Option<Timestamp> {
        let (opens, _) = self.next_opening(&self.schedule(r, endpoint)?, needed)?;
        Some(Timestamp::from_secs(opens))
    }

    /// When the one after that opens; none where the first never closes.
    pub(super) fn opens_after_next(&self, r: usize, endpoint: usize, needed: u64) -> Option<Timestamp> {
        let all = self.openings(&self.schedule(r, endpoint)?, self.now.as_secs());
        let (now, needed) = (self.now.as_secs(), needed as i64);
        let fits = |(opens, closes): &&Opening| *closes > now && (*opens).max(now) + needed <= *closes;
        let mut fitting = all.iter().filter(fits);
        let (_, closes) = fitting.next()?;
        let (opens, _) = fitting.next().filter(|_| closes - now <= (WEEKS - 2) * WEEK)?;
        Some(Timestamp::from_secs(*opens))
    }

    fn window_of(&self, r: usize, schedule: &Schedule, needed: u64) -> Window {
        match self.next_opening(schedule, needed) {
            None => Window::Shut { opens: None },
            Some((opens, last_start)) if opens > self.now.as_secs() => {
                Window::Shut { opens: Some(self.spread_over(r, opens, last_start)) }
            }
            Some((opens, last_start)) => {
                Window::Open { last_start, spread_until: self.spread_over(r, opens, last_start) }
            }
        }
    }

    /// The same, where whether its place in the spread has come is the hash's business and told by what the engine did.
    pub(super) fn window_and_spread(&self, (r, m): (usize, usize), needed: u64) -> Window {
        let window = self.window(r, self.rollouts[r].members[m].endpoint, needed);
        let goes = self.choices.goes((r, m));
        match window {
            Window::Open { spread_until, .. } if spread_until > self.now && !goes => {
                Window::Shut { opens: None }
            }
            window => window,
        }
    }

    /// Starts are spread: every member has its place from the opening on until here; which is the hash's business.
    fn spread_over(&self, r: usize, opens: i64, last_start: i64) -> Timestamp {
        let spread = i64::from(self.rollouts[r].policy.calendars.spread_secs);
        if opens <= i64::MIN / 8 {
            return Timestamp::MIN;
        }
        let room = spread.min(last_start.saturating_sub(opens));
        Timestamp::from_secs(opens + (room - 1).max(0))
    }

    /// When the first window from `at` on ends, for an endpoint; none when it never ends, or there is none.
    pub(super) fn first_window_ends(&self, r: usize, endpoint: usize, at: Timestamp) -> Option<Timestamp> {
        let all = self.openings(&self.schedule(r, endpoint)?, at.as_secs());
        let (_, closes) = all.into_iter().find(|(_, closes)| *closes > at.as_secs())?;
        let never = closes - at.as_secs() > (WEEKS - 2) * WEEK;
        if never { None } else { Some(Timestamp::from_secs(closes)) }
    }
}

pub(super) fn freezes_of(schedule: &Schedule) -> &Vec<Freeze> {
    match schedule {
        Schedule::Anytime { freezes } | Schedule::Weekly { freezes, .. } => freezes,
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
