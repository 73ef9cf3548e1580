//! Appends: many fleets to a commit, one append of a fleet at a time, and what follows from each result.

use super::call::within;
use super::slot::{Appending, State, Waiter};
use super::timers::Due;
use super::{Done, Driver, wait_for};
use crate::host::error::{AskError, Trouble};
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::sdk::{Append, AppendError, BackendError, Retry};
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;

/// How long another writer is remembered.
const CONFLICT_MEMORY: Duration = Duration::from_secs(600);

/// Appends that wait for the next commit.
#[derive(Default)]
pub(super) struct Commits {
    ready: Vec<(u32, Append)>,
    in_flight: bool,
    linger: Linger,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Linger {
    #[default]
    No,
    Running,
    Over,
}

impl Commits {
    /// The first append has waited long enough.
    pub(super) fn lingered(&mut self) {
        self.linger = Linger::Over;
    }
}

impl Driver {
    /// Makes an append of the facts that wait, when none is under way.
    pub(super) fn begin_append(&mut self, fleet: FleetId) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        let life = slot.life;
        let State::Live(live) = &mut slot.state else { return };
        match live.next_append(&self.parts.limits) {
            Ok(None) => {}
            Ok(Some((append, baseline))) => {
                self.parts.stats.lock().baselines += u64::from(baseline);
                self.commits.ready.push((life, append));
            }
            Err(error) => self.trouble(fleet, Trouble::Unwritable(error)),
        }
    }

    pub(super) fn start_commits(&mut self) {
        let limits = &self.parts.limits;
        let commits = &mut self.commits;
        if commits.in_flight || commits.ready.is_empty() {
            return;
        }
        let is_full = commits.ready.len() >= limits.commit_fleets_max || self.stopping.is_some();
        if !limits.commit_linger.is_zero() && !is_full && commits.linger != Linger::Over {
            if commits.linger == Linger::No {
                commits.linger = Linger::Running;
                self.timers.at(self.parts.clock.now().plus(limits.commit_linger), Due::Commit);
            }
            return;
        }
        commits.linger = Linger::No;
        commits.in_flight = true;
        let most = commits.ready.len().min(limits.commit_fleets_max);
        let (lives, appends): (Vec<_>, Vec<_>) = commits.ready.drain(..most).unzip();
        let (store, clock, limit) =
            (self.parts.store.clone(), self.parts.clock.clone(), limits.append_timeout);
        let span = tracing::debug_span!("commit", fleets = appends.len());
        let commit = async move {
            let stored = async { Ok(store.append(&appends).await) };
            let results = match within(&*clock, limit, "appending to the journal", stored).await {
                Ok(results) if results.len() == appends.len() => results,
                Ok(_) => failed_all(appends.len(), "the store gave too few or too many results"),
                Err(error) => failed_all(appends.len(), &error.doing),
            };
            Done::Committed(lives.into_iter().zip(appends).collect(), results)
        };
        self.jobs.push(Box::pin(commit.instrument(span)));
    }

    pub(super) fn committed(
        &mut self,
        batch: Vec<(u32, Append)>,
        results: Vec<Result<Persisted, AppendError>>,
    ) {
        self.commits.in_flight = false;
        let mut any = false;
        for ((life, append), result) in batch.into_iter().zip(results) {
            let after = append.tail_after();
            match result {
                Ok(receipt) if receipt.through == Seq(after.next.0 - 1) && receipt.head == after.head => {
                    any = true;
                    self.stored(life, &append);
                }
                // An earlier try of these very bytes was stored after all.
                Err(AppendError::Conflict { actual }) if actual == after => {
                    any = true;
                    self.stored(life, &append);
                }
                Ok(receipt) => {
                    tracing::error!(fleet = %append.fleet, through = %receipt.through, "the store acknowledged something else");
                    self.conflict(life, append.fleet);
                }
                Err(AppendError::Conflict { actual }) => {
                    tracing::warn!(fleet = %append.fleet, ends = %actual.next, "another writer got in between");
                    self.conflict(life, append.fleet);
                }
                Err(AppendError::Failed(error)) => self.append_failed(life, append, &error),
                Err(error) => {
                    let error =
                        BackendError::retryable("appending to the journal", Duration::ZERO).because(error);
                    self.append_failed(life, append, &error);
                }
            }
        }
        self.parts.stats.lock().commits += u64::from(any);
    }

