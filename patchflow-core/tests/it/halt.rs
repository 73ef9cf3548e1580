//! Halts, rollbacks, holds.

use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, Fleet};
use patchflow_core::gate::{Percent, Rule};
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{OnFailure, OnHalt};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Order, Phase, RolloutState};

fn sick_everywhere_in_production(world: &mut World, n: u32) {
    for i in 0..n {
        world.script.insert(format!("prod-{i}"), Does::Sickens);
    }
}

#[test]
fn a_patch_that_sickens_is_halted_in_the_pilot_and_rolled_back_with_a_hold() {
    let mut world = World::new(40, 2, policy());
    sick_everywhere_in_production(&mut world, 40);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(4 * 3600);
    let rollout = world.deployment_of(candidate);
    let halted = world.fleet.rollout(rollout).unwrap();
    assert_eq!(halted.state(), RolloutState::Halted);
    let verdict = halted.rings()[0].verdict().unwrap();
    assert_eq!(verdict.rule, Rule::MaxFailurePercent);
    let pilot = world.ring(rollout, 0);
    for endpoint in &pilot {
        assert_eq!(world.phase(rollout, endpoint), Phase::RolledBack);
        assert_eq!(world.levels[endpoint], "1.0");
        assert!(world.fleet.is_held(candidate, world.fleet.endpoint_ix(endpoint).unwrap()));
    }
    let installed: usize = (0..40).map(|i| world.installs_of(&format!("prod-{i}"))).sum();
    assert_eq!(installed, pilot.len(), "nobody outside the pilot was touched");
    assert!(world.fleet.rollout(rollout).unwrap().is_at_rest());
}

#[test]
fn a_hold_keeps_the_patch_away_until_a_person_clears_it() {
    let mut world = World::new(40, 2, policy());
    sick_everywhere_in_production(&mut world, 40);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(4 * 3600);
    let rollout = world.deployment_of(candidate);
    let victim = world.ring(rollout, 0)[0].clone();
    world.script.clear();
    let retry = Command::Retry { rollout, endpoint: victim.as_str().into() };
    assert!(matches!(world.ask("ada", &[], retry.clone()), Err(Refusal::WrongState { .. })), "it is halted");
    let lift = Command::LiftHalt { rollout, reason: "the service was fixed".into() };
    world.ask("ada", &[], lift).unwrap();
    assert!(matches!(world.ask("ada", &[], retry), Err(Refusal::WrongState { .. })), "it is held");
    let before = world.installs_of(&victim);
    world.pass(3000);
    assert_eq!(world.installs_of(&victim), before);
    assert_eq!(
        world.ring(rollout, 1).iter().map(|e| world.installs_of(e)).sum::<usize>(),
        0,
        "no data is no pass"
    );
    world.ask("ada", &[], Command::ClearHold { candidate, endpoint: victim.as_str().into() }).unwrap();
    world.pass(3600);
    assert_eq!(world.phase(rollout, &victim), Phase::Verified);
}

/// A rollout that has completed over one member that was rolled back.
fn completed_over_a_rollback(catches_up: bool) -> (World, CandidateId, RolloutId, String) {
    let mut policy = policy();
    policy.rollback.on_failure = OnFailure::RollBack;
    (policy.catch_up.newcomers, policy.catch_up.deferred) = (catches_up, catches_up);
    if !catches_up {
        policy.catch_up.onboarding = patchflow_core::policy::Onboarding::Leave;
    }
    policy.rings.iter_mut().for_each(|ring| {
        ring.gate.max_failure_percent = None;
        ring.gate.min_success_percent = Percent::whole(0);
    });
    let mut world = World::new(40, 2, policy);
    world.script.insert("prod-7".into(), Does::Sickens);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(12 * 3600);
    let rollout = world.deployment_of(candidate);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
    assert_eq!(world.phase(rollout, "prod-7"), Phase::RolledBack);
    world.script.clear();
    (world, candidate, rollout, "prod-7".into())
}

