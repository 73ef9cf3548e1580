//! Availability groups by hand: they are never down together.

use crate::budgets::{at_once, rated, under_way};
use crate::world::{Does, World};
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Observation};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{EndpointId, RolloutId};
use patchflow_core::inventory::Environment;
use patchflow_core::policy::{Amount, OnFailure, Policy};
use patchflow_core::report::explain;
use patchflow_core::rollout::Phase;
use std::borrow::Cow;

/// A fleet of so many endpoints; each of `groups` names the group of one endpoint, from the first.
fn grouped(n: u32, groups: &[&str], policy: Policy) -> World {
    let mut world = World::new(n, 0, policy);
    group(&mut world, groups);
    world
}

fn group(world: &mut World, groups: &[&str]) {
    let endpoints = (0..).zip(groups).map(|(i, group)| EndpointSeen {
        group: (!group.is_empty()).then(|| (*group).into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    world.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints.collect()) });
}

fn phases(world: &World, n: u32) -> Vec<Phase> {
    (0..n).map(|i| world.phase(RolloutId(0), &format!("prod-{i}"))).collect()
}

#[test]
fn places_are_given_back_by_silence_and_groups_are_not() {
    // At most two under way; A and B have the places; A falls silent; C gets the place, unless it is in A's group.
    for (group, expected) in [("", Phase::Running), ("cluster", Phase::Waiting)] {
        let mut policy = at_once();
        policy.deploy.in_flight_max = 2;
        let mut world = World::new(3, 0, policy);
        world.script.insert("prod-0".into(), Does::GoesSilent);
        world.script.insert("prod-1".into(), Does::GoesSilent);
        world.script.insert("prod-2".into(), Does::GoesSilent);
        let candidate = world.publish(patch("openssl", "2.0"));
        let rollout = world.deployment_of(candidate);
        let taken = under_way(&world);
        let third = (0..3).map(|i| format!("prod-{i}")).find(|name| !taken.contains(name)).unwrap();
        let endpoints: Vec<_> = taken
            .iter()
            .chain([&third])
            .map(|name| EndpointSeen {
                group: (!group.is_empty()).then(|| group.into()),
                ..EndpointSeen::new(name.clone(), Environment::Production)
            })
            .collect();
        world.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
        world.pass(1202);
        assert_eq!(world.phase(rollout, &taken[0]), Phase::Silent);
        assert_eq!(world.phase(rollout, &third), expected, "in group `{group}`");
        if group == "cluster" {
            let third = world.fleet.endpoint_ix(&third).unwrap();
            let said = format!("{:?}", explain(&world.fleet, third, candidate));
            assert!(
                said.contains("2 endpoints of the group `cluster` are unavailable, at most 1 may be"),
                "{said}"
            );
        }
    }
}

#[test]
fn the_next_of_a_group_starts_after_the_one_before_is_verified() {
    let mut world = grouped(5, &["dc", "dc", "dc", "web", "web"], at_once());
    world.publish(patch("openssl", "2.0"));
    let mut most = Vec::new();
    for _ in 0..4 {
        most.push(under_way(&world).len());
        // Installed by its own word is not verified: for one second more nobody starts.
        world.pass(60);
        assert!(under_way(&world).len() <= *most.last().unwrap());
        assert!(!phases(&world, 5).contains(&Phase::Running));
        world.pass(1);
    }
    assert_eq!(most, [2, 2, 1, 0], "one of each group at a time");
}

#[test]
fn a_group_is_one_over_all_rollouts_of_the_fleet() {
    let mut world = grouped(3, &["dc", "dc", "dc"], at_once());
    world.publish(patch("openssl", "2.0"));
    world.publish(patch("webd", "2.0"));
    for _ in 0..6 {
        assert_eq!(under_way(&world).len(), 1);
        world.pass(62);
    }
    assert!(world.fleet.rollouts().all(|rollout| rollout.counts().verified == 3));
}

