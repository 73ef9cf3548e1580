//! Fields about relations, clocks and what is rolled back.

use super::stories::{ending, feature};
use super::{Field, HOUR, field};
use crate::world::{Does, World, start};
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, Observation};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{Approval, CalendarPolicy, OnSuperseded, Policy, StartMode};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use std::collections::BTreeMap;

const DAY: u64 = 24 * HOUR;

/// A rollout that a person started, and a successor that a person approves while it runs.
fn replaced(mut policy: Policy) -> String {
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 2, policy);
    let older = world.publish(feature());
    let mut newer = feature();
    newer.id = "editor=3.0".into();
    newer.target.version = "3.0".into();
    newer.relations.supersedes = vec![feature().id];
    let newer = world.publish(newer);
    let approve = |candidate| Command::Approve { candidate, reason: "fine".into() };
    world.ask("ada", &["change-manager"], approve(older)).unwrap();
    let draft = RolloutDraft::of(older);
    world.ask("ada", &[], Command::Start { draft }).unwrap();
    world.pass(700);
    world.ask("ada", &["change-manager"], approve(newer)).unwrap();
    world.pass(8 * HOUR);
    ending(&world)
}

/// The due date of a patch of each severity.
fn dues(policy: Policy) -> String {
    let mut world = World::new(4, 2, policy);
    let due = |severity| {
        let mut update = patch("lib", &format!("{severity}"));
        update.severity = severity;
        let candidate = world.publish(update);
        world.fleet.candidate(candidate).unwrap().identified().risk().due
    };
    format!("{:?}", [Severity::Critical, Severity::High, Severity::Moderate].map(due))
}

/// A calendar whose windows are cycles.
fn cycles() -> BTreeMap<String, Schedule> {
    cycles_on(Weekday::Saturday)
}

fn cycles_on(day: Weekday) -> BTreeMap<String, Schedule> {
    let windows = vec![WeeklyWindow { day, open_minutes: 2880, ..saturday_morning() }];
    [("weekends".into(), Schedule::Weekly { windows, freezes: vec![] })].into()
}

/// A window on Saturday noon that an endpoint missed, which is back on Monday morning: when what was ordered there.
fn missed(mut policy: Policy) -> String {
    let window = WeeklyWindow { opens_minute: 12 * 60, ..saturday_morning() };
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
    policy.calendars.named.extend(cycles_on(Weekday::Monday));
    policy.deploy.start_within_secs = 20 * DAY as u32;
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    let mut world = World::new(1, 0, policy);
    let endpoints = vec![world.fleet.endpoint_ix("prod-0").unwrap()];
    world.see(Observation::Unreachable { endpoints: endpoints.clone().into(), since: start() });
    world.publish(patch("webd", "1.1"));
    world.pass(50 * HOUR);
    world.see(Observation::Reachable { endpoints: endpoints.into() });
    let mut days = Vec::new();
    for day in 0..10 {
        world.pass(DAY);
        days.extend((world.orders.len() > days.len()).then_some(day));
    }
    format!("{days:?}")
}

/// The same where active hours are named.
fn caught_up(mut policy: Policy) -> String {
    policy.calendars.active_hours = Some("weekends".into());
    missed(policy)
}

/// An endpoint is out of contact before its window: when it is asked to wake.
fn woken(mut policy: Policy) -> String {
    let window = WeeklyWindow { opens_minute: 12 * 60, ..saturday_morning() };
    policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    let mut world = World::new(1, 0, policy);
    let endpoints = vec![world.fleet.endpoint_ix("prod-0").unwrap()].into();
    world.see(Observation::Unreachable { endpoints, since: start() });
    world.publish(patch("webd", "1.1"));
    world.pass(5 * HOUR);
    format!("{:?}", world.woken)
}

/// A critical patch, and no machine to try it on: when people are told.
fn untried(policy: Policy) -> String {
    let mut world = World::new(4, 0, policy);
    world.publish(patch("lib", "2"));
    world.pass(6 * HOUR);
    format!("{:?}", world.notices)
}

/// A patch that nobody approves comes to its due date; then somebody does.
fn overdue(mut policy: Policy) -> String {
    policy.schedule = Schedule::Weekly { windows: vec![saturday_morning()], freezes: vec![] };
    policy.approval.clear();
    policy.trial.required_for.clear();
    let mut world = World::new(8, 2, policy);
    let candidate = world.publish(patch("lib", "2"));
    world.pass(8 * 24 * HOUR);
    let approve = Command::Approve { candidate, reason: "at last".into() };
    world.ask("ada", &["change-manager"], approve).unwrap();
    world.pass(4 * HOUR);
    format!("{:?} {}", world.notices, world.orders.len())
}

