//! New alerts of the endpoints that a ring has started on: asked of the health source while a rollout is under way, and
//! told to the fleet, whose gate judges them.
//!
//! The first look after a load counts from the opening of the ring, less what the fleet has recorded: nothing that
//! happened while the host was away is missed, and nothing is counted twice.

use super::call::within;
use super::timers::Due;
use super::{Done, Driver};
use patchflow_core::fleet::{Fleet, Observation};
use patchflow_core::ids::{FleetId, RolloutId};
use patchflow_core::rollout::{RingState, RolloutState};
use patchflow_core::sdk::{BackendError, SampleRequest};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

/// Until when the alerts of a ring are known.
pub(super) type Watched = BTreeMap<(RolloutId, u8), Timestamp>;

/// One look at one ring.
pub(super) struct Look {
    rollout: RolloutId,
    ring: u8,
    until: Timestamp,
    /// Alerts in the time looked at that the fleet has recorded already.
    recorded: u32,
    /// Whether the fleet has been told that there is somebody who can tell.
    known: bool,
    found: Result<u32, BackendError>,
}

impl Driver {
    /// Asks for the new alerts of every ring of a fleet that is open, and sets the time of the next look.
    pub(super) fn watch(&mut self, fleet: FleetId, life: u32) {
        let now = self.now();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let Some(health) = self.lanes[slot.lane].backends.health.clone() else { return };
        let Some(live) = slot.live(life) else { return };
        let looks = looks(&live.fleet, &live.watched, now);
        live.is_watching = !looks.is_empty();
        live.watched.retain(|ring, _| looks.iter().any(|(look, _)| (look.rollout, look.ring) == *ring));
        if looks.is_empty() {
            self.timers.at(now.plus(self.parts.limits.alerts_every), Due::Alerts(fleet, life));
            return;
        }
        let (clock, limit) = (self.parts.clock.clone(), self.parts.limits.call_timeout);
        self.jobs.push(Box::pin(async move {
            let mut found = Vec::with_capacity(looks.len());
            for (mut look, request) in looks {
                look.found = within(&*clock, limit, "asking for alerts", health.alerts(&request)).await;
                found.push(look);
            }
            Done::Alerts(fleet, life, found)
        }));
    }

    pub(super) fn watched(&mut self, fleet: FleetId, life: u32, looks: Vec<Look>) {
        let next = self.now().plus(self.parts.limits.alerts_every);
        self.timers.at(next, Due::Alerts(fleet, life));
        let mut seen = Vec::new();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let lane = slot.lane;
        let Some(live) = slot.live(life) else { return };
        for Look { rollout, ring, until, recorded, known, found } in looks {
            match found {
                Ok(found) => {
                    live.watched.insert((rollout, ring), until);
                    let new = found.saturating_sub(recorded);
                    if new > 0 || !known {
                        seen.push(Observation::Alerts { rollout, ring, new: Some(new) });
                    }
                }
                // The next look begins where this one began; until then a gate that limits alerts holds.
                Err(error) => {
                    seen.push(Observation::Alerts { rollout, ring, new: None });
                    tracing::warn!(%fleet, %rollout, ring, error = &error as &dyn std::error::Error, "alerts are not known");
                    self.parts.stats.lock().calls_failed += 1;
                }
            }
        }
        if !seen.is_empty() {
            self.deliver(lane, fleet, seen);
        }
    }
}

/// What to ask about a fleet: the ring that is open in each rollout under way, with the endpoints it has started on.
fn looks(fleet: &Fleet, watched: &Watched, now: Timestamp) -> Vec<(Look, SampleRequest)> {
    let mut looks = Vec::new();
    for rollout in fleet.rollouts() {
        let is_under_way = matches!(rollout.state(), RolloutState::Running | RolloutState::Paused);
        let at = rollout
            .rings()
            .iter()
            .position(|ring| matches!(ring.state(), RingState::Open | RingState::Settled | RingState::Held));
        let Some((number, at)) =
            at.filter(|_| is_under_way).and_then(|at| Some((u8::try_from(at).ok()?, at)))
        else {
            continue;
        };
        let ring = &rollout.rings()[at];
        let started = rollout.members()[ring.range()].iter().filter(|member| member.attempts() > 0);
        let endpoints: Vec<_> =
            started.filter_map(|member| fleet.endpoint_id(member.endpoint()).cloned()).collect();
        if endpoints.is_empty() {
            continue;
        }
        let (from, recorded) = match watched.get(&(rollout.id(), number)) {
            Some(until) => (*until, 0),
            None => (ring.opened_at().unwrap_or(now), ring.alerts()),
        };
        let (rollout, known) = (rollout.id(), ring.alerts_known());
        let look = Look { rollout, ring: number, until: now, recorded, known, found: Ok(0) };
        looks.push((look, SampleRequest { endpoints, from, until: now }));
    }
    looks
}
