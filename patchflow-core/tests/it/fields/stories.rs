//! Stories told to several fields, and the fields of the first road.

use super::{Field, HOUR, field};
use crate::world::{Does, World, policy, start};
use patchflow_core::catalog::{Category, Patch, RebootBehaviour};
use patchflow_core::digest::Digest;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Observation, RichFact};
use patchflow_core::gate::{OnMaxHold, Percent};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::{RollbackPath, RolloutDraft};
use patchflow_core::policy::{
    Approval, OnFailure, OnHalt, OnRevoke, Policy, RingPolicy, RingSize, Selector, SnapshotRule, StartMode,
    WaiverByName,
};
use patchflow_core::rollout::{Event, Order, RolloutKind};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};

pub(super) fn feature() -> Patch {
    let mut feature = patch("editor", "2.0");
    feature.category = Category::Feature;
    feature
}

/// Everybody behaves; after eight hours, when the orders left and how rings stand.
pub(super) fn plain(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.publish(patch("openssl", "3.0.22"));
    world.pass(8 * HOUR);
    ending(&world)
}

/// Some endpoints are scripted before the patch comes.
pub(super) fn scripted(policy: Policy, does: &[(u32, Does)], hours: u64) -> World {
    let mut world = World::new(40, 2, policy);
    world.script.extend(does.iter().map(|(i, does)| (format!("prod-{i}"), does.clone())));
    world.publish(patch("openssl", "3.0.22"));
    world.pass(hours * HOUR);
    world
}

pub(super) fn ending(world: &World) -> String {
    let rollouts: Vec<_> = world
        .fleet
        .rollouts()
        .map(|r| {
            let rings: Vec<_> =
                r.rings().iter().map(|ring| (ring.name(), ring.state(), ring.counts())).collect();
            format!("{:?} {:?} {rings:?}", r.kind(), r.state())
        })
        .collect();
    let moves: Vec<_> = world.journal.iter().filter(|r| is_a_move(&r.fact)).map(|r| r.at).collect();
    let told = Digest::of(format!("{rollouts:?} {moves:?}").as_bytes());
    format!("{} orders, {} moves, {told}", world.orders.len(), moves.len())
}

/// What happens to members and rings; the policy's own text and its adoption are no outcome.
pub(super) fn is_a_move(fact: &Fact) -> bool {
    match fact {
        Fact::Endpoint(_) => true,
        Fact::Rich(fact) => matches!(
            **fact,
            RichFact::RingOpened { .. }
                | RichFact::RingSettled { .. }
                | RichFact::RingPromoted { .. }
                | RichFact::RingHeld { .. }
                | RichFact::RolloutHalted { .. }
        ),
        _ => false,
    }
}

pub(super) fn half_fail(policy: Policy) -> String {
    let does: Vec<_> = (0..20).map(|i| (2 * i, Does::Fails(FailureKind::Dependency))).collect();
    ending(&scripted(policy, &does, 12))
}

pub(super) fn all_offline(policy: Policy) -> String {
    let does: Vec<_> = (0..40).map(|i| (i, Does::Offline)).collect();
    ending(&scripted(policy, &does, 200))
}

pub(super) fn all_silent(policy: Policy) -> String {
    let does: Vec<_> = (0..40).map(|i| (i, Does::GoesSilent)).collect();
    ending(&scripted(policy, &does, 12))
}

pub(super) fn busy_once(policy: Policy) -> String {
    let does: Vec<_> = (0..40).map(|i| (i, Does::FailsFirst(2, FailureKind::Busy))).collect();
    ending(&scripted(policy, &does, 12))
}

pub(super) fn sickens(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(710);
    let rollout = world.deployment_of(candidate);
    let bad = world.ring(rollout, 1);
    world.script.extend(bad.iter().take(4).map(|endpoint| (endpoint.clone(), Does::Sickens)));
    world.pass(6 * HOUR);
    ending(&world)
}

