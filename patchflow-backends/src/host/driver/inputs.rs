//! Inputs on their way into fleets, and what fleets decide on their way out.

use super::lane::Pushed;
use super::slot::{Live, Slot, State, Waiter};
use super::{Driver, Timestamp};
use crate::host::error::AskError;
use crate::host::message::{Ask, Seen};
use patchflow_core::fleet::Observation;
use patchflow_core::ids::FleetId;
use patchflow_core::rollout::RecallAnswer;
use std::time::Duration;

/// Inputs of one fleet in one turn before the others get theirs.
const INPUTS_PER_STEP: usize = 1024;
/// A deadline that stays over after it was looked at, and led to nothing, is looked at again after this time.
const STUCK_DEADLINE: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn take_ask(&mut self, fleet: FleetId, ask: Ask) {
        if !self.slots.contains_key(&fleet) && !matches!(ask, Ask::Found { .. }) {
            return ask.refuse(AskError::NoFleet(fleet));
        }
        let Some(slot) = self.slot(fleet) else { return ask.refuse(AskError::NoFleet(fleet)) };
        if let State::Troubled(trouble) = &slot.state {
            let trouble = trouble.clone();
            return ask.refuse(AskError::NotDriven(trouble));
        }
        slot.inputs.asks.push_back(ask);
        self.inputs_queued += 1;
        self.wake_fleet(fleet);
    }

    pub(super) fn take_seen(&mut self, fleet: FleetId, seen: Seen) {
        let refusal = match self.slots.get(&fleet).map(|slot| &slot.state) {
            None => AskError::NoFleet(fleet),
            Some(State::Troubled(trouble)) => AskError::NotDriven(trouble.clone()),
            Some(State::Unloaded | State::Loading | State::Live(_)) => return self.queue(fleet, seen),
        };
        if let Some(reply) = seen.reply {
            drop(reply.send(Err(refusal)));
        }
    }

    /// What a backend of a lane says about a fleet; a backend has no say about fleets that do not use it.
    pub(super) fn deliver(&mut self, lane: usize, fleet: FleetId, observations: Vec<Observation<'static>>) {
        match self.slots.get(&fleet) {
            Some(slot) if slot.lane == lane && !matches!(slot.state, State::Troubled(_)) => {
                self.queue(fleet, Seen { observations, reply: None });
            }
            _ => {
                tracing::warn!(%fleet, count = observations.len(), "observations of a fleet that does not use their backend");
                self.parts.stats.lock().strays += observations.len() as u64;
            }
        }
    }

    fn queue(&mut self, fleet: FleetId, seen: Seen) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let before = slot.inputs.len();
        slot.inputs.push(seen);
        if slot.inputs.observations() > self.parts.limits.queued_observations_max {
            slot.inputs.purge();
            if slot.inputs.observations() > self.parts.limits.queued_observations_max {
                self.lanes[slot.lane].choked.insert(fleet);
            }
        }
        self.inputs_queued = self.inputs_queued + slot.inputs.len() - before;
        self.wake_fleet(fleet);
    }

    /// Refuses everything that waits for a fleet.
    pub(super) fn refuse_all(&mut self, fleet: FleetId, why: impl Fn() -> AskError) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        self.inputs_queued -= slot.inputs.len();
        slot.inputs.refuse_all(why);
        self.lanes[slot.lane].choked.remove(&fleet);
        self.busy_lanes.insert(slot.lane);
    }

    /// A fleet has something to do: its turn comes, after it was loaded if need be.
    pub(super) fn wake_fleet(&mut self, fleet: FleetId) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        match slot.state {
            State::Live(_) if !slot.is_ready => {
                slot.is_ready = true;
                self.ready.push_back(fleet);
            }
            State::Unloaded => {
                slot.state = State::Loading;
                self.load_queue.push_back(fleet);
            }
            State::Live(_) | State::Loading | State::Troubled(_) => {}
        }
    }

    pub(super) fn deadline_over(&mut self, fleet: FleetId, when: Timestamp) {
        let now = self.now();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        if slot.armed != Some(when) {
            // An earlier entry has taken its place.
            return;
        }
        slot.armed = None;
        if let State::Live(live) = &slot.state {
            let deadline = live.fleet.next_deadline();
            if deadline.is_none_or(|deadline| deadline > now) {
                self.arm(fleet, deadline);
                return;
            }
        }
        slot.due = true;
        self.wake_fleet(fleet);
    }

    /// Sees to it that the heap holds an entry not later than this deadline.
    fn arm(&mut self, fleet: FleetId, deadline: Option<Timestamp>) {
        let (Some(slot), Some(deadline)) = (self.slots.get_mut(&fleet), deadline) else { return };
        if slot.armed.is_none_or(|armed| deadline < armed) {
            slot.armed = Some(deadline);
            self.timers.at(deadline, super::Due::Fleet(fleet));
        }
    }

    /// Every fleet that has something to do gets one turn.
    pub(super) fn step_fleets(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(fleet) = self.ready.pop_front() else { return };
            if let Some(slot) = self.slots.get_mut(&fleet) {
                slot.is_ready = false;
                self.step(fleet);
            }
        }
    }

    fn step(&mut self, fleet: FleetId) {
        let now = self.parts.clock.now();
        let limits = self.parts.limits.clone();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let Slot { state: State::Live(live), inputs, due, was_used, lane, .. } = slot else { return };
        let span = tracing::debug_span!("fleet", %fleet);
        let _entered = span.enter();
        *was_used = true;
        let before = inputs.len();
        let seq_before = live.fleet.seq();
        let looked_at_time = *due && live.takes_asks(&limits);
        if looked_at_time {
            *due = false;
            live.fleet.observe(now, Observation::Time, &mut live.outbox);
        }
        let mut taken = 0;
        while taken < INPUTS_PER_STEP && live.takes_asks(&limits) {
            let Some(ask) = inputs.asks.pop_front() else { break };
            taken += 1;
            let policy = |live: &Live| live.fleet.policy().map(|(_, digest)| digest);
            let before = policy(live);
            take_in(live, now, fleet, ask);
            if policy(live) != before {
                self.lanes[*lane].backends.warn_of(&live.fleet);
            }
        }
        while taken < INPUTS_PER_STEP && live.takes_observations(&limits) {
            let Some(seen) = inputs.next_seen() else { break };
            // One message is taken in whole, so a caller may choose what belongs together.
            taken += seen.observations.len().max(1);
            live.fleet.observe_all(now, &seen.observations, &mut live.outbox);
            if let Some(reply) = seen.reply {
                drop(reply.send(Ok(())));
            }
        }
        let goes_on = taken >= INPUTS_PER_STEP && !inputs.is_empty();
        let (deadline, moved) = (live.fleet.next_deadline(), live.fleet.seq() != seq_before);
        let is_stuck = looked_at_time && !moved && deadline.is_some_and(|deadline| deadline <= now);
        self.inputs_queued = self.inputs_queued + inputs.len() - before;
        if inputs.observations() <= limits.queued_observations_max && self.lanes[*lane].choked.remove(&fleet)
        {
            self.busy_lanes.insert(*lane);
        }
        self.arm(fleet, if is_stuck { Some(now.plus(STUCK_DEADLINE)) } else { deadline });
        self.begin_append(fleet);
        self.release(fleet);
        if goes_on {
            self.wake_fleet(fleet);
        }
    }

    /// Hands the effects of stored facts to the lane.
    pub(super) fn release(&mut self, fleet: FleetId) {
        let stopping = self.stopping.is_some();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let (origin, lane_ix) = (slot.origin(fleet), slot.lane);
        let State::Live(live) = &mut slot.state else { return };
        let lane = &mut self.lanes[lane_ix];
        let mut stopped = Vec::new();
        let before = live.open_effects;
        let mut open = live.open_effects;
        for effect in live.outbox.release(live.receipt) {
            if stopping && !matches!(effect, patchflow_core::fleet::Effect::Notify(_)) {
                // It is asked after when the host runs again.
                continue;
            }
            match lane.push(origin, effect) {
                Pushed::Waits => open += 1,
                Pushed::Known | Pushed::Replaced => {}
                Pushed::Nobody => tracing::debug!(%fleet, "nobody to carry out an effect"),
                Pushed::Stopped(order) => {
                    open -= 1;
                    stopped.push(Observation::RecallAnswered { order, answer: RecallAnswer::Recalled });
                }
            }
        }
        live.open_effects = open;
        self.effects_open = self.effects_open + open - before;
        self.busy_lanes.insert(lane_ix);
        if !stopped.is_empty() {
            self.deliver(lane_ix, fleet, stopped);
        }
    }
}

/// A request, a look, or a founding that comes too late.
fn take_in(live: &mut Live, now: Timestamp, fleet: FleetId, ask: Ask) {
    match ask {
        Ask::Look(look) => look(Ok(&live.fleet)),
        Ask::Found { reply, .. } => drop(reply.send(Err(AskError::FleetExists(fleet)))),
        Ask::Request(request, reply) => match live.fleet.command(now, *request, &mut live.outbox) {
            Err(refusal) => drop(reply.send(Err(AskError::Refused(refusal)))),
            Ok(outcome) => {
                // Also a repeated request waits for the facts of its first time.
                let seq = live.fleet.seq();
                if seq <= live.receipt.through {
                    drop(reply.send(Ok(outcome)));
                } else {
                    live.waiters.push_back((seq, Waiter::Outcome(reply, outcome)));
                }
            }
        },
    }
}
