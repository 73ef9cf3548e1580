//! Fleets coming and going: listed at the start, loaded when something is due, dropped when idle, held under a lease.

use super::call::within;
use super::load::{LoadError, Loaded, load};
use super::slot::{Live, Slot, State, Waiter};
use super::timers::Due;
use super::{Done, Driver, LIST_PAGE, wait_for};
use crate::host::error::{AskError, HostError, Trouble};
use crate::host::message::Ask;
use futures_util::FutureExt as _;
use patchflow_core::fleet::{Fleet, Outbox};
use patchflow_core::ids::FleetId;
use patchflow_core::journal::Tail;
use patchflow_core::sdk::{BackendError, LeaseGrant};
use patchflow_core::time::Timestamp;
use std::time::Duration;
use tracing::Instrument as _;

/// Tries to list the fleets before the host gives up.
const LIST_TRIES: u32 = 5;
/// Fleets that are looked at for being idle in one turn.
const EVICTION_LOOKS: usize = 64;

impl Driver {
    /// Learns which fleets there are. Each is loaded once, to know what it has under way and when it is due next.
    pub(super) async fn list_fleets(&mut self) -> Result<(), HostError> {
        let (store, clock, limits) =
            (self.parts.store.clone(), self.parts.clock.clone(), self.parts.limits.clone());
        let mut after = None;
        let mut failures = 0;
        loop {
            let page = store.fleets(after, LIST_PAGE);
            match within(&*clock, limits.read_timeout, "listing the fleets", page).await {
                Ok(fleets) => {
                    failures = 0;
                    let Some(last) = fleets.last() else { break };
                    after = Some(*last);
                    for fleet in fleets {
                        if self.slot(fleet).is_some() {
                            self.wake_fleet(fleet);
                        }
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures >= LIST_TRIES {
                        return Err(HostError::Store(error));
                    }
                    clock.sleep_until(clock.now().plus(wait_for(&error, failures, &limits))).await;
                }
            }
        }
        tracing::info!(fleets = self.slots.len(), "the host runs");
        Ok(())
    }

    /// The place of a fleet, made when there is none; `None` when this host does not drive the fleet.
    pub(super) fn slot(&mut self, fleet: FleetId) -> Option<&mut Slot> {
        if !self.slots.contains_key(&fleet) {
            let backends = (self.parts.resolver)(fleet)?;
            let is_known = self.lane_of.contains_key(&(std::sync::Arc::as_ptr(&backends) as usize));
            let fits = if is_known { Ok(()) } else { backends.check() };
            let lane = self.lane_of(&backends);
            self.slots.insert(fleet, Slot::new(lane));
            self.lanes[lane].fleets += 1;
            self.busy_lanes.insert(lane);
            if let Err(mismatch) = fits {
                self.trouble(fleet, Trouble::Backends(mismatch));
            }
        }
        self.slots.get_mut(&fleet)
    }

    pub(super) fn start_loads(&mut self) {
        while self.loading < self.parts.limits.loads_in_flight_max {
            let Some(fleet) = self.load_queue.pop_front() else { return };
            let Some(slot) = self.slots.get(&fleet) else { continue };
            if !matches!(slot.state, State::Loading) {
                continue;
            }
            self.loading += 1;
            let (store, clock, limits) =
                (self.parts.store.clone(), self.parts.clock.clone(), self.parts.limits.clone());
            let (lease, holder, held) =
                (self.parts.lease.clone(), self.parts.holder.clone(), slot.lease.clone());
            let span = tracing::debug_span!("load", %fleet);
            let job = async move {
                let held = match (lease, held) {
                    (Some(lease), None) => {
                        let acquired = lease.acquire(fleet, &holder);
                        match within(&*clock, limits.call_timeout, "acquiring a lease", acquired).await {
                            Ok(Some(grant)) => Some(grant),
                            Ok(None) => return Done::Loaded(fleet, None, Err(LoadError::Elsewhere)),
                            Err(error) => return Done::Loaded(fleet, None, Err(LoadError::Store(error))),
                        }
                    }
                    (_, held) => held,
                };
                let loaded = load(store, clock, limits, fleet).await;
                let live =
                    |Loaded { fleet, tail, facts }| Box::new(Live::new(fleet, Outbox::new(), tail, facts));
                Done::Loaded(fleet, held, loaded.map(live))
            };
            self.jobs.push(job.instrument(span).boxed());
        }
    }

    pub(super) fn loaded(
        &mut self,
        fleet: FleetId,
        lease: Option<LeaseGrant>,
        result: Result<Box<Live>, LoadError>,
    ) {
        self.loading -= 1;
        let now = self.now();
        let stopping = self.stopping.is_some();
        let limits = self.parts.limits.clone();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        if let Some(grant) = lease {
            if slot.lease.is_none() {
                self.timers.at(half_way(now, grant.until), Due::Lease(fleet));
            }
            slot.lease = Some(grant);
        }
        if !matches!(slot.state, State::Loading) || stopping {
            return;
        }
        match result {
            Ok(live) => {
                tracing::debug!(%fleet, next = %live.tail.next, "loaded");
                self.lanes[slot.lane].backends.warn_of(&live.fleet);
                self.bring_to_life(fleet, live);
                self.resume_effects(fleet);
            }
            Err(LoadError::Missing) => self.found(fleet, now),
            Err(LoadError::Corrupt(corrupt)) => self.trouble(fleet, Trouble::Corrupt(corrupt)),
            Err(LoadError::Elsewhere) => {
                tracing::debug!(%fleet, "another holder has the lease");
                self.refuse_all(fleet, || AskError::LeaseElsewhere(fleet));
                self.timers.at(now.plus(limits.backoff_max), Due::Load(fleet));
            }
            Err(LoadError::Store(error)) => {
                slot.load_failures = slot.load_failures.saturating_add(1);
                let failures = slot.load_failures;
                tracing::warn!(%fleet, failures, error = &error as &dyn std::error::Error, "a fleet could not be loaded");
                self.timers.at(now.plus(wait_for(&error, failures, &limits)), Due::Load(fleet));
            }
        }
    }

    fn bring_to_life(&mut self, fleet: FleetId, live: Box<Live>) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        slot.state = State::Live(live);
        slot.load_failures = 0;
        // Time has gone by while it lay there: its first look tells it so.
        slot.due = true;
        let life = slot.life;
        self.live.push_back((fleet, life));
        self.loaded += 1;
        self.watch(fleet, life);
        self.wake_fleet(fleet);
    }

