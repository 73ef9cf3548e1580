//! Random starts and ends under random budgets: none is ever exceeded, and whatever can start has started.
//!
//! Both are checked from outside: places are counted again from the journal, phase by phase through the public table,
//! and whether somebody could start is asked of every waiting member one by one.

use crate::budgets::at_once;
use crate::world::start;
use patchflow_core::catalog::{Patch, Severity};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, Effect, EndpointFact, EndpointSeen, Fact, Fleet, HookStage, NeedSeen, Observation, Outbox,
    Persisted, Recorded, Request, RichFact, Standing,
};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{Actor, EndpointIx, FleetId, MemberIx, OrderId, RequestId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{Amount, OnFailure, Policy, RingPolicy, ScopeBudget, StartsMax};
use patchflow_core::rollout::{
    Event, Failure, Health, Inspection, Level, Order, Phase, QueryAnswer, RecallAnswer, Report, ReportKind,
    RingState, RolloutState,
};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SCOPES: [&str; 5] = ["a", "a/x", "a/x/deep", "a/y", "b"];

#[derive(Clone, Debug)]
enum Happens {
    Passes(u16),
    Acknowledged(u8),
    Done(u8),
    Fails(u8),
    Answers(u8, u8),
    Recalled(u8),
    Inspected(u8, bool),
    Publishes(u8),
    Moves(u8, u8),
    Joins(u8),
    Goes(u8),
    Adopts(Box<Budget>),
    Asks(u8, u8, u8),
    Hooked(u8, bool),
}

#[derive(Clone, Debug)]
struct Budget {
    fleet: Option<Amount>,
    scopes: [Option<Amount>; 5],
    starts: Option<(u32, u32)>,
    rings: [Option<Amount>; 2],
    probe_first: u32,
    rollout: u32,
    unavailable: Option<Amount>,
}

fn amount() -> impl Strategy<Value = Option<Amount>> {
    prop_oneof![
        2 => Just(None),
        2 => (1u32..5).prop_map(|n| Some(Amount::Count { n })),
        1 => (1u32..60).prop_map(|p| Some(Amount::Percent { percent: Percent::whole(p) })),
    ]
}

fn budget() -> impl Strategy<Value = Budget> {
    let starts = prop_oneof![3 => Just(None), 1 => (1u32..5, 1u32..900).prop_map(Some)];
    let scopes = [amount(), amount(), amount(), amount(), amount()];
    (amount(), scopes, starts, [amount(), amount()], 0u32..3, 1u32..8, amount()).prop_map(
        |(fleet, scopes, starts, rings, probe_first, rollout, unavailable)| Budget {
            fleet,
            scopes,
            starts,
            rings,
            probe_first,
            rollout,
            unavailable,
        },
    )
}

impl Budget {
    fn policy(&self) -> Policy {
        let mut policy = at_once();
        policy.rings = vec![RingPolicy::percent("some", 30), RingPolicy::percent("all", 100)];
        for (ring, limit) in policy.rings.iter_mut().zip(self.rings) {
            ring.gate = at_once().rings[0].gate.clone();
            ring.gate.bake_secs_min = 30;
            ring.gate.min_verified = 0;
            ring.in_flight_max = limit;
            ring.probe_first = self.probe_first;
        }
        policy.rollback.on_failure =
            if self.rollout.is_multiple_of(2) { OnFailure::RollBack } else { OnFailure::Leave };
        policy.retry.backoff_secs = 20;
        // A recovered fleet cannot tell a crash from an absence; here neither is one.
        policy.deploy.resync_after_secs = 1_000_000;
        policy.deploy.in_flight_max = self.rollout;
        policy.deploy.hooks.pre = self.rollout.is_multiple_of(3).then(|| "drain".into());
        policy.deploy.hooks.post = (self.rollout % 4 == 3).then(|| "resume".into());
        policy.budgets.in_flight_max = self.fleet;
        policy.budgets.scopes = SCOPES
            .iter()
            .zip(self.scopes)
            .filter_map(|(within, limit)| {
                Some(ScopeBudget { within: ScopePath((*within).into()), in_flight_max: limit? })
            })
            .collect();
        policy.budgets.unavailable_max = self.unavailable.unwrap_or(Amount::Count { n: 1 });
        policy.budgets.starts_max = self.starts.map(|(n, per_secs)| StartsMax { n, per_secs });
        policy
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        5 => (1u16..700).prop_map(Passes),
        4 => any::<u8>().prop_map(Acknowledged),
        7 => any::<u8>().prop_map(Done),
        2 => any::<u8>().prop_map(Fails),
        2 => (any::<u8>(), 0u8..3).prop_map(|(o, a)| Answers(o, a)),
        1 => any::<u8>().prop_map(Recalled),
        8 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(o, well)| Inspected(o, well)),
        2 => (0u8..6).prop_map(Publishes),
        1 => (any::<u8>(), 0u8..5).prop_map(|(e, s)| Moves(e, s)),
        1 => (0u8..5).prop_map(Joins),
        1 => any::<u8>().prop_map(Goes),
        1 => budget().prop_map(|budget| Adopts(Box::new(budget))),
        6 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(h, well)| Hooked(h, well)),
        2 => (0u8..8, any::<u8>(), any::<u8>()).prop_map(|(c, r, e)| Asks(c, r, e)),
    ]
}

