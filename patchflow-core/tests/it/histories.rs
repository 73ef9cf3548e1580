//! Random histories: whatever the world does and people ask, the engine keeps its promises.

use crate::world::{policy, start};
use patchflow_core::catalog::{Advisory, Epss, Severity, Weakness};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, ContentView, Effect, EndpointSeen, Fleet, HookRun, NeedSeen, Observation, Outbox, Persisted,
    Recorded, Request, Standing,
};
use patchflow_core::gate::Counts;
use patchflow_core::ids::{
    Actor, AskId, CandidateId, EndpointIx, FleetId, OrderId, PatchId, RequestId, RolloutId,
};
use patchflow_core::inventory::{Criticality, EndOfLife, Environment, Exposure, ScopePath};
use patchflow_core::package::Platform;
use patchflow_core::plan::{Placement, PlanRevision, RollbackPath, RolloutDraft};
use patchflow_core::policy::{
    Amount, OnFailure, OnHalt, OnRevoke, OnSuperseded, ScopeBudget, Selector, SnapshotRule, StagingPolicy,
    StartsMax,
};
use patchflow_core::risk::Priority;
use patchflow_core::rollout::{
    Failure, Health, Inspection, Level, Order, QueryAnswer, RecallAnswer, Report, ReportKind, StageOrder,
    StageOutcome,
};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that happens. Numbers are taken modulo what there is, so that most of them hit.
#[derive(Clone, Debug)]
enum Happens {
    Passes(u32),
    Jumps(i32),
    Acknowledges(u8),
    Done(u8),
    Fails(u8, FailureKind),
    Answers(u8, u8),
    Recalls(u8, u8),
    Inspects(u8, u8),
    Needs(u8, bool),
    Moves(u8, bool),
    Goes(u8),
    Publishes(u8),
    Approves(u8, bool),
    Asks(u8, u8, u8),
    Alerts(u8),
    /// Out of contact, back, stale, read, a reboot pending or not: one endpoint and its neighbour.
    Turns(u8, u8),
    /// Another machine tells itself under a name, or another manager is there.
    Replaces(u8, u8),
    /// A hook comes to its end, or fails.
    Hooks(u8, bool),
    /// The people at an endpoint put an operation off.
    PutsOff(u8, u32),
    /// An attempt to stage comes to its end, or content is carried there.
    Stages(u8, u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    let kinds = prop::sample::select(vec![
        FailureKind::Busy,
        FailureKind::Network,
        FailureKind::ScriptFailed,
        FailureKind::Dependency,
    ]);
    prop_oneof![
        6 => (1u32..4000).prop_map(Passes),
        1 => (-5000i32..400_000).prop_map(Jumps),
        5 => any::<u8>().prop_map(Acknowledges),
        6 => any::<u8>().prop_map(Done),
        3 => (any::<u8>(), kinds).prop_map(|(o, k)| Fails(o, k)),
        2 => (any::<u8>(), 0u8..5).prop_map(|(o, a)| Answers(o, a)),
        1 => (any::<u8>(), 0u8..3).prop_map(|(o, a)| Recalls(o, a)),
        7 => (any::<u8>(), 0u8..8).prop_map(|(o, l)| Inspects(o, l)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, n)| Needs(e, n)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(e, p)| Moves(e, p)),
        1 => any::<u8>().prop_map(Goes),
        1 => (0u8..8).prop_map(Publishes),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(c, y)| Approves(c, y)),
        6 => (0u8..31, any::<u8>(), any::<u8>()).prop_map(|(c, a, b)| Asks(c, a, b)),
        1 => any::<u8>().prop_map(Alerts),
        3 => (any::<u8>(), 0u8..9).prop_map(|(e, c)| Turns(e, c)),
        5 => (any::<u8>(), any::<bool>()).prop_map(|(h, f)| Hooks(h, f)),
        1 => (any::<u8>(), 0u8..6).prop_map(|(e, f)| Replaces(e, f)),
        2 => (any::<u8>(), 0u32..90_000).prop_map(|(o, s)| PutsOff(o, s)),
        6 => (any::<u8>(), 0u8..12).prop_map(|(s, o)| Stages(s, o)),
    ]
}

struct Story {
    fleet: Fleet,
    out: Outbox,
    now: Timestamp,
    journal: Vec<Recorded>,
    orders: Vec<Order>,
    effects: Vec<Effect>,
    hooks: Vec<HookRun>,
    stages: Vec<StageOrder>,
    asked: u64,
}