/// A feature that a person must approve: who manages to, and how long it lasts.
pub(super) fn asked(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(feature());
    let approve = |candidate: CandidateId| Command::Approve { candidate, reason: "fine".into() };
    let answers = [("ada", "change-manager"), ("bob", "change-manager")]
        .map(|(name, role)| format!("{:?}", world.ask(name, &[role], approve(candidate))));
    world.pass(20 * HOUR);
    format!("{answers:?} {} {}", world.fleet.candidate(candidate).unwrap().state(), ending(&world))
}

/// One window on the Saturday the story begins, an hour long; an operation of half an hour.
pub(super) fn windowed(policy: &mut Policy) {
    let windows = vec![WeeklyWindow { day: Weekday::Saturday, opens_minute: 8 * 60, open_minutes: 60 }];
    policy.schedule = Schedule::Weekly { windows, freezes: vec![] };
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy.deploy.expected_secs = 1800;
}

pub(super) fn in_window(mut policy: Policy) -> String {
    let expected = policy.deploy.expected_secs;
    windowed(&mut policy);
    policy.deploy.expected_secs = expected;
    let mut world = World::new(40, 2, policy);
    let mut update = patch("openssl", "3.0.22");
    update.reboot = RebootBehaviour::Possible;
    world.publish(update);
    world.pass(HOUR);
    format!("{}", world.orders.len())
}

