//! The outbox: facts to store first, then the effects that they explain.

use super::{Effect, Recorded};
use crate::digest::Digest;
use crate::ids::{FleetId, Seq};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The receipt of a journal store: everything of `fleet` up to `through` is stored for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persisted {
    /// The fleet.
    pub fleet: FleetId,
    /// The last sequence that is stored.
    pub through: Seq,
    /// The head of the hash chain after it.
    pub head: Digest,
}

/// Facts to store and effects to release. The caller owns it, reuses it, and drains it; a fleet only adds.
///
/// Store [`Outbox::facts`] first; hand the receipt to [`Outbox::release`], which then gives out the effects that the
/// stored facts explain, in order. A fact not covered by a receipt keeps its effects.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(super) facts: Vec<Recorded>,
    pub(super) effects: VecDeque<(Seq, Effect)>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts that wait to be stored, in sequence.
    #[must_use]
    pub fn facts(&self) -> &[Recorded] {
        &self.facts
    }

    /// How many effects wait for their facts to be stored.
    #[must_use]
    pub fn pending_effects(&self) -> usize {
        self.effects.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.effects.is_empty()
    }

    /// Drops the stored facts and hands out the effects that they explain.
    ///
    /// The effects must be taken from the returned iterator; those left in it when it is dropped are lost to this
    /// process and come back only as [`Fleet::outstanding`](super::Fleet::outstanding) after a replay.
    pub fn release(&mut self, done: Persisted) -> impl Iterator<Item = Effect> + '_ {
        let stored = self.facts.partition_point(|recorded| recorded.seq <= done.through);
        if stored == self.facts.len() {
            // The common case keeps the buffer and moves nothing.
            self.facts.clear();
        } else {
            self.facts.drain(..stored);
        }
        let covered = self.effects.partition_point(|(seq, _)| *seq <= done.through);
        self.effects.drain(..covered).map(|(_, effect)| effect)
    }
}
