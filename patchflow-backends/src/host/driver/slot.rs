//! What the driver keeps of each fleet: little while it is idle or on disk, the fleet itself while it is at work.

use super::alerts::Watched;
use super::lane::Origin;
use crate::host::error::{AskError, Trouble};
use crate::host::limits::HostLimits;
use crate::host::message::{Ask, Reply, Seen};
use patchflow_core::fleet::{Fleet, Outbox, Outcome, Persisted};
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{EncodeError, Encoder, Tail};
use patchflow_core::sdk::{Append, LeaseGrant};
use patchflow_core::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// One fleet, loaded or not.
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) lane: usize,
    /// Rises whenever the fleet is dropped from memory: what was begun for an earlier life counts no more.
    pub(super) life: u32,
    pub(super) inputs: Inputs,
    /// The time for which the heap holds an entry that counts.
    pub(super) armed: Option<Timestamp>,
    /// A deadline is over and was not looked at yet.
    pub(super) due: bool,
    /// It stands in the list of fleets that have something to do.
    pub(super) is_ready: bool,
    /// Something happened since the last look for idle fleets.
    pub(super) was_used: bool,
    pub(super) conflicts: u32,
    pub(super) last_conflict: Timestamp,
    pub(super) load_failures: u32,
    pub(super) lease: Option<LeaseGrant>,
}

pub(super) enum State {
    /// On disk.
    Unloaded,
    /// On disk, and a load is asked for or under way, or waits after a failure.
    Loading,
    Live(Box<Live>),
    /// Not driven any more.
    Troubled(Arc<Trouble>),
}

impl Slot {
    pub(super) fn new(lane: usize) -> Self {
        Self {
            state: State::Unloaded,
            lane,
            life: 0,
            inputs: Inputs::default(),
            armed: None,
            due: false,
            is_ready: false,
            was_used: false,
            conflicts: 0,
            last_conflict: Timestamp::MIN,
            load_failures: 0,
            lease: None,
        }
    }

    pub(super) fn origin(&self, fleet: FleetId) -> Origin {
        Origin { fleet, life: self.life }
    }

    /// The fleet when it is in memory in this very life.
    pub(super) fn live(&mut self, life: u32) -> Option<&mut Live> {
        match &mut self.state {
            State::Live(live) if self.life == life => Some(live),
            State::Live(_) | State::Unloaded | State::Loading | State::Troubled(_) => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }
}

/// What waits to be taken in by one fleet. Requests do not wait behind observations: a person's halt is heard while
/// backends are slow.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) asks: VecDeque<Ask>,
    seen: VecDeque<Seen>,
    /// Observations in `seen`.
    count: usize,
}

impl Inputs {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.asks.len() + self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.seen.is_empty()
    }

    /// Observations that wait.
    pub(super) fn observations(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, seen: Seen) {
        self.count += seen.observations.len();
        self.seen.push_back(seen);
    }

    /// Takes the next observations, passing over those whose caller has given up.
    pub(super) fn next_seen(&mut self) -> Option<Seen> {
        loop {
            let seen = self.seen.pop_front()?;
            self.count -= seen.observations.len();
            if !seen.is_abandoned() {
                return Some(seen);
            }
        }
    }

    /// Lets go of what nobody waits for any more.
    pub(super) fn purge(&mut self) {
        self.seen.retain(|seen| !seen.is_abandoned());
        self.count = self.seen.iter().map(|seen| seen.observations.len()).sum();
    }

    /// Refuses whatever waits.
    pub(super) fn refuse_all(&mut self, why: impl Fn() -> AskError) {
        self.asks.drain(..).for_each(|ask| ask.refuse(why()));
        self.count = 0;
        for seen in self.seen.drain(..) {
            if let Some(reply) = seen.reply {
                drop(reply.send(Err(why())));
            }
        }
    }
}

/// A caller who waits until facts are stored.
pub(super) enum Waiter {
    Outcome(Reply<Outcome>, Outcome),
    Founded(Reply<()>),
}