#[test]
fn a_cleared_hold_lets_catch_up_take_a_rolled_back_member_on() {
    let (mut world, candidate, rollout, victim) = completed_over_a_rollback(true);
    let retry = Command::Retry { rollout, endpoint: victim.as_str().into() };
    let refused = world.ask("ada", &[], retry).unwrap_err().to_string();
    assert!(refused.contains("clear its hold first"), "{refused}");
    world.ask("ada", &[], Command::ClearHold { candidate, endpoint: victim.as_str().into() }).unwrap();
    world.pass(3600);
    assert_eq!(world.phase(rollout, &victim), Phase::Verified);
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
}

#[test]
fn where_nobody_is_brought_along_a_cleared_hold_leaves_the_member_to_another_rollout() {
    let (mut world, candidate, rollout, victim) = completed_over_a_rollback(false);
    world.ask("ada", &[], Command::ClearHold { candidate, endpoint: victim.as_str().into() }).unwrap();
    world.pass(3600);
    assert_eq!(world.phase(rollout, &victim), Phase::RolledBack);
    let said = format!("{:?}", explain(&world.fleet, world.fleet.endpoint_ix(&victim).unwrap(), candidate));
    assert!(said.contains("not held there any more"), "{said}");
    let retry = Command::Retry { rollout, endpoint: victim.as_str().into() };
    let refused = world.ask("ada", &[], retry).unwrap_err().to_string();
    assert!(refused.contains("start another rollout"), "{refused}");
    let draft = RolloutDraft::of(candidate);
    world.ask("ada", &[], Command::Start { draft }).unwrap();
    world.pass(3600);
    assert_eq!(world.phase(world.deployment_of(candidate), &victim), Phase::Verified);
}

#[test]
fn a_cleared_hold_gives_the_member_to_the_latest_rollout_that_means_it() {
    let (mut world, candidate, first, victim) = completed_over_a_rollback(true);
    let draft = RolloutDraft::of(candidate);
    world.ask("ada", &[], Command::Start { draft }).unwrap();
    let second = world.deployment_of(candidate);
    world.ask("ada", &[], Command::ClearHold { candidate, endpoint: victim.as_str().into() }).unwrap();
    assert_eq!(world.phase(first, &victim), Phase::RolledBack);
    world.pass(12 * 3600);
    assert_eq!(world.phase(second, &victim), Phase::Verified);
    assert_eq!(world.installs_of(&victim), 2, "one of each rollout");
}

#[test]
fn who_is_rolled_back_on_a_halt_is_the_policys_word() {
    for (on_halt, expected) in [
        (OnHalt::Nobody, [Phase::Verified, Phase::Verified, Phase::Failed]),
        (OnHalt::Failed, [Phase::Verified, Phase::Verified, Phase::RolledBack]),
        (OnHalt::Ring, [Phase::Verified, Phase::RolledBack, Phase::RolledBack]),
        (OnHalt::Rollout, [Phase::RolledBack, Phase::RolledBack, Phase::RolledBack]),
    ] {
        let mut policy = policy();
        policy.rollback.on_halt = on_halt;
        let mut world = World::new(40, 2, policy);
        let candidate = world.publish(patch("webd", "1.1"));
        world.pass(710);
        let rollout = world.deployment_of(candidate);
        let second = world.ring(rollout, 1);
        let bad = second.last().unwrap().clone();
        world.script.insert(bad.clone(), Does::Sickens);
        world.pass(4 * 3600);
        let pilot = world.ring(rollout, 0)[0].clone();
        let phases = [&pilot, &second[0], &bad].map(|endpoint| world.phase(rollout, endpoint));
        assert_eq!(phases, expected, "{on_halt:?}");
    }
}

#[test]
fn a_failed_member_is_rolled_back_when_the_policy_says_so() {
    for (on_failure, expected) in
        [(OnFailure::Leave, Phase::Failed), (OnFailure::RollBack, Phase::RolledBack)]
    {
        let mut policy = policy();
        policy.rollback.on_failure = on_failure;
        policy.rings.iter_mut().for_each(|ring| {
            ring.gate.max_failure_percent = None;
            ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(10);
        });
        let mut world = World::new(40, 2, policy);
        world.script.insert("prod-9".into(), Does::Fails(FailureKind::ScriptFailed));
        let candidate = world.publish(patch("webd", "1.1"));
        world.pass(10 * 3600);
        assert_eq!(world.phase(world.deployment_of(candidate), "prod-9"), expected);
    }
}

