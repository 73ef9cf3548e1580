//! The outbox: facts to store first, then the effects that they explain.

use super::react::Reaction;
use super::table::names::Names;
use super::{Effect, InspectOrder, Recorded};
use crate::catalog::Target;
use crate::digest::Digest;
use crate::ids::{EndpointIx, FleetId, OrderId, Seq};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
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
    effects: VecDeque<(Seq, Effect)>,
    looks: VecDeque<(Seq, Look)>,
    /// The names that the looks mean.
    names: Names,
}

/// An inspection that does not hold the endpoint's name yet. Names lie anywhere in memory, and so a look at one for each
/// report waits for memory each time; looked up for many at once, the waits overlap.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) order: OrderId,
    pub(crate) endpoint: EndpointIx,
    pub(crate) target: Arc<Target>,
}

/// How many names are fetched at once.
const AT_ONCE: usize = 64;

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
        self.effects.len() + self.looks.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.pending_effects() == 0
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
        let effects = self.effects.partition_point(|(seq, _)| *seq <= done.through);
        let looks = self.looks.partition_point(|(seq, _)| *seq <= done.through);
        Released { outbox: self, effects, looks, fetched: 0 }
    }

    pub(super) fn react(&mut self, seq: Seq, reaction: Reaction, names: &Names) {
        match reaction {
            Reaction::Effect(effect) => self.effects.push_back((seq, effect)),
            Reaction::Look(look) => self.look(seq, look, names),
        }
    }

    #[inline]
    pub(super) fn look(&mut self, seq: Seq, look: Look, names: &Names) {
        if self.names.len() != names.len() || !self.names.is_copy_of(names) {
            self.take_names(names);
        }
        self.looks.push_back((seq, look));
    }

    #[cold]
    fn take_names(&mut self, names: &Names) {
        if self.names.is_copy_of(names) {
            return self.names.catch_up(names);
        }
        // Looks of another fleet, which this outbox held before, keep that one's names.
        while let Some((seq, look)) = self.looks.pop_front() {
            self.effects.extend(self.named(look).map(|effect| (seq, effect)));
        }
        self.effects.make_contiguous().sort_by_key(|(seq, _)| *seq);
        self.names = names.clone();
    }

    /// Fetches the names of the next looks, all at once, so that giving them does not wait for each.
    fn fetch_names(&self, at_most: usize) -> usize {
        let next = at_most.min(self.looks.len()).min(AT_ONCE);
        let names = self.looks.iter().take(next).filter_map(|(_, look)| self.names.get(look.endpoint));
        core::hint::black_box(names.fold(0, |all, name| all ^ name.first()));
        next
    }

    /// The look in full.
    #[inline]
    fn named(&self, Look { order, endpoint, target }: Look) -> Option<Effect> {
        let endpoint = self.names.get(endpoint)?.clone();
        Some(Effect::Inspect(InspectOrder { order, endpoint, target, reverting_to: None }))
    }
}

/// Effects that are covered by a receipt, in the order of their facts.
struct Released<'a> {
    outbox: &'a mut Outbox,
    effects: usize,
    looks: usize,
    /// Looks whose names have been fetched.
    fetched: usize,
}

impl Iterator for Released<'_> {
    type Item = Effect;

    #[inline]
    fn next(&mut self) -> Option<Effect> {
        let Self { outbox, effects, looks, fetched } = self;
        if *looks > 0 {
            let look = outbox.looks.front().map(|(seq, _)| *seq);
            let effect = if *effects > 0 { outbox.effects.front().map(|(seq, _)| *seq) } else { None };
            if effect.is_none_or(|effect| look < Some(effect)) {
                if *fetched == 0 {
                    *fetched = outbox.fetch_names(*looks);
                }
                (*looks, *fetched) = (*looks - 1, fetched.saturating_sub(1));
                let (_, look) = outbox.looks.pop_front()?;
                return outbox.named(look);
            }
        }
        *effects = effects.checked_sub(1)?;
        outbox.effects.pop_front().map(|(_, effect)| effect)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.effects + self.looks, Some(self.effects + self.looks))
    }
}

impl Drop for Released<'_> {
    fn drop(&mut self) {
        // What was not taken is gone, as the outbox says.
        let Outbox { looks, effects, .. } = &mut *self.outbox;
        looks.drain(..self.looks.min(looks.len()));
        effects.drain(..self.effects.min(effects.len()));
    }
}
