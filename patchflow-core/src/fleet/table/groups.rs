//! Availability groups: endpoints that must not be down together, such as the members of a cluster (semantics S12).
//!
//! An endpoint of a group is unavailable from its order until it is verified: while an operation has it, when it
//! failed, and while nobody knows. A cache; whether an endpoint is broken stands in its slot.

use crate::fleet::table::budget::Turn;
use crate::ids::{MemberIx, RolloutId};
use crate::policy::Amount;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The groups of a fleet by their numbers, from 1.
#[derive(Debug)]
pub(crate) struct Groups {
    limit: Amount,
    groups: Vec<Group>,
    /// Groups in which an endpoint became available while somebody waits.
    freed: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Group {
    endpoints: u32,
    down: u32,
    waiting: BTreeSet<Turn>,
}

impl Default for Groups {
    fn default() -> Self {
        Self { limit: Amount::Count { n: 1 }, groups: Vec::new(), freed: BTreeSet::new() }
    }
}

impl Groups {
    /// Begins anew: nothing is counted. Gives those who waited.
    pub(crate) fn begin(&mut self, limit: Amount) -> Vec<Turn> {
        let before = core::mem::replace(self, Self { limit, ..Self::default() });
        before.groups.into_iter().flat_map(|group| group.waiting).collect()
    }

    fn group(&mut self, number: u32) -> Option<&mut Group> {
        let at = (number as usize).checked_sub(1)?;
        if self.groups.len() <= at {
            self.groups.resize_with(at + 1, Group::default);
        }
        self.groups.get_mut(at)
    }

    /// An endpoint more, or one less, is in a group. Number 0 is no group.
    pub(crate) fn count_endpoint(&mut self, number: u32, more: bool) {
        let Some(group) = self.group(number) else { return };
        group.endpoints = if more { group.endpoints + 1 } else { group.endpoints.saturating_sub(1) };
        if !group.waiting.is_empty() {
            self.freed.insert(number);
        }
    }

    /// An endpoint more, or one less, is unavailable.
    pub(crate) fn count_down(&mut self, number: u32, down: bool) {
        let Some(group) = self.group(number) else { return };
        group.down = if down { group.down + 1 } else { group.down.saturating_sub(1) };
        if !down && !group.waiting.is_empty() {
            self.freed.insert(number);
        }
    }

    /// How many are unavailable, and how many may be.
    pub(crate) fn taken(&self, number: u32) -> Option<(u32, u32)> {
        let group = self.groups.get((number as usize).checked_sub(1)?)?;
        Some((group.down, self.limit.of(group.endpoints)))
    }

    /// Whether one more endpoint may become unavailable.
    pub(crate) fn has_room(&self, number: u32) -> bool {
        self.taken(number).is_none_or(|(down, most)| down < most)
    }

    /// A member waits until an endpoint of the group is available again.
    pub(crate) fn wait(&mut self, number: u32, turn: Turn) {
        if let Some(group) = self.group(number) {
            group.waiting.insert(turn);
        }
    }

    /// A member waits no more, because its endpoint left the group. Whether it did wait: its place in line may be one
    /// from before its patch was rated anew.
    pub(crate) fn forget(&mut self, number: u32, who: (RolloutId, MemberIx)) -> bool {
        let Some(group) = self.group(number) else { return false };
        let before = group.waiting.len();
        group.waiting.retain(|(_, _, rollout, member)| (*rollout, *member) != who);
        group.waiting.len() < before
    }

    /// Whether no endpoint became available for which somebody waits.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.freed.is_empty()
    }

    /// The first in line of every group in which an endpoint became available.
    pub(crate) fn next(&mut self) -> Vec<Turn> {
        let (mut first, freed) = (Vec::new(), core::mem::take(&mut self.freed));
        for number in freed {
            if self.has_room(number)
                && let Some(group) = self.group(number)
                && let Some(turn) = group.waiting.pop_first()
            {
                first.push(turn);
                if !group.waiting.is_empty() {
                    self.freed.insert(number);
                }
            }
        }
        first
    }
}