/// A window at nine in the morning; half of the endpoints name a calendar.
pub(super) fn with_calendars(mut policy: Policy) -> String {
    windowed(&mut policy);
    let windows = vec![WeeklyWindow { day: Weekday::Saturday, opens_minute: 9 * 60, open_minutes: 60 }];
    policy.schedule = Schedule::Weekly { windows, freezes: vec![] };
    let mut world = World::new(40, 2, policy);
    let endpoints = (0..20).map(|i| EndpointSeen {
        scope: ScopePath("acme".into()),
        calendar: Some("own".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    let endpoints = endpoints.collect();
    world.see(Observation::Endpoints { endpoints });
    world.publish(patch("openssl", "3.0.22"));
    world.pass(8 * HOUR);
    ending(&world)
}

pub(super) fn reboots_at(policy: Policy) -> String {
    let does: Vec<_> = (0..40).map(|i| (i, Does::WantsReboot)).collect();
    let world = scripted(policy, &does, 12);
    format!("{}", world.orders.iter().filter(|order| matches!(order, Order::Reboot(_))).count())
}

pub(super) fn alerted(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(710);
    let rollout = world.deployment_of(candidate);
    world.see(Observation::Alerts { rollout, ring: 0, new: Some(1) });
    world.pass(6 * HOUR);
    ending(&world)
}

pub(super) fn away(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.publish(patch("webd", "1.1"));
    world.pass(690);
    world.lose_everything_on_its_way();
    world.now = world.now.plus_secs(1200 + 1800);
    world.see(Observation::Time);
    let resync =
        |fact: &Fact| matches!(fact, Fact::Rich(fact) if matches!(**fact, RichFact::ResyncStarted { .. }));
    format!("{}", world.journal.iter().filter(|recorded| resync(&recorded.fact)).count())
}

pub(super) fn trials(policy: Policy, update: Patch) -> String {
    let mut world = World::new(10, 30, policy);
    world.publish(update);
    let trials: Vec<_> = world.fleet.rollouts().filter(|r| r.kind() == RolloutKind::Trial).collect();
    format!("{:?}", trials.iter().map(|trial| trial.members().len()).collect::<Vec<_>>())
}

/// Everybody has this way back.
fn goes_back_by(policy: Policy, path: RollbackPath) -> String {
    let mut world = World::new(40, 2, policy);
    world.publish_with(patch("openssl", "3.0.22"), path);
    world.pass(8 * HOUR);
    ending(&world)
}

/// The approval is taken back while the rollout runs.
fn revoked(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(HOUR);
    world.ask("ada", &[], Command::Revoke { candidate, reason: "it eats mail".into() }).unwrap();
    world.pass(HOUR);
    ending(&world)
}

pub(super) fn started_by_hand(mut policy: Policy) -> String {
    policy.deploy.start = StartMode::OnRequest;
    policy.rings.truncate(0);
    policy.rings.push(RingPolicy::percent("all", 100));
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(HOUR);
    let draft = RolloutDraft::of(candidate);
    format!("{:?}", world.ask("ada", &[], Command::Start { draft }).is_ok())
}

pub(super) fn waiver() -> Option<WaiverByName> {
    Some(WaiverByName { by: "ada".into(), reason: "a lab".into() })
}

pub(super) fn gates(policy: &mut Policy, change: impl Fn(&mut patchflow_core::gate::Limits)) {
    policy.rings.iter_mut().for_each(|ring| change(&mut ring.gate));
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("name", |p| p.name = "other".into(), |p| p.digest().to_string()),
        field("trial.required_for", |p| p.trial.required_for.clear(), |p| trials(p, patch("a", "2"))),
        field(
            "trial.required_for_reboot",
            |p| p.trial.required_for_reboot = false,
            |p| trials(p, Patch { reboot: RebootBehaviour::Required, ..feature() }),
        ),
        field("trial.endpoints_max", |p| p.trial.endpoints_max = 3, |p| trials(p, patch("a", "2"))),
        field("trial.gate", |p| p.trial.gate.bake_secs_min = 60, plain),
        field("approval", |p| p.approval.clear(), plain),
        field(
            "approval.name",
            |p| p.approval[0].name = "other".into(),
            |p| {
                let mut world = World::new(4, 2, p);
                let candidate = world.publish(patch("openssl", "3.0.22"));
                world.pass(HOUR);
                format!("{:?}", world.fleet.candidate(candidate).unwrap().approved().unwrap().by())
            },
        ),
        field("approval.when", |p| p.approval[0].when.categories.clear(), plain),
        field("approval.approval", |p| p.approval[0].approval = Approval::Person(p.otherwise.clone()), plain),
        field("otherwise.role", |p| p.otherwise.role = "cab".into(), asked),
        field("otherwise.quorum", |p| p.otherwise.quorum = 2, asked),
        field("otherwise.expires_secs", |p| p.otherwise.expires_secs = 300, asked),
        field("rings.name", |p| p.rings[0].name = "canaries".into(), plain),
        field(
            "rings.size",
            |p| p.rings[0].size = RingSize::Percent { cumulative: Percent::whole(10) },
            plain,
        ),
        field(
            "rings.gate.max_failures",
            |p| gates(p, |g| g.max_failures = Some(0)),
            |mut p| {
                gates(&mut p, |g| (g.max_failure_percent, g.min_success_percent) = (None, Percent::whole(0)));
                half_fail(p)
            },
        ),
        field(
            "rings.gate.max_failure_percent",
            |p| gates(p, |g| g.max_failure_percent = None),
            |mut p| {
                gates(&mut p, |g| g.min_success_percent = Percent::whole(0));
                half_fail(p)
            },
        ),
        field(
            "rings.gate.min_started",
            |p| gates(p, |g| g.min_started = 9),
            |mut p| {
                gates(&mut p, |g| g.min_success_percent = Percent::whole(0));
                half_fail(p)
            },
        ),
        field(
            "rings.gate.min_success_percent",
            |p| gates(p, |g| g.min_success_percent = Percent::whole(5)),
            |mut p| {
                gates(&mut p, |g| g.max_failure_percent = None);
                half_fail(p)
            },
        ),
        field("rings.gate.min_verified", |p| gates(p, |g| g.min_verified = 3), plain),
        field("rings.gate.max_alerts", |p| gates(p, |g| g.max_alerts = Some(0)), alerted),
        field("rings.gate.bake_secs_min", |p| gates(p, |g| g.bake_secs_min = 7200), plain),
        field("rings.gate.hold_secs_max", |p| gates(p, |g| g.hold_secs_max = 60), all_offline),
        field("rings.gate.on_max_hold", |p| gates(p, |g| g.on_max_hold = OnMaxHold::Ask), all_offline),
        field("single_ring", |p| p.single_ring = waiver(), started_by_hand),
        field("deploy.start", |p| p.deploy.start = StartMode::OnRequest, plain),
        field("deploy.in_flight_max", |p| p.deploy.in_flight_max = 3, plain),
        field("deploy.start_within_secs", |p| p.deploy.start_within_secs = 3600, all_offline),
        field("deploy.acknowledge_within_secs", |p| p.deploy.acknowledge_within_secs = 600, all_offline),
        field("deploy.report_within_secs", |p| p.deploy.report_within_secs = 600, all_silent),
        field("deploy.expected_secs", |p| p.deploy.expected_secs = 3000, in_window),
        field("deploy.reboot_reserve_secs", |p| p.deploy.reboot_reserve_secs = 1900, in_window),
        field(
            "deploy.inspect_within_secs",
            |p| p.deploy.inspect_within_secs = 60,
            |p| {
                let does: Vec<_> = (0..40).map(|i| (i, Does::Unreadable)).collect();
                ending(&scripted(p, &does, 12))
            },
        ),
        field("deploy.resync_after_secs", |p| p.deploy.resync_after_secs = 7200, away),
        field("retry.attempts_max", |p| p.retry.attempts_max = 2, busy_once),
        field("retry.on", |p| p.retry.on.clear(), busy_once),
        field("retry.backoff_secs", |p| p.retry.backoff_secs = 30, busy_once),
        field("retry.backoff_secs_max", |p| p.retry.backoff_secs_max = 300, busy_once),
        field("retry.jitter", |p| p.retry.jitter = Percent::whole(0), busy_once),
        field(
            "rollback.on_failure",
            |p| p.rollback.on_failure = OnFailure::RollBack,
            |mut p| {
                gates(&mut p, |g| (g.max_failure_percent, g.min_success_percent) = (None, Percent::whole(0)));
                half_fail(p)
            },
        ),
        field("rollback.on_halt", |p| p.rollback.on_halt = OnHalt::Ring, sickens),
        field("rollback.on_revoke", |p| p.rollback.on_revoke = OnRevoke::RollBack, revoked),
        field(
            "rollback.snapshot",
            |p| p.rollback.snapshot = SnapshotRule::Required,
            |p| goes_back_by(p, RollbackPath::Reinstall),
        ),
        field(
            "rollback.stateful",
            |p| p.rollback.stateful = Some(Selector::Scope { within: ScopePath("acme".into()) }),
            |p| goes_back_by(p, RollbackPath::Snapshot),
        ),
        field(
            "rollback.without_path",
            |p| p.rollback.without_path = waiver(),
            |p| goes_back_by(p, RollbackPath::None),
        ),
        field(
            "schedule",
            |p| {
                let until = start().plus_secs(2 * HOUR);
                p.schedule = Schedule::Anytime { freezes: vec![Freeze { from: start(), until }] };
            },
            plain,
        ),
        field("schedule.windows", windowed, reboots_at),
        field(
            "calendars.named",
            |p| p.calendars.named = [("own".into(), Schedule::anytime())].into(),
            with_calendars,
        ),
        field("calendars.spread_secs", |p| p.calendars.spread_secs = 900, with_calendars),
    ]
}

#[test]
fn reboot_needed_is_its_own_phase_and_a_reboot_needs_a_window() {
    let does: Vec<_> = (0..40).map(|i| (i, Does::WantsReboot)).collect();
    let world = scripted(policy(), &does, 12);
    let rebooted = |r: &&patchflow_core::fleet::Recorded| matches!(r.fact, Fact::Endpoint(f) if f.event == Event::Rebooted);
    assert_eq!(world.journal.iter().filter(rebooted).count(), 40);
    let rollout = world.fleet.rollouts().last().unwrap();
    assert_eq!(rollout.counts().verified, 40);
}
