//! A rollout: its plan in motion. State changes come from the fleet's evolution only.

use super::queue::Queue;
use super::{Event, Member, Phase, Ring, RingState};
use crate::digest::Digest;
use crate::gate::{Class, Counts};
use crate::ids::{CandidateId, EndpointIx, MemberIx, Revision, RolloutId};
use crate::plan::{PlanFact, RollbackPath, SpreadHash};
use crate::policy::Policy;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

/// Whether a rollout tries a candidate or deploys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutKind {
    /// On non-production endpoints, without an approval.
    Trial,
    /// On production endpoints, under an approval.
    Deployment,
}

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Members start as rings, budgets and windows allow.
    Running,
    /// A person paused it.
    Paused,
    /// A gate or a person halted it.
    Halted,
    /// It was cancelled and waits for what is under way.
    Cancelled,
    /// Every ring is behind it.
    Completed,
    /// It ended without all its rings.
    Ended,
}

/// One rollout or trial.
#[derive(Debug)]
pub struct Rollout {
    pub(crate) id: RolloutId,
    pub(crate) candidate: CandidateId,
    pub(crate) kind: RolloutKind,
    pub(crate) policy: Arc<Policy>,
    pub(crate) policy_digest: Digest,
    pub(crate) state: RolloutState,
    pub(crate) revision: Revision,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) halt: Option<Halt>,
    /// The ring whose turn it is.
    pub(crate) ring: u8,
    pub(crate) rings: Vec<Ring>,
    pub(crate) members: Vec<Member>,
    pub(crate) levels: Vec<Arc<str>>,
    /// Members whose operation is under way: the places taken of `in_flight_max`.
    pub(crate) operating: u32,
    /// Members of any ring that may still move without a person, beyond those that wait.
    pub(crate) moving: u32,
    /// Members that wait for a reboot that is not ordered yet.
    pub(crate) reboots_pending: u32,
    index: HashTable<u32>,
    pub(crate) queue: Queue,
}

/// Why a rollout is halted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// As a sentence.
    pub reason: String,
    /// Whether a gate halted it, which is what `on_halt` rolls back for.
    pub by_gate: bool,
    /// The ring in which it happened.
    pub ring: u8,
    /// When.
    pub at: Timestamp,
}

impl Rollout {
    pub(crate) fn new(
        id: RolloutId,
        candidate: CandidateId,
        kind: RolloutKind,
        policy: Arc<Policy>,
        policy_digest: Digest,
        plan: &PlanFact,
        started_at: Timestamp,
    ) -> Self {
        let queue = Queue { windowed: policy.has_windows(), ..Queue::default() };
        let mut first = 0;
        let mut rings = Vec::with_capacity(plan.rings.len());
        let mut members = Vec::with_capacity(plan.members.len());
        for (i, ring) in plan.rings.iter().enumerate() {
            rings.push(Ring::new(ring.name.clone(), ring.gate.clone(), first, ring.size));
            for at in first as usize..(first + ring.size) as usize {
                let level = plan.priors.get(at).copied().unwrap_or(0);
                let path = plan.paths.get(at).copied().unwrap_or(RollbackPath::None);
                members.push(Member::new(plan.members[at], u8::try_from(i).unwrap_or(u8::MAX), level, path));
            }
            first += ring.size;
        }
        let mut rollout = Self {
            id,
            candidate,
            kind,
            policy,
            policy_digest,
            state: RolloutState::Running,
            revision: Revision(1),
            started_at,
            ended_at: None,
            halt: None,
            ring: 0,
            rings,
            members,
            levels: plan.levels.clone(),
            operating: 0,
            moving: 0,
            reboots_pending: 0,
            index: HashTable::new(),
            queue,
        };
        rollout.reindex();
        rollout
    }

    /// A rollout from a baseline, whose other fields the caller fills in.
    pub(crate) fn restored(
        id: RolloutId,
        candidate: CandidateId,
        kind: RolloutKind,
        policy: Arc<Policy>,
        members: Vec<Member>,
    ) -> Self {
        let plan = PlanFact {
            rings: Vec::new(),
            members: Vec::new(),
            levels: Vec::new(),
            priors: Vec::new(),
            paths: Vec::new(),
        };
        let digest = Digest([0; 32]);
        let mut rollout = Self::new(id, candidate, kind, policy, digest, &plan, Timestamp::default());
        rollout.members = members;
        rollout.reindex();
        rollout
    }

    /// Counts anew what is kept as counts.
    pub(crate) fn recount(&mut self) {
        let count = |keep: fn(Phase) -> bool| self.members.iter().filter(|m| keep(m.phase)).count() as u32;
        let counts =
            [count(Phase::is_operating), count(is_moving), count(|phase| phase == Phase::RebootPending)];
        [self.operating, self.moving, self.reboots_pending] = counts;
        for ring in &mut self.rings {
            ring.counts = [0; 10];
        }
        for member in &self.members {
            self.rings[usize::from(member.ring)].counts[member.phase.class() as usize] += 1;
        }
    }

    fn reindex(&mut self) {
        let Self { index, members, .. } = self;
        index.clear();
        index.reserve(members.len(), |_| 0);
        for (i, member) in members.iter().enumerate() {
            index.insert_unique(slot_hash(member.endpoint), i as u32, |i| {
                slot_hash(members[*i as usize].endpoint)
            });
        }
    }

