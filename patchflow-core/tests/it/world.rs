//! A small world around a real fleet: scripted endpoints, a clock of its own, every fact kept.

use patchflow_core::catalog::Patch;
use patchflow_core::digest::Digest;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{
    Command, Effect, EndpointSeen, Fleet, HookRun, HookStage, NeedSeen, Observation, Outbox, Outcome,
    Persisted, Recorded, Request, Standing,
};
use patchflow_core::gate::Limits;
use patchflow_core::ids::{
    Actor, CandidateId, EndpointId, EndpointIx, FleetId, OrderId, RequestId, RolloutId,
};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Approval, Policy, RingPolicy, StartMode, WaiverByName};
use patchflow_core::rollout::{
    Failure, Health, Inspection, Level, Order, Phase, QueryAnswer, RecallAnswer, Report, ReportKind,
    RevertTo, StageOrder, StageOutcome,
};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an endpoint does with an install order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    /// Acknowledges, installs after so many seconds, is healthy.
    Installs(u64),
    /// Fails with this kind, at every attempt.
    Fails(FailureKind),
    /// Fails for the first so many attempts.
    FailsFirst(u8, FailureKind),
    /// Reports success and changes nothing.
    Lies,
    /// Installs, and its probe fails afterwards.
    Sickens,
    /// Acknowledges and is never heard of again.
    GoesSilent,
    /// Is not there at all.
    Offline,
    /// Installs, and cannot be read afterwards.
    Unreadable,
    /// Installs, and waits for a reboot.
    WantsReboot,
}

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) out: Outbox,
    pub(crate) now: Timestamp,
    pub(crate) journal: Vec<Recorded>,
    pub(crate) orders: Vec<Order>,
    pub(crate) notices: Vec<String>,
    pub(crate) hooks: Vec<String>,
    /// When the content of which endpoint was asked to be staged, and whose was thrown away.
    pub(crate) stages: Vec<(Timestamp, String)>,
    pub(crate) unstages: Vec<String>,
    /// When who was asked to wake, and for which opening.
    pub(crate) woken: Vec<(Timestamp, Timestamp, String)>,
    pub(crate) script: BTreeMap<String, Does>,
    pub(crate) levels: BTreeMap<String, String>,
    pub(crate) sick: BTreeSet<String>,
    /// How many more rollbacks a crash cuts off on an endpoint.
    pub(crate) cut_off: BTreeMap<String, u32>,
    /// Answers of endpoints to queries, by order.
    pub(crate) done: BTreeMap<OrderId, QueryAnswer<'static>>,
    /// Whether a reboot counts for the order before it only, and the next install wants one again.
    pub(crate) forgets_reboots: bool,
    /// What endpoints answer to a recall, other than by their script.
    pub(crate) recalls: BTreeMap<String, RecallAnswer>,
    /// Endpoints whose inventory cannot be read.
    pub(crate) unread: BTreeSet<String>,
    /// Endpoints that were to be read, each time counted.
    pub(crate) scans: usize,
    /// When how many of them were asked for at once.
    pub(crate) scanned: Vec<(Timestamp, usize)>,
    queue: BTreeMap<(Timestamp, u64), Observation<'static>>,
    next: u64,
    requests: u64,
}

pub(crate) fn start() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// The standard policy with short times, rings 5/25/50/100, started when approved.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::standard("test");
    let gate = Limits { bake_secs_min: 600, hold_secs_max: 3600, ..Limits::default() };
    policy.rings.iter_mut().for_each(|ring| ring.gate = gate.clone());
    policy.trial.gate = gate;
    policy.deploy.start = StartMode::WhenApproved;
    policy.deploy.acknowledge_within_secs = 1800;
    policy.deploy.report_within_secs = 1200;
    policy
}

/// The same with everybody in one ring, at any time, approved by a rule at once.
pub(crate) fn one_ring() -> Policy {
    let mut policy = policy();
    let gate = policy.rings[0].gate.clone();
    policy.rings = vec![RingPolicy { gate, ..RingPolicy::percent("all", 100) }];
    policy.single_ring = Some(WaiverByName { by: "ada".into(), reason: "a test".into() });
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy
}

