//! What becomes of those that have a patch when its approval is taken back (semantics S8, S10).

use crate::conditions::{direct, ix, some};
use crate::world::{Does, World};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, Fleet, NeedSeen, Observation, Standing};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{OnHalt, OnRevoke, Policy, RingPolicy};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Phase, RolloutState};
use std::borrow::Cow;
use std::sync::Arc;

fn taking_back() -> Policy {
    let mut policy = direct();
    policy.rollback.on_revoke = OnRevoke::RollBack;
    policy
}

fn revoke(world: &mut World, candidate: CandidateId) {
    world.ask("ada", &[], Command::Revoke { candidate, reason: "it eats mail".into() }).unwrap();
}

fn phases(world: &World, rollout: RolloutId, n: usize) -> Vec<Phase> {
    (0..n).map(|i| world.phase(rollout, &format!("prod-{i}"))).collect()
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.baseline(), world.fleet.baseline());
}

#[test]
fn a_revocation_rolls_back_what_was_installed_where_the_policy_says_so() {
    for (on_revoke, expected) in [(OnRevoke::List, Phase::Verified), (OnRevoke::RollBack, Phase::RolledBack)]
    {
        let mut policy = direct();
        // What is rolled back on a halt is another word.
        (policy.rollback.on_revoke, policy.rollback.on_halt) = (on_revoke, OnHalt::Nobody);
        let mut world = World::new(3, 0, policy);
        let candidate = world.publish(patch("webd", "1.1"));
        world.pass(3600);
        let rollout = world.deployment_of(candidate);
        assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Completed);
        revoke(&mut world, candidate);
        world.pass(3600);
        assert_eq!(phases(&world, rollout, 3), [expected; 3], "{on_revoke:?}");
        let notice = world.notices.iter().find(|text| text.contains("it is rolled back on 3 endpoints"));
        assert_eq!(notice.is_some(), on_revoke == OnRevoke::RollBack);
        let held = world.fleet.is_held(candidate, ix(&world, "prod-0"));
        assert_eq!(held, on_revoke == OnRevoke::RollBack, "and it stays away");
        replays(&world);
    }
}

#[test]
fn what_is_under_way_when_an_approval_is_revoked_is_rolled_back_when_it_is_there() {
    let mut policy = taking_back();
    policy.rings = vec![RingPolicy::percent("half", 50), RingPolicy::percent("rest", 100)];
    let mut world = World::new(4, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(30);
    let rollout = world.deployment_of(candidate);
    revoke(&mut world, candidate);
    world.pass(3600);
    let (first, rest) = (world.ring(rollout, 0), world.ring(rollout, 1));
    assert_eq!(
        first.iter().map(|name| world.phase(rollout, name)).collect::<Vec<_>>(),
        [Phase::RolledBack; 2]
    );
    assert!(rest.iter().all(|name| world.installs_of(name) == 0), "nothing new was ordered");
    replays(&world);
}

#[test]
fn a_rollback_after_a_revocation_waits_for_who_is_out_of_contact_and_ends_with_a_new_approval() {
    let mut world = World::new(3, 0, taking_back());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(3600);
    let rollout = world.deployment_of(candidate);
    let (endpoints, since) = (some(&world, &["prod-0", "prod-1"]), world.now);
    world.see(Observation::Unreachable { endpoints, since });
    revoke(&mut world, candidate);
    world.pass(3600);
    assert_eq!(phases(&world, rollout, 3), [Phase::Verified, Phase::Verified, Phase::RolledBack]);
    let told = format!("{:?}", explain(&world.fleet, ix(&world, "prod-0"), candidate));
    assert!(told.contains("it is rolled back as soon as the endpoint is free and in contact"), "{told}");
    replays(&world);
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Reachable { endpoints });
    world.pass(3600);
    assert_eq!(phases(&world, rollout, 3), [Phase::RolledBack, Phase::Verified, Phase::RolledBack]);

    let reason = String::from("the mail was fine");
    world.ask("ada", &[], Command::Reconsider { candidate, reason: reason.clone() }).unwrap();
    world.ask("bob", &["change-manager"], Command::Approve { candidate, reason }).unwrap();
    let endpoints = some(&world, &["prod-1"]);
    world.see(Observation::Reachable { endpoints });
    world.pass(3600);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified, "approved again, it stays");
    replays(&world);
}

#[test]
fn what_was_replaced_meanwhile_is_not_taken_back_by_a_revocation() {
    let mut world = World::new(2, 0, taking_back());
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(3600);
    let rollout = world.deployment_of(candidate);
    let need = NeedSeen {
        standing: Standing::Has,
        present: Some(Arc::from("1.2")),
        ..NeedSeen::needs(ix(&world, "prod-0"), None, RollbackPath::Reinstall)
    };
    world.see(Observation::Needs { candidate, needs: Cow::Owned(vec![need]) });
    revoke(&mut world, candidate);
    world.pass(3600);
    assert_eq!(phases(&world, rollout, 2), [Phase::Verified, Phase::RolledBack]);
    let told = format!("{:?}", explain(&world.fleet, ix(&world, "prod-0"), candidate));
    assert!(told.contains("something else has taken its place there since"), "{told}");
}

#[test]
fn an_approval_that_expires_and_a_withdrawal_roll_nothing_back() {
    let mut policy = taking_back();
    policy.otherwise.expires_secs = 7200;
    let mut world = World::new(2, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    world.pass(3 * 3600);
    assert!(
        world.fleet.candidate(candidate).unwrap().approved().is_some(),
        "it was approved anew by its rule"
    );
    let other = world.publish(patch("maild", "1.1"));
    world.pass(3600);
    let reason = String::from("pulled");
    world.ask("ada", &[], Command::Withdraw { candidate: other, reason }).unwrap();
    world.pass(3600);
    for candidate in [candidate, other] {
        let rollout = world.deployment_of(candidate);
        assert_eq!(phases(&world, rollout, 2), [Phase::Verified; 2]);
    }
}

#[test]
fn one_without_a_way_back_keeps_what_was_revoked_and_a_failed_one_calls_an_operator() {
    let mut policy = taking_back();
    policy.rollback.without_path =
        Some(patchflow_core::policy::WaiverByName { by: "ada".into(), reason: "a lab".into() });
    policy.rings[0].gate.max_failure_percent = None;
    policy.rings[0].gate.min_success_percent = Percent::whole(10);
    let mut world = World::new(2, 0, policy);
    world.script.insert("prod-1".into(), Does::Fails(FailureKind::Dependency));
    let candidate = world.publish_with(patch("webd", "1.1"), RollbackPath::None);
    world.pass(3600);
    let rollout = world.deployment_of(candidate);
    revoke(&mut world, candidate);
    world.pass(3600);
    assert_eq!(phases(&world, rollout, 2), [Phase::Verified, Phase::NeedsOperator]);
    let told = format!("{:?}", explain(&world.fleet, ix(&world, "prod-0"), candidate));
    assert!(told.contains("its approval was revoked, and no way back is known there"), "{told}");
}