#[test]
fn an_installer_that_lies_fails_at_verification_with_that_reason() {
    let mut policy = policy();
    policy.rings.iter_mut().for_each(|ring| ring.gate.max_failure_percent = None);
    policy
        .rings
        .iter_mut()
        .for_each(|ring| ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(10));
    let mut world = World::new(40, 2, policy);
    world.script.insert("prod-7".into(), Does::Lies);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(10 * 3600);
    let rollout = world.fleet.rollout(world.deployment_of(candidate)).unwrap();
    let member = rollout.member_of(world.fleet.endpoint_ix("prod-7").unwrap()).unwrap();
    let member = rollout.members()[member.index()];
    assert_eq!(member.phase(), Phase::Failed);
    let (kind, text) = world.fleet.reason(member.reason()).unwrap();
    assert_eq!(kind, FailureKind::WrongLevel);
    assert_eq!(text, "the installer reported success, the inventory shows 1.0 instead of 1.1");
}

#[test]
fn a_late_success_corrects_counts_and_lifts_no_halt() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let pilot = world.ring(rollout, 0);
    pilot.iter().for_each(|endpoint| {
        world.script.insert(endpoint.clone(), Does::GoesSilent);
    });
    // The orders are out already: let their reports get lost.
    world.lose_everything_on_its_way();
    world.done.clear();
    world.pass(2 * 3600);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
    assert_eq!(world.phase(rollout, &pilot[0]), Phase::Silent);
    let order =
        world.orders.iter().rfind(|order| order.endpoint().as_str() == pilot[0]).map(Order::id).unwrap();
    let done = patchflow_core::rollout::ReportKind::Done;
    world.levels.insert(pilot[0].clone(), "1.1".into());
    world.see(patchflow_core::fleet::Observation::Reported(patchflow_core::rollout::Report {
        order,
        kind: done,
    }));
    world.pass(10);
    assert_eq!(world.phase(rollout, &pilot[0]), Phase::Verified);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
}

#[test]
fn withdrawing_a_patch_stops_its_rollout_and_recalls_what_has_not_begun() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(690);
    let rollout = world.deployment_of(candidate);
    let pilot = world.ring(rollout, 0);
    world.lose_everything_on_its_way();
    pilot.iter().for_each(|endpoint| {
        world.script.insert(endpoint.clone(), Does::Offline);
    });
    world.ask("ada", &[], Command::Withdraw { candidate, reason: "the vendor pulled it".into() }).unwrap();
    world.pass(60);
    assert_eq!(world.fleet.candidate(candidate).unwrap().state(), "withdrawn");
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
    assert!(pilot.iter().all(|endpoint| world.phase(rollout, endpoint) == Phase::Waiting), "recalled");
    let before = world.orders.len();
    world.pass(24 * 3600);
    assert_eq!(world.orders.len(), before);
}

#[test]
fn a_halt_stops_new_orders_at_once_and_what_is_in_flight_runs_to_its_end_and_counts() {
    let mut policy = crate::budgets::at_once();
    policy.deploy.in_flight_max = 3;
    let first_ordered = |world: &mut World| {
        world.publish(patch("openssl", "2.0"));
        assert_eq!(world.orders.len(), 3);
        world.orders[0].endpoint().as_str().to_owned()
    };
    let away = first_ordered(&mut World::new(6, 0, policy.clone()));
    let mut world = World::new(6, 0, policy);
    // One of the three has not begun: it is taken back before it starts.
    world.script.insert(away.clone(), Does::Offline);
    assert_eq!(first_ordered(&mut world), away);
    let rollout = RolloutId(0);
    world.pass(30);
    world.ask("ada", &["owner"], Command::Halt { rollout, reason: "the phone rings".into() }).unwrap();
    world.pass(3600);
    assert_eq!(world.orders.len(), 3, "nothing new");
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.verified, counts.waiting, counts.in_flight), (2, 4, 0));
    assert_eq!(world.phase(rollout, &away), Phase::Waiting);
    assert!(world.fleet.rollout(rollout).unwrap().is_at_rest());
}
