//! What is known of windows that closed over members, and of those that were told of before they open (semantics S4).

use super::MemberSet;
use crate::ids::MemberIx;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is known by the numbers of calendars. Empty where the policy neither names active hours nor wakes anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WindowLog {
    /// Windows that members missed.
    missed: BTreeMap<u32, Vec<Missed>>,
    /// The last opening that was told of before it came, and when it was told.
    #[serde(default)]
    neared: BTreeMap<u32, Neared>,
}

/// An opening that was told of before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Neared {
    pub(crate) opens: Timestamp,
    pub(crate) told: Timestamp,
}

/// One window, and whom it was the first to close over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Missed {
    closed: Timestamp,
    members: MemberSet,
}

impl WindowLog {
    /// An opening of a calendar comes near.
    pub(crate) fn note_neared(&mut self, calendar: u32, neared: Neared) {
        self.neared.insert(calendar, neared);
    }

    /// The last opening of a calendar that was told of before it came.
    pub(crate) fn neared(&self, calendar: u32) -> Option<Neared> {
        self.neared.get(&calendar).copied()
    }

    /// A window of a calendar closed over members that wait by it. Whoever missed one before keeps the date of that.
    pub(crate) fn note_missed(
        &mut self,
        calendar: u32,
        closed: Timestamp,
        members: impl Iterator<Item = MemberIx>,
    ) {
        let known = self.missed.entry(calendar).or_default();
        let is_new = |member: &MemberIx| !known.iter().any(|missed| missed.members.contains(*member));
        let members: MemberSet = members.filter(is_new).collect();
        if !members.is_empty() {
            known.push(Missed { closed, members });
        }
    }

    /// When the first window closed that a member missed while it went by this calendar.
    pub(crate) fn missed(&self, calendar: u32, member: MemberIx) -> Option<Timestamp> {
        let known = self.missed.get(&calendar)?;
        known.iter().find(|missed| missed.members.contains(member)).map(|missed| missed.closed)
    }
}
