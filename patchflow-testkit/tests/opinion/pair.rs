//! The engine and the model side by side, and the histories that both live through.

use crate::knobs::{Knobs, PATCHES, seen, some_patch, start};
use patchflow_core::fleet::{Command, EndpointSeen, Fleet, Observation};
use patchflow_core::ids::{Actor, AskId, CandidateId, EndpointIx, OrderId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{Placement, PlanRevision, RolloutDraft};
use patchflow_core::policy::{Policy, Selector};
use patchflow_core::rollout::{Failure, Report, ReportKind};
use patchflow_core::time::Timestamp;
use patchflow_testkit::model::{Deed, Mutation, Pair, answer, fails, hook_end, need, recall_answer, staged};
use proptest::prelude::*;
use std::borrow::Cow;

/// One thing that happens. Numbers are taken modulo what there is, so that most of them hit.
#[derive(Clone, Debug)]
pub(crate) enum Happens {
    /// The fleet is looked at whenever it wants to be, for so many seconds.
    Passes(u32),
    /// The host is away for so many seconds.
    Sleeps(u32),
    /// The clock steps back.
    StepsBack(u32),
    /// An order goes through all of it without a hitch.
    GoesWell(u8),
    Acknowledges(u8),
    Done(u8),
    Fails(u8, u8),
    Answers(u8, u8),
    /// A hook comes to its end: which, and whether it failed.
    HookEnds(u8, bool),
    /// All hooks that were asked for do what they should.
    HooksEnd,
    /// An endpoint answers for an attempt to stage: which, and how.
    Stages(u8, u8),
    /// All content that was asked for is brought.
    StagesAll,
    /// Content of the patch of a candidate is carried over by hand: to an endpoint, or to a depot.
    CarriesOver(u8, u8),
    /// A person revises a rollout: places two endpoints, or goes over to the policy that holds now.
    Revises(u8, u8, u8),
    /// A person passes a ring over.
    SkipsRing(u8, u8),
    AdoptsPolicy(bool),
    Recalls(u8, u8),
    Inspects(u8, u8),
    Needs(u8, u8),
    Moves(u8, bool),
    /// An endpoint goes out of contact, comes back, is stale, or is read.
    Keeps(u8, u8),
    /// An endpoint waits for a reboot that is no order's, or waits no more.
    RebootsPend(u8, bool),
    /// Some machine reports under an endpoint's name, with or without another patch manager on it.
    Reports(u8, u8),
    /// An endpoint is read: what it needs is told for every candidate.
    Reads(u8),
    Goes(u8),
    Publishes(u8),
    VendorPulls(u8),
    Approves(u8, u8, bool),
    Alerts(u8),
    Asks(u8, u8, u8),
    /// The same request again.
    AsksAgain(u8),
}

pub(crate) fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        6 => (0u32..4_000).prop_map(Passes),
        1 => (4_000u32..200_000).prop_map(Passes),
        1 => (0u32..30_000).prop_map(Sleeps),
        1 => (1u32..5_000).prop_map(StepsBack),
        8 => any::<u8>().prop_map(GoesWell),
        4 => any::<u8>().prop_map(Acknowledges),
        4 => any::<u8>().prop_map(Done),
        4 => (any::<u8>(), 0u8..6).prop_map(|(o, k)| Fails(o, k)),
        3 => (any::<u8>(), 0u8..6).prop_map(|(o, a)| Answers(o, a)),
        2 => (any::<u8>(), 0u8..3).prop_map(|(o, a)| Recalls(o, a)),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(o, f)| HookEnds(o, f)),
        4 => Just(HooksEnd),
        3 => (any::<u8>(), 0u8..6).prop_map(|(s, how)| Stages(s, how)),
        6 => Just(StagesAll),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(c, e)| CarriesOver(c, e)),
        1 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(r, a, b)| Revises(r, a, b)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(r, ring)| SkipsRing(r, ring)),
        1 => any::<bool>().prop_map(AdoptsPolicy),
        5 => (any::<u8>(), 0u8..8).prop_map(|(o, l)| Inspects(o, l)),
        2 => (any::<u8>(), 0u8..6).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        2 => (any::<u8>(), 0u8..6).prop_map(|(e, how)| Keeps(e, how)),
        1 => any::<u8>().prop_map(Goes),
        2 => (0..PATCHES).prop_map(Publishes),
        1 => (0..PATCHES).prop_map(VendorPulls),
        2 => (any::<u8>(), 0u8..3, any::<bool>()).prop_map(|(c, by, y)| Approves(c, by, y)),
        1 => any::<u8>().prop_map(Alerts),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| RebootsPend(e, p)),
        1 => (any::<u8>(), 0u8..8).prop_map(|(e, n)| Reports(e, n)),
        1 => any::<u8>().prop_map(Reads),
        6 => (0u8..24, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        1 => any::<u8>().prop_map(AsksAgain),
    ]
}