    /// The store has no such stream: somebody may have asked for it to be founded.
    fn found(&mut self, fleet: FleetId, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let founding = slot.inputs.asks.iter().position(|ask| matches!(ask, Ask::Found { .. }));
        match founding.and_then(|position| slot.inputs.asks.remove(position)) {
            Some(Ask::Found { name, seed, reply }) => {
                self.inputs_queued -= 1;
                let mut outbox = Outbox::new();
                let founded = Fleet::found(fleet, name, seed, now, &mut outbox);
                let mut live = Box::new(Live::new(founded, outbox, Tail::EMPTY, 0));
                live.waiters.push_back((live.fleet.seq(), Waiter::Founded(reply)));
                self.bring_to_life(fleet, live);
            }
            Some(_) | None => {
                self.refuse_all(fleet, || AskError::NoFleet(fleet));
                if let Some(slot) = self.slots.remove(&fleet) {
                    self.lanes[slot.lane].lose_fleet();
                }
            }
        }
    }

    /// Drops idle fleets from memory while there are too many.
    pub(super) fn evict(&mut self) {
        for _ in 0..EVICTION_LOOKS {
            if self.loaded <= self.parts.limits.loaded_fleets_max {
                return;
            }
            let Some((fleet, life)) = self.live.pop_front() else { return };
            let Some(slot) = self.slots.get_mut(&fleet) else { continue };
            let (was_used, is_ready, is_empty) = (slot.was_used, slot.is_ready, slot.inputs.is_empty());
            slot.was_used = false;
            let Some(live) = slot.live(life) else { continue };
            // It was used since the last look, or is at work: it goes to the end of the line.
            if was_used || is_ready || !is_empty || !live.is_idle() {
                self.live.push_back((fleet, life));
                continue;
            }
            // Its next deadline stands in the heap and brings it back.
            slot.state = State::Unloaded;
            slot.life += 1;
            self.loaded -= 1;
            self.parts.stats.lock().evicted += 1;
        }
    }

    pub(super) fn renew_lease(&mut self, fleet: FleetId) {
        let now = self.now();
        let Some(grant) = self.slots.get(&fleet).and_then(|slot| slot.lease.as_ref()) else { return };
        let Some(lease) = self.parts.lease.clone() else { return };
        let left = grant.until.since(now);
        let (clock, holder) = (self.parts.clock.clone(), self.parts.holder.clone());
        let limit = self.parts.limits.call_timeout.min(left).max(Duration::from_millis(1));
        self.jobs.push(Box::pin(async move {
            let renewed = within(&*clock, limit, "renewing a lease", lease.acquire(fleet, &holder)).await;
            Done::Leased(fleet, renewed)
        }));
    }

    pub(super) fn leased(&mut self, fleet: FleetId, renewed: Result<Option<LeaseGrant>, BackendError>) {
        let now = self.now();
        let limits = self.parts.limits.clone();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let Some(grant) = &slot.lease else { return };
        match renewed {
            Ok(Some(renewed)) => {
                self.timers.at(half_way(now, renewed.until), Due::Lease(fleet));
                slot.lease = Some(renewed);
            }
            Err(error) if now < grant.until => {
                tracing::warn!(%fleet, error = &error as &dyn std::error::Error, "a lease could not be renewed yet");
                self.timers.at(half_way(now, grant.until), Due::Lease(fleet));
            }
            Ok(None) | Err(_) => {
                tracing::warn!(%fleet, "the lease is lost; the fleet is left to whoever has it");
                slot.lease = None;
                self.drop_fleet(fleet, || AskError::Unsettled);
                self.refuse_all(fleet, || AskError::LeaseElsewhere(fleet));
                if let Some(slot) = self.slots.get_mut(&fleet)
                    && !matches!(slot.state, State::Troubled(_))
                {
                    slot.state = State::Loading;
                    self.timers.at(now.plus(limits.backoff_max), Due::Load(fleet));
                }
            }
        }
    }

    /// Gives the leases back, so that others need not wait for them to run out.
    pub(super) async fn release_leases(&mut self) {
        let Some(lease) = self.parts.lease.clone() else { return };
        let (clock, limit) = (self.parts.clock.clone(), self.parts.limits.call_timeout);
        let grants: Vec<_> = self.slots.values_mut().filter_map(|slot| slot.lease.take()).collect();
        for grant in grants {
            if let Err(error) = within(&*clock, limit, "releasing a lease", lease.release(&grant)).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a lease was not given back; it runs out"
                );
            }
        }
    }
}

/// When to renew: half of the time before it runs out, and never at once.
fn half_way(now: Timestamp, until: Timestamp) -> Timestamp {
    now.plus((until.since(now) / 2).max(Duration::from_millis(100)))
}