impl Story {
    fn new(seed: u64, goes_long: bool) -> Self {
        let mut out = Outbox::new();
        let mut fleet = Fleet::found(FleetId(1), "random", seed, start(), &mut out);
        if goes_long {
            fleet.take_long_road();
        }
        let (journal, orders, effects, hooks, stages) = (vec![], vec![], vec![], vec![], vec![]);
        let mut story = Self { fleet, out, now: start(), journal, orders, effects, hooks, stages, asked: 0 };
        let mut policy = policy();
        policy.retry.on.push(FailureKind::ScriptFailed);
        policy.rollback.on_failure =
            if seed.is_multiple_of(2) { OnFailure::RollBack } else { OnFailure::Leave };
        policy.rollback.on_halt =
            [OnHalt::Nobody, OnHalt::Failed, OnHalt::Ring, OnHalt::Rollout][seed as usize % 4];
        policy.rollback.on_revoke = if seed.is_multiple_of(3) { OnRevoke::List } else { OnRevoke::RollBack };
        // Few have a snapshot where one is required; who is told anew may get one.
        if seed % 11 == 4 {
            policy.rollback.snapshot = SnapshotRule::Required;
        }
        if seed % 13 == 7 {
            policy.rollback.stateful = Some(Selector::Scope { within: ScopePath("acme".into()) });
        }
        policy.endpoints.scan_before_order = seed.is_multiple_of(5);
        policy.endpoints.scan_on_candidate = seed.is_multiple_of(2);
        policy.endpoints.scan_every_secs = (seed % 4 > 1).then_some(40_000);
        policy.reboot.preflight = seed.is_multiple_of(3);
        policy.reboot.max_reboots = 1 + (seed % 2) as u8;
        if seed % 4 == 2 {
            policy.deploy.hooks.pre = Some("drain".into());
            policy.deploy.hooks.post = (seed % 8 == 2).then(|| "resume".into());
        }
        // A third of the stories wants content there before, a few at a time, and good for half a day.
        if seed % 6 < 2 {
            policy.staging = StagingPolicy {
                required: true,
                lead_secs: 7200,
                next_ring: seed % 5 < 2,
                in_flight_max: (seed % 7 < 4).then(|| Amount::Count { n: 1 + (seed % 3) as u32 }),
                scopes: (seed % 9 < 3).then(|| scope_budget("acme/west", 1)).into_iter().collect(),
                starts_max: (seed % 10 < 2).then_some(StartsMax { n: 2, per_secs: 600 }),
                within_secs: 1800,
                attempts_max: 1 + (seed % 3) as u8,
                keep_secs: 40_000,
            };
        }
        policy.relations.superseded =
            [OnSuperseded::Stop, OnSuperseded::Finish, OnSuperseded::Move][seed as usize % 3];
        policy.catch_up.newcomers = !seed.is_multiple_of(3);
        policy.catch_up.deferred = !seed.is_multiple_of(7);
        policy.catch_up.max_failures = (seed % 4) as u32;
        policy.deploy.in_flight_max = 1 + (seed % 5) as u32;
        // Half the stories have windows of half an hour every six hours, spread, and a calendar that is always open.
        if seed % 8 >= 4 {
            let six_hourly =
                |day| (0..4).map(move |i| WeeklyWindow { day, opens_minute: 60 + i * 360, open_minutes: 60 });
            let days =
                [Weekday::Saturday, Weekday::Sunday, Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday];
            policy.schedule = Schedule::Weekly {
                windows: days.into_iter().flat_map(six_hourly).collect(),
                freezes: vec![],
            };
            policy.calendars.named = [("always".into(), Schedule::anytime())].into();
            policy.calendars.spread_secs = 600;
            policy.calendars.wake_lead_secs = [0, 3600, 30_000][seed as usize % 5 % 3];
            // Whoever missed one catches up between them, or whenever it checks in.
            if seed % 16 >= 8 {
                let between = |day| {
                    (0..4).map(move |i| WeeklyWindow { day, opens_minute: 180 + i * 360, open_minutes: 90 })
                };
                let office = days.into_iter().flat_map(between).collect();
                let office = Schedule::Weekly { windows: office, freezes: vec![] };
                policy.calendars.named.insert("office".into(), office);
                policy.calendars.active_hours = Some(if seed % 3 < 2 { "office" } else { "always" }.into());
                policy.calendars.grace_secs = [0, 1800, 30_000][seed as usize % 7 % 3];
            }
        }
        let some =
            |n: u64| (seed / n).is_multiple_of(3).then_some(Amount::Count { n: 1 + (seed / n % 4) as u32 });
        policy.budgets.in_flight_max = some(5);
        policy.budgets.starts_max = some(7).map(|_| StartsMax { n: 3, per_secs: 900 });
        policy.rings[1].in_flight_max = some(11);
        policy.rings[0].probe_first = (seed / 13 % 3) as u32;
        story.ask(Command::AdoptPolicy { policy: Box::new(policy) });
        let endpoints = (0..14).map(|i| seen(i, i < 11)).collect();
        story.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
        story.publish(0);
        story
    }

