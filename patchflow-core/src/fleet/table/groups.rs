//! Availability groups: endpoints that must not be down together, such as the members of a cluster (semantics S12).
//!
//! An endpoint of a group is unavailable from its order until it is verified: while an operation has it, when it
//! failed, and while nobody knows. A cache; whether an endpoint is broken stands in its slot.
//!
//! One that was rolled back keeps its neighbours from starting until a person has looked at it, and does not keep them
//! from being rolled back: its old level was seen, so it works, and the others are to come back as well.

use super::budget::Turn;
use super::slot::Health;
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
    /// Of those, how many were rolled back, and nothing else is said against them.
    back: u32,
    waiting: BTreeSet<Turn>,
    reverts: BTreeSet<Turn>,
}

impl Group {
    fn somebody_waits(&self) -> bool {
        !(self.waiting.is_empty() && self.reverts.is_empty())
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self { limit: Amount::Count { n: 1 }, groups: Vec::new(), freed: BTreeSet::new() }
    }
}

impl Groups {
    /// Begins anew: nothing is counted. Gives those who waited, and whether to be rolled back.
    pub(crate) fn begin(&mut self, limit: Amount) -> Vec<(Turn, bool)> {
        let before = core::mem::replace(self, Self { limit, ..Self::default() });
        let marked = |turns: BTreeSet<Turn>, reverts| turns.into_iter().map(move |turn| (turn, reverts));
        let of = |group: Group| marked(group.waiting, false).chain(marked(group.reverts, true));
        before.groups.into_iter().flat_map(of).collect()
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
        if group.somebody_waits() {
            self.freed.insert(number);
        }
    }

    /// An endpoint fares otherwise than before.
    pub(crate) fn count(&mut self, number: u32, [before, after]: [Health; 2]) {
        let Some(group) = self.group(number).filter(|_| before != after) else { return };
        for (health, more) in [(before, false), (after, true)] {
            let count = |n: &mut u32| *n = if more { *n + 1 } else { n.saturating_sub(1) };
            match health {
                Health::Up => {}
                Health::Back => [&mut group.down, &mut group.back].into_iter().for_each(count),
                Health::Down => count(&mut group.down),
            }
        }
        if after != Health::Down && group.somebody_waits() {
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

    /// Whether one more endpoint may be rolled back.
    pub(crate) fn takes_back(&self, number: u32) -> bool {
        let Some((down, most)) = self.taken(number) else { return true };
        let back = self.groups.get(number as usize - 1).map_or(0, |group| group.back);
        down - back < most
    }

    /// A member waits to be rolled back until an endpoint of the group is available again, or rolled back.
    pub(crate) fn wait_to_revert(&mut self, number: u32, turn: Turn) {
        if let Some(group) = self.group(number) {
            group.reverts.insert(turn);
        }
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

    /// The same of one that waited to be rolled back.
    pub(crate) fn forget_revert(&mut self, number: u32, who: (RolloutId, MemberIx)) -> bool {
        let Some(group) = self.group(number) else { return false };
        let before = group.reverts.len();
        group.reverts.retain(|(_, _, rollout, member)| (*rollout, *member) != who);
        group.reverts.len() < before
    }

    /// Whether no endpoint became available for which somebody waits.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.freed.is_empty()
    }

    /// The first in line of every group in which an endpoint became available, and whether it is to be rolled back.
    pub(crate) fn next(&mut self) -> Vec<(Turn, bool)> {
        let (mut first, freed) = (Vec::new(), core::mem::take(&mut self.freed));
        for number in freed {
            let (takes_back, has_room) = (self.takes_back(number), self.has_room(number));
            let Some(group) = self.group(number) else { continue };
            let revert = if takes_back { group.reverts.pop_first() } else { None };
            let turn = match revert {
                Some(turn) => Some((turn, true)),
                None if has_room => group.waiting.pop_first().map(|turn| (turn, false)),
                None => None,
            };
            if let Some(turn) = turn {
                first.push(turn);
                if group.somebody_waits() {
                    self.freed.insert(number);
                }
            }
        }
        first
    }
}