/// What the journal says, counted the slow way.
#[derive(Default)]
struct Books {
    /// Phase, and whether a place is taken.
    members: BTreeMap<(RolloutId, MemberIx), (Phase, bool)>,
    endpoint_of: BTreeMap<(RolloutId, MemberIx), (EndpointIx, u8)>,
    ring_sizes: BTreeMap<(RolloutId, u8), u32>,
    policy_of: BTreeMap<RolloutId, Policy>,
    scope_of: BTreeMap<EndpointIx, (ScopePath, bool)>,
    policies: BTreeMap<Digest, Policy>,
    policy: Option<Policy>,
    starts: Vec<Timestamp>,
    group_of: BTreeMap<EndpointIx, Arc<str>>,
    /// When retries are due, in seconds since the start.
    due: BTreeMap<(RolloutId, MemberIx), u32>,
    /// Endpoints that failed and were not verified since.
    broken: BTreeSet<EndpointIx>,
    operations: BTreeMap<(RolloutId, MemberIx), u8>,
    /// Endpoints whose post hook is awaited, and whether a group counts them for it.
    resuming: BTreeMap<EndpointIx, (OrderId, bool)>,
    drained: BTreeSet<EndpointIx>,
}

/// What stands in a start's way.
type Blocked = Option<String>;

impl Books {
    fn placed(&self, keep: impl Fn(RolloutId, u8, &ScopePath) -> bool) -> u32 {
        let there = self.members.iter().filter(|(key, (_, placed))| {
            let (endpoint, ring) = self.endpoint_of[*key];
            *placed && keep(key.0, ring, &self.scope_of[&endpoint].0)
        });
        there.count() as u32
    }

    fn size(&self, within: &ScopePath) -> u32 {
        self.scope_of.values().filter(|(scope, gone)| !gone && scope.is_within(within)).count() as u32
    }