/// Histories in which most goes well, so that rollouts come to their end and go on after it.
pub(crate) fn calm() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        4 => (0u32..4_000).prop_map(Passes),
        12 => any::<u8>().prop_map(GoesWell),
        4 => Just(HooksEnd),
        6 => Just(StagesAll),
        1 => (any::<u8>(), 0u8..6).prop_map(|(s, how)| Stages(s, how)),
        2 => (any::<u8>(), 0u8..6).prop_map(|(o, k)| Fails(o, k)),
        1 => any::<u8>().prop_map(Acknowledges),
        1 => any::<u8>().prop_map(Done),
        1 => (any::<u8>(), 0u8..6).prop_map(|(o, a)| Answers(o, a)),
        2 => (any::<u8>(), Just(0u8)).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), 0u8..6).prop_map(|(e, n)| Needs(e, n)),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        1 => (any::<u8>(), 0u8..6).prop_map(|(e, how)| Keeps(e, how)),
        1 => any::<u8>().prop_map(Alerts),
        1 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(r, a, b)| Revises(r, a, b)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(r, ring)| SkipsRing(r, ring)),
        1 => any::<bool>().prop_map(AdoptsPolicy),
        // Starts, pauses and resumes, promotions, retries, removals, holds that are cleared.
        1 => (7u8..12, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        2 => (15u8..20, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
    ]
}

/// Histories in which patches replace each other, and little else goes wrong.
pub(crate) fn replacing() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        4 => (0u32..4_000).prop_map(Passes),
        8 => any::<u8>().prop_map(GoesWell),
        2 => Just(HooksEnd),
        2 => Just(StagesAll),
        1 => (any::<u8>(), 0u8..6).prop_map(|(o, k)| Fails(o, k)),
        1 => any::<u8>().prop_map(Acknowledges),
        1 => (any::<u8>(), 0u8..6).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        5 => (0..PATCHES).prop_map(Publishes),
        2 => (0..PATCHES).prop_map(VendorPulls),
        // Approvals, rejections, revocations, withdrawals, starts, pauses, halts and what ends them.
        5 => (2u8..16, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        3 => (Just(2u8), any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        2 => (Just(20u8), any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
    ]
}

/// Histories in which machines change under their names, and wait for reboots of their own.
pub(crate) fn machines() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        4 => (0u32..4_000).prop_map(Passes),
        8 => any::<u8>().prop_map(GoesWell),
        2 => Just(HooksEnd),
        2 => Just(StagesAll),
        1 => (any::<u8>(), 0u8..6).prop_map(|(o, k)| Fails(o, k)),
        1 => any::<u8>().prop_map(Acknowledges),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| RebootsPend(e, p)),
        6 => (any::<u8>(), 0u8..8).prop_map(|(e, n)| Reports(e, n)),
        4 => any::<u8>().prop_map(Reads),
        3 => (any::<u8>(), 0u8..6).prop_map(|(e, how)| Keeps(e, how)),
        1 => any::<u8>().prop_map(Goes),
        1 => (0..PATCHES).prop_map(Publishes),
        2 => (7u8..20, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        4 => (22u8..24, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
    ]
}

/// The two side by side, and what a history can make of its knobs.
pub(crate) struct Player {
    pub(crate) pair: Pair,
    policies: [Policy; 2],
    grouped: bool,
}

fn founded() -> Timestamp {
    Timestamp::from_secs(start().as_secs() - 3_600)
}

fn actor(which: u8) -> Actor {
    match which % 3 {
        0 => Actor::new("ada", ["approver"]),
        1 => Actor::new("bob", ["approver"]),
        _ => Actor::new("eve", ["visitor"]),
    }
}