impl World {
    /// A fleet of production and non-production endpoints under a policy.
    pub(crate) fn new(production: u32, non_production: u32, policy: Policy) -> Self {
        let mut out = Outbox::new();
        let fleet = Fleet::found(FleetId(1), "acme", 7, start(), &mut out);
        let mut world = Self {
            fleet,
            out,
            now: start(),
            journal: Vec::new(),
            orders: Vec::new(),
            notices: Vec::new(),
            hooks: Vec::new(),
            stages: Vec::new(),
            unstages: Vec::new(),
            woken: Vec::new(),
            script: BTreeMap::new(),
            levels: BTreeMap::new(),
            sick: BTreeSet::new(),
            cut_off: BTreeMap::new(),
            done: BTreeMap::new(),
            forgets_reboots: false,
            recalls: BTreeMap::new(),
            unread: BTreeSet::new(),
            scans: 0,
            scanned: Vec::new(),
            queue: BTreeMap::new(),
            next: 0,
            requests: 0,
        };
        world.ask("root", &["owner"], Command::AdoptPolicy { policy: Box::new(policy) }).unwrap();
        let seen = |name: String, environment| EndpointSeen {
            scope: ScopePath("acme".into()),
            ..EndpointSeen::new(name, environment)
        };
        let endpoints = (0..production)
            .map(|i| seen(format!("prod-{i}"), Environment::Production))
            .chain((0..non_production).map(|i| seen(format!("test-{i}"), Environment::NonProduction)))
            .collect();
        world.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
        world
    }

    /// Publishes a patch that every endpoint needs, and lets the pipeline begin.
    pub(crate) fn publish(&mut self, patch: Patch) -> CandidateId {
        self.publish_with(patch, RollbackPath::Reinstall)
    }

