//! One ring of a rollout: its gate, its state, and its members counted by class.

use super::{Member, Rollout};
use crate::gate::{Class, Counts, LimitScope, Limits, Standing, Verdict};
use crate::ids::MemberIx;
use crate::plan::Mirror;
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
    /// It follows the last ring of a completed rollout, has no gate, and takes newcomers as they come.
    CatchUp,
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
    /// Places that its members take.
    #[serde(skip)]
    pub(crate) operating: u32,
    pub(crate) alerts: u32,
    /// Whether somebody could tell its alerts when last asked.
    #[serde(default)]
    pub(crate) alerts_known: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mirror: Option<Mirror>,
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
            operating: 0,
            alerts: 0,
            alerts_known: false,
            forgiven: BTreeSet::new(),
            forgiven_counts: [0; 2],
            opened_at: None,
            reopened_at: None,
            settled_at: None,
            ended_at: None,
            verdict: None,
            mirror: None,
        }
    }

    /// What follows the last ring of a completed rollout. Nothing judges it.
    pub(crate) fn catch_up(at: Timestamp, first: u32) -> Self {
        let (state, opened_at) = (RingState::CatchUp, Some(at));
        Self { state, opened_at, ..Self::new("catch-up".into(), Limits::default(), first, 0) }
    }

    pub(crate) fn recount(&mut self, at: MemberIx, from: Class, to: Class) {
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
        if !self.forgiven.is_empty() && self.forgiven.contains(&at) {
            if let Some(i) = bad(from) {
                self.forgiven_counts[i] -= 1;
            }
            match bad(to) {
                Some(i) => self.forgiven_counts[i] += 1,
                None => {
                    self.forgiven.remove(&at);
                }
            }
        }
    }

    /// Whether a member that moves on changes its counts and nothing else: it does not settle anew, and nobody was forgiven.
    pub(crate) fn counts_plainly(&self) -> bool {
        self.forgiven.is_empty() && !matches!(self.state, RingState::Settled | RingState::Held)
    }

    /// A member of a settled ring moves again: it must settle, and bake, anew.
    pub(crate) fn reopen(&mut self, at: Timestamp) {
        (self.state, self.settled_at, self.reopened_at) = (RingState::Open, None, Some(at));
    }

    /// A person lifted the halt: the gate judges what comes from now on, and the alerts that were seen are spent.
    /// `members` are all of the rollout.
    fn start_evidence_anew(&mut self, members: &[Member]) {
        self.forgiven.clear();
        self.forgiven_counts = [0; 2];
        for (member, at) in members[self.range()].iter().zip(self.first..) {
            if let Some(i) = bad(member.phase.class()) {
                self.forgiven.insert(MemberIx(at));
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

    /// Whether somebody could tell its alerts when last asked. Until then a gate that limits them holds.
    #[must_use]
    pub fn alerts_known(&self) -> bool {
        self.alerts_known
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

    /// How well it mirrors whom it was chosen from; `None` when its policy names no traits.
    #[must_use]
    pub fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_ref()
    }

    /// Its members by class as evidence: those that a person forgave speak neither for nor against.
    fn evidence(&self) -> Counts {
        let mut counts = self.counts();
        let [failed, unknown] = self.forgiven_counts;
        counts.failed -= failed;
        counts.unknown -= unknown;
        // Members still, but neither evidence for nor against.
        counts.cancelled += failed + unknown;
        counts
    }
}

impl Rollout {
    /// What the gate of the ring whose turn it is looks at.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let ring = self.current_ring();
        // Only a limit over the rollout wants the sum over the rings: it is not made for others.
        let before = match ring.gate.scope {
            LimitScope::Ring => Counts::default(),
            LimitScope::Rollout => {
                let before = &self.rings[..usize::from(self.ring)];
                before.iter().fold(Counts::default(), |sum, ring| sum.plus(ring.evidence()))
            }
        };
        Standing {
            counts: ring.evidence(),
            before,
            alerts: ring.alerts,
            alerts_known: ring.alerts_known,
            // The fleet knows of ways back.
            paths_ended: 0,
            settled_at: ring.settled_at,
        }
    }

    /// A person lifted a halt: no gate of this rollout counts what went wrong up to now.
    pub(crate) fn start_evidence_anew(&mut self) {
        let Self { rings, members, ring, .. } = self;
        rings[..=usize::from(*ring)].iter_mut().for_each(|ring| ring.start_evidence_anew(members));
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