impl Player {
    pub(crate) fn new(knobs: &Knobs, mutation: Option<Mutation>) -> Self {
        // A packed deadline is never 0, so nothing is due at the founding itself.
        let pair = Pair::found(knobs.seed, (founded(), start()), mutation, None);
        let policies = [knobs.policy(), knobs.later_policy()];
        let mut player = Self { pair, policies, grouped: knobs.grouped() };
        let policy = Box::new(knobs.policy());
        player.pair.ask(Actor::new("root", ["owner"]), Command::AdoptPolicy { policy });
        player.endpoints(knobs.endpoints());
        player.pair.publish(some_patch(knobs.patch));
        player
    }

    fn fleet(&self) -> &Fleet {
        &self.pair.live.fleet
    }

    fn see(&mut self, seen: Observation<'static>) {
        self.pair.see(seen);
    }

    /// Endpoints are told.
    fn endpoints(&mut self, endpoints: Vec<EndpointSeen>) {
        self.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
    }

    fn order(&self, n: u8) -> Option<OrderId> {
        // The latest orders are the likely ones to be heard of.
        let len = self.pair.live.orders.len();
        (len > 0).then(|| self.pair.live.orders[len - 1 - usize::from(n) % len.min(9)])
    }

    fn endpoint(&self, n: u8) -> EndpointIx {
        EndpointIx(u32::from(n) % (self.fleet().endpoints().count() as u32 + 1))
    }

    fn candidate(&self, n: u8) -> CandidateId {
        CandidateId(u32::from(n) % self.fleet().candidates().count().max(1) as u32)
    }

    fn rollout(&self, n: u8) -> RolloutId {
        RolloutId(u32::from(n) % self.fleet().rollouts().count().max(1) as u32)
    }

    fn report(&mut self, order: OrderId, kind: ReportKind<'static>) {
        self.see(Observation::Reported(Report { order, kind }));
    }

    fn inspect(&mut self, order: OrderId, shows: u8) {
        self.pair.live.inspection(order, shows).into_iter().for_each(|seen| self.pair.see(seen));
    }

