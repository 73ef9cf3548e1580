//! Nothing is ordered when its window is shut, frozen, or closes before the operation ends.

use super::condition_entry::takes_back;
use super::{Ledger, Oracle, Standing, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::catalog::RebootBehaviour;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::{MemberIx, RolloutId};
use patchflow_core::policy::{Onboarding, Policy};
use patchflow_core::rollout::Event;
use patchflow_core::schedule::{Freeze, Schedule};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct InsideWindow {
    /// When the first window closed that a member missed while it went by a calendar.
    missed: BTreeMap<(RolloutId, MemberIx, Option<String>), Timestamp>,
}

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
        if let Some((RichFact::WindowMissed { rollout, calendar, closed, .. }, _)) = rich_fact(&sight) {
            return self.note(ledger, *rollout, calendar.as_deref(), *closed);
        }
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
        let open =
            |schedule: &Schedule| is_open_throughout(schedule, at, at.plus_secs(needed), (passes, thaws));
        // Who missed a window, and was read after the grace, may start inside active hours; its own freezes hold there.
        let calendars = &rollout.policy.calendars;
        let catches_up = || {
            let name = calendars.active_hours.as_ref()?;
            let mut hours = calendars.named.get(name)?.clone();
            let adopted = ledger.policy.as_ref().and_then(|policy| policy.calendars.named.get(name));
            adopted.into_iter().for_each(|it| freezes_of(&mut hours).append(freezes_of(&mut it.clone())));
            freezes_of(&mut hours).append(freezes_of(&mut schedule.clone()?));
            let missed = self.missed.get(&(fact.rollout, fact.member, calendar.map(Into::into)))?;
            let grace_ends = missed.plus_secs(calendars.grace_secs.into());
            let read =
                endpoint.and_then(|endpoint| endpoint.state.read_at).is_some_and(|read| read >= grace_ends);
            let reboots = fact.event == Event::RebootOrdered;
            Some(at >= grace_ends && (read || reboots) && open(&hours))
        };
        if !schedule.as_ref().is_some_and(open) && catches_up() != Some(true) {
            says(format!(
                "{} {} of {} at {at}, needing {needed} s",
                fact.member,
                fact.rollout,
                name(fact.event)
            ));
        }
    }
}

impl InsideWindow {
    fn note(&mut self, ledger: &Ledger, id: RolloutId, calendar: Option<&str>, closed: Timestamp) {
        let Some(rollout) = ledger.rollout(id).filter(|it| it.policy.calendars.active_hours.is_some()) else {
            return;
        };
        for (ix, member) in (0..).map(MemberIx).zip(&rollout.members) {
            let opened = rollout.rings.get(usize::from(member.ring)).is_some_and(|ring| ring.opened);
            let endpoint = ledger.endpoint(member.endpoint);
            let goes_by = endpoint.is_some_and(|endpoint| endpoint.calendar.as_deref() == calendar);
            if member.standing == Standing::Waiting && opened && goes_by {
                self.missed.entry((id, ix, calendar.map(Into::into))).or_insert(closed);
            }
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
    use patchflow_core::fleet::MissedBecause;
    use patchflow_core::ids::EndpointIx;
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
            let mut stage = Stage::with(Box::new(InsideWindow::default()));
            stage.policy.schedule = Schedule::Weekly { windows, freezes };
            stage.ready(&[2]).member(0, Event::Ordered);
            assert_eq!(stage.caught().len(), caught, "{:?}", stage.policy.schedule);
        }
    }

    #[test]
    fn an_order_in_active_hours_is_caught_unless_a_window_was_missed_and_the_endpoint_was_read_after_the_grace()
     {
        // A window on Sunday; active hours on Saturday, when the stage begins.
        let window = |day| Schedule::Weekly {
            windows: vec![WeeklyWindow { day, opens_minute: 8 * 60, open_minutes: 180 }],
            freezes: vec![],
        };
        for (missed, read, waits_secs, caught) in [
            (true, true, 900, 0),
            (true, true, 899, 1),
            (true, true, 3 * 3600, 1),
            (true, false, 900, 1),
            (false, true, 900, 1),
        ] {
            let mut stage = Stage::with(Box::new(InsideWindow::default()));
            stage.policy.schedule = window(Weekday::Sunday);
            stage.policy.calendars.named.insert("office".into(), window(Weekday::Saturday));
            stage.policy.calendars.active_hours = Some("office".into());
            stage.policy.calendars.grace_secs = 900;
            stage.ready(&[2]);
            if missed {
                let (rollout, because) = (RolloutId(0), MissedBecause::NotTaken);
                let (opened, closed) = (Timestamp::default(), stage.now());
                stage.rich(RichFact::WindowMissed {
                    rollout,
                    calendar: None,
                    opened,
                    closed,
                    waiting: 2,
                    because,
                });
            }
            stage.pass(waits_secs);
            if read {
                stage.rich(RichFact::EndpointsRead {
                    endpoints: [EndpointIx(0), EndpointIx(1)].into_iter().collect(),
                });
            }
            stage.member(0, Event::Ordered);
            assert_eq!(stage.caught().len(), caught, "{missed} {read} {waits_secs}");
        }
    }

    #[test]
    fn an_order_in_a_freeze_that_was_adopted_later_is_caught() {
        for (frozen, caught) in [(false, 0), (true, 1)] {
            let mut stage = Stage::with(Box::new(InsideWindow::default()));
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
