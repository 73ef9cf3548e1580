//! Members that were looked at and found a budget full, by the budget they belong to.
//!
//! A lane is shut while its budget is known to be full. The fleet opens it again when a place becomes free; a member
//! that finds its budget full on its turn shuts it. So a freed place costs one look and not one a member.

use crate::ids::MemberIx;
use alloc::collections::{BTreeMap, BTreeSet};

/// What a lane's members have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// The innermost scope budget they are within, by its number in the policy that is adopted.
    Scope(u16),
    /// Their ring, in which they have not started yet.
    Ring(u8),
    /// Their ring, in which they are to be tried again.
    Retries(u8),
    /// Their ring, in which they are to be rolled back.
    Reverts(u8),
}

/// The lanes of one rollout. A cache: after a replay every member is looked at again.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    lanes: BTreeMap<Lane, BTreeSet<MemberIx>>,
    /// Lanes to look at, by their first members.
    open: BTreeSet<(MemberIx, Lane)>,
}

impl Parked {
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Adds a member that found its budget full: the lane is shut.
    pub(crate) fn park(&mut self, lane: Lane, member: MemberIx) {
        let members = self.lanes.entry(lane).or_default();
        if let Some(first) = members.first() {
            self.open.remove(&(*first, lane));
        }
        members.insert(member);
    }

    /// Lets a lane be looked at again.
    pub(crate) fn open(&mut self, lane: Lane) {
        if let Some(first) = self.lanes.get(&lane).and_then(BTreeSet::first) {
            self.open.insert((*first, lane));
        }
    }

    /// The first member of all open lanes.
    pub(crate) fn head(&self) -> Option<MemberIx> {
        self.open.first().map(|(member, _)| *member)
    }

    /// Takes the first member of all open lanes.
    pub(crate) fn take(&mut self) -> Option<MemberIx> {
        let (member, lane) = self.open.pop_first()?;
        let members = self.lanes.get_mut(&lane)?;
        members.remove(&member);
        match members.first() {
            Some(next) => _ = self.open.insert((*next, lane)),
            None => _ = self.lanes.remove(&lane),
        }
        Some(member)
    }

    /// The lanes of rings.
    pub(crate) fn of_rings(&self) -> impl Iterator<Item = Lane> + '_ {
        self.lanes.range(Lane::Ring(0)..).map(|(lane, _)| *lane)
    }

    /// Takes one member out of the lane it may be in.
    pub(crate) fn remove(&mut self, lane: Lane, member: MemberIx) -> bool {
        let Some(members) = self.lanes.get_mut(&lane) else { return false };
        if !members.remove(&member) {
            return false;
        }
        if self.open.remove(&(member, lane))
            && let Some(next) = members.first()
        {
            self.open.insert((*next, lane));
        }
        if members.is_empty() {
            self.lanes.remove(&lane);
        }
        true
    }

    /// Takes everybody out of every lane.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = MemberIx> {
        self.open.clear();
        core::mem::take(&mut self.lanes).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_lanes_are_taken_from_in_plan_order_and_shut_ones_are_not() {
        let mut parked = Parked::default();
        let (site, ring) = (Lane::Scope(3), Lane::Ring(0));
        for member in [5, 2, 9] {
            parked.park(site, MemberIx(member));
        }
        parked.park(ring, MemberIx(4));
        assert_eq!(parked.take(), None, "both are shut");
        parked.open(site);
        parked.open(ring);
        assert_eq!([parked.take(), parked.take()], [Some(MemberIx(2)), Some(MemberIx(4))]);
        parked.park(site, MemberIx(2));
        assert_eq!(parked.head(), None, "a member that comes back shuts its lane");
        parked.open(site);
        assert!(parked.remove(site, MemberIx(2)) && !parked.remove(site, MemberIx(2)));
        assert_eq!(parked.take(), Some(MemberIx(5)));
        assert_eq!(parked.drain().collect::<alloc::vec::Vec<_>>(), [MemberIx(9)]);
        assert!(parked.is_empty());
    }
}