    pub(crate) fn happen(&mut self, what: &Happens) {
        match *what {
            Happens::Passes(secs) => self.pair.pass(secs),
            Happens::Sleeps(secs) => {
                self.pair.now = self.pair.now.plus_secs(secs.into());
                self.see(Observation::Time);
            }
            Happens::StepsBack(secs) => {
                let real = self.pair.now;
                self.pair.now = Timestamp::from_secs(real.as_secs() - i64::from(secs));
                self.see(Observation::Time);
                self.pair.now = real;
            }
            Happens::Stages(s, how) => {
                let len = self.pair.live.stagings.len();
                let Some(attempt) =
                    (len > 0).then(|| self.pair.live.stagings[len - 1 - usize::from(s) % len.min(9)])
                else {
                    return;
                };
                self.see(staged(attempt, how));
            }
            Happens::StagesAll => self.stages_all(),
            Happens::CarriesOver(c, e) => {
                let candidate = self.fleet().candidate(self.candidate(c));
                let Some(content) = candidate.map(|it| it.identified().patch().content) else { return };
                let depot = (e % 4 == 0).then(|| ScopePath(format!("acme/{}", e / 4 % 3)));
                let endpoints = Cow::Owned(vec![self.endpoint(e / 4)]);
                self.see(Observation::ContentHeld { content, endpoints, depot });
            }
            Happens::GoesWell(o) => {
                if o % 8 != 0 {
                    self.stages_all();
                }
                let Some(order) = self.order(o) else { return };
                self.report(order, ReportKind::Acknowledged);
                self.report(order, ReportKind::Done);
                self.inspect(order, [5, 5, 2, 5, 6, 5, 5, 6][usize::from(o / 16) % 8]);
            }
            Happens::Acknowledges(o) => {
                let Some(order) = self.order(o) else { return };
                self.report(order, ReportKind::Acknowledged);
            }
            Happens::Done(o) => {
                let Some(order) = self.order(o) else { return };
                self.report(order, ReportKind::Done);
            }
            Happens::Fails(o, kind) => {
                let Some(order) = self.order(o) else { return };
                self.report(order, ReportKind::Failed(Failure::new(fails(kind), "it broke")));
            }
            Happens::Answers(o, how) => {
                let Some(order) = self.order(o) else { return };
                self.see(answer(order, how));
            }
            Happens::Recalls(o, how) => {
                let Some(order) = self.order(o) else { return };
                self.see(recall_answer(order, how));
            }
            Happens::HookEnds(n, failed) => {
                let len = self.pair.live.hooks.len();
                let Some((order, stage)) =
                    (len > 0).then(|| self.pair.live.hooks[len - 1 - usize::from(n) % len.min(5)])
                else {
                    return;
                };
                self.see(hook_end(order, stage, failed));
            }
            Happens::HooksEnd => {
                for (order, stage) in std::mem::take(&mut self.pair.live.hooks) {
                    self.see(hook_end(order, stage, false));
                }
            }
            Happens::Revises(r, a, b) => {
                let rollout = self.rollout(r);
                let place =
                    |n: u8| Placement { endpoint: format!("e{}", n % 16 % 9).into(), ring: n / 16 % 3 };
                let place = if a % 3 == 0 { vec![] } else { vec![place(a), place(b)] };
                let revision = PlanRevision { adopt_policy: a % 3 != 1, place };
                let reason = "because".into();
                self.pair.ask(actor(0), Command::Revise { rollout, revision, reason });
            }
            Happens::SkipsRing(r, ring) => {
                let (rollout, reason) = (self.rollout(r), "because".into());
                self.pair.ask(actor(0), Command::SkipRing { rollout, ring, reason });
            }
            Happens::AdoptsPolicy(later) => {
                let policy = Box::new(self.policies[usize::from(later)].clone());
                self.pair.ask(actor(0), Command::AdoptPolicy { policy });
            }
            Happens::Inspects(o, shows) => {
                let Some(order) = self.order(o) else { return };
                self.inspect(order, shows);
            }
            Happens::Needs(e, how) => {
                let (endpoint, candidate) = (self.endpoint(e), self.candidate(e / 8));
                // Of some it is known when the way back ends.
                let mut need = need(endpoint, if how >= 4 { 0 } else { how });
                need.path_valid_until =
                    (how >= 4).then(|| self.pair.now.plus_secs([600, 4_000][usize::from(how) % 2]));
                let needs = Cow::Owned(vec![need]);
                self.see(Observation::Needs { candidate, needs });
                if how % 2 == 1 {
                    self.see(Observation::Identified);
                }
            }
            Happens::Moves(e, production) => {
                let endpoints = vec![seen(u32::from(e) % 12, production, self.grouped)];
                self.endpoints(endpoints);
                // Whoever comes back is read before it is ordered anything; mostly at once.
                let back = format!("e{}", u32::from(e) % 12);
                if let Some(ix) = self.fleet().endpoint_ix(&back).filter(|_| e % 4 != 0) {
                    self.see(Observation::Read { endpoints: Cow::Owned(vec![ix]) });
                }
            }
            Happens::Keeps(e, how) => {
                let endpoints = Cow::Owned(vec![self.endpoint(e)]);
                let since = self.pair.now;
                self.see(match how {
                    0 => Observation::Unreachable { endpoints, since },
                    1 => Observation::Reachable { endpoints },
                    2 => Observation::Stale { endpoints },
                    _ => Observation::Read { endpoints },
                });
            }
            Happens::RebootsPend(e, pending) => {
                let endpoints = Cow::Owned(vec![self.endpoint(e)]);
                self.see(Observation::RebootsPending { endpoints, pending });
            }
            Happens::Reports(e, n) => {
                let name = u32::from(e) % 8;
                let production = self
                    .fleet()
                    .endpoints()
                    .nth(name as usize)
                    .map(|it| it.environment() == Environment::Production);
                let mut seen = seen(name, production.unwrap_or(true), self.grouped);
                seen.fingerprint = (n % 4 > 0).then(|| format!("machine {}", n % 4));
                seen.managed_by = (n >= 6).then(|| "another".to_owned());
                if e >= 128
                    && let Some(ix) = self.fleet().endpoint_ix(seen.id.as_str())
                {
                    // The machine before it was silent for long.
                    let since = Timestamp::from_secs(self.pair.now.as_secs() - 7_200);
                    self.see(Observation::Unreachable { endpoints: Cow::Owned(vec![ix]), since });
                }
                self.endpoints(vec![seen]);
            }
            Happens::Reads(e) => self.reads(e),
            Happens::Goes(e) => {
                let endpoint = self.endpoint(e);
                self.see(Observation::EndpointGone { endpoint });
            }
            Happens::Publishes(which) => self.pair.publish(some_patch(which)),
            Happens::VendorPulls(which) => {
                let patch = some_patch(which).id;
                self.see(Observation::Withdrawn { patch, reason: "it breaks".into() });
            }
            Happens::Approves(c, by, approve) => {
                let ask = self.fleet().ask(self.candidate(c)).map_or(AskId(u32::from(c)), |ask| ask.id);
                self.see(Observation::Approval { ask, by: actor(by), approve, reason: "so".into() });
            }
            Happens::Alerts(r) => {
                let rollout = self.rollout(r);
                self.see(Observation::Alerts {
                    rollout,
                    ring: r / 16 % 3,
                    new: [Some(0), Some(1), Some(0), None][usize::from(r % 4)],
                });
            }
            Happens::AsksAgain(n) => {
                let at = usize::from(n) % self.pair.requests.len();
                let mut again = self.pair.requests[at].clone();
                if n % 3 == 0 {
                    again.by = actor(n);
                }
                self.pair.tell(&Deed::Ask(again));
            }
            Happens::Asks(command, a, b) => self.asks(command, a, b),
        }
    }

