//! Nothing is ordered when its window is shut, frozen, or closes before the operation ends.

use super::condition_entry::takes_back;
use super::{Ledger, Oracle, member_fact};
use crate::sim::Sight;
use patchflow_core::catalog::RebootBehaviour;
use patchflow_core::policy::{Onboarding, Policy};
use patchflow_core::rollout::Event;
use patchflow_core::schedule::{Freeze, Schedule};
use patchflow_core::time::Timestamp;

#[derive(Debug)]
pub(super) struct InsideWindow;

const WEEK: i64 = 7 * 86_400_000;

/// Whether everything from `from` to `to` is open: minute by minute would do, window by window is quicker.
fn is_open_throughout(
    schedule: &Schedule,
    from: Timestamp,
    to: Timestamp,
    (passes, thaws): (bool, bool),
) -> bool {
    let (windows, freezes) = match schedule {
        Schedule::Anytime { freezes } => (None, freezes),
        Schedule::Weekly { windows, freezes } => (Some(windows), freezes),
    };
    let windows = windows.filter(|_| !passes);
    if !thaws && freezes.iter().any(|freeze| freeze.until > from && (freeze.from <= from || freeze.from < to))
    {
        return false;
    }
    let Some(windows) = windows else { return true };
    // Milliseconds since a Monday at midnight; 1970-01-05 was one.
    let since_monday = |at: Timestamp| at.as_millis() - 4 * 86_400_000;
    let (mut at, end) = (since_monday(from), since_monday(to));
    for _ in 0..windows.len() * 3 + 3 {
        let furthest = windows
            .iter()
            .flat_map(|window| {
                let opens = window.day as i64 * 86_400_000 + i64::from(window.opens_minute) * 60_000;
                let lasts = i64::from(window.open_minutes) * 60_000;
                let week = (at - opens).div_euclid(WEEK);
                [week - 1, week].map(|week| (opens + week * WEEK, opens + week * WEEK + lasts))
            })
            .filter(|(opens, closes)| *opens <= at && at < *closes)
            .map(|(_, closes)| closes)
            .max();
        match furthest {
            None => return at > since_monday(from) && at >= end,
            Some(closes) if closes >= end => return true,
            Some(closes) => at = closes,
        }
    }
    // Windows that follow each other all week never close.
    true
}

impl Oracle for InsideWindow {
    fn name(&self) -> &'static str {
        "inside the window"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        let Some((fact, at)) = member_fact(&sight) else { return };
        // Undoing harm waits for no window.
        if ledger.member(fact.rollout, fact.member).is_some_and(|member| takes_back(fact.event, member)) {
            return;
        }
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let deploy = &rollout.policy.deploy;
        let reboots = ledger
            .candidate(rollout.candidate)
            .is_some_and(|candidate| candidate.patch.reboot != RebootBehaviour::Never);
        let needed = match fact.event {
            Event::Ordered | Event::HookAsked => {
                let reserve = if reboots { deploy.reboot_reserve_secs } else { 0 };
                let hooks = &deploy.hooks;
                let pre = hooks.pre.is_some() && fact.event == Event::HookAsked;
                let pre = if pre { hooks.pre_secs_max } else { 0 };
                let post = if hooks.post.is_some() { hooks.post_secs_max } else { 0 };
                [deploy.expected_secs, reserve, pre, post].into_iter().map(u64::from).sum()
            }
            Event::RebootOrdered => deploy.reboot_reserve_secs.into(),
            _ => return,
        };
        let endpoint =
            ledger.member(fact.rollout, fact.member).and_then(|member| ledger.endpoint(member.endpoint));
        let calendar = endpoint.and_then(|endpoint| endpoint.calendar.as_deref());
        // Nobody works yet on what is not in service.
        let unused = rollout.policy.catch_up.onboarding == Onboarding::AtAnyTime
            && endpoint.is_some_and(|endpoint| endpoint.state.onboarding && !endpoint.state.onboarded);
        let schedule_of = |policy: &Policy| match calendar {
            None => Some(policy.schedule.clone()),
            Some(name) => policy.calendars.named.get(name).cloned(),
        };
        let mut schedule = schedule_of(&rollout.policy);
        // Freezes of the policy that is adopted now act at once, beside the rollout's own.
        let adopted = ledger.policy.as_ref().and_then(|policy| schedule_of(policy));
        if let (Some(own), Some(mut adopted)) = (&mut schedule, adopted) {
            freezes_of(own).append(freezes_of(&mut adopted));
        }
        let emergency = &rollout.policy.emergency;
        let due = ledger.candidate(rollout.candidate).and_then(|candidate| candidate.due);
        let overdue = rollout.policy.clock.enforce_at_deadline && due.is_some_and(|due| due <= at);
        let passes = overdue || unused || (rollout.emergency && emergency.passes_windows);
        let thaws = rollout.emergency && emergency.overrides_freeze;
        let open = |schedule| is_open_throughout(schedule, at, at.plus_secs(needed), (passes, thaws));
        if !schedule.as_ref().is_some_and(open) {
            says(format!(
                "{} {} of {} at {at}, needing {needed} s",
                fact.member,
                fact.rollout,
                name(fact.event)
            ));
        }
    }
}

fn freezes_of(schedule: &mut Schedule) -> &mut Vec<Freeze> {
    match schedule {
        Schedule::Anytime { freezes } | Schedule::Weekly { freezes, .. } => freezes,
    }
}

fn name(event: Event) -> &'static str {
    if event == Event::RebootOrdered { "was ordered to reboot" } else { "was ordered" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::fleet::RichFact;
    use patchflow_core::schedule::{Weekday, WeeklyWindow};
    use std::sync::Arc;

    #[test]
    fn an_order_outside_the_window_is_caught() {
        // The stage begins on Saturday 2026-11-21 at 08:00; an operation takes half an hour.
        let window =
            |opens_minute, open_minutes| WeeklyWindow { day: Weekday::Saturday, opens_minute, open_minutes };
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let freeze = Freeze { from: day("2026-11-21T08:10:00Z"), until: day("2026-11-21T09:00:00Z") };
        for (windows, freezes, caught) in [
            (vec![window(480, 30)], vec![], 0),
            (vec![window(480, 29)], vec![], 1),
            (vec![window(480, 29), window(509, 10)], vec![], 0),
            (vec![window(481, 60)], vec![], 1),
            (vec![window(480, 60)], vec![freeze], 1),
        ] {
            let mut stage = Stage::with(Box::new(InsideWindow));
            stage.policy.schedule = Schedule::Weekly { windows, freezes };
            stage.ready(&[2]).member(0, Event::Ordered);
            assert_eq!(stage.caught().len(), caught, "{:?}", stage.policy.schedule);
        }
    }

    #[test]
    fn an_order_in_a_freeze_that_was_adopted_later_is_caught() {
        for (frozen, caught) in [(false, 0), (true, 1)] {
            let mut stage = Stage::with(Box::new(InsideWindow));
            stage.ready(&[2]);
            let mut later = stage.policy.clone();
            let (from, until) = (stage.now(), stage.now().plus_secs(3_600));
            let freezes = if frozen { vec![Freeze { from, until }] } else { vec![] };
            later.schedule = Schedule::Anytime { freezes };
            let (digest, policy) = (later.digest(), Arc::new(later));
            stage.rich(RichFact::PolicyAdopted { policy, digest, by: "root".into() });
            stage.member(0, Event::Ordered);
            assert_eq!(stage.caught().len(), caught, "frozen: {frozen}");
        }
    }
}