    /// The budget that forbids a member to start now.
    fn forbids(&self, now: Timestamp, key: (RolloutId, MemberIx)) -> Blocked {
        let (endpoint, ring) = self.endpoint_of[&key];
        let scope = &self.scope_of[&endpoint].0;
        let adopted = self.policy.as_ref().unwrap();
        let own = &self.policy_of[&key.0];
        let full =
            |what: &str, taken: u32, most: u32| (taken >= most).then(|| format!("{what}: {taken} of {most}"));
        let budgets = &adopted.budgets;
        if let Some(limit) = budgets.in_flight_max
            && let Some(full) =
                full("fleet", self.placed(|_, _, _| true), limit.of(self.size(&ScopePath(String::new()))))
        {
            return Some(full);
        }
        for budget in budgets.scopes.iter().filter(|budget| scope.is_within(&budget.within)) {
            let taken = self.placed(|_, _, other| other.is_within(&budget.within));
            if let Some(full) =
                full(&budget.within.0, taken, budget.in_flight_max.of(self.size(&budget.within)))
            {
                return Some(full);
            }
        }
        if let Some(max) = budgets.starts_max {
            let recent = self.starts.iter().filter(|at| at.plus_secs(max.per_secs.into()) > now).count();
            if let Some(full) = full("starts", recent as u32, max.n) {
                return Some(full);
            }
        }
        if let Some(full) = full("rollout", self.placed(|r, _, _| r == key.0), own.deploy.in_flight_max) {
            return Some(full);
        }
        // The ring of those who catch up stands behind the last one of the policy and has no limits of its own.
        let ring_policy = own.rings.get(usize::from(ring));
        if let Some(limit) = ring_policy.and_then(|ring| ring.in_flight_max) {
            let taken = self.placed(|r, i, _| r == key.0 && i == ring);
            if let Some(full) = full("ring", taken, limit.of(self.ring_sizes[&(key.0, ring)])) {
                return Some(full);
            }
        }
        let of_ring = |keep: &dyn Fn(Phase, bool) -> bool| {
            let mine = self.members.iter().filter(|(k, (phase, placed))| {
                k.0 == key.0 && self.endpoint_of[*k].1 == ring && **k != key && keep(*phase, *placed)
            });
            mine.count() as u32
        };
        let probes = of_ring(&|phase, _| phase == Phase::Verified);
        // A retry was let start before: it waits for nobody but those who have places.
        let retries = self.members[&key].0 == Phase::Backoff;
        let in_flight = |phase: Phase| phase.class() == patchflow_core::gate::Class::InFlight;
        let unsettled = |phase: Phase, placed: bool| placed || (in_flight(phase) && !retries);
        if probes < ring_policy.map_or(0, |ring| ring.probe_first)
            && let Some(full) = full("probes", of_ring(&unsettled), 1)
        {
            return Some(full);
        }
        if let Some(group) = self.group_of.get(&endpoint)
            && !self.is_down(endpoint)
        {
            let mates = self.group_of.iter().filter(|(mate, name)| *name == group && !self.scope_of[mate].1);
            let mates: Vec<EndpointIx> = mates.map(|(mate, _)| *mate).collect();
            let down = mates.iter().filter(|mate| self.is_down(**mate)).count() as u32;
            return full("group", down, adopted.budgets.unavailable_max.of(mates.len() as u32));
        }
        None
    }

    fn is_down(&self, endpoint: EndpointIx) -> bool {
        let operated = |(key, (phase, _)): (&(RolloutId, MemberIx), &(Phase, bool))| {
            phase.occupies() && self.endpoint_of[key].0 == endpoint
        };
        let resuming = self.resuming.get(&endpoint).is_some_and(|(_, counts)| *counts);
        resuming || self.broken.contains(&endpoint) || self.members.iter().any(operated)
    }

