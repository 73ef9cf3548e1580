//! From every state a quiet one is within reach: the world does what it should, and time goes by.

use super::event::{Event, is_due, latest, phase_of, unread};
use super::search::happen;
use crate::model::{Live, Pair};
use patchflow_core::rollout::{Phase, RingState, Rollout, RolloutKind, RolloutState};
use std::collections::BTreeSet;

/// Steps to rest at most.
const STEPS_MAX: usize = 200;

/// Whether nothing will move any more unless a person asks, and why is to be seen. `idle`: time alone changes nothing.
fn is_quiet(pair: &Pair, idle: bool) -> bool {
    let live = &pair.live;
    if is_due(live, pair.now) && !idle || !live.hooks.is_empty() || unread(live).next().is_some() {
        return false;
    }
    if latest(live).iter().any(|order| good(live, *order, false).is_some()) {
        return false;
    }
    live.fleet.rollouts().all(|rollout| {
        let asks = rollout.current_ring().state() == RingState::Held;
        let waits = rollout.members().iter().any(|member| member.phase() == Phase::Waiting);
        match rollout.state() {
            RolloutState::Halted | RolloutState::Paused => true,
            RolloutState::Running => asks || follows_one_that_stands(live, rollout),
            RolloutState::Completed => !waits || rollout.is_catching_up(),
            // Whom a trial that failed did not come to was not tried.
            RolloutState::Ended => !waits || rollout.kind() == RolloutKind::Trial,
            RolloutState::Cancelled => false,
        }
    })
}

/// Whether it goes by the orders of a rollout that waits for a person.
fn follows_one_that_stands(live: &Live, rollout: &Rollout) -> bool {
    let stands = |state| matches!(state, RolloutState::Halted | RolloutState::Paused);
    rollout.members().iter().any(|member| member.phase() == Phase::Attached)
        && live.fleet.rollouts().any(|other| other.id() != rollout.id() && stands(other.state()))
}

/// What an endpoint that does what it should does about an order next. `looks`: what was silent is read.
fn good(live: &Live, order: patchflow_core::ids::OrderId, looks: bool) -> Option<Event> {
    match phase_of(live, order)? {
        Phase::Ordered | Phase::Running | Phase::Rebooting | Phase::Reverting => Some(Event::Done(order)),
        Phase::Recalling => Some(Event::Recalls(order, 0)),
        Phase::Installed => Some(Event::Shows(order, 5)),
        Phase::Reverted => Some(Event::Shows(order, 2)),
        // What was silent only because nobody could look needs a look.
        Phase::Silent if looks => Some(Event::Shows(order, 5)),
        Phase::RevertSilent if looks => Some(Event::Shows(order, 2)),
        Phase::Silent | Phase::RevertSilent => Some(Event::Answers(order, 3)),
        Phase::Waiting
        | Phase::Backoff
        | Phase::RebootPending
        | Phase::Verified
        | Phase::Failed
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Deferred
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::Attached
        | Phase::Draining
        | Phase::RevertDraining => None,
    }
}

/// Lets the world do what it should until nothing moves any more.
pub(super) fn rest(pair: &mut Pair, path: &mut Vec<Event>) -> Result<(), String> {
    let mut stood = BTreeSet::new();
    for step in 0..STEPS_MAX {
        // People are called again and again while nobody acknowledges; that moves nothing.
        let idle = !stood.insert(pair.model.key());
        if is_quiet(pair, idle) {
            return Ok(());
        }
        let read = unread(&pair.live).next().map(Event::Read);
        let hook = pair.live.hooks.first().map(|(order, stage)| Event::HookEnds(*order, *stage, false));
        let order =
            || latest(&pair.live).into_iter().find_map(|order| good(&pair.live, order, step % 2 == 1));
        let time = || is_due(&pair.live, pair.now).then_some(Event::Time);
        let Some(event) = hook.or(read).or_else(order).or_else(time) else {
            return Err(format!("nothing happens any more, and it is not quiet\n{}", pair.live.stand()));
        };
        path.push(event);
        happen(pair, event)?;
    }
    Err(format!("no quiet state within {STEPS_MAX} steps\n{}", pair.live.stand()))
}