#[test]
fn a_failed_member_keeps_its_group_waiting_until_it_is_looked_after() {
    let mut world = grouped(4, &["dc", "dc", "dc"], at_once());
    world.script.extend((0..4).map(|i| (format!("prod-{i}"), Does::Fails(FailureKind::Dependency))));
    world.publish(patch("openssl", "2.0"));
    world.pass(200);
    let failed: Vec<u32> = (0..3).filter(|i| phases(&world, 4)[*i as usize] == Phase::Failed).collect();
    assert_eq!(failed.len(), 1, "one of the three, and the one without a group");
    let broken: EndpointId = format!("prod-{}", failed[0]).into();
    let ix = world.fleet.endpoint_ix(broken.as_str()).unwrap();
    assert!(world.fleet.endpoint(ix).unwrap().is_unavailable());
    // Another patch may go to the broken one first of all, and that brings it back.
    world.script.clear();
    world.publish(rated("mend", Severity::Low));
    world.pass(62);
    assert_eq!(world.phase(RolloutId(1), broken.as_str()), Phase::Verified);
    world.pass(62 * 6);
    assert_eq!(
        phases(&world, 3).iter().filter(|phase| **phase == Phase::Verified).count(),
        2,
        "the group goes on"
    );
}

#[test]
fn taking_a_failed_member_out_lets_its_group_go_on() {
    let mut world = grouped(3, &["dc", "dc", "dc"], at_once());
    world.script.extend((0..3).map(|i| (format!("prod-{i}"), Does::Fails(FailureKind::Dependency))));
    world.publish(patch("openssl", "2.0"));
    for done in 1..=3 {
        world.pass(200);
        let failed = (0..3).find(|i| phases(&world, 3)[*i] == Phase::Failed).unwrap();
        assert_eq!(world.orders.len(), done, "the others wait");
        let endpoint = format!("prod-{failed}").into();
        world.ask("root", &["owner"], Command::Remove { rollout: RolloutId(0), endpoint }).unwrap();
    }
}

#[test]
fn a_member_that_was_rolled_back_counts_until_its_hold_is_cleared() {
    let mut policy = at_once();
    policy.rollback.on_failure = OnFailure::RollBack;
    let mut world = grouped(2, &["dc", "dc"], policy);
    world.script.extend((0..2).map(|i| (format!("prod-{i}"), Does::Sickens)));
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(400);
    let back = (0..2).find(|i| phases(&world, 2)[*i] == Phase::RolledBack).unwrap();
    assert_eq!(phases(&world, 2)[1 - back], Phase::Waiting);
    world.script.clear();
    world
        .ask("root", &["owner"], Command::ClearHold { candidate, endpoint: format!("prod-{back}").into() })
        .unwrap();
    world.pass(130);
    assert_eq!(phases(&world, 2), [Phase::Verified; 2]);
}

#[test]
fn as_many_of_a_group_as_the_policy_says() {
    for (limit, expected) in [
        (Amount::Count { n: 2 }, 2),
        (Amount::Percent { percent: Percent::whole(50) }, 3),
        (Amount::Percent { percent: Percent::whole(10) }, 1),
    ] {
        let mut policy = at_once();
        policy.budgets.unavailable_max = limit;
        let mut world = grouped(6, &["dc"; 6], policy);
        world.publish(patch("openssl", "2.0"));
        assert_eq!(under_way(&world).len(), expected);
    }
}

#[test]
fn an_endpoint_that_leaves_its_group_waits_for_it_no_more() {
    let mut world = grouped(2, &["dc", "dc"], at_once());
    world.publish(patch("openssl", "2.0"));
    let waits = usize::from(under_way(&world) == ["prod-0"]);
    let mut groups = ["dc", "dc"];
    groups[waits] = "";
    group(&mut world, &groups);
    assert_eq!(under_way(&world).len(), 2);
}

#[test]
fn a_group_of_zero_is_a_finding() {
    let mut bad = at_once();
    bad.budgets.unavailable_max = Amount::Count { n: 0 };
    let paths: Vec<_> = bad.findings().into_iter().map(|finding| finding.path).collect();
    assert_eq!(paths, ["budgets.unavailable_max"]);
}
