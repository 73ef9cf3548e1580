//! One ring of a rollout: its gate, its state, and its members counted by class.

use super::Phase;
use crate::gate::{Class, Counts, Limits, Standing, Verdict};
use crate::ids::MemberIx;
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Where a ring stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingState {
    /// Its turn has not come.
    Pending,
    /// Its members may start.
    Open,
    /// No member is in flight and none will start: it bakes, or waits for its gate.
    Settled,
    /// Its gate holds and asked a person.
    Held,
    /// Its gate passed.
    Promoted,
    /// It was empty.
    Skipped,
    /// The rollout was halted in it.
    Halted,
}

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    pub(crate) name: String,
    pub(crate) gate: Limits,
    /// The position of its first member.
    pub(crate) first: u32,
    pub(crate) size: u32,
    pub(crate) state: RingState,
    pub(crate) counts: [u32; 10],
    pub(crate) alerts: u32,
    /// Members that were failed or unknown when a person last lifted a halt, and still are: evidence starts anew
    /// without them. Who recovers and fails again counts again.
    pub(crate) forgiven: BTreeSet<MemberIx>,
    /// How many of them are failed, and how many unknown.
    pub(crate) forgiven_counts: [u32; 2],
    pub(crate) opened_at: Option<Timestamp>,
    /// When a member of the settled ring began to move again.
    pub(crate) reopened_at: Option<Timestamp>,
    pub(crate) settled_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) verdict: Option<Verdict>,
}

impl Ring {
    pub(crate) fn new(name: String, gate: Limits, first: u32, size: u32) -> Self {
        let mut counts = [0; 10];
        counts[Class::Waiting as usize] = size;
        Self {
            name,
            gate,
            first,
            size,
            state: RingState::Pending,
            counts,
            alerts: 0,
            forgiven: BTreeSet::new(),
            forgiven_counts: [0; 2],
            opened_at: None,
            reopened_at: None,
            settled_at: None,
            ended_at: None,
            verdict: None,
        }
    }

    pub(crate) fn recount(&mut self, at: MemberIx, from: Phase, to: Phase) {
        self.counts[from.class() as usize] -= 1;
        self.counts[to.class() as usize] += 1;
        if !self.forgiven.is_empty() && self.forgiven.contains(&at) {
            if let Some(i) = bad(from.class()) {
                self.forgiven_counts[i] -= 1;
            }
            match bad(to.class()) {
                Some(i) => self.forgiven_counts[i] += 1,
                None => {
                    self.forgiven.remove(&at);
                }
            }
        }
    }

    /// A member of a settled ring moves again: it must settle, and bake, anew.
    pub(crate) fn reopen(&mut self, at: Timestamp) {
        (self.state, self.settled_at, self.reopened_at) = (RingState::Open, None, Some(at));
    }

    /// A person lifted the halt: the gate judges what comes from now on, and the alerts that were seen are spent.
    /// `members` are those of this ring.
    pub(crate) fn start_evidence_anew(&mut self, members: impl Iterator<Item = (MemberIx, Class)>) {
        self.forgiven.clear();
        self.forgiven_counts = [0; 2];
        for (member, class) in members {
            if let Some(i) = bad(class) {
                self.forgiven.insert(member);
                self.forgiven_counts[i] += 1;
            }
        }
        self.alerts = 0;
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its gate.
    #[must_use]
    pub fn gate(&self) -> &Limits {
        &self.gate
    }

    /// The positions of its members in the plan.
    #[must_use]
    pub fn range(&self) -> core::ops::Range<usize> {
        self.first as usize..(self.first + self.size) as usize
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> RingState {
        self.state
    }

    /// Its members by class.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::from_classes(self.counts)
    }

    /// New alerts of its endpoints.
    #[must_use]
    pub fn alerts(&self) -> u32 {
        self.alerts
    }

    /// When it was opened.
    #[must_use]
    pub fn opened_at(&self) -> Option<Timestamp> {
        self.opened_at
    }

    /// When it settled.
    #[must_use]
    pub fn settled_at(&self) -> Option<Timestamp> {
        self.settled_at
    }

    /// When it was promoted, skipped or halted.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// The last verdict that was recorded.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// What its gate looks at.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut counts = self.counts();
        let [failed, unknown] = self.forgiven_counts;
        counts.failed -= failed;
        counts.unknown -= unknown;
        // Members still, but neither evidence for nor against.
        counts.cancelled += failed + unknown;
        Standing { counts, alerts: self.alerts, settled_at: self.settled_at }
    }
}

/// Where a class stands in the counts of the forgiven: failed, unknown, or neither.
const fn bad(class: Class) -> Option<usize> {
    match class {
        Class::Failed => Some(0),
        Class::Unknown => Some(1),
        Class::Waiting
        | Class::InFlight
        | Class::Verified
        | Class::Deferred
        | Class::Skipped
        | Class::Cancelled
        | Class::Held
        | Class::Removed => None,
    }
}
