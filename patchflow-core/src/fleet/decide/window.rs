//! Windows that closed over members that wait, and members that have waited too long (semantics S3, S4).

use super::start::is_permitted;
use super::{At, Facts};
use crate::fleet::RichFact;
use crate::fleet::message::fact::MissedBecause;
use crate::fleet::state::State;
use crate::ids::{MemberIx, RolloutId};
use crate::policy::Onboarding;
use crate::rollout::{Member, Phase, RingState, Rollout, RolloutState, Watch};
use crate::schedule::Schedule;
use crate::time::Timestamp;

/// A window opens before long for so many members of a calendar: a fact, however few of them are out of contact.
pub(crate) fn window_neared(
    state: &State,
    id: RolloutId,
    calendar: u32,
    (opens, waiting): (Timestamp, u32),
    facts: &mut Facts,
) {
    let Some(rollout) = state.rollout(id) else { return };
    let unreachable = state.asleep(rollout, calendar).count() as u32;
    let calendar = state.endpoints.calendar(calendar).cloned();
    facts.push(RichFact::WindowNeared { rollout: id, calendar, opens, waiting, unreachable }.into());
}

/// A window closed, and so many members of a calendar wait still: a fact, unless their ring opened within the window.
pub(crate) fn window_missed(
    state: &State,
    now: Timestamp,
    id: RolloutId,
    calendar: u32,
    (watch, waiting): (Watch, u32),
    facts: &mut Facts,
) {
    let Some(rollout) = state.rollout(id) else { return };
    let because = match rollout.state() {
        RolloutState::Paused => MissedBecause::Paused,
        RolloutState::Running if !is_permitted(state, now, rollout) => MissedBecause::NotApproved,
        RolloutState::Running if !rollout.may_start() => MissedBecause::NoPlace,
        RolloutState::Running if 2 * unstaged(state, now, rollout, calendar) >= waiting.max(1) => {
            MissedBecause::NotStaged
        }
        RolloutState::Running => MissedBecause::NotTaken,
        RolloutState::Halted | RolloutState::Cancelled | RolloutState::Completed | RolloutState::Ended => {
            return;
        }
    };
    if waiting == 0 || rollout.current_ring().opened_at().is_none_or(|opened| opened > watch.opened) {
        return;
    }
    let calendar = state.endpoints.calendar(calendar).cloned();
    let (opened, closed) = (watch.opened, watch.closes);
    facts.push(RichFact::WindowMissed { rollout: id, calendar, opened, closed, waiting, because }.into());
}

/// Whether something is under way, or may begin at any moment, that began in a window.
pub(crate) fn works_in_a_window(member: &Member) -> bool {
    let may_begin = matches!(member.phase, Phase::Ordered | Phase::Recalling);
    may_begin || is_at_work(member)
}

/// Whether something is being done on its endpoint at this moment.
fn is_at_work(member: &Member) -> bool {
    matches!(member.phase, Phase::Running | Phase::Rebooting | Phase::Draining)
}

/// A window closed, and so many members of a calendar are still at work that began in it: a fact. Who started outside of
/// the windows overruns none. All members are looked at, once for each window that closes over somebody at work.
pub(crate) fn window_overrun(state: &State, id: RolloutId, calendar: u32, watch: Watch, facts: &mut Facts) {
    let Some(rollout) = state.rollout(id).filter(|rollout| rollout.counts().in_flight > 0) else { return };
    let policy = rollout.policy();
    if rollout.emergency().is_some() && policy.emergency.passes_windows {
        return;
    }
    let inside = |member: &&Member| {
        let overdue = || state.due_there(rollout, member.endpoint).is_some_and(|due| due <= watch.closes);
        let before_service = policy.catch_up.onboarding == Onboarding::AtAnyTime;
        state.calendar_of(member.endpoint) == calendar
            && !(policy.clock.enforce_at_deadline && overdue())
            && !(before_service && state.is_onboarding(member.endpoint))
    };
    let at_work = rollout.members().iter().filter(|member| is_at_work(member));
    let under_way = at_work.filter(inside).count() as u32;
    if under_way > 0 {
        let (calendar, closed) = (state.endpoints.calendar(calendar).cloned(), watch.closes);
        facts.push(RichFact::WindowOverrun { rollout: id, calendar, closed, under_way }.into());
    }
}

/// How many of those that wait by a calendar have no content on their endpoints. All members are looked at, once for each
/// window that somebody missed.
fn unstaged(state: &State, now: Timestamp, rollout: &Rollout, calendar: u32) -> u32 {
    if !rollout.is_staged_first() {
        return 0;
    }
    let lacks = |(i, member): &(u32, &Member)| {
        let at = At { rollout, ix: MemberIx(*i), member };
        member.phase == Phase::Waiting
            && rollout.rings()[usize::from(member.ring)].opened_at().is_some()
            && state.calendar_of(member.endpoint) == calendar
            && !super::is_staged(state, now, at)
    };
    (0..).zip(rollout.members()).filter(lacks).count() as u32
}

/// From when on members of the open ring that have not started are deferred, those excepted whose first window ends
/// later; `None` when no ring is open.
pub(crate) fn defers_from(rollout: &Rollout) -> Option<Timestamp> {
    let ring = rollout.current_ring();
    let goes_on = matches!(rollout.state(), RolloutState::Running | RolloutState::Paused);
    if !goes_on || ring.state() != RingState::Open {
        return None;
    }
    Some(waits_from(rollout)?.plus_secs(rollout.policy().deploy.start_within_secs.into()))
}

fn waits_from(rollout: &Rollout) -> Option<Timestamp> {
    let ring = rollout.current_ring();
    ring.reopened_at.or(ring.opened_at())
}

/// When the first window after a ring was opened ends, for endpoints that go by this schedule.
pub(crate) fn first_window_ends(rollout: &Rollout, schedule: &Schedule) -> Option<Timestamp> {
    let opens = schedule.next_open(waits_from(rollout)?, 0)?;
    schedule.closes(opens).filter(|end| *end < Timestamp::MAX)
}