    /// An endpoint is read: what it needs is told for every candidate, and that it was read.
    fn reads(&mut self, e: u8) {
        let endpoint = self.endpoint(e);
        for candidate in 0..self.fleet().candidates().count() as u32 {
            let (candidate, needs) = (CandidateId(candidate), Cow::Owned(vec![need(endpoint, 0)]));
            self.see(Observation::Needs { candidate, needs });
        }
        self.see(Observation::Read { endpoints: Cow::Owned(vec![endpoint]) });
        self.see(Observation::Identified);
    }

    /// Every endpoint that was asked to brings its content. Answers may come twice.
    fn stages_all(&mut self) {
        let mut from = 0;
        while from < self.pair.live.stagings.len() && self.pair.parted.is_empty() && from < 60 {
            let attempt = self.pair.live.stagings[from];
            self.see(staged(attempt, 0));
            from += 1;
        }
        let kept = self.pair.live.stagings.len().saturating_sub(3);
        self.pair.live.stagings.drain(..kept);
    }

    fn asks(&mut self, command: u8, a: u8, b: u8) {
        let (candidate, rollout) = (self.candidate(a), self.rollout(a));
        let Some(endpoint) = self.fleet().endpoint_id(self.endpoint(b)).cloned() else { return };
        let reason = String::from(if b == 255 { " " } else { "because" });
        let ask = match command {
            0 => {
                Command::WaiveTrial { candidate, until: self.pair.now.plus_secs(u64::from(b) * 100), reason }
            }
            1 => Command::RepeatTrial { candidate },
            2 | 3 => Command::Approve { candidate, reason },
            4 => Command::Reject { candidate, reason },
            5 => Command::Revoke { candidate, reason },
            6 => Command::Withdraw { candidate, reason },
            7 | 8 => {
                let tag = |value: &str| Selector::Tag { name: "floor".into(), value: value.into() };
                let select = match b % 5 {
                    3 => tag("0"),
                    4 => Selector::Not { of: Box::new(tag("0")) },
                    _ => Selector::All,
                };
                let emergency = (b / 5 % 3 == 1).then(|| reason.clone());
                Command::Start { draft: RolloutDraft { select, emergency, ..RolloutDraft::of(candidate) } }
            }
            9 => Command::Pause { rollout },
            10 | 11 => Command::Resume { rollout },
            12 => Command::Halt { rollout, reason },
            13 | 14 => Command::LiftHalt { rollout, reason },
            15 => Command::Promote { rollout, reason },
            16 => Command::Retry { rollout, endpoint },
            17 => Command::Remove { rollout, endpoint },
            18 => Command::ClearHold { candidate, endpoint },
            19 => Command::AllowReboots { endpoint, reason },
            20 => Command::Reconsider { candidate, reason },
            22 => Command::ClearQuarantine { endpoint, reason },
            23 => Command::DeclareOwnership { endpoint, reason },
            _ => Command::Cancel { rollout, reason },
        };
        self.pair.ask(actor(b), ask);
    }
}