    fn note(&mut self, recorded: &Recorded) {
        match &recorded.fact {
            Fact::Endpoint(fact) => self.note_endpoint(recorded.at, fact),
            Fact::Rich(fact) => match &**fact {
                RichFact::PolicyAdopted { policy, digest, .. } => {
                    self.policies.insert(*digest, (**policy).clone());
                    let n = |policy: &Policy| policy.budgets.starts_max.map_or(0, |max| max.n as usize);
                    // What no policy asked for was not remembered.
                    let kept = self.policy.as_ref().map_or(0, n).min(n(policy)).min(self.starts.len());
                    self.starts = self.starts.split_off(self.starts.len() - kept);
                    self.policy = Some((**policy).clone());
                }
                RichFact::EndpointsJoined { first, endpoints } => {
                    for (i, seen) in (first.0..).zip(endpoints) {
                        self.scope_of.insert(EndpointIx(i), (seen.scope.clone(), false));
                        self.group_of.extend(seen.group.clone().map(|group| (EndpointIx(i), group)));
                    }
                }
                RichFact::EndpointChanged { endpoint, seen } => {
                    self.scope_of.insert(*endpoint, (seen.scope.clone(), false));
                    self.group_of.remove(endpoint);
                    self.group_of.extend(seen.group.clone().map(|group| (*endpoint, group)));
                }
                RichFact::MembersJoined { rollout, ring, members, .. } => {
                    *self.ring_sizes.entry((*rollout, *ring)).or_default() += members.len() as u32;
                    let first = self.endpoint_of.keys().filter(|key| key.0 == *rollout).count() as u32;
                    for (ix, joined) in (first..).zip(members) {
                        self.members.insert((*rollout, MemberIx(ix)), (Phase::Waiting, false));
                        self.endpoint_of.insert((*rollout, MemberIx(ix)), (joined.endpoint, *ring));
                    }
                }
                RichFact::HookEnded { order, failed, .. } => {
                    let (endpoint, _) = self.endpoint_of[&(order.rollout, order.member)];
                    assert_eq!(self.resuming.remove(&endpoint).map(|(order, _)| order), Some(*order));
                    if failed.is_some() && self.group_of.contains_key(&endpoint) {
                        self.broken.insert(endpoint);
                    }
                }
                RichFact::HoldCleared { endpoint, .. } => _ = self.broken.remove(endpoint),
                RichFact::EndpointLeft { endpoint } => {
                    self.scope_of.get_mut(endpoint).unwrap().1 = true;
                    self.resuming.remove(endpoint);
                    self.drained.remove(endpoint);
                }
                RichFact::RolloutStarted { rollout, policy, plan, .. } => {
                    self.policy_of.insert(*rollout, self.policies[policy].clone());
                    let mut members = plan.members.iter();
                    let mut ix = 0;
                    for (ring, of) in (0u8..).zip(&plan.rings) {
                        self.ring_sizes.insert((*rollout, ring), of.size);
                        for endpoint in members.by_ref().take(of.size as usize) {
                            self.members.insert((*rollout, MemberIx(ix)), (Phase::Waiting, false));
                            self.endpoint_of.insert((*rollout, MemberIx(ix)), (*endpoint, ring));
                            ix += 1;
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn note_endpoint(&mut self, at: Timestamp, fact: &EndpointFact) {
        let key = (fact.rollout, fact.member);
        let (from, placed) = self.members[&key];
        let to = from.next(fact.event).unwrap();
        if fact.event == Event::HookAsked || (fact.event == Event::Ordered && from != Phase::Draining) {
            assert_eq!(self.forbids(at, key), None, "{fact:?} exceeds a budget");
            self.starts.push(at);
        }
        let (endpoint, _) = self.endpoint_of[&key];
        match fact.event {
            Event::Verified => _ = self.broken.remove(&endpoint),
            Event::Removed
                if !matches!(
                    from,
                    Phase::Waiting
                        | Phase::Verified
                        | Phase::Deferred
                        | Phase::Held
                        | Phase::Skipped
                        | Phase::Cancelled
                ) =>
            {
                _ = self.broken.remove(&endpoint);
            }
            Event::RetryScheduled
            | Event::GaveUp
            | Event::RevertOrdered
            | Event::OperatorNeeded
            | Event::RolledBack
                if self.group_of.contains_key(&endpoint) =>
            {
                self.broken.insert(endpoint);
            }
            _ => {}
        }
        let takes = matches!(fact.event, Event::Ordered | Event::RevertOrdered | Event::HookAsked);
        let placed = to.is_operating() && (placed || (takes && !from.is_operating()));
        if to == Phase::Draining {
            self.drained.insert(endpoint);
        }
        // Where there is a pre hook, only what was drained is resumed, and once.
        let hooks = &self.policy_of[&fact.rollout].deploy.hooks;
        let may_resume = hooks.pre.is_none() || self.drained.contains(&endpoint);
        let resumes = hooks.post.is_some()
            && may_resume
            && (from.occupies() || from == Phase::Backoff)
            && matches!(
                to,
                Phase::Verified
                    | Phase::RolledBack
                    | Phase::Waiting
                    | Phase::Deferred
                    | Phase::Cancelled
                    | Phase::Removed
            );
        let hooked = self.policy_of[&fact.rollout].deploy.hooks.pre.is_some();
        if fact.event == Event::HookAsked {
            self.drained.insert(endpoint);
        }
        // Only what was drained is resumed, and once.
        let resumes = resumes && (!hooked || self.drained.remove(&endpoint));
        if resumes {
            self.drained.remove(&endpoint);
        }
        let operations = self.operations.entry(key).or_default();
        let asks = [Event::Ordered, Event::RebootOrdered, Event::RevertOrdered, Event::HookAsked];
        *operations += u8::from(asks.contains(&fact.event));
        if resumes {
            self.drained.remove(&endpoint);
            let order = OrderId {
                fleet: FleetId(1),
                generation: patchflow_core::ids::Generation(0),
                rollout: fact.rollout,
                member: fact.member,
                operation: *operations,
            };
            self.resuming.insert(endpoint, (order, self.group_of.contains_key(&endpoint)));
        }
        self.members.insert(key, (to, placed));
        self.due.insert(key, fact.due);
    }
}

struct Story {
    fleet: Fleet,
    out: Outbox,
    now: Timestamp,
    orders: Vec<Order>,
    journal: Vec<Recorded>,
    books: Books,
    asked: u32,
    hooks: Vec<(OrderId, HookStage)>,
}

impl Story {
    fn new(seed: u64, budget: &Budget) -> Self {
        let mut out = Outbox::new();
        let fleet = Fleet::found(FleetId(1), "random", seed, start(), &mut out);
        let (books, orders, journal) = (Books::default(), vec![], vec![]);
        let mut story = Self { fleet, out, now: start(), orders, journal, books, asked: 0, hooks: vec![] };
        story.ask(Command::AdoptPolicy { policy: Box::new(budget.policy()) });
        (0..12).for_each(|i| story.seen(i, i as u8));
        story.publish(seed as u8);
        story
    }

    fn seen(&mut self, i: u32, scope: u8) {
        let scope = ScopePath(SCOPES[usize::from(scope) % SCOPES.len()].into());
        let group = [None, Some("dc"), Some("dc"), Some("web")][(i + self.asked) as usize % 4].map(Arc::from);
        let seen =
            EndpointSeen { scope, group, ..EndpointSeen::new(format!("e{i}"), Environment::Production) };
        self.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
    }

    fn publish(&mut self, which: u8) {
        let severity = [Severity::Low, Severity::High, Severity::Critical][usize::from(which % 3)];
        let update = Patch { severity, ..patch(&format!("p{which}"), "2.0") };
        let id = update.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(update) });
        let candidate = self.fleet.candidate_of(&id).unwrap();
        let needs = self.fleet.endpoints().filter(|e| !e.is_gone()).map(|e| NeedSeen {
            endpoint: e.ix(),
            standing: Standing::Needs,
            present: Some(Arc::from("1.0")),
            path: RollbackPath::Reinstall,
            path_valid_until: None,
            why: None,
        });
        let needs = Cow::Owned(needs.collect());
        self.see(Observation::Needs { candidate, needs });
        self.see(Observation::Identified);
    }

    fn see(&mut self, seen: Observation<'_>) {
        self.fleet.observe(self.now, seen, &mut self.out);
        self.store();
    }

    fn ask(&mut self, ask: Command) {
        self.asked += 1;
        let id = RequestId::from(format!("q{}", self.asked));
        let request = Request { id, by: Actor::new("ada", ["owner"]), expect: None, ask };
        _ = self.fleet.command(self.now, request, &mut self.out);
        self.store();
    }

    fn store(&mut self) {
        let mut scanned = vec![];
        if let Some(last) = self.out.facts().last() {
            for recorded in self.out.facts() {
                self.books.note(recorded);
                self.journal.push(recorded.clone());
            }
            let done = Persisted { fleet: FleetId(1), through: last.seq, head: Digest([0; 32]) };
            for effect in self.out.release(done).collect::<Vec<_>>() {
                match effect {
                    Effect::Submit(order) => self.orders.push(order),
                    Effect::RunHook(run) => {
                        self.hooks.push((run.order, run.stage));
                    }
                    Effect::Scan { endpoints } => {
                        scanned.extend(endpoints.iter().filter_map(|id| self.fleet.endpoint_ix(id.as_str())));
                    }
                    _ => {}
                }
            }
        }
        // Budgets alone are in question here: whoever is to be read is read at once.
        if !scanned.is_empty() {
            self.see(Observation::Read { endpoints: Cow::Owned(scanned) });
        }
        self.nobody_is_forgotten();
    }

    /// Nobody waits whom every rule and budget would let start.
    fn nobody_is_forgotten(&self) {
        if self.fleet.resync_until().is_some() {
            return;
        }
        for rollout in self.fleet.rollouts().filter(|r| r.state() == RolloutState::Running) {
            let approved = self.fleet.candidate(rollout.candidate()).unwrap().approved();
            if approved.is_none_or(|approved| approved.expires() <= self.now) {
                continue;
            }
            for (ix, member) in (0..).map(MemberIx).zip(rollout.members()) {
                let ring = rollout.rings()[usize::from(member.ring())].state();
                let current = rollout.current_ring().state();
                let opened = matches!(current, RingState::Open | RingState::Settled | RingState::Held);
                let key = (rollout.id(), ix);
                let endpoint = self.fleet.endpoint(member.endpoint()).unwrap();
                let retries = member.phase() == Phase::Backoff
                    && u64::from(self.books.due[&key]) <= self.now.since(start()).as_secs();
                let may = (member.phase() == Phase::Waiting || retries)
                    && ring != RingState::Pending
                    && opened
                    && !endpoint.is_gone()
                    && endpoint.active().is_none()
                    && !self.books.resuming.contains_key(&member.endpoint());
                if may && let free @ None = self.books.forbids(self.now, key) {
                    panic!("{key:?} waits although nothing stands against it: {free:?}");
                }
            }
        }
    }

    fn order(&self, n: u8) -> Option<OrderId> {
        let len = self.orders.len();
        (len > 0).then(|| self.orders[len - 1 - usize::from(n) % len.min(14)].id())
    }

    fn report(&mut self, n: u8, kind: ReportKind<'static>) {
        if let Some(order) = self.order(n) {
            self.see(Observation::Reported(Report { order, kind }));
        }
    }

    fn endpoint(&self, n: u8) -> EndpointIx {
        EndpointIx(u32::from(n) % self.fleet.endpoints().count() as u32)
    }

    fn happen(&mut self, what: &Happens) {
        match what {
            Happens::Passes(secs) => {
                let until = self.now.plus_secs((*secs).into());
                let mut looks = 0;
                while let Some(at) = self.fleet.next_deadline().filter(|at| *at <= until) {
                    self.now = self.now.max(at);
                    self.see(Observation::Time);
                    looks += 1;
                    assert!(looks < 10_000, "time stands still at {at}");
                }
                self.now = until;
                self.see(Observation::Time);
            }
            Happens::Acknowledged(o) => self.report(*o, ReportKind::Acknowledged),
            Happens::Done(o) => self.report(*o, ReportKind::Done),
            Happens::Fails(o) => {
                let kind = if o % 2 == 0 { FailureKind::Busy } else { FailureKind::Dependency };
                self.report(*o, ReportKind::Failed(Failure::new(kind, "it broke")));
            }
            Happens::Answers(o, answer) => {
                let Some(order) = self.order(*o) else { return };
                let answer = [QueryAnswer::NeverSeen, QueryAnswer::Running, QueryAnswer::Done]
                    [usize::from(*answer)]
                .clone();
                self.see(Observation::Answered { order, answer });
            }
            Happens::Recalled(o) => {
                let Some(order) = self.order(*o) else { return };
                self.see(Observation::RecallAnswered { order, answer: RecallAnswer::Recalled });
            }
            Happens::Inspected(o, well) => {
                let Some(order) = self.order(*o) else { return };
                let version = if *well { "2.0" } else { "1.0" };
                let level = Level::Version { version: version.into(), intact: true };
                let seen = Inspection { order, level, reboot_required: false, health: Health::Passed };
                self.see(Observation::Inspected(seen));
            }
            Happens::Publishes(which) => self.publish(*which),
            Happens::Moves(e, scope) => {
                let ix = self.endpoint(*e);
                self.seen(ix.0, *scope);
            }
            Happens::Joins(scope) => {
                let next = self.fleet.endpoints().count() as u32;
                self.seen(next, *scope);
            }
            Happens::Goes(e) => {
                let endpoint = self.endpoint(*e);
                self.see(Observation::EndpointGone { endpoint });
            }
            Happens::Hooked(h, well) => {
                if self.hooks.is_empty() {
                    return;
                }
                let (order, stage) = self.hooks.remove(usize::from(*h) % self.hooks.len());
                let failure = (!well).then(|| Failure::new(FailureKind::Other, "it would not"));
                self.see(Observation::HookDone { order, stage, failure });
            }
            Happens::Adopts(budget) => self.ask(Command::AdoptPolicy { policy: Box::new(budget.policy()) }),
            Happens::Asks(command, r, e) => {
                let rollouts = self.fleet.rollouts().count() as u32;
                let rollout = RolloutId(u32::from(*r) % rollouts.max(1));
                let endpoint = self.fleet.endpoint_id(self.endpoint(*e)).unwrap().clone();
                let reason = String::from("because");
                let candidate = self.fleet.rollout(rollout).unwrap().candidate();
                self.ask(match command {
                    7 => Command::Start { draft: RolloutDraft::of(candidate) },
                    0 => Command::Pause { rollout },
                    1 => Command::Resume { rollout },
                    2 => Command::Halt { rollout, reason },
                    3 => Command::LiftHalt { rollout, reason },
                    6 => Command::ClearHold { candidate, endpoint },
                    4 => Command::Remove { rollout, endpoint },
                    _ => Command::Retry { rollout, endpoint },
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_budget_is_exceeded_and_whatever_can_start_has_started(
        seed in any::<u64>(),
        first in budget(),
        story in prop::collection::vec(happens(), 1..90),
    ) {
        let mut told = Story::new(seed, &first);
        for what in &story {
            told.happen(what);
        }
        let replayed = Fleet::replay(told.journal.iter().cloned()).unwrap();
        prop_assert_eq!(replayed.baseline(), told.fleet.baseline());
        let resumed = Fleet::resume(&told.fleet.baseline(), []).unwrap();
        prop_assert_eq!(resumed.baseline(), told.fleet.baseline());
        // A recovered fleet goes on as the one that never stopped would have.
        let mut outs = [Outbox::new(), Outbox::new()];
        let mut fleets = [replayed, told.fleet];
        for (fleet, out) in fleets.iter_mut().zip(&mut outs) {
            fleet.observe(told.now, Observation::Time, out);
            if let Some(order) = told.orders.last() {
                let kind = ReportKind::Failed(Failure::new(FailureKind::Dependency, "it broke"));
                fleet.observe(told.now, Observation::Reported(Report { order: order.id(), kind }), out);
            }
        }
        // A recovered fleet asks once more for what it may not have asked; who starts is the same.
        let orders = |out: &Outbox| {
            let ordered = |r: &&Recorded| matches!(r.fact, Fact::Endpoint(f) if f.event == Event::Ordered);
            out.facts().iter().filter(ordered).map(|r| (r.at, r.fact.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(orders(&outs[0]), orders(&outs[1]));
    }
}
