//! Budgets by hand: the worked cases, and the neighbours of each rule.

use crate::world::{Does, World, policy, start};
use patchflow_core::catalog::{Patch, Severity};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{Command, EndpointSeen, Fact, Observation};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{CandidateId, EndpointIx};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::{Amount, Policy, ScopeBudget, StartsMax, WaiverByName};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Event, Phase, Report, ReportKind};
use std::borrow::Cow;

/// One ring over everything, no trial, started when approved: only budgets hold anybody back.
pub(crate) fn at_once() -> Policy {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.trial.required_for_reboot = false;
    for rule in &mut policy.approval {
        rule.when.severities = vec![Severity::Critical, Severity::High, Severity::Low];
        rule.approval = patchflow_core::policy::Approval::Automatic { requires_trial: false, delay_secs: 0 };
    }
    policy.rings.drain(..3);
    policy.rings[0].gate.max_failure_percent = None;
    policy.rings[0].gate.min_success_percent = Percent::whole(0);
    policy.single_ring = Some(WaiverByName { by: "ada".into(), reason: "a test".into() });
    policy
}

/// A patch of another severity, so that its rollout comes before or after others.
pub(crate) fn rated(name: &str, severity: Severity) -> Patch {
    Patch { severity, ..patch(name, "2.0") }
}

fn count(n: u32) -> Amount {
    Amount::Count { n }
}

fn percent(percent: u32) -> Amount {
    Amount::Percent { percent: Percent::whole(percent) }
}

fn budget(within: &str, in_flight_max: Amount) -> ScopeBudget {
    ScopeBudget { within: ScopePath(within.into()), in_flight_max }
}

/// Moves endpoints into scopes, before anything is published.
pub(crate) fn place(world: &mut World, scopes: &[(&str, &str)]) {
    let endpoints = scopes
        .iter()
        .map(|(name, scope)| EndpointSeen {
            scope: ScopePath((*scope).into()),
            ..EndpointSeen::new(*name, Environment::Production)
        })
        .collect();
    world.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
}