    fn publish(&mut self, which: u8) {
        let mut update =
            patch(if which.is_multiple_of(2) { "lib" } else { "tool" }, &format!("2.{}", which / 2));
        // Replaces, needs, or cannot be beside the one before; the last closes a circle.
        let before = PatchId::from(format!("lib=2.{}", (which / 2).wrapping_sub(1)));
        match which {
            2 | 4 => update.relations.supersedes = vec![before],
            3 => update.relations.requires = vec!["lib=2.1".into()],
            5 => update.relations.conflicts = vec!["lib=2.0".into()],
            6 => {
                (update.relations.supersedes, update.relations.requires) =
                    (vec!["lib=2.2".into()], vec![before])
            }
            7 => update.relations.requires = vec!["tool=2.3".into()],
            _ => {}
        }
        if self.asked % 3 == 1 {
            // The same content under other words.
            update.released = Some(start());
        }
        if self.asked % 4 == 2 {
            // An advisory speaks of it: more urgent where much depends on an exposed endpoint.
            let cvss = vec!["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".into()];
            let epss =
                Some(Epss { score: f64::from((self.asked % 8) as u8) / 100.0, percentile: 0.5, on: None });
            let advisory = Advisory { cvss, epss, ..Advisory::new("CVE-2026-1") };
            update.severity = Severity::Unknown;
            update = update.closing(vec![Weakness::of(&advisory, true)]);
        }
        if which % 3 == 2 {
            update.category = patchflow_core::catalog::Category::Feature;
        }
        let id = update.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(update) });
        let Some(candidate) = self.fleet.candidate_of(&id) else { return };
        let needs = self
            .fleet
            .endpoints()
            .map(|e| NeedSeen {
                endpoint: e.ix(),
                standing: Standing::Needs,
                present: Some(Arc::from("1.0")),
                path: match e.ix().0 {
                    4 => RollbackPath::None,
                    1 | 5 => RollbackPath::Snapshot,
                    _ => RollbackPath::Reinstall,
                },
                path_valid_until: None,
                why: None,
            })
            .collect();
        self.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        self.see(Observation::Identified);
    }

    fn see(&mut self, seen: Observation<'_>) {
        self.fleet.observe(self.now, seen, &mut self.out);
        self.store();
    }

    fn ask(&mut self, ask: Command) {
        self.asked += 1;
        let id = RequestId::from(format!("q{}", self.asked));
        let before = self.fleet.baseline();
        let request = Request { id, by: Actor::new("ada", ["change-manager"]), expect: None, ask };
        if self.fleet.command(self.now, request, &mut self.out).is_err() {
            assert!(self.out.is_empty(), "a refusal leaves nothing behind");
            assert_eq!(self.fleet.baseline(), before, "a refusal changes nothing");
        }
        self.store();
    }

    fn store(&mut self) {
        let Some(last) = self.out.facts().last() else {
            assert_eq!(self.out.pending_effects(), 0, "no effect without a fact");
            return;
        };
        let done =
            Persisted { fleet: FleetId(1), through: last.seq, head: patchflow_core::digest::Digest([0; 32]) };
        self.journal.extend_from_slice(self.out.facts());
        let effects: Vec<_> = self.out.release(done).collect();
        for effect in effects {
            if let Effect::Submit(order) = &effect {
                self.check_order(order);
                self.orders.push(order.clone());
            }
            if let Effect::Stage(order) = &effect {
                assert!(self.now <= order.keep_until());
                self.stages.push(order.clone());
            }
            if let Effect::RunHook(run) = &effect {
                self.hooks.push(run.clone());
            }
            self.effects.push(effect);
        }
    }

    /// What must hold for each order at the moment it leaves.
    fn check_order(&self, order: &Order) {
        let ix = self.fleet.endpoint_ix(order.endpoint().as_str()).unwrap();
        let endpoint = self.fleet.endpoint(ix).unwrap();
        let fences =
            self.orders.iter().filter(|o| o.endpoint() == order.endpoint()).map(|o| (o.fence(), o.id()));
        for (fence, id) in fences {
            assert!(fence < order.fence() || (fence == order.fence() && id == order.id()), "fences rise");
        }
        // What was begun may be ended: an order sent again, the reboot of an install, a rollback that was cut off.
        let goes_on = |o: &Order| {
            let (before, now) = (o.id(), order.id());
            before == now
                || matches!((o, order), (Order::Revert(_), Order::Revert(_)))
                    && (before.rollout, before.member) == (now.rollout, now.member)
        };
        let is_new = !matches!(order, Order::Reboot(_)) && !self.orders.iter().any(goes_on);
        if is_new {
            assert_eq!((endpoint.unreachable_since(), endpoint.stale_since()), (None, None), "{order:?}");
        }
        if let Order::Install(install) = order {
            assert_eq!((endpoint.quarantine(), endpoint.held_by_manager()), (None, None));
            let rollout = self.fleet.rollout(install.id().rollout).unwrap();
            assert!(!self.fleet.is_held(rollout.candidate(), ix), "a hold keeps the patch away");
            assert_ne!(install.path(), RollbackPath::None, "a way back is known before the start");
            let wanted =
                if install.is_trial() { Environment::NonProduction } else { Environment::Production };
            assert_eq!(endpoint.environment(), wanted);
            if !install.is_trial() {
                let candidate = self.fleet.candidate(rollout.candidate()).unwrap();
                assert!(candidate.approved().is_some(), "approved only");
            }
            assert!(self.now <= install.start_by());
            let content = self.fleet.content(install.id().rollout, install.id().member);
            let is_there = matches!(content, None | Some(ContentView::There { .. }));
            let again = self.orders.iter().any(|before| before.id() == install.id());
            assert!(is_there || again, "its content is there: {content:?}");
        }
    }

    fn order(&self, n: u8) -> Option<OrderId> {
        // The latest orders are the likely ones to be heard of.
        let len = self.orders.len();
        (len > 0).then(|| self.orders[len - 1 - usize::from(n) % len.min(9)].id())
    }

    fn endpoint(&self, n: u8) -> EndpointIx {
        EndpointIx(u32::from(n) % self.fleet.endpoints().count() as u32)
    }

    fn candidate(&self, n: u8) -> CandidateId {
        CandidateId(u32::from(n) % self.fleet.candidates().count().max(1) as u32)
    }

    fn rollout(&self, n: u8) -> RolloutId {
        RolloutId(u32::from(n) % self.fleet.rollouts().count().max(1) as u32)
    }

    fn happen(&mut self, what: &Happens) {
        match *what {
            Happens::Passes(secs) => {
                let until = self.now.plus_secs(secs.into());
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
            Happens::Jumps(secs) => {
                let millis = self.now.as_millis() + i64::from(secs) * 1000;
                let later = Timestamp::from_millis(millis);
                let real = self.now;
                self.now = later;
                self.see(Observation::Time);
                self.now = later.max(real);
            }
            Happens::Acknowledges(o) => self.report(o, ReportKind::Acknowledged),
            Happens::Done(o) => self.report(o, ReportKind::Done),
            Happens::Fails(o, kind) => self.report(o, ReportKind::Failed(Failure::new(kind, "it broke"))),
            Happens::Answers(o, answer) => {
                let Some(order) = self.order(o) else { return };
                let answer = match answer {
                    0 => QueryAnswer::NeverSeen,
                    1 => QueryAnswer::Queued,
                    2 => QueryAnswer::Running,
                    3 => QueryAnswer::Done,
                    _ => QueryAnswer::Failed(Failure::new(FailureKind::Interrupted, "cut")),
                };
                self.see(Observation::Answered { order, answer });
            }
            Happens::Recalls(o, answer) => {
                let Some(order) = self.order(o) else { return };
                let answer = [RecallAnswer::Recalled, RecallAnswer::AlreadyStarted, RecallAnswer::Unknown]
                    [usize::from(answer)];
                self.see(Observation::RecallAnswered { order, answer });
            }
            Happens::Inspects(o, level) => {
                let Some(order) = self.order(o) else { return };
                let version = |version: String, intact| Level::Version { version: version.into(), intact };
                let rollout = self.fleet.rollout(order.rollout).unwrap();
                let patch = self.fleet.candidate(rollout.candidate()).unwrap().identified().patch().clone();
                let level_seen = match level {
                    0 => Level::Absent,
                    1 => Level::Unreadable { detail: "no route".into() },
                    2 | 3 => version("1.0".into(), true),
                    4 => version(patch.target.version.clone(), false),
                    _ => version(patch.target.version.clone(), true),
                };
                let health =
                    if level == 7 { Health::Failed { detail: "sick".into() } } else { Health::Passed };
                let reboot_required = level == 6;
                let seen = Inspection { order, level: level_seen, reboot_required, health };
                self.see(Observation::Inspected(seen));
            }
            Happens::Needs(e, needs) => {
                let (endpoint, candidate) = (self.endpoint(e), self.candidate(e));
                let standing = if needs { Standing::Needs } else { Standing::Has };
                let need = NeedSeen {
                    endpoint,
                    standing,
                    present: Some(Arc::from("1.0")),
                    path: if e % 3 == 0 { RollbackPath::Snapshot } else { RollbackPath::Reinstall },
                    path_valid_until: (e % 5 == 0).then(|| self.now.plus_secs(600)),
                    why: None,
                };
                self.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
            }
            Happens::Moves(e, production) => {
                let endpoints = vec![seen(u32::from(e) % 16, production)];
                self.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
            }
            Happens::Turns(e, what) => {
                let endpoints = Cow::Owned(vec![self.endpoint(e), self.endpoint(e.wrapping_add(1))]);
                self.see(match what {
                    0 | 1 => Observation::Unreachable { endpoints, since: self.now },
                    2 => Observation::Reachable { endpoints },
                    3 => Observation::Stale { endpoints },
                    4 => Observation::RebootsPending { endpoints, pending: true },
                    5 => Observation::RebootsPending { endpoints, pending: false },
                    _ => Observation::Read { endpoints },
                });
            }
            Happens::Hooks(h, fails) => {
                // The latest hooks are the likely ones to come to an end.
                let len = self.hooks.len();
                let Some(run) = len.checked_sub(1 + usize::from(h) % len.clamp(1, 4)) else { return };
                let (order, stage) = (self.hooks[run].order, self.hooks[run].stage);
                let failure = fails.then(|| Failure::new(FailureKind::Other, "would not drain"));
                self.see(Observation::HookDone { order, stage, failure });
            }
            Happens::PutsOff(o, secs) => {
                let until = self.now.plus_secs(secs.into());
                self.report(o, ReportKind::PutOff { until });
            }
            Happens::Stages(s, 11) => {
                let endpoints = Cow::Owned(vec![self.endpoint(s)]);
                let rollout = self.fleet.rollout(self.rollout(s)).map(|it| it.candidate());
                let Some(candidate) = rollout.and_then(|id| self.fleet.candidate(id)) else { return };
                let content = candidate.identified().patch().content;
                let depot = (s % 4 == 0).then(|| ScopePath("acme/west".into()));
                self.see(Observation::ContentHeld { content, endpoints, depot });
            }
            Happens::Stages(s, outcome) => {
                // The latest attempts are the likely ones to come to an end.
                let len = self.stages.len();
                let Some(at) = len.checked_sub(1 + usize::from(s) % len.clamp(1, 5)) else { return };
                let (stage, content) = (self.stages[at].id(), self.stages[at].content());
                let failed = |kind| StageOutcome::Failed(Failure::new(kind, "the line is down"));
                let outcome = match outcome {
                    0 => StageOutcome::There { content: patchflow_core::digest::Digest([3; 32]) },
                    1 | 2 => failed(FailureKind::Network),
                    3 => failed(FailureKind::Denied),
                    _ => StageOutcome::There { content },
                };
                self.see(Observation::Staged { stage, outcome });
            }
            Happens::Replaces(e, what) => {
                let told = seen(u32::from(e) % 16, true);
                let endpoints = vec![EndpointSeen {
                    fingerprint: Some(["a", "a", "b"][usize::from(what) % 3].into()),
                    managed_by: (what == 5).then(|| "another".into()),
                    onboarding: what == 4,
                    ..told
                }];
                self.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
            }
            Happens::Goes(e) => {
                let endpoint = self.endpoint(e);
                self.see(Observation::EndpointGone { endpoint });
            }
            Happens::Publishes(6) => {
                let mut policy = self.fleet.policy().unwrap().0.clone();
                policy.name.push('+');
                policy.rings[3].gate.max_failures = Some(policy.name.len() as u32 % 3);
                policy.deploy.in_flight_max = 1 + policy.name.len() as u32 % 4;
                // Every third one freezes what runs for half a day, the next one lets it go on.
                let freeze = Freeze { from: self.now, until: self.now.plus_secs(12 * 3600) };
                let freezes = if policy.name.len().is_multiple_of(3) { vec![freeze] } else { vec![] };
                policy.schedule = match policy.schedule {
                    Schedule::Anytime { .. } => Schedule::Anytime { freezes },
                    Schedule::Weekly { windows, .. } => Schedule::Weekly { windows, freezes },
                };
                let urgent =
                    if policy.name.len().is_multiple_of(2) { Priority::Critical } else { Priority::Moderate };
                let rules = policy.risk.rules.iter_mut();
                rules.filter(|rule| rule.name == "severity_critical").for_each(|rule| rule.priority = urgent);
                self.ask(Command::AdoptPolicy { policy: Box::new(policy) });
            }
            Happens::Publishes(which) => self.publish(which),
            Happens::Approves(c, approve) => {
                let ask = self.fleet.ask(self.candidate(c)).map_or(AskId(u32::from(c)), |ask| ask.id);
                let by = Actor::new("bob", ["change-manager"]);
                self.see(Observation::Approval { ask, by, approve, reason: "so".into() });
            }
            Happens::Alerts(r) => {
                let rollout = self.rollout(r);
                self.see(Observation::Alerts {
                    rollout,
                    ring: r % 5,
                    new: (r % 3 != 0).then(|| u32::from(r % 2)),
                });
            }
            Happens::Asks(command, a, b) => {
                let (candidate, rollout) = (self.candidate(a), self.rollout(a));
                let endpoint = self.fleet.endpoint_id(self.endpoint(b)).unwrap().clone();
                let reason = String::from("because");
                self.ask(match command {
                    0 => Command::WaiveTrial { candidate, until: self.now.plus_secs(9000), reason },
                    1 => Command::RepeatTrial { candidate },
                    2 | 3 => Command::Approve { candidate, reason },
                    4 => Command::Reject { candidate, reason },
                    5 => Command::Revoke { candidate, reason },
                    21 => Command::Acknowledge { rollout, endpoint },
                    22 => Command::Drill { candidate, endpoint },
                    23 => Command::Start {
                        draft: RolloutDraft { emergency: Some(reason), ..RolloutDraft::of(candidate) },
                    },
                    30 => {
                        let bundle = vec![CandidateId(
                            (candidate.0 + 1) % self.fleet.candidates().count().max(1) as u32,
                        )];
                        Command::Start { draft: RolloutDraft { bundle, ..RolloutDraft::of(candidate) } }
                    }
                    20 => Command::Reconsider { candidate, reason },
                    6 => Command::Withdraw { candidate, reason },
                    7 => Command::Start { draft: RolloutDraft::of(candidate) },
                    8 => Command::Pause { rollout },
                    9 => Command::Resume { rollout },
                    10 => Command::Halt { rollout, reason },
                    11 => Command::LiftHalt { rollout, reason },
                    12 => Command::Promote { rollout, reason },
                    13 => Command::Retry { rollout, endpoint },
                    16 => Command::Cancel { rollout, reason },
                    17 => Command::SkipRing { rollout, ring: b % 5, reason },
                    18 | 19 => {
                        let other = self.fleet.endpoint_id(self.endpoint(b / 5)).unwrap().clone();
                        let placed = |endpoint, ring| Placement { endpoint, ring };
                        let place = vec![placed(endpoint, b % 4), placed(other, 3)];
                        let revision = PlanRevision { adopt_policy: command == 19, place };
                        Command::Revise { rollout, revision, reason }
                    }
                    14 => Command::Remove { rollout, endpoint },
                    24 => Command::ClearQuarantine { endpoint, reason },
                    25 => Command::DeclareOwnership { endpoint, reason },
                    26 | 27 => Command::CancelReboot { rollout, endpoint, reason },
                    28 => Command::AllowReboots { endpoint, reason },
                    _ => Command::ClearHold { candidate, endpoint },
                });
            }
        }
    }

    fn report(&mut self, o: u8, kind: ReportKind<'static>) {
        if let Some(order) = self.order(o) {
            self.see(Observation::Reported(Report { order, kind }));
        }
    }

    /// Everything that is kept as a count or a cache agrees with what is there.
    fn check(&self) {
        let mut taken: BTreeMap<EndpointIx, RolloutId> = BTreeMap::new();
        for rollout in self.fleet.rollouts() {
            let mut sum = Counts::default();
            for ring in rollout.rings() {
                let mut classes = [0; 10];
                for member in &rollout.members()[ring.range()] {
                    classes[member.phase().class() as usize] += 1;
                }
                assert_eq!(ring.counts(), Counts::from_classes(classes), "counters equal a recount");
                sum = sum.plus(ring.counts());
            }
            assert_eq!(sum.members() as usize, rollout.members().len(), "each is in exactly one class");
            let operating = rollout.members().iter().filter(|m| m.phase().is_operating()).count();
            let reverting = |m: &&patchflow_core::rollout::Member| {
                m.phase().is_operating() && m.phase().class() == patchflow_core::gate::Class::Failed
            };
            let back = rollout.members().iter().filter(reverting).count();
            // Rollbacks are not held up by the budget, and late answers take no place.
            assert!(operating >= back);
            for member in rollout.members().iter().filter(|m| m.phase().occupies()) {
                let other = taken.insert(member.endpoint(), rollout.id());
                assert_eq!(other, None, "one operation at a time on {}", member.endpoint());
            }
        }
        for (endpoint, rollout) in taken {
            assert_eq!(self.fleet.endpoint(endpoint).unwrap().active().map(|(r, _)| r), Some(rollout));
        }
    }
}

