//! A real fleet on the real road: found, adopt, identify, approve, start, report, inspect.

use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::digest::Digest;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{
    Command, Effect, EndpointSeen, Fleet, NeedSeen, Observation, Outbox, Outcome, Persisted, Request,
    Standing,
};
use patchflow_core::gate::{Limits, Percent};
use patchflow_core::ids::{
    Actor, CandidateId, EndpointId, EndpointIx, FleetId, Generation, MemberIx, OrderId, PatchId, RequestId,
    RolloutId,
};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::journal::{Encoder, Record, Tail};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{
    Approval, ApprovalRule, OnFailure, Policy, RingPolicy, RiskFilter, StagingPolicy, WaiverByName,
};
use patchflow_core::rollout::{Failure, Health, Inspection, Level, Phase, Report, ReportKind, StageOutcome};
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// The version that everybody has, and the one that everybody shall have.
pub(crate) const BEFORE: &str = "3.0.21-1";
pub(crate) const AFTER: &str = "3.0.22-1";
/// Endpoint facts that are packed at once, as a host does it.
const PACKED_AT_ONCE: usize = 4096;
/// Reports that come in one message of an agent's gateway.
const HEARD_AT_ONCE: usize = 64;

/// The host's names of endpoints, made beforehand, since they are the host's memory and not the fleet's.
#[derive(Clone, Debug)]
pub struct Names(Vec<EndpointId>);

impl Names {
    /// So many names.
    #[must_use]
    pub fn new(endpoints: u32) -> Self {
        Self((0..endpoints).map(|i| EndpointId::from(format!("endpoint-{i:07}"))).collect())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }
}

/// In which order the members report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their index in the rollout.
    ByIndex,
    /// By a fixed shuffle.
    Random,
}

/// What differs between the fleets that are measured.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The greatest number of operations under way.
    pub in_flight_max: u32,
    /// Whether the rollout is four rings, or one ring that takes everybody at once.
    pub rings: bool,
    /// Whether a member that failed for good is rolled back, and held off from then on.
    pub roll_back: bool,
    /// Whether the records are kept for a replay.
    pub keep: bool,
    /// How many calendars the endpoints go by, one after another; 0 for none. Each has a window of two hours a week.
    pub calendars: u32,
    /// Whether content is staged before anything starts; then it is there on every endpoint when the rig has started.
    pub staged: bool,
}

/// A fleet, its outbox, and the packer of its journal.
#[derive(Debug)]
pub struct Rig {
    /// The fleet.
    pub fleet: Fleet,
    /// Its outbox.
    pub out: Outbox,
    /// The time.
    pub now: Timestamp,
    /// Records, when they are kept.
    pub records: Vec<Record>,
    /// Bytes of records so far: headers and payloads.
    pub journal_bytes: u64,
    /// Facts packed so far.
    pub facts: u64,
    setup: Setup,
    encoder: Encoder,
    members: u32,
    requests: u64,
}

fn id() -> FleetId {
    FleetId(7)
}

fn policy(setup: Setup) -> Policy {
    let gate = Limits {
        max_failures: None,
        max_failure_percent: Some(Percent::FULL),
        min_success_percent: Percent::whole(0),
        bake_secs_min: 0,
        ..Limits::default()
    };
    let ring = |(name, cumulative): (&str, u32)| RingPolicy {
        gate: gate.clone(),
        ..RingPolicy::percent(name, cumulative)
    };
    let mut policy = Policy::standard("measured");
    if setup.rings {
        policy.rings = [("pilot", 5), ("early", 25), ("half", 50), ("broad", 100)].map(ring).into();
    } else {
        policy.rings = vec![ring(("everybody", 100))];
        policy.single_ring = Some(WaiverByName { by: "bench".into(), reason: "everybody at once".into() });
    }
    policy.trial.required_for.clear();
    policy.trial.required_for_reboot = false;
    policy.approval = vec![ApprovalRule {
        name: "at once".into(),
        when: RiskFilter { categories: vec![Category::Security], severities: vec![Severity::Critical] },
        approval: Approval::Automatic { requires_trial: false, delay_secs: 0 },
    }];
    policy.deploy.in_flight_max = setup.in_flight_max;
    policy.calendars.named = (0..setup.calendars).map(|i| (calendar(i), window(i))).collect();
    if setup.roll_back {
        policy.rollback.on_failure = OnFailure::RollBack;
    }
    if setup.staged {
        policy.staging = StagingPolicy { required: true, in_flight_max: None, ..StagingPolicy::default() };
    }
    policy
}

/// The name of a calendar by its number.
fn calendar(number: u32) -> String {
    format!("calendar-{number:05}")
}

/// Two hours a week, for each calendar a minute later than for the one before, from Monday at midnight.
fn window(number: u32) -> Schedule {
    const DAYS: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let opens_minute = (number % 1440) as u16;
    let day = DAYS[(number / 1440) as usize % DAYS.len()];
    Schedule::Weekly { windows: vec![WeeklyWindow { day, opens_minute, open_minutes: 120 }], freezes: vec![] }
}

pub(crate) fn package(name: &str) -> PackageName {
    PackageName::new(Ecosystem::Deb, name)
}