/// The endpoints whose operation is under way, over all rollouts.
pub(crate) fn under_way(world: &World) -> Vec<String> {
    let mut names: Vec<_> = world
        .fleet
        .endpoints()
        .filter(|endpoint| {
            endpoint.active().is_some_and(|(rollout, member)| {
                world.fleet.rollout(rollout).unwrap().members()[member.index()].phase().is_operating()
            })
        })
        .map(|endpoint| endpoint.id().as_str().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_budget_of_the_fleet_bounds_all_its_rollouts_together() {
    let mut policy = at_once();
    policy.budgets.in_flight_max = Some(count(3));
    let mut world = World::new(10, 0, policy);
    world.publish(patch("openssl", "2.0"));
    world.publish(patch("webd", "2.0"));
    assert_eq!(under_way(&world).len(), 3, "two rollouts, one budget");
    world.pass(20 * 62);
    assert!(world.fleet.rollouts().all(|rollout| rollout.counts().verified == 10));
}

#[test]
fn a_share_is_rounded_down_but_is_at_least_one() {
    for (share, expected) in [(19, 1), (20, 2), (29, 2), (1, 1), (100, 10)] {
        let mut policy = at_once();
        policy.budgets.in_flight_max = Some(percent(share));
        let mut world = World::new(10, 0, policy);
        world.publish(patch("openssl", "2.0"));
        assert_eq!(under_way(&world).len(), expected, "{share} % of 10");
    }
}

#[test]
fn an_endpoint_counts_in_every_scope_around_it_and_other_scopes_go_on() {
    let mut policy = at_once();
    policy.budgets.scopes = vec![budget("acme", count(3)), budget("acme/berlin", count(2))];
    let mut world = World::new(9, 0, policy);
    let scopes = ["acme/berlin", "acme/bonn", "other"];
    let names: Vec<String> = (0..9).map(|i| format!("prod-{i}")).collect();
    let placed: Vec<_> = names.iter().enumerate().map(|(i, name)| (name.as_str(), scopes[i / 3])).collect();
    place(&mut world, &placed);
    let candidate = world.publish(patch("openssl", "2.0"));
    let there = under_way(&world);
    let within = |range: std::ops::Range<usize>| range.filter(|i| there.contains(&names[*i])).count();
    assert_eq!(within(6..9), 3, "what no budget covers is not held back");
    assert_eq!(within(0..6), 3, "berlin and bonn share the budget of acme");
    assert!(within(0..3) <= 2);
    let held = names[..3].iter().find(|name| !there.contains(name)).unwrap();
    let held = world.fleet.endpoint_ix(held).unwrap();
    let said = format!("{:?}", explain(&world.fleet, held, candidate));
    assert!(said.contains("under way in `acme"), "{said}");
    world.pass(20 * 62);
    assert_eq!(world.fleet.rollouts().next().unwrap().counts().verified, 9);
}

#[test]
fn an_endpoint_that_moves_takes_its_place_along() {
    let mut policy = at_once();
    policy.budgets.scopes = vec![budget("a", count(1)), budget("b", count(1))];
    let mut world = World::new(3, 0, policy);
    place(&mut world, &[("prod-0", "a"), ("prod-1", "a"), ("prod-2", "b")]);
    let candidate = world.publish(patch("openssl", "2.0"));
    assert_eq!(under_way(&world).len(), 2);
    let rollout = world.deployment_of(candidate);
    let waits = if world.phase(rollout, "prod-0") == Phase::Waiting { "prod-0" } else { "prod-1" };
    // Out of the full scope into one without a budget: it may start at once.
    place(&mut world, &[(waits, "c")]);
    assert_eq!(under_way(&world).len(), 3);
}

#[test]
fn budgets_of_the_adopted_policy_act_at_once_on_running_rollouts() {
    let mut world = World::new(10, 0, {
        let mut policy = at_once();
        policy.budgets.in_flight_max = Some(count(1));
        policy
    });
    world.publish(patch("openssl", "2.0"));
    assert_eq!(under_way(&world).len(), 1);
    let mut wider = at_once();
    wider.budgets.in_flight_max = Some(count(4));
    wider.deploy.in_flight_max = 2;
    world.ask("root", &["owner"], Command::AdoptPolicy { policy: Box::new(wider) }).unwrap();
    assert_eq!(under_way(&world).len(), 4, "the fleet's is new, the rollout keeps its own of 1000");
}

#[test]
fn a_ring_has_a_budget_of_its_own() {
    let mut policy = at_once();
    policy.rings[0].in_flight_max = Some(percent(25));
    let mut world = World::new(10, 0, policy);
    world.publish(patch("openssl", "2.0"));
    world.publish(patch("webd", "2.0"));
    let taken: Vec<_> = world.fleet.rollouts().map(|rollout| rollout.counts().in_flight).collect();
    assert_eq!(taken, [2, 2], "a quarter of ten in each rollout");
    world.pass(20 * 62);
    assert!(world.fleet.rollouts().all(|rollout| rollout.counts().verified == 10));
}

#[test]
fn the_first_of_a_ring_go_one_by_one_each_verified_before_the_next() {
    let mut policy = at_once();
    policy.rings[0].probe_first = 2;
    let mut world = World::new(10, 0, policy);
    world.publish(patch("openssl", "2.0"));
    let mut most = Vec::new();
    for _ in 0..4 {
        most.push(under_way(&world).len());
        world.pass(62);
    }
    assert_eq!(most, [1, 1, 8, 0]);
}

#[test]
fn a_probe_that_fails_is_no_probe_and_lets_the_next_go_alone() {
    let mut policy = at_once();
    policy.rings[0].probe_first = 1;
    let mut world = World::new(6, 0, policy);
    let fails = Does::Fails(patchflow_core::error::FailureKind::Dependency);
    world.script.extend((0..6).map(|i| (format!("prod-{i}"), fails.clone())));
    world.publish(patch("openssl", "2.0"));
    for failed in 0..6 {
        assert_eq!(under_way(&world).len(), 1, "after {failed} failures");
        world.pass(61);
    }
    assert_eq!(world.fleet.rollouts().next().unwrap().counts().failed, 6);
}

#[test]
fn starts_are_bounded_in_every_stretch_of_time() {
    let mut policy = at_once();
    policy.budgets.starts_max = Some(StartsMax { n: 3, per_secs: 600 });
    let mut world = World::new(10, 0, policy);
    world.publish(patch("openssl", "2.0"));
    world.pass(3600);
    let starts: Vec<_> = world
        .journal
        .iter()
        .filter(|r| matches!(r.fact, Fact::Endpoint(f) if f.event == Event::Ordered))
        .map(|r| r.at.since(start()).as_secs())
        .collect();
    assert_eq!(starts, [0, 0, 0, 600, 600, 600, 1200, 1200, 1200, 1800], "neither earlier nor later");
}

#[test]
fn unknown_frees_its_place_and_its_late_report_takes_none() {
    let mut policy = at_once();
    policy.deploy.in_flight_max = 2;
    let mut world = World::new(5, 0, policy);
    world.script.extend((0..5).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    let candidate = world.publish(patch("openssl", "2.0"));
    let rollout = world.deployment_of(candidate);
    let first = under_way(&world);
    world.pass(1201);
    assert!(first.iter().all(|name| world.phase(rollout, name) == Phase::Silent));
    let second = under_way(&world);
    assert_eq!(second.len(), 2, "others have their places");
    assert!(first.iter().all(|name| !second.contains(name)), "and they keep their own endpoints");
    let order = world.orders.iter().find(|order| order.endpoint().as_str() == first[0]).unwrap().id();
    world.levels.insert(first[0].clone(), "2.0".into());
    world.see(Observation::Reported(Report { order, kind: ReportKind::Done }));
    assert_eq!(under_way(&world).len(), 3, "the late one runs over the budget");
    world.pass(2);
    assert_eq!(world.phase(rollout, &first[0]), Phase::Verified);
    assert_eq!(world.orders.len(), 4, "its end frees no place, for it took none");
}

fn orders_of(world: &World, candidate: CandidateId) -> usize {
    world.orders.iter().filter(|o| o.id().rollout == world.deployment_of(candidate)).count()
}

#[test]
fn who_is_first_is_priority_then_due_date_then_the_rollout() {
    let mut policy = at_once();
    policy.budgets.in_flight_max = Some(count(2));
    let mut world = World::new(6, 0, policy);
    let low = world.publish(rated("editor", Severity::Low));
    assert_eq!(orders_of(&world, low), 2, "nobody else is there yet");
    let high = world.publish(rated("kernel", Severity::High));
    let critical = world.publish(rated("openssl", Severity::Critical));
    // As each place becomes free the most urgent takes it, on endpoints that are free.
    world.pass(62);
    assert_eq!([low, high, critical].map(|c| orders_of(&world, c)), [2, 0, 2]);
    world.pass(62);
    assert_eq!([low, high, critical].map(|c| orders_of(&world, c)), [2, 0, 4]);
    world.pass(62);
    assert_eq!([low, high, critical].map(|c| orders_of(&world, c)), [2, 0, 6]);
    world.pass(3 * 62);
    assert_eq!([low, high, critical].map(|c| orders_of(&world, c)), [2, 6, 6]);
    world.pass(2 * 62);
    assert_eq!([low, high, critical].map(|c| orders_of(&world, c)), [6, 6, 6], "and nobody is forgotten");
}

#[test]
fn who_waits_for_a_busy_endpoint_gets_it_by_priority() {
    let mut world = World::new(1, 0, at_once());
    world.publish(rated("first", Severity::Low));
    let low = world.publish(rated("editor", Severity::Low));
    let critical = world.publish(rated("openssl", Severity::Critical));
    world.pass(62);
    assert_eq!([low, critical].map(|c| orders_of(&world, c)), [0, 1]);
    world.pass(62);
    assert_eq!([low, critical].map(|c| orders_of(&world, c)), [1, 1]);
}

#[test]
fn who_cannot_take_a_free_endpoint_leaves_it_to_the_next() {
    let mut world = World::new(1, 0, at_once());
    world.publish(rated("first", Severity::Low));
    let low = world.publish(rated("editor", Severity::Low));
    let critical = world.publish(rated("openssl", Severity::Critical));
    let high = world.publish(rated("kernel", Severity::High));
    let rollout = world.deployment_of(critical);
    world.ask("olga", &[], Command::Pause { rollout }).unwrap();
    world.pass(62);
    let orders = |world: &World| [critical, high, low].map(|c| orders_of(world, c));
    assert_eq!(orders(&world), [0, 1, 0], "the first in line is paused");
    world.ask("olga", &[], Command::Resume { rollout }).unwrap();
    assert_eq!(orders(&world), [0, 1, 0], "the endpoint is taken");
    world.pass(62);
    assert_eq!(orders(&world), [1, 1, 0], "it is first again");
    world.pass(62);
    assert_eq!(orders(&world), [1, 1, 1], "and nobody is forgotten");
}

#[test]
fn a_free_endpoint_costs_one_look_however_many_wait_for_it() {
    let reviews = |waiting: usize| {
        let mut world = World::new(1, 0, at_once());
        world.publish(rated("first", Severity::Critical));
        (0..waiting).for_each(|i| _ = world.publish(rated(&format!("editor-{i}"), Severity::Low)));
        let before = world.fleet.reviews();
        world.pass(62);
        assert_eq!(world.orders.len(), 2, "one of them has started");
        world.fleet.reviews() - before
    };
    assert_eq!(reviews(3), reviews(30));
}

#[test]
fn budgets_of_zero_are_findings() {
    let mut bad = at_once();
    bad.budgets.in_flight_max = Some(count(0));
    bad.budgets.scopes = vec![budget("acme", percent(0)), budget("acme", count(1))];
    bad.budgets.starts_max = Some(StartsMax { n: 0, per_secs: 0 });
    bad.rings[0].in_flight_max = Some(count(0));
    let paths: Vec<_> = bad.findings().into_iter().map(|finding| finding.path).collect();
    let expected = [
        "rings[0].in_flight_max",
        "budgets.in_flight_max",
        "budgets.scopes[0].in_flight_max",
        "budgets.scopes[1].within",
        "budgets.starts_max.n",
        "budgets.starts_max.per_secs",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_fleet_that_shrinks_shrinks_its_shares() {
    let mut policy = at_once();
    policy.budgets.in_flight_max = Some(percent(50));
    let mut world = World::new(8, 0, policy);
    world.publish(patch("openssl", "2.0"));
    assert_eq!(under_way(&world).len(), 4);
    let waiting: Vec<EndpointIx> =
        world.fleet.endpoints().filter(|e| e.active().is_none()).map(|e| e.ix()).collect();
    for endpoint in waiting.into_iter().take(2) {
        world.see(Observation::EndpointGone { endpoint });
    }
    world.pass(61);
    assert!(under_way(&world).len() <= 3, "half of six");
}
