//! One road through all five stages.

use crate::world::{Does, World, policy};
use patchflow_core::candidate::{ApprovedBy, Candidate, Evidence};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::inventory::Environment;
use patchflow_core::rollout::{Order, Phase, RingState, RolloutKind, RolloutState};

#[test]
fn a_good_critical_patch_goes_from_identified_to_verified() {
    let mut world = World::new(40, 4, policy());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    assert_eq!(world.fleet.candidate(candidate).unwrap().state(), "identified", "its trial runs");
    let trial = world.rollouts_of(candidate)[0];
    assert_eq!(world.fleet.rollout(trial).unwrap().kind(), RolloutKind::Trial);
    world.pass(100);
    assert_eq!(world.fleet.rollout(trial).unwrap().current_ring().state(), RingState::Settled, "it bakes");
    world.pass(600);
    let approved = world.fleet.candidate(candidate).unwrap().approved().expect("approved after validation");
    assert!(matches!(approved.evidence(), Evidence::Passed { rollout, .. } if *rollout == trial));
    assert!(
        matches!(approved.by(), ApprovedBy::Rule { rule } if rule == "critical security after validation")
    );
    let rollout = world.deployment_of(candidate);
    let sizes: Vec<_> =
        world.fleet.rollout(rollout).unwrap().rings().iter().map(|ring| ring.range().len()).collect();
    assert_eq!(sizes, [2, 8, 10, 20]);
    world.pass(4 * 3600);
    let done = world.fleet.rollout(rollout).unwrap();
    assert_eq!(done.state(), RolloutState::Completed);
    assert!(done.members().iter().all(|member| member.phase() == Phase::Verified));
    assert_eq!(world.orders.len(), 44, "one order for each endpoint");
}

#[test]
fn trials_touch_non_production_only_and_deployments_production_only() {
    let mut world = World::new(20, 3, policy());
    world.publish(patch("openssl", "3.0.22"));
    world.pass(4 * 3600);
    for order in &world.orders {
        let Order::Install(install) = order else { panic!("only installs") };
        let ix = world.fleet.endpoint_ix(install.endpoint().as_str()).unwrap();
        let environment = world.fleet.endpoint(ix).unwrap().environment();
        assert_eq!(install.is_trial(), environment == Environment::NonProduction);
    }
}

#[test]
fn rings_open_one_after_another() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(700);
    let rollout = world.deployment_of(candidate);
    let states = |world: &World| -> Vec<_> {
        world.fleet.rollout(rollout).unwrap().rings().iter().map(|ring| ring.state()).collect()
    };
    use RingState::{Open, Pending, Promoted};
    assert_eq!(states(&world), [Open, Pending, Pending, Pending]);
    world.pass(650);
    assert_eq!(states(&world), [Promoted, Open, Pending, Pending]);
    let later = world.ring(rollout, 2);
    assert!(later.iter().all(|endpoint| world.installs_of(endpoint) == 0));
}

#[test]
fn a_flaky_endpoint_is_tried_again_and_its_remains_are_reported() {
    let mut policy = policy();
    policy.retry.on.push(FailureKind::ScriptFailed);
    policy
        .rings
        .iter_mut()
        .for_each(|ring| ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(80));
    policy.rings.iter_mut().for_each(|ring| ring.gate.max_failure_percent = None);
    let mut world = World::new(40, 2, policy);
    world.script.insert("prod-3".into(), Does::FailsFirst(1, FailureKind::ScriptFailed));
    world.script.insert("prod-4".into(), Does::Fails(FailureKind::ScriptFailed));
    world.script.insert("prod-5".into(), Does::Fails(FailureKind::Dependency));
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(10 * 3600);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.phase(rollout, "prod-3"), Phase::Verified);
    assert_eq!(world.installs_of("prod-3"), 2);
    assert_eq!(world.phase(rollout, "prod-4"), Phase::Failed);
    assert_eq!(world.installs_of("prod-4"), 3, "the budget is three attempts");
    assert_eq!(world.installs_of("prod-5"), 1, "what does not get better is not tried again");
}

#[test]
fn a_second_person_is_asked_when_no_rule_matches() {
    let mut world = World::new(10, 2, policy());
    let mut feature = patch("editor", "2.0");
    feature.category = patchflow_core::catalog::Category::Feature;
    let candidate = world.publish(feature);
    let Candidate::Trialled(trialled) = world.fleet.candidate(candidate).unwrap() else {
        panic!("not trialled")
    };
    assert!(matches!(trialled.evidence(), Evidence::NotRequired { .. }));
    assert_eq!(world.fleet.ask(candidate).unwrap().from.role, "change-manager");
    assert!(world.orders.is_empty());
}
