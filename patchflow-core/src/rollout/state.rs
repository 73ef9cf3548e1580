//! A rollout: its plan in motion. State changes come from the fleet's evolution only.

use super::queue::Queue;
use super::{Event, Member, Phase, Ring, RingState, Stages, WindowLog};
use crate::digest::Digest;
use crate::gate::{Class, Counts};
use crate::ids::{CandidateId, EndpointIx, MemberIx, Revision, RolloutId};
use crate::plan::{PlanFact, RollbackPath, SpreadHash};
use crate::policy::{Policy, Selector};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
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
    pub(crate) emergency: Option<Emergency>,
    /// Those started together, itself among them, in the order in which they install.
    pub(crate) bundle: Vec<RolloutId>,
    /// Whether orders of it have left outside of the windows.
    pub(crate) outside: bool,
    /// The ring whose turn it is.
    pub(crate) ring: u8,
    pub(crate) rings: Vec<Ring>,
    pub(crate) members: Vec<Member>,
    pub(crate) levels: Vec<Arc<str>>,
    /// Which endpoints are meant, those that join later included.
    pub(crate) select: Selector,
    /// Places taken of `in_flight_max`: members whose operation is under way, without those that `unplaced` names.
    pub(crate) operating: u32,
    /// Members under way again that had lost their place, because they were silent or given up: what is heard late
    /// takes no place.
    pub(crate) unplaced: BTreeSet<MemberIx>,
    /// Members of any ring that may still move without a person, beyond those that wait.
    pub(crate) moving: u32,
    /// Members that wait for a reboot.
    pub(crate) reboots_pending: u32,
    /// Whether everybody who has it is rolled back, because its approval was taken back.
    pub(crate) takes_back: bool,
    /// Why those who came too late are not brought along any more.
    pub(crate) catch_up_stopped: Option<Halt>,
    /// Members that became failed or unknown since it completed and still are. Whoever was so before stands in its ring's
    /// verdict, and its recovery makes up for nobody else's failure.
    pub(crate) failed_late: BTreeSet<MemberIx>,
    /// How far the content of members is, where the policy wants it there before.
    pub(crate) stages: Stages,
    /// Whether an endpoint held other content than what was approved, which was told once.
    pub(crate) wrong_content: bool,
    pub(crate) windows: WindowLog,
    index: HashTable<u32>,
    pub(crate) queue: Queue,
}

/// Why a rollout goes ahead of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    /// Who says so.
    pub by: Arc<str>,
    /// Why.
    pub reason: String,
}

