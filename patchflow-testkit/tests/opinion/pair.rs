//! The engine and the model side by side, and the histories that both live through.

use crate::knobs::{Knobs, seen, some_patch, start};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, Effect, Fleet, HookStage, NeedSeen, Observation, Outbox, Persisted, Recorded, Request, Standing,
};
use patchflow_core::ids::{
    Actor, AskId, CandidateId, EndpointIx, FleetId, OrderId, RequestId, Revision, RolloutId,
};
use patchflow_core::plan::{Placement, PlanRevision, RollbackPath, RolloutDraft};
use patchflow_core::policy::{Policy, Selector};
use patchflow_core::rollout::{
    Failure, Health, Inspection, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, Rollout,
};
use patchflow_core::time::Timestamp;
use patchflow_testkit::model::{Came, Choices, Input, Model, Mutation, compare};
use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

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
    /// A person revises a rollout: places two endpoints, or goes over to the policy that holds now.
    Revises(u8, u8, u8),
    /// A person passes a ring over.
    SkipsRing(u8, u8),
    AdoptsPolicy(bool),
    Recalls(u8, u8),
    Inspects(u8, u8),
    Needs(u8, u8),
    Moves(u8, bool),
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
        1 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(r, a, b)| Revises(r, a, b)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(r, ring)| SkipsRing(r, ring)),
        1 => any::<bool>().prop_map(AdoptsPolicy),
        5 => (any::<u8>(), 0u8..8).prop_map(|(o, l)| Inspects(o, l)),
        2 => (any::<u8>(), 0u8..4).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        1 => any::<u8>().prop_map(Goes),
        1 => (0u8..9).prop_map(Publishes),
        1 => (0u8..6).prop_map(VendorPulls),
        2 => (any::<u8>(), 0u8..3, any::<bool>()).prop_map(|(c, by, y)| Approves(c, by, y)),
        1 => any::<u8>().prop_map(Alerts),
        6 => (0u8..20, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
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
        2 => (any::<u8>(), 0u8..6).prop_map(|(o, k)| Fails(o, k)),
        1 => any::<u8>().prop_map(Acknowledges),
        1 => any::<u8>().prop_map(Done),
        1 => (any::<u8>(), 0u8..6).prop_map(|(o, a)| Answers(o, a)),
        2 => (any::<u8>(), Just(0u8)).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(e, n)| Needs(e, n)),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        1 => any::<u8>().prop_map(Alerts),
        1 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(r, a, b)| Revises(r, a, b)),
        1 => (any::<u8>(), 0u8..4).prop_map(|(r, ring)| SkipsRing(r, ring)),
        1 => any::<bool>().prop_map(AdoptsPolicy),
        // Starts, pauses and resumes, promotions, retries, removals, holds that are cleared.
        1 => (7u8..12, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        2 => (15u8..19, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
    ]
}

pub(crate) struct Pair {
    pub(crate) fleet: Fleet,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    pub(crate) facts: Vec<Recorded>,
    /// The facts of the last input.
    last: Vec<Recorded>,
    pub(crate) orders: Vec<OrderId>,
    pub(crate) hooks: Vec<(OrderId, HookStage)>,
    policies: [Policy; 2],
    grouped: bool,
    out: Outbox,
    requests: Vec<Request>,
    /// Every input so far, and where the two parted at the last.
    pub(crate) told: Vec<String>,
    pub(crate) parted: Vec<String>,
}