    /// Applies one event to one member and keeps every count. `None` when the table forbids it.
    pub(crate) fn apply(
        &mut self,
        now: Timestamp,
        at: MemberIx,
        event: Event,
        reason: u16,
        due: u32,
    ) -> Option<(Phase, Phase)> {
        let member = self.members.get_mut(at.index())?;
        let from = member.phase;
        let to = member.apply(event, reason, due)?;
        let ring = &mut self.rings[usize::from(member.ring)];
        if from.class() != to.class() {
            ring.recount(at, from, to);
            let moves = matches!(to.class(), Class::Waiting | Class::InFlight);
            if moves && matches!(ring.state, RingState::Settled | RingState::Held) {
                ring.reopen(now);
                self.queue.defers_anew();
            }
        }
        self.operating = self.operating + u32::from(to.is_operating()) - u32::from(from.is_operating());
        self.moving = self.moving + u32::from(is_moving(to)) - u32::from(is_moving(from));
        let pending = |phase| u32::from(phase == Phase::RebootPending);
        self.reboots_pending = self.reboots_pending + pending(to) - pending(from);
        if to == Phase::Waiting {
            self.queue.waits_again(at);
        }
        Some((from, to))
    }

    /// A person lifted its halt: what spoke against the ring whose turn it is speaks no longer.
    pub(crate) fn start_evidence_anew(&mut self) {
        let Some(ring) = self.rings.get_mut(usize::from(self.ring)) else { return };
        let members = self.members.iter().zip(0..).map(|(member, i)| (MemberIx(i), member.phase.class()));
        let own = ring.range();
        ring.start_evidence_anew(members.skip(own.start).take(own.len()));
    }

    /// The member of an endpoint, in constant time.
    #[must_use]
    pub fn member_of(&self, endpoint: EndpointIx) -> Option<MemberIx> {
        self.index
            .find(slot_hash(endpoint), |i| self.members[*i as usize].endpoint == endpoint)
            .map(|i| MemberIx(*i))
    }

    /// Its index.
    #[must_use]
    pub fn id(&self) -> RolloutId {
        self.id
    }

    /// What it installs.
    #[must_use]
    pub fn candidate(&self) -> CandidateId {
        self.candidate
    }

    /// Trial or deployment.
    #[must_use]
    pub fn kind(&self) -> RolloutKind {
        self.kind
    }

    /// The policy it runs under.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The digest of the policy it runs under.
    #[must_use]
    pub fn policy_digest(&self) -> Digest {
        self.policy_digest
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> RolloutState {
        self.state
    }

    /// How often a rich fact has changed it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Why it is, or was last, halted.
    #[must_use]
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// When it started.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// When it ended.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// Its rings, in order.
    #[must_use]
    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// The ring whose turn it is.
    #[must_use]
    pub fn current_ring(&self) -> &Ring {
        &self.rings[usize::from(self.ring)]
    }

    /// Its members in plan order, ring after ring.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The version that was there before the rollout; `None` when nothing was installed.
    #[must_use]
    pub fn prior_version(&self, member: &Member) -> Option<&Arc<str>> {
        self.levels.get(member.level()?)
    }

    /// All members by class.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.rings.iter().fold(Counts::default(), |sum, ring| sum.plus(ring.counts()))
    }

    /// Whether nothing moves any more unless a person asks: it ended, or it is halted and what was under way is over.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self.state {
            RolloutState::Completed | RolloutState::Ended => self.moving == 0,
            RolloutState::Halted => self.moving == 0,
            RolloutState::Running | RolloutState::Paused | RolloutState::Cancelled => false,
        }
    }

    /// The hash behind its ring order, spreads and jitter.
    pub(crate) fn hash(seed: u64, id: RolloutId) -> SpreadHash {
        SpreadHash::new(seed ^ u64::from(id.0).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(crate) fn ring_state_mut(&mut self, ring: u8) -> Option<&mut Ring> {
        self.rings.get_mut(usize::from(ring))
    }

    /// Whether new orders may leave as far as the rollout itself is concerned.
    pub(crate) fn may_start(&self) -> bool {
        let ring = self.current_ring().state;
        self.state == RolloutState::Running
            && matches!(ring, RingState::Open | RingState::Settled | RingState::Held)
            && self.operating < self.policy.deploy.in_flight_max
    }

    /// The next member to look at: those that wait again first, then the open ring in its order.
    pub(crate) fn next_member(&mut self) -> Option<MemberIx> {
        if let Some(again) = self.queue.again.pop_first() {
            return Some(again);
        }
        let ring = &self.rings[usize::from(self.ring)];
        if ring.state != RingState::Open {
            return None;
        }
        let end = ring.first + ring.size;
        while self.queue.cursor < end {
            let at = self.queue.cursor;
            self.queue.cursor += 1;
            if self.members[at as usize].phase == Phase::Waiting {
                return Some(MemberIx(at));
            }
        }
        None
    }
}

fn is_moving(phase: Phase) -> bool {
    phase != Phase::Waiting && phase.is_open()
}

fn slot_hash(endpoint: EndpointIx) -> u64 {
    // Endpoint indices are dense; Fibonacci hashing spreads them over both halves that the table reads.
    u64::from(endpoint.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
