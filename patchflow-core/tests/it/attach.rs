//! The same patch in two rollouts: one order, and its outcome counts in both.

use crate::budgets::at_once;
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::Command;
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{Amount, OnFailure, OnHalt, Policy};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase, RolloutState};

const FIRST: RolloutId = RolloutId(0);
const SECOND: RolloutId = RolloutId(1);

/// One rollout is under way, and a second one of the same patch is started over the same endpoints.
fn twice(policy: Policy, does: Does) -> (World, CandidateId) {
    let mut world = World::new(3, 0, policy);
    world.script.extend((0..3).map(|i| (format!("prod-{i}"), does.clone())));
    let candidate = world.publish(patch("openssl", "2.0"));
    let draft = RolloutDraft::of(candidate);
    world.ask("ada", &["owner"], Command::Start { draft }).unwrap();
    (world, candidate)
}

fn installs(world: &World) -> usize {
    world.orders.iter().filter(|order| matches!(order, Order::Install(_))).count()
}

fn phases(world: &World, rollout: RolloutId) -> Vec<Phase> {
    world.fleet.rollout(rollout).unwrap().members().iter().map(|member| member.phase()).collect()
}

#[test]
fn the_same_patch_in_two_rollouts_is_ordered_once_and_counts_in_both() {
    let (mut world, candidate) = twice(at_once(), Does::Installs(60));
    assert_eq!(phases(&world, SECOND), [Phase::Attached; 3]);
    let ix = world.fleet.endpoint_ix("prod-0").unwrap();
    let said = format!("{:?}", explain(&world.fleet, ix, candidate));
    assert!(said.contains("r0 has ordered the same patch there"), "{said}");
    world.pass(62);
    assert_eq!([phases(&world, FIRST), phases(&world, SECOND)], [[Phase::Verified; 3]; 2]);
    assert_eq!(installs(&world), 3);
    world.pass(3600);
    assert!(world.fleet.rollouts().all(|rollout| rollout.state() == RolloutState::Completed));
}

#[test]
fn what_the_first_rollout_brings_to_its_target_is_skipped_by_the_second() {
    let mut policy = at_once();
    policy.budgets.in_flight_max = Some(Amount::Count { n: 1 });
    let (mut world, _) = twice(policy, Does::Installs(60));
    world.ask("ada", &["owner"], Command::Pause { rollout: SECOND }).unwrap();
    world.pass(3600);
    assert_eq!(phases(&world, FIRST), [Phase::Verified; 3]);
    assert!(phases(&world, SECOND).contains(&Phase::Skipped), "{:?}", phases(&world, SECOND));
    world.ask("ada", &["owner"], Command::Resume { rollout: SECOND }).unwrap();
    world.pass(3600);
    assert_eq!(installs(&world), 3, "none of them waits for a second order");
    assert!(phases(&world, SECOND).iter().all(|p| matches!(p, Phase::Verified | Phase::Skipped)));
    assert!(world.fleet.rollouts().all(|rollout| rollout.state() == RolloutState::Completed));
}

#[test]
fn a_failure_counts_in_both_and_its_reason_too() {
    let (mut world, _) = twice(at_once(), Does::Fails(FailureKind::Dependency));
    world.pass(62);
    assert_eq!([phases(&world, FIRST), phases(&world, SECOND)], [[Phase::Failed; 3]; 2]);
    assert_eq!(installs(&world), 3);
    let second = &world.fleet.rollout(SECOND).unwrap().members()[0];
    assert_eq!(world.fleet.reason(second.reason()), Some((FailureKind::Dependency, "scripted")));
}

#[test]
fn between_two_attempts_the_second_rollout_still_waits_for_the_first() {
    let mut policy = at_once();
    policy.retry.backoff_secs = 600;
    let (mut world, _) = twice(policy, Does::FailsFirst(1, FailureKind::Busy));
    world.pass(300);
    assert_eq!(phases(&world, FIRST), [Phase::Backoff; 3]);
    assert_eq!(phases(&world, SECOND), [Phase::Attached; 3], "the endpoint is free, its patch is not");
    world.pass(1200);
    assert_eq!([phases(&world, FIRST), phases(&world, SECOND)], [[Phase::Verified; 3]; 2]);
    assert_eq!(installs(&world), 6);
}

#[test]
fn an_order_that_comes_to_nothing_lets_the_second_rollout_order_itself() {
    let (mut world, _) = twice(at_once(), Does::Offline);
    let reason = "not this way".into();
    world.ask("ada", &["owner"], Command::Cancel { rollout: FIRST, reason }).unwrap();
    world.script.clear();
    world.pass(3);
    assert_eq!(phases(&world, FIRST), [Phase::Cancelled; 3], "recalled before it began");
    world.pass(62);
    assert_eq!(phases(&world, SECOND), [Phase::Verified; 3]);
}

#[test]
fn silence_in_the_first_rollout_is_not_success_in_the_second() {
    let (mut world, _) = twice(at_once(), Does::GoesSilent);
    world.pass(3 * 1200);
    assert_eq!(phases(&world, FIRST), [Phase::Silent; 3]);
    assert_eq!(phases(&world, SECOND), [Phase::Failed; 3]);
    assert_eq!(installs(&world), 3);
}

#[test]
fn nobody_attaches_to_what_was_asked_after_in_vain() {
    let mut world = World::new(3, 0, at_once());
    world.script.extend((0..3).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(3 * 1200);
    assert_eq!(phases(&world, FIRST), [Phase::Silent; 3]);
    let draft = RolloutDraft::of(candidate);
    world.ask("ada", &["owner"], Command::Start { draft }).unwrap();
    assert_eq!(phases(&world, SECOND), [Phase::Waiting; 3], "for the endpoint");
    world.pass(73 * 3600);
    assert_eq!(phases(&world, SECOND), [Phase::Deferred; 3]);
}

#[test]
fn what_another_rollout_installed_is_that_ones_to_take_back() {
    let mut policy = at_once();
    policy.rollback.on_failure = OnFailure::RollBack;
    policy.rollback.on_halt = OnHalt::Rollout;
    let (mut world, _) = twice(policy, Does::Sickens);
    world.pass(3600);
    assert_eq!(phases(&world, FIRST), [Phase::RolledBack; 3]);
    assert_eq!(phases(&world, SECOND), [Phase::Failed; 3]);
    let reverts = world.orders.iter().filter(|order| matches!(order, Order::Revert(_))).count();
    assert_eq!(reverts, 3, "one for each endpoint");
}