pub(crate) fn fails(kind: u8) -> FailureKind {
    [
        FailureKind::ScriptFailed,
        FailureKind::Busy,
        FailureKind::Interrupted,
        FailureKind::Network,
        FailureKind::Denied,
        FailureKind::Busy,
    ][usize::from(kind) % 6]
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

impl Pair {
    pub(crate) fn new(knobs: &Knobs, mutation: Option<Mutation>) -> Self {
        let mut out = Outbox::new();
        // A packed deadline is never 0, so nothing is due at the founding itself.
        let fleet = Fleet::found(FleetId(1), "opinion", knobs.seed, founded(), &mut out);
        let mut pair = Self {
            fleet,
            model: Model::new(start(), mutation),
            now: start(),
            facts: vec![],
            last: vec![],
            orders: vec![],
            hooks: vec![],
            policies: [knobs.policy(), knobs.later_policy()],
            grouped: knobs.grouped(),
            out,
            requests: vec![],
            told: vec![],
            parted: vec![],
        };
        pair.store();
        pair.ask(
            Actor::new("root", ["owner"]),
            None,
            Command::AdoptPolicy { policy: Box::new(knobs.policy()) },
        );
        pair.see(Observation::Endpoints { endpoints: Cow::Owned(knobs.endpoints()) });
        pair.publish(knobs.patch);
        pair
    }

    /// Takes the facts out and gives back the effects.
    fn store(&mut self) -> (Vec<Recorded>, Vec<Effect>) {
        let facts = self.out.facts().to_vec();
        self.last.clone_from(&facts);
        let Some(last) = facts.last() else { return (facts, vec![]) };
        let done = Persisted { fleet: FleetId(1), through: last.seq, head: Digest([0; 32]) };
        let effects: Vec<Effect> = self.out.release(done).collect();
        self.facts.extend_from_slice(&facts);
        for effect in &effects {
            if let Effect::RunHook(run) = effect {
                self.hooks.retain(|known| *known != (run.order, run.stage));
                self.hooks.push((run.order, run.stage));
            }
            if let Effect::Submit(order) = effect {
                let id = Order::id(order);
                self.orders.retain(|known| *known != id);
                self.orders.push(id);
            }
        }
        (facts, effects)
    }

    pub(crate) fn see(&mut self, seen: Observation<'_>) {
        if !self.parted.is_empty() {
            return;
        }
        self.told.push(format!("{} {seen:?}", self.now));
        let promised = self.fleet.next_deadline();
        self.fleet.observe(self.now, seen.clone(), &mut self.out);
        let (facts, effects) = self.store();
        let choices = Choices::read(&facts, promised, founded());
        let came = Came::of(&effects, None);
        self.parted = compare(&mut self.model, &self.fleet, &came, (self.now, Input::See(&seen), &choices));
    }

    pub(crate) fn ask(&mut self, by: Actor, expect: Option<Revision>, ask: Command) {
        let id = RequestId::from(format!("q{}", self.requests.len()));
        let request = Request { id, by, expect, ask };
        self.requests.push(request.clone());
        self.request(&request);
    }

    fn request(&mut self, request: &Request) {
        if !self.parted.is_empty() {
            return;
        }
        let asks = match &request.ask {
            Command::AdoptPolicy { policy } => format!("adopts the policy `{}`", policy.name),
            ask => format!("{ask:?}"),
        };
        self.told.push(format!("{} {}: {asks}", self.now, request.by));
        let promised = self.fleet.next_deadline();
        let answer = self.fleet.command(self.now, request.clone(), &mut self.out);
        let (facts, effects) = self.store();
        let choices = Choices::read(&facts, promised, founded());
        let came = Came::of(&effects, Some(&answer));
        self.parted = compare(&mut self.model, &self.fleet, &came, (self.now, Input::Ask(request), &choices));
    }

    pub(crate) fn publish(&mut self, which: u8) {
        let update = some_patch(which);
        let id = update.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(update) });
        let Some(candidate) = self.fleet.candidate_of(&id) else { return };
        let needs = self.fleet.endpoints().map(|e| need(e.ix(), 0)).collect();
        self.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        self.see(Observation::Identified);
    }

    /// Lets time go by as a host does that keeps its promises.
    pub(crate) fn pass(&mut self, secs: u32) {
        let until = self.now.plus_secs(secs.into());
        let mut looks = 0;
        while let Some(at) = self.fleet.next_deadline().filter(|at| *at <= until && self.parted.is_empty()) {
            self.now = self.now.max(at);
            self.see(Observation::Time);
            looks += 1;
            if looks > 300 {
                self.parted.push(format!("time stands still at {at}"));
            }
        }
        self.now = until;
        self.see(Observation::Time);
    }

    fn order(&self, n: u8) -> Option<OrderId> {
        // The latest orders are the likely ones to be heard of.
        let len = self.orders.len();
        (len > 0).then(|| self.orders[len - 1 - usize::from(n) % len.min(9)])
    }

    fn endpoint(&self, n: u8) -> EndpointIx {
        EndpointIx(u32::from(n) % (self.fleet.endpoints().count() as u32 + 1))
    }

    fn candidate(&self, n: u8) -> CandidateId {
        CandidateId(u32::from(n) % self.fleet.candidates().count().max(1) as u32)
    }

    fn rollout(&self, n: u8) -> RolloutId {
        RolloutId(u32::from(n) % self.fleet.rollouts().count().max(1) as u32)
    }

    pub(crate) fn report(&mut self, order: OrderId, kind: ReportKind<'static>) {
        self.see(Observation::Reported(Report { order, kind }));
    }

    /// An endpoint is read: 0 absent, 1 unreadable, 2 and 3 the old version, 4 broken, 5 well, 6 waits for a reboot,
    /// 7 sick.
    pub(crate) fn inspect(&mut self, order: OrderId, shows: u8) {
        let Some(rollout) = self.fleet.rollout(order.rollout) else { return };
        let Some(candidate) = self.fleet.candidate(rollout.candidate()) else { return };
        let target = candidate.identified().patch().target.version.clone();
        let version = |version: String, intact| Level::Version { version: version.into(), intact };
        let level = match shows {
            0 => Level::Absent,
            1 => Level::Unreadable { detail: "no route".into() },
            2 | 3 => version("1.0".into(), true),
            4 => version(target, false),
            _ => version(target, true),
        };
        let health = if shows == 7 { Health::Failed { detail: "sick".into() } } else { Health::Passed };
        let reboot_required = shows == 6;
        self.see(Observation::Inspected(Inspection { order, level, reboot_required, health }));
    }

    pub(crate) fn hook_ends(&mut self, order: OrderId, stage: HookStage, failed: bool) {
        let failure = failed.then(|| Failure::new(FailureKind::Other, "it broke"));
        self.see(Observation::HookDone { order, stage, failure });
    }

    pub(crate) fn answer(&mut self, order: OrderId, answer: u8) {
        let answer = match answer {
            0 => QueryAnswer::NeverSeen,
            1 => QueryAnswer::Queued,
            2 => QueryAnswer::Running,
            3 => QueryAnswer::Done,
            n => QueryAnswer::Failed(Failure::new(fails(n), "it broke")),
        };
        self.see(Observation::Answered { order, answer });
    }

    pub(crate) fn recall(&mut self, order: OrderId, answer: u8) {
        let answer = match answer {
            0 => RecallAnswer::Recalled,
            1 => RecallAnswer::AlreadyStarted,
            _ => RecallAnswer::Unknown,
        };
        self.see(Observation::RecallAnswered { order, answer });
    }

    pub(crate) fn happen(&mut self, what: &Happens) {
        match *what {
            Happens::Passes(secs) => self.pass(secs),
            Happens::Sleeps(secs) => {
                self.now = self.now.plus_secs(secs.into());
                self.see(Observation::Time);
            }
            Happens::StepsBack(secs) => {
                let real = self.now;
                self.now = Timestamp::from_secs(real.as_secs() - i64::from(secs));
                self.see(Observation::Time);
                self.now = real;
            }
            Happens::GoesWell(o) => {
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
            Happens::Answers(o, answer) => {
                let Some(order) = self.order(o) else { return };
                self.answer(order, answer);
            }
            Happens::Recalls(o, answer) => {
                let Some(order) = self.order(o) else { return };
                self.recall(order, answer);
            }
            Happens::HookEnds(n, failed) => {
                let len = self.hooks.len();
                let Some((order, stage)) =
                    (len > 0).then(|| self.hooks[len - 1 - usize::from(n) % len.min(5)])
                else {
                    return;
                };
                self.hook_ends(order, stage, failed);
            }
            Happens::HooksEnd => {
                for (order, stage) in std::mem::take(&mut self.hooks) {
                    self.hook_ends(order, stage, false);
                }
            }
            Happens::Revises(r, a, b) => {
                let rollout = self.rollout(r);
                let place =
                    |n: u8| Placement { endpoint: format!("e{}", n % 16 % 9).into(), ring: n / 16 % 3 };
                let place = if a % 3 == 0 { vec![] } else { vec![place(a), place(b)] };
                let revision = PlanRevision { adopt_policy: a % 3 != 1, place };
                let reason = "because".into();
                self.ask(actor(0), None, Command::Revise { rollout, revision, reason });
            }
            Happens::SkipsRing(r, ring) => {
                let (rollout, reason) = (self.rollout(r), "because".into());
                self.ask(actor(0), None, Command::SkipRing { rollout, ring, reason });
            }
            Happens::AdoptsPolicy(later) => {
                let policy = Box::new(self.policies[usize::from(later)].clone());
                self.ask(actor(0), None, Command::AdoptPolicy { policy });
            }
            Happens::Inspects(o, shows) => {
                let Some(order) = self.order(o) else { return };
                self.inspect(order, shows);
            }
            Happens::Needs(e, how) => {
                let (endpoint, candidate) = (self.endpoint(e), self.candidate(e / 8));
                let needs = Cow::Owned(vec![need(endpoint, how)]);
                self.see(Observation::Needs { candidate, needs });
                if how % 2 == 1 {
                    self.see(Observation::Identified);
                }
            }
            Happens::Moves(e, production) => {
                let endpoints = vec![seen(u32::from(e) % 12, production, self.grouped)];
                self.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
            }
            Happens::Goes(e) => {
                let endpoint = self.endpoint(e);
                self.see(Observation::EndpointGone { endpoint });
            }
            Happens::Publishes(which) => self.publish(which),
            Happens::VendorPulls(which) => {
                let patch = some_patch(which).id;
                self.see(Observation::Withdrawn { patch, reason: "it breaks".into() });
            }
            Happens::Approves(c, by, approve) => {
                let ask = self.fleet.ask(self.candidate(c)).map_or(AskId(u32::from(c)), |ask| ask.id);
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
                let at = usize::from(n) % self.requests.len();
                let mut again = self.requests[at].clone();
                if n % 3 == 0 {
                    again.by = actor(n);
                }
                self.request(&again);
            }
            Happens::Asks(command, a, b) => self.asks(command, a, b),
        }
    }

    fn asks(&mut self, command: u8, a: u8, b: u8) {
        let (candidate, rollout) = (self.candidate(a), self.rollout(a));
        let Some(endpoint) = self.fleet.endpoint_id(self.endpoint(b)).cloned() else { return };
        let reason = String::from(if b == 255 { " " } else { "because" });
        let ask = match command {
            0 => Command::WaiveTrial { candidate, until: self.now.plus_secs(u64::from(b) * 100), reason },
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
                Command::Start { draft: RolloutDraft { select, ..RolloutDraft::of(candidate) } }
            }
            9 => Command::Pause { rollout },
            10 | 11 => Command::Resume { rollout },
            12 => Command::Halt { rollout, reason },
            13 | 14 => Command::LiftHalt { rollout, reason },
            15 => Command::Promote { rollout, reason },
            16 => Command::Retry { rollout, endpoint },
            17 => Command::Remove { rollout, endpoint },
            18 => Command::ClearHold { candidate, endpoint },
            _ => Command::Cancel { rollout, reason },
        };
        self.ask(actor(b), None, ask);
    }

    /// How every member of every rollout stands.
    pub(crate) fn stand(&self) -> String {
        let line = |rollout: &Rollout| {
            let members =
                rollout.members().iter().map(|member| (member.endpoint(), member.ring(), member.phase()));
            let rings = rollout.rings().iter().map(|ring| ring.state()).collect::<Vec<_>>();
            format!("{} {:?} {rings:?} {:?}", rollout.id(), rollout.state(), members.collect::<Vec<_>>())
        };
        self.fleet.rollouts().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The whole story, for a person who has to decide which side is right.
    pub(crate) fn difference(&self) -> String {
        let facts: Vec<String> = self.last.iter().map(|recorded| format!("{:?}", recorded.fact)).collect();
        let [told, facts, parted] = [&self.told, &facts, &self.parted].map(|lines| lines.join("\n  "));
        format!("  {told}\nthe engine says at the last:\n  {facts}\nand they part:\n  {parted}\n")
    }
}

/// How an endpoint stands: 0 needs it, 1 needs it without a way back, 2 has it, 3 has nothing to do with it.
fn need(endpoint: EndpointIx, how: u8) -> NeedSeen {
    let standing = match how {
        0 | 1 => Standing::Needs,
        2 => Standing::Has,
        _ => Standing::NotApplicable,
    };
    let path = if how == 1 { RollbackPath::None } else { RollbackPath::Reinstall };
    NeedSeen { endpoint, standing, present: Some(Arc::from("1.0")), path, path_valid_until: None }
}