    /// The same with another way back.
    pub(crate) fn publish_with(&mut self, patch: Patch, path: RollbackPath) -> CandidateId {
        let id = patch.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(patch) });
        let candidate = self.fleet.candidate_of(&id).unwrap();
        let needs = self
            .fleet
            .endpoints()
            .map(|endpoint| NeedSeen {
                endpoint: endpoint.ix(),
                standing: Standing::Needs,
                present: Some(Arc::from("1.0")),
                path,
                path_valid_until: None,
                why: None,
            })
            .collect();
        self.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        self.see(Observation::Identified);
        candidate
    }

    pub(crate) fn see(&mut self, seen: Observation<'_>) {
        self.fleet.observe(self.now, seen, &mut self.out);
        self.act();
    }

    pub(crate) fn ask(&mut self, name: &str, roles: &[&str], ask: Command) -> Result<Outcome, Refusal> {
        self.requests += 1;
        let id = RequestId::from(format!("q{}", self.requests));
        let by = Actor::new(name, roles.iter().copied());
        let outcome = self.fleet.command(self.now, Request { id, by, expect: None, ask }, &mut self.out);
        self.act();
        outcome
    }

    /// Stores the facts, then carries the effects out.
    fn act(&mut self) {
        let Some(last) = self.out.facts().last() else { return };
        let done = Persisted { fleet: FleetId(1), through: last.seq, head: Digest([0; 32]) };
        self.journal.extend_from_slice(self.out.facts());
        let effects: Vec<_> = self.out.release(done).collect();
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn later(&mut self, secs: u64, seen: Observation<'static>) {
        self.next += 1;
        self.queue.insert((self.now.plus_secs(secs), self.next), seen);
    }

    fn report(&mut self, secs: u64, order: OrderId, kind: ReportKind<'static>) {
        let answer = match &kind {
            ReportKind::Acknowledged | ReportKind::PutOff { .. } => QueryAnswer::Running,
            ReportKind::Done => QueryAnswer::Done,
            ReportKind::Failed(failure) => QueryAnswer::Failed(failure.clone()),
        };
        self.done.insert(order, answer);
        self.later(secs, Observation::Reported(Report { order, kind }));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Submit(order) => {
                self.submit(&order);
                self.orders.push(order);
            }
            Effect::Recall { order, endpoint } => {
                let answer = match (self.recalls.get(endpoint.as_str()), self.script.get(endpoint.as_str())) {
                    (Some(answer), _) => *answer,
                    (None, Some(Does::Offline)) => RecallAnswer::Recalled,
                    (None, _) => RecallAnswer::AlreadyStarted,
                };
                self.later(1, Observation::RecallAnswered { order, answer });
            }
            Effect::Query { order, endpoint } => {
                if !matches!(self.script.get(endpoint.as_str()), Some(Does::GoesSilent)) {
                    let answer = self.done.get(&order).cloned().unwrap_or(QueryAnswer::NeverSeen);
                    self.later(1, Observation::Answered { order, answer });
                }
            }
            Effect::Inspect(look) => {
                let name = look.endpoint.as_str().to_owned();
                let version = self.levels.get(&name).cloned().unwrap_or_else(|| "1.0".into());
                let health = if self.sick.contains(&name) {
                    Health::Failed { detail: "HTTP 500 from /health".into() }
                } else {
                    Health::Passed
                };
                let level = match self.script.get(&name) {
                    Some(Does::Unreadable) => Level::Unreadable { detail: "no route".into() },
                    _ => Level::Version { version: version.into(), intact: true },
                };
                let forgets = self.forgets_reboots;
                let rebooted = self.orders.iter().any(|o| {
                    let is_of_now = !forgets || o.id().rollout == look.order.rollout;
                    matches!(o, Order::Reboot(_)) && o.endpoint().as_str() == name && is_of_now
                });
                let pending = self.script.contains_key(&format!("reboot:{name}"));
                let wants = pending || matches!(self.script.get(&name), Some(Does::WantsReboot));
                let reboot_required = wants && !rebooted;
                let seen = Inspection { order: look.order, level, reboot_required, health };
                self.later(1, Observation::Inspected(seen));
            }
            Effect::RunHook(run) => self.run_hook(run),
            Effect::Scan { endpoints } => self.scan(&endpoints),
            Effect::Stage(order) => self.stage(&order),
            Effect::Unstage { endpoint, .. } => self.unstages.push(endpoint.as_str().to_owned()),
            Effect::AskApproval { .. } => {}
            Effect::Wake(order) => {
                let names: Vec<_> = order.endpoints.iter().map(ToString::to_string).collect();
                self.woken.push((self.now, order.opens, names.join(" ")));
            }
            Effect::Notify(notice) => self.notices.push(notice.text),
        }
    }

    /// Hooks take ten seconds, unless the script has something else under `pre:NAME` or `post:NAME`.
    fn run_hook(&mut self, run: HookRun) {
        let stage = if run.stage == HookStage::Pre { "pre" } else { "post" };
        let (order, stage_name) = (run.order, format!("{stage}:{}", run.endpoint.as_str()));
        self.hooks.push(stage_name.clone());
        let failure = match self.script.get(&stage_name) {
            Some(Does::GoesSilent) => return,
            Some(Does::Fails(kind)) => Some(Failure::new(*kind, "would not drain")),
            _ => None,
        };
        self.later(10, Observation::HookDone { order, stage: run.stage, failure });
    }

    /// Content comes within a minute and is what was approved, unless the script has something else under `stage:NAME`
    /// or under `stage`: other content is a lie.
    fn stage(&mut self, order: &StageOrder) {
        let name = order.endpoint().as_str().to_owned();
        self.stages.push((self.now, name.clone()));
        let does = self.script.get(&format!("stage:{name}")).or_else(|| self.script.get("stage")).cloned();
        let attempt = order.id().attempt;
        let failed = |kind| StageOutcome::Failed(Failure::new(kind, "the line is down"));
        let (secs, outcome) = match does.unwrap_or(Does::Installs(60)) {
            Does::Installs(secs) => (secs, StageOutcome::There { content: order.content() }),
            Does::FailsFirst(n, _) if attempt > n => (60, StageOutcome::There { content: order.content() }),
            Does::Fails(kind) | Does::FailsFirst(_, kind) => (60, failed(kind)),
            Does::Lies => (60, StageOutcome::There { content: Digest::of(b"something else") }),
            _ => return,
        };
        self.later(secs, Observation::Staged { stage: order.id(), outcome });
    }

    /// Reads endpoints a minute later, unless one is not to be read.
    fn scan(&mut self, endpoints: &[EndpointId]) {
        self.scans += endpoints.len();
        self.scanned.push((self.now, endpoints.len()));
        let here = |id: &&EndpointId| !self.unread.contains(id.as_str());
        let read: Vec<_> =
            endpoints.iter().filter(here).filter_map(|id| self.fleet.endpoint_ix(id.as_str())).collect();
        if !read.is_empty() {
            self.later(60, Observation::Read { endpoints: Cow::Owned(read) });
        }
    }

    fn submit(&mut self, order: &Order) {
        let id = order.id();
        let name = order.endpoint().as_str().to_owned();
        let install = match order {
            Order::Install(install) => install,
            Order::Revert(revert) => {
                if let Some(left) = self.cut_off.get_mut(&name).filter(|left| **left > 0) {
                    *left -= 1;
                    let failure = Failure::new(FailureKind::Interrupted, "cut off by a restart of the host");
                    return self.report(30, id, ReportKind::Failed(failure));
                }
                if let RevertTo::Version { version } = revert.to() {
                    self.levels.insert(name.clone(), version.to_string());
                }
                self.sick.remove(&name);
                self.report(0, id, ReportKind::Acknowledged);
                return self.report(30, id, ReportKind::Done);
            }
            Order::Reboot(_) => return self.report(30, id, ReportKind::Done),
        };
        let fails = |kind| ReportKind::Failed(Failure::new(kind, "scripted"));
        let does = self.script.get(&name).cloned().unwrap_or(Does::Installs(60));
        if does == Does::Offline {
            return;
        }
        self.report(0, id, ReportKind::Acknowledged);
        let version = install.target().version.clone();
        match does {
            Does::Installs(secs) => {
                self.levels.insert(name, version);
                self.report(secs, id, ReportKind::Done);
            }
            Does::Sickens => {
                self.levels.insert(name.clone(), version);
                self.sick.insert(name);
                self.report(60, id, ReportKind::Done);
            }
            Does::Lies => self.report(60, id, ReportKind::Done),
            Does::Fails(kind) => self.report(60, id, fails(kind)),
            Does::FailsFirst(n, kind) if install.attempt() <= n => self.report(60, id, fails(kind)),
            Does::FailsFirst(..) => {
                self.levels.insert(name, version);
                self.report(60, id, ReportKind::Done);
            }
            Does::GoesSilent | Does::Offline => {}
            Does::Unreadable | Does::WantsReboot => {
                self.levels.insert(name, version);
                self.report(60, id, ReportKind::Done);
            }
        }
    }

    /// Lets so much time go by, event after event.
    pub(crate) fn pass(&mut self, secs: u64) {
        let until = self.now.plus_secs(secs);
        loop {
            let event = self.queue.keys().next().map(|(at, _)| *at);
            let next = event.into_iter().chain(self.fleet.next_deadline()).min().filter(|at| *at <= until);
            let Some(at) = next else { break };
            self.now = self.now.max(at);
            match event.filter(|event| *event <= at) {
                Some(_) => {
                    let (_, seen) = self.queue.pop_first().unwrap();
                    self.see(seen);
                }
                None => self.see(Observation::Time),
            }
        }
        self.now = until;
        self.see(Observation::Time);
    }

    /// Carries out what a recovered fleet says is outstanding: questions and looks only.
    pub(crate) fn carry_out_again(&mut self, effect: Effect) {
        assert!(!matches!(effect, Effect::Submit(_)), "an order is never sent again blindly");
        self.carry_out(effect);
    }

    /// Nothing that was on its way arrives any more.
    pub(crate) fn lose_everything_on_its_way(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn rollouts_of(&self, candidate: CandidateId) -> Vec<RolloutId> {
        self.fleet
            .rollouts()
            .filter(|rollout| rollout.candidate() == candidate)
            .map(|rollout| rollout.id())
            .collect()
    }

    pub(crate) fn deployment_of(&self, candidate: CandidateId) -> RolloutId {
        self.fleet
            .rollouts()
            .filter(|r| {
                r.candidate() == candidate && r.kind() == patchflow_core::rollout::RolloutKind::Deployment
            })
            .last()
            .unwrap()
            .id()
    }

    pub(crate) fn phase(&self, rollout: RolloutId, endpoint: &str) -> Phase {
        let ix = self.fleet.endpoint_ix(endpoint).unwrap();
        let rollout = self.fleet.rollout(rollout).unwrap();
        rollout.members()[rollout.member_of(ix).unwrap().index()].phase()
    }

    /// The endpoints of one ring, by name, in plan order.
    pub(crate) fn ring(&self, rollout: RolloutId, ring: usize) -> Vec<String> {
        let rollout = self.fleet.rollout(rollout).unwrap();
        let name = |ix: EndpointIx| self.fleet.endpoint_id(ix).unwrap().as_str().to_owned();
        rollout.members()[rollout.rings()[ring].range()]
            .iter()
            .map(|member| name(member.endpoint()))
            .collect()
    }

    pub(crate) fn installs_of(&self, endpoint: &str) -> usize {
        let installs =
            |order: &&Order| matches!(order, Order::Install(_)) && order.endpoint().as_str() == endpoint;
        self.orders.iter().filter(installs).count()
    }
}
