//! Windows that closed over members that wait, and members that have waited too long (semantics S3, S4).

use super::Facts;
use super::start::is_permitted;
use crate::fleet::RichFact;
use crate::fleet::message::fact::MissedBecause;
use crate::fleet::state::State;
use crate::ids::RolloutId;
use crate::rollout::{RingState, Rollout, RolloutState, Watch};
use crate::schedule::Schedule;
use crate::time::Timestamp;

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
