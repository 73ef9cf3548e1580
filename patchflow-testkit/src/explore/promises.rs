//! What must hold in every state and at every step, whatever the model thinks.

use super::event::{Ask, Event, phase_of};
use crate::model::Live;
use patchflow_core::ids::{EndpointIx, RolloutId};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Phase, RingState, RolloutState};

/// What a step is held against: how the fleet stood before it.
#[derive(Debug)]
pub(super) struct Before {
    fences: Vec<u32>,
    stopped: Vec<RolloutId>,
    orders: usize,
}

impl Before {
    pub(super) fn of(live: &Live) -> Self {
        let stopped = |rollout: &&patchflow_core::rollout::Rollout| {
            rollout.state() != RolloutState::Running && !rollout.is_catching_up()
        };
        Self {
            fences: live.fleet.endpoints().map(|endpoint| endpoint.fence().0).collect(),
            stopped: live.fleet.rollouts().filter(stopped).map(|rollout| rollout.id()).collect(),
            orders: live.orders.len(),
        }
    }

    /// What a step must not do.
    pub(super) fn kept(&self, live: &Live, event: Event) -> Result<(), String> {
        let fence = |i: usize| live.fleet.endpoint(EndpointIx(i as u32)).map_or(0, |e| e.fence().0);
        if self.fences.iter().enumerate().any(|(i, before)| fence(i) < *before) {
            return Err("a fence fell".into());
        }
        let lifts = matches!(event, Event::Asks(Ask::Resume | Ask::Lift, _));
        let starts = live.orders[self.orders.min(live.orders.len())..].iter().find(|order| {
            phase_of(live, **order) == Some(Phase::Ordered) && self.stopped.contains(&order.rollout)
        });
        match starts.filter(|_| !lifts) {
            Some(order) => Err(format!("{order} starts in a rollout that stands still")),
            None => Ok(()),
        }
    }
}

/// What a state must keep.
pub(super) fn state(live: &Live) -> Result<(), String> {
    for rollout in live.fleet.rollouts() {
        let id = rollout.id();
        let members = rollout.members();
        if rollout.counts().members() as usize != members.len() {
            return Err(format!("{id} counts {} of {}", rollout.counts().members(), members.len()));
        }
        let operating = members.iter().filter(|member| member.phase().is_operating()).count();
        if operating > rollout.policy().deploy.in_flight_max as usize {
            return Err(format!("{operating} of {id} are under way"));
        }
        let opened = rollout.rings().iter().map(|ring| ring.opened_at().is_some());
        let passed = rollout.rings().iter().map(|ring| ring.state() == RingState::Skipped);
        let reached: Vec<bool> = opened.zip(passed).map(|(opened, skipped)| opened || skipped).collect();
        if !reached.is_sorted_by(|before, after| before >= after) {
            return Err(format!("rings of {id} opened out of order"));
        }
        for (i, member) in members.iter().enumerate() {
            let ring = &rollout.rings()[usize::from(member.ring())];
            // Whoever waits in a ring that was passed over is left to catch-up.
            let skipped = ring.state() == RingState::Skipped && rollout.state() == RolloutState::Completed;
            if member.operations() > 0 && ring.opened_at().is_none() && !skipped {
                return Err(format!("{id} m{i} started in a ring that is shut"));
            }
        }
    }
    for candidate in live.fleet.candidates() {
        for endpoint in live.fleet.endpoints() {
            let said = explain(&live.fleet, endpoint.ix(), candidate.identified().id());
            let why = said.deciding().map_or("", |step| step.text.as_str());
            if why.trim().is_empty() || why.contains('?') {
                return Err(format!("nothing explains {}: {said:?}", endpoint.ix()));
            }
        }
    }
    Ok(())
}

/// What the facts build must be what the fleet is, and must ask for the same after a crash.
pub(super) fn replay(live: &Live, now: patchflow_core::time::Timestamp) -> Result<(), String> {
    let replayed = live.replayed(now).map_err(|error| error.to_string())?;
    if replayed.baseline() != live.fleet.baseline() {
        return Err("what is replayed is not what was live".into());
    }
    let asks = |fleet: &patchflow_core::fleet::Fleet| {
        fleet.outstanding().map(|effect| format!("{effect:?}")).collect::<Vec<_>>()
    };
    if asks(&replayed) != asks(&live.fleet) {
        return Err("after a crash other things are asked for".into());
    }
    // Whoever was live knows when to look; after a crash it may be sooner, and must not be later.
    match (live.fleet.next_deadline(), replayed.next_deadline()) {
        (Some(due), Some(after)) if after > due => {
            Err(format!("after a crash it looks at {after}, not at {due}"))
        }
        (Some(due), None) => Err(format!("after a crash it never looks, and not at {due}")),
        _ => Ok(()),
    }
}
