//! Rollbacks within budgets and groups: the way back takes places as the way there does (semantics S10, S12).

use crate::budgets::{at_once, place, rated, under_way};
use crate::world::{Does, World};
use patchflow_core::catalog::Severity;
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Fleet, NeedSeen, Observation};
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Amount, OnHalt, OnRevoke, Policy, ScopeBudget, StartsMax};
use patchflow_core::report::explain;
use patchflow_core::rollout::Phase;

const FIRST: RolloutId = RolloutId(0);

/// What is revoked is rolled back everywhere.
fn taking_back() -> Policy {
    let mut policy = at_once();
    policy.rollback.on_revoke = OnRevoke::RollBack;
    policy.rollback.on_halt = OnHalt::Rollout;
    policy.catch_up.max_failures = 100;
    policy
}

fn group(world: &mut World, n: u32) {
    let endpoints = (0..n).map(|i| EndpointSeen {
        group: Some("dc".into()),
        scope: ScopePath("acme".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    world.see(Observation::Endpoints { endpoints: endpoints.collect::<Vec<_>>().into() });
}

fn revoke(world: &mut World, candidate: CandidateId) {
    world.ask("ada", &[], Command::Revoke { candidate, reason: "it eats mail".into() }).unwrap();
}

fn phases(world: &World, rollout: RolloutId) -> Vec<Phase> {
    world.fleet.rollout(rollout).unwrap().members().iter().map(|member| member.phase()).collect()
}

fn count(world: &World, rollout: RolloutId, phase: Phase) -> usize {
    phases(world, rollout).into_iter().filter(|known| *known == phase).count()
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.baseline(), world.fleet.baseline());
}

/// The most that are rolled back at the same time until all are, and how long that takes.
fn most_at_once(world: &mut World, n: usize) -> (usize, u64) {
    let (mut most, mut secs) = (0, 0);
    while count(world, FIRST, Phase::RolledBack) < n {
        most = most.max(under_way(world).len());
        world.pass(1);
        secs += 1;
        assert!(secs < 3600, "{:?}", phases(world, FIRST));
        if secs == 40 {
            // A host that goes down in the middle of it goes on where it was.
            world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
        }
    }
    replays(world);
    (most, secs)
}

#[test]
fn the_members_of_a_group_are_rolled_back_one_after_another() {
    for (unavailable_max, expected) in [(1, 1), (2, 2)] {
        let mut policy = taking_back();
        policy.budgets.unavailable_max = Amount::Count { n: unavailable_max };
        let mut world = World::new(4, 0, policy);
        group(&mut world, 4);
        let candidate = world.publish(patch("openssl", "2.0"));
        world.pass(600);
        assert_eq!(count(&world, FIRST, Phase::Verified), 4);
        revoke(&mut world, candidate);
        let waits = world.fleet.rollout(FIRST).unwrap().members().iter();
        let waits = waits.rev().find(|member| member.phase() == Phase::Verified).unwrap().endpoint();
        let said = format!("{:?}", explain(&world.fleet, waits, candidate));
        assert!(said.contains("it is rolled back when another endpoint of the group `dc` is back"), "{said}");
        assert!(said.contains("being rolled back"), "{said}");
        let (most, _) = most_at_once(&mut world, 4);
        assert_eq!(most, expected, "and who is back keeps nobody from coming back");
    }
}

#[test]
fn who_was_rolled_back_still_keeps_a_neighbour_from_starting() {
    let mut world = World::new(2, 0, taking_back());
    group(&mut world, 2);
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(600);
    revoke(&mut world, candidate);
    world.pass(600);
    assert_eq!(phases(&world, FIRST), [Phase::RolledBack; 2]);
    group(&mut world, 3);
    world.publish(patch("webd", "2.0"));
    assert_eq!(world.phase(RolloutId(1), "prod-2"), Phase::Waiting);
    assert_eq!(under_way(&world), ["prod-0", "prod-1"], "who is down itself may be mended");
}

#[test]
fn a_halt_takes_no_group_down() {
    let mut policy = taking_back();
    policy.rings[0].gate.max_alerts = Some(0);
    let mut world = World::new(3, 0, policy);
    group(&mut world, 3);
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(62 * 3 + 10);
    assert_eq!(count(&world, FIRST, Phase::Verified), 3);
    world.see(Observation::Alerts { rollout: FIRST, ring: 0, new: Some(1) });
    assert_eq!(count(&world, FIRST, Phase::Reverting), 1);
    let at_rest = |world: &World| world.fleet.rollout(FIRST).unwrap().is_at_rest();
    assert!(!at_rest(&world));
    let waits = world.fleet.rollout(FIRST).unwrap().members().iter();
    let waits = waits.rev().find(|member| member.phase() == Phase::Verified).unwrap().endpoint();
    let said = format!("{:?}", explain(&world.fleet, waits, candidate));
    assert!(said.contains("the rollout was halted, and it is rolled back when another endpoint"), "{said}");
    let (most, _) = most_at_once(&mut world, 3);
    assert_eq!(most, 1);
    assert!(at_rest(&world));
}

#[test]
fn a_failed_member_does_not_stand_in_its_own_way_and_one_that_stays_broken_stands_in_its_neighbours() {
    for path in [RollbackPath::Reinstall, RollbackPath::None] {
        let mut policy = taking_back();
        policy.rollback.without_path =
            Some(patchflow_core::policy::WaiverByName { by: "ada".into(), reason: "a test".into() });
        policy.rings[0].gate.max_failures = Some(0);
        let mut world = World::new(2, 0, policy);
        group(&mut world, 2);
        let candidate = world.publish(patch("openssl", "2.0"));
        let first = under_way(&world).remove(0);
        let second = if first == "prod-0" { "prod-1" } else { "prod-0" };
        let endpoint = world.fleet.endpoint_ix(second).unwrap();
        let needs = vec![NeedSeen::needs(endpoint, Some("1.0".into()), path)];
        world.see(Observation::Needs { candidate, needs: needs.into() });
        world.script.insert(second.into(), Does::Fails(FailureKind::Dependency));
        world.pass(600);
        let stuck = path == RollbackPath::None;
        let expected = if stuck { Phase::NeedsOperator } else { Phase::RolledBack };
        assert_eq!(world.phase(FIRST, second), expected, "its own place is its own");
        let expected = if stuck { Phase::Verified } else { Phase::RolledBack };
        assert_eq!(world.phase(FIRST, &first), expected, "{path:?}");
        if stuck {
            let endpoint = second.into();
            world.ask("ada", &["owner"], Command::Remove { rollout: FIRST, endpoint }).unwrap();
            world.pass(100);
            assert_eq!(world.phase(FIRST, &first), Phase::RolledBack, "a person has looked after the other");
        }
        replays(&world);
    }
}

#[test]
fn rollbacks_take_places_as_starts_do() {
    let two = Amount::Count { n: 2 };
    type Bound = (&'static str, fn(&mut Policy, Amount));
    let bounds: [Bound; 4] = [
        ("rollout", |policy, _| policy.deploy.in_flight_max = 2),
        ("ring", |policy, two| policy.rings[0].in_flight_max = Some(two)),
        ("fleet", |policy, two| policy.budgets.in_flight_max = Some(two)),
        ("acme", |policy, two| {
            policy.budgets.scopes =
                vec![ScopeBudget { within: ScopePath("acme".into()), in_flight_max: two }];
        }),
    ];
    for (named, bound) in bounds {
        let mut policy = taking_back();
        bound(&mut policy, two);
        // Starts that are used up bound no rollback, and probes are about what is new.
        policy.budgets.starts_max = Some(StartsMax { n: 7, per_secs: 7 * 24 * 3600 });
        policy.rings[0].probe_first = 3;
        let mut world = World::new(7, 0, policy);
        let names: Vec<String> = (0..7).map(|i| format!("prod-{i}")).collect();
        place(&mut world, &names.iter().map(|name| (name.as_str(), "acme/berlin")).collect::<Vec<_>>());
        let candidate = world.publish(patch("openssl", "2.0"));
        world.pass(3600);
        assert_eq!(count(&world, FIRST, Phase::Verified), 7);
        revoke(&mut world, candidate);
        let waits = world.fleet.rollout(FIRST).unwrap().members().iter();
        let waits = waits.rev().find(|member| member.phase() == Phase::Verified).unwrap().endpoint();
        let said = format!("{:?}", explain(&world.fleet, waits, candidate));
        assert!(
            said.contains("it is rolled back in its turn: 2 ") && said.contains(named),
            "{named}: {said}"
        );
        let (most, secs) = most_at_once(&mut world, 7);
        assert_eq!(most, 2, "{named}");
        assert!((4 * 31..6 * 31).contains(&secs), "a freed place is taken at once: {secs}");
    }
}

#[test]
fn rollbacks_come_before_every_start() {
    let mut policy = taking_back();
    policy.budgets.in_flight_max = Some(Amount::Count { n: 1 });
    let mut world = World::new(3, 0, policy);
    let candidate = world.publish(rated("openssl", Severity::Low));
    world.pass(3 * 62);
    assert_eq!(count(&world, FIRST, Phase::Verified), 3);
    world.publish(rated("webd", Severity::Critical));
    world.pass(5);
    revoke(&mut world, candidate);
    world.pass(60);
    let (back, new) = (count(&world, FIRST, Phase::Reverting), count(&world, RolloutId(1), Phase::Verified));
    assert_eq!((back, new), (1, 1), "what is at work comes to its end, and then harm is undone first");
    world.pass(3 * 32);
    assert_eq!(count(&world, FIRST, Phase::RolledBack), 3);
    assert_eq!(under_way(&world).len(), 1, "then the others go on");
}

#[test]
fn a_silent_rollback_gives_its_place_back_and_not_its_groups() {
    for grouped in [false, true] {
        let mut policy = taking_back();
        policy.deploy.in_flight_max = 1;
        let mut world = World::new(2, 0, policy);
        let candidate = world.publish(patch("openssl", "2.0"));
        world.pass(200);
        if grouped {
            group(&mut world, 2);
        }
        revoke(&mut world, candidate);
        let first = under_way(&world).remove(0);
        world.script.insert(first.clone(), Does::GoesSilent);
        world.lose_everything_on_its_way();
        world.pass(1801);
        assert_eq!(count(&world, FIRST, Phase::RevertSilent), 1);
        let expected = if grouped { Phase::Verified } else { Phase::Reverting };
        assert_eq!(count(&world, FIRST, expected), 1, "the other one, grouped: {grouped}");
        // The late report takes no place, and lets the group go on.
        let order = world.orders.iter().rfind(|order| order.endpoint().as_str() == first).unwrap().id();
        let kind = patchflow_core::rollout::ReportKind::Done;
        world.see(Observation::Reported(patchflow_core::rollout::Report { order, kind }));
        world.script.clear();
        world.pass(40);
        assert_eq!(world.phase(FIRST, &first), Phase::RolledBack);
        assert_eq!(count(&world, FIRST, Phase::Verified), 0, "the other one goes, or has gone");
        replays(&world);
    }
}

#[test]
fn a_drill_takes_a_place_too() {
    let mut policy = crate::world::policy();
    policy.budgets.in_flight_max = Some(Amount::Count { n: 1 });
    let mut world = World::new(1, 2, policy);
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(2 * 24 * 3600);
    let busy = world.publish(patch("webd", "2.0"));
    assert_eq!(under_way(&world).len(), 1, "{busy:?}");
    let other = (0..2).map(|i| format!("test-{i}")).find(|name| !under_way(&world).contains(name)).unwrap();
    let drill = Command::Drill { candidate, endpoint: other.as_str().into() };
    let refused = world.ask("ada", &["owner"], drill.clone()).unwrap_err();
    assert!(refused.to_string().contains("without a place in the budgets"), "{refused}");
    world.pass(24 * 3600);
    world.ask("ada", &["owner"], drill).unwrap();
    assert_eq!(under_way(&world), [other]);
}

fn hooked() -> Policy {
    let mut policy = taking_back();
    policy.deploy.hooks.pre = Some("drain".into());
    policy.deploy.hooks.post = Some("resume".into());
    policy.retry.backoff_secs = 600;
    policy
}

fn hooks(world: &World, stage: &str) -> usize {
    world.hooks.iter().filter(|hook| hook.starts_with(stage)).count()
}

/// One endpoint with a patch that is revoked.
fn revoked(policy: Policy) -> (World, CandidateId) {
    let mut world = World::new(1, 0, policy);
    let candidate = world.publish(patch("openssl", "2.0"));
    world.pass(600);
    assert_eq!(phases(&world, FIRST), [Phase::Verified]);
    revoke(&mut world, candidate);
    (world, candidate)
}

#[test]
fn what_was_resumed_is_drained_again_before_its_rollback() {
    let (mut world, candidate) = revoked(hooked());
    assert_eq!((phases(&world, FIRST), world.orders.len()), (vec![Phase::RevertDraining], 1));
    let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
    let said = format!("{:?}", explain(&world.fleet, endpoint, candidate));
    assert!(
        said.contains("being prepared by the hook `drain` until") && said.contains("its rollback to 1.0"),
        "{said}"
    );
    replays(&world);
    world.pass(60);
    assert_eq!(phases(&world, FIRST), [Phase::RolledBack]);
    assert_eq!(world.hooks, ["pre:prod-0", "post:prod-0", "pre:prod-0", "post:prod-0"]);
    // Without a post hook nobody can say whether it is still drained.
    let mut policy = hooked();
    policy.deploy.hooks.post = None;
    let (mut world, _) = revoked(policy);
    world.pass(60);
    assert_eq!((phases(&world, FIRST), hooks(&world, "pre")), (vec![Phase::RolledBack], 2));
}

#[test]
fn a_rollback_that_cannot_be_drained_is_drained_anew_and_in_the_end_calls_an_operator() {
    for does in [Does::Fails(FailureKind::Other), Does::GoesSilent] {
        for gives_up in [false, true] {
            let (mut world, candidate) = {
                let mut world = World::new(1, 0, hooked());
                let candidate = world.publish(patch("openssl", "2.0"));
                world.pass(600);
                world.script.insert("pre:prod-0".into(), does.clone());
                revoke(&mut world, candidate);
                (world, candidate)
            };
            world.pass(605);
            assert_eq!(world.orders.len(), 1, "nothing is taken back that was not drained");
            assert_eq!(phases(&world, FIRST), [Phase::Failed], "{does:?}");
            assert_eq!(hooks(&world, "post"), 2, "and it is resumed meanwhile");
            let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
            let said = format!("{:?}", explain(&world.fleet, endpoint, candidate));
            assert!(said.contains("its rollback is prepared anew from 2026-11-21T"), "{said}");
            replays(&world);
            world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
            if !gives_up {
                world.script.clear();
            }
            world.pass(6 * 3600);
            let expected = if gives_up { Phase::NeedsOperator } else { Phase::RolledBack };
            assert_eq!(phases(&world, FIRST), [expected], "{does:?}");
            let tries = usize::from(hooked().retry.attempts_max);
            assert_eq!(hooks(&world, "pre"), if gives_up { 1 + tries } else { 3 });
            replays(&world);
        }
    }
}

#[test]
fn a_failed_member_that_is_drained_still_is_not_drained_again() {
    let mut policy = hooked();
    policy.rollback.on_failure = patchflow_core::policy::OnFailure::RollBack;
    let mut world = World::new(1, 0, policy);
    world.script.insert("prod-0".into(), Does::Sickens);
    world.publish(patch("openssl", "2.0"));
    world.pass(600);
    assert_eq!((phases(&world, FIRST), hooks(&world, "pre")), (vec![Phase::RolledBack], 1));
}

#[test]
fn who_goes_out_of_contact_while_it_is_drained_is_rolled_back_when_it_is_there_again() {
    let (mut world, _) = revoked(hooked());
    let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
    let since = world.now;
    world.see(Observation::Unreachable { endpoints: vec![endpoint].into(), since });
    world.pass(60);
    assert_eq!((phases(&world, FIRST), world.orders.len()), (vec![Phase::Failed], 1));
    replays(&world);
    world.see(Observation::Reachable { endpoints: vec![endpoint].into() });
    world.pass(600);
    assert_eq!(phases(&world, FIRST), [Phase::RolledBack]);
}