fn saturday_morning() -> WeeklyWindow {
    WeeklyWindow { day: Weekday::Saturday, opens_minute: 8 * 60, open_minutes: 60 }
}

/// An emergency on a Saturday noon: after the window, and a freeze over the next one.
fn emergency(mut policy: Policy) -> String {
    let freeze =
        |from: u64, until: u64| Freeze { from: start().plus_secs(from), until: start().plus_secs(until) };
    let freezes = vec![freeze(5 * HOUR, 6 * HOUR), freeze(6 * 24 * HOUR, 10 * 24 * HOUR)];
    policy.schedule = Schedule::Weekly { windows: vec![saturday_morning()], freezes };
    policy.deploy.start = StartMode::OnRequest;
    policy.approval.clear();
    policy.trial.required_for.clear();
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("lib", "2"));
    let approve = Command::Approve { candidate, reason: "wormable".into() };
    world.ask("ada", &["change-manager"], approve).unwrap();
    world.pass(4 * HOUR);
    let draft = RolloutDraft { emergency: Some("wormable".into()), ..RolloutDraft::of(candidate) };
    world.ask("ada", &[], Command::Start { draft }).unwrap();
    world.pass(9 * 24 * HOUR);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    format!("{} {:?}", ending(&world), rollout.rings()[0].gate().bake_secs_min)
}

/// An endpoint that can go neither forward nor back: who is told, and when.
fn stuck(policy: Policy) -> String {
    let mut world = World::new(40, 2, policy);
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::Sickens)));
    world.publish(patch("webd", "1.1"));
    world.pass(650);
    world.cut_off.extend((0..40).map(|i| (format!("prod-{i}"), 9)));
    world.pass(DAY);
    format!("{:?}", world.notices)
}

fn undrilled(policy: Policy) -> String {
    let mut world = World::new(4, 2, policy);
    world.publish(patch("webd", "1.1"));
    world.pass(60 * DAY);
    format!("{:?}", world.notices)
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("relations.superseded", |p| p.relations.superseded = OnSuperseded::Finish, replaced),
        field("operators.role", |p| p.operators[0].role = "night shift".into(), stuck),
        field("operators.acknowledge_within_secs", |p| p.operators[0].acknowledge_within_secs = 60, stuck),
        field("rollback.drill_every_secs", |p| p.rollback.drill_every_secs = 30 * 86_400, undrilled),
        field(
            "clock.moderate_cycle",
            |p| {
                p.calendars.named = cycles();
                p.clock.moderate_cycle = Some("weekends".into());
            },
            |p| {
                dues(Policy {
                    calendars: CalendarPolicy { named: cycles(), ..CalendarPolicy::default() },
                    ..p
                })
            },
        ),
        field(
            "calendars.active_hours",
            |p| {
                p.calendars.named = cycles_on(Weekday::Monday);
                p.calendars.active_hours = Some("weekends".into());
            },
            missed,
        ),
        field("calendars.grace_secs", |p| p.calendars.grace_secs = 3 * DAY as u32, caught_up),
        field("calendars.wake_lead_secs", |p| p.calendars.wake_lead_secs = HOUR as u32, woken),
        field("clock.first_install_within_secs", |p| p.clock.first_install_within_secs = 3600, untried),
        field("clock.warn_before_secs", |p| p.clock.warn_before_secs = 0, overdue),
        field("clock.enforce_at_deadline", |p| p.clock.enforce_at_deadline = true, overdue),
        field("emergency.bake_secs_min", |p| p.emergency.bake_secs_min = Some(60), emergency),
        field("emergency.passes_windows", |p| p.emergency.passes_windows = true, emergency),
        field("emergency.overrides_freeze", |p| p.emergency.overrides_freeze = true, emergency),
        field("clock.limits.critical_secs", |p| p.clock.limits.critical_secs = 3600, dues),
        field("clock.limits.high_secs", |p| p.clock.limits.high_secs = 14 * 24 * 3600, dues),
        field("clock.limits.moderate_secs", |p| p.clock.limits.moderate_secs = 60 * 24 * 3600, dues),
    ]
}
