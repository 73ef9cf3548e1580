//! The two doors, the loop between them, and what the host may look at.

use super::{Effect, Observation, Outbox, Outcome, Recorded, Request};
use crate::candidate::Candidate;
use crate::error::{CorruptJournal, Refusal};
use crate::ids::{CandidateId, EndpointId, EndpointIx, FleetId, PatchId, RolloutId, Seq};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;

/// A set of endpoints with all its candidates and rollouts: one writer, one journal stream.
#[derive(Debug)]
pub struct Fleet {
    id: FleetId,
}

impl Fleet {
    /// Founds a fleet. Its first fact holds the seed of every stable choice.
    pub fn found(id: FleetId, name: impl Into<String>, seed: u64, now: Timestamp, out: &mut Outbox) -> Self {
        let _ = (name.into(), seed, now, out);
        Self { id }
    }

    /// The world. Never refused: what fits nothing is counted as a stray.
    pub fn observe(&mut self, now: Timestamp, seen: Observation<'_>, out: &mut Outbox) {
        let _ = (now, seen, out);
    }

    /// People. May be refused, and then nothing has changed.
    ///
    /// # Errors
    /// A [`Refusal`] that says what would be allowed.
    pub fn command(&mut self, now: Timestamp, ask: Request, out: &mut Outbox) -> Result<Outcome, Refusal> {
        let _ = (now, ask, out);
        Ok(Outcome::Done)
    }

    /// When to observe [`Observation::Time`] at the latest; `None` when nothing is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// The fleet that these facts built. Evolves only: nothing is decided anew.
    ///
    /// # Errors
    /// [`CorruptJournal`] at the first fact that does not fit; nothing after it is applied.
    pub fn replay(facts: impl IntoIterator<Item = Recorded>) -> Result<Self, CorruptJournal> {
        let _ = facts.into_iter().count();
        Ok(Self { id: FleetId(0) })
    }

    /// The whole state as bytes, from which [`Fleet::resume`] can start.
    #[must_use]
    pub fn baseline(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The fleet that a baseline and the facts after it built.
    ///
    /// # Errors
    /// [`CorruptJournal`] when the baseline cannot be read, or at the first fact that does not fit.
    pub fn resume(baseline: &[u8], facts: impl IntoIterator<Item = Recorded>) -> Result<Self, CorruptJournal> {
        let _ = baseline;
        Self::replay(facts)
    }

    /// After a crash: what was under way. Query these; never send an order again blindly.
    pub fn outstanding(&self) -> impl Iterator<Item = Effect> + '_ {
        core::iter::empty()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> FleetId {
        self.id
    }

    /// The last fact.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq(0)
    }

    /// A candidate.
    #[must_use]
    pub fn candidate(&self, id: CandidateId) -> Option<&Candidate> {
        let _ = id;
        None
    }

    /// All candidates, in the order in which they were identified.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> + '_ {
        core::iter::empty()
    }

    /// The latest candidate of a patch.
    #[must_use]
    pub fn candidate_of(&self, patch: &PatchId) -> Option<CandidateId> {
        let _ = patch;
        None
    }

    /// The rollouts and trials, in the order in which they were started.
    pub fn rollouts(&self) -> impl Iterator<Item = RolloutId> + '_ {
        core::iter::empty()
    }

    /// The index of an endpoint.
    #[must_use]
    pub fn endpoint_ix(&self, id: &str) -> Option<EndpointIx> {
        let _ = id;
        None
    }

    /// The host's name of an endpoint.
    #[must_use]
    pub fn endpoint_id(&self, ix: EndpointIx) -> Option<&EndpointId> {
        let _ = ix;
        None
    }
}