    fn stored(&mut self, life: u32, append: &Append) {
        let after = append.tail_after();
        let bytes: usize = append
            .records
            .iter()
            .map(|record| record.header.len() + record.payload.as_ref().map_or(0, Vec::len))
            .sum();
        {
            let mut stats = self.parts.stats.lock();
            stats.appends += 1;
            stats.facts_stored += after.next.0 - append.expected.next.0;
            stats.bytes_stored += bytes as u64;
        }
        let fleet = append.fleet;
        let Some(live) = self.slots.get_mut(&fleet).and_then(|slot| slot.live(life)) else { return };
        live.appending = Appending::Idle;
        live.tail = after;
        live.receipt = Persisted { fleet, through: Seq(after.next.0 - 1), head: after.head };
        let settled = live.waiters.partition_point(|(seq, _)| *seq <= live.receipt.through);
        for (_, waiter) in live.waiters.drain(..settled) {
            match waiter {
                Waiter::Outcome(reply, outcome) => drop(reply.send(Ok(outcome))),
                Waiter::Founded(reply) => drop(reply.send(Ok(()))),
            }
        }
        self.release(fleet);
        // What was decided meanwhile, and what had to wait for this.
        self.wake_fleet(fleet);
    }

    /// Whether the append is stored is not known: the identical one is repeated, and the fleet takes nothing in until
    /// it is settled.
    fn append_failed(&mut self, life: u32, append: Append, error: &BackendError) {
        let now = self.now();
        let fleet = append.fleet;
        let limits = self.parts.limits.clone();
        let Some(live) = self.slots.get_mut(&fleet).and_then(|slot| slot.live(life)) else { return };
        let failures = match live.appending {
            Appending::UnderWay { failures } | Appending::Unsettled { failures, .. } => failures + 1,
            Appending::Idle => 1,
        };
        tracing::warn!(%fleet, failures, error = error as &dyn std::error::Error, "an append failed");
        if failures >= limits.append_tries_max {
            // A replay tells what is stored.
            self.drop_fleet(fleet, || AskError::Unsettled);
            self.timers.at(now.plus(limits.backoff_max), Due::Load(fleet));
            return;
        }
        let wait = match error.retry {
            Retry::After(_) => wait_for(error, failures, &limits).min(limits.backoff_max),
            Retry::Never => limits.backoff_max,
        };
        live.appending = Appending::Unsettled { append, failures };
        self.timers.at(now.plus(wait), Due::Append(fleet, life));
    }

    pub(super) fn repeat_append(&mut self, fleet: FleetId, life: u32) {
        let Some(live) = self.slots.get_mut(&fleet).and_then(|slot| slot.live(life)) else { return };
        match std::mem::replace(&mut live.appending, Appending::Idle) {
            Appending::Unsettled { append, failures } => {
                live.appending = Appending::UnderWay { failures };
                self.commits.ready.push((life, append));
                self.parts.stats.lock().append_retries += 1;
            }
            other => live.appending = other,
        }
    }

    /// The stream does not end where this fleet ended it: what is in memory counts no more.
    fn conflict(&mut self, life: u32, fleet: FleetId) {
        let now = self.now();
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        if slot.live(life).is_none() {
            return;
        }
        self.parts.stats.lock().conflicts += 1;
        if now.since(slot.last_conflict) > CONFLICT_MEMORY {
            slot.conflicts = 0;
        }
        slot.conflicts += 1;
        slot.last_conflict = now;
        let conflicts = slot.conflicts;
        self.drop_fleet(fleet, || AskError::Unsettled);
        if conflicts >= self.parts.limits.conflicts_max {
            self.trouble(fleet, Trouble::TakenOver { conflicts });
        } else {
            self.load_queue.push_back(fleet);
        }
    }

    /// Lets go of a fleet in memory; what its callers wait for is not known to be stored. It waits to be loaded.
    pub(super) fn drop_fleet(&mut self, fleet: FleetId, why: impl Fn() -> AskError) {
        let Some(slot) = self.slots.get_mut(&fleet) else { return };
        slot.life += 1;
        let State::Live(live) = std::mem::replace(&mut slot.state, State::Loading) else { return };
        self.loaded -= 1;
        self.effects_open -= live.open_effects;
        self.lanes[slot.lane].forget_fleet(fleet);
        for (_, waiter) in live.waiters {
            match waiter {
                Waiter::Outcome(reply, _) => drop(reply.send(Err(why()))),
                Waiter::Founded(reply) => drop(reply.send(Err(why()))),
            }
        }
    }

    /// Gives a fleet up, for this host.
    pub(super) fn trouble(&mut self, fleet: FleetId, trouble: Trouble) {
        tracing::error!(%fleet, error = &trouble as &dyn std::error::Error, "a fleet is not driven any more");
        self.drop_fleet(fleet, || AskError::Unsettled);
        let trouble = Arc::new(trouble);
        self.refuse_all(fleet, || AskError::NotDriven(trouble.clone()));
        if let Some(slot) = self.slots.get_mut(&fleet) {
            slot.state = State::Troubled(trouble.clone());
            self.lanes[slot.lane].lose_fleet();
        }
        self.parts.stats.lock().troubles.insert(fleet, trouble);
    }
}

fn failed_all(count: usize, doing: &str) -> Vec<Result<Persisted, AppendError>> {
    let failed = || Err(AppendError::Failed(BackendError::retryable(doing, Duration::ZERO)));
    std::iter::repeat_with(failed).take(count).collect()
}