/// Where the facts that are to be stored stand.
pub(super) enum Appending {
    /// None is under way.
    Idle,
    /// Waits for a commit or is in one; tries that failed before.
    UnderWay { failures: u32 },
    /// Its outcome is not known; it will be repeated as it is.
    Unsettled { append: Append, failures: u32 },
}

/// A fleet in memory.
pub(super) struct Live {
    pub(super) fleet: Fleet,
    pub(super) outbox: Outbox,
    pub(super) tail: Tail,
    pub(super) receipt: Persisted,
    pub(super) appending: Appending,
    pub(super) waiters: VecDeque<(Seq, Waiter)>,
    /// Effects with the lane: waiting or under way.
    pub(super) open_effects: usize,
    /// Facts stored since the latest baseline.
    pub(super) facts: u64,
    pub(super) watched: Watched,
    /// A ring is open whose alerts are asked for: the fleet stays in memory.
    pub(super) is_watching: bool,
}

impl Live {
    pub(super) fn new(fleet: Fleet, outbox: Outbox, tail: Tail, facts: u64) -> Self {
        let receipt = Persisted { fleet: fleet.id(), through: Seq(tail.next.0 - 1), head: tail.head };
        Self {
            fleet,
            outbox,
            tail,
            receipt,
            appending: Appending::Idle,
            waiters: VecDeque::new(),
            open_effects: 0,
            facts,
            watched: Watched::new(),
            is_watching: false,
        }
    }

    /// Whether the outcome of an append is open: nothing is taken in until it is settled.
    pub(super) fn is_ambiguous(&self) -> bool {
        match self.appending {
            Appending::Idle => false,
            Appending::UnderWay { failures } => failures > 0,
            Appending::Unsettled { .. } => true,
        }
    }

    /// Whether requests are taken in now.
    pub(super) fn takes_asks(&self, limits: &HostLimits) -> bool {
        !self.is_ambiguous() && self.outbox.facts().len() < limits.unstored_facts_max
    }

    /// Whether observations are taken in now. Open effects end by themselves, so a fleet that waits for them does not
    /// wait for ever.
    pub(super) fn takes_observations(&self, limits: &HostLimits) -> bool {
        let effects = self.open_effects + self.outbox.pending_effects();
        self.takes_asks(limits) && effects < limits.open_effects_max
    }

    /// Whether nothing is left to do until a deadline or an input.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.appending, Appending::Idle)
            && self.open_effects == 0
            && self.outbox.is_empty()
            && self.waiters.is_empty()
            && !self.is_watching
    }

    /// The append of every fact that waits, when none is under way; with a baseline when one is due.
    ///
    /// # Errors
    /// When the facts cannot be written down: such a fleet cannot go on.
    pub(super) fn next_append(&mut self, limits: &HostLimits) -> Result<Option<(Append, bool)>, EncodeError> {
        let facts = self.outbox.facts();
        let (Appending::Idle, Some(last)) = (&self.appending, facts.last()) else { return Ok(None) };
        let (id, at, count) = (self.fleet.id(), last.at, facts.len() as u64);
        let mut encoder = Encoder::new(id, self.tail);
        let mut records = Vec::new();
        let after = encoder.encode(facts, &mut records)?;
        self.facts += count;
        let baseline = self.facts >= limits.baseline_every_facts;
        if baseline {
            // The state is exactly that after the facts of this append.
            encoder.move_to(after);
            match encoder.baseline(self.fleet.baseline(), at) {
                Ok(record) => records.push(record),
                // The journal goes on without: it only replays slower.
                Err(error) => tracing::warn!(fleet = %id, %error, "a baseline could not be written"),
            }
            self.facts = 0;
        }
        self.appending = Appending::UnderWay { failures: 0 };
        Ok(Some((Append { fleet: id, expected: self.tail, records }, baseline)))
    }
}