fn scope_budget(within: &str, n: u32) -> ScopeBudget {
    ScopeBudget { within: ScopePath(within.into()), in_flight_max: Amount::Count { n } }
}

fn seen(i: u32, production: bool) -> EndpointSeen {
    let environment = if production { Environment::Production } else { Environment::NonProduction };
    // Every third goes by a calendar of its own; moving between environments changes it as well.
    let calendar = match (i + u32::from(production)) % 7 {
        0 | 1 => Some("always".into()),
        2 => Some("unknown".into()),
        _ => None,
    };
    EndpointSeen {
        scope: ScopePath(if (i + u32::from(production)) % 5 < 3 { "acme" } else { "acme/west" }.into()),
        calendar,
        criticality: if i % 5 == 3 { Criticality::Critical } else { Criticality::Unknown },
        exposure: if production { Exposure::Internet } else { Exposure::Unknown },
        end_of_life: (i % 6 == 2).then(|| {
            Arc::new(EndOfLife {
                platform: Platform::new("debian", "8"),
                since: start().plus_secs(if production { 0 } else { 40 * 86_400 }),
                mitigation: "isolate it".into(),
            })
        }),
        group: i.is_multiple_of(4).then(|| if production { "dc".into() } else { "lab".into() }),
        ..EndpointSeen::new(format!("e{i}"), environment)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_promises_and_replays_to_the_same_state(
        seed in any::<u64>(),
        story in prop::collection::vec(happens(), 1..120),
    ) {
        let mut told = Story::new(seed, false);
        for what in &story {
            told.happen(what);
            told.check();
        }
        let replayed = Fleet::replay(told.journal.iter().cloned()).unwrap();
        prop_assert_eq!(replayed.baseline(), told.fleet.baseline());
        let resumed = Fleet::resume(&told.fleet.baseline(), []).unwrap();
        prop_assert_eq!(resumed.baseline(), told.fleet.baseline());
        // Plain reports are taken on a short road; the long one, which holds the rules, must lead to the same.
        let mut again = Story::new(seed, true);
        for what in &story {
            again.happen(what);
        }
        prop_assert_eq!(again.fleet.plain_reports(), 0);
        prop_assert_eq!(&again.journal, &told.journal, "the same inputs give the same facts");
        prop_assert_eq!(&again.effects, &told.effects, "and the same effects");
        prop_assert_eq!(again.fleet.baseline(), told.fleet.baseline());
        prop_assert_eq!(again.fleet.next_deadline(), told.fleet.next_deadline());
        prop_assert_eq!(again.fleet.strays(), told.fleet.strays());
    }
}