pub(crate) fn patch() -> Patch {
    Patch {
        id: PatchId::from("openssl=3.0.22-1"),
        title: "openssl security update".into(),
        target: Target { package: PackageName::new(Ecosystem::Deb, "openssl"), version: AFTER.into() },
        category: Category::Security,
        severity: Severity::Critical,
        cves: vec!["CVE-2026-0001".into()],
        released: None,
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform: None,
        reboot: RebootBehaviour::Never,
        relations: Relations::default(),
        content: Digest::of(b"openssl 3.0.22-1"),
        source: "bench".into(),
    }
}

impl Setup {
    /// Everybody at once, in one ring; nothing is rolled back and nothing kept.
    #[must_use]
    pub fn at_once(names: &Names) -> Self {
        Self {
            in_flight_max: names.count(),
            rings: false,
            roll_back: false,
            keep: false,
            calendars: 0,
            staged: false,
        }
    }
}

impl Rig {
    /// A fleet with its policy and its endpoints, and nothing else.
    #[must_use]
    pub(crate) fn empty(names: &Names, setup: Setup) -> Self {
        let now = Timestamp::from_secs(1_800_000_000);
        let mut out = Outbox::new();
        let fleet = Fleet::found(id(), "measured", 42, now, &mut out);
        let encoder = Encoder::new(id(), Tail::EMPTY);
        let mut rig = Self {
            fleet,
            out,
            now,
            records: Vec::new(),
            journal_bytes: 0,
            facts: 0,
            setup,
            encoder,
            members: names.count(),
            requests: 0,
        };
        rig.command(Command::AdoptPolicy { policy: Box::new(policy(setup)) });
        for (chunk, names) in names.0.chunks(10_000).enumerate() {
            let calendar =
                |i: usize| (setup.calendars > 0).then(|| calendar(i as u32 % setup.calendars).into());
            let endpoints = names.iter().zip(chunk * 10_000..);
            let endpoints = endpoints.map(|(name, i)| Self::seen(name.clone(), calendar(i)));
            rig.observe(Observation::Endpoints { endpoints: endpoints.collect() });
        }
        rig
    }

    /// An endpoint as its inventory shows it.
    #[must_use]
    pub fn seen(id: EndpointId, calendar: Option<Arc<str>>) -> EndpointSeen {
        EndpointSeen {
            scope: ScopePath("acme/berlin".into()),
            calendar,
            ..EndpointSeen::new(id, Environment::Production)
        }
    }

    /// A fleet whose endpoints all need one patch, which is approved; its rollout is not started yet.
    #[must_use]
    pub fn approved(names: &Names, setup: Setup) -> Self {
        let mut rig = Self::empty(names, setup);
        let patch = patch();
        rig.observe(Observation::Published { patch: Cow::Borrowed(&patch) });
        let candidate = rig.candidate();
        let present: Arc<str> = BEFORE.into();
        for first in (0..names.count()).step_by(10_000) {
            let needs = (first..names.count().min(first + 10_000)).map(|endpoint| NeedSeen {
                endpoint: EndpointIx(endpoint),
                standing: Standing::Needs,
                present: Some(present.clone()),
                path: RollbackPath::Reinstall,
                path_valid_until: None,
                why: None,
            });
            rig.observe(Observation::Needs { candidate, needs: needs.collect() });
        }
        rig.observe(Observation::Identified);
        rig.pack();
        let state = rig.fleet.candidate(candidate).map(|candidate| candidate.state());
        assert_eq!(state, Some("approved"), "the rig's policy approves at once");
        rig
    }

    /// The candidate.
    #[must_use]
    pub fn candidate(&self) -> CandidateId {
        self.fleet.candidate_of(&PatchId::from("openssl=3.0.22-1")).expect("the patch was published")
    }

    /// Starts the rollout. As many orders as may be under way are issued, and wait in the outbox.
    pub fn start(&mut self) -> RolloutId {
        self.start_draft(RolloutDraft::of(self.candidate()))
    }

    /// Lets the open ring pass, so that the next one opens.
    pub fn promote(&mut self, rollout: RolloutId) {
        self.command(Command::Promote { rollout, reason: "measured".into() });
    }

    pub(crate) fn start_draft(&mut self, draft: RolloutDraft) -> RolloutId {
        match self.command(Command::Start { draft }) {
            Outcome::Started { rollout } => rollout,
            other => panic!("the rollout was not started: {other:?}"),
        }
    }

    /// A rollout with every order out.
    #[must_use]
    pub fn started(names: &Names, setup: Setup) -> Self {
        let mut rig = Self::approved(names, setup);
        rig.start();
        if setup.staged {
            rig.bring();
        }
        rig.pack();
        rig
    }

    /// Every endpoint that is asked for content says that it holds what was approved.
    fn bring(&mut self) {
        for effect in self.pack_and_take() {
            if let Effect::Stage(order) = effect {
                let outcome = StageOutcome::There { content: order.content() };
                self.observe(Observation::Staged { stage: order.id(), outcome });
            }
        }
    }