/// Why a rollout is halted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// As a sentence.
    pub reason: String,
    /// Whether a gate halted it, which is what `on_halt` rolls back for; not any more once a person cancelled it.
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
            let mirror = ring.mirror;
            rings.push(Ring { mirror, ..Ring::new(ring.name.clone(), ring.gate.clone(), first, ring.size) });
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
            emergency: None,
            bundle: Vec::new(),
            outside: false,
            ring: 0,
            rings,
            members,
            levels: plan.levels.clone(),
            select: plan.select.clone(),
            operating: 0,
            unplaced: BTreeSet::new(),
            moving: 0,
            reboots_pending: 0,
            takes_back: false,
            catch_up_stopped: None,
            failed_late: BTreeSet::new(),
            stages: Stages::default(),
            wrong_content: false,
            windows: WindowLog::default(),
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
        let plan = PlanFact::default();
        let digest = Digest([0; 32]);
        let mut rollout = Self::new(id, candidate, kind, policy, digest, &plan, Timestamp::default());
        rollout.members = members;
        rollout.reindex();
        rollout
    }

    /// Counts anew what is kept as counts.
    pub(crate) fn recount(&mut self) {
        let count = |keep: fn(Phase) -> bool| self.members.iter().filter(|m| keep(m.phase)).count() as u32;
        (self.operating, self.moving) = (0, count(|phase| phase.tally().moving));
        self.reboots_pending = count(|phase| phase == Phase::RebootPending);
        for ring in &mut self.rings {
            (ring.counts, ring.operating) = ([0; 10], 0);
        }
        for (i, member) in (0..).zip(&self.members) {
            let ring = &mut self.rings[usize::from(member.ring)];
            ring.counts[member.phase.class() as usize] += 1;
            let placed = u32::from(member.phase.is_operating() && !self.unplaced.contains(&MemberIx(i)));
            ring.operating += placed;
            self.operating += placed;
        }
    }

    pub(super) fn reindex(&mut self) {
        let Self { index, members, .. } = self;
        index.clear();
        index.reserve(members.len(), |_| 0);
        let hash = |i: &u32| slot_hash(members[*i as usize].endpoint);
        for (i, member) in members.iter().enumerate().filter(|(_, member)| member.phase != Phase::Removed) {
            index.insert_unique(slot_hash(member.endpoint), i as u32, hash);
        }
        // Whoever was removed may have come back as a new member, or more than once: the last one counts.
        for (i, member) in members.iter().enumerate().rev().filter(|(_, m)| m.phase == Phase::Removed) {
            let known = |known: &u32| members[*known as usize].endpoint == member.endpoint;
            if index.find(slot_hash(member.endpoint), known).is_none() {
                index.insert_unique(slot_hash(member.endpoint), i as u32, hash);
            }
        }
    }

    /// Lets the index name a new member, and forget the one that the endpoint was before.
    pub(super) fn index_member(&mut self, endpoint: EndpointIx, ix: u32) {
        let Self { index, members, .. } = self;
        let same = |known: &u32| members[*known as usize].endpoint == endpoint;
        match index.find_mut(slot_hash(endpoint), same) {
            Some(known) => *known = ix,
            None => {
                let hash = |i: &u32| slot_hash(members[*i as usize].endpoint);
                index.insert_unique(slot_hash(endpoint), ix, hash);
            }
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
        let (was, is) = (from.tally(), to.tally());
        if was != is {
            let number = member.ring;
            if was.class != is.class {
                let ring = &mut self.rings[usize::from(number)];
                ring.recount(at, was.class, is.class);
                let moves = matches!(is.class, Class::Waiting | Class::InFlight);
                if moves && matches!(ring.state, RingState::Settled | RingState::Held) {
                    ring.reopen(now);
                    self.queue.defers_anew();
                }
                self.note_failure(at, [was.class, is.class]);
            }
            if was.operating != is.operating {
                self.move_place(at, number, (from, event), is.operating);
            }
            self.moving = self.moving + u32::from(is.moving) - u32::from(was.moving);
        }
        Some((from, to))
    }

    /// Counts a move of many members of a ring that [`counts_plainly`](Ring::counts_plainly), all of which keep or take
    /// their places.
    pub(crate) fn count_moves(&mut self, ring: u8, [from, to]: [Phase; 2], members: u32) {
        let Some(ring) = self.rings.get_mut(usize::from(ring)).filter(|_| members > 0) else { return };
        let (was, is) = (from.tally(), to.tally());
        ring.counts[was.class as usize] -= members;
        ring.counts[is.class as usize] += members;
        let moved =
            |count: u32, was: bool, is: bool| count + u32::from(is) * members - u32::from(was) * members;
        ring.operating = moved(ring.operating, was.operating, is.operating);
        self.operating = moved(self.operating, was.operating, is.operating);
        self.moving = moved(self.moving, was.moving, is.moving);
    }

    /// Takes or frees a place. Only an order takes one: a late report shows an operation that lost its place.
    fn move_place(&mut self, at: MemberIx, ring: u8, (from, event): (Phase, Event), operates: bool) {
        let places = [&mut self.operating, &mut self.rings[usize::from(ring)].operating];
        if !operates {
            if self.unplaced.is_empty() || !self.unplaced.remove(&at) {
                places.into_iter().for_each(|n| *n -= 1);
            }
        } else if from != Phase::RevertSilent
            && matches!(
                event,
                Event::Ordered | Event::RevertOrdered | Event::RebootOrdered | Event::HookAsked
            )
        {
            places.into_iter().for_each(|n| *n += 1);
        } else {
            self.unplaced.insert(at);
        }
    }

    /// A member gives its place to another rollout's on the same endpoint. Whether it had one.
    pub(crate) fn give_up_place(&mut self, at: MemberIx) -> bool {
        if !self.holds_place(at) {
            return false;
        }
        let ring = usize::from(self.members[at.index()].ring);
        self.operating -= 1;
        self.rings[ring].operating -= 1;
        self.unplaced.insert(at)
    }

    /// Whether a member takes a place of the budgets.
    pub(crate) fn holds_place(&self, at: MemberIx) -> bool {
        let operates = self.members.get(at.index()).is_some_and(|member| member.phase.is_operating());
        operates && !self.unplaced.contains(&at)
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

    /// Whether everybody who has it is rolled back, because its approval was taken back.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.takes_back
    }

    /// Who called it an emergency, and why.
    #[must_use]
    pub fn emergency(&self) -> Option<&Emergency> {
        self.emergency.as_ref()
    }

    /// Whether it goes on in a freeze: an emergency whose policy says so.
    #[must_use]
    pub fn overrides_freezes(&self) -> bool {
        self.emergency.is_some() && self.policy.emergency.overrides_freeze
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

    /// Which endpoints are meant, those that join later included.
    #[must_use]
    pub fn select(&self) -> &Selector {
        &self.select
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
            RolloutState::Completed | RolloutState::Ended => {
                self.moving == 0 && self.queue.reverts.is_empty()
            }
            RolloutState::Halted => self.moving == 0 && self.queue.reverts.is_empty(),
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

    /// Whether a move of one member leaves the rollout as a whole nothing to look at: no count has changed, or one member
    /// more is verified of a ring that is not settled, and nobody waits for its place. Then no limit is newly broken
    /// (failures stay, and what can still be reached stays), and nothing can be promoted yet.
    pub(crate) fn is_unmoved(&self, ring: u8, from: Phase, to: Phase) -> bool {
        if from.tally() == to.tally() {
            // One that waits for its reboot no longer keeps a cancelled rollout from its end.
            return to != Phase::Waiting && self.state != RolloutState::Cancelled;
        }
        let ring_of = &self.rings[usize::from(ring)];
        let [waiting, in_flight] =
            [Class::Waiting, Class::InFlight].map(|class| ring_of.counts[class as usize]);
        to == Phase::Verified
            && from.tally().class == Class::InFlight
            && self.state == RolloutState::Running
            && ring == self.ring
            && ring_of.state == RingState::Open
            && in_flight > 0
            && waiting == 0
            && self.queue.again.is_empty()
            && self.queue.parked.is_empty()
            && self.queue.reverts.is_empty()
    }

    /// Whether a ring has more than one member under way: one of them comes to its end, and the ring does not settle.
    #[inline]
    pub(crate) fn has_more_under_way(&self, ring: u8) -> bool {
        self.rings.get(usize::from(ring)).is_some_and(|ring| ring.counts[Class::InFlight as usize] > 1)
    }

    /// Whether new orders may leave as far as the rollout itself is concerned.
    pub(crate) fn may_start(&self) -> bool {
        let ring = self.current_ring().state;
        let is_open = self.state == RolloutState::Running
            && matches!(ring, RingState::Open | RingState::Settled | RingState::Held);
        (is_open || self.is_catching_up()) && self.operating < self.policy.deploy.in_flight_max
    }

    /// Whether a ring's own budget lets one more of its members start (semantics S12).
    pub(crate) fn ring_has_room(&self, number: u8) -> bool {
        let probing = self.ring_policy(number).is_some_and(|policy| {
            let counts = &self.rings[usize::from(number)].counts;
            counts[Class::Verified as usize] < policy.probe_first && counts[Class::InFlight as usize] > 0
        });
        !probing && self.ring_has_place(number)
    }

    /// Whether a ring has a place left. This alone is asked for a retry: it was let start before.
    pub(crate) fn ring_has_place(&self, number: u8) -> bool {
        let ring = &self.rings[usize::from(number)];
        self.ring_policy(number).is_none_or(|policy| {
            let probing = ring.counts[Class::Verified as usize] < policy.probe_first;
            !(probing && ring.operating > 0)
                && policy.in_flight_max.is_none_or(|limit| ring.operating < limit.of(ring.size))
        })
    }

    /// What the policy says about a ring, by its name: after a revision the policy may have more rings, or others before
    /// it. One that the policy does not name has no bounds of its own.
    pub(crate) fn ring_policy(&self, number: u8) -> Option<&crate::policy::RingPolicy> {
        let name =
            self.rings.get(usize::from(number)).filter(|_| self.kind == RolloutKind::Deployment)?.name();
        let rings = &self.policy.rings;
        // Nearly always it stands where it stood when the plan was made.
        let same = rings.get(usize::from(number)).filter(|ring| ring.name == name);
        same.or_else(|| rings.iter().find(|ring| ring.name == name))
    }

    /// Opens the lanes of rings that have room again.
    pub(crate) fn open_rings(&mut self) {
        if self.queue.parked.is_empty() && self.queue.reverts.parked.is_empty() {
            return;
        }
        let has_room = |lane: &super::Lane| match lane {
            super::Lane::Ring(ring) => self.ring_has_room(*ring),
            super::Lane::Retries(ring) => self.ring_has_place(*ring),
            super::Lane::Reverts(ring) => self.ring_takes_back(*ring),
            super::Lane::Scope(_) => false,
        };
        let lanes = |parked: &super::Parked| parked.of_rings().filter(has_room).collect::<Vec<_>>();
        let (starts, reverts) = (lanes(&self.queue.parked), lanes(&self.queue.reverts.parked));
        starts.into_iter().for_each(|lane| self.queue.parked.open(lane));
        reverts.into_iter().for_each(|lane| self.queue.reverts.parked.open(lane));
    }

    /// Whether the budgets of the rollout itself let one more of its members be rolled back.
    pub(crate) fn has_place(&self) -> bool {
        self.operating < self.policy.deploy.in_flight_max
    }

    /// Whether the budget of a ring lets one more of its members be rolled back. Probes are about what is new: the way
    /// back leads to what was there.
    pub(crate) fn ring_takes_back(&self, number: u8) -> bool {
        let ring = &self.rings[usize::from(number)];
        let limit = self.ring_policy(number).and_then(|policy| policy.in_flight_max);
        limit.is_none_or(|limit| ring.operating < limit.of(ring.size))
    }
}

fn slot_hash(endpoint: EndpointIx) -> u64 {
    // Endpoint indices are dense; Fibonacci hashing spreads them over both halves that the table reads.
    u64::from(endpoint.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
