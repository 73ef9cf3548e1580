//! Fields about relations, clocks and what is rolled back.

use super::stories::{ending, feature};
use super::{Field, HOUR, field};
use crate::world::World;
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::fleet::Command;
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{OnSuperseded, Policy, Selector, StartMode};

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
    let draft = RolloutDraft { candidate: older, select: Selector::All };
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

pub(super) fn fields() -> Vec<Field> {
    vec![
        field("relations.superseded", |p| p.relations.superseded = OnSuperseded::Finish, replaced),
        field("clock.limits.critical_secs", |p| p.clock.limits.critical_secs = 3600, dues),
        field("clock.limits.high_secs", |p| p.clock.limits.high_secs = 14 * 24 * 3600, dues),
        field("clock.limits.moderate_secs", |p| p.clock.limits.moderate_secs = 60 * 24 * 3600, dues),
    ]
}