    fn command(&mut self, ask: Command) -> Outcome {
        self.requests += 1;
        let request = Request {
            id: RequestId::from(format!("request-{}", self.requests)),
            by: Actor::new("bench", ["change-manager"]),
            expect: None,
            ask,
        };
        self.fleet
            .command(self.now, request, &mut self.out)
            .expect("the rig asks for nothing that is refused")
    }

    /// One observation, now.
    pub fn observe(&mut self, seen: Observation<'_>) {
        self.fleet.observe(self.now, seen, &mut self.out);
    }

    /// Packs what waits in the outbox, releases the effects, and drops them. Returns how many effects there were.
    pub fn pack(&mut self) -> usize {
        let Some(done) = self.store() else { return 0 };
        self.out.release(done).map(drop::<Effect>).count()
    }

    /// Packs what waits in the outbox, and gives the effects.
    pub(crate) fn pack_and_take(&mut self) -> Vec<Effect> {
        let Some(done) = self.store() else { return Vec::new() };
        self.out.release(done).collect()
    }

    fn store(&mut self) -> Option<Persisted> {
        let last = self.out.facts().last()?;
        let through = last.seq;
        self.facts += self.out.facts().len() as u64;
        let from = self.records.len();
        let tail = self.encoder.encode(self.out.facts(), &mut self.records).expect("facts can be written");
        self.encoder.move_to(tail);
        for record in &self.records[from..] {
            self.journal_bytes += (record.header.len() + record.payload.as_ref().map_or(0, Vec::len)) as u64;
        }
        if !self.setup.keep {
            self.records.clear();
        }
        Some(Persisted { fleet: id(), through, head: tail.head })
    }

    fn order(member: u32, operation: u8) -> OrderId {
        let member = MemberIx(member);
        OrderId { fleet: id(), generation: Generation(0), rollout: RolloutId(0), member, operation }
    }

    /// Every member's order is acknowledged, in this order.
    #[inline(never)]
    pub fn acknowledge(&mut self, members: &[u32]) {
        self.sweep(members, |order| Observation::Reported(Report { order, kind: ReportKind::Acknowledged }));
    }

    /// Every member's installer reports success, in this order.
    #[inline(never)]
    pub fn report(&mut self, members: &[u32]) {
        self.sweep(members, |order| Observation::Reported(Report { order, kind: ReportKind::Done }));
    }

    /// Every member's installer reports a lasting failure, in this order, each with one of a few reasons.
    pub fn fail(&mut self, members: &[u32]) {
        const REASONS: [&str; 4] = ["no such package", "wrong architecture", "held", "script exited with 1"];
        self.sweep(members, |order| {
            let reason = REASONS[order.member.index() % REASONS.len()];
            let kind = ReportKind::Failed(Failure::new(FailureKind::ScriptFailed, reason));
            Observation::Reported(Report { order, kind })
        });
    }

    /// Every member's inventory shows the target, in this order.
    #[inline(never)]
    pub fn inspect(&mut self, members: &[u32]) {
        self.sweep(members, |order| inspected(order, AFTER));
    }

    /// Every member, having failed, is brought back to the level it had, in this order.
    pub fn roll_back(&mut self, members: &[u32]) {
        self.sweep_of(2, members, |order| Observation::Reported(Report { order, kind: ReportKind::Done }));
        self.sweep_of(2, members, |order| inspected(order, BEFORE));
    }

    fn sweep(&mut self, members: &[u32], seen: impl Fn(OrderId) -> Observation<'static>) {
        self.sweep_of(1, members, seen);
    }

    fn sweep_of(&mut self, operation: u8, members: &[u32], seen: impl Fn(OrderId) -> Observation<'static>) {
        let mut heard = Vec::with_capacity(HEARD_AT_ONCE);
        for chunk in members.chunks(PACKED_AT_ONCE) {
            for some in chunk.chunks(HEARD_AT_ONCE) {
                heard.clear();
                heard.extend(some.iter().map(|member| seen(Self::order(*member, operation))));
                self.fleet.observe_all(self.now, &heard, &mut self.out);
            }
            self.pack();
        }
    }

    /// How many members stand in a phase.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> usize {
        let rollout = self.fleet.rollout(RolloutId(0)).expect("the rollout was started");
        rollout.members().iter().filter(|member| member.phase() == phase).count()
    }

    /// The members in an order.
    #[must_use]
    pub fn members(&self, order: Order) -> Vec<u32> {
        match order {
            Order::ByIndex => (0..self.members).collect(),
            Order::Random => shuffled(self.members),
        }
    }
}

fn inspected(order: OrderId, version: &'static str) -> Observation<'static> {
    let level = Level::Version { version: Cow::Borrowed(version), intact: true };
    Observation::Inspected(Inspection { order, level, reboot_required: false, health: Health::Passed })
}

/// The numbers below `n`, in a fixed order that looks random: Fisher and Yates over xorshift64*.
#[must_use]
pub fn shuffled(n: u32) -> Vec<u32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut numbers: Vec<u32> = (0..n).collect();
    for i in (1..numbers.len()).rev() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let draw = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        numbers.swap(i, (draw % (i as u64 + 1)) as usize);
    }
    numbers
}
