//! Snapshots as ways back: required by policy, and refused where state would be lost with them (semantics S10).

use crate::conditions::{direct, ix};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fleet, NeedSeen, Observation};
use patchflow_core::ids::CandidateId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{OnFailure, OnRevoke, Policy, SnapshotRule, WaiverByName};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase};
use std::borrow::Cow;
use std::sync::Arc;

const HOUR: u64 = 3600;

fn required() -> Policy {
    let mut policy = direct();
    policy.rollback.snapshot = SnapshotRule::Required;
    policy
}

/// Tells that an endpoint has this role.
fn becomes(world: &mut World, name: &str, environment: Environment, role: &str) {
    let seen = EndpointSeen {
        scope: ScopePath("acme".into()),
        tags: [("role".into(), role.into())].into(),
        ..EndpointSeen::new(name, environment)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![seen]) });
}

fn tell(world: &mut World, candidate: CandidateId, name: &str, present: Option<&str>, path: RollbackPath) {
    let need = NeedSeen::needs(ix(world, name), present.map(Arc::from), path);
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
}

fn told(world: &World, name: &str, candidate: CandidateId) -> String {
    format!("{:?}", explain(&world.fleet, ix(world, name), candidate))
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
}

#[test]
fn a_required_snapshot_is_waited_for_and_its_taking_lets_the_order_go() {
    let mut world = World::new(2, 0, required());
    let candidate = world.publish(patch("webd", "1.1"));
    tell(&mut world, candidate, "prod-1", Some("1.0"), RollbackPath::Snapshot);
    world.pass(HOUR);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Waiting);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified);
    let text = told(&world, "prod-0", candidate);
    assert!(text.contains("the policy requires a snapshot to go back to, and none is known there"), "{text}");
    tell(&mut world, candidate, "prod-0", Some("1.0"), RollbackPath::Snapshot);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    let paths: Vec<_> = world
        .orders
        .iter()
        .filter_map(|order| match order {
            Order::Install(install) => Some(install.path()),
            Order::Revert(_) | Order::Reboot(_) => None,
        })
        .collect();
    assert_eq!(
        paths,
        [RollbackPath::Snapshot; 2],
        "the order names the snapshot, not what the plan recorded"
    );
    replays(&world);
}

#[test]
fn a_snapshot_that_is_gone_by_the_time_of_the_order_starts_nothing() {
    let mut policy = required();
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(2, 0, policy);
    let candidate = world.publish_with(patch("webd", "1.1"), RollbackPath::Snapshot);
    let first = world.orders[0].endpoint().as_str().to_owned();
    let other = if first == "prod-0" { "prod-1" } else { "prod-0" };
    tell(&mut world, candidate, other, Some("1.0"), RollbackPath::Reinstall);
    world.pass(HOUR);
    assert_eq!(world.phase(world.deployment_of(candidate), other), Phase::Waiting);
    assert_eq!(world.installs_of(other), 0);
}

#[test]
fn a_stateful_endpoint_is_never_restored_from_a_snapshot_and_asked_for_none() {
    let mut world = World::new(3, 0, required());
    becomes(&mut world, "prod-0", Environment::Production, "database");
    becomes(&mut world, "prod-1", Environment::Production, "domain-controller");
    let candidate = world.publish_with(patch("webd", "1.1"), RollbackPath::Snapshot);
    let rollout = world.deployment_of(candidate);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Held);
    assert_eq!(world.phase(rollout, "prod-2"), Phase::Verified);
    let text = told(&world, "prod-0", candidate);
    assert!(
        text.contains("restoring a snapshot would lose its own state; it needs another way back"),
        "{text}"
    );
    // Another way back, and a person lets it try.
    tell(&mut world, candidate, "prod-1", Some("1.0"), RollbackPath::Reinstall);
    world.ask("ada", &[], Command::Retry { rollout, endpoint: "prod-1".into() }).unwrap();
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified, "of a stateful one no snapshot is asked");
    replays(&world);
}

#[test]
fn what_became_stateful_after_its_install_is_not_restored_from_a_snapshot() {
    let mut policy = direct();
    (policy.rollback.on_failure, policy.rollback.on_revoke) = (OnFailure::RollBack, OnRevoke::RollBack);
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-0".into(), Does::Fails(FailureKind::Dependency));
    let candidate = world.publish_with(patch("webd", "1.1"), RollbackPath::Snapshot);
    let rollout = world.deployment_of(candidate);
    for name in ["prod-0", "prod-1"] {
        becomes(&mut world, name, Environment::Production, "database");
    }
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::NeedsOperator);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified);
    world.ask("ada", &[], Command::Revoke { candidate, reason: "harmful".into() }).unwrap();
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified);
    let text = told(&world, "prod-1", candidate);
    assert!(text.contains("restoring a snapshot would lose its own state"), "{text}");
    assert!(world.orders.iter().all(|order| matches!(order, Order::Install(_))), "nothing was restored");
}

#[test]
fn another_version_there_leaves_the_recorded_way_back() {
    let mut policy = direct();
    policy.deploy.in_flight_max = 1;
    let mut world = World::new(2, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let first = world.orders[0].endpoint().as_str().to_owned();
    let other = if first == "prod-0" { "prod-1" } else { "prod-0" };
    // What was there has gone: uninstalling does not lead back to the version that the plan recorded.
    tell(&mut world, candidate, other, None, RollbackPath::Uninstall);
    world.pass(HOUR);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    let member = rollout.members()[rollout.member_of(ix(&world, other)).unwrap().index()];
    assert_eq!((member.phase(), member.path()), (Phase::Verified, RollbackPath::Reinstall));
}

#[test]
fn a_waiver_does_not_go_with_required_snapshots() {
    let mut policy = required();
    policy.rollback.without_path = Some(WaiverByName { by: "ada".into(), reason: "a lab".into() });
    let findings: Vec<_> = policy.findings().into_iter().map(|finding| finding.to_string()).collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("waives the snapshots that `rollback.snapshot` requires"), "{findings:?}");
}
